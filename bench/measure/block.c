#include "bench/measure/block.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/measure/block_rule.h"
#include "bench/measure/block_window.h"
#include "bench/measure/validity.h"
#include "tuner/stats.h"

/* What the instances answered, and what the machine did meanwhile. */
struct measured {
    struct worker_run_result each[WORKER_GROUP_MAX]; /* [count]; of one: `all` */
    size_t count;
    struct worker_run_result all;    /* as one answer */
    struct block_window window;      /* of several instances */
    struct telemetry_block machine;
};

/* Everything that is stored of one block, gathered before the one transaction. */
struct gathered {
    struct block_row row;
    struct field_row telemetry[TELEMETRY_COUNT + GPU_COUNT + 1];
    size_t telemetry_count;
    struct mark_row marks[VALIDITY_COUNT + 1];
    size_t mark_count;
    struct block_values values;
    struct validity validity;
    double energy_j;
    bool   throttled;
};

/* --- measure -------------------------------------------------------------------------------------------- */

static struct worker_run_ask request_of(const struct block_ask *ask, size_t instances)
{
    int least = instances > 1 && ask->min_iterations < WINDOW_LEAST_ITERATIONS ? WINDOW_LEAST_ITERATIONS
                                                                               : ask->min_iterations;
    int most = ask->max_iterations ? ask->max_iterations : BLOCK_MAX_ITERATIONS / (int)instances;
    return (struct worker_run_ask){ .batch = ask->batch,
                                    .min_ns = ask->min_ns,
                                    .min_iterations = least < most ? least : most,
                                    .max_iterations = most,
                                    .unmeasured = instances > 1 ? 0 : ask->unmeasured };
}

/* The unmeasured iterations of several instances are a request of their own: a slow one would else begin to
 * measure later than the others. The protocol always measures one: the last of them. */
static enum status run_unmeasured(struct measured *m, struct execution *x, const struct block_ask *ask,
                                  struct err *err)
{
    if (m->count == 1 || ask->unmeasured < 1)
        return ST_OK;
    struct worker_run_ask request = { .batch = ask->batch, .min_iterations = 1, .max_iterations = 1,
                                      .unmeasured = ask->unmeasured - 1 };
    uint64_t deadline_ns = worker_run_deadline((uint64_t)ask->unmeasured * ask->t_iter_ns);
    enum status st = execution_run(x, &request, m->each, NULL, deadline_ns, err);
    for (size_t i = 0; i < m->count && st == ST_OK; i++)
        worker_run_free(&m->each[i]);
    return st;
}

static void free_each(struct measured *m)
{
    for (size_t i = 0; i < m->count; i++)
        worker_run_free(&m->each[i]);
}

static enum status measure(struct measured *m, struct execution *x, const struct block_ask *ask,
                           struct err *err)
{
    struct worker_run_ask request = request_of(ask, x->all.count);
    uint64_t iterations = (uint64_t)(request.min_iterations + request.unmeasured);
    uint64_t deadline_ns = worker_run_deadline(ask->min_ns + iterations * ask->t_iter_ns);
    *m = (struct measured){ .count = x->all.count };
    enum status st = run_unmeasured(m, x, ask, err);
    if (st == ST_OK)
        st = execution_run(x, &request, m->each, &m->machine, deadline_ns, err);
    if (st != ST_OK)
        return st;
    if (m->count == 1) {
        m->all = m->each[0];
        return ST_OK;
    }
    m->window = block_window_of(m->each, m->count);
    st = block_window_merge(&m->all, m->each, m->count, err);
    if (st != ST_OK)
        free_each(m);
    return st;
}

/* `all` may be kept by somebody else. */
static void measured_free(struct measured *m, bool keep_all)
{
    if (m->count > 1)
        free_each(m);
    if (!keep_all)
        worker_run_free(&m->all);
}

/* --- judge and store ------------------------------------------------------------------------------------ */

static void add_mark(struct gathered *g, const char *reason, double value, double limit)
{
    struct mark_row *m = &g->marks[g->mark_count++];
    *m = (struct mark_row){
        .subject = "block", .value = value, .limit = limit, .rule_version = CAMPAIGN_RULE_VERSION
    };
    snprintf(m->reason, sizeof m->reason, "%s", reason);
}

/* Of the newest valid blocks of this size in this execution; NaN while there are too few. */
static double usual_mhz(const struct execution *x, int batch)
{
    const struct history *h = &x->target->history;
    double mhz[VALIDITY_CLOCK_BLOCKS_MAX];
    size_t n = 0;
    for (size_t i = h->count; i-- > 0 && n < VALIDITY_CLOCK_BLOCKS_MAX;) {
        const struct block_fact *b = &h->blocks[i];
        if (b->execution == x->row.id && b->batch == batch && b->valid && b->gpu.sm_mhz > 0)
            mhz[n++] = b->gpu.sm_mhz;
    }
    return n >= VALIDITY_CLOCK_BLOCKS ? stats_median(mhz, n) : (double)NAN;
}

/* Counts the block for the rule of shared machines, then judges it. */
static void judge(struct gathered *g, const struct execution *x, const struct measured *m, int batch)
{
    struct campaign_state *c = x->campaign;
    struct validity *v = &g->validity;
    *v = validity_check(&(struct validity_ask){ .telemetry = &m->machine,
                                                .runs = m->each,
                                                .run_count = m->count,
                                                .sm_mhz = usual_mhz(x, batch),
                                                .window_ns = m->window.end_ns - m->window.start_ns,
                                                .longest_ns = m->window.longest_ns });
    c->blocks_seen++;
    c->blocks_shared += validity_shared_hit(v);
    c->shared_machine = c->shared_machine || validity_machine_is_shared(c->blocks_seen, c->blocks_shared);
    g->row.valid = validity_holds(v, c->shared_machine) && isfinite(g->row.y);
    g->throttled = v->hit[VALIDITY_THERMAL] || v->hit[VALIDITY_CLOCK];
    for (int i = 0; i < VALIDITY_COUNT; i++)
        if (v->hit[i])
            add_mark(g, validity_name((enum validity_rule)i), v->value[i], v->limit[i]);
}

static struct block_values evaluate(const struct measured *m, const char *mode, int batch)
{
    const struct worker_run_result *r = &m->all;
    uint64_t wall_ns = r->end_ns - r->start_ns;
    return m->count > 1
               ? block_evaluate_window(batch, r->iteration_ns, r->iterations, m->window.iterations, wall_ns)
               : block_evaluate(mode, batch, r->iteration_ns, r->compute_ns, r->iterations, wall_ns);
}

/* A choice that flips between two blocks looks like a change of speed: the record tells them apart. */
static struct field_row plan_row(const char *hash)
{
    struct field_row row = { .name = "plan_hash", .source = "worker", .number = NAN };
    snprintf(row.text, sizeof row.text, "%s", hash);
    return row;
}

static void gather(struct gathered *g, const struct execution *x, const struct block_ask *ask,
                   const struct measured *m)
{
    const struct worker_run_result *run = &m->all;
    double energy_uj = NAN;
    g->values = evaluate(m, x->target->plan->mode, ask->batch);
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
    telemetry_get(&energy_uj, &m->machine, TELEMETRY_ENERGY_UJ);
    g->energy_j = block_energy_j(energy_uj, run->answered_ns - run->sent_ns, g->row.images,
                                 g->row.wall_images_per_s);
    telemetry_rows(g->telemetry, &m->machine);
    g->telemetry_count = TELEMETRY_COUNT;
    if (m->machine.gpu.present) {
        gpu_rows(g->telemetry + TELEMETRY_COUNT, &m->machine.gpu);
        g->telemetry_count += GPU_COUNT;
    }
    if (*execution_plan_hash(x, ask->batch))
        g->telemetry[g->telemetry_count++] = plan_row(execution_plan_hash(x, ask->batch));
    g->mark_count = 0;
    judge(g, x, m, ask->batch);
    if (g->values.grouped)
        add_mark(g, "grouped", g->values.median_ns, 50e3);
}

static enum status store_gathered(struct gathered *g, struct execution *x,
                                  const struct worker_run_result *run, struct err *err)
{
    struct store_block_parts parts = {
        .samples = { run->iteration_ns, run->h2d_ns, run->compute_ns, run->d2h_ns },
        .telemetry = g->telemetry,
        .telemetry_count = g->telemetry_count,
        .marks = g->marks,
        .mark_count = g->mark_count,
    };
    return store_append_block(x->campaign->store, &g->row, &parts, err);
}

/* An absent field switches off the rules that need it: the record says which ones are on. */
static enum status record_rules(struct execution *x, const struct validity *v, struct err *err)
{
    struct field_row row = { .name = "validity_rules", .source = "telemetry", .number = NAN,
                             .class_name = "context" };
    if (x->rules_recorded)
        return ST_OK;
    x->rules_recorded = true;
    validity_looked(row.text, v);
    return store_append_environment(x->campaign->store, x->campaign->run.id, x->row.id, &row, 1, err);
}

static double gpu_or_nan(const struct gpu_block *gpu, enum gpu_field field)
{
    double number;
    return gpu_get(&number, gpu, field) ? number : (double)NAN;
}

static struct block_fact fact_of(const struct gathered *g, const struct gpu_block *gpu)
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
        .energy_j = g->energy_j,
        .gpu = { gpu_or_nan(gpu, GPU_SM_MHZ), gpu_or_nan(gpu, GPU_SM_MHZ_MIN), gpu_or_nan(gpu, GPU_SM_MHZ_MAX),
                 gpu_or_nan(gpu, GPU_CELSIUS_SLOPE) },
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

/* The driver's view of the peak; while others are on the device it is not ours. */
static void note_memory(struct execution *x, const struct gpu_block *gpu)
{
    double used, others;
    if (gpu_get(&used, gpu, GPU_MEMORY_USED) && !(gpu_get(&others, gpu, GPU_FOREIGN) && others > 0) &&
        (uint64_t)used > x->device_used_bytes)
        x->device_used_bytes = (uint64_t)used;
}

enum status block_measure(struct block_fact *out, struct worker_run_result *run, struct execution *x,
                          const struct block_ask *ask, struct err *err)
{
    struct measured m;
    struct gathered g;
    enum status st = measure(&m, x, ask, err);
    if (st != ST_OK)
        return st;
    note_memory(x, &m.machine.gpu);
    gather(&g, x, ask, &m);
    st = store_gathered(&g, x, &m.all, err);
    if (st == ST_OK)
        st = record_rules(x, &g.validity, err);
    if (st == ST_OK) {
        *out = fact_of(&g, &m.machine.gpu);
        st = remember(out, x, &m.all, err);
    }
    bool keep = st == ST_OK && run;
    if (keep)
        *run = m.all;
    measured_free(&m, keep);
    return st;
}
