/* bind.h - one step of a plan with its memory: the inner side of exec.h. */
#ifndef CPU_BIND_H
#define CPU_BIND_H

#include "kernels/cpu/attention.h"
#include "kernels/cpu/exec.h"
#include "kernels/cpu/pages.h"
#include "kernels/lower/placed.h"

struct bound;

struct bound_conv {
    struct compat_call *call;
    struct compat_kernel *kernel; /* of the execution's list */
};
struct bound_pack {
    struct fused_pack op;         /* for one image; src is set at run time */
    size_t image_bytes;
};
struct bound_attention {
    struct attention *attention;
    const void *src;
    void *dst;
};

struct bound {
    enum step_kind kind;
    size_t scratch_bytes;
    union {
        struct bound_pack pack;
        struct bound_conv conv;
        struct fused_stats stats;
        struct placed_apply apply;
        struct fused_survey survey;
        struct fused_se se;
        struct fused_gate gate;
        struct fused_triplet triplet;
        struct fused_map_norm map_norm;
        struct fused_map_resize map_resize;
        struct fused_scatter scatter;
        struct bound_attention attention;
        struct placed_unpack unpack;
    } u;
};

struct exec {
    struct plan *p;
    struct packing *packing;
    const struct fused_kernels *k;
    int batch;
    struct bound *steps;            /* [step_count] */
    struct compat_kernel **kernels; /* [packing's kernel_count]: built for this batch size */
    void **repacked;                /* [packing's weight_count]: NULL where the packing's own serve */
    size_t repacked_bytes;
    struct pages arena, scratch;
};

/* Fills b for step `index` of the plan: kernels, descriptors, pointers into the arena (which must exist), the
 * bytes of scratch. bind_scratch comes after the scratch buffer exists. */
enum status bind_step(struct bound *b, struct exec *e, int index, struct err *err);
enum status bind_scratch(struct bound *b, struct exec *e, int index, struct err *err);
void bind_free(struct bound *b);
enum status bound_run(struct bound *b, struct exec *e, const float *const *images, struct err *err);

#endif
