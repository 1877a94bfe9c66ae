#include "bench/nightly/night_rows.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/nightly/judge.h"
#include "tuner/verdict.h"

static const char invalid_word[] = "INVALID", throttled_word[] = "THROTTLED";

/* --- names ---------------------------------------------------------------------------------------------- */

static void name_series(char out[96], const struct target_row *row, int batch)
{
    snprintf(out, 96, "%.70s/%d", row->key_sha256, batch);
}

static struct night_row empty_row(const char *device)
{
    struct night_row row = { .v = NAN,
                             .error = NAN,
                             .again = NAN,
                             .control_z = NAN,
                             .y = NAN,
                             .M = NAN,
                             .S = NAN,
                             .dev = NAN,
                             .dev_again = NAN,
                             .U = NAN,
                             .shift = NAN,
                             .rule_version = VERDICT_RULE_VERSION };
    snprintf(row.device, sizeof row.device, "%s", device);
    return row;
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp(((const struct night_row *)a)->series, ((const struct night_row *)b)->series);
}

static const struct night_row *find_row(const struct night_row *rows, size_t count, const char *series)
{
    for (size_t i = count; i-- > 0;)
        if (strcmp(rows[i].series, series) == 0)
            return &rows[i];
    return NULL;
}

/* MACHINE of the device and group of a row. */
static size_t add_machine(struct night_row *rows, size_t n, const struct night_row *of)
{
    struct night_row row = empty_row(of->device);
    snprintf(row.group_name, sizeof row.group_name, "%s", of->group_name);
    snprintf(row.series, sizeof row.series, JUDGE_MACHINE "%.60s%s%s", of->device, *of->group_name ? " " : "",
             of->group_name);
    snprintf(row.name, sizeof row.name, "%s", row.series);
    if (!find_row(rows, n, row.series))
        rows[n++] = row;
    return n;
}

/* What the configuration says of series of that name: for either key the first pattern that matches and has it. */
static void settle_series(struct night_row *row, const struct config *config)
{
    for (size_t i = config->night_series_count; i-- > 0;) {
        const struct night_series *s = &config->night_series[i];
        if (fnmatch(s->pattern, row->name, 0) != 0)
            continue;
        row->delta = s->delta > 0 ? s->delta : row->delta;
        if (*s->group)
            memcpy(row->group_name, s->group, sizeof row->group_name);
    }
}

static struct night_row row_of(const struct night_target *target, int batch, const struct config *config)
{
    const struct target_row *t = &target->t->row;
    struct night_row row = empty_row(t->device);
    row.target = t->id;
    row.batch = batch;
    name_series(row.series, *t->key_sha256 ? t : &target->watch->view->row,
                batch); /* never loaded tonight: as it was */
    snprintf(row.name, sizeof row.name, "%s batch %d", target->t->plan->name, batch);
    settle_series(&row, config);
    return row;
}

enum status night_rows_make(struct night_row **rows, size_t *count, const struct night_target *targets,
                            size_t target_count, const struct config *config, const struct night_row *earlier,
                            size_t earlier_count, struct err *err)
{
    size_t n = 0;
    *count = 0;
    *rows = calloc(2 * target_count * MOVED_POINTS_MAX + 1, sizeof **rows); /* each may be a group of its own */
    if (!*rows)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the rows of a night");
    for (size_t i = 0; i < target_count; i++) {
        for (size_t k = 0; k < targets[i].watch->count; k++) {
            struct night_row *row = &(*rows)[n++];
            *row = row_of(&targets[i], targets[i].watch->batches[k], config);
            const struct night_row *before = find_row(earlier, earlier_count, row->series);
            row->moved_way = before ? before->moved_way : 0;
            n = add_machine(*rows, n, row);
        }
    }
    qsort(*rows, n, sizeof **rows, compare_rows);
    *count = n;
    return ST_OK;
}

/* --- values --------------------------------------------------------------------------------------------- */

static const struct night_target *target_of(const struct night_target *targets, size_t count,
                                            const struct night_row *row)
{
    for (size_t i = 0; i < count; i++)
        if (targets[i].t->row.id == row->target)
            return &targets[i];
    return NULL;
}

static struct night_value value_of(const struct night_target *target, enum night_part part, int batch)
{
    return night_value_of(&target->t->history, target->executions[part], target->counts[part], batch);
}

static void fill_moved(struct night_row *row, const struct night_target *target, int before)
{
    static const size_t room = NIGHT_ROUNDS;
    double y[MOVED_EXECUTIONS][NIGHT_ROUNDS * MOVED_POINTS_MAX];
    const struct watch_target *w = target->watch;
    struct moved_ask ask = { .points = w->count, .chosen = w->chosen, .within = w->within, .before = before };
    struct moved_answer answer;
    if (w->count < 2)
        return;
    for (size_t e = 0; e < MOVED_EXECUTIONS; e++) {
        bool there = e < target->counts[NIGHT_NORMAL];
        ask.y[e] = y[e];
        ask.rounds[e] =
            there ? night_rounds_of(y[e], &target->t->history, target->executions[NIGHT_NORMAL][e],
                                    w->batches, w->count, room)
                  : 0;
    }
    moved_check(&answer, &ask);
    snprintf(row->moved, sizeof row->moved, "%s", moved_name(answer.moved));
    row->moved_way = answer.moved == MOVED_UNKNOWN ? before : answer.way;
}

static void fill_row(struct night_row *row, const struct night_target *target)
{
    struct night_value value = value_of(target, NIGHT_NORMAL, row->batch);
    bool chosen = row->batch == target->watch->batches[target->watch->chosen];
    row->v = value.v;
    row->error = value.error;
    row->executions = value.executions;
    row->blocks = value.blocks;
    snprintf(row->validity, sizeof row->validity, "%s",
             !isnan(value.v) ? "" : value.throttled ? throttled_word : invalid_word);
    row->again = target->confirm ? value_of(target, NIGHT_CONFIRM, row->batch).v : NAN;
    if (target->control && chosen)
        row->control_z = value.v - value_of(target, NIGHT_CONTROL, row->batch).v;
}

void night_rows_fill(struct night_row *rows, size_t count, const struct night_target *targets,
                     size_t target_count)
{
    for (size_t i = 0; i < count; i++) {
        struct night_row *row = &rows[i];
        const struct night_target *target = target_of(targets, target_count, row);
        bool first = row->executions == 0 &&
                     !*row->validity; /* not filled before: moved_way is the night before's */
        if (!target)
            continue;
        fill_row(row, target);
        if (first && row->batch == target->watch->batches[target->watch->chosen])
            fill_moved(row, target, row->moved_way);
    }
}

/* --- choices -------------------------------------------------------------------------------------------- */

void night_rows_choose_control(struct night_target *targets, size_t target_count,
                               const struct night_row *earlier, size_t earlier_count)
{
    for (size_t i = 0; i < target_count; i++) {
        const char *device = targets[i].t->plan->device;
        struct night_target *best = NULL;
        double least = NAN;
        for (size_t k = 0; k < target_count; k++) {
            struct night_target *t = &targets[k];
            char series[96];
            if (strcmp(t->t->plan->device, device) != 0)
                continue;
            name_series(series, &t->watch->view->row, t->watch->batches[t->watch->chosen]);
            const struct night_row *row = find_row(earlier, earlier_count, series);
            double S = row ? row->S : NAN;
            if (!best || S < least || (isnan(least) && !isnan(S))) {
                best = t;
                least = S;
            }
        }
        best->control = true; /* the same for every target of the device */
    }
}

void night_rows_choose_confirm(struct night_target *targets, size_t target_count,
                               const struct night_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < target_count; k++)
            if ((rows[i].flagged || rows[i].panel || strcmp(rows[i].validity, throttled_word) == 0) &&
                rows[i].target == targets[k].t->row.id)
                targets[k].confirm = true;
}
