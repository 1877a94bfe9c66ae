#include "bench/nightly/judge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuner/night.h"

/* --- one device as a table ------------------------------------------------------------------------------- */

struct device {
    const struct judge_ask *ask;
    const char *name;
    const char **series;             /* [series_count] ascending */
    size_t series_count;
    int64_t *runs;                   /* [nights - 1] earlier ones, ascending; the last night is tonight */
    size_t nights;
    double *v, *again, *error, *control; /* [series][nights]; control [nights] */
    bool   *panel;
    int    *segment, *machine_segment;
    struct verdict_answer *verdicts; /* [series + 1][nights] */
    struct night_common *common;     /* [nights] */
};

static bool is_machine(const struct night_row *row)
{
    return strncmp(row->series, JUDGE_MACHINE, strlen(JUDGE_MACHINE)) == 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect_series(struct device *d, const struct night_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_machine(&rows[i]) && strcmp(rows[i].device, d->name) == 0)
            d->series[d->series_count++] = rows[i].series;
}

/* Sorted, each once. */
static void settle_series(struct device *d)
{
    size_t n = 0;
    qsort(d->series, d->series_count, sizeof *d->series, compare_names);
    for (size_t i = 0; i < d->series_count; i++)
        if (n == 0 || strcmp(d->series[n - 1], d->series[i]) != 0)
            d->series[n++] = d->series[i];
    d->series_count = n;
}

static void collect_nights(struct device *d)
{
    const struct judge_ask *ask = d->ask;
    size_t n = 0;
    for (size_t i = 0; i < ask->earlier_count; i++)
        if (strcmp(ask->earlier[i].device, d->name) == 0 && (n == 0 || d->runs[n - 1] != ask->earlier[i].run))
            d->runs[n++] = ask->earlier[i].run;
    d->nights = n + 1;
}

static size_t series_index(const struct device *d, const char *series)
{
    const char **found = bsearch(&series, d->series, d->series_count, sizeof *d->series, compare_names);
    return found ? (size_t)(found - d->series) : d->series_count;
}

static void put(struct device *d, const struct night_row *row, size_t night)
{
    if (is_machine(row) || strcmp(row->device, d->name) != 0)
        return;
    size_t at = series_index(d, row->series) * d->nights + night;
    d->v[at] = *row->validity ? NAN : row->v;
    d->again[at] = row->again;
    d->error[at] = row->error;
    d->panel[at] = row->panel;
    if (!isnan(row->control_z))
        d->control[night] = row->control_z;
}

static int64_t start_of(const struct device *d, size_t night)
{
    if (night + 1 == d->nights)
        return d->ask->start_unix_s;
    for (size_t i = 0; i < d->ask->run_count; i++)
        if (d->ask->runs[i].id == d->runs[night])
            return d->ask->runs[i].start_unix_s;
    return 0;
}

/* From the night on where an accept holds, the series are of a new segment. */
static void put_accepts(struct device *d)
{
    for (size_t a = 0; a < d->ask->accept_count; a++) {
        const struct accept_row *accept = &d->ask->accepts[a];
        bool whole = !*accept->series && strcmp(accept->device, d->name) == 0;
        size_t only = *accept->series ? series_index(d, accept->series) : d->series_count;
        for (size_t n = 0; n < d->nights; n++) {
            if (start_of(d, n) < accept->since_unix_s)
                continue;
            d->machine_segment[n] += whole;
            for (size_t s = 0; s < d->series_count; s++)
                d->segment[s * d->nights + n] += whole || s == only;
        }
    }
}

static void fill(struct device *d, const struct night_row *rows, size_t count)
{
    size_t night = 0;
    for (size_t i = 0; i < d->series_count * d->nights; i++)
        d->v[i] = d->again[i] = d->error[i] = NAN;
    for (size_t n = 0; n < d->nights; n++)
        d->control[n] = NAN;
    for (size_t i = 0; i < d->ask->earlier_count; i++) {
        const struct night_row *row = &d->ask->earlier[i];
        if (strcmp(row->device, d->name) != 0)
            continue;
        while (d->runs[night] != row->run)
            night++;
        put(d, row, night);
    }
    for (size_t i = 0; i < count; i++)
        put(d, &rows[i], d->nights - 1);
    put_accepts(d);
}

static void device_free(struct device *d)
{
    free(d->series);
    free(d->runs);
    free(d->v);
    free(d->again);
    free(d->error);
    free(d->control);
    free(d->panel);
    free(d->segment);
    free(d->machine_segment);
    free(d->verdicts);
    free(d->common);
}

static bool device_make(struct device *d, const char *name, const struct night_row *rows, size_t count,
                        const struct judge_ask *ask)
{
    *d = (struct device){ .ask = ask, .name = name };
    d->series = calloc(ask->earlier_count + count + 1, sizeof *d->series);
    d->runs = calloc(ask->earlier_count + 1, sizeof *d->runs);
    if (!d->series || !d->runs)
        return false;
    collect_series(d, ask->earlier, ask->earlier_count);
    collect_series(d, rows, count);
    settle_series(d);
    collect_nights(d);
    size_t values = d->series_count * d->nights + 1;
    d->v = calloc(values, sizeof *d->v);
    d->again = calloc(values, sizeof *d->again);
    d->error = calloc(values, sizeof *d->error);
    d->panel = calloc(values, sizeof *d->panel);
    d->segment = calloc(values, sizeof *d->segment);
    d->control = calloc(d->nights, sizeof *d->control);
    d->machine_segment = calloc(d->nights, sizeof *d->machine_segment);
    d->verdicts = calloc(values + d->nights, sizeof *d->verdicts);
    d->common = calloc(d->nights, sizeof *d->common);
    if (!d->v || !d->again || !d->error || !d->panel || !d->segment || !d->control || !d->machine_segment ||
        !d->verdicts || !d->common)
        return false;
    fill(d, rows, count);
    return true;
}

/* --- verdicts ------------------------------------------------------------------------------------------- */

static void tell(struct night_row *row, const struct verdict_answer *v, double y)
{
    snprintf(row->verdict, sizeof row->verdict, "%s", v->verdict == VERDICT_COUNT ? "" : verdict_name(v->verdict));
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

static bool tell_device(struct night_row *rows, size_t count, const struct device *d)
{
    size_t last = d->nights - 1;
    double c = d->common[last].c;
    bool again = false;
    for (size_t i = 0; i < count; i++) {
        struct night_row *row = &rows[i];
        if (strcmp(row->device, d->name) != 0)
            continue;
        size_t s = is_machine(row) ? d->series_count : series_index(d, row->series);
        const struct verdict_answer *v = &d->verdicts[s * d->nights + last];
        tell(row, v, is_machine(row) ? c : row->v - c);
        if (is_machine(row))
            row->v = v->verdict == VERDICT_COUNT ? NAN : c;
        again |= v->ask_again;
    }
    return again;
}

static enum status judge_device(struct night_row *rows, size_t count, const char *name, bool *ask_again,
                                const struct judge_ask *ask, struct err *err)
{
    struct device d;
    bool enough = device_make(&d, name, rows, count, ask);
    if (enough)
        enough = night_judge(d.verdicts, d.common,
                             &(struct night_ask){ .series = d.series_count, .nights = d.nights, .v = d.v,
                                                  .again = d.again, .panel = d.panel, .segment = d.segment,
                                                  .machine_segment = d.machine_segment, .control = d.control });
    if (enough)
        *ask_again |= tell_device(rows, count, &d);
    device_free(&d);
    return enough ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "not enough memory to judge the nights of %.60s", name);
}

enum status judge_rows(struct night_row *rows, size_t count, bool *ask_again, const struct judge_ask *ask,
                       struct err *err)
{
    enum status st = ST_OK;
    *ask_again = false;
    for (size_t i = 0; i < count && st == ST_OK; i++)
        if (is_machine(&rows[i]))
            st = judge_device(rows, count, rows[i].device, ask_again, ask, err);
    return st;
}

/* --- the panel ------------------------------------------------------------------------------------------ */

/* The model is the first word of a series' name. */
static bool same_model(const char *a, const char *b)
{
    size_t n = strcspn(a, " ");
    return n == strcspn(b, " ") && strncmp(a, b, n) == 0;
}

static bool model_is_there(const struct night_row *rows, size_t count, const struct night_row *row)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].panel && strcmp(rows[i].device, row->device) == 0 && same_model(rows[i].name, row->name))
            return true;
    return false;
}

/* The steadiest row of the device that is not on the panel; of a new model if new_model. NULL: none. */
static struct night_row *steadiest(struct night_row *rows, size_t count, const char *device, bool new_model)
{
    struct night_row *best = NULL;
    for (size_t i = 0; i < count; i++) {
        struct night_row *row = &rows[i];
        if (is_machine(row) || row->panel || *row->validity || strcmp(row->device, device) != 0 ||
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
        for (int place = 0; is_machine(&rows[i]) && place <= JUDGE_PANEL; place++) {
            struct night_row *next = steadiest(rows, count, rows[i].device, true);
            next = next ? next : steadiest(rows, count, rows[i].device, false);
            if (!next)
                break;
            next->panel = true;
        }
}

/* --- blindness ------------------------------------------------------------------------------------------ */

static bool has_verdict(const struct night_row *row)
{
    return !*row->validity && *row->verdict && strcmp(row->verdict, verdict_name(VERDICT_INCONCLUSIVE)) != 0;
}

int judge_blind_nights(const struct night_row *row, const struct judge_ask *ask)
{
    int64_t seen = 0, counted = 0; /* run of its last verdict; newest run that is counted */
    int nights = 1;
    if (is_machine(row) || has_verdict(row)) /* MACHINE has none where series are few: that is no blindness */
        return 0;
    for (size_t i = 0; i < ask->earlier_count; i++)
        if (strcmp(ask->earlier[i].series, row->series) == 0 && has_verdict(&ask->earlier[i]))
            seen = ask->earlier[i].run;
    for (size_t i = 0; i < ask->earlier_count; i++) {
        const struct night_row *e = &ask->earlier[i];
        nights += e->run > seen && e->run != counted && strcmp(e->device, row->device) == 0;
        counted = e->run > seen && strcmp(e->device, row->device) == 0 ? e->run : counted;
    }
    return nights;
}
