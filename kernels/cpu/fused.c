#include "kernels/cpu/fused.h"

#include "kernels/cpu/fused_plan.h"
#include "kernels/cpu/fused_sets.h"

static const struct fused_kernels *const sets[CPU_ISA_COUNT] = {
    [CPU_PLAIN] = &fused_plain,
#if defined(__x86_64__)
    [CPU_AVX2] = &fused_avx2,
    [CPU_AVX512] = &fused_avx512,
    [CPU_AVX512_BF16] = &fused_avx512_bf16,
#endif
};

const struct fused_kernels *fused_kernels(enum cpu_isa isa)
{
    const struct fused_kernels *set = (unsigned)isa < CPU_ISA_COUNT ? sets[isa] : NULL;
    return set ? set : &fused_plain;
}

size_t fused_stats_scratch(const struct fused_stats *op)
{
    struct fused_stats_room room;
    return fused_stats_layout(&room, op, NULL);
}

size_t fused_apply_scratch(const struct fused_apply *op)
{
    struct fused_apply_room room;
    return fused_apply_layout(&room, op, NULL);
}

size_t fused_survey_scratch(const struct fused_survey *op)
{
    struct fused_survey_room room;
    return fused_survey_layout(&room, op, NULL);
}

size_t fused_se_scratch(const struct fused_se *op)
{
    return (size_t)op->n * (size_t)op->hidden * sizeof(float);
}

size_t fused_gate_scratch(const struct fused_gate *op)
{
    struct fused_planes planes;
    return fused_planes_layout(&planes, op->h, op->w, NULL);
}

size_t fused_triplet_scratch(const struct fused_triplet *op)
{
    struct fused_planes planes;
    return fused_planes_layout(&planes, op->h, op->w, NULL);
}

size_t fused_map_norm_scratch(const struct fused_map_norm *op)
{
    return op->normalise ? (size_t)FUSED_MAP_PIECES * 2 * FUSED_CHANNEL_BLOCK * sizeof(float) : 0;
}

size_t fused_map_resize_scratch(const struct fused_map_resize *op)
{
    struct fused_resize_room room;
    return fused_resize_layout(&room, op, NULL);
}

size_t fused_pack_scratch(const struct fused_pack *op) { (void)op; return 0; }
size_t fused_unpack_scratch(const struct fused_unpack *op) { (void)op; return 0; }
size_t fused_scatter_scratch(const struct fused_scatter *op) { (void)op; return 0; }
size_t fused_softmax_scratch(const struct fused_softmax *op) { (void)op; return 0; }
size_t fused_softmax_end_scratch(const struct fused_softmax_end *op) { (void)op; return 0; }
