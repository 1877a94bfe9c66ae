/* Plans of cuDNN for devices that are not there: groups of images, arithmetic by notes, workspace, text and
 * back; every call failing once, with nothing left behind. What needs cuDNN itself is skipped where there is
 * none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include "kernels/base/json.h"
#include "kernels/base/len.h"
#include "kernels/cuda/library/conv_plan.h"
#include "kernels/cuda/library/device_json.h"
#include "kernels/cuda/library/sdpa_plan.h"

#if CUDART_VERSION >= 13000
#define NVRTC_MAJOR "13"
#else
#define NVRTC_MAJOR "12"
#endif
#define CAP ((size_t)256 << 20)
#define NOTE(name) (UINT32_C(1) << CUDNN_NUMERICAL_NOTE_##name)

/* What the libraries themselves keep to their end is not ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libcudnn\nleak:libcublas\nleak:libnvrtc\n";
}

static struct conv_want want_of(int n, int side, int c, int k, int kernel, enum gpu_math math)
{
    return (struct conv_want){
        .shape = { .n = n, .h = side, .w = side, .c = c, .k = k, .out_h = side, .out_w = side,
                   .kernel_h = kernel, .kernel_w = kernel, .stride = 1, .pad_h = kernel / 2,
                   .pad_w = kernel / 2, .groups = 1 },
        .math = math,
    };
}

/* --- without the library ------------------------------------------------------------------------------ */

/* 48 channels at 1024 x 1024: 2^31 / (48 * 2^20) = 42.67, so 42 images fit. */
static void groups_stay_below_2_31_elements(void **state)
{
    (void)state;
    static const struct { int n; bool stats, prologue; int images, launches; } rows[] = {
        { 1, false, false, 1, 1 },   { 42, false, false, 42, 1 }, { 43, false, false, 22, 2 },
        { 64, false, false, 32, 2 }, { 85, false, false, 29, 3 }, { 8, true, false, 1, 8 },
        { 8, false, true, 1, 8 },    { 1, true, true, 1, 1 },
    };
    for (size_t r = 0; r < LEN(rows); r++) {
        struct conv_want want = want_of(rows[r].n, 1024, 48, 24, 3, GPU_F16);
        want.stats = rows[r].stats;
        want.prologue = rows[r].prologue;
        struct conv_groups g = conv_plan_groups(&want);
        assert_int_equal(g.images, rows[r].images);
        assert_int_equal(g.launches, rows[r].launches);
        assert_true((int64_t)g.images * 48 * 1024 * 1024 < INT64_C(1) << 31);
        bool seen[128] = { false };
        for (int i = 0; i < g.launches; i++)
            for (int k = 0; k < g.images; k++) {
                int image = conv_plan_first_image(&g, rows[r].n, i) + k;
                assert_in_range(image, 0, rows[r].n - 1);
                seen[image] = true;
            }
        for (int i = 0; i < rows[r].n; i++)
            assert_true(seen[i]);
    }
    /* the wider buffer that dst lies in counts, not its channels */
    struct conv_want slice = want_of(64, 1024, 8, 8, 1, GPU_F16);
    assert_int_equal(conv_plan_groups(&slice).launches, 1);
    slice.dst_stride = 48;
    assert_int_equal(conv_plan_groups(&slice).launches, 2);
    /* one image beyond the limit: still one launch per image */
    struct conv_want huge = want_of(2, 8192, 48, 8, 1, GPU_F16);
    assert_int_equal(conv_plan_groups(&huge).images, 1);
    assert_int_equal(conv_plan_groups(&huge).launches, 2);
}

static void arithmetic_is_what_was_asked(void **state)
{
    (void)state;
    static const uint32_t lossy[] = { NOTE(DOWN_CONVERT_INPUTS), NOTE(REDUCED_PRECISION_REDUCTION), NOTE(FFT),
                                      NOTE(NONDETERMINISTIC), NOTE(WINOGRAD), NOTE(WINOGRAD_TILE_4x4),
                                      NOTE(WINOGRAD_TILE_6x6), NOTE(WINOGRAD_TILE_13x13) };
    for (int math = GPU_F32; math <= GPU_BF16; math++) {
        for (size_t i = 0; i < LEN(lossy); i++)
            assert_false(graph_numerics_allowed(lossy[i] | NOTE(STRICT_NAN_PROP), (enum gpu_math)math));
        assert_true(graph_numerics_allowed(0, (enum gpu_math)math));
        assert_true(graph_numerics_allowed(NOTE(STRICT_NAN_PROP), (enum gpu_math)math));
        assert_int_equal(graph_numerics_allowed(NOTE(TENSOR_CORE), (enum gpu_math)math), math != GPU_F32);
    }
    assert_int_equal(graph_storage(GPU_TF32), CUDNN_DATA_FLOAT);
    assert_int_equal(graph_storage(GPU_F16), CUDNN_DATA_HALF);
    assert_int_equal(graph_storage(GPU_BF16), CUDNN_DATA_BFLOAT16);
}

static void devices_are_described_in_23_fields(void **state)
{
    (void)state;
    static const struct { const char *key; int version, processors; json_int_t memory; } rows[] = {
        { "h100", 900, 132, 85520809984 },
        { "a100", 800, 108, 85051572224 },
        { "a5000", 860, 64, 25294995456 },
    };
    assert_int_equal(device_cards_count, LEN(rows));
    for (size_t i = 0; i < LEN(rows); i++) {
        char text[DEVICE_JSON_MAX];
        struct err err = { 0 };
        device_json_write(text, &device_cards[i]);
        json_t *object = json_read_text("device", text, strlen(text), &err);
        assert_non_null(object);
        assert_int_equal(json_object_size(object), 23);
        assert_string_equal(device_cards[i].key, rows[i].key);
        assert_int_equal(json_integer_value(json_object_get(object, "deviceVer")), rows[i].version);
        assert_int_equal(json_integer_value(json_object_get(object, "multiProcessorCount")),
                         rows[i].processors);
        assert_int_equal(json_integer_value(json_object_get(object, "totalGlobalMem")), rows[i].memory);
        assert_int_equal(json_array_size(json_object_get(object, "maxGridSize")), 3);
        json_decref(object);
    }
}

/* --- with the library, for a device that is not there ------------------------------------------------- */
/* The library's calls with ours before them: descriptors are counted, and one call can fail. Function
 * pointers carry no context, so this is the one place with a variable of the file. */
static struct {
    struct cudnn_api real;
    int alive, calls, fail_at;  /* 0: none fails */
    cudnnStatus_t fail_with;
} spy;

static bool fails(void)
{
    return ++spy.calls == spy.fail_at;
}
static cudnnStatus_t spy_create(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *out)
{
    if (fails())
        return spy.fail_with;
    cudnnStatus_t code = spy.real.cudnnBackendCreateDescriptor(type, out);
    spy.alive += code == CUDNN_STATUS_SUCCESS;
    return code;
}
static cudnnStatus_t spy_destroy(cudnnBackendDescriptor_t d)
{
    spy.alive--;
    return spy.real.cudnnBackendDestroyDescriptor(d);
}
static cudnnStatus_t spy_set(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                             cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    return fails() ? spy.fail_with : spy.real.cudnnBackendSetAttribute(d, name, type, count, values);
}
static cudnnStatus_t spy_get(cudnnBackendDescriptor_t const d, cudnnBackendAttributeName_t name,
                             cudnnBackendAttributeType_t type, int64_t room, int64_t *count, void *values)
{
    return fails() ? spy.fail_with : spy.real.cudnnBackendGetAttribute(d, name, type, room, count, values);
}
static cudnnStatus_t spy_finalize(cudnnBackendDescriptor_t d)
{
    return fails() ? spy.fail_with : spy.real.cudnnBackendFinalize(d);
}

static struct gpu_libraries *open_for(size_t card)
{
    struct err err = { 0 };
    struct gpu_libraries *l = NULL;
    char json[DEVICE_JSON_MAX];
    const struct library_search search = library_search_usual();
    if (gpu_libraries_open(&l, &search, &err) != ST_OK) {
        print_message("# %s\n", err.text);
        skip();
    }
    device_json_write(json, &device_cards[card]);
    enum status st = gpu_libraries_use_json(l, json, &err);
    if (st != ST_OK) {
        print_message("# %s\n", err.text);
        gpu_libraries_close(l);
        assert_int_equal(st, ST_UNSUPPORTED); /* another schema is a skip, anything else a failure */
        skip();
    }
    memset(&spy, 0, sizeof spy);
    spy.real = l->cudnn;
    l->cudnn.cudnnBackendCreateDescriptor = spy_create;
    l->cudnn.cudnnBackendDestroyDescriptor = spy_destroy;
    l->cudnn.cudnnBackendSetAttribute = spy_set;
    l->cudnn.cudnnBackendGetAttribute = spy_get;
    l->cudnn.cudnnBackendFinalize = spy_finalize;
    return l;
}

static void close_balanced(struct gpu_libraries *l)
{
    assert_int_equal(spy.alive, 0);
    l->cudnn = spy.real; /* the device's description was made before we looked */
    gpu_libraries_close(l);
}

static void free_all(struct conv_plan **plans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        conv_plan_free(plans[i]);
    free(plans);
}

static void plans_keep_to_arithmetic_and_workspace(void **state)
{
    (void)state;
    for (size_t card = 0; card < device_cards_count; card++) {
        struct gpu_libraries *l = open_for(card);
        size_t with_tensor_cores = 0, with_workspace = 0;
        for (int math = GPU_F32; math <= GPU_BF16; math++)
            for (size_t cap = 0; cap <= CAP; cap += CAP) {
                struct conv_want want = want_of(2, 256, 48, 48, 3, (enum gpu_math)math);
                struct err err = { 0 };
                struct graph_seen seen;
                struct conv_plan **plans;
                size_t count;
                assert_int_equal(conv_plan_list(&plans, &count, l, &want, 8, cap, &seen, &err), ST_OK);
                assert_in_range(count, 1, 8);
                for (size_t i = 0; i < count; i++) {
                    const struct graph_plan *g = conv_plan_graph(plans[i]);
                    char name[32], want_name[32];
                    assert_true(conv_plan_workspace(plans[i]) <= cap);
                    assert_true(graph_numerics_allowed(g->numerics, want.math));
                    assert_int_equal(conv_plan_launches(plans[i]), 1);
                    conv_plan_name(plans[i], name, sizeof name);
                    snprintf(want_name, sizeof want_name, "cudnn:%lld", (long long)g->engine);
                    assert_string_equal(name, want_name);
                    with_tensor_cores += math != GPU_F32 && (g->numerics & NOTE(TENSOR_CORE));
                    with_workspace += g->workspace > 0;
                }
                /* without the filter strict f32 would be something else: most of what is listed is refused */
                if (math == GPU_F32)
                    assert_true(seen.refused_by_notes > 0);
                free_all(plans, count);
            }
        assert_true(with_tensor_cores > 0);
        assert_true(with_workspace > 0);
        close_balanced(l);
    }
}

static void plans_survive_as_text(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_for(0);
    struct conv_want want = want_of(1, 64, 48, 48, 3, GPU_TF32); /* its first engine here has a workspace */
    struct err err = { 0 };
    struct conv_plan **plans, *again = NULL;
    size_t count;
    want.shape.bias = true;
    assert_int_equal(conv_plan_list(&plans, &count, l, &want, 8, CAP, NULL, &err), ST_OK);
    for (size_t i = 0; i < count; i++) {
        char *text = conv_plan_save(plans[i], &err);
        assert_non_null(text);
        assert_int_equal(conv_plan_load(&again, l, &want, text, strlen(text), &err), ST_OK);
        const struct graph_plan *a = conv_plan_graph(plans[i]), *b = conv_plan_graph(again);
        assert_int_equal(a->engine, b->engine);
        assert_int_equal(a->workspace, b->workspace);
        assert_int_equal(a->behavior, b->behavior);
        assert_int_equal(a->numerics, b->numerics);
        conv_plan_free(again);

        char *workspace = strstr(text, "\"workspace\":");
        assert_non_null(workspace);
        workspace += strlen("\"workspace\":");
        while (*workspace == ' ')
            workspace++;
        *workspace = *workspace == '7' ? '8' : '7'; /* another number */
        assert_int_equal(conv_plan_load(&again, l, &want, text, strlen(text), &err), ST_INVALID);
        assert_null(again);
        assert_non_null(strstr(err.text, "workspace"));
        free(text);
    }
    static const char *const wrong[] = {
        "", "{", "{}", "[]",
        "{\"engine\":1,\"behavior\":0,\"numerics\":0,\"workspace\":0,\"plan\":\"{\\\"no\\\":\\\"plan\\\"}\"}",
    };
    for (size_t i = 0; i < LEN(wrong); i++) {
        assert_int_not_equal(conv_plan_load(&again, l, &want, wrong[i], strlen(wrong[i]), &err), ST_OK);
        assert_null(again);
    }
    free_all(plans, count);
    close_balanced(l);
}

/* The backward-data operation, dense and into the upper half of a wider tensor; its engines come compiled as long as no
 * bias is added. Shapes that do not belong together are refused by the library itself. */
static void transposed_convolutions_have_plans(void **state)
{
    (void)state;
    for (size_t card = 0; card < device_cards_count; card++) {
        struct gpu_libraries *l = open_for(card);
        for (int i = 0; i < 2 * (GPU_BF16 + 1); i++) {
            struct conv_want wide = want_of(1, 64, 48, 4 * 24, 1, (enum gpu_math)(i / 2));
            wide.direct.stride = i % 2 ? 48 : 24;
            struct conv_want want = conv_want_direct(&wide);
            struct err err = { 0 };
            struct conv_plan **plans, *again;
            size_t count;
            assert_int_equal(conv_plan_list(&plans, &count, l, &want, 2, CAP, NULL, &err), ST_OK);
            char *text = conv_plan_save(plans[0], &err);
            assert_non_null(text);
            assert_int_equal(conv_plan_load(&again, l, &want, text, strlen(text), &err), ST_OK);
            assert_int_equal(conv_plan_workspace(again), conv_plan_workspace(plans[0]));
            conv_plan_free(again);
            free(text);
            free_all(plans, count);
            want.shape.out_w += 2; /* of 65 columns of src */
            assert_int_not_equal(conv_plan_list(&plans, &count, l, &want, 2, CAP, NULL, &err), ST_OK);
            assert_int_equal(err.code / 1000, 2); /* a bad parameter */
        }
        close_balanced(l);
    }
}

static void what_cannot_be_says_why(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_for(2);
    struct err err = { 0 };
    struct conv_plan **plans;
    struct sdpa_plan **attention;
    size_t count;
    /* sums in strict f32: only tensor cores have them */
    struct conv_want want = want_of(1, 64, 48, 48, 3, GPU_F32);
    want.stats = true;
    assert_int_equal(conv_plan_list(&plans, &count, l, &want, 8, CAP, NULL, &err), ST_UNSUPPORTED);
    assert_null(plans);
    assert_int_equal(count, 0);
    assert_non_null(strstr(err.text, "no plan of cuDNN"));
    /* a shape that is none */
    want = want_of(1, 64, 48, 48, 3, GPU_F16);
    want.shape.out_h = 60;
    assert_int_not_equal(conv_plan_list(&plans, &count, l, &want, 8, CAP, NULL, &err), ST_OK);
    assert_string_equal(err.api, "cudnn");
    assert_int_equal(err.code / 1000, 2); /* a bad parameter */
    assert_null(plans);
    /* attention in f32 */
    const struct sdpa_want f32 = { .n = 1, .heads = 8, .depth = 128, .tokens = 4096, .math = GPU_TF32 };
    assert_int_equal(sdpa_plan_list(&attention, &count, l, &f32, 8, CAP, NULL, &err), ST_UNSUPPORTED);
    /* a plan that is there cannot run where no device is */
    want = want_of(1, 64, 48, 48, 3, GPU_F16);
    assert_int_equal(conv_plan_list(&plans, &count, l, &want, 1, CAP, NULL, &err), ST_OK);
    assert_int_equal(conv_plan_run(plans[0], &(struct conv_buffers){ 0 }, NULL, &err), ST_ENVIRONMENT);
    free_all(plans, count);
    close_balanced(l);
}

/* The i-th call fails, i = 1, 2, 3 ... until nothing meets the failure: each time an error or other plans,
 * and no descriptor left. */
static void every_call_may_fail(void **state)
{
    (void)state;
    static const cudnnStatus_t codes[] = { CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED,
                                           CUDNN_STATUS_NOT_SUPPORTED };
    struct gpu_libraries *l = open_for(0);
    struct conv_want want = want_of(2, 64, 48, 48, 3, GPU_F16);
    want.stats = want.prologue = true;
    for (size_t c = 0; c < LEN(codes); c++) {
        size_t failed = 0, went_on = 0;
        spy.fail_with = codes[c];
        for (spy.fail_at = 1;; spy.fail_at++) {
            struct err err = { 0 };
            struct conv_plan **plans, *again = NULL;
            size_t count;
            spy.calls = 0;
            enum status st = conv_plan_list(&plans, &count, l, &want, 2, CAP, NULL, &err);
            char *text = st == ST_OK ? conv_plan_save(plans[0], &err) : NULL;
            enum status loaded = text ? conv_plan_load(&again, l, &want, text, strlen(text), &err) : st;
            failed += st != ST_OK || loaded != ST_OK;
            went_on += st == ST_OK && loaded == ST_OK;
            assert_true(st == ST_OK || (err.text[0] && !plans && count == 0));
            assert_true(st != ST_OUT_OF_MEMORY || codes[c] == codes[0]);
            conv_plan_free(again);
            free(text);
            free_all(plans, count);
            assert_int_equal(spy.alive, 0);
            if (spy.calls < spy.fail_at)
                break;
        }
        assert_true(failed > 50);                       /* calls for tensors, operations, graph */
        assert_true(codes[c] == codes[0] || went_on > 5); /* a configuration that fails is only dropped */
    }
    spy.fail_at = 0;
    close_balanced(l);
}

int main(void)
{
    /* cuDNN loads and unloads the compiler for every plan it would compile: 71 KB stay behind each time */
    dlopen("libnvrtc.so." NVRTC_MAJOR, RTLD_NOW | RTLD_LOCAL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_stay_below_2_31_elements),
        cmocka_unit_test(arithmetic_is_what_was_asked),
        cmocka_unit_test(devices_are_described_in_23_fields),
        cmocka_unit_test(plans_keep_to_arithmetic_and_workspace),
        cmocka_unit_test(plans_survive_as_text),
        cmocka_unit_test(transposed_convolutions_have_plans),
        cmocka_unit_test(what_cannot_be_says_why),
        cmocka_unit_test(every_call_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
