/* Processors, memory and clocks of the machine. */
#include "bench/doctor/checks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/doctor/plan.h"
#include "bench/telemetry/environment.h"
#include "kernels/base/len.h"
#include "kernels/base/text.h"

/* --- clocks and cores ----------------------------------------------------------------------------------- */

static const struct outcome governor_outcomes[] = {
    { .name = "performance", LEVEL_OK, "governor performance on <count> processors (<driver>)", NULL },
    { .name = "governor", LEVEL_WARN,
      "<other> of <count> processors run under the governor <governor> (<driver>)",
      "cpupower frequency-set -g performance" },
    { .name = "capped", LEVEL_WARN,
      "the clock is capped at <max> of <hardware> MHz",
      "cpupower frequency-set -u <hardware>MHz" },
    { .name = "none", LEVEL_NOTE,
      "no cpufreq here, as in most virtual machines: clocks cannot be read",
      NULL },
};

static void look_governor(struct judge *j)
{
    const struct facts_cpu *c = &j->facts->cpu;
    const struct gpu_fill count = { "count", judge_text(j, "%d", c->with_governor) },
                          driver = { "driver", c->driver };
    if (!c->with_governor) {
        SAY(j, "none", count);
        return;
    }
    if (c->not_performance)
        SAY(j, "governor", count, driver, { "other", judge_text(j, "%d", c->not_performance) },
            { "governor", c->governor });
    else
        SAY(j, "performance", count, driver);
    if (c->max_khz < c->hardware_khz)
        SAY(j, "capped", { "max", judge_text(j, "%.0f", c->max_khz / 1000) },
            { "hardware", judge_text(j, "%.0f", c->hardware_khz / 1000) });
}

static const struct outcome turbo_outcomes[] = {
    { .name = "on", LEVEL_NOTE, "turbo is on", NULL },
    { .name = "off", LEVEL_NOTE, "turbo is off", NULL },
};

static const struct field_row *row_of(const struct judge *j, const char *name)
{
    return environment_find(j->facts->cpu.environment, j->facts->cpu.environment_count, name);
}

static void look_turbo(struct judge *j)
{
    const struct field_row *row = row_of(j, "turbo");
    if (row && row->is_number)
        SAY(j, row->number > 0 ? "on" : "off", { "turbo", row->number > 0 ? "on" : "off" });
    else
        judge_unread(j, "intel_pstate/no_turbo and cpufreq/boost",
                     row && *row->absent ? row->absent : "not_supported");
}

static const struct outcome smt_outcomes[] = {
    { .name = "smt", LEVEL_NOTE, "SMT: <state>; <threads> processors on <cores> cores", NULL },
    { .name = "smt_shared", LEVEL_WARN,
      "the plan has <planned> threads on <cores> cores: two will share one",
      "plan with --threads <cores>" },
};

static void look_smt(struct judge *j)
{
    const struct field_row *smt = row_of(j, "smt"), *cores = row_of(j, "cpu_cores");
    if (!cores || !cores->is_number)
        judge_unread(j, "the cores in /proc/cpuinfo",
                     cores && *cores->absent ? cores->absent : "not_supported");
    else {
        const struct doctor_plan *plan = j->ask->plan;
        const struct gpu_fill count = { "cores", judge_text(j, "%.0f", cores->number) };
        SAY(j, "smt", { "state", smt && *smt->text ? smt->text : "the kernel does not tell its state" },
            { "threads",
              j->facts->cpu.online ? judge_text(j, "%d", j->facts->cpu.online) : "an unknown number of" },
            count);
        if (plan && plan->threads > cores->number)
            SAY(j, "smt_shared", count, { "planned", judge_text(j, "%d", plan->threads) });
    }
}

/* --- what this process may use -------------------------------------------------------------------------- */

static const struct outcome quota_outcomes[] = {
    { .name = "none", LEVEL_OK, "no CPU quota", NULL },
    { .name = "quota", LEVEL_NOTE, "a CPU quota of <quota> CPUs", NULL },
    { .name = "oversubscribed", LEVEL_WARN,
      "<source>: <threads> threads on <quota> CPUs",
      "use <fit> threads (<how>)" },
    { .name = "throttled", LEVEL_WARN,
      "the quota throttled this group in <periods> periods within 1 s, while nothing of ours ran",
      "give the group a larger quota, or stop what else runs in it" },
};

static void look_quota(struct judge *j)
{
    const struct facts_cpu *c = &j->facts->cpu;
    const struct doctor_plan *plan = j->ask->plan;
    const char *threads = facts_env(j->facts, "OMP_NUM_THREADS");
    const struct gpu_fill quota = { "quota", judge_text(j, "%.4g", c->quota) };
    const int fit = c->quota >= 1 ? (int)c->quota : 1;
    const struct gpu_fill fits = { "fit", judge_text(j, "%d", fit) };
    const bool by_variable = threads && atof(threads) > c->quota, by_plan = plan && plan->threads > c->quota;
    if (!c->has_quota)
        SAY(j, "none", { "quota", "none" });
    else if (!by_variable && !by_plan)
        SAY(j, "quota", quota);
    if (c->has_quota && by_variable)
        SAY(j, "oversubscribed", quota, fits, { "threads", threads },
            { "source", judge_text(j, "OMP_NUM_THREADS=%s", threads) },
            { "how", judge_text(j, "OMP_NUM_THREADS=%d", fit) });
    if (c->has_quota && by_plan)
        SAY(j, "oversubscribed", quota, fits, { "threads", judge_text(j, "%d", plan->threads) },
            { "source", "the plan" }, { "how", judge_text(j, "--threads %d", fit) });
    const double grew = c->second.throttled - c->first.throttled;
    if (c->sampled && grew > 0)
        SAY(j, "throttled", quota, { "periods", judge_text(j, "%.0f", grew) });
}

static const struct outcome affinity_outcomes[] = {
    { .name = "all", LEVEL_OK, "all <online> processors may be used", NULL },
    { .name = "fewer", LEVEL_NOTE, "<allowed> of <online> processors may be used (<list>)", NULL },
};

static void look_affinity(struct judge *j)
{
    const struct facts_cpu *c = &j->facts->cpu;
    if (!c->allowed || !c->online)
        judge_unread(
            j, !c->allowed ? "Cpus_allowed_list of /proc/self/status" : "/sys/devices/system/cpu/online",
            "not_found");
    else
        SAY(j, c->allowed < c->online ? "fewer" : "all", { "online", judge_text(j, "%d", c->online) },
            { "allowed", judge_text(j, "%d", c->allowed) }, { "list", c->allowed_list });
}

static const struct outcome numa_outcomes[] = {
    { .name = "one", LEVEL_OK, "the processors that may be used are of one NUMA node (<nodes>)", NULL },
    { .name = "spread", LEVEL_WARN,
      "the processors that may be used are of the NUMA nodes <nodes>",
      "keep a run on one node: numactl --cpunodebind=0 --membind=0" },
    { .name = "far_gpu", LEVEL_WARN,
      "GPU <address> is at NUMA node <node>, the processors that may be used at <nodes>",
      "numactl --cpunodebind=<node> --membind=<node>" },
};

static void look_numa(struct judge *j)
{
    const struct facts *f = j->facts;
    const struct gpu_fill nodes = { "nodes", f->cpu.nodes };
    if (!f->cpu.nodes_spanned) {
        judge_unread(j, "/sys/devices/system/node", "not_found");
        return;
    }
    SAY(j, f->cpu.nodes_spanned > 1 ? "spread" : "one", nodes);
    for (size_t i = 0; i < f->pci_count; i++) {
        const int node = f->pci[i].numa_node;
        if (node >= 0 && node < (int)LEN(f->cpu.on_node) && !f->cpu.on_node[node])
            SAY(j, "far_gpu", nodes, { "address", f->pci[i].address }, { "node", judge_text(j, "%d", node) });
    }
}

static const struct outcome isa_outcomes[] = {
    { .name = "isa", LEVEL_NOTE, "the processor has <flags>", NULL },
    { .name = "none", LEVEL_NOTE,
      "the processor has none of avx2, avx512f, avx512_bf16, amx_bf16: bf16 is emulated",
      NULL },
    { .name = "emulated", LEVEL_WARN,
      "bf16 is planned, and the processor has neither avx512_bf16 nor amx_bf16: it is emulated, and slower than f32",
      "plan with --precision f32" },
};

static void look_isa(struct judge *j)
{
    static const char *const names[] = { "avx2", "avx512f", "avx512_bf16", "amx_bf16" };
    const char *all = "";
    for (size_t i = 0; i < LEN(names); i++)
        if (strstr(j->facts->cpu.flags, judge_text(j, " %s ", names[i])))
            all = judge_text(j, "%s%s%s", all, *all ? ", " : "", names[i]);
    if (!*j->facts->cpu.flags)
        judge_unread(j, "the flags in /proc/cpuinfo", "not_found");
    else {
        const char *flags = j->facts->cpu.flags;
        SAY(j, *all ? "isa" : "none", { "flags", all });
        if (j->ask->plan && j->ask->plan->bf16 && !strstr(flags, " avx512_bf16 ") && !strstr(flags, " amx_bf16 ") &&
            !strstr(flags, " bf16 ")) /* the last: aarch64 */
            SAY(j, "emulated", { "flags", all });
    }
}

/* --- who else runs -------------------------------------------------------------------------------------- */

#define BUSY_SHARE 0.10
#define STEAL_SHARE 0.005
static const struct outcome load_outcomes[] = {
    { .name = "quiet", LEVEL_OK,
      "others used <busy> % of the processors within 1 s, steal <steal> %; tasks waited for one: <waited>", NULL },
    { .name = "busy", LEVEL_WARN,
      "others used <busy> % of the processors within 1 s (load <load>; tasks waited for one: <waited>)",
      "stop them, or measure when they are done" },
    { .name = "steal", LEVEL_WARN,
      "the hypervisor took <steal> % of the processors' time within 1 s",
      "expect wider intervals; ask for dedicated processors" },
    { .name = "hot", LEVEL_WARN,
      "the processors were throttled for heat <events> times within 1 s",
      "look at the cooling" },
};

static void look_load(struct judge *j)
{
    const struct facts_cpu *c = &j->facts->cpu;
    const double total = c->second.total - c->first.total, hot = c->second.hot - c->first.hot;
    const double waited_us = c->second.waited_us - c->first.waited_us; /* within the second */
    const bool stood = !(total > 0); /* a tree without a second reading: nothing grew */
    const double busy = stood ? 0 : (c->second.busy - c->first.busy) / total;
    const double steal = stood ? 0 : (c->second.steal - c->first.steal) / total;
    const struct field_row *load = row_of(j, "load_1min");
    const struct gpu_fill b = { "busy", judge_text(j, "%.0f", 100 * busy) },
                          s = { "steal", judge_text(j, "%.1f", 100 * steal) },
                          w = { "waited", isnan(waited_us) ? "not told" : judge_text(j, "%.1f %% of it", waited_us / 1e4) },
                          l = { "load",
                                load && load->is_number ? judge_text(j, "%.2f", load->number) : "not told" };
    if (isnan(total)) {
        judge_unread(j, "/proc/stat", "not_found");
        return;
    }
    if (busy > BUSY_SHARE)
        SAY(j, "busy", b, s, l, w);
    if (steal > STEAL_SHARE)
        SAY(j, "steal", b, s, l);
    if (hot > 0)
        SAY(j, "hot", { "events", judge_text(j, "%.0f", hot) });
    if (busy <= BUSY_SHARE && steal <= STEAL_SHARE && !(hot > 0))
        SAY(j, "quiet", b, s, l, w);
}

/* --- memory --------------------------------------------------------------------------------------------- */

static const struct outcome memory_outcomes[] = {
    { .name = "limit", LEVEL_OK, "<limit> may be used, <free> are free", NULL },
    { .name = "too_small", LEVEL_FAIL,
      "the plan needs <planned>, and <least> may be used",
      "lower --max-batch or --batches, or raise the limit" },
    { .name = "tight", LEVEL_WARN,
      "the plan needs <planned> of the <least> that may be used: less than 10 % are left",
      "lower --max-batch or --batches, or raise the limit" },
    { .name = "address_space", LEVEL_WARN,
      "the address space of a process is limited to <bytes> bytes (ulimit -v)",
      "ulimit -v unlimited" },
    { .name = "killed", LEVEL_WARN,
      "the kernel has killed <count> processes of this group for lack of memory",
      "raise the group's limit, or lower the batch sizes (--max-batch)" },
    { .name = "swap", LEVEL_WARN,
      "<bytes> of swap are in use: measured times may contain the disk",
      "free memory, or swapoff" },
};

#define PLAN_ROOM 0.9               /* above this share of what may be used it is tight */

static const char *bytes_text(struct judge *j, uint64_t bytes)
{
    char text[64];
    text_of_bytes(text, sizeof text, bytes);
    return judge_text(j, "%s", text);
}

/* What is planned against the smallest of what may be used. */
static void look_planned_memory(struct judge *j)
{
    const struct facts_memory *m = &j->facts->memory;
    const double planned = j->ask->plan ? j->ask->plan->memory_bytes : 0;
    const double address = strtod(m->address_limit, NULL);
    double least = m->limit_known ? (double)m->limit_bytes : INFINITY;
    least = m->free_known && (double)m->free_bytes < least ? (double)m->free_bytes : least;
    least = address > 0 && address < least ? address : least;
    if (planned > 0 && planned > PLAN_ROOM * least)
        SAY(j, planned > least ? "too_small" : "tight", { "planned", bytes_text(j, (uint64_t)planned) },
            { "least", bytes_text(j, (uint64_t)least) });
}

static void look_memory(struct judge *j)
{
    const struct facts_memory *m = &j->facts->memory;
    if (m->limit_known && m->free_known)
        SAY(j, "limit", { "limit", bytes_text(j, m->limit_bytes) }, { "free", bytes_text(j, m->free_bytes) });
    else
        judge_unread(j, "/proc/meminfo", "not_found");
    look_planned_memory(j);
    if (*m->address_limit && strcmp(m->address_limit, "unlimited") != 0)
        SAY(j, "address_space", { "bytes", m->address_limit });
    if (m->killed_known && m->killed > 0)
        SAY(j, "killed", { "count", judge_text(j, "%llu", (unsigned long long)m->killed) });
    if (m->swap_known && m->swap_bytes > 0)
        SAY(j, "swap", { "bytes", bytes_text(j, m->swap_bytes) });
}

/* --- clock and counters --------------------------------------------------------------------------------- */

static const struct outcome clock_outcomes[] = {
    { .name = "fast", LEVEL_OK, "clock source <source>", NULL },
    { .name = "slow_clock", LEVEL_WARN,
      "clock source <source>, not tsc: reading the time may cost much more",
      NULL },
};

static void look_clock(struct judge *j)
{
    const struct fact_text *source = &j->facts->clocksource;
    const bool fast = strcmp(source->text, "tsc") == 0 || strcmp(source->text, "arch_sys_counter") == 0;
    if (*source->absent)
        judge_unread(j, "current_clocksource", source->absent);
    else
        SAY(j, fast ? "fast" : "slow_clock", { "source", source->text });
}

static const struct outcome perf_outcomes[] = {
    { .name = "counters", LEVEL_OK, "perf_event_paranoid is <paranoid>: cycle counters may be read", NULL },
    { .name = "no_counters", LEVEL_NOTE, "perf_event_paranoid is <paranoid>: no cycle counters", NULL },
};

static void look_perf(struct judge *j)
{
    const struct fact_text *paranoid = &j->facts->paranoid;
    if (*paranoid->absent)
        judge_unread(j, "/proc/sys/kernel/perf_event_paranoid", paranoid->absent);
    else
        SAY(j, atoi(paranoid->text) > 2 ? "no_counters" : "counters", { "paranoid", paranoid->text });
}

/* --- the table ------------------------------------------------------------------------------------------ */

#define OUTCOMES(list) .outcomes = list, .outcome_count = LEN(list)
const struct check checks_cpu[] = {
    { .id = "cpu.governor", .look = look_governor, OUTCOMES(governor_outcomes) },
    { .id = "cpu.turbo", .look = look_turbo, OUTCOMES(turbo_outcomes) },
    { .id = "cpu.smt", .look = look_smt, OUTCOMES(smt_outcomes) },
    { .id = "cpu.quota", .parts = FACTS_SAMPLES, .look = look_quota, OUTCOMES(quota_outcomes) },
    { .id = "cpu.affinity", .look = look_affinity, OUTCOMES(affinity_outcomes) },
    { .id = "cpu.numa", .look = look_numa, OUTCOMES(numa_outcomes) },
    { .id = "cpu.isa", .look = look_isa, OUTCOMES(isa_outcomes) },
    { .id = "cpu.load", .parts = FACTS_SAMPLES, .look = look_load, OUTCOMES(load_outcomes) },
    { .id = "mem.limit", .look = look_memory, OUTCOMES(memory_outcomes) },
    { .id = "host.clock", .look = look_clock, OUTCOMES(clock_outcomes) },
    { .id = "host.perf", .look = look_perf, OUTCOMES(perf_outcomes) },
};
const size_t checks_cpu_count = LEN(checks_cpu);
