/* cublaslt.c - a cuBLASLt whose products run on the CPU: the calls that kernels/cuda/library/cublaslt_api.h lists.
 * Column-major layouts with leading dimensions and strided batches, op(A), op(B), f32, f16 and bf16 with
 * sums in float, tf32 factors where the compute type asks for them, epilogues none, bias, ReLU, both; beta
 * 0. Everything else is refused. Built as libcublasLt.so.13.
 *
 * BENCH_FAKE_CUDA (cudart.h) may name its calls: fail=cublasLtMatmul:2:13.
 * BENCH_FAKE_CUBLASLT_VERSION: the version it claims; preset that of the headers. */
#include <cublasLt.h>
#include <stdbool.h>
#include <stdio.h>

#include "kernels/base/len.h"
#include "tests/gpu/fake/enqueue.h"
#include "tests/gpu/fake/number.h"

#define ALIGNMENT 16
#define ALGORITHM_WORD UINT64_C(0x66616b65616c676f)

struct desc {
    cublasComputeType_t compute;
    cudaDataType_t scale;
    int32_t transpose_a, transpose_b, bias_type;    /* bias_type -1: that of D */
    uint32_t epilogue;
    const void *bias;
};

struct layout {
    cudaDataType_t type;
    uint64_t rows, columns;
    int64_t ld, offset;
    int32_t batches;
};

struct preference {
    uint64_t workspace;
    uint32_t schemes, alignment[4];
};

/* What is inside the 64 bytes that callers may keep. */
struct algorithm {
    uint64_t word, problem;     /* problem: a number of what it was found for */
    int32_t row;
};

struct cublasLtContext { int unused; };

static const struct { int id, tile, stages; size_t workspace; bool refused; } algorithms[] = {
    { 21, 20, 8, 4096, false },
    { 66, 11, 4, 0, true },                         /* listed, with a state that is no success */
    { 24, 18, 11, 0, false },
    { 31, 15, 35, (size_t)8 << 30, false },         /* beyond every cap */
    { 10, 10, 3, 65536, false },
};

static cublasStatus_t scripted(const char *call)
{
    return (cublasStatus_t)(fake_call ? fake_call(call) : 0);
}

/* --- descriptors ---------------------------------------------------------------------------------------- */
/* Attributes as rows: which, where, how large. */
struct place { int attribute; void *into; size_t size; };

static cublasStatus_t put(const struct place *rows, size_t count, int attribute, const void *buffer,
                          size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].attribute == attribute) {
            if (!buffer || size != rows[i].size)
                return CUBLAS_STATUS_INVALID_VALUE;
            memcpy(rows[i].into, buffer, size);
            return CUBLAS_STATUS_SUCCESS;
        }
    return CUBLAS_STATUS_INVALID_VALUE;
}

static cublasStatus_t give(void **out, const void *value, size_t size)
{
    *out = malloc(size);
    if (!*out)
        return CUBLAS_STATUS_ALLOC_FAILED;
    memcpy(*out, value, size);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t compute,
                                        cudaDataType_t scale)
{
    struct desc d = {
        .compute = compute, .scale = scale, .bias_type = -1, .epilogue = CUBLASLT_EPILOGUE_DEFAULT
    };
    cublasStatus_t st = scripted("cublasLtMatmulDescCreate");
    return st ? st : give((void **)out, &d, sizeof d);
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc)
{
    free(desc);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t attribute, const void *buffer,
                                              size_t size)
{
    struct desc *d = (struct desc *)desc;
    const struct place rows[] = {
        { CUBLASLT_MATMUL_DESC_TRANSA, &d->transpose_a, sizeof d->transpose_a },
        { CUBLASLT_MATMUL_DESC_TRANSB, &d->transpose_b, sizeof d->transpose_b },
        { CUBLASLT_MATMUL_DESC_EPILOGUE, &d->epilogue, sizeof d->epilogue },
        { CUBLASLT_MATMUL_DESC_BIAS_POINTER, &d->bias, sizeof d->bias },
        { CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &d->bias_type, sizeof d->bias_type },
    };
    return put(rows, LEN(rows), (int)attribute, buffer, size);
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t ld)
{
    struct layout l = { .type = type, .rows = rows, .columns = columns, .ld = ld, .batches = 1 };
    cublasStatus_t st = scripted("cublasLtMatrixLayoutCreate");
    return st ? st : give((void **)out, &l, sizeof l);
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    free(layout);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void *buffer,
                                                size_t size)
{
    struct layout *l = (struct layout *)layout;
    const struct place rows[] = {
        { CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &l->batches, sizeof l->batches },
        { CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &l->offset, sizeof l->offset },
        { CUBLASLT_MATRIX_LAYOUT_LD, &l->ld, sizeof l->ld },
    };
    return put(rows, LEN(rows), (int)attribute, buffer, size);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out)
{
    struct preference p = { .schemes = CUBLASLT_REDUCTION_SCHEME_MASK, .alignment = { 256, 256, 256, 256 } };
    cublasStatus_t st = scripted("cublasLtMatmulPreferenceCreate");
    return st ? st : give((void **)out, &p, sizeof p);
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference)
{
    free(preference);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void *buffer, size_t size)
{
    struct preference *p = (struct preference *)preference;
    const struct place rows[] = {
        { CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &p->workspace, sizeof p->workspace },
        { CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &p->schemes, sizeof p->schemes },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &p->alignment[0], sizeof p->alignment[0] },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &p->alignment[1], sizeof p->alignment[1] },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &p->alignment[2], sizeof p->alignment[2] },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &p->alignment[3], sizeof p->alignment[3] },
    };
    return put(rows, LEN(rows), (int)attribute, buffer, size);
}

/* --- problems ------------------------------------------------------------------------------------------- */
static size_t element(cudaDataType_t type)
{
    return type == CUDA_R_32F ? 4 : 2;
}

static bool type_known(cudaDataType_t type)
{
    return type == CUDA_R_32F || type == CUDA_R_16F || type == CUDA_R_16BF;
}

/* D (m,n) = op(A) (m,k) op(B) (k,n) */
struct problem {
    struct desc desc;
    struct layout a, b, d;
    int64_t m, n, k;
};

static bool transposed(int32_t operation)
{
    return operation == CUBLAS_OP_T;
}

static cublasStatus_t read_problem(struct problem *p, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                                   cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                   cublasLtMatrixLayout_t d)
{
    if (!desc || !a || !b || !c || !d)
        return CUBLAS_STATUS_INVALID_VALUE;
    *p = (struct problem){ .desc = *(struct desc *)desc, .a = *(struct layout *)a, .b = *(struct layout *)b,
                           .d = *(struct layout *)d };
    bool ta = transposed(p->desc.transpose_a), tb = transposed(p->desc.transpose_b);
    p->m = (int64_t)(ta ? p->a.columns : p->a.rows);
    p->k = (int64_t)(ta ? p->a.rows : p->a.columns);
    p->n = (int64_t)(tb ? p->b.rows : p->b.columns);
    int64_t k = (int64_t)(tb ? p->b.columns : p->b.rows);
    if (k != p->k || (int64_t)p->d.rows != p->m || (int64_t)p->d.columns != p->n ||
        memcmp(c, d, sizeof p->d) != 0)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (p->a.ld < (int64_t)p->a.rows || p->b.ld < (int64_t)p->b.rows || p->d.ld < (int64_t)p->d.rows ||
        p->a.batches != p->d.batches || p->b.batches != p->d.batches || p->d.batches < 1)
        return CUBLAS_STATUS_INVALID_VALUE;
    cublasComputeType_t compute = p->desc.compute;
    bool computes = compute == CUBLAS_COMPUTE_32F || (p->a.type == CUDA_R_32F &&
                    (compute == CUBLAS_COMPUTE_32F_FAST_TF32 || compute == CUBLAS_COMPUTE_32F_PEDANTIC));
    bool epilogue =
        p->desc.epilogue == CUBLASLT_EPILOGUE_DEFAULT || p->desc.epilogue == CUBLASLT_EPILOGUE_RELU ||
        p->desc.epilogue == CUBLASLT_EPILOGUE_BIAS || p->desc.epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
    if (!type_known(p->a.type) || p->b.type != p->a.type || p->d.type != p->a.type || !computes ||
        !epilogue || p->desc.scale != CUDA_R_32F)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    return CUBLAS_STATUS_SUCCESS;
}

static bool has_bias(const struct problem *p)
{
    return p->desc.epilogue & CUBLASLT_EPILOGUE_BIAS;
}

/* A number of everything that an algorithm was found for. */
static uint64_t problem_number(const struct problem *p)
{
    const int64_t parts[] = {
        p->m, p->n, p->k, p->a.ld, p->b.ld, p->d.ld, p->a.offset, p->b.offset, p->d.offset, p->d.batches,
        (int64_t)p->a.type, (int64_t)p->desc.compute, p->desc.transpose_a, p->desc.transpose_b,
        (int64_t)p->desc.epilogue,
    };
    uint64_t number = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < LEN(parts); i++)
        number = (number ^ (uint64_t)parts[i]) * UINT64_C(1099511628211);
    return number;
}

/* --- algorithms ----------------------------------------------------------------------------------------- */
static struct algorithm read_algorithm(const cublasLtMatmulAlgo_t *algo)
{
    struct algorithm a;
    memcpy(&a, algo->data, sizeof a);
    return a;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int most,
                                              cublasLtMatmulHeuristicResult_t results[], int *found)
{
    struct problem p;
    const struct preference *wish = (const struct preference *)preference;
    cublasStatus_t st = scripted("cublasLtMatmulAlgoGetHeuristic");
    *found = 0;
    if (!st)
        st = handle && wish && most > 0 ? read_problem(&p, desc, a, b, c, d) : CUBLAS_STATUS_INVALID_VALUE;
    for (size_t i = 0; !st && i < LEN(algorithms) && *found < most; i++) {
        if (algorithms[i].workspace > wish->workspace)
            continue;
        struct algorithm one = { .word = ALGORITHM_WORD, .problem = problem_number(&p), .row = (int32_t)i };
        cublasLtMatmulHeuristicResult_t *r = &results[(*found)++];
        memset(r, 0, sizeof *r);
        memcpy(r->algo.data, &one, sizeof one);
        r->workspaceSize = algorithms[i].workspace;
        r->state = algorithms[i].refused ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
        r->wavesCount = 1;
    }
    return !st && *found == 0 ? CUBLAS_STATUS_NOT_SUPPORTED : st;
}

static cublasStatus_t check_algorithm(const struct algorithm *a, const struct problem *p)
{
    if (a->word != ALGORITHM_WORD || a->row < 0 || a->row >= (int32_t)LEN(algorithms) ||
        a->problem != problem_number(p))
        return CUBLAS_STATUS_INVALID_VALUE;
    return algorithms[a->row].refused ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                       cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t *algo,
                                       cublasLtMatmulHeuristicResult_t *result)
{
    struct problem p;
    cublasStatus_t st = scripted("cublasLtMatmulAlgoCheck");
    if (!st)
        st = handle && algo ? read_problem(&p, desc, a, b, c, d) : CUBLAS_STATUS_INVALID_VALUE;
    struct algorithm one = { 0 };
    if (!st) {
        one = read_algorithm(algo);
        st = check_algorithm(&one, &p);
    }
    if (st)
        return st;
    *result = (cublasLtMatmulHeuristicResult_t){ .algo = *algo,
                                                 .workspaceSize = algorithms[one.row].workspace,
                                                 .state = CUBLAS_STATUS_SUCCESS, .wavesCount = 1 };
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *algo,
                                                    cublasLtMatmulAlgoConfigAttributes_t attribute,
                                                    void *buffer, size_t size, size_t *written)
{
    struct algorithm a = read_algorithm(algo);
    if (a.word != ALGORITHM_WORD || size < sizeof(int))
        return CUBLAS_STATUS_INVALID_VALUE;
    int number = attribute == CUBLASLT_ALGO_CONFIG_ID ? algorithms[a.row].id
                 : attribute == CUBLASLT_ALGO_CONFIG_TILE_ID ? algorithms[a.row].tile
                 : attribute == CUBLASLT_ALGO_CONFIG_STAGES_ID ? algorithms[a.row].stages : 0;
    memcpy(buffer, &number, sizeof number);
    if (written)
        *written = sizeof number;
    return CUBLAS_STATUS_SUCCESS;
}

/* --- the product ---------------------------------------------------------------------------------------- */
struct product {
    struct problem problem;
    const void *a, *b;
    void *d, *workspace;
    size_t workspace_bytes;
    float alpha;
};

static enum number_type number_of(cudaDataType_t type)
{
    return type == CUDA_R_32F ? NUMBER_F32 : type == CUDA_R_16F ? NUMBER_F16 : NUMBER_BF16;
}

/* Vectors of k elements, one after another: rows of op(A), columns of op(B). `along`: the step inside a
 * vector. */
static float *gather(const void *at, int64_t start, const struct layout *l, int64_t vectors, int64_t k,
                     int64_t across, int64_t along, bool tf32)
{
    enum number_type type = number_of(l->type);
    float *values = number_array((size_t)(vectors * k));
    for (int64_t v = 0; v < vectors; v++)
        for (int64_t i = 0; i < k; i++) {
            float x = number_get(at, start + v * across + i * along, type);
            values[v * k + i] = tf32 ? number_tf32(x) : x;
        }
    return values;
}

static void run_one(const struct product *p, int64_t batch)
{
    const struct problem *q = &p->problem;
    bool ta = transposed(q->desc.transpose_a), tb = transposed(q->desc.transpose_b);
    bool tf32 = q->desc.compute == CUBLAS_COMPUTE_32F_FAST_TF32,
         relu = q->desc.epilogue & CUBLASLT_EPILOGUE_RELU;
    float *a = gather(p->a, batch * q->a.offset, &q->a, q->m, q->k, ta ? q->a.ld : 1, ta ? 1 : q->a.ld, tf32);
    float *b = gather(p->b, batch * q->b.offset, &q->b, q->n, q->k, tb ? 1 : q->b.ld, tb ? q->b.ld : 1, tf32);
    enum number_type type = number_of(q->d.type);
    enum number_type bias_type = q->desc.bias_type < 0 ? type : number_of((cudaDataType_t)q->desc.bias_type);
    for (int64_t j = 0; j < q->n; j++)
        for (int64_t i = 0; i < q->m; i++) {
            float x = p->alpha * number_dot(a + i * q->k, b + j * q->k, q->k);
            x += has_bias(q) ? number_get(q->desc.bias, i, bias_type) : 0;
            number_put(p->d, batch * q->d.offset + j * q->d.ld + i, type, relu && x < 0 ? 0 : x);
        }
    free(a);
    free(b);
}

static void run_product(void *argument)
{
    const struct product *p = argument;
    if (p->workspace_bytes)
        memset(p->workspace, 0x93, p->workspace_bytes);
    for (int64_t batch = 0; batch < p->problem.d.batches; batch++)
        run_one(p, batch);
    if (p->workspace_bytes)
        memset(p->workspace, 0xB7, p->workspace_bytes);
}

/* Is the matrix aligned, and does it stay inside one piece of device memory? */
static cublasStatus_t check_matrix(const void *at, const struct layout *l)
{
    int64_t last = (l->batches - 1) * l->offset + ((int64_t)l->columns - 1) * l->ld + (int64_t)l->rows - 1;
    if (!at || (uintptr_t)at % ALIGNMENT)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (fake_is_device && !fake_is_device(at, (size_t)(last + 1) * element(l->type))) {
        fprintf(stderr, "fake cuBLASLt: a matrix of %llu x %llu leaves its piece of device memory\n",
                (unsigned long long)l->rows, (unsigned long long)l->columns);
        return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t check_buffers(const struct product *p)
{
    const struct problem *q = &p->problem;
    cublasStatus_t st = check_matrix(p->a, &q->a);
    if (!st)
        st = check_matrix(p->b, &q->b);
    if (!st)
        st = check_matrix(p->d, &q->d);
    if (!st && has_bias(q) && !q->desc.bias)
        st = CUBLAS_STATUS_INVALID_VALUE;
    if (!st && p->workspace_bytes && (!p->workspace || (uintptr_t)p->workspace % ALIGNMENT))
        st = CUBLAS_STATUS_INVALID_VALUE;
    if (!st && p->workspace_bytes && fake_is_device && !fake_is_device(p->workspace, p->workspace_bytes)) {
        fprintf(stderr, "fake cuBLASLt: %zu bytes of workspace leave their piece of device memory\n",
                p->workspace_bytes);
        st = CUBLAS_STATUS_EXECUTION_FAILED;
    }
    return st;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                              cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
                              cublasLtMatrixLayout_t c_layout, void *d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t *algo, void *workspace, size_t workspace_bytes,
                              cudaStream_t stream)
{
    struct product p = { .a = a, .b = b, .d = d, .workspace = workspace };
    cublasStatus_t st = scripted("cublasLtMatmul");
    if (!st)
        st = handle && alpha && beta && algo
                 ? read_problem(&p.problem, desc, a_layout, b_layout, c_layout, d_layout)
                 : CUBLAS_STATUS_INVALID_VALUE;
    if (st)
        return st;
    struct algorithm one = read_algorithm(algo);
    st = check_algorithm(&one, &p.problem);
    if (st || *(const float *)beta != 0 || c != d)
        return st ? st : CUBLAS_STATUS_NOT_SUPPORTED;
    if (algorithms[one.row].workspace > workspace_bytes)
        return CUBLAS_STATUS_INVALID_VALUE;
    p.workspace_bytes = algorithms[one.row].workspace;
    p.alpha = *(const float *)alpha;
    st = check_buffers(&p);
    if (st)
        return st;
    return fake_run(stream, FAKE_LIBRARY, run_product, &p, sizeof p) ? CUBLAS_STATUS_EXECUTION_FAILED
                                                                     : CUBLAS_STATUS_SUCCESS;
}

/* --- the library ---------------------------------------------------------------------------------------- */
cublasStatus_t cublasLtCreate(cublasLtHandle_t *out)
{
    cublasStatus_t st = scripted("cublasLtCreate");
    if (st)
        return st;
    *out = calloc(1, sizeof **out);
    return *out ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_ALLOC_FAILED;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    free(handle);
    return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion(void)
{
    const char *claimed = getenv("BENCH_FAKE_CUBLASLT_VERSION");
    return claimed ? (size_t)strtoul(claimed, NULL, 10) : CUBLAS_VERSION;
}

size_t cublasLtGetCudartVersion(void)
{
    return CUDART_VERSION;
}

#define STATUS_LIST(X) \
    X(SUCCESS) X(NOT_INITIALIZED) X(ALLOC_FAILED) X(INVALID_VALUE) X(ARCH_MISMATCH) X(MAPPING_ERROR) \
    X(EXECUTION_FAILED) X(INTERNAL_ERROR) X(NOT_SUPPORTED) X(LICENSE_ERROR)

const char *cublasLtGetStatusName(cublasStatus_t status)
{
    switch (status) {
#define X(name) case CUBLAS_STATUS_##name: return "CUBLAS_STATUS_" #name;
    STATUS_LIST(X)
#undef X
    }
    return "unknown status";
}

const char *cublasLtGetStatusString(cublasStatus_t status)
{
    return cublasLtGetStatusName(status);
}
