#include "bench/measure/open_loop_send.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/measure/validity.h"
#include "kernels/base/len.h"
#include "tuner/queue.h"

/* Before the first request: nothing is late because it was planned for now. */
#define LEAD_NS UINT64_C(50000000)

/* What holds a worker back and is no fault of the service: a CPU quota that stops it for over 0.5 % of the
 * loop (a block of 100 ms is refused for less, but can be repeated), and heat. */
static const struct held {
    enum telemetry_field field;
    enum validity_rule rule;
    double most_per_s;               /* of the field, in a second of the loop */
} helds[] = {
    { TELEMETRY_THROTTLED_USEC, VALIDITY_QUOTA, 5000 },
    { TELEMETRY_THERMAL_COUNT, VALIDITY_THERMAL, 0 },
};
enum { HELD_COUNT = LEN(helds) };

struct sending {
    struct execution *x;
    struct open_loop_fact *fact;
    const int *as;
    double  *arrival_s;              /* [count] */
    uint64_t start_ns, t_iter_ns;
    size_t   next;                   /* first request that was not sent */
    double   free_s[QUEUE_INSTANCES_MAX]; /* when each instance answered last; busy: not yet known */
    bool     busy[QUEUE_INSTANCES_MAX];
    size_t   call_of[QUEUE_INSTANCES_MAX];
    struct worker_run_ask asked[QUEUE_INSTANCES_MAX];
    double   held[HELD_COUNT];       /* by their fields, over the whole loop */
};

static size_t instances_of(const struct sending *s)
{
    return (size_t)s->fact->ask.instances;
}

/* The idle instance that has been free for longest; instances_of(s): none is idle. */
static size_t idle_instance(const struct sending *s)
{
    size_t best = instances_of(s);
    for (size_t k = 0; k < instances_of(s); k++)
        if (!s->busy[k] && (best == instances_of(s) || s->free_s[k] < s->free_s[best]))
            best = k;
    return best;
}

static bool any_busy(const struct sending *s)
{
    for (size_t k = 0; k < instances_of(s); k++)
        if (s->busy[k])
            return true;
    return false;
}

/* --- the machine ---------------------------------------------------------------------------------------- */

static void add_held(struct sending *s, const struct telemetry_block *machine)
{
    double number;
    for (int i = 0; i < HELD_COUNT; i++)
        if (telemetry_get(&number, machine, helds[i].field))
            s->held[i] += number;
}

static void begin_looking(const struct sending *s)
{
    for (size_t k = 0; k < instances_of(s); k++)
        if (s->x->all.telemetry[k])
            telemetry_begin(s->x->all.telemetry[k]);
}

static void end_looking(struct sending *s)
{
    const struct open_loop_fact *f = s->fact;
    double loop_s = f->call_count ? (double)f->calls[f->call_count - 1].answered_ns / 1e9 : 0;
    struct telemetry_block machine;
    for (size_t k = 0; k < instances_of(s); k++)
        if (s->x->all.telemetry[k]) {
            telemetry_end(s->x->all.telemetry[k], &machine);
            add_held(s, &machine);
        }
    for (int i = 0; i < HELD_COUNT; i++)
        if (s->held[i] > helds[i].most_per_s * loop_s)
            snprintf(s->fact->disturbed, sizeof s->fact->disturbed, "%s", validity_name(helds[i].rule));
}

/* --- one call ------------------------------------------------------------------------------------------- */

static enum status take_answer(struct sending *s, size_t k, struct err *err)
{
    struct worker_run_result run;
    struct open_loop_call *call = &s->fact->calls[s->call_of[k]];
    enum status st = worker_run_receive(s->x->all.workers[k], &s->asked[k], &run, err);
    if (st != ST_OK)
        return st;
    call->sent_ns = run.sent_ns - s->start_ns;
    call->answered_ns = run.answered_ns - s->start_ns;
    call->service_ns = run.iteration_ns[0];
    if (s->x->campaign->virtual_time) { /* its answers stand for the machine's counters */
        struct telemetry_block machine;
        telemetry_of_answer(&machine, run.telemetry);
        add_held(s, &machine);
    }
    worker_run_free(&run);
    s->free_s[k] = (double)call->answered_ns / 1e9;
    s->busy[k] = false;
    return ST_OK;
}

/* Answers that are there. */
static enum status take_answers(struct sending *s, struct err *err)
{
    enum status st = ST_OK;
    for (size_t k = 0; k < instances_of(s) && st == ST_OK; k++)
        if (s->busy[k] && worker_is_settled(s->x->all.workers[k]))
            st = take_answer(s, k, err);
    return st;
}

/* Until that time, or an answer, or a tick. */
static enum status wait_a_while(struct sending *s, uint64_t until_ns, struct err *err)
{
    struct worker *busy[QUEUE_INSTANCES_MAX];
    size_t n = 0;
    for (size_t k = 0; k < instances_of(s); k++)
        if (s->busy[k])
            busy[n++] = s->x->all.workers[k];
    if (worker_await_any(busy, n, until_ns))
        return take_answers(s, err);
    return campaign_stopped(s->x->campaign) ? err_set(err, ST_INTERRUPTED, "interrupted: --resume goes on")
                                            : ST_OK;
}

static enum status wait_until(struct sending *s, uint64_t planned_ns, struct err *err)
{
    struct campaign_state *c = s->x->campaign;
    enum status st = ST_OK;
    if (c->virtual_time) {
        c->virtual_now_ns = planned_ns; /* back too: another instance's answer may lie behind it */
        return campaign_stopped(c) ? err_set(err, ST_INTERRUPTED, "interrupted: --resume goes on") : ST_OK;
    }
    while (st == ST_OK && campaign_now_ns(c) < planned_ns)
        st = wait_a_while(s, planned_ns, err);
    return st;
}

static enum status send_batch(struct sending *s, size_t k, size_t images, struct err *err)
{
    struct open_loop_fact *f = s->fact;
    int executed = s->as[images];
    s->asked[k] = (struct worker_run_ask){ .batch = executed, .min_iterations = 1, .max_iterations = 1 };
    s->call_of[k] = f->call_count;
    f->calls[f->call_count++] = (struct open_loop_call){ .images = (int)images, .executed = executed };
    s->next += images;
    s->busy[k] = true;
    enum status st =
        worker_run_send(s->x->all.workers[k], &s->asked[k], worker_run_deadline(s->t_iter_ns), err);
    /* in virtual time the answer is there at once, and tells when the instance is free */
    return st == ST_OK && s->x->campaign->virtual_time ? take_answer(s, k, err) : st;
}

static enum status send_next(struct sending *s, struct err *err)
{
    const struct open_loop_ask *ask = &s->fact->ask;
    size_t k = idle_instance(s);
    if (k == instances_of(s))
        return wait_a_while(s, UINT64_MAX, err);
    struct queue_batch b = queue_form(s->arrival_s, ask->count, 1, s->next, s->free_s[k], ask->batch,
                                      (double)ask->delay_ns / 1e9);
    enum status st = wait_until(s, s->start_ns + (uint64_t)ceil(b.start_s * 1e9), err);
    return st == ST_OK ? send_batch(s, k, b.images, err) : st;
}

/* The latest answer is now. */
static void set_virtual_clock(struct sending *s)
{
    struct campaign_state *c = s->x->campaign;
    for (size_t i = 0; i < s->fact->call_count && c->virtual_time; i++)
        if (s->start_ns + s->fact->calls[i].answered_ns > c->virtual_now_ns)
            c->virtual_now_ns = s->start_ns + s->fact->calls[i].answered_ns;
}

enum status open_loop_send(struct open_loop_fact *fact, uint64_t *start_ns, struct execution *x,
                           const int *as, uint64_t t_iter_ns, struct err *err)
{
    struct sending s = { .x = x, .fact = fact, .as = as, .t_iter_ns = t_iter_ns };
    s.arrival_s = malloc(fact->ask.count * sizeof *s.arrival_s);
    if (!s.arrival_s)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu requests", fact->ask.count);
    for (size_t i = 0; i < fact->ask.count; i++)
        s.arrival_s[i] = (double)fact->ask.arrival_ns[i] / 1e9;
    *start_ns = s.start_ns = campaign_now_ns(x->campaign) + LEAD_NS;
    enum status st = ST_OK;
    begin_looking(&s);
    while (st == ST_OK && s.next < fact->ask.count)
        st = send_next(&s, err);
    while (st == ST_OK && any_busy(&s))
        st = wait_a_while(&s, UINT64_MAX, err);
    end_looking(&s);
    set_virtual_clock(&s);
    free(s.arrival_s);
    return st;
}
