#include "bench/measure/history.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/block_rule.h"
#include "bench/measure/open_loop_record.h"
#include "bench/telemetry/telemetry.h"

/* Room for one more item of `size` bytes; *items may move. */
static enum status grow(void **items, size_t count, size_t *room, size_t size, struct err *err)
{
    if (count < *room)
        return ST_OK;
    size_t wanted = *room ? 2 * *room : 64;
    void *moved = realloc(*items, wanted * size);
    if (!moved)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the history of a target (%zu entries)",
                       wanted);
    *items = moved;
    *room = wanted;
    return ST_OK;
}

enum status history_add_block(struct history *h, const struct block_fact *fact, struct err *err)
{
    void *items = h->blocks;
    enum status st = grow(&items, h->count, &h->room, sizeof *fact, err);
    h->blocks = items;
    if (st == ST_OK)
        h->blocks[h->count++] = *fact;
    else
        free(fact->iteration_ns);
    return st;
}

uint64_t *history_copy_times(const uint64_t *iteration_ns, size_t n)
{
    uint64_t *copy = malloc((n ? n : 1) * sizeof *copy);
    if (copy && n)
        memcpy(copy, iteration_ns, n * sizeof *copy);
    return copy;
}

enum status history_add_prepared(struct history *h, const struct prepared_row *row, struct err *err)
{
    void *items = h->prepared;
    enum status st = grow(&items, h->prepared_count, &h->prepared_room, sizeof *row, err);
    h->prepared = items;
    if (st == ST_OK)
        h->prepared[h->prepared_count++] = *row;
    return st;
}

enum status history_add_trial(struct history *h, const char *label, const struct prepared_row *row,
                              struct err *err)
{
    void *items = h->trials;
    enum status st = grow(&items, h->trial_count, &h->trial_room, sizeof *h->trials, err);
    h->trials = items;
    if (st != ST_OK)
        return st;
    struct trial *trial = &h->trials[h->trial_count++];
    trial->row = *row;
    snprintf(trial->label, sizeof trial->label, "%s", label);
    return ST_OK;
}

static struct loss *find_loss(const struct history *h, int batch)
{
    for (size_t i = 0; i < h->loss_count; i++)
        if (h->losses[i].batch == batch)
            return &h->losses[i];
    return NULL;
}

enum status history_add_loss(struct history *h, int batch, enum why why, int round, const char *detail,
                             struct err *err)
{
    struct loss *loss = find_loss(h, batch);
    if (!loss) {
        void *items = h->losses;
        enum status st = grow(&items, h->loss_count, &h->loss_room, sizeof *loss, err);
        h->losses = items;
        if (st != ST_OK)
            return st;
        loss = &h->losses[h->loss_count++];
        *loss = (struct loss){ .batch = batch };
    }
    if (why == WHY_NONE)
        loss->deaths++;
    else
        loss->why = why;
    loss->round = round;
    snprintf(loss->detail, sizeof loss->detail, "%s", detail);
    return ST_OK;
}

const struct loss *history_loss(const struct history *h, int batch)
{
    return find_loss(h, batch);
}

bool history_is_lost(const struct history *h, int batch)
{
    const struct loss *loss = find_loss(h, batch);
    return loss && loss->why != WHY_NONE;
}

const struct prepared_row *history_prepared(const struct history *h, int batch)
{
    for (size_t i = h->prepared_count; i-- > 0;)
        if (h->prepared[i].batch == batch)
            return &h->prepared[i];
    return NULL;
}

int history_count_results(const struct history *h, int batch, const char *result)
{
    int n = 0;
    for (size_t i = 0; i < h->prepared_count; i++)
        n += h->prepared[i].batch == batch && strcmp(h->prepared[i].result, result) == 0;
    return n;
}

uint64_t history_t_iter(const struct history *h, int batch)
{
    for (size_t i = h->count; i-- > 0;)
        if (h->blocks[i].batch == batch)
            return (uint64_t)h->blocks[i].t_iter_ns;
    return 0;
}

int history_last_round(const struct history *h)
{
    int last = 0;
    for (size_t i = 0; i < h->count; i++)
        last = h->blocks[i].round > last ? h->blocks[i].round : last;
    return last;
}

void history_free(struct history *h)
{
    for (size_t i = 0; i < h->count; i++)
        free(h->blocks[i].iteration_ns);
    free(h->blocks);
    free(h->prepared);
    free(h->trials);
    free(h->losses);
    open_loops_free(&h->open_loops);
    *h = (struct history){ 0 };
}

/* --- from the store ------------------------------------------------------------------------------------- */

struct loading {
    struct history *history;
    struct store *store;
    const char *mode;
    const struct mark_row *marks;
    size_t mark_count;
};

static bool block_is_throttled(const struct loading *l, int64_t block)
{
    for (size_t i = 0; i < l->mark_count; i++)
        if (l->marks[i].subject_id == block && strcmp(l->marks[i].subject, "block") == 0 &&
            (strcmp(l->marks[i].reason, "thermal") == 0 || strcmp(l->marks[i].reason, "clock") == 0))
            return true;
    return false;
}

/* From the block's telemetry, as it was when the block was measured. */
static enum status load_energy(double *energy_j, struct store *store, const struct block_row *row,
                               struct err *err)
{
    struct field_row *fields;
    size_t count;
    enum status st = store_load_fields(&fields, &count, store, STORE_FIELDS_BLOCK, row->id, err);
    const char *name = telemetry_name(TELEMETRY_ENERGY_UJ);
    *energy_j = NAN;
    for (size_t i = 0; i < count && st == ST_OK; i++)
        if (fields[i].is_number && strcmp(fields[i].name, name) == 0)
            *energy_j = block_energy_j(fields[i].number, row->end_ns - row->start_ns, row->images,
                                       row->wall_images_per_s);
    if (st == ST_OK)
        free(fields);
    return st;
}

static enum status load_block(void *context, const struct store_block *block, struct err *err)
{
    const struct loading *l = context;
    const struct block_row *row = &block->row;
    if (row->kind == BLOCK_OPEN_LOOP)
        return ST_OK;
    struct block_values v = block_evaluate(l->mode, row->batch, block->samples.iteration_ns,
                                           block->samples.compute_ns, (size_t)row->iterations,
                                           row->worker_end_ns - row->worker_start_ns);
    struct block_fact fact = {
        .id = row->id,
        .execution = row->execution,
        .round = row->round,
        .place = row->place,
        .batch = row->batch,
        .retry = row->retry,
        .iterations = row->iterations,
        .kind = row->kind,
        .valid = row->valid,
        .throttled = !row->valid && block_is_throttled(l, row->id),
        .y = row->y,
        .wall_images_per_s = row->wall_images_per_s,
        .t_iter_ns = v.median_ns,
        .measured_ns = row->worker_end_ns - row->worker_start_ns,
        .spent_ns = row->end_ns - row->start_ns,
    };
    enum status st = load_energy(&fact.energy_j, l->store, row, err);
    if (st != ST_OK)
        return st;
    if (row->kind != BLOCK_WARMUP)
        fact.iteration_ns = history_copy_times(block->samples.iteration_ns, (size_t)row->iterations);
    if (row->kind != BLOCK_WARMUP && !fact.iteration_ns)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %d iteration times", row->iterations);
    return history_add_block(l->history, &fact, err);
}

static enum status load_losses(struct history *h, const struct mark_row *marks, size_t count, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        enum why why = why_of_name(marks[i].reason);
        if (strcmp(marks[i].subject, "point") == 0 &&
            (why != WHY_NONE || strcmp(marks[i].reason, HISTORY_DIED) == 0))
            st = history_add_loss(h, marks[i].batch, why, (int)marks[i].value, marks[i].detail, err);
    }
    return st;
}

static const char *label_of(const struct execution_row *executions, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (executions[i].id == id)
            return executions[i].label;
    return "";
}

/* Probes are what the search knows; what other kinds of execution prepared by itself are trials. */
static enum status load_prepared(struct history *h, struct store *store, int64_t target, struct err *err)
{
    struct prepared_row *prepared = NULL;
    struct execution_row *executions = NULL;
    size_t prepared_count = 0, count = 0;
    enum status st = store_load_prepared(&prepared, &prepared_count, store, target, err);
    if (st == ST_OK)
        st = store_load_executions(&executions, &count, store, target, err);
    for (size_t i = 0; i < prepared_count && st == ST_OK; i++) {
        const char *label = label_of(executions, count, prepared[i].execution);
        st = strcmp(label, "probe") == 0 ? history_add_prepared(h, &prepared[i], err)
                                         : history_add_trial(h, label, &prepared[i], err);
    }
    store_free_executions(executions, count);
    free(prepared);
    return st;
}

enum status history_load(struct history *out, struct store *store, int64_t target, const char *mode,
                         struct err *err)
{
    struct mark_row *marks = NULL;
    size_t mark_count = 0;
    *out = (struct history){ 0 };
    enum status st = store_load_marks(&marks, &mark_count, store, target, err);
    if (st == ST_OK)
        st = load_prepared(out, store, target, err);
    struct loading l = { out, store, mode, marks, mark_count };
    if (st == ST_OK)
        st = store_visit_blocks(store, target, true, load_block, &l, err);
    if (st == ST_OK)
        st = load_losses(out, marks, mark_count, err);
    if (st == ST_OK)
        st = open_loops_load(&out->open_loops, store, target, err);
    free(marks);
    if (st != ST_OK)
        history_free(out);
    return st;
}
