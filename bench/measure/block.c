#include "bench/measure/block.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/measure/block_rule.h"
#include "bench/measure/validity.h"

/* Everything that is stored of one block, gathered before the one transaction. */
struct gathered {
    struct block_row row;
    struct field_row telemetry[TELEMETRY_COUNT];
    struct mark_row marks[VALIDITY_COUNT + 1];
    size_t mark_count;
    struct block_values values;
    bool   throttled;
};

static enum status run_between_looks(struct worker_run_result *run, struct telemetry_block *machine,
                                     struct execution *x, const struct block_ask *ask, struct err *err)
{
    int most = ask->max_iterations ? ask->max_iterations : BLOCK_MAX_ITERATIONS;
    struct worker_run_ask request = { .batch = ask->batch,
                                      .min_ns = ask->min_ns,
                                      .min_iterations = ask->min_iterations,
                                      .max_iterations = most,
                                      .unmeasured = ask->unmeasured };
    uint64_t iterations = (uint64_t)(ask->min_iterations + ask->unmeasured);
    uint64_t deadline_ns = worker_run_deadline(ask->min_ns + iterations * ask->t_iter_ns);
    if (worker_is_virtual(x->worker)) {
        enum status st = worker_run(x->worker, &request, run, deadline_ns, err);
        telemetry_of_answer(machine, st == ST_OK ? run->telemetry : NULL);
        return st;
    }
    if (!x->telemetry) {
        enum status st = telemetry_open(&x->telemetry, NULL, worker_pid(x->worker), err);
        if (st != ST_OK)
            return st;
    }
    telemetry_begin(x->telemetry);
    enum status st = worker_run(x->worker, &request, run, deadline_ns, err);
    telemetry_end(x->telemetry, machine);
    return st;
}

static void add_mark(struct gathered *g, const char *reason, double value, double limit)
{
    struct mark_row *m = &g->marks[g->mark_count++];
    *m = (struct mark_row){
        .subject = "block", .value = value, .limit = limit, .rule_version = CAMPAIGN_RULE_VERSION
    };
    snprintf(m->reason, sizeof m->reason, "%s", reason);
}

/* Counts the block for the rule of shared machines, then judges it. */
static void judge(struct gathered *g, struct campaign_state *c, const struct worker_run_result *run,
                  const struct telemetry_block *machine)
{
    struct validity v = validity_check(&(struct validity_ask){ .telemetry = machine,
                                                               .caller_ns = run->answered_ns - run->sent_ns,
                                                               .worker_ns = run->end_ns - run->start_ns,
                                                               .iteration_ns = run->iteration_ns,
                                                               .iterations = run->iterations });
    c->blocks_seen++;
    c->blocks_shared += validity_shared_hit(&v);
    c->shared_machine = c->shared_machine || validity_machine_is_shared(c->blocks_seen, c->blocks_shared);
    g->row.valid = validity_holds(&v, c->shared_machine) && isfinite(g->row.y);
    g->throttled = v.hit[VALIDITY_THERMAL];
    for (int i = 0; i < VALIDITY_COUNT; i++)
        if (v.hit[i])
            add_mark(g, validity_name((enum validity_rule)i), v.value[i], v.limit[i]);
}

static void gather(struct gathered *g, const struct execution *x, const struct block_ask *ask,
                   const struct worker_run_result *run, const struct telemetry_block *machine)
{
    g->values = block_evaluate(x->target->plan->mode, ask->batch, run->iteration_ns, run->compute_ns,
                               run->iterations, run->end_ns - run->start_ns);
    g->row = (struct block_row){
        .execution = x->row.id,
        .round = ask->round,
        .place = ask->place,
        .batch = ask->batch,
        .kind = ask->kind,
        .retry = ask->retry,
        .start_ns = run->sent_ns,
        .end_ns = run->answered_ns,
        .worker_start_ns = run->start_ns,
        .worker_end_ns = run->end_ns,
        .images = ask->batch * (int)run->iterations,
        .outputs = run->outputs,
        .iterations = (int)run->iterations,
        .unmeasured = ask->unmeasured,
        .y = g->values.y,
        .wall_images_per_s = g->values.wall_images_per_s,
    };
    telemetry_rows(g->telemetry, machine);
    g->mark_count = 0;
    judge(g, x->campaign, run, machine);
    if (g->values.grouped)
        add_mark(g, "grouped", g->values.median_ns, 50e3);
}

static enum status store_gathered(struct gathered *g, struct execution *x,
                                  const struct worker_run_result *run, struct err *err)
{
    struct store_block_parts parts = {
        .samples = { run->iteration_ns, run->h2d_ns, run->compute_ns, run->d2h_ns },
        .telemetry = g->telemetry,
        .telemetry_count = TELEMETRY_COUNT,
        .marks = g->marks,
        .mark_count = g->mark_count,
    };
    return store_append_block(x->campaign->store, &g->row, &parts, err);
}

static struct block_fact fact_of(const struct gathered *g)
{
    const struct block_row *r = &g->row;
    return (struct block_fact){
        .id = r->id,
        .execution = r->execution,
        .round = r->round,
        .place = r->place,
        .batch = r->batch,
        .retry = r->retry,
        .iterations = r->iterations,
        .kind = r->kind,
        .valid = r->valid,
        .throttled = !r->valid && g->throttled,
        .y = r->y,
        .wall_images_per_s = r->wall_images_per_s,
        .t_iter_ns = g->values.median_ns,
        .measured_ns = r->worker_end_ns - r->worker_start_ns,
        .spent_ns = r->end_ns - r->start_ns,
        .energy_j = NAN,
    };
}

static enum status remember(struct block_fact *fact, struct execution *x, const struct worker_run_result *run,
                            struct err *err)
{
    if (fact->kind != BLOCK_WARMUP) {
        fact->iteration_ns = history_copy_times(run->iteration_ns, run->iterations);
        if (!fact->iteration_ns)
            return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu iteration times", run->iterations);
    }
    return history_add_block(&x->target->history, fact, err);
}

enum status block_measure(struct block_fact *out, struct worker_run_result *run, struct execution *x,
                          const struct block_ask *ask, struct err *err)
{
    struct worker_run_result answer = { 0 };
    struct telemetry_block machine;
    struct gathered g;
    enum status st = run_between_looks(&answer, &machine, x, ask, err);
    if (st != ST_OK)
        return st;
    gather(&g, x, ask, &answer, &machine);
    st = store_gathered(&g, x, &answer, err);
    if (st == ST_OK) {
        *out = fact_of(&g);
        st = remember(out, x, &answer, err);
    }
    if (st == ST_OK && run)
        *run = answer;
    else
        worker_run_free(&answer);
    return st;
}
