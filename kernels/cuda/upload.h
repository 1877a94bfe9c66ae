/* upload.h - the network's parameters on the GPU: weights in the storage type and in the order (K, kh, kw, C / groups),
 * everything else as f32. Of transposed convolutions the weights are there a second time, as (C, 2, 2, K), and the bias
 * too, twice in the storage type; of those that read the image, with zeros for 4 and for 8 channels. Collected on the
 * host while the graph is lowered, copied once, then looked up.
 * uploads_new .. uploads_free owns the copies; memory and plan are borrowed. */
#ifndef CUDA_UPLOAD_H
#define CUDA_UPLOAD_H

#include "kernels/cuda/memory.h"
#include "kernels/lower/lower.h"

struct uploads;

struct uploads *uploads_new(enum fused_type type);     /* NULL: no memory */
void uploads_free(struct uploads *u, struct gpu_memory *m);    /* NULL is allowed */
/* What lower_graph needs to collect weights in u. */
struct lower_target uploads_target(struct uploads *u);
/* After lowering: the plan's constants too, all of it into one block on the device; the host's copies go. */
enum status uploads_finish(struct uploads *u, const struct plan *p, struct gpu_memory *m, struct err *err);

size_t uploads_bytes(const struct uploads *u);         /* on the device */
/* Device pointers. `index` as a step carries it; `host` a constant of the plan (NULL gives NULL). */
const void *uploads_weights(const struct uploads *u, int index);
const void *uploads_widened(const struct uploads *u, int index, int c); /* NULL if that convolution reads no image */
const void *uploads_turned(const struct uploads *u, int index);        /* NULL if no scatter step follows */
const float *uploads_constant(const struct uploads *u, const float *host);
const void *uploads_bias(const struct uploads *u, const float *host);  /* a convolution's, in the storage type */

#endif
