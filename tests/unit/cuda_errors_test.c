/* What every error number means, row by row, and the sentence of every rung of the ladder from injected
 * probes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/base/len.h"
#include "kernels/cuda/faults/errors.h"
#include "kernels/cuda/faults/ladder.h"

/* --- numbers -------------------------------------------------------------------------------------------- */
#define LOST ST_DEVICE_LOST
#define ENV  ST_ENVIRONMENT
#define OOM  ST_OUT_OF_MEMORY
#define DROP ST_UNSUPPORTED
#define REST ST_INTERNAL

/* The outcome without and with a context; sticky: with one. */
static const struct { enum fault_api api; int code; enum status before, after; bool sticky; } numbers[] = {
    { FAULT_CUDA, 0, ST_OK, ST_OK, false },     { FAULT_CUDA, 1, REST, REST, false },
    { FAULT_CUDA, 2, OOM, OOM, false },         { FAULT_CUDA, 34, ENV, ENV, false },
    { FAULT_CUDA, 35, ENV, ENV, false },        { FAULT_CUDA, 46, ENV, ENV, false },
    { FAULT_CUDA, 100, ENV, ENV, false },       { FAULT_CUDA, 101, REST, REST, false },
    { FAULT_CUDA, 209, ENV, ENV, false },       { FAULT_CUDA, 214, LOST, LOST, true },
    { FAULT_CUDA, 220, LOST, LOST, true },      { FAULT_CUDA, 222, ENV, ENV, false },
    { FAULT_CUDA, 226, LOST, LOST, true },      { FAULT_CUDA, 400, REST, REST, false },
    { FAULT_CUDA, 700, LOST, LOST, true },      { FAULT_CUDA, 701, REST, REST, false },
    { FAULT_CUDA, 702, LOST, LOST, true },      { FAULT_CUDA, 710, LOST, LOST, true },
    { FAULT_CUDA, 713, REST, REST, false },     { FAULT_CUDA, 714, LOST, LOST, true },
    { FAULT_CUDA, 715, LOST, LOST, true },      { FAULT_CUDA, 716, LOST, LOST, true },
    { FAULT_CUDA, 717, LOST, LOST, true },      { FAULT_CUDA, 718, LOST, LOST, true },
    { FAULT_CUDA, 719, LOST, LOST, true },      { FAULT_CUDA, 720, REST, REST, false },
    { FAULT_CUDA, 801, REST, REST, false },     { FAULT_CUDA, 802, ENV, ENV, false },
    { FAULT_CUDA, 803, ENV, ENV, false },       { FAULT_CUDA, 804, ENV, ENV, false },
    { FAULT_CUDA, 805, ENV, ENV, false },       { FAULT_CUDA, 806, REST, REST, false },
    { FAULT_CUDA, 900, REST, REST, false },     { FAULT_CUDA, 999, ENV, LOST, true },
    /* NVML's numbers, not CUDA's */
    { FAULT_CUDA, 15, REST, REST, false },      { FAULT_CUDA, 18, REST, REST, false },
    { FAULT_NVML, 15, LOST, LOST, true },       { FAULT_NVML, 16, LOST, LOST, true },
    { FAULT_NVML, 18, ENV, ENV, false },        { FAULT_NVML, 9, ENV, ENV, false },
    { FAULT_NVML, 17, ENV, ENV, false },        { FAULT_NVML, 999, REST, REST, false },
    { FAULT_NVML, 2, REST, REST, false },       { FAULT_NVML, 3, REST, REST, false },
    { FAULT_CUDNN, 1002, ENV, ENV, false },     { FAULT_CUDNN, 1008, ENV, ENV, false },
    { FAULT_CUDNN, 2000, REST, REST, false },   { FAULT_CUDNN, 2999, REST, REST, false },
    { FAULT_CUDNN, 3000, DROP, DROP, false },   { FAULT_CUDNN, 3014, DROP, DROP, false },
    { FAULT_CUDNN, 4000, REST, REST, false },   { FAULT_CUDNN, 4001, DROP, DROP, false },
    { FAULT_CUDNN, 4002, REST, REST, false },   { FAULT_CUDNN, 4003, OOM, OOM, false },
    { FAULT_CUDNN, 4004, OOM, OOM, false },     { FAULT_CUDNN, 5000, REST, REST, false },
    { FAULT_CUBLASLT, 3, OOM, OOM, false },     { FAULT_CUBLASLT, 7, REST, REST, false },
    { FAULT_CUBLASLT, 13, REST, REST, false },  { FAULT_CUBLASLT, 15, DROP, DROP, false },
};

static size_t rows_missed(struct gpu_fault (*classify)(enum fault_api api, int code, bool context))
{
    size_t missed = 0;
    for (size_t i = 0; i < LEN(numbers); i++) {
        struct gpu_fault before = classify(numbers[i].api, numbers[i].code, false);
        struct gpu_fault after = classify(numbers[i].api, numbers[i].code, true);
        bool right = before.status == numbers[i].before && after.status == numbers[i].after &&
                     after.sticky == numbers[i].sticky;
        if (!right && classify == gpu_fault_of)
            print_message("# %s %d: %s, %s\n", fault_api_name(numbers[i].api), numbers[i].code,
                          status_kind(before.status), status_kind(after.status));
        missed += !right;
    }
    return missed;
}

/* Wrong twins: without the context, and with one list of numbers for all libraries. */
static struct gpu_fault no_context(enum fault_api api, int code, bool context)
{
    (void)context;
    return gpu_fault_of(api, code, false);
}

static struct gpu_fault one_list(enum fault_api api, int code, bool context)
{
    (void)api;
    return gpu_fault_of(FAULT_CUDA, code, context);
}

static void every_number_has_its_outcome(void **state)
{
    (void)state;
    assert_int_equal(rows_missed(gpu_fault_of), 0);
    assert_true(rows_missed(no_context) > 0);
    assert_true(rows_missed(one_list) > 0);
}

static void an_error_that_comes_back_is_sticky(void **state)
{
    (void)state;
    static const struct {
        enum fault_api api;
        int code, again;
        bool context;
        enum status status;
        bool sticky;
    } rows[] = {
        { FAULT_CUDA, 1, 0, true, REST, false },      { FAULT_CUDA, 1, 1, true, LOST, true },
        { FAULT_CUDA, 2, 0, true, OOM, false },       { FAULT_CUDA, 2, 719, true, LOST, true },
        { FAULT_CUDNN, 5000, 0, true, REST, false },  { FAULT_CUDNN, 5000, 700, true, LOST, true },
        { FAULT_CUBLASLT, 13, 700, true, LOST, true }, { FAULT_CUBLASLT, 15, 700, true, DROP, false },
        { FAULT_CUDNN, 3000, 700, true, DROP, false }, /* refused before anything ran */
        { FAULT_CUDA, 35, 35, false, ENV, false }, /* no context: for ever, and nothing is lost */
        { FAULT_CUDA, 700, 0, true, LOST, true },      { FAULT_CUDA, 0, 0, true, ST_OK, false },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct gpu_fault f = gpu_fault_of(rows[i].api, rows[i].code, rows[i].context);
        f = gpu_fault_settle(f, rows[i].again);
        assert_int_equal(f.status, rows[i].status);
        assert_int_equal(f.sticky, rows[i].sticky);
    }
}

static void the_sentence_has_call_name_and_number(void **state)
{
    (void)state;
    struct err err = { 0 };
    assert_int_equal(gpu_error_set(&err, FAULT_CUDA, 2, true, "cudaMalloc", "10 bytes, 4 are free"), OOM);
    assert_string_equal(err.text, "cudaMalloc: 10 bytes, 4 are free, cudaErrorMemoryAllocation (CUDA 2)");
    assert_string_equal(err.api, "cuda");
    assert_int_equal(err.code, 2);
    assert_int_equal(err.status, OOM);
    assert_int_equal(gpu_error_set(&err, FAULT_CUBLASLT, 7, true, "cublasLtMatmul", NULL), REST);
    assert_string_equal(err.text, "cublasLtMatmul: failed (cuBLASLt 7)");
    assert_string_equal(err.api, "cublaslt");
    assert_int_equal(gpu_error_set(NULL, FAULT_CUDNN, 4001, true, "cudnnBackendFinalize", ""), DROP);
    struct err before = err;
    assert_int_equal(gpu_error_set(&err, FAULT_CUDA, 0, true, "cudaFree", NULL), ST_OK);
    assert_memory_equal(&before, &err, sizeof err);
}

/* --- the ladder ----------------------------------------------------------------------------------------- */
/* What a probe of a machine with one GPU (8.6) sees: versions of driver and runtime, how many devices, NVML
 * or not, versions of kernel module and libraries; then the codes that are not 0. */
#define SEEN(driver, runtime, count, nvml, module, library, ...) \
    { .driver_version = driver, .runtime_version = runtime, .devices = count, .nvml_found = nvml, \
      .module_version = module, .library_version = library, .sm = 86, .archs = "75 80 86 90", __VA_ARGS__ }
#define NEW "580.65.06"

static const struct {
    struct gpu_probes p;
    enum status st;
    const char *api;
    int code;
    const char *words[3];
} rungs[] = {
    { SEEN(13000, 13000, 1, true, NEW, NEW, .count_code = 0), ST_OK, "", 0, { NULL } },
    { SEEN(13000, 13000, 1, true, NEW, NEW, .context_call = "cudaSetDevice"), ST_OK, "", 0, { NULL } },
    /* 1: no driver library, or the stub */
    { { .runtime_version = 13000, .count_code = 35 }, ENV, "cuda", 35,
      { "libcuda.so.1 was not found", "CUDA 13.0" } },
    { { .runtime_version = 13000, .driver_code = 34 }, ENV, "cuda", 34, { "stub", "LD_LIBRARY_PATH" } },
    { SEEN(0, 13000, 1, true, NEW, NEW, .count_code = 34), ENV, "cuda", 34, { "stub" } },
    /* 2: mismatch, told by either; both versions; before the rungs below */
    { SEEN(13000, 13000, 1, true, "570.86.15", "570.133.20", .nvml_code = 18), ENV, "nvml", 18,
      { "570.86.15", "570.133.20", "(NVML 18)" } },
    { SEEN(13000, 13000, 1, true, "570.86.15", NULL, .count_code = 803), ENV, "cuda", 803,
      { "570.86.15", "of unknown version", "(CUDA 803)" } },
    { SEEN(13000, 13000, 1, true, NEW, NEW, .nvml_code = 18, .count_code = 35), ENV, "nvml", 18,
      { "580.65.06" } },
    { SEEN(13000, 13000, 1, false, NEW, NEW, .nvml_code = 18), ST_OK, "", 0, { NULL } }, /* never asked */
    /* 3: too old; both versions */
    { SEEN(12010, 13000, 1, true, NEW, "530.30.02", .count_code = 35), ENV, "cuda", 35,
      { "needs CUDA 13.0", "driver 530.30.02 offers 12.1", "(CUDA 35)" } },
    /* 4: nothing visible, or not usable */
    { SEEN(13000, 13000, 0, true, NEW, NEW, .count_code = 100), ENV, "cuda", 100,
      { "CUDA sees no device", "(CUDA 100)" } },
    { SEEN(13000, 13000, 0, true, NEW, NEW, .count_code = 0), ENV, "cuda", 100, { "CUDA sees no device" } },
    { SEEN(13000, 13000, 1, true, NEW, NEW, .context_code = 46), ENV, "cuda", 46,
      { "exclusive", "(CUDA 46)" } },
    { SEEN(13000, 13000, 1, true, NEW, NEW, .context_code = 2), OOM, "cuda", 2, { "no memory", "(CUDA 2)" } },
    { SEEN(13000, 13000, 1, true, NEW, NEW, .count_code = 802), ENV, "cuda", 802, { "fabric manager" } },
    { SEEN(13000, 13000, 1, true, NEW, NEW, .count_code = 804), ENV, "cuda", 804,
      { "forward-compatibility" } },
    { SEEN(13000, 13000, 1, true, NEW, NEW, .count_code = 805), ENV, "cuda", 805, { "MPS" } },
    { SEEN(13000, 13000, 1, true, NEW, NEW, .count_code = 999, .nvml_code = 15), LOST, "nvml", 15,
      { "fallen off the bus", "(NVML 15)" } },
    { SEEN(13000, 13000, 1, true, NEW, NEW, .count_code = 100, .nvml_code = 9), ENV, "nvml", 9,
      { "driver is not loaded" } },
    { SEEN(13000, 13000, 1, true, NEW, NEW, .nvml_code = 9), ST_OK, "", 0,
      { NULL } }, /* CUDA works: NVML is not needed */
    /* 5: no code for this device */
    { SEEN(13000, 13000, 1, true, NEW, NEW, .context_code = 209), ENV, "cuda", 209,
      { "75 80 86 90", "86", "(CUDA 209)" } },
    { SEEN(13000, 13010, 1, true, NEW, NEW, .context_code = 222), ENV, "cuda", 222,
      { "13.1", "13.0", "(CUDA 222)" } },
    /* anything else */
    { SEEN(13000, 13000, 1, true, NEW, NEW, .context_code = 999, .context_call = "cudaSetDevice"), ENV,
      "cuda", 999,
      { "cudaSetDevice returned 999", "cudaErrorUnknown", "(CUDA 999)" } },
    { SEEN(13000, 13000, 1, true, NEW, NEW, .count_code = 700), LOST, "cuda", 700,
      { "cudaGetDeviceCount returned 700" } },
    { SEEN(13000, 13000, 1, true, NEW, NEW, .context_code = 17), REST, "cuda", 17,
      { "returned 17", "(CUDA 17)" } },
};

static void the_first_rung_makes_the_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rungs); i++) {
        struct err err = { 0 };
        enum status st = gpu_ladder(&rungs[i].p, &err);
        if (st != rungs[i].st || strcmp(err.api, rungs[i].api) != 0 || err.code != rungs[i].code)
            fail_msg("rung %zu: %s, %s %d: %s", i, status_kind(st), err.api, err.code, err.text);
        for (size_t w = 0; w < LEN(rungs[i].words) && rungs[i].words[w]; w++)
            if (!strstr(err.text, rungs[i].words[w]))
                fail_msg("rung %zu: \"%s\" has no \"%s\"", i, err.text, rungs[i].words[w]);
        if (st != ST_OK)
            assert_int_equal(err.text[strlen(err.text) - 1], ')'); /* the number is the end */
        assert_int_equal(gpu_ladder(&rungs[i].p, NULL), st);
    }
}

static void libraries_have_rungs_too(void **state)
{
    (void)state;
    static const struct {
        struct gpu_library_probe p;
        enum status st;
        int code;
        const char *words[3];
    } cudnn[] = {
        { { true, "/a/libcudnn_graph.so.9", 91900, 0 }, ST_OK, 0, { NULL } },
        { { true, "/a/libcudnn_graph.so.9", 90800, 0 }, ST_OK, 0, { NULL } },
        { { false, "/a (no such file); loader", 0, 0 }, ENV, 0,
          { "not found", "9.8.0", "/a (no such file); loader" } },
        { { true, "/a/libcudnn_graph.so.9", 90799, 0 }, ENV, 0, { "9.7.99", "9.8.0", "/a/" } },
        { { true, "/a/libcudnn_graph.so.9", 100000, 0 }, ENV, 0, { "10.0.0", "version 9" } },
        { { true, "/a/libcudnn_graph.so.9", 91900, 1002 }, ENV, 1002,
          { "do not fit together", "LD_LIBRARY_PATH" } },
        { { true, "/a/libcudnn_graph.so.9", 91900, 1008 }, ENV, 1008, { "do not fit together" } },
        { { true, "/a/libcudnn_graph.so.9", 91900, 4004 }, OOM, 4004, { "cudnnCreate", "(cuDNN 4004)" } },
    };
    for (size_t i = 0; i < LEN(cudnn); i++) {
        struct err err = { 0 };
        assert_int_equal(gpu_ladder_cudnn(&cudnn[i].p, &err), cudnn[i].st);
        assert_string_equal(err.api, cudnn[i].st == ST_OK ? "" : "cudnn");
        assert_int_equal(err.code, cudnn[i].code);
        for (size_t w = 0; w < LEN(cudnn[i].words) && cudnn[i].words[w]; w++)
            if (!strstr(err.text, cudnn[i].words[w]))
                fail_msg("row %zu: \"%s\" has no \"%s\"", i, err.text, cudnn[i].words[w]);
    }
    struct err err = { 0 };
    const struct gpu_library_probe fits = { true, "/b", 130100, 0 }, old = { true, "/b", 120400, 0 };
    const struct gpu_library_probe missing = { .tried = "/b" };
    assert_int_equal(gpu_ladder_cublaslt(&fits, 13000, &err), ST_OK);
    assert_int_equal(gpu_ladder_cublaslt(&old, 13000, &err), ENV);
    assert_non_null(strstr(err.text, "12.4.0"));
    assert_non_null(strstr(err.text, "CUDA 13"));
    assert_int_equal(gpu_ladder_cublaslt(&missing, 13000, &err), ENV);
    assert_non_null(strstr(err.text, "/b"));
    assert_string_equal(err.api, "cublaslt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_has_its_outcome),
        cmocka_unit_test(an_error_that_comes_back_is_sticky),
        cmocka_unit_test(the_sentence_has_call_name_and_number),
        cmocka_unit_test(the_first_rung_makes_the_sentence),
        cmocka_unit_test(libraries_have_rungs_too),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
