#include "bench/verbs/verbs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/plan.h"
#include "bench/measure/worker.h"
#include "bench/output/table.h"
#include "kernels/base/json.h"
#include "kernels/base/len.h"

#define PROFILE_NS (2 * WORKER_S)    /* profiled iterations last about so long together, within these: */
enum { ITERATIONS_MIN = 3, ITERATIONS_MAX = 50 };

/* One step of the plan of an engine, in the order of execution. */
struct layer_line {
    int    step;
    char   name[WORKER_NAME_MAX], op[24], roof[12], implementation[64];
    double time_ms, share, gflop_per_s, gbyte_per_s, of_roof;
    uint64_t flops, bytes;
};
static const struct field layer_fields[] = {
#define AT(field) .offset = offsetof(struct layer_line, field)
    { .name = "step", .unit = "", AT(step), .type = FIELD_INT },
    { .name = "layer", .unit = "", AT(name), .type = FIELD_TEXT },
    { .name = "op", .unit = "", AT(op), .type = FIELD_TEXT },
    { .name = "time_ms", .heading = "time", .unit = "ms", AT(time_ms), .type = FIELD_REAL, .digits = 3 },
    { .name = "share_percent", .heading = "share", .unit = "%", AT(share), .type = FIELD_REAL, .digits = 1 },
    { .name = "gflop_per_s", .heading = "arithmetic", .unit = "GFLOP/s", AT(gflop_per_s), .type = FIELD_REAL, .digits = 1 },
    { .name = "gbyte_per_s", .heading = "traffic", .unit = "GB/s", AT(gbyte_per_s), .type = FIELD_REAL, .digits = 1 },
    { .name = "of_roof_percent", .heading = "of_roof", .unit = "%", AT(of_roof), .type = FIELD_REAL, .digits = 0 },
    { .name = "roof", .unit = "", AT(roof), .type = FIELD_TEXT },
    { .name = "flops", .unit = "", AT(flops), .type = FIELD_COUNT, .data_only = true },
    { .name = "bytes", .unit = "bytes", AT(bytes), .type = FIELD_COUNT, .data_only = true },
    { .name = "implementation", .unit = "", AT(implementation), .type = FIELD_TEXT },
#undef AT
};

struct summary {
    double layers_ms, iteration_ms;  /* iteration: unprofiled; NaN: not told */
    double convolutions_ms, convolution_gflop_per_s;
};

static bool is_convolution(const struct worker_layer *l)
{
    return strncmp(l->op, "conv", 4) == 0 || strncmp(l->op, "tconv", 5) == 0;
}

/* Least time that the machine's roofs allow, as a share of the time taken, and which of the two it is. */
static void stand_under_roofs(struct layer_line *line, const struct worker_layer *l,
                              const struct worker_profile_result *p)
{
    line->of_roof = NAN;
    if (!l->ns || p->roof_flops_per_s <= 0 || p->roof_bytes_per_s <= 0)
        return;
    const double arithmetic_ns = 1e9 * (double)l->flops / p->roof_flops_per_s;
    const double traffic_ns = 1e9 * (double)l->bytes / p->roof_bytes_per_s;
    if (arithmetic_ns <= 0 && traffic_ns <= 0)
        return;
    line->of_roof = 100 * fmax(arithmetic_ns, traffic_ns) / (double)l->ns;
    snprintf(line->roof, sizeof line->roof, "%s", arithmetic_ns > traffic_ns ? "arithmetic" : "memory");
}

static void fill_line(struct layer_line *line, int step, const struct worker_layer *l,
                      const struct worker_profile_result *p, double total_ns)
{
    *line = (struct layer_line){ .step = step, .flops = l->flops, .bytes = l->bytes, .time_ms = (double)l->ns / 1e6 };
    snprintf(line->name, sizeof line->name, "%s", l->name);
    snprintf(line->op, sizeof line->op, "%s", l->op);
    snprintf(line->implementation, sizeof line->implementation, "%s", l->implementation);
    line->share = total_ns > 0 ? 100 * (double)l->ns / total_ns : NAN;
    line->gflop_per_s = l->ns && l->flops ? (double)l->flops / (double)l->ns : NAN;
    line->gbyte_per_s = l->ns && l->bytes ? (double)l->bytes / (double)l->ns : NAN;
    stand_under_roofs(line, l, p);
}

static struct summary summarise(const struct worker_profile_result *p)
{
    struct summary s = { .iteration_ms = p->iteration_ns ? (double)p->iteration_ns / 1e6 : NAN };
    double convolution_flops = 0;
    for (size_t i = 0; i < p->count; i++) {
        const double ms = (double)p->layers[i].ns / 1e6;
        s.layers_ms += ms;
        if (!is_convolution(&p->layers[i]))
            continue;
        s.convolutions_ms += ms;
        convolution_flops += (double)p->layers[i].flops;
    }
    s.convolution_gflop_per_s = s.convolutions_ms > 0 ? convolution_flops / s.convolutions_ms / 1e6 : NAN;
    return s;
}

/* --- print ---------------------------------------------------------------------------------------------- */

static void print_roof(const char *name, double per_s, const char *unit)
{
    if (per_s > 0)
        printf("  %-22s %9.1f %s\n", name, per_s / 1e9, unit);
    else
        printf("  %-22s         - (the worker does not measure it)\n", name);
}

static void print_summary(const struct summary *s, const struct worker_profile_result *p)
{
    const double rest_ms = s->layers_ms - s->convolutions_ms;
    const double whole = s->layers_ms > 0 ? s->layers_ms : NAN;
    printf("\n  %-22s %9.3f ms, %.1f %% of the layers' time, %.1f GFLOP/s\n", "convolutions",
           s->convolutions_ms, 100 * s->convolutions_ms / whole, s->convolution_gflop_per_s);
    printf("  %-22s %9.3f ms, %.1f %%\n", "the rest", rest_ms, 100 * rest_ms / whole);
    printf("  %-22s %9.3f ms\n", "all layers", s->layers_ms);
    if (isnan(s->iteration_ms))
        printf("  %-22s         - (the worker does not say)\n", "unprofiled iteration");
    else
        printf("  %-22s %9.3f ms: the layers' sum is %+.1f %% of it away\n", "unprofiled iteration",
               s->iteration_ms, 100 * (s->layers_ms / s->iteration_ms - 1));
    print_roof("arithmetic roof", p->roof_flops_per_s, "GFLOP/s");
    print_roof("memory roof", p->roof_bytes_per_s, "GB/s");
    printf("  of_roof: least time that the roofs allow, in %% of the time taken; above 100 the tensors came from the caches\n\n");
}

static json_t *real_or_null(double x)
{
    return isfinite(x) ? json_real6(x) : json_null();
}

static json_t *summary_json(const struct plan_target *t, int batch, const struct summary *s,
                            const struct worker_profile_result *p, json_t *layers)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:[i,i,i], s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o*}", "model",
                     t->model.name, "engine", t->engine->name, "device", t->device, "precision", t->precision,
                     "threads", t->threads, "shape", t->shape[0], t->shape[1], t->shape[2], "batch", batch,
                     "iteration_ms", real_or_null(s->iteration_ms), "layers_ms", real_or_null(s->layers_ms),
                     "convolutions_ms", real_or_null(s->convolutions_ms), "convolution_gflop_per_s",
                     real_or_null(s->convolution_gflop_per_s), "roof_gflop_per_s",
                     p->roof_flops_per_s > 0 ? json_real6(p->roof_flops_per_s / 1e9) : json_null(), "roof_gbyte_per_s",
                     p->roof_bytes_per_s > 0 ? json_real6(p->roof_bytes_per_s / 1e9) : json_null(), "layers", layers);
}

/* json NULL: as text. */
static enum status report(json_t *json, const struct plan_target *t, int batch,
                          const struct worker_profile_result *p, struct err *err)
{
    const struct summary s = summarise(p);
    struct layer_line *lines = calloc(p->count ? p->count : 1, sizeof *lines);
    if (!lines)
        return err_set(err, ST_INTERNAL, "not enough memory to print %zu layers", p->count);
    for (size_t i = 0; i < p->count; i++)
        fill_line(&lines[i], (int)i + 1, &p->layers[i], p, s.layers_ms * 1e6);
    const struct table table = { .fields = layer_fields, .field_count = LEN(layer_fields), .rows = lines,
                                 .row_size = sizeof *lines, .row_count = p->count, .marked = -1,
                                 .colour = table_colour(stdout) };
    enum status st = ST_OK;
    if (json) {
        if (json_array_append_new(json, summary_json(t, batch, &s, p, table_json(&table))) != 0)
            st = err_set(err, ST_INTERNAL, "not enough memory to print the profile");
    } else {
        printf("%s  %d thread%s  %dx%dx%d  batch %d\n\n", t->name, t->threads, t->threads == 1 ? "" : "s",
               t->shape[0], t->shape[1], t->shape[2], batch);
        table_write_text(stdout, &table);
        print_summary(&s, p);
    }
    free(lines);
    return st;
}

/* --- measure -------------------------------------------------------------------------------------------- */

struct job {
    const struct invocation *inv;
    json_t *json;                    /* array, or NULL */
};

/* One size: prepared, run once to know how long it takes, profiled, released. */
static enum status profile_batch(struct worker *w, const struct plan_target *t, int batch,
                                 const struct job *job, struct err *err)
{
    struct worker_prepare_result prepared;
    struct worker_profile_result profile = { 0 };
    struct worker_run_result run = { 0 };
    enum status st = worker_prepare(w, batch, &prepared, WORKER_PREPARE_NS, err);
    if (st != ST_OK)
        return st;
    const struct worker_run_ask ask = { .batch = batch, .min_iterations = 1, .max_iterations = 1, .unmeasured = 1 };
    st = worker_run(w, &ask, &run, worker_run_deadline(2 * prepared.first_run_ns), err);
    if (st != ST_OK)
        return st;
    const uint64_t iteration_ns = run.iteration_ns[0] ? run.iteration_ns[0] : 1;
    worker_run_free(&run);
    uint64_t iterations = PROFILE_NS / iteration_ns;
    iterations = iterations < ITERATIONS_MIN   ? ITERATIONS_MIN
                 : iterations > ITERATIONS_MAX ? ITERATIONS_MAX
                                               : iterations;
    fprintf(stderr, "profile: %s, batch %d, %d iterations\n", t->name, batch, (int)iterations);
    /* profiled and unprofiled iterations; and the two roofs, which take some seconds the first time */
    st = worker_profile(w, batch, (int)iterations, &profile,
                        worker_run_deadline(4 * iterations * iteration_ns) + WORKER_LOAD_NS, err);
    if (st == ST_OK)
        st = report(job->json, t, batch, &profile, err);
    worker_profile_free(&profile);
    if (st == ST_OK)
        st = worker_release(w, batch, WORKER_SHORT_NS, err);
    return st;
}

static enum status check_ability(struct worker *w, const struct plan_target *t, struct err *err)
{
    struct worker_hello hello;
    enum status st = worker_hello(w, &hello, WORKER_HELLO_NS, err);
    if (st == ST_OK && !hello.can_profile)
        st = err_set(err, ST_UNSUPPORTED, "engine %s cannot profile: choose another with --engine",
                     t->engine->name);
    return st;
}

static enum status profile_target(const struct plan_target *t, const struct job *job, struct err *err)
{
    struct worker *w = NULL;
    struct worker_load_result loaded;
    const struct config *config = job->inv->config;
    const struct worker_start start = { .command = t->engine->command, .interrupt = job->inv->stop,
                                        .environment = (const char *const *)t->engine->environment };
    char cache_dir[4096];
    snprintf(cache_dir, sizeof cache_dir, "%.4000s/tuned", config->out);
    const struct worker_load_ask load = { .cache_dir = strncmp(t->device, "cpu:", 4) == 0 ? NULL : cache_dir,
                                          .model = t->model_file ? t->model_file : t->model.name,
                                          .shape = { t->shape[0], t->shape[1], t->shape[2] },
                                          .precision = t->precision, .device = t->device, .threads = t->threads,
                                          .weights = config->weights, .seed = 1 };
    enum status st = worker_open(&w, &start, err);
    if (st == ST_OK)
        st = check_ability(w, t, err);
    if (st == ST_OK)
        st = worker_load(w, &load, &loaded, WORKER_LOAD_NS, err);
    const size_t sizes = t->batches_auto ? 1 : t->point_count;
    for (size_t i = 0; i < sizes && st == ST_OK; i++)
        st = profile_batch(w, t, t->batches_auto ? 1 : t->points[i].batch, job, err);
    worker_close(w);
    return st;
}

static enum status print_json(const json_t *json, struct err *err)
{
    char *text = json_write_text(json, JSON_INDENTED);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the profile");
    fputs(text, stdout);
    free(text);
    return ST_OK;
}

enum status verb_profile(const struct invocation *inv, struct err *err)
{
    struct plan plan;
    struct job job = { .inv = inv };
    enum status st = plan_make(&plan, inv->config, NULL, err);
    if (st != ST_OK)
        return st;
    if (inv->config->json && !(job.json = json_array()))
        st = err_set(err, ST_INTERNAL, "not enough memory to print the profile");
    for (size_t i = 0; i < plan.target_count && st == ST_OK; i++)
        st = profile_target(&plan.targets[i], &job, err);
    if (st == ST_OK && job.json)
        st = print_json(job.json, err);
    json_decref(job.json);
    plan_free(&plan);
    return st;
}
