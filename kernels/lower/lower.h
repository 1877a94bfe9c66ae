/* lower.h - from a graph to the steps of a plan: NHWC throughout, norms as coefficients, everything
 * between two convolutions in as few passes over memory as its data dependences allow. The same for every
 * back end. */
#ifndef LOWER_LOWER_H
#define LOWER_LOWER_H

#include "kernels/graph/weights.h"
#include "kernels/lower/plan.h"

/* What a back end wants of a plan. */
struct lower_target {
    enum fused_type type;  /* storage of tensors */
    int channel_block;     /* their channels are padded to a multiple of it; the image's are not */
    /* What a transposed convolution leaves is read only in the order of its dst, as a slice of channels too:
     * nobody but the scatter step reads its product, so that a way may do without both. */
    bool ordered;
    /* The image is packed with 4 and with 8 channels besides its own, where it has fewer; plan.h's image[]. */
    bool wide_images;
    /* Keeps the weights of one convolution: plain is (k, c/groups, kh, kw) f32, padded as the buffers
     * are, borrowed for the call. *index is what the step carries. */
    enum status (*keep_weights)(int *index, void *context, const struct conv_shape *shape, const float *plain,
                                struct err *err);
    void *context;
};

/* Lowers `g` (rewritten or not); everything is borrowed for the call. ST_UNSUPPORTED names the operator
 * that no step can compute. The caller frees with plan_free. */
enum status lower_graph(struct plan **out, const struct graph *g, const struct weights *w,
                        const struct lower_target *target, struct err *err);

#endif
