#include "bench/verbs/check_run.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure/gate_compare.h"
#include "bench/measure/gate_images.h"
#include "kernels/base/image.h"
#include "kernels/base/npy.h"
#include "kernels/base/vectors.h"

enum { BATCH = 3 };                  /* images of the batch that must equal single ones */

/* --- folder and lines ----------------------------------------------------------------------------------- */

enum status check_begin(struct check *c, struct err *err)
{
    const char *temporary = getenv("TMPDIR");
    enum status st = engine_config_read(&c->reference, "reference", err);
    if (st != ST_OK)
        return st;
    if ((size_t)snprintf(c->folder, sizeof c->folder, "%s/bench-check-XXXXXX",
                         temporary && *temporary ? temporary : "/tmp") >= sizeof c->folder)
        snprintf(c->folder, sizeof c->folder, "/tmp/bench-check-XXXXXX");
    if (!mkdtemp(c->folder)) {
        st = err_set(err, ST_IO, "no folder for the images can be made at %s: %s", c->folder,
                     strerror(errno));
        c->folder[0] = 0;
        return st;
    }
    c->reference_output = calloc(vector_count, sizeof *c->reference_output);
    return c->reference_output ? ST_OK
                               : err_set(err, ST_OUT_OF_MEMORY, "not enough memory for reference outputs");
}

void check_end(struct check *c)
{
    DIR *folder = c->folder[0] ? opendir(c->folder) : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    if (c->folder[0])
        rmdir(c->folder);
    for (size_t i = 0; c->reference_output && i < vector_count; i++)
        free(c->reference_output[i]);
    free(c->reference_output);
    free(c->lines);
    engine_config_free(&c->reference);
}

/* What a line is about. */
struct subject {
    const struct vector *vector;
    const char *precision;
};

static enum status add_line(struct check *c, const struct subject *s, const char *test, double deviation,
                            double limit, const char *note, struct err *err)
{
    struct check_line *grown = realloc(c->lines, (c->line_count + 1) * sizeof *grown);
    if (!grown)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the table of checks");
    c->lines = grown;
    struct check_line *line = &grown[c->line_count++];
    const bool ok = deviation <= limit; /* never where it is not a number */
    *line = (struct check_line){ .deviation = deviation, .limit = limit };
    snprintf(line->model, sizeof line->model, "%s", s->vector->model);
    snprintf(line->engine, sizeof line->engine, "%s", c->engine->name);
    snprintf(line->precision, sizeof line->precision, "%s", s->precision);
    snprintf(line->set, sizeof line->set, "%s", s->vector->set);
    snprintf(line->size, sizeof line->size, "%dx%d", s->vector->h, s->vector->w);
    snprintf(line->until, sizeof line->until, "%s", *s->vector->until ? s->vector->until : "logits");
    snprintf(line->test, sizeof line->test, "%s", test);
    snprintf(line->ok, sizeof line->ok, "%s", ok ? "ok" : "FAILED");
    snprintf(line->note, sizeof line->note, "%s", note);
    c->failed += !ok;
    return ST_OK;
}

/* --- outputs -------------------------------------------------------------------------------------------- */

static enum status open_worker(struct worker **w, const struct check *c, const struct engine_config *engine,
                               struct err *err)
{
    const struct worker_start start = { .command = engine->command, .interrupt = c->stop,
                                        .environment = (const char *const *)engine->environment };
    struct worker_hello hello;
    enum status st = worker_open(w, &start, err);
    if (st == ST_OK)
        st = worker_hello(*w, &hello, WORKER_HELLO_NS, err);
    if (st != ST_OK && st != ST_INTERRUPTED)
        st = err_set(err, ST_ENVIRONMENT, "engine %s does not start: %.900s", engine->name,
                     err ? err->text : "");
    return st;
}

static enum status load(struct worker *w, const struct subject *s, const char *device, int threads,
                        struct err *err)
{
    const struct vector *v = s->vector;
    struct worker_load_result loaded;
    const struct worker_load_ask ask = { .model = v->model, .shape = { 3, v->h, v->w }, .precision = s->precision,
                                         .device = device, .threads = threads, .weights = v->set, .seed = 1,
                                         .max_batch = BATCH, .until = *v->until ? v->until : NULL };
    return worker_load(w, &ask, &loaded, WORKER_LOAD_NS, err);
}

/* The input of the vectors, and two further images: a batch of equal ones could not show
 * that they change places. */
static enum status make_images(struct gate_image images[BATCH], const struct check *c, const struct vector *v,
                               struct err *err)
{
    const int shape[3] = { 3, v->h, v->w };
    float *values = malloc(3 * (size_t)v->h * (size_t)v->w * sizeof *values);
    if (!values)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for an image of %dx%d", v->h, v->w);
    image_conformance(values, 3, v->h, v->w);
    snprintf(images[0].path, sizeof images[0].path, "%s/input-%dx%d.npy", c->folder, v->h, v->w);
    enum status st = npy_write(images[0].path, shape, 3, values, err);
    free(values);
    for (uint32_t i = 1; i < BATCH && st == ST_OK; i++)
        st = gate_image_make(&images[i], c->folder, i, shape, err);
    return st;
}

static enum status ask_output(float **out, size_t *count, struct worker *w, const struct check *c,
                              const struct vector *v, const struct gate_image *images, int batch,
                              struct err *err)
{
    return gate_output_ask(out, count, w, c->folder, images, batch, v->out, WORKER_LOAD_NS, err);
}

/* Output of the reference engine in f32 for the vector's input; asked once. */
static enum status find_reference(const float **out, struct check *c, const struct vector *v,
                                  const struct gate_image *image, struct err *err)
{
    float **kept = &c->reference_output[v - vectors];
    const struct subject s = { .vector = v, .precision = "f32" };
    struct worker *w = NULL;
    struct worker_prepare_result prepared;
    size_t count;
    enum status st = ST_OK;
    if (!*kept) {
        fprintf(stderr, "check: reference output of %s, %dx%d\n", v->model, v->h, v->w);
        st = open_worker(&w, c, &c->reference, err);
        if (st == ST_OK)
            st = load(w, &s, NULL, 0, err);
        if (st == ST_OK)
            st = worker_prepare(w, 1, &prepared, WORKER_PREPARE_NS, err);
        if (st == ST_OK)
            st = ask_output(kept, &count, w, c, v, image, 1, err);
        worker_close(w);
    }
    *out = *kept;
    return st;
}

/* --- comparisons ---------------------------------------------------------------------------------------- */

static size_t values_of(const struct vector *v)
{
    return (size_t)v->out[0] * (size_t)v->out[1] * (size_t)v->out[2];
}

static enum status compare_f32(struct check *c, const struct subject *s, const float *values,
                               const float *reference, struct err *err)
{
    const struct vector_limit *limit = vector_limit_of(s->vector->model);
    const size_t count = values_of(s->vector);
    double most = 0, sum = 0;
    for (size_t i = 0; i < count; i++) {
        const double d = fabs((double)values[i] - (double)reference[i]);
        most = d <= most ? most : d; /* takes a NaN over, which then fails */
        sum += d * d;
    }
    enum status st = add_line(c, s, "reference max", isnan(sum) ? NAN : most, limit->max, "", err);
    if (st == ST_OK)
        st = add_line(c, s, "reference rms", sqrt(sum / (double)count), limit->rms, "", err);
    return st;
}

static enum status compare_reference(struct check *c, const struct subject *s, const float *values,
                                     const struct gate_image *image, struct err *err)
{
    const float *reference;
    struct gate_limits limits;
    if (strcmp(c->engine->name, c->reference.name) == 0 || !gate_limits_of(&limits, s->precision, true))
        return ST_OK;
    enum status st = find_reference(&reference, c, s->vector, image, err);
    if (st == ST_OK && strcmp(s->precision, "f32") == 0)
        st = compare_f32(c, s, values, reference, err);
    if (st != ST_OK)
        return st;
    const struct gate_difference d = gate_compare(values, reference, values_of(s->vector));
    st = add_line(c, s, "reference relL2", d.rel_l2, limits.rel_l2, "", err);
    if (st == ST_OK)
        st = add_line(c, s, "reference mask", d.mask, limits.mask, "", err);
    return st;
}

/* Number of values of a batch that are not, bit for bit, those of the single images: 0 is allowed. */
static enum status count_differences(double *out, struct worker *w, const struct check *c,
                                     const struct vector *v, const struct gate_image *images, struct err *err)
{
    struct worker_prepare_result prepared;
    float *together = NULL;
    size_t count = 0, differ = 0;
    enum status st = worker_prepare(w, BATCH, &prepared, WORKER_PREPARE_NS, err);
    if (st == ST_OK)
        st = ask_output(&together, &count, w, c, v, images, BATCH, err);
    for (size_t i = 0; i < BATCH && st == ST_OK; i++) {
        float *single = NULL;
        st = ask_output(&single, &count, w, c, v, &images[i], 1, err);
        for (size_t k = 0; k < count && st == ST_OK; k++)
            differ += memcmp(&single[k], &together[i * count + k], sizeof *single) != 0;
        free(single);
    }
    free(together);
    *out = (double)differ;
    return st;
}

/* --- one vector ----------------------------------------------------------------------------------------- */

/* Is this vector one for the precision? Reduced ones are judged by the logits of the damped set alone: on the
 * other set the networks are chaotic, and every correct evaluation fails. */
static bool is_for(const struct vector *v, const char *precision)
{
    return strcmp(precision, "f32") == 0 || (strcmp(v->set, "seeded") == 0 && !*v->until);
}

static enum status judge(struct check *c, const struct subject *s, struct worker *w, const float *values,
                         const struct gate_image *images, struct err *err)
{
    const struct vector *v = s->vector;
    const bool damped_logits = strcmp(v->set, "seeded") == 0 && !*v->until;
    enum status st = ST_OK;
    if (strcmp(s->precision, "f32") == 0)
        st = add_line(c, s, "vector", vector_deviation(v, values), vector_limit_of(v->model)->max, "", err);
    if (st == ST_OK && damped_logits)
        st = compare_reference(c, s, values, &images[0], err);
    if (st != ST_OK || !damped_logits || v->h == v->w)
        return st;
    double differ;
    st = count_differences(&differ, w, c, v, images, err);
    return st == ST_OK ? add_line(c, s, "batch 3 = 3 x 1", differ, 0, "", err) : st;
}

static bool ends_check(enum status st)
{
    return st == ST_ENVIRONMENT || st == ST_INTERRUPTED || st == ST_IO;
}

static enum status check_vector(struct check *c, const struct subject *s, struct err *err)
{
    const struct vector *v = s->vector;
    struct gate_image images[BATCH];
    struct worker *w = NULL;
    struct worker_prepare_result prepared;
    float *values = NULL;
    size_t count;
    fprintf(stderr, "check: %s %s %s, %s weights, %dx%d, %s\n", v->model, c->engine->name, s->precision,
            v->set, v->h, v->w, *v->until ? v->until : "logits");
    enum status st = make_images(images, c, v, err);
    if (st == ST_OK)
        st = open_worker(&w, c, c->engine, err);
    if (st == ST_OK)
        st = load(w, s, c->device, c->threads, err);
    if (st == ST_OK)
        st = worker_prepare(w, 1, &prepared, WORKER_PREPARE_NS, err);
    if (st == ST_OK)
        st = ask_output(&values, &count, w, c, v, images, 1, err);
    if (st == ST_OK)
        st = judge(c, s, w, values, images, err);
    free(values);
    worker_close(w);
    if (st == ST_OK || ends_check(st))
        return st;
    return add_line(c, s, status_kind(st), NAN, NAN, err ? err->text : "", err); /* an answer that cannot be had */
}

enum status check_model(struct check *c, const char *model, const char *precision, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < vector_count && st == ST_OK; i++) {
        const struct subject s = { .vector = &vectors[i], .precision = precision };
        if (strcmp(vectors[i].model, model) == 0 && is_for(&vectors[i], precision) &&
            !(c->logits && *vectors[i].until))
            st = check_vector(c, &s, err);
    }
    return st;
}
