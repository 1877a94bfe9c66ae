#include "bench/measure/gate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/execution.h"
#include "bench/measure/gate_compare.h"
#include "bench/measure/gate_images.h"
#include "bench/measure/gate_reference.h"
#include "bench/measure/lose.h"

enum { IMAGES = 2, CYCLE = 16, SMALL_SIDE = 128, TRIES = 2 };
static const double batch_check_part = 0.5; /* of the target's share of the time */

/* What one look at a target has gathered: outputs of the images at one shape. */
struct look {
    struct campaign_state *c;
    struct target_state *t;
    int    shape[3], output_shape[3];
    struct gate_image images[IMAGES];
    float *outputs[IMAGES];
    size_t count;                    /* values of one output */
    char   model_sha256[RECORD_HASH];
    bool   can_output;
};

static void look_free(struct look *l)
{
    for (int i = 0; i < IMAGES; i++) {
        free(l->outputs[i]);
        l->outputs[i] = NULL;
    }
}

static bool weights_are_seeded(const struct config *config)
{
    return !config->weights || strcmp(config->weights, "seeded") == 0;
}

/* --- rows ----------------------------------------------------------------------------------------------- */

static struct accuracy_row row_of(const struct target_state *t, const char *check, int batch,
                                  const char *outcome, const char *detail)
{
    struct accuracy_row row = { .target = t->row.id,
                                .batch = batch,
                                .rel_l2 = NAN,
                                .mask = NAN,
                                .rel_l2_limit = NAN,
                                .mask_limit = NAN };
    snprintf(row.check, sizeof row.check, "%s", check);
    snprintf(row.outcome, sizeof row.outcome, "%s", outcome);
    snprintf(row.detail, sizeof row.detail, "%.*s", (int)sizeof row.detail - 1, detail);
    return row;
}

static enum status store_note(struct campaign_state *c, const struct target_state *t, const char *check,
                              int batch, const char *detail, struct err *err)
{
    struct accuracy_row row = row_of(t, check, batch, "not_checked", detail);
    return store_append_accuracy(c->store, &row, err);
}

/* A difference with its limits; *passed tells the outcome. */
static enum status store_difference(bool *passed, struct campaign_state *c, const struct target_state *t,
                                    const char *check, int batch, const char *image_sha256,
                                    const struct gate_difference *d, struct err *err)
{
    struct gate_limits limits = { 0 };
    bool mask = t->plan->model.mask;
    *passed = gate_limits_of(&limits, t->plan->precision, weights_are_seeded(c->config)) &&
              gate_within(d, &limits, mask);
    struct accuracy_row row = row_of(t, check, batch, *passed ? "passed" : "failed", "");
    snprintf(row.image_sha256, sizeof row.image_sha256, "%s", image_sha256);
    row.rel_l2 = d->rel_l2;
    row.rel_l2_limit = limits.rel_l2;
    row.mask = mask ? d->mask : NAN;
    row.mask_limit = mask ? limits.mask : NAN;
    return store_append_accuracy(c->store, &row, err);
}

static enum status fail_target(struct campaign_state *c, struct target_state *t, enum why why,
                               const char *detail, struct err *err)
{
    return target_end(c, t, ST_WRONG_OUTPUT, why, detail, err);
}

/* --- outputs of the target's engine --------------------------------------------------------------------- */

static enum status make_images(struct gate_image *images, int count, const struct campaign_state *c,
                               const int shape[3], struct err *err)
{
    enum status st = ST_OK;
    for (int i = 0; i < count && st == ST_OK; i++)
        st = gate_image_make(&images[i], c->folder, (uint32_t)i + 1, shape, err);
    return st;
}

static enum status prepare_for_output(const struct execution *x, int batch, struct err *err)
{
    struct worker_prepare_result prepared;
    return worker_prepare(x->worker, batch, &prepared, WORKER_PREPARE_NS, err);
}

static enum status ask_outputs(struct look *l, struct execution *x, struct err *err)
{
    l->can_output = x->hello.can_output;
    snprintf(l->model_sha256, sizeof l->model_sha256, "%s", x->loaded.model_sha256);
    memcpy(l->output_shape, x->loaded.output_shape, sizeof l->output_shape);
    if (!l->can_output)
        return ST_OK;
    enum status st = make_images(l->images, IMAGES, l->c, l->shape, err);
    if (st == ST_OK)
        st = prepare_for_output(x, 1, err);
    for (int i = 0; i < IMAGES && st == ST_OK; i++)
        st = gate_output_ask(&l->outputs[i], &l->count, x->worker, l->c->folder, &l->images[i], 1,
                             l->output_shape, WORKER_PREPARE_NS, err);
    return st;
}

/* An execution at the look's shape; a crash or a hang is tried once more. A failure that is final ends the
 * target. */
static enum status take_look(struct look *l, struct err *err)
{
    bool small = memcmp(l->shape, l->t->plan->shape, sizeof l->shape) != 0;
    struct execution_ask ask = {
        .label = "gate", .progress = "gate", .shape = small ? l->shape : NULL, .max_batch = 1, .alone = true
    };
    enum status st = ST_CRASHED;
    for (int i = 0; i < TRIES && (st == ST_CRASHED || st == ST_HUNG); i++) {
        struct execution x;
        look_free(l);
        st = execution_open(&x, l->c, l->t, &ask, err);
        if (st == ST_OK)
            st = ask_outputs(l, &x, err);
        enum status closed = execution_close(&x, st == ST_OK ? err : NULL);
        st = st == ST_OK ? closed : st;
    }
    if (st == ST_OK || !status_is_of_worker(st, err))
        return st;
    char text[ERR_TEXT_MAX];
    snprintf(text, sizeof text, "%s", err->text);
    enum why why = st == ST_WRONG_OUTPUT ? WHY_WRONG_OUTPUT : st == ST_HUNG ? WHY_HUNG
                   : st == ST_OUT_OF_MEMORY ? WHY_OUT_OF_MEMORY : WHY_CRASHED;
    return target_end(l->c, l->t, st, status_ends_target(st) ? WHY_NONE : why, text, err);
}

/* NaN or infinity anywhere: nothing else is computed. */
static enum status check_finite(struct look *l, struct err *err)
{
    for (int i = 0; i < IMAGES && l->can_output; i++)
        if (!gate_is_finite(l->outputs[i], l->count)) {
            struct accuracy_row row = row_of(l->t, "non_finite", 1, "failed",
                                             "the output has NaN or infinity");
            snprintf(row.image_sha256, sizeof row.image_sha256, "%s", l->images[i].sha256);
            enum status st = store_append_accuracy(l->c->store, &row, err);
            return st != ST_OK ? st : fail_target(l->c, l->t, WHY_WRONG_OUTPUT, "non_finite", err);
        }
    return ST_OK;
}

/* --- comparisons ---------------------------------------------------------------------------------------- */

/* Worst of the images against what the store keeps of `origin`. */
static enum status compare_with_kept(struct look *l, const char *check, const char *origin, struct err *err)
{
    struct gate_difference worst = { 0 };
    int worst_image = 0;
    for (int i = 0; i < IMAGES; i++) {
        float *kept;
        int shape[3];
        struct store_output_key key = { origin, l->model_sha256, l->images[i].sha256,
                                        { l->shape[0], l->shape[1], l->shape[2] } };
        enum status st = store_find_output(&kept, shape, l->c->store, &key, err);
        if (st != ST_OK)
            return st;
        if (!kept || memcmp(shape, l->output_shape, sizeof shape) != 0) {
            free(kept);
            return store_note(l->c, l->t, check, 1, "the reference has no output of this shape", err);
        }
        struct gate_difference d = gate_compare(l->outputs[i], kept, l->count);
        free(kept);
        worst_image = gate_worsen(&worst, &d) ? i : worst_image;
    }
    bool passed;
    char detail[160];
    enum status st = store_difference(&passed, l->c, l->t, check, 1, l->images[worst_image].sha256, &worst,
                                      err);
    if (st != ST_OK || passed)
        return st;
    snprintf(detail, sizeof detail, "%s: relative L2 %.3g, mask disagreement %.3g %% against f32", check,
             worst.rel_l2, 100 * worst.mask);
    return fail_target(l->c, l->t, WHY_INACCURATE, detail, err);
}

static enum status check_reference(struct look *l, struct err *err)
{
    bool available;
    char why_not[RECORD_TEXT];
    if (!l->can_output)
        return store_note(l->c, l->t, "reference", 1, "the worker cannot give outputs", err);
    if (l->t->row.scripted || !*l->model_sha256)
        return store_note(l->c, l->t, "reference", 1, "there is no reference for this engine's model", err);
    struct gate_reference_ask ask = { .campaign = l->c,
                                      .target = l->t,
                                      .shape = l->shape,
                                      .images = l->images,
                                      .image_count = IMAGES,
                                      .model_sha256 = l->model_sha256 };
    enum status st = gate_reference_keep(&available, why_not, &ask, err);
    if (st != ST_OK)
        return st;
    return available ? compare_with_kept(l, "reference", GATE_REFERENCE_ORIGIN, err)
                     : store_note(l->c, l->t, "reference", 1, why_not, err);
}

/* The first gated strict f32 target of the same model and shape; NULL: none. */
static const struct target_state *f32_target(const struct campaign_state *c, const struct target_state *t)
{
    for (size_t i = 0; i < c->target_count && &c->targets[i] != t; i++) {
        const struct target_state *o = &c->targets[i];
        if (o->gated && strcmp(o->plan->precision, "f32") == 0 &&
            strcmp(o->row.model_sha256, t->row.model_sha256) == 0 &&
            memcmp(o->plan->shape, t->plan->shape, sizeof o->plan->shape) == 0)
            return o;
    }
    return NULL;
}

/* Keeps the outputs of the first f32 target for those that follow. */
static enum status keep_outputs(struct look *l, struct err *err)
{
    enum status st = ST_OK;
    for (int i = 0; i < IMAGES && st == ST_OK; i++) {
        struct store_output_key key = { l->t->plan->key, l->model_sha256, l->images[i].sha256,
                                        { l->shape[0], l->shape[1], l->shape[2] } };
        st = store_append_output(l->c->store, &key, l->output_shape, l->outputs[i], err);
    }
    return st;
}

static enum status check_full_shape(struct look *l, struct err *err)
{
    const struct target_state *f32 = f32_target(l->c, l->t);
    if (!l->can_output || !*l->model_sha256)
        return store_note(l->c, l->t, "full_shape", 1, "there is nothing to compare with", err);
    if (f32)
        return compare_with_kept(l, "full_shape", f32->plan->key, err);
    enum status st = strcmp(l->t->plan->precision, "f32") == 0 ? keep_outputs(l, err) : ST_OK;
    return st != ST_OK
               ? st
               : store_note(l->c, l->t, "full_shape", 1, "no f32 target of this model came before", err);
}

/* --- the gate ------------------------------------------------------------------------------------------- */

/* A stored outcome: "passed", "failed", "not_checked"; "" if there is none. */
static enum status find_outcome(char *outcome, size_t size, struct campaign_state *c,
                                const struct target_state *t, const char *check, int batch, struct err *err)
{
    struct accuracy_row *rows;
    size_t count;
    enum status st = store_load_accuracy(&rows, &count, c->store, t->row.id, err);
    *outcome = 0;
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].check, check) == 0 && rows[i].batch == batch)
            snprintf(outcome, size, "%s", rows[i].outcome);
    free(rows);
    return ST_OK;
}

static int at_most(int side, int most)
{
    return side < most ? side : most;
}

static enum status run_gate(struct campaign_state *c, struct target_state *t, struct err *err)
{
    const int *full = t->plan->shape;
    struct look l = { .c = c,
                      .t = t,
                      .shape = { full[0], at_most(full[1], SMALL_SIDE), at_most(full[2], SMALL_SIDE) } };
    enum status st = take_look(&l, err);
    if (st == ST_OK && !t->ended)
        st = check_finite(&l, err);
    if (st == ST_OK && !t->ended)
        st = check_reference(&l, err);
    if (st == ST_OK && !t->ended && memcmp(l.shape, full, sizeof l.shape) != 0) {
        memcpy(l.shape, full, sizeof l.shape);
        st = take_look(&l, err);
        if (st == ST_OK && !t->ended)
            st = check_finite(&l, err);
    }
    if (st == ST_OK && !t->ended)
        st = check_full_shape(&l, err); /* the last row: it says that the gate is over */
    look_free(&l);
    return st;
}

enum status gate_target(struct campaign_state *c, struct target_state *t, struct err *err)
{
    char outcome[16];
    if (!c->config->gate) {
        t->gated = true;
        return ST_OK;
    }
    enum status st = find_outcome(outcome, sizeof outcome, c, t, "full_shape", 1, err);
    if (st == ST_OK && !*outcome)
        st = run_gate(c, t, err);
    t->gated = st == ST_OK && !t->ended;
    return st;
}

/* --- batch equals single -------------------------------------------------------------------------------- */

struct batch_check {
    struct campaign_state *c;
    struct target_state *t;
    struct execution x;
    struct gate_image images[CYCLE];
    float *singles[CYCLE];
    size_t count;
    int    single_count;
    uint64_t start_ns, share_ns;
};

/* The outputs to compare with; a worker that follows a dead one needs them no second time. */
static enum status ask_singles(struct batch_check *b, struct err *err)
{
    if (b->singles[b->single_count - 1])
        return ST_OK;
    enum status st = make_images(b->images, b->single_count, b->c, b->t->plan->shape, err);
    if (st == ST_OK)
        st = prepare_for_output(&b->x, 1, err);
    for (int i = 0; i < b->single_count && st == ST_OK; i++)
        st = gate_output_ask(&b->singles[i], &b->count, b->x.worker, b->c->folder, &b->images[i], 1,
                             b->x.loaded.output_shape, WORKER_PREPARE_NS, err);
    return st == ST_OK ? worker_release(b->x.worker, 1, WORKER_SHORT_NS, err) : st;
}

/* Output of one batch, worst image against its single. */
static enum status compare_batch(struct gate_difference *worst, struct batch_check *b, int batch,
                                 struct err *err)
{
    float *outputs = NULL;
    size_t count = 0;
    struct gate_image *images = calloc((size_t)batch, sizeof *images);
    *worst = (struct gate_difference){ 0 };
    if (!images)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the paths of %d images", batch);
    for (int i = 0; i < batch; i++)
        images[i] = b->images[i % b->single_count];
    enum status st = prepare_for_output(&b->x, batch, err);
    if (st == ST_OK)
        st = gate_output_ask(&outputs, &count, b->x.worker, b->c->folder, images, batch,
                             b->x.loaded.output_shape, WORKER_PREPARE_NS, err);
    for (int i = 0; i < batch && st == ST_OK; i++) {
        struct gate_difference d = gate_compare(outputs + (size_t)i * count, b->singles[i % b->single_count],
                                                count);
        gate_worsen(worst, &d);
    }
    free(outputs);
    free(images);
    return st == ST_OK ? worker_release(b->x.worker, batch, WORKER_SHORT_NS, err) : st;
}

static enum status check_batch(struct batch_check *b, int batch, struct err *err)
{
    struct gate_difference worst;
    bool passed;
    enum status st = compare_batch(&worst, b, batch, err);
    if (st == ST_OUT_OF_MEMORY || st == ST_WRONG_OUTPUT || st == ST_UNSUPPORTED || st == ST_CRASHED ||
        st == ST_HUNG)
        return lose_point(b->c, b->t, batch, why_of_name(status_kind(st)), 0, err->text, err);
    if (st != ST_OK)
        return st;
    st = store_difference(&passed, b->c, b->t, "batch_equals_single", batch, "", &worst, err);
    if (st != ST_OK || passed)
        return st;
    char detail[160];
    snprintf(detail, sizeof detail, "an image of the batch differs from itself alone: relative L2 %.3g",
             worst.rel_l2);
    return lose_point(b->c, b->t, batch, WHY_WRONG_OUTPUT, 0, detail, err);
}

/* About how long the images of a batch take; copying and files are not in it. */
static uint64_t expected_ns(const struct batch_check *b, int images)
{
    const struct target_state *t = b->t;
    for (size_t i = 0; i < t->search.count; i++)
        if (t->search.sizes[i].has_y)
            return (uint64_t)(1e9 * images / exp(t->search.sizes[i].y));
    return 0;
}

static enum status open_batch_check(struct batch_check *b, int largest, struct err *err)
{
    struct execution_ask ask = { .label = "gate", .progress = "gate", .max_batch = largest, .alone = true };
    b->single_count = at_most(largest, CYCLE);
    enum status st = execution_open(&b->x, b->c, b->t, &ask, err);
    return st == ST_OK && b->x.hello.can_output ? ask_singles(b, err) : st;
}

/* One candidate that has no stored outcome yet. The worker is started with the first, and afresh after a
 * death. */
static enum status check_candidate(struct batch_check *b, int batch, int largest, struct err *err)
{
    uint64_t spent_ns = campaign_elapsed_ns(b->c) - b->start_ns;
    if (spent_ns + expected_ns(b, batch + (execution_is_open(&b->x) ? 0 : at_most(largest, CYCLE))) >
        b->share_ns)
        return store_note(b->c, b->t, "batch_equals_single", batch, "there was no time for it", err);
    campaign_tell(b->c, b->t, "gate", NULL, batch, 0);
    enum status st = ST_OK;
    if (!execution_is_open(&b->x) || !worker_alive(b->x.worker)) {
        st = execution_close(&b->x, err);
        if (st == ST_OK)
            st = open_batch_check(b, largest, err);
    }
    if (st == ST_OK && !b->x.hello.can_output)
        return store_note(b->c, b->t, "batch_equals_single", batch, "the worker cannot give outputs", err);
    return st == ST_OK ? check_batch(b, batch, err) : st;
}

static enum status check_candidates(struct batch_check *b, struct err *err)
{
    const struct search_answer *s = &b->t->search;
    int largest = 0;
    enum status st = ST_OK;
    for (size_t i = 0; i < s->count; i++)
        largest = s->sizes[i].why == WHY_NONE ? s->sizes[i].batch : largest;
    for (size_t i = 0; i < s->count && st == ST_OK; i++) {
        char outcome[16];
        int batch = s->sizes[i].batch;
        if (s->sizes[i].why != WHY_NONE || batch == 1 || history_is_lost(&b->t->history, batch))
            continue;
        st = find_outcome(outcome, sizeof outcome, b->c, b->t, "batch_equals_single", batch, err);
        if (st == ST_OK && !*outcome)
            st = check_candidate(b, batch, largest, err);
    }
    return st;
}

enum status gate_candidates(struct campaign_state *c, struct target_state *t, struct err *err)
{
    if (!c->config->gate)
        return ST_OK;
    struct batch_check *b = calloc(1, sizeof *b);
    if (!b)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the gate");
    *b = (struct batch_check){ .c = c, .t = t, .start_ns = campaign_elapsed_ns(c),
                               .share_ns = campaign_share_ns(c, t, batch_check_part) };
    enum status st = check_candidates(b, err);
    enum status closed = execution_close(&b->x, st == ST_OK ? err : NULL);
    for (int i = 0; i < CYCLE; i++)
        free(b->singles[i]);
    free(b);
    if (st != ST_OK && status_is_of_worker(st, err)) { /* even batch 1 does not come out any more */
        char text[ERR_TEXT_MAX];
        snprintf(text, sizeof text, "%s", err->text);
        return target_end(c, t, st,
                          st == ST_WRONG_OUTPUT ? WHY_WRONG_OUTPUT : st == ST_ENVIRONMENT ? WHY_NONE : WHY_CRASHED,
                          text, err);
    }
    return st != ST_OK ? st : closed;
}
