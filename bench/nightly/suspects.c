#include "bench/nightly/suspects.h"

#include <string.h>

#include "tuner/verdict.h"

static const struct night_row *first_red(const struct suspects_ask *ask)
{
    for (size_t i = 0; i < ask->count; i++)
        if (!*ask->rows[i].validity && strcmp(ask->rows[i].verdict, verdict_name(VERDICT_REGRESSED)) == 0)
            return &ask->rows[i];
    return NULL;
}

static const struct run_row *run_of(const struct judge_ask *past, int64_t id)
{
    for (size_t i = 0; i < past->run_count; i++)
        if (past->runs[i].id == id)
            return &past->runs[i];
    return NULL;
}

/* Where its newest accept begins; 0: there is none. */
static int64_t accepted_since(const struct judge_ask *past, const struct night_row *row)
{
    int64_t since = 0;
    for (size_t i = 0; i < past->accept_count; i++) {
        const struct accept_row *a = &past->accepts[i];
        if (*a->series ? strcmp(a->series, row->series) == 0 : strcmp(a->device, row->device) == 0)
            since = a->since_unix_s;
    }
    return since;
}

/* Nights that its verdict was made from, the newest first. A row of MACHINE has no verdict before there was one. */
static size_t list_base(const struct run_row *base[VERDICT_WINDOW], const struct suspects_ask *ask,
                        const struct night_row *row)
{
    const int64_t since = accepted_since(ask->past, row);
    size_t n = 0;
    for (size_t i = ask->past->earlier_count; i-- > 0 && n < VERDICT_WINDOW;) {
        const struct night_row *e = &ask->past->earlier[i];
        if (strcmp(e->series, row->series) != 0 || e->flagged || !judge_has_verdict(e))
            continue;
        const struct run_row *run = run_of(ask->past, e->run);
        if (run && run->start_unix_s >= since)
            base[n++] = run;
    }
    return n;
}

enum status suspects_find(struct night_event **events, size_t *count, bool *of_base, struct store *store,
                          const struct suspects_ask *ask, struct err *err)
{
    const struct run_row *base[VERDICT_WINDOW];
    const struct night_row *red = first_red(ask);
    size_t n = red ? list_base(base, ask, red) : 0;
    *of_base = n > 0;
    *events = NULL;
    *count = 0;
    if (n == 0 && !ask->before)
        return ST_OK;
    enum status st = night_events(events, count, store, n ? base[0] : ask->before, ask->tonight, err);
    for (size_t i = 1; i < n && st == ST_OK; i++)
        st = night_events_drop(*events, count, store, base[i], ask->tonight, err);
    return st;
}
