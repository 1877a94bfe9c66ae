#include "bench/nightly/device_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- series and nights ---------------------------------------------------------------------------------- */

bool night_row_is_machine(const struct night_row *row)
{
    return strncmp(row->series, JUDGE_MACHINE, strlen(JUDGE_MACHINE)) == 0;
}

static bool is_of_table(const struct device_table *d, const struct night_row *row)
{
    return !night_row_is_machine(row) && strcmp(row->device, d->name) == 0 && strcmp(row->group_name, d->group) == 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect_series(struct device_table *d, const struct night_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_of_table(d, &rows[i]))
            d->series[d->series_count++] = rows[i].series;
}

/* Sorted, each once. */
static void settle_series(struct device_table *d)
{
    size_t n = 0;
    qsort(d->series, d->series_count, sizeof *d->series, compare_names);
    for (size_t i = 0; i < d->series_count; i++)
        if (n == 0 || strcmp(d->series[n - 1], d->series[i]) != 0)
            d->series[n++] = d->series[i];
    d->series_count = n;
}

static void collect_nights(struct device_table *d)
{
    const struct judge_ask *ask = d->ask;
    size_t n = 0;
    for (size_t i = 0; i < ask->earlier_count; i++)
        if (strcmp(ask->earlier[i].device, d->name) == 0 && (n == 0 || d->runs[n - 1] != ask->earlier[i].run))
            d->runs[n++] = ask->earlier[i].run;
    d->nights = n;
}

size_t device_table_series(const struct device_table *d, const char *series)
{
    const char **found = bsearch(&series, d->series, d->series_count, sizeof *d->series, compare_names);
    return found ? (size_t)(found - d->series) : d->series_count;
}

static void put(struct device_table *d, const struct night_row *row, size_t night)
{
    if (!isnan(row->control_z) && strcmp(row->device, d->name) == 0)
        d->control[night] = row->control_z; /* of whatever group: one control speaks for the device */
    if (!is_of_table(d, row))
        return;
    size_t series = device_table_series(d, row->series), at = series * d->nights + night;
    d->delta[series] = row->delta > 0 ? row->delta : 0;
    d->v[at] = *row->validity ? NAN : row->v;
    d->again[at] = row->again;
    d->error[at] = row->error;
    d->panel[at] = row->panel;
}

static int64_t start_of(const struct device_table *d, size_t night)
{
    for (size_t i = 0; i < d->ask->run_count; i++)
        if (d->ask->runs[i].id == d->runs[night])
            return d->ask->runs[i].start_unix_s;
    return d->ask->start_unix_s; /* tonight */
}

/* From the first night on that an accept covers, the series are of a new segment; a clock that is set back later
 * takes no night out of it. */
static void put_accepts(struct device_table *d)
{
    for (size_t a = 0; a < d->ask->accept_count; a++) {
        const struct accept_row *accept = &d->ask->accepts[a];
        bool whole = !*accept->series && strcmp(accept->device, d->name) == 0;
        size_t only = *accept->series ? device_table_series(d, accept->series) : d->series_count;
        bool begun = false;
        for (size_t n = 0; n < d->nights; n++) {
            begun = begun || start_of(d, n) >= accept->since_unix_s;
            if (!begun)
                continue;
            d->machine_segment[n] += whole;
            for (size_t s = 0; s < d->series_count; s++)
                d->segment[s * d->nights + n] += whole || s == only;
        }
    }
}

static void fill(struct device_table *d, const struct night_row *rows, size_t count)
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

void device_table_free(struct device_table *d)
{
    free(d->series);
    free(d->runs);
    free(d->v);
    free(d->again);
    free(d->error);
    free(d->control);
    free(d->delta);
    free(d->panel);
    free(d->segment);
    free(d->machine_segment);
    free(d->verdicts);
    free(d->common);
}

bool device_table_make(struct device_table *d, const char *name, const char *group, const struct night_row *rows,
                       size_t count, const struct judge_ask *ask)
{
    *d = (struct device_table){ .ask = ask, .name = name, .group = group };
    d->series = calloc(ask->earlier_count + count + 1, sizeof *d->series);
    d->runs = calloc(ask->earlier_count + 1, sizeof *d->runs);
    if (!d->series || !d->runs)
        return false;
    collect_series(d, ask->earlier, ask->earlier_count);
    collect_series(d, rows, count);
    settle_series(d);
    collect_nights(d);
    d->nights += count > 0;
    size_t values = d->series_count * d->nights + 1;
    d->v = calloc(values, sizeof *d->v);
    d->again = calloc(values, sizeof *d->again);
    d->error = calloc(values, sizeof *d->error);
    d->delta = calloc(d->series_count + 1, sizeof *d->delta);
    d->panel = calloc(values, sizeof *d->panel);
    d->segment = calloc(values, sizeof *d->segment);
    d->control = calloc(d->nights, sizeof *d->control);
    d->machine_segment = calloc(d->nights, sizeof *d->machine_segment);
    d->verdicts = calloc(values + d->nights, sizeof *d->verdicts);
    d->common = calloc(d->nights, sizeof *d->common);
    if (!d->v || !d->again || !d->error || !d->delta || !d->panel || !d->segment || !d->control || !d->machine_segment ||
        !d->verdicts || !d->common)
        return false;
    fill(d, rows, count);
    return true;
}

struct night_ask device_table_ask(const struct device_table *d)
{
    return (struct night_ask){ .series = d->series_count,
                               .nights = d->nights,
                               .v = d->v,
                               .again = d->again,
                               .panel = d->panel,
                               .segment = d->segment,
                               .machine_segment = d->machine_segment,
                               .control = d->control,
                               .delta = d->delta };
}
