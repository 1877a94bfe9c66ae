/* cudnn_graph.h - cuDNN's graph API with few words: tensors, operations, plans.
 *
 * A graph_draft owns every descriptor of one operation graph while it is put together; the first failure is
 * kept and makes every later call do nothing, so that it is asked once, at the end. Plans outlive their
 * draft.
 *
 * Descriptors used, with all their attributes, in this order (nothing else is ever set):
 *   TENSOR                         DATA_TYPE, UNIQUE_ID, BYTE_ALIGNMENT (16; less where images lie closer),
 *                                  DIMENSIONS, STRIDES, then IS_VIRTUAL or IS_BY_VALUE if true
 *   CONVOLUTION                    COMP_TYPE FLOAT, CONV_MODE CROSS_CORRELATION, SPATIAL_DIMS 2,
 *                                  PRE_PADDINGS, POST_PADDINGS, FILTER_STRIDES, DILATIONS 1
 *   OPERATION_CONVOLUTION_FORWARD  CONV_DESC, X, W, Y, ALPHA 1 and BETA 0 (float)
 *   OPERATION_CONVOLUTION_BACKWARD_DATA  CONV_DESC, W, DX, DY, ALPHA 1 and BETA 0 (float)
 *   POINTWISE                      MODE (ADD, MUL, RELU_FWD), MATH_PREC FLOAT
 *   OPERATION_POINTWISE            PW_DESCRIPTOR, XDESC, BDESC (not for RELU_FWD), YDESC
 *   OPERATION_GEN_STATS            MODE SUM_SQSUM, MATH_PREC FLOAT, XDESC, SUMDESC, SQSUMDESC
 *   OPERATION_NORM_FORWARD         MODE INSTANCE_NORM, PHASE INFERENCE, XDESC, SCALE_DESC, BIAS_DESC, EPSILON_DESC, YDESC
 *   OPERATION_SDPA_FWD             QDESC, KDESC, VDESC, ODESC, SCALEDESC
 *   OPERATIONGRAPH                 OPS
 *   ENGINEHEUR                     OPERATION_GRAPH, MODE (A, then FALLBACK), DEVICEPROP; RESULTS is got
 *   ENGINECFG                      ENGINE is got
 *   ENGINE                         GLOBAL_INDEX, BEHAVIOR_NOTE, NUMERICAL_NOTE are got
 *   EXECUTION_PLAN                 ENGINE_CONFIG, DEVICEPROP; WORKSPACE_SIZE and JSON_REPRESENTATION are got.
 *                                  Loaded: DEVICEPROP, JSON_REPRESENTATION
 *   VARIANT_PACK                   UNIQUE_IDS, DATA_POINTERS, WORKSPACE
 *   DEVICEPROP                     DEVICE_ID or JSON_REPRESENTATION (libraries.c) */
#ifndef CUDA_CUDNN_GRAPH_H
#define CUDA_CUDNN_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/cuda/library/libraries.h"
#include "kernels/cuda/library/patience.h"
#include "kernels/cuda/passes/limits.h"

/* --- one operation graph ------------------------------------------------------------------------------ */
#define DRAFT_DESCRIPTORS_MAX 40
#define DRAFT_OPERATIONS_MAX 8

struct graph_draft {
    const struct gpu_libraries *libraries;
    cudnnBackendDescriptor_t owned[DRAFT_DESCRIPTORS_MAX];
    int owned_count;
    cudnnBackendDescriptor_t operations[DRAFT_OPERATIONS_MAX];
    int operation_count;
    enum status status;         /* of the first failure */
    struct err *err;            /* the caller's; may be NULL */
};

/* A tensor of four dimensions: n, c, h, w for images, k, c, h, w for weights, n, heads, tokens, depth for
 * attention. */
struct graph_tensor {
    int64_t id;                 /* unique within the graph */
    cudnnDataType_t type;
    int64_t dims[4], strides[4];
    int64_t alignment;          /* of its pointer, in bytes: a power of two; 0: 16 */
    bool is_virtual;            /* exists only between two operations */
    bool by_value;              /* its "device pointer" is one in host memory */
};

void graph_draft_begin(struct graph_draft *draft, const struct gpu_libraries *libraries, struct err *err);
/* NHWC in memory, pixels `stride` elements apart (0: c). */
struct graph_tensor graph_images(int64_t id, cudnnDataType_t type, int64_t n, int64_t c, int64_t h, int64_t w,
                                 int64_t stride);
/* Each returns a finalised descriptor owned by the draft; NULL once something failed. */
cudnnBackendDescriptor_t graph_tensor_add(struct graph_draft *draft, const struct graph_tensor *tensor);
struct graph_window { int64_t pad[2], stride[2]; };
void graph_convolution(struct graph_draft *draft, const struct graph_window *window,
                       cudnnBackendDescriptor_t src, cudnnBackendDescriptor_t weights,
                       cudnnBackendDescriptor_t dst);
/* A transposed convolution: `window` takes dst to src, and weights are [channels of src, of dst, h, w]. */
void graph_convolution_back(struct graph_draft *draft, const struct graph_window *window,
                            cudnnBackendDescriptor_t src, cudnnBackendDescriptor_t weights,
                            cudnnBackendDescriptor_t dst);
/* other: NULL for a mode with one operand. */
void graph_pointwise(struct graph_draft *draft, cudnnPointwiseMode_t mode, cudnnBackendDescriptor_t src,
                     cudnnBackendDescriptor_t other, cudnnBackendDescriptor_t dst);
void graph_gen_stats(struct graph_draft *draft, cudnnBackendDescriptor_t src, cudnnBackendDescriptor_t sum,
                     cudnnBackendDescriptor_t square);
/* scale, shift: f32 [1, c, 1, 1]; epsilon: by value. */
void graph_instance_norm(struct graph_draft *draft, cudnnBackendDescriptor_t src, cudnnBackendDescriptor_t scale,
                         cudnnBackendDescriptor_t shift, cudnnBackendDescriptor_t epsilon,
                         cudnnBackendDescriptor_t dst);
void graph_sdpa(struct graph_draft *draft, cudnnBackendDescriptor_t query, cudnnBackendDescriptor_t key,
                cudnnBackendDescriptor_t value, cudnnBackendDescriptor_t dst, cudnnBackendDescriptor_t scale);
void graph_draft_end(struct graph_draft *draft); /* destroys what it owns */

/* --- plans -------------------------------------------------------------------------------------------- */
struct graph_plan {
    const struct gpu_libraries *libraries;
    cudnnBackendDescriptor_t descriptor;
    size_t   workspace;         /* bytes */
    int64_t  engine;            /* cuDNN's global index */
    bool     fallback;          /* from the fallback list */
    uint32_t behavior, numerics;    /* notes: bit i is note i */
};

/* Counts of one look through the heuristics, for messages and the manifest. */
struct graph_seen {
    int listed;                 /* configurations that the heuristics gave */
    int refused_by_notes, refused_by_workspace, failed;
};

/* Up to `most` plans of the draft's graph in the order of the heuristics, mode A and, if it gives none,
 * FALLBACK: those whose notes `math` allows, that finalise and that need no more than `cap` bytes. *plans is
 * malloc'ed (each plan to be given to graph_plan_clear, then the array to free). ST_UNSUPPORTED if none is
 * left: err has the chain of reasons of the first failure. seen may be NULL. */
enum status graph_plans(struct graph_plan **plans, size_t *count, struct graph_draft *draft,
                        enum gpu_math math, size_t most, size_t cap, struct graph_seen *seen,
                        const struct patience *patience, struct err *err);
void graph_plan_clear(struct graph_plan *plan); /* a second time does nothing */
/* Each plan of the array that graph_plans gave in memory of its own, for graph_plan_free; the array goes.
 * ST_OUT_OF_MEMORY: the plans go too. */
enum status graph_plans_apart(struct graph_plan ***out, struct graph_plan *plans, size_t count, struct err *err);
void graph_plan_free(struct graph_plan *plan); /* NULL is allowed */
void graph_plan_name(const struct graph_plan *plan, char *text, size_t size); /* "cudnn:62" */
bool graph_plan_runtime(const struct graph_plan *plan); /* its kernel was compiled when it was built */
/* Do these numerical notes fit the arithmetic asked? */
bool graph_numerics_allowed(uint32_t numerics, enum gpu_math math);
cudnnDataType_t graph_storage(enum gpu_math math);

/* From one engine configuration, in these two steps: which engine and what notes; then the plan itself, which
 * may compile its kernel. plan->libraries is set by the caller, who clears the plan on failure too. */
enum status graph_plan_read_engine(struct graph_plan *plan, cudnnBackendDescriptor_t config, struct err *err);
enum status graph_plan_build(struct graph_plan *plan, cudnnBackendDescriptor_t config, struct err *err);

/* The plan as JSON text, kernel included if it was compiled; the caller frees. NULL with err. */
char *graph_plan_save(const struct graph_plan *plan, struct err *err);
/* ST_INVALID: not such a text; else what cuDNN said. The workspace must be the one that was saved. */
enum status graph_plan_load(struct graph_plan *plan, const struct gpu_libraries *libraries, const char *text,
                            size_t size, struct err *err);

/* Runs on the handle of the libraries; ids and pointers in pairs. Allocates no device memory. */
enum status graph_plan_run(const struct graph_plan *plan, size_t count, const int64_t *ids,
                           void *const *pointers, void *workspace, struct CUstream_st *stream,
                           struct err *err);

#endif
