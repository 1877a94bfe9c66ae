#include "bench/doctor/repetitions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/table.h"
#include "kernels/base/json.h"
#include "kernels/base/len.h"
#include "tuner/split.h"

#define NS 1e-9

/* --- what is printed --------------------------------------------------------------------------------------- */

struct line {
    char   model[RECORD_NAME], engine[RECORD_NAME], device[RECORD_NAME], precision[16];
    int    batch, executions;
    double blocks, iterations;
    double iteration_sd, block_sd, execution_sd; /* what the level adds of its own, % */
    double iteration_s, block_s, execution_s;
    char   best_iterations[16], best_blocks[16];
};
static const struct field fields[] = {
#define AT(field) .offset = offsetof(struct line, field)
    { .name = "model", .unit = "", AT(model), .type = FIELD_TEXT },
    { .name = "engine", .unit = "", AT(engine), .type = FIELD_TEXT },
    { .name = "device", .unit = "", AT(device), .type = FIELD_TEXT },
    { .name = "precision", .unit = "", AT(precision), .type = FIELD_TEXT },
    { .name = "batch", .unit = "images", AT(batch), .type = FIELD_INT },
    { .name = "executions", .unit = "", AT(executions), .type = FIELD_INT },
    { .name = "blocks", .unit = "each", AT(blocks), .type = FIELD_REAL, .digits = 1 },
    { .name = "iterations", .unit = "each", AT(iterations), .type = FIELD_REAL, .digits = 1 },
    { .name = "iteration_sd", .unit = "%", AT(iteration_sd), .type = FIELD_REAL, .digits = 2 },
    { .name = "block_sd", .unit = "%", AT(block_sd), .type = FIELD_REAL, .digits = 2 },
    { .name = "execution_sd", .unit = "%", AT(execution_sd), .type = FIELD_REAL, .digits = 2 },
    { .name = "iteration_s", .unit = "s", AT(iteration_s), .type = FIELD_REAL, .digits = 3 },
    { .name = "block_s", .unit = "s", AT(block_s), .type = FIELD_REAL, .digits = 3 },
    { .name = "execution_s", .unit = "s", AT(execution_s), .type = FIELD_REAL, .digits = 1 },
    { .name = "best_iterations", .unit = "a block", AT(best_iterations), .type = FIELD_TEXT },
    { .name = "best_blocks", .unit = "an execution", AT(best_blocks), .type = FIELD_TEXT },
#undef AT
};

struct lines {
    struct line *list;
    size_t count;
};

static double percent(double t2)
{
    return t2 > 0 ? 100 * sqrt(t2) : 0;
}

static void best_text(char out[16], int best)
{
    if (best == SPLIT_ANY)
        strcpy(out, "any");
    else
        snprintf(out, 16, "%d", best);
}

static enum status add_line(struct lines *lines, const struct target_row *t, int batch,
                            const struct split_level l[SPLIT_LEVELS], struct err *err)
{
    struct line *list = realloc(lines->list, (lines->count + 1) * sizeof *list);
    if (!list)
        return err_set(err, ST_INTERNAL, "not enough memory for the points of a campaign");
    lines->list = list;
    struct line *line = &list[lines->count++];
    *line = (struct line){
        .batch = batch, .executions = (int)l[SPLIT_EXECUTION].count,
        .blocks = l[SPLIT_BLOCK].count, .iterations = l[SPLIT_ITERATION].count,
        .iteration_sd = percent(l[SPLIT_ITERATION].t2), .block_sd = percent(l[SPLIT_BLOCK].t2),
        .execution_sd = percent(l[SPLIT_EXECUTION].t2), .iteration_s = l[SPLIT_ITERATION].cost_s,
        .block_s = l[SPLIT_BLOCK].cost_s, .execution_s = l[SPLIT_EXECUTION].cost_s,
    };
    snprintf(line->model, sizeof line->model, "%s", t->model);
    snprintf(line->engine, sizeof line->engine, "%s", t->engine);
    snprintf(line->device, sizeof line->device, "%s", t->device);
    snprintf(line->precision, sizeof line->precision, "%s", t->precision);
    best_text(line->best_iterations, l[SPLIT_ITERATION].best);
    best_text(line->best_blocks, l[SPLIT_BLOCK].best);
    return ST_OK;
}

/* --- what was measured ------------------------------------------------------------------------------------- */

/* The blocks of one target that several executions repeat: those of the verification and of nights. */
struct measured {
    struct one { int batch; struct split_block block; double iteration_s, block_s; } *list;
    size_t count;
};

static enum status take_block(void *context, const struct store_block *stored, struct err *err)
{
    struct measured *m = context;
    const struct block_row *row = &stored->row;
    if (!row->valid || (row->kind != BLOCK_VERIFY && row->kind != BLOCK_NIGHT) || row->iterations < 1)
        return ST_OK;
    struct one *list = realloc(m->list, (m->count + 1) * sizeof *list);
    if (!list)
        return err_set(err, ST_INTERNAL, "not enough memory for the blocks of a campaign");
    m->list = list;
    double sum = 0, squares = 0, ns = 0;
    const double shift = log((double)stored->samples.iteration_ns[0]); /* keeps the squares small */
    for (int i = 0; i < row->iterations; i++) {
        const double y = log((double)stored->samples.iteration_ns[i]) - shift;
        sum += y;
        squares += y * y;
        ns += (double)stored->samples.iteration_ns[i];
    }
    const double n = row->iterations;
    list[m->count++] = (struct one){
        .batch = row->batch, .iteration_s = ns / n * NS, .block_s = ((double)(row->end_ns - row->start_ns) - ns) * NS,
        .block = { row->execution, shift + sum / n, n > 1 ? (squares - sum * sum / n) / (n - 1) : (double)NAN,
                   row->iterations },
    };
    return ST_OK;
}

/* What starting, loading, preparing and warming up an execution takes, on average over those with such blocks. */
static enum status cost_of_executions(double *seconds, struct store *store, int64_t target, const struct measured *m,
                                      struct err *err)
{
    struct execution_row *executions = NULL;
    struct prepared_row *prepared = NULL;
    size_t count = 0, prepared_count = 0, used = 0;
    double ns = 0;
    enum status st = store_load_executions(&executions, &count, store, target, err);
    if (st == ST_OK)
        st = store_load_prepared(&prepared, &prepared_count, store, target, err);
    for (size_t e = 0; st == ST_OK && e < count; e++) {
        bool measured = false;
        for (size_t i = 0; i < m->count; i++)
            measured |= m->list[i].block.execution == executions[e].id;
        if (!measured)
            continue;
        used++;
        ns += (double)executions[e].load_ns + (double)executions[e].warmup_ns;
        for (size_t i = 0; i < prepared_count; i++)
            if (prepared[i].execution == executions[e].id)
                ns += (double)(prepared[i].prepare_ns + prepared[i].first_run_ns);
    }
    *seconds = used ? ns / (double)used * NS : 0;
    store_free_executions(executions, count);
    free(prepared);
    return st;
}

/* One point: blocks of this batch size. */
static enum status add_point(struct lines *lines, const struct target_row *t, int batch, const struct measured *m,
                             double execution_s, struct err *err)
{
    struct split_level l[SPLIT_LEVELS] = { { 0 } };
    struct split_block *blocks = calloc(m->count, sizeof *blocks);
    size_t count = 0;
    if (!blocks)
        return err_set(err, ST_INTERNAL, "not enough memory for the blocks of a campaign");
    for (size_t i = 0; i < m->count; i++) {
        if (m->list[i].batch != batch)
            continue;
        blocks[count++] = m->list[i].block;
        l[SPLIT_ITERATION].cost_s += m->list[i].iteration_s;
        l[SPLIT_BLOCK].cost_s += m->list[i].block_s;
    }
    l[SPLIT_ITERATION].cost_s /= (double)count;
    l[SPLIT_BLOCK].cost_s /= (double)count;
    l[SPLIT_EXECUTION].cost_s = execution_s;
    const bool enough = split_measure(l, blocks, count);
    free(blocks);
    if (!enough)
        return ST_OK;
    split_best(l);
    return add_line(lines, t, batch, l, err);
}

static bool is_first_of_its_size(const struct measured *m, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (m->list[k].batch == m->list[i].batch)
            return false;
    return true;
}

static enum status add_target(struct lines *lines, struct store *store, const struct target_row *t, struct err *err)
{
    struct measured m = { 0 };
    double execution_s = 0;
    enum status st = store_visit_blocks(store, t->id, true, take_block, &m, err);
    if (st == ST_OK)
        st = cost_of_executions(&execution_s, store, t->id, &m, err);
    for (size_t i = 0; i < m.count && st == ST_OK; i++)
        if (is_first_of_its_size(&m, i))
            st = add_point(lines, t, m.list[i].batch, &m, execution_s, err);
    free(m.list);
    return st;
}

static enum status add_run(struct lines *lines, struct store *store, int64_t run, struct err *err)
{
    struct target_row *targets = NULL;
    size_t count = 0;
    enum status st = store_load_targets(&targets, &count, store, run, err);
    for (size_t i = 0; i < count && st == ST_OK; i++)
        st = add_target(lines, store, &targets[i], err);
    free(targets);
    return st;
}

/* --- all --------------------------------------------------------------------------------------------------- */

static enum status print_lines(FILE *out, const struct lines *lines, const char *run, bool json, struct err *err)
{
    const struct table table = { .fields = fields, .field_count = LEN(fields), .rows = lines->list,
                                 .row_size = sizeof *lines->list, .row_count = lines->count, .marked = -1,
                                 .colour = table_colour(out) };
    if (json) {
        json_t *all = json_pack("{s:i, s:s, s:o}", "schema", 1, "run", run, "points", table_json(&table));
        char *text = all ? json_write_text(all, JSON_INDENTED) : NULL;
        json_decref(all);
        if (!text)
            return err_set(err, ST_INTERNAL, "not enough memory to print the points");
        fputs(text, out);
        free(text);
        return ST_OK;
    }
    fprintf(out, "%s\n\n", run);
    table_write_text(out, &table);
    fputs("\n_sd: what a level adds to the spread by itself; _s: what one more of it costs, without what it holds.\n"
          "best: cheapest for a given precision of the mean (Kalibera and Jones 2013); any: nothing varies above, one of\n"
          "the level above suffices. The number of executions follows from the precision that is wanted.\n", out);
    return ST_OK;
}

enum status doctor_repetitions(FILE *out, struct store *store, const char *run, bool json, struct err *err)
{
    struct run_row *runs = NULL;
    struct lines lines = { 0 };
    size_t count = 0, i = 0, found = 0;
    bool known = false;
    enum status st = store_load_runs(&runs, &count, store, NULL, err);
    for (; st == ST_OK && i < count && !lines.count; i++) {
        if (run && strcmp(runs[i].name, run) != 0)
            continue;
        known = true;
        found = i;
        st = add_run(&lines, store, runs[i].id, err);
    }
    if (st == ST_OK && lines.count)
        st = print_lines(out, &lines, runs[found].name, json, err);
    else if (st == ST_OK && run && !known)
        st = err_set(err, ST_CONFIG, "there is no campaign or night \"%.80s\" in %s", run, store_path(store));
    else if (st == ST_OK)
        st = err_set(err, ST_CONFIG, "%s: %s has no point that two executions measured with two blocks each, and more than "
                     "one iteration in a block: bench tune verifies so, bench nightly measures so", store_path(store), run ? run : "no campaign or night");
    free(lines.list);
    store_free_runs(runs, count);
    return st;
}
