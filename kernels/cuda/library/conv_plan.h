/* conv_plan.h - cuDNN's ways for one convolution step (conv.h): plans of the graph API.
 *
 * Patterns: convolution; + bias; + sums (GenStats); and each of them behind a prologue (scale, shift, relu of
 * src). Strided, grouped, 1x1 to 7x7, pixels of src and dst farther apart than their channels. A transposed
 * convolution is the backward-data operation; + bias.
 *
 * cuDNN's sums run over n, h and w, and its prologue knows one scale per channel: a want with stats or
 * prologue runs image by image, n launches with pointers that advance. Any other runs at once, or in equal
 * groups of images where a tensor would have 2^31 elements or more (the last group begins earlier where they
 * do not fit evenly: some images are then written twice, with the same values).
 *
 * conv_plan_list and _load give, conv_plan_free takes back; the libraries are borrowed for their life. */
#ifndef CUDA_CONV_PLAN_H
#define CUDA_CONV_PLAN_H

#include "kernels/cuda/library/conv.h"
#include "kernels/cuda/library/cudnn_graph.h"

struct conv_plan;

/* As conv_list of conv.h, with what cuDNN has. ST_UNSUPPORTED: none, with the chain of reasons.
 * *plans is one array (free) of plans (conv_plan_free). seen may be NULL. */
enum status conv_plan_list(struct conv_plan ***plans, size_t *count, const struct gpu_libraries *libraries,
                           const struct conv_want *want, size_t most, size_t cap, struct graph_seen *seen,
                           struct err *err);
void conv_plan_free(struct conv_plan *plan); /* NULL is allowed */

size_t conv_plan_workspace(const struct conv_plan *plan);   /* bytes */
int    conv_plan_launches(const struct conv_plan *plan);    /* plans executed for one call */
const struct graph_plan *conv_plan_graph(const struct conv_plan *plan);    /* engine, notes */
void   conv_plan_name(const struct conv_plan *plan, char *text, size_t size); /* "cudnn:62" */
/* Enqueues; allocates no device memory; may be captured once it has run on that stream. */
enum status conv_plan_run(const struct conv_plan *plan, const struct conv_buffers *buffers,
                          struct CUstream_st *stream, struct err *err);

/* For the cache: JSON text, to be freed; NULL with err. */
char *conv_plan_save(const struct conv_plan *plan, struct err *err);
/* The plan that was saved for the same want, library version and device. ST_INVALID: no such text, or its
 * workspace differs; else what cuDNN said: build anew. */
enum status conv_plan_load(struct conv_plan **out, const struct gpu_libraries *libraries,
                           const struct conv_want *want, const char *text, size_t size, struct err *err);

/* Can engines that are compiled at run time be built here (NVRTC found)? Builds one small plan to know. The
 * reason is in err if not. */
bool conv_plan_runtime_works(const struct gpu_libraries *libraries, struct err *err);

/* Images of one launch, all equal; launches = ceil(n / images). Pure. */
struct conv_groups { int images, launches; };
struct conv_groups conv_plan_groups(const struct conv_want *want);
/* First image of launch i. */
int conv_plan_first_image(const struct conv_groups *groups, int n, int i);

#endif
