/* fused.h - the CPU's kernels for the passes of kernels/lower/fused.h, each one pass over memory.
 *
 * Storage is f32 or bf16. Channels and strides are multiples of 16; data of a view begins at a multiple of 16 elements
 * of a 64-byte aligned buffer (64 bytes for f32, 32 for bf16).
 *
 * Memory. Nothing is allocated: every kernel gets `scratch`, 64-byte aligned, of as many bytes as its
 * _scratch function says for the same struct (0: may be NULL; only the shape, the counts and whether outputs
 * are NULL are read there). Scratch holds nothing from one call to the next.
 *
 * Threads. OpenMP, as many as omp_get_max_threads() gives. Results do not depend on their number: work is cut
 * into pieces whose borders follow from one image's shape only (never from threads, nor from n), each piece
 * leaves its partial sums in its own scratch, and these are combined in a fixed pairwise order.
 *
 * `stream` outputs are written with non-temporal stores where whole lines are written. */
#ifndef CPU_FUSED_H
#define CPU_FUSED_H

#include <stddef.h>

#include "kernels/cpu/isa.h"
#include "kernels/lower/fused.h"

#define FUSED_CHANNEL_BLOCK 16

/* The kernels for one instruction set; slots may be shared between sets where more would not pay. */
struct fused_kernels {
    enum cpu_isa isa;
    void (*stats)(const struct fused_stats *op, void *scratch);
    void (*apply)(const struct fused_apply *op, void *scratch);
    void (*survey)(const struct fused_survey *op, void *scratch);
    void (*se)(const struct fused_se *op, void *scratch);
    void (*gate)(const struct fused_gate *op, void *scratch);
    void (*triplet)(const struct fused_triplet *op, void *scratch);
    void (*map_norm)(const struct fused_map_norm *op, void *scratch);
    void (*map_resize)(const struct fused_map_resize *op, void *scratch);
    void (*pack)(const struct fused_pack *op, void *scratch);
    void (*unpack)(const struct fused_unpack *op, void *scratch);
    void (*scatter)(const struct fused_scatter *op, void *scratch);
    void (*softmax)(const struct fused_softmax *op, void *scratch);
    void (*softmax_end)(const struct fused_softmax_end *op, void *scratch);
};

const struct fused_kernels *fused_kernels(enum cpu_isa isa); /* never NULL; isa must be one this processor has */

/* Bytes of scratch, the same for every instruction set and thread count. */
size_t fused_stats_scratch(const struct fused_stats *op);
size_t fused_apply_scratch(const struct fused_apply *op);
size_t fused_survey_scratch(const struct fused_survey *op);
size_t fused_se_scratch(const struct fused_se *op);
size_t fused_gate_scratch(const struct fused_gate *op);
size_t fused_triplet_scratch(const struct fused_triplet *op);
size_t fused_map_norm_scratch(const struct fused_map_norm *op);
size_t fused_map_resize_scratch(const struct fused_map_resize *op);
size_t fused_pack_scratch(const struct fused_pack *op);
size_t fused_unpack_scratch(const struct fused_unpack *op);
size_t fused_scatter_scratch(const struct fused_scatter *op);
size_t fused_softmax_scratch(const struct fused_softmax *op);
size_t fused_softmax_end_scratch(const struct fused_softmax_end *op);

#endif
