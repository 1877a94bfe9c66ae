#include "bench/measure/validity.h"

#include <stdio.h>

#include "bench/measure/block_window.h"
#include "kernels/base/len.h"
#include "kernels/base/nvml.h"

static const double steal_share = 0.005;     /* of the block, mean over the worker's CPUs */
static const double pressure_share = 0.10;   /* of the block */
static const double switches_per_s = 100;    /* involuntary, per worker thread; either alone is common */
static const double throttle_share = 0.005;  /* of the block: thermal, power brake and sync boost together */
static const double clock_share = 0.97;      /* of the median clock of the blocks before */
static const double shared_share = 0.10;
enum { SHARED_FROM = 20 };

static const struct {
    const char *name;
    bool shared;
} rows[VALIDITY_COUNT] = {
#define X(id, word, is_shared) [VALIDITY_##id] = { word, is_shared },
    VALIDITY_LIST(X)
#undef X
};

const char *validity_name(enum validity_rule rule)
{
    return rows[rule].name;
}

static void judge(struct validity *v, enum validity_rule rule, double value, double limit)
{
    v->looked[rule] = true;
    v->value[rule] = value;
    v->limit[rule] = limit;
    v->hit[rule] = value > limit;
}

static void check_contended(struct validity *v, const struct telemetry_block *t, double block_ns)
{
    double pressure_us, switches, threads;
    if (!telemetry_get(&pressure_us, t, TELEMETRY_PSI_SOME_USEC) ||
        !telemetry_get(&switches, t, TELEMETRY_INVOLUNTARY))
        return;
    if (!telemetry_get(&threads, t, TELEMETRY_WORKER_THREADS) || threads < 1)
        threads = 1;
    judge(v, VALIDITY_CONTENDED, pressure_us * 1e3 / block_ns, pressure_share);
    v->hit[VALIDITY_CONTENDED] = v->hit[VALIDITY_CONTENDED] &&
                                 switches / threads / (block_ns / 1e9) > switches_per_s;
}

/* What holds a GPU's clocks down and is not its power cap, which capped cards show nearly always under load:
 * that is a covariate. By counter, and for what has none by its bit in two polls running (once it also
 * appears at a change of clocks). */
static const struct {
    enum gpu_field field;
    unsigned long long bit;
} throttles[] = {
    { GPU_SW_THERMAL_NS, NVML_REASON_SW_THERMAL },
    { GPU_HW_THERMAL_NS, NVML_REASON_HW_THERMAL },
    { GPU_POWER_BRAKE_NS, NVML_REASON_POWER_BRAKE },
    { GPU_SYNC_BOOST_NS, NVML_REASON_SYNC_BOOST },
};

static void check_gpu_thermal(struct validity *v, const struct gpu_block *gpu, double block_ns)
{
    double sum_ns = 0, ns, twice = 0;
    bool counted = false;
    const bool has_bits = gpu_get(&twice, gpu, GPU_REASONS_TWICE);
    unsigned long long bits = 0;
    for (size_t i = 0; i < LEN(throttles); i++)
        if (gpu_get(&ns, gpu, throttles[i].field)) {
            counted = true;
            sum_ns += ns;
        } else if (has_bits) {
            bits |= (unsigned long long)twice & throttles[i].bit;
        }
    if (!counted && !has_bits)
        return;
    judge(v, VALIDITY_THERMAL, sum_ns / block_ns, throttle_share);
    if (bits && !v->hit[VALIDITY_THERMAL]) { /* how long is not known: all of it */
        v->hit[VALIDITY_THERMAL] = true;
        v->value[VALIDITY_THERMAL] = 1;
    }
}

static void check_clock(struct validity *v, const struct gpu_block *gpu, double median_mhz)
{
    double mhz;
    if (!(median_mhz > 0) || !gpu_get(&mhz, gpu, GPU_SM_MHZ))
        return;
    v->looked[VALIDITY_CLOCK] = true;
    v->value[VALIDITY_CLOCK] = mhz / median_mhz;
    v->limit[VALIDITY_CLOCK] = clock_share;
    v->hit[VALIDITY_CLOCK] = v->value[VALIDITY_CLOCK] < clock_share;
}

static void check_gpu(struct validity *v, const struct validity_ask *ask, double block_ns)
{
    const struct gpu_block *gpu = &ask->telemetry->gpu;
    double others;
    check_gpu_thermal(v, gpu, block_ns);
    check_clock(v, gpu, ask->sm_mhz);
    if (gpu_get(&others, gpu, GPU_FOREIGN))
        judge(v, VALIDITY_FOREIGN, others, 0);
}

static uint64_t spent_ns(const struct worker_run_result *r)
{
    return r->answered_ns - r->sent_ns;
}

/* The worker's time may be shorter than ours (unmeasured iterations, the way to it and back), hardly longer. */
static void check_worker(struct validity *v, const struct validity_ask *ask)
{
    double most = 0;
    bool add_up = true;
    for (size_t i = 0; i < ask->run_count; i++) {
        const struct worker_run_result *r = &ask->runs[i];
        double ratio = (double)(r->end_ns - r->start_ns) / (double)(spent_ns(r) ? spent_ns(r) : 1);
        most = ratio > most ? ratio : most;
        add_up = add_up && r->times_add_up;
    }
    judge(v, VALIDITY_WORKER, most, 1 + WORKER_CLOCK_SHARE);
    v->hit[VALIDITY_WORKER] = v->hit[VALIDITY_WORKER] || !add_up;
}

static void check_window(struct validity *v, const struct validity_ask *ask)
{
    if (!ask->longest_ns)
        return;
    v->looked[VALIDITY_WINDOW] = true;
    v->value[VALIDITY_WINDOW] = (double)ask->window_ns / (double)ask->longest_ns;
    v->limit[VALIDITY_WINDOW] = WINDOW_LEAST_SHARE;
    v->hit[VALIDITY_WINDOW] = v->value[VALIDITY_WINDOW] < WINDOW_LEAST_SHARE;
}

/* From the first request to the last answer: what the telemetry is of. */
static double block_length_ns(const struct validity_ask *ask)
{
    uint64_t sent_ns = ask->runs[0].sent_ns, answered_ns = ask->runs[0].answered_ns;
    for (size_t i = 1; i < ask->run_count; i++) {
        sent_ns = ask->runs[i].sent_ns < sent_ns ? ask->runs[i].sent_ns : sent_ns;
        answered_ns = ask->runs[i].answered_ns > answered_ns ? ask->runs[i].answered_ns : answered_ns;
    }
    return answered_ns > sent_ns ? (double)(answered_ns - sent_ns) : 1;
}

struct validity validity_check(const struct validity_ask *ask)
{
    struct validity v = { 0 };
    const struct telemetry_block *t = ask->telemetry;
    double block_ns = block_length_ns(ask), number;
    if (t->gpu.present)
        check_gpu(&v, ask, block_ns);
    else if (telemetry_get(&number, t, TELEMETRY_THERMAL_COUNT))
        judge(&v, VALIDITY_THERMAL, number, 0);
    if (telemetry_get(&number, t, TELEMETRY_THROTTLED_USEC))
        judge(&v, VALIDITY_QUOTA, number, 0);
    if (telemetry_get(&number, t, TELEMETRY_STEAL_NS))
        judge(&v, VALIDITY_STEAL, number / (t->cpus > 0 ? t->cpus : 1) / block_ns, steal_share);
    check_contended(&v, t, block_ns);
    check_worker(&v, ask);
    check_window(&v, ask);
    return v;
}

void validity_looked(char text[VALIDITY_TEXT], const struct validity *v)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < VALIDITY_COUNT && used < VALIDITY_TEXT; i++)
        if (v->looked[i])
            used += (size_t)snprintf(text + used, VALIDITY_TEXT - used, "%s%s", used ? " " : "", rows[i].name);
}

bool validity_machine_is_shared(size_t blocks_seen, size_t blocks_hit)
{
    return blocks_seen >= SHARED_FROM && (double)blocks_hit > shared_share * (double)blocks_seen;
}

bool validity_shared_hit(const struct validity *v)
{
    for (int i = 0; i < VALIDITY_COUNT; i++)
        if (v->hit[i] && rows[i].shared)
            return true;
    return false;
}

bool validity_holds(const struct validity *v, bool shared_machine)
{
    for (int i = 0; i < VALIDITY_COUNT; i++)
        if (v->hit[i] && !(shared_machine && rows[i].shared))
            return false;
    return true;
}
