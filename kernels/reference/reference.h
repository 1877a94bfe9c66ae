/* reference.h - every operator in plain C, double accumulation: the oracle for all kernels.
 * Activations are (N,H,W,C) doubles; parameters are f32 in their stored layout; bias may be NULL.
 * dst never overlaps src (reference_add: it may be a). Nothing allocates except where said; OpenMP over
 * outputs only, so that the result does not depend on the thread count. One file per operator family. */
#ifndef REFERENCE_REFERENCE_H
#define REFERENCE_REFERENCE_H

#include <stdbool.h>

#include "kernels/base/err.h"
#include "kernels/graph/graph.h"
#include "kernels/graph/weights.h"

/* Work (values, or multiply-adds over 16) from which threads are started: below it they would only wait for
 * each other, on a busy machine for long. */
#define REFERENCE_PARALLEL_FROM 65536

struct ref_shape { int n, h, w, c; };
struct ref_conv  { int out, kernel_h, kernel_w, stride, pad_h, pad_w, groups; };

/* conv.c: dst (N,H',W',K), weight (K, C/groups, KH, KW) */
void reference_conv(double *dst, const double *src, struct ref_shape s, struct ref_conv spec,
                    const float *weight, const float *bias);
/* dst (N,2H,2W,K), weight (C,K,2,2) */
void reference_tconv(double *dst, const double *src, struct ref_shape s, int out, const float *weight,
                     const float *bias);
/* norm.c: mean[N*C], variance[N*C] biased; then the normalisation itself */
void reference_statistics(double *mean, double *variance, const double *src, struct ref_shape s);
void reference_norm(double *dst, const double *src, struct ref_shape s, const float *gamma,
                    const float *beta);
void reference_simam(double *dst, const double *src, struct ref_shape s);
/* pointwise.c */
void reference_relu(double *dst, const double *src, struct ref_shape s);
void reference_sigmoid(double *dst, const double *src, struct ref_shape s);
void reference_add(double *dst, const double *a, const double *b, struct ref_shape s);
void reference_mul(double *dst, const double *a, const double *b, struct ref_shape s, bool b_one_channel);
void reference_concat(double *dst, const double *const *src, const int *channels, int count, int n, int h,
                      int w);
/* pool.c, resize.c: dst (N,h/2,w/2,C); dst (N,to_h,to_w,C) */
void reference_maxpool(double *dst, const double *src, struct ref_shape s);
void reference_resize(double *dst, const double *src, struct ref_shape s, int to_h, int to_w,
                      bool align_corners);
/* gates.c: squeeze-excite (fc0 (R,C), fc3 (C,R)), spatial gate (weight (1,2,7,7)), triplet ((1,2,1,7),
 * (1,2,7,1), (1,2,7,7)). They allocate their descriptors: ST_OUT_OF_MEMORY. */
enum status reference_se(double *dst, const double *src, struct ref_shape s, int hidden, const float *fc0,
                         const float *fc3);
enum status reference_spatial_gate(double *dst, const double *src, struct ref_shape s, const float *weight);
enum status reference_triplet(double *dst, const double *src, struct ref_shape s, const float *ch,
                              const float *cw, const float *hw);
/* attention.c: src (N,H,W,3C) = Q,K,V; dst (N,H,W,C); channel h*d + i is component i of head h */
void reference_attention(double *dst, const double *src, struct ref_shape s, int heads);

/* graph_run.c: the whole graph on `batch` images. src (N,C,H,W) f32, dst (N,K,H',W') double of the output
 * node. Allocates per node and frees as soon as the last reader is done. ST_OUT_OF_MEMORY. */
enum status reference_run(double *dst, const struct graph *g, const struct weights *w, const float *src,
                          int batch, struct err *err);
/* The same; the time of every node is added to node_ns[node_count] (NULL: not asked for). */
enum status reference_run_timed(double *dst, const struct graph *g, const struct weights *w, const float *src,
                                int batch, uint64_t *node_ns, struct err *err);

#endif
