#include "kernels/cuda/branches.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/layout.h"

#define WAIT_NS 1500.0      /* what an event between two streams adds: a lane must be worth it */

/* --- what a step touches ----------------------------------------------------------------------------------------- */

/* Channels first .. end - 1 of the buffer `root`, which is no slice. */
struct access {
    int root, first, end;
    bool writes;
};
struct touched {
    struct access at[PLAN_STEP_BUFFERS];
    int count;
};

/* Only these kinds tell what they write; of the others every buffer counts as written. */
static bool tells_writes(enum step_kind kind)
{
    return kind == STEP_CONV || kind == STEP_STATS || kind == STEP_APPLY;
}

static struct touched touched_by(const struct gpu_net *net, const struct choice *choices, int index)
{
    struct touched t = { .count = 0 };
    int ids[PLAN_STEP_BUFFERS], written;
    int count = layout_buffers(ids, &written, net, choices, index);
    bool tells = tells_writes(net->plan->steps[index].kind);
    for (int i = 0; i < count; i++) {
        const struct buffer *b = &net->plan->buffers[ids[i]];
        bool slice = b->parent != PLAN_NONE;
        struct access *a = &t.at[t.count++];
        *a = (struct access){ slice ? b->parent : ids[i], 0, b->tensor ? b->c : 1, !tells || i < written };
        if (slice)
            *a = (struct access){ b->parent, b->first_channel, b->first_channel + b->c, a->writes };
    }
    return t;
}

static bool depend(const struct touched *a, const struct touched *b)
{
    for (int i = 0; i < a->count; i++)
        for (int k = 0; k < b->count; k++) {
            const struct access *x = &a->at[i], *y = &b->at[k];
            if (x->root == y->root && (x->writes || y->writes) && x->first < y->end && y->first < x->end)
                return true;
        }
    return false;
}

/* --- the past ---------------------------------------------------------------------------------------------------- */

static uint64_t *past_of(const struct branches *b, int step)
{
    return b->past + (size_t)step * b->words;
}

bool branches_before(const struct branches *b, int first, int second)
{
    return past_of(b, second)[first / 64] >> (first % 64) & 1u;
}

/* `step` comes after `first` and all that is before that. */
static void put_after(struct branches *b, int step, int first)
{
    const uint64_t *from = past_of(b, first);
    uint64_t *to = past_of(b, step);
    for (size_t i = 0; i < b->words; i++)
        to[i] |= from[i];
    to[first / 64] |= UINT64_C(1) << (first % 64);
}

/* --- choosing lanes ---------------------------------------------------------------------------------------------- */

struct schedule {
    const struct gpu_net *net;
    const struct choice *choices;
    int batch;
    struct touched *touched;        /* [steps] */
    double *done_ns;                /* [steps] predicted */
    double free_ns[BRANCHES_MAX];
};

static double cost_ns(const struct schedule *s, int index)
{
    const struct step *step = &s->net->plan->steps[index];
    const struct gpu_speed *speed = &s->net->device->card.speed;
    if (step->kind != STEP_CONV)
        return predict_pass_ns((size_t)s->batch * step->bytes, speed);
    struct conv_shape shape = step->u.conv.shape;
    shape.n = s->batch;
    return predict_conv_ns(&shape, s->net->math, speed);
}

/* The lane on which the step ends first; of equal ones that of its latest forerunner, which it then need not wait for. */
static int choose_lane(const struct schedule *s, const struct branches *b, int index, int most, double *start_ns)
{
    double ready_ns[BRANCHES_MAX] = { 0 }, best_ns = 0;
    int best = PLAN_NONE;
    for (int i = 0; i < index; i++)
        for (int lane = 0; lane < most && depend(&s->touched[i], &s->touched[index]); lane++) {
            double at_ns = s->done_ns[i] + (b->lane[i] == lane ? 0 : WAIT_NS);
            ready_ns[lane] = at_ns > ready_ns[lane] ? at_ns : ready_ns[lane];
        }
    for (int lane = 0; lane < most; lane++) {
        double at_ns = ready_ns[lane] > s->free_ns[lane] ? ready_ns[lane] : s->free_ns[lane];
        if (best == PLAN_NONE || at_ns < best_ns) {
            best = lane;
            best_ns = at_ns;
        }
    }
    *start_ns = best_ns;
    return best;
}

/* The latest step of another lane that `step` depends on and whose end is not certain yet. */
static void wait_for(struct branches *b, const struct schedule *s, int step)
{
    for (int i = step - 1; i >= 0; i--) {
        int lane = b->lane[i];
        if (!depend(&s->touched[i], &s->touched[step]) || branches_before(b, i, step))
            continue;
        b->after[step][lane] = i; /* the first that is found: earlier ones of its lane are in its past */
        b->signals[i] = true;
        put_after(b, step, i);
    }
}

static void put_step(struct branches *b, struct schedule *s, int step, int most)
{
    double start_ns = 0;
    for (int k = 0; k < BRANCHES_MAX; k++)
        b->after[step][k] = PLAN_NONE;
    if (s->touched[step].count == 0) /* left out: it takes no time, and nothing waits for it */
        return;
    int lane = choose_lane(s, b, step, most, &start_ns);
    double took_ns = cost_ns(s, step);
    b->lane[step] = lane;
    if (b->last[lane] != PLAN_NONE)
        put_after(b, step, b->last[lane]);
    wait_for(b, s, step);
    s->done_ns[step] = start_ns + took_ns;
    s->free_ns[lane] = s->done_ns[step];
    b->last[lane] = step;
    b->serial_ns += took_ns;
    b->critical_ns = s->done_ns[step] > b->critical_ns ? s->done_ns[step] : b->critical_ns;
    b->lanes = lane + 1 > b->lanes ? lane + 1 : b->lanes;
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static enum status allocate(struct branches *b, struct schedule *s, int steps, struct err *err)
{
    size_t count = (size_t)steps + 1;
    *b = (struct branches){ .lanes = 1, .steps = steps, .words = (count + 63) / 64 };
    b->lane = calloc(count, sizeof *b->lane);
    b->after = calloc(count, sizeof *b->after);
    b->signals = calloc(count, sizeof *b->signals);
    b->past = calloc(count * b->words, sizeof *b->past);
    s->touched = calloc(count, sizeof *s->touched);
    s->done_ns = calloc(count, sizeof *s->done_ns);
    for (int lane = 0; lane < BRANCHES_MAX; lane++)
        b->last[lane] = PLAN_NONE;
    return b->lane && b->after && b->signals && b->past && s->touched && s->done_ns
               ? ST_OK
               : err_set(err, ST_OUT_OF_MEMORY, "no memory to divide %d steps", steps);
}

enum status branches_plan(struct branches *out, const struct gpu_net *net, const struct choice *choices, int batch,
                          int most, struct err *err)
{
    struct schedule s = { .net = net, .choices = choices, .batch = batch };
    int steps = net->plan->step_count;
    enum status st = allocate(out, &s, steps, err);
    for (int i = 0; i < steps && st == ST_OK; i++)
        s.touched[i] = touched_by(net, choices, i);
    for (int i = 0; i < steps && st == ST_OK; i++)
        put_step(out, &s, i, most < BRANCHES_MAX ? most : BRANCHES_MAX);
    free(s.touched);
    free(s.done_ns);
    if (st != ST_OK)
        branches_free(out);
    return st;
}

void branches_free(struct branches *b)
{
    free(b->lane);
    free(b->after);
    free(b->signals);
    free(b->past);
    *b = (struct branches){ .lanes = 0 };
}
