/* NVML by dlopen, over the fake: errors with their types, versions of both sides, devices by uuid, the numbers of fields
 * that changed between drivers; and the telemetry of a block in real time. */
#include "kernels/base/nvml.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "bench/measure/validity.h"
#include "bench/telemetry/gpu.h"
#include "tests/unit/gpu_world.h"

struct place { char folder[64]; };

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->folder, "/tmp/bench-nvml-XXXXXX");
    *state = p;
    return mkdtemp(p->folder) ? 0 : -1;
}

static int drop_place(void **state)
{
    char command[128];
    struct place *p = *state;
    snprintf(command, sizeof command, "rm -rf %s", p->folder);
    free(p);
    return system(command);
}

static void write_file(const struct place *p, const char *folder, const char *name, const char *text)
{
    char command[1024];
    snprintf(command, sizeof command, "mkdir -p %s%s && cat > %s%s/%s", p->folder, folder, p->folder, folder, name);
    FILE *f = popen(command, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(pclose(f), 0);
}

/* --- codes ------------------------------------------------------------------------------------------------------- */

static void codes_have_types(void **state)
{
    struct place *p = *state;
    static const struct { int code; enum status st; const char *absent; } rows[] = {
        { 3, ST_UNSUPPORTED, "not_supported" }, { 4, ST_ENVIRONMENT, "no_permission" }, { 9, ST_ENVIRONMENT, "not_found" },
        { 13, ST_UNSUPPORTED, "not_supported" }, { 15, ST_DEVICE_LOST, "error 15" }, { 16, ST_DEVICE_LOST, "error 16" },
        { 17, ST_ENVIRONMENT, "error 17" }, { 18, ST_ENVIRONMENT, "error 18" }, { 999, ST_INTERNAL, "error 999" },
        { 77, ST_INTERNAL, "error 77" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct nvml n;
        struct err err = { 0 };
        char script[64], absent[32], number[16];
        snprintf(script, sizeof script, "init %d\n", rows[i].code);
        snprintf(number, sizeof number, "NVML %d", rows[i].code);
        fake_nvml_use(p->folder, script);
        assert_int_equal(nvml_open(&n, p->folder, &err), rows[i].st);
        assert_string_equal(err.api, "nvml");
        assert_int_equal(err.code, rows[i].code);
        assert_non_null(strstr(err.text, number));
        nvml_absent(absent, rows[i].code);
        assert_string_equal(absent, rows[i].absent);
        nvml_close(&n);
    }
    struct nvml n;
    struct err err = { 0 };
    setenv("BENCH_NVML_LIBRARY", "/nowhere/libnvidia-ml.so.1", 1);
    assert_int_equal(nvml_open(&n, NULL, &err), ST_ENVIRONMENT);
    assert_int_equal(err.code, 12);
    nvml_close(&n);
}

/* --- both sides -------------------------------------------------------------------------------------------------- */

static void both_sides_of_a_mismatch_are_named(void **state)
{
    struct place *p = *state;
    static const struct { const char *folder, *name, *text, *module; } rows[] = {
        { "/a/proc/driver/nvidia", "version",
          "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\nGCC version: 12.2.0\n",
          "535.183.01" },
        { "/b/proc/driver/nvidia", "version",
          "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (x)\n", "580.65.06" },
        { "/c/sys/module/nvidia", "version", "570.86.15\n", "570.86.15" },
        { "/d/proc/driver/nvidia", "version", "no line of theirs 1.2.3\n", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct nvml n;
        struct err err = { 0 };
        char root[80], module[NVML_TEXT_MAX], library[NVML_TEXT_MAX];
        write_file(p, rows[i].folder, rows[i].name, rows[i].text);
        snprintf(root, sizeof root, "%s%.2s", p->folder, rows[i].folder);
        nvml_module_version(module, root);
        assert_string_equal(module, rows[i].module);
        fake_nvml_use(p->folder, "init 18\nnvml 12.570.133.20\n");
        assert_int_equal(nvml_open(&n, root, &err), ST_ENVIRONMENT);
        nvml_library_version(library, &n);
        assert_string_equal(library, "570.133.20");
        assert_non_null(strstr(err.text, *module ? module : "unknown"));
        assert_non_null(strstr(err.text, library));
        assert_non_null(strstr(err.text, n.path)); /* which file the loader took */
        nvml_close(&n);
    }
}

/* --- devices ----------------------------------------------------------------------------------------------------- */

static void devices_are_found_by_uuid(void **state)
{
    struct place *p = *state;
    struct nvml n;
    struct err err = { 0 };
    struct nvmlDevice_st *device, *other;
    char name[NVML_TEXT_MAX];
    fake_nvml_use(p->folder, "device GPU-aaaaaaaa-0000 First\ndevice GPU-bbbbbbbb-0000 Second\nused_bytes 7\n");
    assert_int_equal(nvml_open(&n, NULL, &err), ST_OK);
    assert_int_equal(n.driver_major, 580);
    assert_int_equal(nvml_find(&device, &n, "GPU-BBBBBBBB-0000", &err), ST_OK);
    assert_int_equal(nvml_call(&n, nvmlDeviceGetName, device, name, sizeof name), 0);
    assert_string_equal(name, "Second");
    assert_int_equal(nvml_find(&other, &n, "bbbbbbbb-0000", &err), ST_OK);
    assert_ptr_equal(device, other);
    assert_ptr_equal(nvml_whole_gpu(&n, device), device);
    assert_int_equal(nvml_find(&other, &n, "GPU-cccccccc-0000", &err), ST_ENVIRONMENT);
    assert_int_equal(err.code, NVML_NOT_FOUND);
    nvml_close(&n);
}

static void fields_have_the_numbers_of_their_driver(void **state)
{
    (void)state;
    static const struct { unsigned id; int driver; unsigned want; } rows[] = {
        { NVML_FIELD_SW_THERMAL, 580, 269 }, { NVML_FIELD_POWER_BRAKE, 590, 271 }, { NVML_FIELD_SW_THERMAL, 575, 251 },
        { NVML_FIELD_POWER_BRAKE, 575, 253 }, { NVML_FIELD_HW_THERMAL, 570, 0 }, { NVML_FIELD_HW_THERMAL, 0, 0 },
        { NVML_FIELD_SW_POWER_CAP, 535, 74 }, { NVML_FIELD_POWER_INSTANT, 570, 186 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(nvml_throttle_field(rows[i].id, rows[i].driver), rows[i].want);
}

static void memory_of_a_process(void **state)
{
    struct place *p = *state;
    struct nvml n;
    struct nvmlDevice_st *device;
    uint64_t bytes = 0;
    double celsius = 0;
    fake_nvml_use(p->folder, "process 4711 123456789\nprocess 4712 -1\nmissing nvmlDeviceGetTemperatureV\n");
    assert_int_equal(nvml_open(&n, NULL, NULL), ST_OK);
    assert_int_equal(nvml_find(&device, &n, GPU_UUID, NULL), ST_OK);
    assert_int_equal(nvml_process_bytes(&bytes, &n, device, 4711), 0);
    assert_true(bytes == 123456789);
    assert_int_equal(nvml_process_bytes(&bytes, &n, device, 4712), NVML_NOT_SUPPORTED); /* all ones: not told */
    assert_int_equal(nvml_process_bytes(&bytes, &n, device, 4713), NVML_NOT_FOUND);
    assert_int_equal(nvml_celsius(&celsius, &n, device), 0); /* by the older call */
    assert_true(celsius == 45);
    nvml_close(&n);
}

/* --- a block in real time ---------------------------------------------------------------------------------------- */

static void a_block_is_polled(void **state)
{
    struct place *p = *state;
    struct gpu *g;
    struct gpu_block b;
    double polls, mhz, least, most, heat;
    const pid_t own = getpid();
    fake_nvml_use(p->folder, "sm_mhz 1000\nsm_mhz 1900 from 2\ncelsius step 1\nprocess 1 5\n");
    assert_int_equal(gpu_open(&g, NULL, GPU_UUID, NULL), ST_OK);
    gpu_begin(g, &own, 1, false);
    nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
    gpu_end(g, &b);
    /* one each 20 ms, the first after 20: 14 or 15; a busy machine may miss some */
    assert_true(gpu_get(&polls, &b, GPU_POLLS) && polls >= 4 && polls <= 15);
    assert_true(gpu_get(&mhz, &b, GPU_SM_MHZ) && mhz == 1900);
    assert_true(gpu_get(&least, &b, GPU_SM_MHZ_MIN) && least == 1000);
    assert_true(gpu_get(&most, &b, GPU_SM_MHZ_MAX) && most == 1900);
    assert_true(gpu_get(&heat, &b, GPU_CELSIUS_SLOPE) && heat > 10 && heat < 55); /* 1 degree in 20 ms or more */
    gpu_begin(g, &own, 1, false); /* shorter than a poll: one all the same */
    gpu_end(g, &b);
    assert_true(gpu_get(&polls, &b, GPU_POLLS) && polls == 1);
    gpu_close(g);
}

/* Each quantity that is read, absent for itself: exactly what comes from it is absent, with the reason of the code. */
static const struct { const char *name, *fields[4]; } quantities[] = {
    { "sm_mhz", { "gpu_sm_mhz", "gpu_sm_mhz_min", "gpu_sm_mhz_max" } },
    { "memory_mhz", { "gpu_memory_mhz", "gpu_memory_mhz_min", "gpu_memory_mhz_max" } },
    { "celsius", { "gpu_celsius", "device_celsius" } }, { "field.185", { "gpu_power_average_mw" } },
    { "utilization", { "gpu_utilization", "gpu_memory_utilization" } },
    { "used_bytes", { "gpu_memory_used_bytes", "gpu_memory_free_bytes", "device_memory_used_bytes",
                      "device_memory_free_bytes" } },
    { "reasons", { "gpu_reasons", "gpu_reasons_twice" } }, { "processes", { "gpu_foreign" } },
    { "pcie_replays", { "gpu_pcie_replays", "pcie_replays" } }, { "field.74", { "gpu_sw_power_cap_ns" } },
    { "field.76", { "gpu_sync_boost_ns" } }, { "field.77", { "gpu_board_limit_ns" } },
    { "field.78", { "gpu_low_utilization_ns" } }, { "field.79", { "gpu_reliability_ns" } },
    { "field.269", { "gpu_sw_thermal_ns" } }, { "field.270", { "gpu_hw_thermal_ns" } },
    { "field.271", { "gpu_power_brake_ns" } }, { "field.82", { "gpu_memory_celsius" } },
    { "field.142", { "remapped_correctable" } }, { "field.143", { "remapped_uncorrectable" } },
    { "field.144", { "remap_pending" } }, { "field.145", { "remap_failure" } }, { "field.193", { "tlimit_shutdown" } },
    { "field.194", { "tlimit_slowdown" } }, { "field.195", { "tlimit_memory_max" } }, { "field.196", { "tlimit_gpu_max" } },
    { "sm_max_mhz", { "sm_max_mhz" } }, { "memory_max_mhz", { "memory_max_mhz" } }, { "app_sm_mhz", { "app_sm_mhz" } },
    { "power_limit_mw", { "power_limit_w" } }, { "power_default_mw", { "power_default_w" } }, { "ecc", { "ecc", "ecc_pending" } },
    { "ecc_corrected", { "ecc_corrected" } }, { "ecc_uncorrected", { "ecc_uncorrected" } }, { "mig", { "mig" } },
    { "compute_mode", { "compute_mode" } }, { "persistence_mode", { "persistence_mode" } },
    { "pcie_generation", { "pcie_generation" } }, { "pcie_width", { "pcie_width" } },
    { "pcie_generation_max", { "pcie_generation_max" } }, { "pcie_width_max", { "pcie_width_max" } },
    { "cuda", { "cuda_driver" } }, { "capability", { "compute_capability" } }, { "vbios", { "vbios" } },
    { "field.186", { NULL } }, /* the older call tells the power then */
};

static bool is_of(const char *name, size_t i)
{
    for (size_t k = 0; k < 4 && quantities[i].fields[k]; k++)
        if (strcmp(quantities[i].fields[k], name) == 0)
            return true;
    return false;
}

/* In a block without time, a slope and an energy are never told. */
static bool is_never(const char *name)
{
    return strcmp(name, "gpu_energy_mj") == 0 || strcmp(name, "gpu_celsius_per_s") == 0;
}

static void each_quantity_may_be_absent(void **state)
{
    struct place *p = *state;
    static const struct { int code; const char *reason; } codes[] = { { 3, "not_supported" }, { 4, "no_permission" },
                                                                       { 999, "error 999" } };
    const pid_t own = getpid();
    for (size_t i = 0; i < sizeof quantities / sizeof *quantities; i++) {
        struct gpu *g;
        struct gpu_block b;
        struct field_row rows[GPU_COUNT], facts[GPU_FACTS_MAX];
        char script[128];
        const int code = codes[i % 3].code;
        snprintf(script, sizeof script, "process %d 5\n%s code %d\n", (int)own, quantities[i].name, strcmp(quantities[i].name, "field.186") == 0 ? 3 : code);
        fake_nvml_use(p->folder, script);
        assert_int_equal(gpu_open(&g, NULL, GPU_UUID, NULL), ST_OK);
        gpu_begin(g, &own, 1, true);
        gpu_end(g, &b);
        gpu_rows(rows, &b);
        const size_t count = gpu_facts(facts, g, "cuda:0");
        for (size_t k = 0; k < GPU_COUNT + count; k++) {
            const struct field_row *f = k < GPU_COUNT ? &rows[k] : &facts[k - GPU_COUNT];
            const char *want = is_of(f->name, i) ? codes[i % 3].reason : "";
            if (!is_never(f->name) && strcmp(f->absent, want) != 0)
                fail_msg("%s: %s is \"%s\", not \"%s\"", script, f->name, f->absent, want);
        }
        gpu_close(g);
    }
}

static void without_a_uuid_nothing_is_told(void **state)
{
    (void)state;
    struct gpu *g;
    struct gpu_block b;
    uint64_t bytes;
    struct field_row rows[GPU_FACTS_MAX];
    assert_int_equal(gpu_open(&g, NULL, "", NULL), ST_OK);
    assert_false(gpu_is_known(g));
    gpu_begin(g, NULL, 0, false);
    gpu_end(g, &b);
    assert_true(b.present && !b.lost);
    for (int i = 0; i < GPU_COUNT; i++)
        assert_string_equal(b.field[i].absent, "not_found");
    assert_false(gpu_memory_free(&bytes, g));
    const size_t count = gpu_facts(rows, g, "cuda:1");
    assert_string_equal(rows[0].name, "device_uuid.cuda:1");
    for (size_t i = 0; i < count; i++)
        assert_string_equal(rows[i].absent, "not_found");
    gpu_close(g);
}

/* --- the limits of the rules ------------------------------------------------------------------------------------- */

/* A second; 5 ms are 0.5 %, and may be. */
static void the_rules_have_their_limits(void **state)
{
    (void)state;
    static const struct { enum gpu_field field; double number, sm_mhz; int rule; } rows[] = {
        { GPU_SW_THERMAL_NS, 5e6, 0, -1 }, { GPU_SW_THERMAL_NS, 5.01e6, 0, VALIDITY_THERMAL },
        { GPU_SYNC_BOOST_NS, 5.01e6, 0, VALIDITY_THERMAL }, { GPU_SW_POWER_CAP_NS, 1e9, 0, -1 },
        { GPU_BOARD_LIMIT_NS, 1e9, 0, -1 }, { GPU_REASONS_TWICE, 0x04, 0, -1 }, { GPU_REASONS_TWICE, 0x08, 0, -1 },
        { GPU_REASONS_TWICE, 0x20, 0, VALIDITY_THERMAL }, { GPU_REASONS_TWICE, 0x10, 0, VALIDITY_THERMAL },
        { GPU_REASONS, 0x20, 0, -1 }, { GPU_SM_MHZ, 970, 1000, -1 }, { GPU_SM_MHZ, 969, 1000, VALIDITY_CLOCK },
        { GPU_SM_MHZ, 969, NAN, -1 }, { GPU_FOREIGN, 0, 0, -1 }, { GPU_FOREIGN, 1, 0, VALIDITY_FOREIGN },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct telemetry_block t = { .gpu = { .present = true } };
        struct worker_run_result run = { .answered_ns = 1000000000, .end_ns = 1000000000, .times_add_up = true };
        t.field[TELEMETRY_THERMAL_COUNT].known = true; /* the processor's is not the GPU's */
        t.field[TELEMETRY_THERMAL_COUNT].number = 5;
        t.gpu.field[rows[i].field].known = true;
        t.gpu.field[rows[i].field].number = rows[i].number;
        const struct validity v = validity_check(&(struct validity_ask){ .telemetry = &t, .runs = &run, .run_count = 1,
                                                                          .sm_mhz = rows[i].sm_mhz });
        for (int k = 0; k < VALIDITY_COUNT; k++)
            if (v.hit[k] != (k == rows[i].rule))
                fail_msg("row %zu: rule %s", i, validity_name((enum validity_rule)k));
    }
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(codes_have_types, make_place, drop_place),
        cmocka_unit_test_setup_teardown(both_sides_of_a_mismatch_are_named, make_place, drop_place),
        cmocka_unit_test_setup_teardown(devices_are_found_by_uuid, make_place, drop_place),
        cmocka_unit_test(fields_have_the_numbers_of_their_driver),
        cmocka_unit_test_setup_teardown(memory_of_a_process, make_place, drop_place),
        cmocka_unit_test_setup_teardown(a_block_is_polled, make_place, drop_place),
        cmocka_unit_test_setup_teardown(each_quantity_may_be_absent, make_place, drop_place),
        cmocka_unit_test(without_a_uuid_nothing_is_told),
        cmocka_unit_test(the_rules_have_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
