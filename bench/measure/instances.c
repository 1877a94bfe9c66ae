#include "bench/measure/instances.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/nvml.h"

/* --- open and close ------------------------------------------------------------------------------------- */

/* The next `threads` CPUs of ours from *next on; false: there are not so many. */
static bool take_cpus(cpu_set_t *out, size_t *next, const cpu_set_t *ours, int threads)
{
    CPU_ZERO(out);
    for (; *next < CPU_SETSIZE && CPU_COUNT(out) < threads; ++*next)
        if (CPU_ISSET(*next, ours))
            CPU_SET(*next, out);
    return CPU_COUNT(out) == threads;
}

static enum status start_all(struct instances *g, struct worker_start start, size_t count, int threads,
                             struct err *err)
{
    cpu_set_t ours, own;
    size_t next = 0;
    CPU_ZERO(&ours);
    sched_getaffinity(0, sizeof ours, &ours);
    start.memory_limit_bytes /= count;
    for (enum status st; g->count < count; g->count++) {
        if (threads > 0 && !take_cpus(&own, &next, &ours, threads))
            return err_set(err, ST_USAGE,
                           "%zu instances of %d thread%s need %zu CPUs of their own, this process may use %d",
                           count, threads, threads == 1 ? "" : "s", count * (size_t)threads, CPU_COUNT(&ours));
        start.cpus = threads > 0 ? &own : NULL;
        st = worker_open(&g->workers[g->count], &start, err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

enum status instances_open(struct instances *out, const struct worker_start *start, size_t count, int threads,
                           struct err *err)
{
    *out = (struct instances){ .workers = calloc(count, sizeof *out->workers),
                               .telemetry = calloc(count, sizeof *out->telemetry),
                               .looks = calloc(count, sizeof *out->looks) };
    enum status st = out->workers && out->telemetry && out->looks
                         ? start_all(out, *start, count, threads, err)
                         : err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu workers", count);
    if (st != ST_OK)
        instances_close(out);
    return st;
}

void instances_close(struct instances *g)
{
    for (size_t i = 0; i < g->count; i++) {
        telemetry_close(g->telemetry[i]);
        worker_close(g->workers[i]);
    }
    free(g->workers);
    free(g->telemetry);
    free(g->looks);
    *g = (struct instances){ 0 };
}

bool instances_alive(const struct instances *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (!worker_alive(g->workers[i]))
            return false;
    return g->count > 0;
}

/* --- failures ------------------------------------------------------------------------------------------- */

/* The first failure of several calls is what they fail with. */
static struct err *unless_failed(enum status st, struct err *err)
{
    return st == ST_OK ? err : NULL;
}

static enum status first_of(enum status st, enum status next)
{
    return st != ST_OK ? st : next;
}

/* After a call: if one has ended, the others are of no use. */
static enum status end_together(struct instances *g, enum status st)
{
    for (size_t i = 0; i < g->count && st != ST_OK && !g->ended; i++)
        if (!worker_alive(g->workers[i]))
            g->ended = g->workers[i];
    for (size_t i = 0; i < g->count && g->ended; i++)
        if (worker_alive(g->workers[i]))
            worker_abort(g->workers[i]);
    return st;
}

/* --- one after the other -------------------------------------------------------------------------------- */

enum status instances_hello(struct instances *g, struct worker_hello *out, struct err *err)
{
    enum status st = worker_hello(g->workers[0], out, WORKER_HELLO_NS, err);
    for (size_t i = 1; i < g->count && st == ST_OK; i++) {
        struct worker_hello same;
        st = worker_hello(g->workers[i], &same, WORKER_HELLO_NS, err);
    }
    return end_together(g, st);
}

enum status instances_load(struct instances *g, const struct worker_load_ask *ask,
                           struct worker_load_result *out, struct err *err)
{
    enum status st = worker_load(g->workers[0], ask, out, WORKER_LOAD_NS, err);
    for (size_t i = 1; i < g->count && st == ST_OK; i++) {
        struct worker_load_result same;
        st = worker_load(g->workers[i], ask, &same, WORKER_LOAD_NS, err);
        out->load_ns = same.load_ns > out->load_ns ? same.load_ns : out->load_ns;
    }
    return end_together(g, st);
}

enum status instances_release(struct instances *g, int batch, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < g->count && st == ST_OK; i++)
        st = worker_release(g->workers[i], batch, WORKER_SHORT_NS, err);
    return end_together(g, st);
}

enum status instances_memory(struct instances *g, struct worker_memory_result *out, struct err *err)
{
    enum status st = ST_OK;
    *out = (struct worker_memory_result){ 0 };
    for (size_t i = 0; i < g->count && st == ST_OK; i++) {
        struct worker_memory_result one;
        st = worker_memory(g->workers[i], &one, WORKER_SHORT_NS, err);
        out->current_bytes += one.current_bytes;
        out->peak_bytes += one.peak_bytes;
        out->foreign = out->foreign || one.foreign;
    }
    if (st != ST_OK)
        *out = (struct worker_memory_result){ 0 };
    return end_together(g, st);
}

/* --- at once -------------------------------------------------------------------------------------------- */

static void add_prepared(struct worker_prepare_result *sum, const struct worker_prepare_result *one)
{
    sum->prepare_ns = one->prepare_ns > sum->prepare_ns ? one->prepare_ns : sum->prepare_ns;
    sum->first_run_ns = one->first_run_ns > sum->first_run_ns ? one->first_run_ns : sum->first_run_ns;
    sum->planned_weights_bytes += one->planned_weights_bytes;
    sum->planned_activations_bytes += one->planned_activations_bytes;
    sum->planned_workspace_bytes += one->planned_workspace_bytes;
    if (!*sum->plan_hash)
        memcpy(sum->plan_hash, one->plan_hash, sizeof sum->plan_hash);
}

enum status instances_prepare(struct instances *g, int batch, struct worker_prepare_result *out,
                              struct err *err)
{
    enum status each[WORKER_GROUP_MAX], st = ST_OK;
    *out = (struct worker_prepare_result){ 0 };
    for (size_t i = 0; i < g->count; i++) {
        each[i] = worker_prepare_send(g->workers[i], batch, WORKER_PREPARE_NS, unless_failed(st, err));
        st = first_of(st, each[i]);
    }
    worker_await(g->workers, g->count);
    for (size_t i = 0; i < g->count; i++) {
        struct worker_prepare_result one;
        if (each[i] != ST_OK)
            continue;
        each[i] = worker_prepare_receive(g->workers[i], &one, unless_failed(st, err));
        st = first_of(st, each[i]);
        add_prepared(out, &one);
    }
    end_together(g, st);
    for (size_t i = 0; i < g->count && st != ST_OK; i++)
        if (each[i] == ST_OK && worker_alive(g->workers[i]))
            worker_release(g->workers[i], batch, WORKER_SHORT_NS, NULL);
    if (st != ST_OK)
        *out = (struct worker_prepare_result){ 0 };
    return st;
}

static enum status open_telemetry(struct instances *g, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < g->count && st == ST_OK; i++)
        if (!g->telemetry[i] && !worker_is_virtual(g->workers[i]))
            st = telemetry_open(&g->telemetry[i], g->root, worker_pid(g->workers[i]), err);
    return st;
}

static enum status run_all(struct instances *g, const struct worker_run_ask *ask,
                           struct worker_run_result *runs, uint64_t deadline_ns, struct err *err)
{
    enum status each[WORKER_GROUP_MAX], st = ST_OK;
    for (size_t i = 0; i < g->count; i++) {
        each[i] = worker_run_send(g->workers[i], ask, deadline_ns, unless_failed(st, err));
        st = first_of(st, each[i]);
    }
    worker_await(g->workers, g->count);
    for (size_t i = 0; i < g->count; i++) {
        runs[i] = (struct worker_run_result){ 0 };
        if (each[i] == ST_OK)
            each[i] = worker_run_receive(g->workers[i], ask, &runs[i], unless_failed(st, err));
        st = first_of(st, each[i]);
    }
    for (size_t i = 0; i < g->count && st != ST_OK; i++)
        worker_run_free(&runs[i]);
    return end_together(g, st);
}

static void begin_looking(const struct instances *g)
{
    pid_t pids[WORKER_GROUP_MAX];
    for (size_t i = 0; i < g->count; i++) {
        pids[i] = worker_pid(g->workers[i]);
        if (g->telemetry[i])
            telemetry_begin(g->telemetry[i]);
    }
    if (g->gpu)
        gpu_begin(g->gpu, pids, g->count, worker_is_virtual(g->workers[0]));
}

/* A device that NVML does not know is as a virtual worker says. */
static void look_at_gpu(struct gpu_block *out, const struct instances *g, const json_t *told)
{
    if (gpu_is_known(g->gpu) || !worker_is_virtual(g->workers[0]))
        gpu_end(g->gpu, out);
    else
        gpu_of_answer(out, told);
}

static void look_at_machine(struct telemetry_block *machine, const struct instances *g,
                            const struct worker_run_result *runs, bool answered)
{
    struct gpu_block gpu = { .present = false };
    if (g->gpu)
        look_at_gpu(&gpu, g, answered ? runs[0].telemetry : NULL);
    for (size_t i = 0; i < g->count; i++)
        if (g->telemetry[i])
            telemetry_end(g->telemetry[i], &g->looks[i]);
        else
            telemetry_of_answer(&g->looks[i], answered ? runs[i].telemetry : NULL);
    telemetry_merge(machine, g->looks, g->count);
    machine->gpu = gpu;
}

/* What a lost device answered means nothing, and who works with it may never come back. */
static enum status give_up_device(struct instances *g, struct worker_run_result *runs, int code, struct err *err)
{
    for (size_t i = 0; i < g->count; i++) {
        worker_run_free(&runs[i]);
        worker_abort(g->workers[i]);
    }
    g->ended = g->workers[0];
    enum status st = nvml_err(err, code, "the device was lost during a block");
    if (err)
        err->from_worker = true;
    return st;
}

enum status instances_run(struct instances *g, const struct worker_run_ask *ask,
                          struct worker_run_result *runs, struct telemetry_block *machine, uint64_t deadline_ns,
                          struct err *err)
{
    enum status st = machine ? open_telemetry(g, err) : ST_OK;
    if (st != ST_OK)
        return st;
    if (machine)
        begin_looking(g);
    st = run_all(g, ask, runs, deadline_ns, err);
    if (machine)
        look_at_machine(machine, g, runs, st == ST_OK);
    return st == ST_OK && machine && machine->gpu.lost ? give_up_device(g, runs, machine->gpu.lost, err) : st;
}
