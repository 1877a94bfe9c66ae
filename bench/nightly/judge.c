#include "bench/nightly/device_table.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"

/* --- verdicts ------------------------------------------------------------------------------------------- */

static void tell(struct night_row *row, const struct verdict_answer *v, double y)
{
    snprintf(row->verdict, sizeof row->verdict, "%s",
             v->verdict == VERDICT_COUNT ? "" : verdict_name(v->verdict));
    snprintf(row->path, sizeof row->path, "%s", verdict_path_name(v->path));
    row->y = v->verdict == VERDICT_COUNT ? NAN : y;
    row->M = v->M;
    row->S = v->S;
    row->dev = v->dev;
    row->dev_again = v->dev_again;
    row->U = v->U;
    row->shift = v->shift;
    row->W = (int)v->W;
    row->confirmed_run = v->run;
    row->flagged = v->flagged;
}

/* On the valid night before, judged as of today: what was accepted since is no red to recover from. */
static bool was_red(const struct verdict_answer *nights, size_t last)
{
    while (last-- > 0)
        if (nights[last].verdict != VERDICT_COUNT && nights[last].verdict != VERDICT_INCONCLUSIVE)
            return nights[last].verdict == VERDICT_REGRESSED;
    return false;
}

static bool tell_device(struct night_row *rows, size_t count, const struct device_table *d)
{
    size_t last = d->nights - 1;
    double c = d->common[last].c;
    bool again = false;
    for (size_t i = 0; i < count; i++) {
        struct night_row *row = &rows[i];
        if (strcmp(row->device, d->name) != 0 || strcmp(row->group_name, d->group) != 0)
            continue;
        size_t s = night_row_is_machine(row) ? d->series_count : device_table_series(d, row->series);
        const struct verdict_answer *series = &d->verdicts[s * d->nights], *v = &series[last];
        tell(row, v, night_row_is_machine(row) ? c : row->v - c);
        if (v->verdict == VERDICT_OK && was_red(series, last))
            snprintf(row->path, sizeof row->path, "%s", JUDGE_RECOVERED);
        if (night_row_is_machine(row))
            row->v = v->verdict == VERDICT_COUNT ? NAN : c;
        again |= v->ask_again;
    }
    return again;
}

static enum status judge_group(struct night_row *rows, size_t count, const struct night_row *machine, bool *ask_again,
                               const struct judge_ask *ask, struct err *err)
{
    struct device_table d;
    bool enough = device_table_make(&d, machine->device, machine->group_name, rows, count, ask);
    const struct night_ask nights = enough ? device_table_ask(&d) : (struct night_ask){ .nights = 0 };
    enough = enough && night_judge(d.verdicts, d.common, &nights);
    if (enough)
        *ask_again |= tell_device(rows, count, &d);
    device_table_free(&d);
    if (!enough)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory to judge the nights of %.60s",
                       machine->device);
    return ST_OK;
}

enum status judge_rows(struct night_row *rows, size_t count, bool *ask_again, const struct judge_ask *ask,
                       struct err *err)
{
    enum status st = ST_OK;
    *ask_again = false;
    for (size_t i = 0; i < count && st == ST_OK; i++)
        if (night_row_is_machine(&rows[i]))
            st = judge_group(rows, count, &rows[i], ask_again, ask, err);
    return st;
}

/* --- groups --------------------------------------------------------------------------------------------- */

void judge_regroup(struct night_row *earlier, size_t earlier_count, const struct night_row *rows, size_t count)
{
    for (size_t i = 0; i < earlier_count; i++)
        for (size_t k = 0; k < count; k++)
            if (strcmp(earlier[i].series, rows[k].series) == 0)
                memcpy(earlier[i].group_name, rows[k].group_name, sizeof earlier[i].group_name);
}

/* --- the panel ------------------------------------------------------------------------------------------ */

/* The model is the first word of a series' name. */
static bool same_model(const char *a, const char *b)
{
    size_t n = strcspn(a, " ");
    return n == strcspn(b, " ") && strncmp(a, b, n) == 0;
}

static bool same_group(const struct night_row *a, const struct night_row *b)
{
    return strcmp(a->device, b->device) == 0 && strcmp(a->group_name, b->group_name) == 0;
}

static bool model_is_there(const struct night_row *rows, size_t count, const struct night_row *row)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].panel && same_group(&rows[i], row) && same_model(rows[i].name, row->name))
            return true;
    return false;
}

/* The steadiest row of the machine's group that is not on the panel; of a new model if new_model. NULL: none. */
static struct night_row *steadiest(struct night_row *rows, size_t count, const struct night_row *machine,
                                   bool new_model)
{
    struct night_row *best = NULL;
    for (size_t i = 0; i < count; i++) {
        struct night_row *row = &rows[i];
        if (night_row_is_machine(row) || row->panel || *row->validity || !same_group(row, machine) ||
            (new_model && model_is_there(rows, count, row)))
            continue;
        if (!best || row->S < best->S || (isnan(best->S) && !isnan(row->S)))
            best = row;
    }
    return best;
}

void judge_choose_panel(struct night_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rows[i].panel = false;
    for (size_t i = 0; i < count; i++)
        for (int place = 0; night_row_is_machine(&rows[i]) && place <= JUDGE_PANEL; place++) {
            struct night_row *next = steadiest(rows, count, &rows[i], true);
            next = next ? next : steadiest(rows, count, &rows[i], false);
            if (!next)
                break;
            next->panel = true;
        }
}

/* --- blindness ------------------------------------------------------------------------------------------ */

bool judge_has_verdict(const struct night_row *row)
{
    return !*row->validity && *row->verdict && strcmp(row->verdict, verdict_name(VERDICT_INCONCLUSIVE)) != 0;
}

int64_t judge_start_of(const struct judge_ask *ask, int64_t run)
{
    for (size_t i = 0; i < ask->run_count; i++)
        if (ask->runs[i].id == run)
            return ask->runs[i].start_unix_s;
    return 0;
}

int judge_nights_between(int64_t from_unix_s, int64_t to_unix_s, double every_s)
{
    const double nights = (double)(to_unix_s - from_unix_s) / (every_s > 0 ? every_s : CLOCK_DAY_S) + .5;
    return nights > 0 ? (int)fmin(nights, INT_MAX) : 0;
}

int judge_blind_nights(const struct night_row *row, const struct judge_ask *ask)
{
    int64_t seen = 0, counted = 0; /* run of its last verdict; newest run that is counted */
    int nights = 1;
    /* MACHINE has none where series are few: that is no blindness */
    if (night_row_is_machine(row) || judge_has_verdict(row))
        return 0;
    for (size_t i = 0; i < ask->earlier_count; i++)
        if (strcmp(ask->earlier[i].series, row->series) == 0 && judge_has_verdict(&ask->earlier[i]))
            seen = ask->earlier[i].run;
    for (size_t i = 0; i < ask->earlier_count; i++) {
        const struct night_row *e = &ask->earlier[i];
        nights += e->run > seen && e->run != counted && strcmp(e->device, row->device) == 0;
        counted = e->run > seen && strcmp(e->device, row->device) == 0 ? e->run : counted;
    }
    const int64_t since = judge_start_of(ask, seen);
    int due = since ? judge_nights_between(since, ask->start_unix_s, ask->every_s) : 0;
    return due > nights ? due : nights; /* absent ones have no rows */
}
