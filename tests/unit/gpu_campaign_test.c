/* What a campaign makes of what NVML tells: blocks that throttling, a low clock or other processes spoiled are marked and
 * repeated, everything else is not; a broken driver ends the target with the right sentence; a field that is absent
 * stops nothing. In virtual time over the fake NVML: a block has two readings of each counter, two polls and two looks
 * at the processes, one before it and one after it. Sizes 1, 2, 4 at 500, 667, 800 images/s: 4 is chosen. */
#include "bench/measure/history.h"
#include "bench/telemetry/gpu.h"
#include "tests/unit/gpu_world.h"

#define CURVE "time: virtual\ncurve: {fixed: 1ms, per_image: 1ms}\nnoise: [{kind: normal, sigma: 0.003, per: block}]\n"

static const int sizes[] = { 1, 2, 4 };

static enum status run_sizes(struct world *w, struct campaign **c, const char *nvml, size_t count, struct err *err)
{
    gpu_world_open(w, CURVE, nvml);
    world_give(w, sizes, count);
    *err = (struct err){ 0 };
    enum status st = world_run(w, err);
    *c = world_load(w);
    return st;
}

static enum status run_in(struct world *w, struct campaign **c, const char *nvml, struct err *err)
{
    return run_sizes(w, c, nvml, 3, err);
}

static size_t count_marks(const struct target_view *t, const char *reason)
{
    size_t n = 0;
    for (size_t i = 0; i < t->mark_count; i++)
        n += strcmp(t->marks[i].reason, reason) == 0;
    return n;
}

static const struct field_row *fact(const struct campaign *c, const char *name)
{
    for (size_t i = 0; i < c->environment_count; i++)
        if (strcmp(c->environment[i].name, name) == 0)
            return &c->environment[i];
    fail_msg("no fact %s", name);
    return NULL;
}

/* --- throttling -------------------------------------------------------------------------------------------------- */

/* 2 ms of a block of 100 ms or a little more are over 0.5 %. */
static const struct {
    const char *nvml;
    const char *reason; /* NULL: no block is spoiled */
} throttles[] = {
    { "", NULL },
    { "field.269 step 2000000\n", "thermal" },                 /* software thermal */
    { "field.269 step 15000\n", NULL },                       /* under it even in the shortest block, of 4 ms */
    { "field.270 step 2000000\n", "thermal" },                 /* hardware thermal */
    { "field.271 step 2000000\n", "thermal" },                 /* power brake */
    { "field.76 step 2000000\n", "thermal" },                  /* sync boost */
    { "field.269 step 200000\nfield.270 step 200000\nfield.76 step 200000\n", "thermal" }, /* together over it */
    { "field.74 step 90000000\nreasons 0x4\n", NULL },         /* software power cap: a covariate */
    { "field.77 step 90000000\nfield.78 step 90000000\nfield.79 step 90000000\n", NULL },
    { "reasons 0x20\n", NULL },                                /* a counter says no: the bit is not asked */
    { "field.269 code 3\nviolation.1 step 2000000\n", "thermal" },
    { "field.269 code 3\nfield.270 code 3\nfield.271 code 3\nreasons 0x40\n", "thermal" },
    { "field.270 code 3\nreasons 0x40\n", "thermal" },
    { "field.270 code 3\nreasons 0x8\n", NULL },               /* also appears at changes of clocks */
    { "field.271 code 4\nreasons 0x80\n", "thermal" },
    { "missing nvmlDeviceGetFieldValues\nreasons 0x20\n", "thermal" },
    { "missing nvmlDeviceGetFieldValues\nviolation.0 step 90000000\nreasons 0x4\n", NULL },
    { "field.76 code 3\nreasons 0x10\nmissing nvmlDeviceGetCurrentClocksEventReasons\n", "thermal" },
    /* the numbers of the counters are those of the driver: 251 in 575, 269 from 580, none before */
    { "driver 575.51.03\nfield.251 0\nfield.252 0\nfield.253 0\nfield.251 step 2000000\n", "thermal" },
    { "driver 575.51.03\nfield.251 0\nfield.252 0\nfield.253 0\nfield.269 step 2000000\n", NULL },
    { "driver 570.86.15\nfield.251 step 2000000\nfield.269 step 2000000\nviolation.1 0\n", NULL },
    { "driver 570.86.15\nviolation.1 step 2000000\n", "thermal" },
};

static void throttling_has_its_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof throttles / sizeof *throttles; i++) {
        struct world w;
        struct campaign *c;
        struct err err;
        run_sizes(&w, &c, throttles[i].nvml, 1, &err);
        const struct target_view *t = &c->targets[0];
        if (throttles[i].reason ? strcmp(t->decision.cause, "throttled") != 0 : t->decision.batch != 1)
            fail_msg("%s: cause %s, batch %d", throttles[i].nvml, t->decision.cause, t->decision.batch);
        if (throttles[i].reason ? count_marks(t, throttles[i].reason) < 3 : count_marks(t, "thermal") != 0)
            fail_msg("%s: %zu marks thermal", throttles[i].nvml, count_marks(t, "thermal"));
        assert_true(world_point(t, 1)->has_estimate); /* data are kept */
        campaign_free(c);
        world_close(&w);
    }
}

/* A bit that is seen once and not in the next poll is no throttling: reading n is the (n - 1) % 2-th of its block. */
static void one_poll_is_not_two(void **state)
{
    (void)state;
    struct world w;
    struct campaign *c;
    struct err err;
    char nvml[512] = "field.270 code 3\n";
    for (int n = 21; n < 41; n += 2)
        snprintf(nvml + strlen(nvml), sizeof nvml - strlen(nvml), "reasons 0x40 from %d to %d\n", n, n);
    run_in(&w, &c, nvml, &err);
    assert_int_equal(count_marks(&c->targets[0], "thermal"), 0);
    assert_int_equal(c->targets[0].decision.batch, 4);
    campaign_free(c);
    world_close(&w);
    run_in(&w, &c, "field.270 code 3\nreasons 0x40 from 21 to 22\n", &err); /* both polls of the 11th block */
    assert_int_equal(count_marks(&c->targets[0], "thermal"), 1);
    campaign_free(c);
    world_close(&w);
}

/* --- blocks ------------------------------------------------------------------------------------------------------ */

struct judged { size_t count, invalid, first, last; };

static enum status judge(void *context, const struct store_block *b, struct err *err)
{
    struct judged *j = context;
    (void)err;
    j->count++;
    if (b->row.valid)
        return ST_OK;
    j->first = j->invalid++ ? j->first : j->count;
    j->last = j->count;
    return ST_OK;
}

static struct judged judge_all(const struct world *w, const struct campaign *c)
{
    struct judged j = { 0, 0, 0, 0 };
    assert_int_equal(store_visit_blocks(w->store, c->targets[0].row.id, false, judge, &j, NULL), ST_OK);
    return j;
}

/* Looks 41 to 46 are those of the blocks 21, 22 and 23 of the campaign, in the order of measuring. */
static void a_foreign_process_spoils_its_blocks_only(void **state)
{
    (void)state;
    static const struct { const char *nvml; size_t invalid, first, last; } rows[] = {
        { "process children 1e9\nprocess parent 5e9 from 41 to 46\n", 3, 21, 23 },
        { "process children 1e9\nprocess parent 5e9 from 42 to 42\n", 1, 21, 21 }, /* came during it, left after it */
        { "process children 1e9\n", 0, 0, 0 },
        { "process parent 5e9\n", 0, 0, 0 },                      /* our own is not in the list: of another namespace */
        { "process children 1e9\nprocess 4000000 5e9\n", 0, 0, 0 }, /* a pid that is none here: likewise */
        { "process children 1e9\nprocesses code 3\n", 0, 0, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        struct campaign *c;
        struct err err;
        run_in(&w, &c, rows[i].nvml, &err);
        const struct judged j = judge_all(&w, c);
        if (j.invalid != rows[i].invalid || j.first != rows[i].first || j.last != rows[i].last || j.count < 30)
            fail_msg("%s: %zu of %zu invalid, %zu..%zu", rows[i].nvml, j.invalid, j.count, j.first, j.last);
        assert_int_equal(count_marks(&c->targets[0], "foreign"), rows[i].invalid);
        assert_int_equal(c->targets[0].decision.batch, 4);
        campaign_free(c);
        world_close(&w);
    }
}

/* A second reading of the rule: low from block 31 to block 60; the clock is compared with the median of this size's last
 * 20 valid blocks in this execution, once there are 5. */
struct clocks {
    double low_mhz;
    size_t seen, spoiled, wrong;
    struct { int64_t execution; int batch; double mhz; } valid[4096];
    size_t valid_count;
};

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double usual(const struct clocks *k, const struct block_row *b)
{
    double last[20];
    size_t n = 0;
    for (size_t i = k->valid_count; i-- > 0 && n < 20;)
        if (k->valid[i].execution == b->execution && k->valid[i].batch == b->batch)
            last[n++] = k->valid[i].mhz;
    qsort(last, n, sizeof *last, ascending);
    return n < 5 ? 0 : n % 2 ? last[n / 2] : (last[n / 2 - 1] + last[n / 2]) / 2;
}

static enum status expect(void *context, const struct store_block *b, struct err *err)
{
    struct clocks *k = context;
    (void)err;
    k->seen++;
    const double mhz = k->seen >= 31 && k->seen <= 60 ? k->low_mhz : 1980;
    const bool valid = !(mhz < 0.97 * usual(k, &b->row));
    k->wrong += valid != b->row.valid;
    k->spoiled += !valid;
    if (valid) {
        k->valid[k->valid_count].execution = b->row.execution;
        k->valid[k->valid_count].batch = b->row.batch;
        k->valid[k->valid_count++].mhz = mhz;
    }
    return ST_OK;
}

static void a_low_clock_spoils_a_block(void **state)
{
    (void)state;
    static const struct { const char *nvml; double low_mhz; bool some; } rows[] = {
        { "sm_mhz 1900 from 61 to 120\n", 1900, true },   /* 95.96 % of 1980 */
        { "sm_mhz 1941 from 61 to 120\n", 1941, false }, /* 98.03 % */
    };
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        struct campaign *c;
        struct err err;
        struct clocks *k = calloc(1, sizeof *k);
        assert_non_null(k);
        k->low_mhz = rows[i].low_mhz;
        run_in(&w, &c, rows[i].nvml, &err);
        assert_int_equal(store_visit_blocks(w.store, c->targets[0].row.id, false, expect, k, NULL), ST_OK);
        if (k->wrong || (k->spoiled > 0) != rows[i].some)
            fail_msg("%s: %zu of %zu spoiled, %zu not as expected", rows[i].nvml, k->spoiled, k->seen, k->wrong);
        assert_int_equal(count_marks(&c->targets[0], "clock"), k->spoiled);
        free(k);
        campaign_free(c);
        world_close(&w);
    }
}

/* --- the driver -------------------------------------------------------------------------------------------------- */

static const struct { const char *nvml; enum status st; const char *words[3]; } broken[] = {
    { "init 18\nnvml 13.580.65.06\n", ST_ENVIRONMENT, { "(NVML 18)", "570.86.15", "580.65.06" } },
    { "init 9\n", ST_ENVIRONMENT, { "(NVML 9)", "not loaded", "" } },
    { "init 15\n", ST_ENVIRONMENT, { "(NVML 15)", "fallen off the bus", "" } },
    { "init 16\n", ST_ENVIRONMENT, { "(NVML 16)", "reset", "" } },
    { "init 17\n", ST_ENVIRONMENT, { "(NVML 17)", "blocks", "" } },
    { "init 4\n", ST_OK, { "", "", "" } },   /* nothing is told: nothing is refused */
    { "init 999\n", ST_OK, { "", "", "" } },
    { "device GPU-99999999-2222-3333-4444-555555555555\n", ST_OK, { "", "", "" } }, /* another one */
};

/* /sys as the kernel module 570.86.15 would show it. */
static void make_root(const struct world *w, char root[128])
{
    char command[512];
    snprintf(root, 128, "%s/root", w->folder);
    snprintf(command, sizeof command, "mkdir -p %s/sys/module/nvidia && echo 570.86.15 > %s/sys/module/nvidia/version", root,
             root);
    assert_int_equal(system(command), 0);
}

static void a_broken_driver_ends_the_target(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct world w;
        struct err err = { 0 };
        char root[128];
        gpu_world_open(&w, CURVE, broken[i].nvml);
        world_give(&w, sizes, 3);
        make_root(&w, root);
        w.context.machine_root = root;
        enum status st = world_run(&w, &err);
        if (st != broken[i].st)
            fail_msg("%s: %s: %s", broken[i].nvml, status_kind(st), err.text);
        for (size_t k = 0; k < 3; k++)
            if (!strstr(err.text, broken[i].words[k]))
                fail_msg("\"%s\" lacks \"%s\"", err.text, broken[i].words[k]);
        assert_int_equal(status_exit(st), broken[i].st == ST_OK ? 0 : 3);
        world_close(&w);
    }
}

/* No library at all is no failure either. */
static void without_nvml_it_runs(void **state)
{
    (void)state;
    struct world w;
    struct err err = { 0 };
    gpu_world_open(&w, CURVE, "");
    setenv("BENCH_NVML_LIBRARY", "/nowhere/libnvidia-ml.so.1", 1);
    world_give(&w, sizes, 3);
    assert_int_equal(world_run(&w, &err), ST_OK);
    struct campaign *c = world_load(&w);
    assert_int_equal(c->targets[0].decision.batch, 4);
    assert_string_equal(fact(c, "device_uuid")->absent, "not_found");
    campaign_free(c);
    world_close(&w);
}

/* Lost in the middle: that block never counts, the worker is given up, and no fresh one is tried on it. */
static void a_device_that_is_lost_ends_the_target(void **state)
{
    (void)state;
    static const char *const nvml[] = { "lost 200\n", "lost 1000\n", "lost 2500\n", "field.269 code 15 from 30\ntotal_bytes code 15 from 40\n",
                                        "lost 1\n" };
    for (size_t i = 0; i < sizeof nvml / sizeof *nvml; i++) {
        struct world w;
        struct campaign *c;
        struct err err;
        const enum status st = run_in(&w, &c, nvml[i], &err);
        if (st != ST_ENVIRONMENT || !strstr(err.text, "(NVML 15)"))
            fail_msg("%s: %s: %s", nvml[i], status_kind(st), err.text);
        judge_all(&w, c);
        campaign_free(c);
        world_close(&w);
    }
}

/* --- fields ------------------------------------------------------------------------------------------------------ */

/* In turn what a rule or a limit needs; together what is only told (each of them in turn: nvml_test). */
static const char *const absences[] = {
    "sm_mhz code 3", "reasons code 3", "processes code 3", "total_bytes code 3", "used_bytes code 3", "celsius code 3",
    "field.76 code 3", "field.269 code 3", "field.270 code 3", "field.271 code 3", "sm_mhz code 4", "sm_mhz code 999",
    "missing nvmlDeviceGetFieldValues", "missing nvmlDeviceGetClockInfo", "missing nvmlDeviceGetMemoryInfo",
    "missing nvmlDeviceGetComputeRunningProcesses_v3",
    "missing nvmlDeviceGetFieldValues\nmissing nvmlDeviceGetCurrentClocksEventReasons\n"
    "missing nvmlDeviceGetCurrentClocksThrottleReasons\nmissing nvmlDeviceGetViolationStatus\n",
    "memory_mhz code 3\nsm_max_mhz code 3\nmemory_max_mhz code 3\napp_sm_mhz code 3\npower_mw code 3\nfield.185 code 3\n"
    "field.186 code 3\npower_limit_mw code 3\npower_default_mw code 3\nenergy_mj code 3\nutilization code 3\n"
    "memory_utilization code 3\necc code 3\necc_corrected code 3\necc_uncorrected code 3\nmig code 3\ncompute_mode code 3\n"
    "persistence_mode code 3\npcie_generation code 3\npcie_width code 3\npcie_generation_max code 3\n"
    "pcie_width_max code 3\npcie_replays code 3\ncuda code 3\ncapability code 3\nvbios code 3\nxids code 3\n"
    "field.74 code 3\nfield.77 code 3\nfield.78 code 3\nfield.79 code 3\nfield.82 code 3\nfield.142 code 3\n"
    "field.143 code 3\nfield.144 code 3\nfield.145 code 3\nfield.193 code 3\nfield.194 code 3\nfield.195 code 3\n"
    "field.196 code 3\n",
};

static void every_absent_field_lets_it_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof absences / sizeof *absences; i++) {
        struct world w;
        struct campaign *c;
        struct err err;
        const enum status st = run_sizes(&w, &c, absences[i], 1, &err);
        if (st != ST_OK || c->targets[0].decision.batch != 1 || judge_all(&w, c).invalid)
            fail_msg("%s: %s, batch %d: %s", absences[i], status_kind(st), c->targets[0].decision.batch, err.text);
        campaign_free(c);
        world_close(&w);
    }
}

static const struct field_row *telemetry_of(const struct field_row *rows, size_t count, enum gpu_field field)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, gpu_name(field)) == 0)
            return &rows[i];
    fail_msg("no telemetry %s", gpu_name(field));
    return NULL;
}

static enum status find_first(void *context, const struct store_block *b, struct err *err)
{
    int64_t *id = context;
    (void)err;
    *id = *id ? *id : b->row.id;
    return ST_OK;
}

/* What is stored of a block, of the device, and of which rules were on. */
static void telemetry_is_stored(void **state)
{
    (void)state;
    static const struct { enum gpu_field field; double number; const char *absent; } rows[] = {
        { GPU_SM_MHZ, 1500, "" }, { GPU_SM_MHZ_MIN, 1500, "" }, { GPU_MEMORY_MHZ, 2619, "" }, { GPU_POWER_MW, 321000, "" },
        { GPU_POWER_AVERAGE_MW, 340000, "" }, { GPU_CELSIUS, 45, "" }, { GPU_MEMORY_CELSIUS, 52, "" },
        { GPU_UTILIZATION, 97, "" }, { GPU_MEMORY_USED, 1073741824, "" }, { GPU_SW_POWER_CAP_NS, 7000, "" },
        { GPU_SW_THERMAL_NS, 0, "" }, { GPU_HW_THERMAL_NS, 0, "not_supported" }, { GPU_POWER_BRAKE_NS, 0, "no_permission" },
        { GPU_PCIE_REPLAYS, 2, "" }, { GPU_REASONS, 5, "" }, { GPU_REASONS_TWICE, 5, "" }, { GPU_FOREIGN, 0, "" },
        { GPU_POLLS, 2, "" }, { GPU_ENERGY_MJ, 0, "too_short" }, { GPU_CELSIUS_SLOPE, 0, "not_found" },
    };
    struct world w;
    struct campaign *c;
    struct err err;
    struct field_row *fields;
    size_t count;
    int64_t block = 0;
    run_in(&w, &c,
           "process children 1e9\nsm_mhz 1500\nfield.186 321000\nfield.74 step 7000\nfield.270 code 3\nfield.271 code 4\n"
           "pcie_replays step 1\nreasons 5\npcie_width 8\nxids 3\n", &err);
    assert_int_equal(store_visit_blocks(w.store, c->targets[0].row.id, false, find_first, &block, NULL), ST_OK);
    assert_int_equal(store_load_fields(&fields, &count, w.store, STORE_FIELDS_BLOCK, block, NULL), ST_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct field_row *f = telemetry_of(fields, count, rows[i].field);
        if (strcmp(f->absent, rows[i].absent) != 0 || (!*f->absent && f->number != rows[i].number && rows[i].field != GPU_PCIE_REPLAYS))
            fail_msg("%s is %g (%s), not %g", f->name, f->number, f->absent, rows[i].number);
    }
    free(fields);
    assert_string_equal(fact(c, "device_uuid")->text, GPU_UUID);
    assert_string_equal(fact(c, "device_uuid")->class_name, "key");
    assert_string_equal(fact(c, "driver")->text, "580.65.06");
    assert_string_equal(fact(c, "driver")->class_name, "event");
    assert_string_equal(fact(c, "cuda_driver")->text, "13.0");
    assert_true(fact(c, "pcie_width")->number == 8 && fact(c, "pcie_width_max")->number == 16); /* narrow: told, not judged */
    assert_string_equal(fact(c, "pcie_width")->class_name, "event");
    assert_true(fact(c, "power_limit_w")->number == 700);
    assert_true(fact(c, "xids")->number == 3);
    assert_string_equal(fact(c, "mig_profile")->text, "none");
    assert_int_equal(c->targets[0].decision.batch, 4);
    campaign_free(c);
    world_close(&w);
}

/* --- memory and key ---------------------------------------------------------------------------------------------- */

/* 512 MiB of the device are free: 90 % are 460.8; a target that needs 100 + 100 b MiB stops at 2. */
static void the_devices_memory_is_the_limit(void **state)
{
    (void)state;
    struct world w;
    struct err err = { 0 };
    char nvml[128];
    snprintf(nvml, sizeof nvml, "used_bytes %.0f\n", 85520809984.0 - 536870912);
    gpu_world_open(&w, CURVE "memory: {fixed: 100MiB, per_image: 100MiB}\n", nvml);
    world_give(&w, sizes, 3);
    assert_int_equal(world_run(&w, &err), ST_OK);
    struct campaign *c = world_load(&w);
    assert_true(c->targets[0].row.memory_limit_bytes == (uint64_t)(536870912 * 0.9));
    world_assert_why(&c->targets[0], 4, "over_memory");
    assert_int_equal(c->targets[0].decision.batch, 2);
    campaign_free(c);
    world_close(&w);
}

/* What the driver saw beyond the start counts if it is more than the worker says. */
static void the_drivers_view_is_a_peak(void **state)
{
    (void)state;
    struct world w;
    struct campaign *c;
    struct err err;
    run_in(&w, &c, "used_bytes 1e9 from 1 to 4\nused_bytes 1.7e9 from 5\n", &err);
    const struct point_view *p = world_point(&c->targets[0], 1);
    assert_true(p->has_prepared && p->prepared.peak_bytes == 700000000);
    campaign_free(c);
    world_close(&w);
}

static void another_device_is_another_series(void **state)
{
    (void)state;
    static const char *const nvml[] = { "", "", "device " GPU_UUID " NVIDIA A100-SXM4-80GB\n" };
    char hash[3][RECORD_HASH];
    for (size_t i = 0; i < 3; i++) {
        struct world w;
        struct campaign *c;
        struct err err;
        run_in(&w, &c, nvml[i], &err);
        memcpy(hash[i], c->targets[0].row.key_sha256, RECORD_HASH);
        campaign_free(c);
        world_close(&w);
    }
    assert_string_equal(hash[0], hash[1]);
    assert_string_not_equal(hash[0], hash[2]);
}

/* A campaign that was stopped goes on on the same GPU only. */
static void another_device_cannot_go_on(void **state)
{
    (void)state;
    static const struct { const char *uuid; enum status st; } rows[] = {
        { GPU_UUID, ST_OK }, { "GPU-99999999-2222-3333-4444-555555555555", ST_USAGE },
    };
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        struct err err = { 0 };
        char script[512], nvml[128];
        gpu_world_open(&w, CURVE, "");
        world_give(&w, sizes, 3);
        w.stop_after = 20;
        assert_int_equal(world_run(&w, &err), ST_INTERRUPTED);
        snprintf(script, sizeof script, CURVE "devices: [cuda:0]\ndevice_uuid: %s\n", rows[i].uuid);
        snprintf(nvml, sizeof nvml, "device %s\n", rows[i].uuid);
        world_write_script(&w, script);
        fake_nvml_use(w.folder, nvml);
        w.config.resume = true;
        w.stop_after = 0;
        const enum status st = world_run(&w, &err);
        if (st != rows[i].st || (st != ST_OK && (!strstr(err.text, "device_uuid") || !strstr(err.text, GPU_UUID))))
            fail_msg("%s: %s: %s", rows[i].uuid, status_kind(st), err.text);
        world_close(&w);
    }
}

int main(int argc, char **argv)
{
    int served = world_serve(argc, argv);
    if (served >= 0)
        return served;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(throttling_has_its_class),
        cmocka_unit_test(one_poll_is_not_two),
        cmocka_unit_test(a_foreign_process_spoils_its_blocks_only),
        cmocka_unit_test(a_low_clock_spoils_a_block),
        cmocka_unit_test(a_broken_driver_ends_the_target),
        cmocka_unit_test(without_nvml_it_runs),
        cmocka_unit_test(a_device_that_is_lost_ends_the_target),
        cmocka_unit_test(every_absent_field_lets_it_run),
        cmocka_unit_test(telemetry_is_stored),
        cmocka_unit_test(the_devices_memory_is_the_limit),
        cmocka_unit_test(the_drivers_view_is_a_peak),
        cmocka_unit_test(another_device_is_another_series),
        cmocka_unit_test(another_device_cannot_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
