/* conv_shape.h - one convolution over NHWC tensors, as every back end is asked for it. Usable from C and
 * C++. */
#ifndef LOWER_CONV_SHAPE_H
#define LOWER_CONV_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/lower/fused.h"

/* In and out without gaps; k and c are what the buffers have, padding included; groups divides both. */
struct conv_shape {
    int n, h, w, c, k, out_h, out_w;
    int kernel_h, kernel_w, stride, pad_h, pad_w, groups;
    enum fused_type type;   /* of src, weights and dst */
    bool bias;
};
bool conv_shape_same(const struct conv_shape *a, const struct conv_shape *b);
/* Elements of the weights (k, c/groups, kh, kw). */
size_t conv_shape_weights(const struct conv_shape *s);

#endif
