#include "kernels/cuda/passes/shape.h"

#include <string.h>

static const struct gpu_shape_row rows[GPU_SHAPES] = {
#define X(upper, lower, ...) { __VA_ARGS__ },
    GPU_SHAPE_LIST(X)
#undef X
};
static const char *const names[GPU_SHAPES] = {
#define X(upper, lower, ...) #lower,
    GPU_SHAPE_LIST(X)
#undef X
};
static const char *const kernels[GPU_SHAPED_KERNELS] = {
#define X(upper, lower) #lower,
    GPU_SHAPED_LIST(X)
#undef X
};

const struct gpu_shape_row *gpu_shape_row(enum gpu_shape shape)
{
    return &rows[shape];
}

const char *gpu_shape_name(enum gpu_shape shape)
{
    return (unsigned)shape < GPU_SHAPES ? names[shape] : "unknown";
}

int gpu_shape_of(const char *name)
{
    for (int i = 0; i < GPU_SHAPES; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

const char *gpu_shaped_name(enum gpu_shaped kernel)
{
    return (unsigned)kernel < GPU_SHAPED_KERNELS ? kernels[kernel] : "unknown";
}
