#include "kernels/lower/conv_shape.h"

#include <string.h>

bool conv_shape_same(const struct conv_shape *a, const struct conv_shape *b)
{
    return memcmp(a, b, offsetof(struct conv_shape, bias)) == 0 &&
           a->bias == b->bias; /* no gaps before bias */
}

size_t conv_shape_weights(const struct conv_shape *s)
{
    return (size_t)s->k * (size_t)(s->c / s->groups) * (size_t)s->kernel_h * (size_t)s->kernel_w;
}
