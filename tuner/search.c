#include "tuner/search.h"

#include <math.h>
#include <string.h>

static const double growth = 0.0198026272961797;      /* ln(1.02): less is flat */
static const double midpoint_gain = 0.0295588022415444; /* ln(1.03): a size in between must gain so much */
static const double clear_gain = 0.1397619423751587;  /* ln(1.15): more than most disturbed blocks hide */
static const double coarse_cut = -0.2876820724517809; /* ln(0.75): leaves room for drift and spikes of coarse
                                                         blocks */
static const double fast_iteration_ns = 100e6;        /* below it small sizes cost little: go on to 8 at
                                                         least */
enum { FAILURES_END = 2, FLAT_ENDS = 2, FLAT_FROM = 4, FLAT_FROM_FAST = 8, BISECTIONS = 3,
       COARSE_BLOCKS = 3 };

/* `stuck`: a result is missing, out->next says which; every step returns at once then. */
struct walk {
    const struct search_ask *ask;
    struct search_answer    *out;
    bool stuck;
    double best;      /* largest y of the powers of two */
    int K, L;         /* smallest power of two within X of it; smallest that reaches it */
};

static struct search_size *find(struct search_answer *a, int batch)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->sizes[i].batch == batch)
            return &a->sizes[i];
    return NULL;
}

/* A new size at its place in the order; a full list drops it (it cannot fill: see SEARCH_SIZES_MAX). */
static struct search_size *insert(struct search_answer *a, int batch)
{
    size_t i = a->count;
    if (a->count == SEARCH_SIZES_MAX)
        return NULL;
    while (i > 0 && a->sizes[i - 1].batch > batch)
        i--;
    memmove(&a->sizes[i + 1], &a->sizes[i], (a->count - i) * sizeof a->sizes[0]);
    a->count++;
    a->sizes[i] = (struct search_size){ .batch = batch, .y = NAN, .m = NAN };
    return &a->sizes[i];
}

static const struct search_result *result_of(const struct search_ask *ask, int batch)
{
    for (size_t i = 0; i < ask->result_count; i++)
        if (ask->results[i].batch == batch)
            return &ask->results[i];
    return NULL;
}

static void take_result(struct search_size *s, const struct search_result *r)
{
    s->why = r->why;
    s->has_y = r->why == WHY_NONE;
    s->y = s->has_y ? r->y : NAN;
}

/* The size with its result, or NULL: then the walk is stuck, or the budget is over and the size stays
 * untried. */
static struct search_size *probe(struct walk *w, int batch)
{
    const struct search_result *r = result_of(w->ask, batch);
    if (!r && !w->ask->out_of_budget) {
        w->stuck = true;
        w->out->next = batch;
    }
    struct search_size *s = r ? insert(w->out, batch) : NULL;
    if (s)
        take_result(s, r);
    return s;
}

static bool is_power(int batch)
{
    return (batch & (batch - 1)) == 0;
}

/* Powers of two from `batch` on that were not tried. */
static void skip_rest(struct walk *w, int batch, enum why why)
{
    for (long b = batch; b <= w->ask->max_batch; b *= 2) {
        struct search_size *s = insert(w->out, (int)b);
        if (s)
            s->why = why;
    }
}

static int flat_from(const struct walk *w)
{
    const struct search_result *one = result_of(w->ask, 1);
    return one && one->why == WHY_NONE && one->t_iter_ns < fast_iteration_ns ? FLAT_FROM_FAST : FLAT_FROM;
}

static void ascend(struct walk *w)
{
    int failed = 0, over = 0, flat = 0;
    w->best = -INFINITY;
    for (long b = 1; b <= w->ask->max_batch; b *= 2) {
        const struct search_size *s = probe(w, (int)b);
        if (w->stuck)
            return;
        if (!s) {
            skip_rest(w, (int)b, WHY_NOT_TRIED_BUDGET);
            return;
        }
        if (s->why == WHY_OVER_SLO) {
            failed = 0;
            if (++over == FAILURES_END) {
                skip_rest(w, (int)(2 * b), WHY_NOT_TRIED_OVER_SLO);
                return;
            }
            continue;
        }
        if (!s->has_y) {
            if (++failed == FAILURES_END) {
                skip_rest(w, (int)(2 * b), WHY_NOT_TRIED_FAILED);
                return;
            }
            continue;
        }
        failed = over = 0;
        flat = s->y > w->best + growth ? 0 : flat + 1;
        w->best = fmax(w->best, s->y);
        if (flat >= FLAT_ENDS && b >= flat_from(w)) {
            skip_rest(w, (int)(2 * b), WHY_NOT_TRIED_DOMINATED);
            return;
        }
    }
}

/* K and L of the rule; both 0 if nothing ran. */
static void find_knees(struct walk *w)
{
    w->K = w->L = 0;
    for (size_t i = 0; i < w->out->count; i++) {
        const struct search_size *s = &w->out->sizes[i];
        if (!w->K && s->has_y && s->y >= w->best + log1p(-w->ask->within))
            w->K = s->batch;
        if (!w->L && s->has_y && s->y >= w->best)
            w->L = s->batch;
    }
}

/* Probes a size in between unless it was tried or is out of range. */
static void probe_between(struct walk *w, int batch)
{
    if (!w->stuck && batch >= 1 && batch <= w->ask->max_batch && !find(w->out, batch))
        probe(w, batch);
}

static void probe_midpoints(struct walk *w)
{
    int K = w->K, L = w->L;
    const int mids[] = { K >= 8 ? 3 * K / 8 : 0, K >= 4 ? 3 * K / 4 : 0, K >= 2 ? 3 * K / 2 : 0,
                         L >= 4 ? 3 * L / 4 : 0, L >= 2 ? 3 * L / 2 : 0 };
    for (int b = 1; b <= 3 * L / 2; b++) /* ascending */
        for (size_t i = 0; i < sizeof mids / sizeof mids[0]; i++)
            if (mids[i] == b)
                probe_between(w, b);
}

/* Largest size that runs, and the smallest above it that was tried and did not; *failed 0 if there is
 * none. */
static void find_edge(const struct search_answer *a, int *runs, int *failed)
{
    *runs = *failed = 0;
    for (size_t i = 0; i < a->count; i++)
        if (a->sizes[i].has_y)
            *runs = a->sizes[i].batch;
    for (size_t i = a->count; i-- > 0 && a->sizes[i].batch > *runs;)
        if (a->sizes[i].why < WHY_OVER_SLO)
            *failed = a->sizes[i].batch;
}

/* If throughput still grew at the largest power of two that runs: how far does the memory reach? */
static void bisect(struct walk *w)
{
    for (int i = 0; i < BISECTIONS && !w->stuck; i++) {
        int runs, failed;
        find_edge(w->out, &runs, &failed);
        if (runs >= 2 * w->L || !failed || failed - runs < 2)
            return;
        probe_between(w, runs + (failed - runs) / 2);
    }
}

static bool gains(const struct walk *w, const struct search_size *s)
{
    return s->has_y && !is_power(s->batch) && s->y >= w->best + midpoint_gain;
}

/* A size in between that may race. */
static bool is_admitted(const struct walk *w, const struct search_size *s)
{
    return gains(w, s) || (w->ask->refine && s->has_y && !is_power(s->batch));
}

/* Around every size in between that gains: half way to both neighbours, once. */
static void probe_neighbours(struct walk *w)
{
    int gaining[SEARCH_SIZES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < w->out->count; i++)
        if (gains(w, &w->out->sizes[i]))
            gaining[n++] = w->out->sizes[i].batch;
    for (size_t k = 0; k < n && !w->stuck; k++) {
        size_t at = (size_t)(find(w->out, gaining[k]) - w->out->sizes);
        int below = at > 0 ? w->out->sizes[at - 1].batch : 0;
        int above = at + 1 < w->out->count ? w->out->sizes[at + 1].batch : 0;
        if (below)
            probe_between(w, below + (gaining[k] - below) / 2);
        if (above)
            probe_between(w, gaining[k] + (above - gaining[k]) / 2);
    }
}

/* The size in use is probed even if the ascent ended below it. */
static void probe_incumbent(struct walk *w)
{
    int batch = w->ask->incumbent;
    struct search_size *s = batch > 0 ? find(w->out, batch) : NULL;
    const struct search_result *r = batch > 0 ? result_of(w->ask, batch) : NULL;
    if (batch <= 0 || w->stuck)
        return;
    if (s && r) {
        take_result(s, r);
    } else if (!r && w->ask->out_of_budget) {
        s = s ? s : insert(w->out, batch);
        if (s)
            s->why = WHY_NOT_TRIED_BUDGET;
    } else {
        probe(w, batch);
    }
}

static void refuse(struct search_size *s, enum why why, double against, int rival)
{
    s->why = why;
    s->m = s->y - against;
    s->rival = rival;
}

/* Midpoints that do not gain, powers of two that are far off. */
static void cut(struct walk *w)
{
    double top = w->best;
    int leader = w->L;
    for (size_t i = 0; i < w->out->count; i++) {
        struct search_size *s = &w->out->sizes[i];
        if (s->has_y && !is_power(s->batch) && !is_admitted(w, s) && s->batch != w->ask->incumbent)
            refuse(s, WHY_MIDPOINT_NO_GAIN, w->best, w->L);
        else if (s->has_y && s->y > top && (is_power(s->batch) || is_admitted(w, s))) {
            top = s->y;
            leader = s->batch;
        }
    }
    for (size_t i = 0; i < w->out->count; i++) {
        struct search_size *s = &w->out->sizes[i];
        if (s->has_y && s->why == WHY_NONE && is_power(s->batch) && s->y < top + coarse_cut &&
            s->batch != w->ask->incumbent)
            refuse(s, WHY_SLOWER_COARSE, top, leader);
    }
}

/* Never more than SEARCH_CANDIDATES_MAX: the slowest go; K, L and the incumbent stay. */
static void thin_out(struct walk *w)
{
    for (;;) {
        struct search_size *slowest = NULL;
        size_t candidates = 0;
        for (size_t i = 0; i < w->out->count; i++) {
            struct search_size *s = &w->out->sizes[i];
            if (s->why != WHY_NONE)
                continue;
            candidates++;
            if (s->batch != w->K && s->batch != w->L && s->batch != w->ask->incumbent &&
                (!slowest || s->y < slowest->y))
                slowest = s;
        }
        if (candidates <= SEARCH_CANDIDATES_MAX || !slowest)
            return;
        refuse(slowest, WHY_SLOWER_COARSE, w->best, w->L);
    }
}

static void walk_given(struct walk *w)
{
    for (size_t i = 0; i < w->ask->given_count; i++) {
        const struct search_size *s = probe(w, w->ask->given[i]);
        if (w->stuck)
            return;
        struct search_size *untried = s ? NULL : insert(w->out, w->ask->given[i]);
        if (untried)
            untried->why = WHY_NOT_TRIED_BUDGET;
    }
}

void search_step(struct search_answer *out, const struct search_ask *ask)
{
    struct walk w = { .ask = ask, .out = out };
    out->next = 0;
    out->count = 0;
    out->knee = 0;
    if (ask->given) {
        walk_given(&w);
        return;
    }
    ascend(&w);
    if (w.stuck)
        return;
    find_knees(&w);
    out->knee = w.K;
    if (!w.L)
        return; /* nothing ran */
    probe_midpoints(&w);
    bisect(&w);
    probe_neighbours(&w);
    probe_incumbent(&w);
    if (w.stuck)
        return;
    cut(&w);
    thin_out(&w);
}

bool search_probed_enough(const struct search_answer *sofar, int batch, double y, int blocks)
{
    double best = -INFINITY;
    for (size_t i = 0; i < sofar->count; i++)
        if (sofar->sizes[i].has_y && is_power(sofar->sizes[i].batch))
            best = fmax(best, sofar->sizes[i].y);
    if (blocks >= COARSE_BLOCKS || !isfinite(best))
        return blocks >= COARSE_BLOCKS;
    double once = is_power(batch) ? clear_gain : midpoint_gain, twice = is_power(batch) ? growth : -INFINITY;
    return y >= best + (blocks == 1 ? once : twice);
}
