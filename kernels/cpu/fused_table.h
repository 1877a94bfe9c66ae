/* fused_table.h - every fused kernel for one instruction set. The including file defines VEC_ISA (see vec.h),
 * FUSED_ISA (of enum cpu_isa) and FUSED_TABLE, the name of the table that this defines. */
#include "kernels/cpu/fused_sets.h"

#include "kernels/cpu/fused_apply_body.h"
#include "kernels/cpu/fused_gates_body.h"
#include "kernels/cpu/fused_layout_body.h"
#include "kernels/cpu/fused_maps_body.h"
#include "kernels/cpu/fused_softmax_body.h"
#include "kernels/cpu/fused_stats_body.h"
#include "kernels/cpu/fused_survey_body.h"

const struct fused_kernels FUSED_TABLE = {
    .isa = FUSED_ISA,
    .stats = fused_stats,
    .apply = fused_apply,
    .survey = fused_survey,
    .se = fused_se,
    .gate = fused_gate,
    .triplet = fused_triplet,
    .map_norm = fused_map_norm,
    .map_resize = fused_map_resize,
    .pack = fused_pack,
    .unpack = fused_unpack,
    .scatter = fused_scatter,
    .softmax = fused_softmax,
    .softmax_end = fused_softmax_end,
};
