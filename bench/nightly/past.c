#include "bench/nightly/past.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/nightly/night_rows.h"

/* --- runs ----------------------------------------------------------------------------------------------- */

static bool has_rows(const struct past *p, int64_t run)
{
    for (size_t i = 0; i < p->row_count; i++)
        if (p->rows[i].run == run)
            return true;
    return false;
}

/* Oldest first, only those that came to rows; the store gives the newest first. */
static void settle_runs(struct past *p)
{
    size_t n = 0;
    for (size_t i = p->all_count; i-- > 0;)
        if (has_rows(p, p->all_runs[i].id))
            p->runs[n++] = p->all_runs[i];
    p->run_count = n;
}

static size_t run_index(const struct past *p, int64_t run)
{
    size_t i = 0;
    while (i < p->run_count && p->runs[i].id != run)
        i++;
    return i;
}

/* --- series --------------------------------------------------------------------------------------------- */

static int compare_rows(const void *a, const void *b)
{
    const struct night_row *const *x = a, *const *y = b;
    int names = strverscmp((*x)->name, (*y)->name); /* "batch 4" before "batch 16" */
    return names ? names : strcmp((*x)->series, (*y)->series) ? strcmp((*x)->series, (*y)->series)
           : (*x)->run < (*y)->run ? -1 : (*x)->run > (*y)->run;
}

/* The first of its series' nights, `before` of them earlier ones, that an accept covers: a clock that is set back makes no
 * second one. */
static bool begins_accept(const struct past *p, const struct history_night *n, size_t before)
{
    for (size_t a = 0; a < p->accept_count; a++) {
        const struct accept_row *accept = &p->accepts[a];
        bool about = *accept->series ? strcmp(accept->series, n->row->series) == 0
                                     : strcmp(accept->device, n->row->device) == 0;
        size_t earlier = 0;
        while (earlier < before && n[-1 - (ptrdiff_t)earlier].start_unix_s < accept->since_unix_s)
            earlier++;
        if (about && n->start_unix_s >= accept->since_unix_s && earlier == before)
            return true;
    }
    return false;
}

/* Nights are due as the newest one says. */
static void arrange(struct past *p, const struct night_row **order)
{
    const double every_s = p->run_count ? past_every_s(&p->runs[p->run_count - 1]) : 0;
    for (size_t i = 0; i < p->row_count; i++) {
        size_t run = run_index(p, order[i]->run);
        bool first = i == 0 || strcmp(order[i - 1]->series, order[i]->series) != 0;
        struct history_view *series = &p->series[first ? p->series_count++ : p->series_count - 1];
        if (first)
            *series = (struct history_view){ .name = order[i]->name, .nights = &p->nights[i], .every_s = every_s };
        series->count++;
        p->nights[i] = (struct history_night){ .row = order[i],
                                               .night = p->runs[run].name,
                                               .start_unix_s = p->runs[run].start_unix_s,
                                               .events = p->events[run],
                                               .event_count = p->event_counts[run] };
        p->nights[i].accepted = begins_accept(p, &p->nights[i], series->count - 1);
    }
}

static enum status load_events(struct past *p, struct store *store, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 1; i < p->run_count && st == ST_OK; i++)
        st = night_events(&p->events[i], &p->event_counts[i], store, &p->runs[i - 1], &p->runs[i], err);
    return st;
}

static enum status arrange_all(struct past *p, struct store *store, struct err *err)
{
    const size_t count = p->all_count;
    const struct night_row **order = calloc(p->row_count + 1, sizeof *order);
    p->runs = calloc(count + 1, sizeof *p->runs);
    p->events = calloc(count + 1, sizeof *p->events);
    p->event_counts = calloc(count + 1, sizeof *p->event_counts);
    p->series = calloc(p->row_count + 1, sizeof *p->series);
    p->nights = calloc(p->row_count + 1, sizeof *p->nights);
    enum status st = order && p->runs && p->events && p->event_counts && p->series && p->nights
                         ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the nights");
    if (st == ST_OK) {
        settle_runs(p);
        st = load_events(p, store, err);
    }
    for (size_t i = 0; st == ST_OK && i < p->row_count; i++)
        order[i] = &p->rows[i];
    if (st == ST_OK) {
        qsort(order, p->row_count, sizeof *order, compare_rows);
        arrange(p, order);
    }
    free(order);
    return st;
}

enum status past_load(struct past *out, struct store *store, struct err *err)
{
    *out = (struct past){ 0 };
    enum status st = store_load_nights(&out->rows, &out->row_count, store, err);
    if (st == ST_OK && out->row_count == 0)
        st = err_set(err, ST_CONFIG, "%s holds no night yet: bench nightly makes one", store_path(store));
    if (st == ST_OK)
        st = store_load_accepts(&out->accepts, &out->accept_count, store, err);
    if (st == ST_OK)
        st = store_load_runs(&out->all_runs, &out->all_count, store, NIGHT_KIND, err);
    if (st == ST_OK)
        st = arrange_all(out, store, err);
    if (st != ST_OK)
        past_free(out);
    return st;
}

void past_free(struct past *p)
{
    for (size_t i = 0; i < p->run_count; i++)
        free(p->events[i]);
    free(p->rows);
    free(p->accepts);
    free(p->runs);
    store_free_runs(p->all_runs, p->all_count);
    free(p->events);
    free(p->event_counts);
    free(p->series);
    free(p->nights);
    *p = (struct past){ 0 };
}

const struct run_row *past_night(const struct past *p, const char *text)
{
    for (size_t i = 0; i < p->run_count; i++) {
        char date[24] = "";
        struct tm when;
        time_t start = (time_t)p->runs[i].start_unix_s;
        if (gmtime_r(&start, &when))
            strftime(date, sizeof date, "%Y-%m-%d", &when);
        if (strcmp(p->runs[i].name, text) == 0 || strcmp(date, text) == 0)
            return &p->runs[i];
    }
    return strcmp(text, "last") == 0 && p->run_count ? &p->runs[p->run_count - 1] : NULL;
}

/* Settings that cannot be read again are those of another version. */
double past_every_s(const struct run_row *run)
{
    struct config config;
    const char *text = run->config_text ? run->config_text : "";
    if (config_read_text(&config, run->name, text, strlen(text), NULL) != ST_OK)
        return 0;
    double every_s = (double)config.every_ns / 1e9;
    config_free(&config);
    return every_s;
}
