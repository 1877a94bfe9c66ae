#include "kernels/cpu/roofs.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/half.h"
#include "kernels/base/rng.h"
#include "kernels/cpu/pages.h"

#define COPY_BYTES ((size_t)128 << 20)
#define REPEATS 8

/* Zeroed operands draw less power and run faster: the data must be random. */
static void fill(void *data, size_t count, enum fused_type type)
{
    struct rng r = rng_seeded(1);
    for (size_t i = 0; i < count; i++) {
        float x = (float)(2 * rng_uniform(&r) - 1);
        if (type == FUSED_BF16)
            ((bf16 *)data)[i] = bf16_of_f32(x);
        else
            ((float *)data)[i] = x;
    }
}

static enum status best_time(uint64_t *best_ns, struct compat_call *call, const struct clock *clk,
                             struct err *err)
{
    *best_ns = UINT64_MAX;
    for (int i = 0; i < REPEATS + 1; i++) { /* the first one warms up, and is never the best */
        uint64_t before = clock_now_ns(clk);
        enum status st = compat_run(call, err);
        uint64_t took = clock_now_ns(clk) - before;
        if (st != ST_OK)
            return st;
        if (took < *best_ns)
            *best_ns = took;
    }
    return ST_OK;
}

static size_t aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* One convolution 3x3, c channels in and out, `side` pixels square. */
static enum status measure_conv(double *flops_per_s, struct compat *compat, int c, int side,
                                enum fused_type type, const struct clock *clk, struct err *err)
{
    struct conv_shape shape;
    memset(&shape, 0, sizeof shape);
    shape = (struct conv_shape){ .n = 1, .h = side, .w = side, .c = c, .k = c, .out_h = side, .out_w = side,
                                  .kernel_h = 3, .kernel_w = 3, .stride = 1, .pad_h = 1, .pad_w = 1, .groups = 1,
                                  .type = type };
    struct compat_kernel *kernel = NULL;
    struct compat_call *call = NULL;
    struct pages pages = { NULL, 0 };
    enum status st = compat_describe_conv(&kernel, compat, &shape, err);
    if (st != ST_OK)
        return st;
    size_t values = (size_t)side * (size_t)side * (size_t)c, size = type == FUSED_BF16 ? 2 : 4;
    size_t tensor = aligned(values * size), weights = aligned(compat_weights_bytes(kernel));
    st = pages_new(&pages, 2 * tensor + weights + compat_scratch_bytes(kernel), "the roof's convolution",
                   err);
    if (st == ST_OK) {
        char *at = pages.data;
        fill(at, values, type);
        fill(at + 2 * tensor, weights / size, type);
        const struct compat_buffers b = { at, at + 2 * tensor, NULL, at + tensor, at + 2 * tensor + weights };
        st = compat_bind(&call, kernel, &b, err);
    }
    uint64_t ns = 1;
    if (st == ST_OK)
        st = best_time(&ns, call, clk, err);
    if (st == ST_OK)
        *flops_per_s = 2.0 * 9.0 * (double)values * (double)c / ((double)ns * 1e-9);
    compat_unbind(call);
    compat_free(kernel);
    pages_free(&pages);
    return st;
}

static enum status measure_copy(double *bytes_per_s, const struct clock *clk, struct err *err)
{
    struct pages pages;
    enum status st = pages_new(&pages, 2 * COPY_BYTES, "the roof's copy", err);
    if (st != ST_OK)
        return st;
    enum { PIECE = 1 << 20 };
    const ptrdiff_t pieces = (ptrdiff_t)(COPY_BYTES / PIECE);
    char *data = pages.data;
    uint64_t best_ns = UINT64_MAX;
    memset(data, 1, COPY_BYTES);
    for (int i = 0; i < REPEATS; i++) {
        uint64_t before = clock_now_ns(clk);
#pragma omp parallel for schedule(static)
        for (ptrdiff_t k = 0; k < pieces; k++)
            memcpy(data + COPY_BYTES + (size_t)k * PIECE, data + (size_t)k * PIECE, PIECE);
        uint64_t took = clock_now_ns(clk) - before;
        if (took < best_ns)
            best_ns = took;
    }
    *bytes_per_s = 2.0 * (double)COPY_BYTES / ((double)best_ns * 1e-9);
    pages_free(&pages);
    return ST_OK;
}

enum status roofs_measure(struct roofs *out, struct compat *c, enum fused_type type, const struct clock *clk,
                          struct err *err)
{
    static const struct { int channels, side; } shapes[] = { { 96, 64 }, { 192, 64 }, { 384, 32 } };
    *out = (struct roofs){ 0, 0 };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        double flops_per_s = 0;
        enum status st = measure_conv(&flops_per_s, c, shapes[i].channels, shapes[i].side, type, clk, err);
        if (st != ST_OK)
            return st;
        if (flops_per_s > out->flops_per_s)
            out->flops_per_s = flops_per_s;
    }
    return measure_copy(&out->bytes_per_s, clk, err);
}
