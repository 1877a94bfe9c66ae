#include "bench/telemetry/gpu.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/telemetry/gpu_device.h"
#include "kernels/base/clock.h"
#include "kernels/base/len.h"

static const uint64_t energy_least_ns = UINT64_C(5000000000); /* the sensor sees a quarter of the time */

static const char *const names[GPU_COUNT] = {
#define X(id, name) [GPU_##id] = name,
    GPU_LIST(X)
#undef X
};

const char *gpu_name(enum gpu_field field)
{
    return names[field];
}

/* --- open, close ----------------------------------------------------------------------------------------- */

/* These cannot be measured on: the numbers of a device whose driver is in pieces mean nothing. */
static bool is_broken(int code)
{
    return code == NVML_DRIVER_NOT_LOADED || code == NVML_GPU_IS_LOST || code == NVML_RESET_REQUIRED ||
           code == NVML_OPERATING_SYSTEM || code == NVML_VERSION_MISMATCH;
}

static void watch_xids(struct gpu *g)
{
    if (nvml_call(&g->nvml, nvmlEventSetCreate, &g->events) != NVML_SUCCESS)
        g->events = NULL;
    const int code = g->events ? nvml_call(&g->nvml, nvmlDeviceRegisterEvents, g->poller.whole, NVML_EVENT_XID,
                                           g->events) : NVML_SUCCESS;
    if (code != NVML_SUCCESS) {
        nvml_call(&g->nvml, nvmlEventSetFree, g->events);
        g->events = NULL;
    }
}

static enum status find_device(struct gpu *g, const char *root, const char *uuid, struct err *err)
{
    struct err why = { 0 };
    enum status st = nvml_open(&g->nvml, root, &why);
    if (st == ST_OK)
        st = nvml_find(&g->poller.device, &g->nvml, uuid, &why);
    if (st != ST_OK && is_broken(why.code))
        return err_set(err, ST_ENVIRONMENT, "%s", why.text);
    if (st != ST_OK) {
        nvml_absent(g->absent, why.code);
        return ST_OK;
    }
    g->known = true;
    g->poller.nvml = &g->nvml;
    g->poller.whole = nvml_whole_gpu(&g->nvml, g->poller.device);
    g->poller.period_ns = GPU_POLL_NS;
    watch_xids(g);
    return ST_OK;
}

enum status gpu_open(struct gpu **out, const char *root, const char *uuid, struct err *err)
{
    struct gpu *g = calloc(1, sizeof *g);
    *out = NULL;
    if (!g)
        return err_set(err, ST_OUT_OF_MEMORY, "telemetry of GPU %s: out of memory", uuid);
    snprintf(g->absent, sizeof g->absent, "not_found");
    const enum status st = *uuid ? find_device(g, root, uuid, err) : ST_OK;
    if (st == ST_OK)
        *out = g;
    else
        gpu_close(g);
    return st;
}

void gpu_close(struct gpu *g)
{
    if (!g)
        return;
    gpu_poller_stop(&g->poller);
    if (g->events)
        nvml_call(&g->nvml, nvmlEventSetFree, g->events);
    nvml_close(&g->nvml);
    free(g);
}

bool gpu_is_known(const struct gpu *g)
{
    return g && g->known;
}

enum status gpu_check(struct gpu *g, struct err *err)
{
    struct nvml_memory memory;
    if (!gpu_is_known(g))
        return ST_OK;
    const int code = nvml_call(&g->nvml, nvmlDeviceGetMemoryInfo, g->poller.device, &memory);
    if (!is_broken(code))
        return ST_OK;
    nvml_err(err, code, "the device");
    if (err)
        err->status = ST_ENVIRONMENT;
    return ST_ENVIRONMENT;
}

bool gpu_memory_free(uint64_t *bytes, const struct gpu *g)
{
    struct nvml_memory memory;
    if (!gpu_is_known(g) ||
        nvml_call(&g->nvml, nvmlDeviceGetMemoryInfo, g->poller.device, &memory) != NVML_SUCCESS)
        return false;
    *bytes = memory.free;
    return true;
}

bool gpu_celsius(double *celsius, const struct gpu *g)
{
    return gpu_is_known(g) && nvml_celsius(celsius, &g->nvml, g->poller.whole) == NVML_SUCCESS;
}

/* --- counters -------------------------------------------------------------------------------------------- */

enum { NO_POLICY = -1 };
/* A throttle time: field, and the older call's policy where it has one. */
static const struct {
    enum gpu_field field;
    unsigned id;
    int policy;
} throttles[] = {
    { GPU_SW_POWER_CAP_NS, NVML_FIELD_SW_POWER_CAP, NVML_POLICY_POWER },
    { GPU_SYNC_BOOST_NS, NVML_FIELD_SYNC_BOOST, NVML_POLICY_SYNC_BOOST },
    { GPU_BOARD_LIMIT_NS, NVML_FIELD_BOARD_LIMIT, NVML_POLICY_BOARD_LIMIT },
    { GPU_LOW_UTILIZATION_NS, NVML_FIELD_LOW_UTILIZATION, NVML_POLICY_LOW_UTILIZATION },
    { GPU_RELIABILITY_NS, NVML_FIELD_RELIABILITY, NVML_POLICY_RELIABILITY },
    { GPU_SW_THERMAL_NS, NVML_FIELD_SW_THERMAL, NVML_POLICY_THERMAL },
    { GPU_HW_THERMAL_NS, NVML_FIELD_HW_THERMAL, NO_POLICY },
    { GPU_POWER_BRAKE_NS, NVML_FIELD_POWER_BRAKE, NO_POLICY },
};
enum { THROTTLES = LEN(throttles) };
_Static_assert(LEN(throttles) + 2 <= GPU_COUNTERS_MAX, "room for throttle times, energy and replays");

static void note(struct gpu *g, int code)
{
    if (code == NVML_GPU_IS_LOST || code == NVML_RESET_REQUIRED)
        g->lost = code;
}

/* All fields in one call: their answers are of the same moment. */
static void read_fields(struct gpu_counter *out, struct gpu *g)
{
    struct nvml_field asked[THROTTLES];
    size_t place[THROTTLES];
    int count = 0;
    for (size_t i = 0; i < THROTTLES; i++) {
        const unsigned id = nvml_throttle_field(throttles[i].id, g->nvml.driver_major);
        out[i] = (struct gpu_counter){ .code = NVML_NOT_SUPPORTED, .source = "NVML fields" };
        place[count] = i;
        if (id)
            asked[count++] = (struct nvml_field){ .id = id };
    }
    const int code = nvml_call(&g->nvml, nvmlDeviceGetFieldValues, g->poller.whole, count, asked);
    note(g, code);
    for (int i = 0; i < count; i++) {
        out[place[i]].code = code != NVML_SUCCESS ? code : asked[i].code;
        out[place[i]].number = out[place[i]].code == NVML_SUCCESS ? nvml_field_number(&asked[i]) : 0;
        note(g, out[place[i]].code);
    }
}

static void read_violation(struct gpu_counter *out, struct gpu *g, int policy)
{
    struct nvml_violation time = { 0, 0 };
    const int code = nvml_call(&g->nvml, nvmlDeviceGetViolationStatus, g->poller.whole, policy, &time);
    note(g, code);
    if (code == NVML_SUCCESS)
        *out = (struct gpu_counter){ .number = (double)time.violation_ns, .source = "NVML violation status" };
}

static void read_counters(struct gpu_counters *out, struct gpu *g)
{
    unsigned long long mj = 0;
    unsigned replays = 0;
    read_fields(out->item, g);
    for (size_t i = 0; i < THROTTLES; i++)
        if (out->item[i].code != NVML_SUCCESS && throttles[i].policy != NO_POLICY)
            read_violation(&out->item[i], g, throttles[i].policy);
    int code = nvml_call(&g->nvml, nvmlDeviceGetTotalEnergyConsumption, g->poller.whole, &mj);
    out->energy = (struct gpu_counter){ .code = code, .number = (double)mj,
                                        .source = "NVML energy counter, estimate" };
    code = nvml_call(&g->nvml, nvmlDeviceGetPcieReplayCounter, g->poller.whole, &replays);
    note(g, code);
    out->replays = (struct gpu_counter){ .code = code, .number = replays, .source = "NVML" };
    const struct clock clock = clock_system();
    out->at_ns = clock_now_ns(&clock);
}

/* --- processes ------------------------------------------------------------------------------------------- */

static bool is_ours(const struct gpu *g, unsigned pid)
{
    for (size_t i = 0; i < g->pid_count; i++)
        if ((unsigned)g->pids[i] == pid)
            return true;
    return false;
}

/* Other processes on the GPU. Where our own are not in the list, or numbers in it are of no process here, the
 * list is of another pid namespace (a container) and tells nothing. */
static void look_at_processes(struct gpu *g)
{
    struct nvml_process list[GPU_PIDS_MAX];
    size_t count, ours = 0, unseen = 0, others = 0;
    const int code = nvml_processes(list, GPU_PIDS_MAX, &count, &g->nvml, g->poller.device);
    note(g, code);
    for (size_t i = 0; code == NVML_SUCCESS && i < count && i < GPU_PIDS_MAX; i++) {
        const bool own = is_ours(g, list[i].pid);
        ours += own;
        unseen += !own && kill((pid_t)list[i].pid, 0) != 0 && errno == ESRCH;
        others += !own;
    }
    if (code != NVML_SUCCESS) {
        nvml_absent(g->foreign_absent, code);
    } else if (ours == 0 || unseen) {
        snprintf(g->foreign_absent, sizeof g->foreign_absent, "not_found");
    } else {
        g->foreign_known = true;
        g->foreign = others > g->foreign ? others : g->foreign;
    }
}

/* --- a block --------------------------------------------------------------------------------------------- */

void gpu_begin(struct gpu *g, const pid_t *pids, size_t count, bool is_virtual)
{
    if (!g->known)
        return;
    g->pid_count = count < GPU_PIDS_MAX ? count : GPU_PIDS_MAX;
    memcpy(g->pids, pids, g->pid_count * sizeof *pids);
    g->is_virtual = is_virtual;
    g->foreign_known = false;
    g->foreign = 0;
    *g->foreign_absent = 0;
    look_at_processes(g);
    gpu_poller_clear(&g->poller);
    if (is_virtual)
        gpu_poller_poll(&g->poller);
    read_counters(&g->before, g);
    if (!is_virtual)
        gpu_poller_start(&g->poller, count ? pids[0] : 0);
}

static void put(struct gpu_block *out, enum gpu_field field, double number, const char *source)
{
    out->field[field].known = true;
    out->field[field].number = number;
    out->field[field].source = source;
}

static void put_absent(struct gpu_block *out, enum gpu_field field, int code, const char *source)
{
    nvml_absent(out->field[field].absent, code);
    out->field[field].source = source;
}

static void put_counter(struct gpu_block *out, enum gpu_field field, const struct gpu_counter *before,
                        const struct gpu_counter *after)
{
    const int code = after->code != NVML_SUCCESS ? after->code : before->code;
    if (code != NVML_SUCCESS)
        put_absent(out, field, code, after->source);
    else
        put(out, field, fmax(0, after->number - before->number), after->source);
}

static void put_counters(struct gpu_block *out, const struct gpu *g, const struct gpu_counters *after)
{
    for (size_t i = 0; i < THROTTLES; i++)
        put_counter(out, throttles[i].field, &g->before.item[i], &after->item[i]);
    put_counter(out, GPU_PCIE_REPLAYS, &g->before.replays, &after->replays);
    put_counter(out, GPU_ENERGY_MJ, &g->before.energy, &after->energy);
    if (out->field[GPU_ENERGY_MJ].known && after->at_ns - g->before.at_ns < energy_least_ns) {
        out->field[GPU_ENERGY_MJ].known = false;
        snprintf(out->field[GPU_ENERGY_MJ].absent, sizeof out->field[0].absent, "too_short");
    }
}

/* Which value of a series a field is. */
enum of_series { OF_MEDIAN, OF_LEAST, OF_MOST, OF_MEAN, OF_SLOPE };
static const struct {
    enum gpu_field field;
    enum gpu_series series;
    enum of_series of;
} polled[] = {
    { GPU_SM_MHZ, SERIES_SM_MHZ, OF_MEDIAN },
    { GPU_SM_MHZ_MIN, SERIES_SM_MHZ, OF_LEAST },
    { GPU_SM_MHZ_MAX, SERIES_SM_MHZ, OF_MOST },
    { GPU_MEMORY_MHZ, SERIES_MEMORY_MHZ, OF_MEDIAN },
    { GPU_MEMORY_MHZ_MIN, SERIES_MEMORY_MHZ, OF_LEAST },
    { GPU_MEMORY_MHZ_MAX, SERIES_MEMORY_MHZ, OF_MOST },
    { GPU_POWER_MW, SERIES_POWER_MW, OF_MEAN },
    { GPU_CELSIUS, SERIES_CELSIUS, OF_MOST },
    { GPU_CELSIUS_SLOPE, SERIES_CELSIUS, OF_SLOPE },
    { GPU_MEMORY_CELSIUS, SERIES_MEMORY_CELSIUS, OF_MOST },
    { GPU_UTILIZATION, SERIES_UTILIZATION, OF_MEAN },
    { GPU_MEMORY_UTILIZATION, SERIES_MEMORY_UTILIZATION, OF_MEAN },
    { GPU_MEMORY_USED, SERIES_MEMORY_USED, OF_MOST },
    { GPU_MEMORY_FREE, SERIES_MEMORY_FREE, OF_LEAST },
};

static double slope_per_s(const struct gpu_polls *p, enum gpu_series s)
{
    const uint64_t ns = p->series[s].last_ns - p->series[s].first_ns;
    return ns ? (p->series[s].last - p->series[s].first) / ((double)ns / 1e9) : (double)NAN;
}

static double value_of(struct gpu_polls *p, enum gpu_series s, enum of_series of)
{
    switch (of) {
    case OF_MEDIAN: return gpu_polls_median(p, s);
    case OF_LEAST: return p->series[s].least;
    case OF_MOST: return p->series[s].most;
    case OF_MEAN: return p->series[s].sum / (double)p->series[s].count;
    default: return slope_per_s(p, s);
    }
}

static void put_polls(struct gpu_block *out, struct gpu *g)
{
    struct gpu_polls *p = &g->poller.polls;
    for (size_t i = 0; i < LEN(polled); i++) {
        const enum gpu_series s = polled[i].series;
        if (polled[i].of == OF_SLOPE && (g->is_virtual || p->series[s].count < 2))
            put_absent(out, polled[i].field, NVML_NOT_FOUND, "NVML polls"); /* no time passed between them */
        else if (p->series[s].count)
            put(out, polled[i].field, value_of(p, s, polled[i].of), "NVML polls");
        else
            put_absent(out, polled[i].field, p->series[s].code, "NVML polls");
    }
    const bool reasons = p->series[SERIES_REASONS].count > 0;
    put(out, GPU_POLLS, (double)p->count, "NVML polls");
    if (reasons) {
        put(out, GPU_REASONS, (double)p->reasons_any, "NVML polls");
        put(out, GPU_REASONS_TWICE, (double)p->reasons_twice, "NVML polls");
    } else {
        put_absent(out, GPU_REASONS, p->series[SERIES_REASONS].code, "NVML polls");
        put_absent(out, GPU_REASONS_TWICE, p->series[SERIES_REASONS].code, "NVML polls");
    }
}

static void put_rest(struct gpu_block *out, struct gpu *g)
{
    double mw;
    const int code = nvml_field(&mw, &g->nvml, g->poller.whole, NVML_FIELD_POWER_AVERAGE);
    note(g, code);
    if (code == NVML_SUCCESS)
        put(out, GPU_POWER_AVERAGE_MW, mw, "NVML field 185");
    else
        put_absent(out, GPU_POWER_AVERAGE_MW, code, "NVML field 185");
    out->field[GPU_FOREIGN].source = "NVML processes";
    if (g->foreign_known)
        put(out, GPU_FOREIGN, (double)g->foreign, "NVML processes");
    else
        snprintf(out->field[GPU_FOREIGN].absent, sizeof out->field[0].absent, "%s", g->foreign_absent);
}

void gpu_end(struct gpu *g, struct gpu_block *out)
{
    struct gpu_counters after;
    *out = (struct gpu_block){ .present = true };
    if (!g->known) {
        for (int i = 0; i < GPU_COUNT; i++) {
            snprintf(out->field[i].absent, sizeof out->field[i].absent, "%s", g->absent);
            out->field[i].source = "NVML";
        }
        return;
    }
    read_counters(&after, g); /* first: the deltas end with the block */
    gpu_poller_stop(&g->poller);
    if (g->is_virtual || g->poller.polls.count == 0)
        gpu_poller_poll(&g->poller);
    look_at_processes(g);
    put_counters(out, g, &after);
    put_polls(out, g);
    put_rest(out, g);
    out->lost = g->lost ? g->lost : g->poller.polls.lost;
}

/* --- fields ---------------------------------------------------------------------------------------------- */

void gpu_of_answer(struct gpu_block *out, const json_t *object)
{
    *out = (struct gpu_block){ .present = true };
    for (int i = 0; i < GPU_COUNT; i++) {
        const json_t *value = json_object_get(object, names[i]);
        out->field[i].known = json_is_number(value);
        out->field[i].number = json_is_number(value) ? json_number_value(value) : 0;
        if (!out->field[i].known)
            nvml_absent(out->field[i].absent, NVML_NOT_FOUND);
        out->field[i].source = "worker";
    }
}

bool gpu_get(double *out, const struct gpu_block *block, enum gpu_field field)
{
    if (block->field[field].known)
        *out = block->field[field].number;
    return block->field[field].known;
}

void gpu_rows(struct field_row rows[GPU_COUNT], const struct gpu_block *block)
{
    for (int i = 0; i < GPU_COUNT; i++) {
        struct field_row *row = &rows[i];
        *row = (struct field_row){ .is_number = block->field[i].known,
                                   .number = block->field[i].known ? block->field[i].number : (double)NAN };
        snprintf(row->name, sizeof row->name, "%s", names[i]);
        snprintf(row->source, sizeof row->source, "%s", block->field[i].source ? block->field[i].source : "");
        snprintf(row->absent, sizeof row->absent, "%s", block->field[i].absent);
    }
}
