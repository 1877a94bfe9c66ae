#include "kernels/cuda/library/cudnn_graph.h"

#include <string.h>

#define ALIGNMENT_BYTES 16

void graph_draft_begin(struct graph_draft *draft, const struct gpu_libraries *libraries, struct err *err)
{
    *draft = (struct graph_draft){ .libraries = libraries, .status = ST_OK, .err = err };
}

void graph_draft_end(struct graph_draft *draft)
{
    for (int i = draft->owned_count; i-- > 0;)
        cudnn_destroy(&draft->libraries->cudnn, draft->owned[i]);
    draft->owned_count = draft->operation_count = 0;
}

static cudnnBackendDescriptor_t create(struct graph_draft *draft, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t descriptor = NULL;
    if (draft->status != ST_OK)
        return NULL;
    if (draft->owned_count == DRAFT_DESCRIPTORS_MAX)
        draft->status = err_set(draft->err, ST_INTERNAL, "an operation graph of more than %d descriptors",
                                DRAFT_DESCRIPTORS_MAX);
    else
        draft->status = cudnn_create(&draft->libraries->cudnn, &descriptor, type, draft->err);
    if (draft->status == ST_OK)
        draft->owned[draft->owned_count++] = descriptor;
    return descriptor;
}

static void set(struct graph_draft *draft, cudnnBackendDescriptor_t descriptor,
                cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                const void *values)
{
    if (draft->status == ST_OK)
        draft->status = cudnn_set(&draft->libraries->cudnn, descriptor, name, type, count, values,
                                  draft->err);
}

static void set_descriptor(struct graph_draft *draft, cudnnBackendDescriptor_t descriptor,
                           cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t value)
{
    set(draft, descriptor, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static void finalize(struct graph_draft *draft, cudnnBackendDescriptor_t descriptor, const char *what)
{
    if (draft->status == ST_OK)
        draft->status = cudnn_finalize(&draft->libraries->cudnn, descriptor, what, draft->err);
}

static void finalize_operation(struct graph_draft *draft, cudnnBackendDescriptor_t operation,
                               const char *what)
{
    finalize(draft, operation, what);
    if (draft->status != ST_OK)
        return;
    if (draft->operation_count == DRAFT_OPERATIONS_MAX) {
        draft->status = err_set(draft->err, ST_INTERNAL, "an operation graph of more than %d operations",
                                DRAFT_OPERATIONS_MAX);
        return;
    }
    draft->operations[draft->operation_count++] = operation;
}

struct graph_tensor graph_images(int64_t id, cudnnDataType_t type, int64_t n, int64_t c, int64_t h, int64_t w,
                                 int64_t stride)
{
    int64_t pixel = stride ? stride : c;
    return (struct graph_tensor){ .id = id, .type = type, .dims = { n, c, h, w },
                                  .strides = { h * w * pixel, 1, w * pixel, pixel } };
}

cudnnBackendDescriptor_t graph_tensor_add(struct graph_draft *draft, const struct graph_tensor *tensor)
{
    const int64_t alignment = tensor->alignment ? tensor->alignment : ALIGNMENT_BYTES;
    const bool yes = true;
    cudnnBackendDescriptor_t d = create(draft, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(draft, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &tensor->type);
    set(draft, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &tensor->id);
    set(draft, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    set(draft, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, tensor->dims);
    set(draft, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, tensor->strides);
    if (tensor->is_virtual)
        set(draft, d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &yes);
    if (tensor->by_value)
        set(draft, d, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &yes);
    finalize(draft, d, "a tensor");
    return draft->status == ST_OK ? d : NULL;
}

static cudnnBackendDescriptor_t convolution_of(struct graph_draft *draft, const struct graph_window *window)
{
    const cudnnDataType_t compute = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const int64_t spatial = 2, dilations[2] = { 1, 1 };
    cudnnBackendDescriptor_t c = create(draft, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    set(draft, c, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &compute);
    set(draft, c, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    set(draft, c, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &spatial);
    set(draft, c, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, window->pad);
    set(draft, c, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, window->pad);
    set(draft, c, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, window->stride);
    set(draft, c, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilations);
    finalize(draft, c, "a convolution");
    return c;
}

/* The names that one direction has for its operands: y is what a convolution makes of x. */
struct convolution_names {
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t window, x, weights, y, alpha, beta;
    const char *what;
};
#define NAMES(direction, x, y, what) \
    CUDNN_ATTR_OPERATION_CONVOLUTION_##direction##_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_##direction##_##x, \
    CUDNN_ATTR_OPERATION_CONVOLUTION_##direction##_W, CUDNN_ATTR_OPERATION_CONVOLUTION_##direction##_##y, \
    CUDNN_ATTR_OPERATION_CONVOLUTION_##direction##_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_##direction##_BETA, what
static const struct convolution_names
    forward = { CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                NAMES(FORWARD, X, Y, "a convolution's operation") },
    back = { CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
             NAMES(BWD_DATA, DX, DY, "a transposed convolution's operation") };
#undef NAMES

static void add_convolution(struct graph_draft *draft, const struct convolution_names *n,
                            const struct graph_window *window, cudnnBackendDescriptor_t x,
                            cudnnBackendDescriptor_t weights, cudnnBackendDescriptor_t y)
{
    const float one = 1, zero = 0;
    cudnnBackendDescriptor_t c = convolution_of(draft, window), o = create(draft, n->type);
    set_descriptor(draft, o, n->window, c);
    set_descriptor(draft, o, n->x, x);
    set_descriptor(draft, o, n->weights, weights);
    set_descriptor(draft, o, n->y, y);
    set(draft, o, n->alpha, CUDNN_TYPE_FLOAT, 1, &one);
    set(draft, o, n->beta, CUDNN_TYPE_FLOAT, 1, &zero);
    finalize_operation(draft, o, n->what);
}

void graph_convolution(struct graph_draft *draft, const struct graph_window *window,
                       cudnnBackendDescriptor_t src, cudnnBackendDescriptor_t weights,
                       cudnnBackendDescriptor_t dst)
{
    add_convolution(draft, &forward, window, src, weights, dst);
}

void graph_convolution_back(struct graph_draft *draft, const struct graph_window *window,
                            cudnnBackendDescriptor_t src, cudnnBackendDescriptor_t weights,
                            cudnnBackendDescriptor_t dst)
{
    add_convolution(draft, &back, window, dst, weights, src);
}

void graph_pointwise(struct graph_draft *draft, cudnnPointwiseMode_t mode, cudnnBackendDescriptor_t src,
                     cudnnBackendDescriptor_t other, cudnnBackendDescriptor_t dst)
{
    const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t p = create(draft, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    set(draft, p, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set(draft, p, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &precision);
    finalize(draft, p, "a pointwise mode");
    cudnnBackendDescriptor_t o = create(draft, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, p);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, src);
    if (other)
        set_descriptor(draft, o, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, other);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, dst);
    finalize_operation(draft, o, "a pointwise operation");
}

void graph_gen_stats(struct graph_draft *draft, cudnnBackendDescriptor_t src, cudnnBackendDescriptor_t sum,
                     cudnnBackendDescriptor_t square)
{
    const cudnnGenStatsMode_t mode = CUDNN_GENSTATS_SUM_SQSUM;
    const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t o = create(draft, CUDNN_BACKEND_OPERATION_GEN_STATS_DESCRIPTOR);
    set(draft, o, CUDNN_ATTR_OPERATION_GENSTATS_MODE, CUDNN_TYPE_GENSTATS_MODE, 1, &mode);
    set(draft, o, CUDNN_ATTR_OPERATION_GENSTATS_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &precision);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_GENSTATS_XDESC, src);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_GENSTATS_SUMDESC, sum);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_GENSTATS_SQSUMDESC, square);
    finalize_operation(draft, o, "the sums");
}

void graph_instance_norm(struct graph_draft *draft, cudnnBackendDescriptor_t src, cudnnBackendDescriptor_t scale,
                         cudnnBackendDescriptor_t shift, cudnnBackendDescriptor_t epsilon,
                         cudnnBackendDescriptor_t dst)
{
    const cudnnBackendNormMode_t mode = CUDNN_INSTANCE_NORM;
    const cudnnBackendNormFwdPhase_t phase = CUDNN_NORM_FWD_INFERENCE;
    cudnnBackendDescriptor_t o = create(draft, CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR);
    set(draft, o, CUDNN_ATTR_OPERATION_NORM_FWD_MODE, CUDNN_TYPE_NORM_MODE, 1, &mode);
    set(draft, o, CUDNN_ATTR_OPERATION_NORM_FWD_PHASE, CUDNN_TYPE_NORM_FWD_PHASE, 1, &phase);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_NORM_FWD_XDESC, src);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_NORM_FWD_SCALE_DESC, scale);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_NORM_FWD_BIAS_DESC, shift);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_NORM_FWD_EPSILON_DESC, epsilon);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_NORM_FWD_YDESC, dst);
    finalize_operation(draft, o, "the norm");
}

#if CUDNN_VERSION >= 91300
void graph_sdpa(struct graph_draft *draft, cudnnBackendDescriptor_t query, cudnnBackendDescriptor_t key,
                cudnnBackendDescriptor_t value, cudnnBackendDescriptor_t dst, cudnnBackendDescriptor_t scale)
{
    cudnnBackendDescriptor_t o = create(draft, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, query);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, key);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, value);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, dst);
    set_descriptor(draft, o, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, scale);
    finalize_operation(draft, o, "the attention");
}
#else
void graph_sdpa(struct graph_draft *draft, cudnnBackendDescriptor_t query, cudnnBackendDescriptor_t key,
                cudnnBackendDescriptor_t value, cudnnBackendDescriptor_t dst, cudnnBackendDescriptor_t scale)
{
    (void)query, (void)key, (void)value, (void)dst, (void)scale;
    if (draft->status == ST_OK)
        draft->status = err_set(draft->err, ST_UNSUPPORTED,
                                "attention in one operation came with cuDNN 9.13; this "
                                "program was built with the headers of %d.%d",
                                CUDNN_MAJOR, CUDNN_MINOR);
}
#endif
