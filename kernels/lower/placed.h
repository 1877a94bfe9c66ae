/* placed.h - the steps of a plan with their memory: the structs of fused.h that kernels take, filled the same way for
 * every back end. Pure; everything borrows. */
#ifndef LOWER_PLACED_H
#define LOWER_PLACED_H

#include "kernels/lower/plan.h"

/* Where a plan lies for one batch size. */
struct placement {
    const struct plan *plan;
    int batch;
    size_t stream_bytes;            /* outputs above this leave the caches anyway: written past them */
    /* Start of a buffer that is no slice of another. */
    char *(*base)(const void *context, int buffer);
    /* Where a constant of the plan is read; NULL stays NULL. The function NULL: where the plan has it. */
    const float *(*constant)(const void *context, const float *host);
    const void *context;
};

struct placed_apply {
    struct fused_apply op;
    struct fused_norm norm;         /* what op.norm points to: the struct may not be copied */
};
struct placed_unpack {
    struct fused_unpack op[PLAN_SEGMENTS_MAX];
    int count;
};

/* NULL for PLAN_NONE. */
char *placed_data(const struct placement *m, int buffer);
float *placed_floats(const struct placement *m, int buffer);
struct fused_view placed_view(const struct placement *m, int buffer);
struct fused_norm placed_norm(const struct placement *m, const struct norm_ref *r);
size_t placed_view_bytes(const struct fused_view *v);

struct fused_stats placed_stats(const struct placement *m, const struct stats_step *s);
void placed_apply(struct placed_apply *out, const struct placement *m, const struct apply_step *s);
struct fused_survey placed_survey(const struct placement *m, const struct survey_step *s);
struct fused_se placed_se(const struct placement *m, const struct se_step *s);
struct fused_gate placed_gate(const struct placement *m, const struct gate_step *s);
struct fused_triplet placed_triplet(const struct placement *m, const struct triplet_step *s);
struct fused_map_norm placed_map_norm(const struct placement *m, const struct map_norm_step *s);
struct fused_map_resize placed_map_resize(const struct placement *m, const struct map_resize_step *s);
struct fused_scatter placed_scatter(const struct placement *m, const struct scatter_step *s);
void placed_unpack(struct placed_unpack *out, const struct placement *m, const struct unpack_step *s);

#endif
