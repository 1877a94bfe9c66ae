#include "bench/measure/block_window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t length_of(const struct worker_run_result *r)
{
    return r->end_ns - r->start_ns;
}

/* How much longer the run took than its iterations say: 1 where nothing lies between them. */
static double stretch_of(const struct worker_run_result *r)
{
    double sum_ns = 0;
    for (size_t i = 0; i < r->iterations; i++)
        sum_ns += (double)r->iteration_ns[i];
    return sum_ns > 0 ? (double)length_of(r) / sum_ns : 1;
}

/* Iterations of a run inside [from, to], in ns after its start. */
static double inside(const struct worker_run_result *r, double from, double to)
{
    double stretch = stretch_of(r), start = 0, count = 0;
    for (size_t i = 0; i < r->iterations; i++) {
        double length = (double)r->iteration_ns[i] * stretch, end = start + length;
        double overlap = fmin(end, to) - fmax(start, from);
        if (overlap > 0)
            count += overlap / length;
        start = end;
    }
    return count;
}

struct block_window block_window_of(const struct worker_run_result *runs, size_t count)
{
    struct block_window w = { .start_ns = runs[0].began_ns, .end_ns = UINT64_MAX };
    for (size_t i = 0; i < count; i++) {
        const struct worker_run_result *r = &runs[i];
        uint64_t end_ns = r->began_ns + length_of(r);
        w.start_ns = r->began_ns > w.start_ns ? r->began_ns : w.start_ns;
        w.end_ns = end_ns < w.end_ns ? end_ns : w.end_ns;
        w.longest_ns = length_of(r) > w.longest_ns ? length_of(r) : w.longest_ns;
    }
    if (w.end_ns < w.start_ns)
        w.end_ns = w.start_ns;
    for (size_t i = 0; i < count; i++) {
        double ahead = (double)(w.start_ns - runs[i].began_ns); /* of a start that is never later */
        w.iterations += inside(&runs[i], ahead, ahead + (double)(w.end_ns - w.start_ns));
    }
    return w;
}

/* --- merge ---------------------------------------------------------------------------------------------- */

/* One run while the runs are merged: its next iteration and when that ends. */
struct cursor {
    size_t next;
    double end_ns, stretch;
};

static void advance(struct cursor *c, const struct worker_run_result *r)
{
    if (c->next < r->iterations)
        c->end_ns += (double)r->iteration_ns[c->next] * c->stretch;
    else
        c->end_ns = INFINITY;
}

static size_t earliest(const struct cursor *cursors, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (cursors[i].end_ns < cursors[best].end_ns)
            best = i;
    return best;
}

static void copy_iteration(struct worker_run_result *out, size_t to, const struct worker_run_result *r,
                           size_t from)
{
    out->iteration_ns[to] = r->iteration_ns[from];
    if (!out->h2d_ns)
        return;
    out->h2d_ns[to] = r->h2d_ns[from];
    out->compute_ns[to] = r->compute_ns[from];
    out->d2h_ns[to] = r->d2h_ns[from];
}

static void copy_in_order(struct worker_run_result *out, struct cursor *cursors,
                          const struct worker_run_result *runs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cursors[i] = (struct cursor){ .end_ns = (double)(runs[i].began_ns - out->sent_ns),
                                      .stretch = stretch_of(&runs[i]) };
        advance(&cursors[i], &runs[i]);
    }
    for (size_t n = 0; n < out->iterations; n++) {
        size_t i = earliest(cursors, count);
        copy_iteration(out, n, &runs[i], cursors[i].next++);
        advance(&cursors[i], &runs[i]);
    }
}

/* Everything but the times of the iterations. */
static bool sum_up(struct worker_run_result *out, const struct worker_run_result *runs, size_t count)
{
    struct block_window w = block_window_of(runs, count);
    bool stages = true;
    *out = (struct worker_run_result){ .batch = runs[0].batch, .start_ns = w.start_ns, .end_ns = w.end_ns,
                                       .began_ns = w.start_ns, .sent_ns = runs[0].sent_ns,
                                       .times_add_up = true, .clocks_agree = true };
    for (size_t i = 0; i < count; i++) {
        const struct worker_run_result *r = &runs[i];
        out->outputs += r->outputs;
        out->iterations += r->iterations;
        out->sent_ns = r->sent_ns < out->sent_ns ? r->sent_ns : out->sent_ns;
        out->answered_ns = r->answered_ns > out->answered_ns ? r->answered_ns : out->answered_ns;
        out->times_add_up = out->times_add_up && r->times_add_up;
        out->clocks_agree = out->clocks_agree && r->clocks_agree;
        stages = stages && r->h2d_ns;
    }
    return stages;
}

enum status block_window_merge(struct worker_run_result *out, const struct worker_run_result *runs,
                               size_t count, struct err *err)
{
    bool stages = sum_up(out, runs, count);
    size_t n = out->iterations;
    struct cursor *cursors = malloc(count * sizeof *cursors);
    out->room = malloc((stages ? 4 : 1) * n * sizeof *out->room);
    if (!cursors || !out->room) {
        free(cursors);
        worker_run_free(out);
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu iterations of %zu instances", n, count);
    }
    out->iteration_ns = out->room;
    out->h2d_ns = stages ? out->room + n : NULL;
    out->compute_ns = stages ? out->room + 2 * n : NULL;
    out->d2h_ns = stages ? out->room + 3 * n : NULL;
    copy_in_order(out, cursors, runs, count);
    free(cursors);
    return ST_OK;
}
