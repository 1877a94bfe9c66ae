#include "kernels/cuda/library/matmul_plan.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/library/libraries.h"

#define ALIGNMENT 16    /* bytes, of every pointer: channels, strides and first channels are multiples of 8 */
#define ASK_MAX 32

/* One want as cuBLASLt sees it. */
struct product {
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t a, b, d;
};

struct matmul_plan {
    const struct gpu_libraries *libraries;
    struct matmul_want want;
    struct product product;
    cublasLtMatmulAlgo_t algorithm;
    size_t workspace;
};

/* What is saved; only the process's own kind of machine reads it again. */
struct saved_matmul {
    char word[8];
    uint64_t version, workspace;
    cublasLtMatmulAlgo_t algorithm;
};
#define SAVED_WORD "matmul1"

/* --- which product -------------------------------------------------------------------------------------- */

static int dst_stride(const struct conv_want *want)
{
    return want->dst_stride ? want->dst_stride : want->shape.k;
}

static int src_stride(const struct conv_want *want)
{
    return want->src_stride ? want->src_stride : want->shape.c;
}

/* Does every column of src and dst begin where pointers do? */
static bool aligned(const struct conv_want *want)
{
    int align = ALIGNMENT / (want->math == GPU_F32 || want->math == GPU_TF32 ? 4 : 2);
    return want->shape.c % align == 0 && want->shape.k % align == 0 && src_stride(want) % align == 0 &&
           dst_stride(want) % align == 0;
}

/* Taps that one product does: those of a row lie side by side where nothing is between the pixels. */
static int taps_at_once(const struct conv_want *want)
{
    return dst_stride(want) == want->shape.k ? 2 : 1;
}

static bool product_of_taps(struct matmul_want *out, const struct conv_want *want)
{
    const struct conv_shape *s = &want->shape;
    int64_t rows = (int64_t)s->n * s->h;
    if (s->groups != 1 || want->prologue || want->stats || rows > INT32_MAX || !aligned(want))
        return false;
    *out = (struct matmul_want){ .m = taps_at_once(want) * s->k, .n = s->w, .k = s->c, .bias = s->bias,
                                 .lda = 4 * s->k, .ldb = src_stride(want), .ldd = 2 * dst_stride(want),
                                 .batches = (int)rows, .batch_b = (long long)s->w * src_stride(want),
                                 .batch_d = 4LL * s->w * dst_stride(want), .math = want->math };
    return true;
}

bool matmul_of_conv(struct matmul_want *out, const struct conv_want *want)
{
    const struct conv_shape *s = &want->shape;
    if (want->transposed)
        return product_of_taps(out, want);
    if (s->kernel_h != 1 || s->kernel_w != 1 || s->stride != 1 || s->pad_h || s->pad_w || s->groups != 1 ||
        want->prologue || want->stats || s->h != s->out_h || s->w != s->out_w)
        return false;
    int64_t pixels = (int64_t)s->n * s->h * s->w;
    if (pixels > INT32_MAX || !aligned(want))
        return false;
    *out = (struct matmul_want){ .m = s->k, .n = (int)pixels, .k = s->c, .transpose_a = true, .bias = s->bias,
                                 .lda = s->c, .ldb = src_stride(want), .ldd = dst_stride(want), .batches = 1,
                                 .math = want->math };
    return true;
}

int matmul_taps(struct matmul_tap taps[MATMUL_TAPS_MAX], const struct conv_want *want)
{
    int count = 0, step = taps_at_once(want);
    taps[0] = (struct matmul_tap){ 0, 0 };
    if (!want->transposed)
        return 1;
    for (int tap = 0; tap < MATMUL_TAPS_MAX; tap += step) {
        long long row = tap / 2, column = tap % 2;
        taps[count++] = (struct matmul_tap){ (long long)tap * want->shape.k,
                                             (2 * row * want->shape.w + column) * dst_stride(want) };
    }
    return count;
}

struct matmul_want matmul_of_scores(int rows, int tokens, int depth, int heads, int stride,
                                    enum gpu_math math)
{
    return (struct matmul_want){ .m = tokens, .n = rows, .k = depth, .transpose_a = true, .lda = stride,
                                 .ldb = stride, .ldd = tokens, .batches = heads, .batch_a = depth,
                                 .batch_b = depth, .batch_d = (long long)rows * tokens, .math = math };
}

struct matmul_want matmul_of_values(int rows, int tokens, int depth, int heads, int stride, int dst_stride,
                                    enum gpu_math math)
{
    return (struct matmul_want){ .m = depth, .n = rows, .k = tokens, .lda = stride, .ldb = tokens,
                                 .ldd = dst_stride, .batches = heads, .batch_a = depth,
                                 .batch_b = (long long)rows * tokens, .batch_d = depth, .math = math };
}

/* --- descriptors ---------------------------------------------------------------------------------------- */

static cudaDataType_t storage(enum gpu_math math)
{
    static const cudaDataType_t types[] = {
        [GPU_F32] = CUDA_R_32F, [GPU_TF32] = CUDA_R_32F, [GPU_F16] = CUDA_R_16F, [GPU_BF16] = CUDA_R_16BF
    };
    return types[math];
}

static cublasComputeType_t compute(enum gpu_math math)
{
    static const cublasComputeType_t types[] = { [GPU_F32] = CUBLAS_COMPUTE_32F_PEDANTIC,
                                                 [GPU_TF32] = CUBLAS_COMPUTE_32F_FAST_TF32,
                                                 [GPU_F16] = CUBLAS_COMPUTE_32F,
                                                 [GPU_BF16] = CUBLAS_COMPUTE_32F };
    return types[math];
}

static void product_free(struct product *p, const struct cublaslt_api *api)
{
    if (p->desc)
        api->cublasLtMatmulDescDestroy(p->desc);
    cublasLtMatrixLayout_t layouts[] = { p->a, p->b, p->d };
    for (int i = 0; i < 3; i++)
        if (layouts[i])
            api->cublasLtMatrixLayoutDestroy(layouts[i]);
    *p = (struct product){ .desc = NULL };
}

static enum status layout_new(cublasLtMatrixLayout_t *out, const struct cublaslt_api *api, enum gpu_math math,
                              int rows, int columns, int ld, int batches, long long stride, struct err *err)
{
    cublasStatus_t code =
        api->cublasLtMatrixLayoutCreate(out, storage(math), (uint64_t)rows, (uint64_t)columns, ld);
    int32_t count = batches;
    int64_t offset = stride;
    if (code == CUBLAS_STATUS_SUCCESS && batches > 1)
        code = api->cublasLtMatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                                     sizeof count);
    if (code == CUBLAS_STATUS_SUCCESS && batches > 1)
        code = api->cublasLtMatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                                     &offset, sizeof offset);
    return cublaslt_check(api, code, "cublasLtMatrixLayoutCreate", err);
}

static enum status desc_new(cublasLtMatmulDesc_t *out, const struct cublaslt_api *api,
                            const struct matmul_want *w, struct err *err)
{
    cublasOperation_t transpose = w->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
    cublasStatus_t code = api->cublasLtMatmulDescCreate(out, compute(w->math), CUDA_R_32F);
    if (code == CUBLAS_STATUS_SUCCESS)
        code = api->cublasLtMatmulDescSetAttribute(*out, CUBLASLT_MATMUL_DESC_TRANSA, &transpose,
                                                   sizeof transpose);
    if (code == CUBLAS_STATUS_SUCCESS && w->bias)
        code = api->cublasLtMatmulDescSetAttribute(*out, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                                   sizeof epilogue);
    return cublaslt_check(api, code, "cublasLtMatmulDescCreate", err);
}

static enum status product_new(struct product *p, const struct cublaslt_api *api, const struct matmul_want *w,
                               struct err *err)
{
    *p = (struct product){ .desc = NULL };
    int rows = w->transpose_a ? w->k : w->m, columns = w->transpose_a ? w->m : w->k;
    enum status st = desc_new(&p->desc, api, w, err);
    if (st == ST_OK)
        st = layout_new(&p->a, api, w->math, rows, columns, w->lda, w->batches, w->batch_a, err);
    if (st == ST_OK)
        st = layout_new(&p->b, api, w->math, w->k, w->n, w->ldb, w->batches, w->batch_b, err);
    if (st == ST_OK)
        st = layout_new(&p->d, api, w->math, w->m, w->n, w->ldd, w->batches, w->batch_d, err);
    if (st != ST_OK)
        product_free(p, api);
    return st;
}

static enum status usable(const struct gpu_libraries *libraries, struct err *err)
{
    if (libraries->has_cublaslt && libraries->cublaslt_handle)
        return ST_OK;
    return err_set(err, ST_UNSUPPORTED, libraries->has_cublaslt ? "cuBLASLt has no device to plan for"
                                                                : "cuBLASLt was not found");
}

static enum status plan_new(struct matmul_plan **out, const struct gpu_libraries *libraries,
                            const struct matmul_want *want, struct err *err)
{
    struct matmul_plan *plan = calloc(1, sizeof *plan);
    *out = NULL;
    if (!plan)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for a product's plan");
    plan->libraries = libraries;
    plan->want = *want;
    enum status st = product_new(&plan->product, &libraries->cublaslt, want, err);
    if (st == ST_OK)
        *out = plan;
    else
        free(plan);
    return st;
}

void matmul_free(struct matmul_plan *plan)
{
    if (!plan)
        return;
    product_free(&plan->product, &plan->libraries->cublaslt);
    free(plan);
}

/* --- algorithms ----------------------------------------------------------------------------------------- */

/* Bytes at whose multiples every column of every batch begins: less than that of the pointers where scores
 * have an odd number of tokens. */
static uint32_t alignment_of(const struct matmul_want *w, int ld, long long stride)
{
    long long element = w->math == GPU_F32 || w->math == GPU_TF32 ? 4 : 2;
    uint32_t bytes = ALIGNMENT;
    while (bytes > element && (ld * element % bytes || (w->batches > 1 && stride * element % bytes)))
        bytes /= 2;
    return bytes;
}

static enum status preference_new(cublasLtMatmulPreference_t *out, const struct cublaslt_api *api,
                                  const struct matmul_want *w, size_t cap, struct err *err)
{
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES
    };
    uint64_t workspace = cap;
    const uint32_t bytes[] = { alignment_of(w, w->lda, w->batch_a), alignment_of(w, w->ldb, w->batch_b),
                               alignment_of(w, w->ldd, w->batch_d), alignment_of(w, w->ldd, w->batch_d) };
    uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    cublasStatus_t code = api->cublasLtMatmulPreferenceCreate(out);
    if (code == CUBLAS_STATUS_SUCCESS)
        code = api->cublasLtMatmulPreferenceSetAttribute(*out, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                         &workspace, sizeof workspace);
    if (code == CUBLAS_STATUS_SUCCESS)
        code = api->cublasLtMatmulPreferenceSetAttribute(*out, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                                         &schemes, sizeof schemes);
    for (int i = 0; i < 4 && code == CUBLAS_STATUS_SUCCESS; i++)
        code = api->cublasLtMatmulPreferenceSetAttribute(*out, alignments[i], &bytes[i], sizeof bytes[i]);
    return cublaslt_check(api, code, "cublasLtMatmulPreferenceCreate", err);
}

/* The heuristics' list; *found 0 with ST_OK never. */
static enum status ask(cublasLtMatmulHeuristicResult_t *results, int *found, const struct matmul_plan *probe,
                       int most, size_t cap, struct err *err)
{
    const struct gpu_libraries *libraries = probe->libraries;
    const struct cublaslt_api *api = &libraries->cublaslt;
    const struct product *p = &probe->product;
    cublasLtMatmulPreference_t preference = NULL;
    *found = 0;
    enum status st = preference_new(&preference, api, &probe->want, cap, err);
    if (st == ST_OK)
        st = cublaslt_check(api,
                            api->cublasLtMatmulAlgoGetHeuristic(libraries->cublaslt_handle, p->desc, p->a,
                                                                p->b, p->d, p->d, preference, most, results,
                                                                found),
                            "cublasLtMatmulAlgoGetHeuristic", err);
    if (preference)
        api->cublasLtMatmulPreferenceDestroy(preference);
    if (st == ST_OK && *found == 0)
        st = err_set(err, ST_UNSUPPORTED, "cuBLASLt has no algorithm for this product");
    return st;
}

static enum status add_plan(struct matmul_plan **plans, size_t *count, struct gpu_libraries *libraries,
                            const struct matmul_want *want, const cublasLtMatmulHeuristicResult_t *r,
                            struct err *err)
{
    enum status st = plan_new(&plans[*count], libraries, want, err);
    if (st != ST_OK)
        return st;
    plans[*count]->algorithm = r->algo;
    plans[(*count)++]->workspace = r->workspaceSize;
    return ST_OK;
}

enum status matmul_list(struct matmul_plan ***plans, size_t *count, struct gpu_libraries *libraries,
                        const struct matmul_want *want, size_t most, size_t cap, struct err *err)
{
    cublasLtMatmulHeuristicResult_t results[ASK_MAX] = { { .state = CUBLAS_STATUS_SUCCESS } };
    struct matmul_plan *probe = NULL;
    int found = 0, wanted = most < ASK_MAX ? (int)most : ASK_MAX;
    *plans = NULL;
    *count = 0;
    enum status st = usable(libraries, err);
    if (st == ST_OK)
        st = plan_new(&probe, libraries, want, err);
    if (st == ST_OK)
        st = ask(results, &found, probe, wanted, cap, err);
    matmul_free(probe);
    if (st != ST_OK)
        return st;
    struct matmul_plan **list = calloc((size_t)found, sizeof *list);
    if (!list)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %d products' plans", found);
    for (int i = 0; i < found && st == ST_OK; i++)
        if (results[i].state == CUBLAS_STATUS_SUCCESS && results[i].workspaceSize <= cap)
            st = add_plan(list, count, libraries, want, &results[i], err);
    if (st == ST_OK && *count == 0)
        st = err_set(err, ST_UNSUPPORTED,
                     "cuBLASLt has no algorithm for this product within %zu bytes of workspace", cap);
    if (st == ST_OK) {
        *plans = list;
        return ST_OK;
    }
    for (size_t i = 0; i < *count; i++)
        matmul_free(list[i]);
    free(list);
    *count = 0;
    return st;
}

/* --- saving --------------------------------------------------------------------------------------------- */

enum status matmul_save(const struct matmul_plan *plan, void **bytes, size_t *size, struct err *err)
{
    struct saved_matmul *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory to save a product's plan");
    memcpy(s->word, SAVED_WORD, sizeof SAVED_WORD);
    s->version = plan->libraries->cublaslt_version;
    s->workspace = plan->workspace;
    s->algorithm = plan->algorithm;
    *bytes = s;
    *size = sizeof *s;
    return ST_OK;
}

static enum status check_algorithm(const struct matmul_plan *plan, const struct saved_matmul *s,
                                   struct err *err)
{
    const struct cublaslt_api *api = &plan->libraries->cublaslt;
    const struct product *p = &plan->product;
    cublasLtMatmulHeuristicResult_t result = { .state = CUBLAS_STATUS_SUCCESS };
    enum status st =
        cublaslt_check(api,
                       api->cublasLtMatmulAlgoCheck(plan->libraries->cublaslt_handle, p->desc, p->a, p->b,
                                                    p->d, p->d, &plan->algorithm, &result),
                       "cublasLtMatmulAlgoCheck", err);
    if (st == ST_OK && result.workspaceSize != s->workspace)
        st = err_set(err, ST_INVALID, "a saved product asked for %llu bytes of workspace and now for %zu",
                     (unsigned long long)s->workspace, result.workspaceSize);
    return st;
}

enum status matmul_load(struct matmul_plan **out, struct gpu_libraries *libraries,
                        const struct matmul_want *want, const void *bytes, size_t size, struct err *err)
{
    struct saved_matmul s;
    struct matmul_plan *plan = NULL;
    *out = NULL;
    enum status st = usable(libraries, err);
    if (st != ST_OK)
        return st;
    if (size != sizeof s)
        return err_set(err, ST_INVALID, "a saved product has %zu bytes, not %zu", sizeof s, size);
    memcpy(&s, bytes, sizeof s);
    if (memcmp(s.word, SAVED_WORD, sizeof SAVED_WORD) != 0 || s.version != libraries->cublaslt_version)
        return err_set(err, ST_INVALID, "a saved product is of cuBLASLt %llu, loaded is %zu",
                       (unsigned long long)s.version, libraries->cublaslt_version);
    st = plan_new(&plan, libraries, want, err);
    if (st != ST_OK)
        return st;
    plan->algorithm = s.algorithm;
    plan->workspace = (size_t)s.workspace;
    st = check_algorithm(plan, &s, err);
    if (st == ST_OK)
        *out = plan;
    else
        matmul_free(plan);
    return st;
}

/* --- asking and running --------------------------------------------------------------------------------- */

size_t matmul_workspace(const struct matmul_plan *plan)
{
    return plan->workspace;
}

static int number_of(const struct matmul_plan *plan, cublasLtMatmulAlgoConfigAttributes_t attribute)
{
    int number = -1;
    cublasStatus_t code = plan->libraries->cublaslt.cublasLtMatmulAlgoConfigGetAttribute(
        &plan->algorithm, attribute, &number, sizeof number, NULL);
    return code == CUBLAS_STATUS_SUCCESS ? number : -1;
}

int matmul_algorithm(const struct matmul_plan *plan)
{
    return number_of(plan, CUBLASLT_ALGO_CONFIG_ID);
}

void matmul_name(const struct matmul_plan *plan, char *text, size_t size)
{
    snprintf(text, size, "cublaslt:%d.%d.%d", matmul_algorithm(plan),
             number_of(plan, CUBLASLT_ALGO_CONFIG_TILE_ID), number_of(plan, CUBLASLT_ALGO_CONFIG_STAGES_ID));
}

enum status matmul_run(struct matmul_plan *plan, const void *a, const void *b, const void *bias, void *d,
                       void *workspace, struct CUstream_st *stream, struct err *err)
{
    static const float one = 1.0f, zero = 0.0f;
    const struct cublaslt_api *api = &plan->libraries->cublaslt;
    const struct product *p = &plan->product;
    cublasStatus_t code = CUBLAS_STATUS_SUCCESS;
    if (plan->want.bias)
        code = api->cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                                                   sizeof bias);
    if (code == CUBLAS_STATUS_SUCCESS)
        code = api->cublasLtMatmul(plan->libraries->cublaslt_handle, p->desc, &one, a, p->a, b, p->b, &zero,
                                   d, p->d, d, p->d, &plan->algorithm, workspace, plan->workspace, stream);
    return cublaslt_check(api, code, "cublasLtMatmul", err);
}
