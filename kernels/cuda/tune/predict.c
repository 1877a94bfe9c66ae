#include "kernels/cuda/tune/predict.h"

#include <math.h>

#include "kernels/base/text.h"

#define LAUNCH_NS 2500.0
#define TILE 128
#define MIB ((uint64_t)1 << 20)

/* Operations (a multiply-add is two) of one multiprocessor per clock: f32 on the plain units, f16 and bf16 on
 * the tensor units with f32 sums, tf32 half of that. From the public tables of each architecture. */
struct arch {
    int sm;
    double f32, tf32, f16, bf16;
};
static const struct arch archs[] = {
    { 70, 128, 0, 1024, 0 },
    { 75, 128, 0, 1024, 0 },
    { 80, 128, 1024, 2048, 2048 },
    { 86, 256, 512, 1024, 1024 },
    { 89, 256, 512, 1024, 1024 },
    { 90, 256, 2048, 4096, 4096 },
    { 100, 256, 4096, 8192, 8192 },
    { 120, 256, 512, 1024, 1024 },
};

struct gpu_speed predict_speed(int sm, int multiprocessors, int clock_khz, int memory_khz, int bus_bits)
{
    const struct arch *a = &archs[0];
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++)
        if (archs[i].sm <= sm)
            a = &archs[i];
    double units = (double)multiprocessors * clock_khz * 1e3;
    return (struct gpu_speed){
        .flops = { [GPU_F32] = a->f32 * units, [GPU_TF32] = a->tf32 * units, [GPU_F16] = a->f16 * units,
                   [GPU_BF16] = a->bf16 * units },
        .bytes_per_s = 0.9 * memory_khz * 1e3 * 2 * bus_bits / 8, /* two transfers a clock */
        .multiprocessors = multiprocessors,
    };
}

static double ceil_div(double a, double b)
{
    return ceil(a / b);
}

/* Operations of whole waves: every multiprocessor computes a tile of pixels x outputs, also where few are
 * real. */
static double quantised_flops(const struct conv_shape *s, double multiprocessors)
{
    double pixels = (double)s->n * s->out_h * s->out_w, outputs = (double)s->k / s->groups;
    double wide = outputs > TILE / 2 ? TILE : TILE / 2;
    double tiles = ceil_div(pixels, TILE) * ceil_div(outputs, wide) * s->groups;
    double depth = (double)s->kernel_h * s->kernel_w * s->c / s->groups;
    return ceil_div(tiles, multiprocessors) * multiprocessors * 2.0 * TILE * wide * depth;
}

static double plain_flops(const struct conv_shape *s)
{
    return 2.0 * s->n * s->out_h * s->out_w * (double)s->k * s->kernel_h * s->kernel_w * s->c / s->groups;
}

double predict_conv_ns(const struct conv_shape *s, enum gpu_math math, const struct gpu_speed *speed)
{
    double peak = speed->flops[math] > 0 ? speed->flops[math] : speed->flops[GPU_F32];
    bool tensor = math != GPU_F32 && speed->flops[math] > 0;
    double flops = tensor ? quantised_flops(s, speed->multiprocessors) : plain_flops(s);
    double compute_ns = peak > 0 ? flops / (peak * (tensor ? 0.6 : 0.8)) * 1e9 : 0;
    double element = math == GPU_F32 || math == GPU_TF32 ? 4 : 2;
    double elements = (double)s->n * s->h * s->w * s->c + (double)s->n * s->out_h * s->out_w * s->k +
                      (double)conv_shape_weights(s);
    return fmax(compute_ns, predict_pass_ns((size_t)(elements * element), speed));
}

double predict_pass_ns(size_t bytes, const struct gpu_speed *speed)
{
    double ns = speed->bytes_per_s > 0 ? (double)bytes / speed->bytes_per_s * 1e9 : 0;
    return fmax(ns, LAUNCH_NS);
}

uint64_t predict_needed(const struct predict_memory *m, int batch)
{
    return (uint64_t)batch * (m->arena_image + m->io_image) + m->workspace;
}

uint64_t predict_planned(const struct predict_memory *m, int batch)
{
    return m->context + m->weights + predict_needed(m, batch);
}

uint64_t predict_reserve(uint64_t device_bytes)
{
    uint64_t part = device_bytes / 50;
    return part > 256 * MIB ? part : 256 * MIB;
}

static bool fits(const struct predict_memory *m, int batch, uint64_t free_bytes, uint64_t held,
                 uint64_t reserve)
{
    return predict_needed(m, batch) + reserve <= free_bytes + held;
}

enum status predict_fits(const struct predict_memory *m, int batch, uint64_t free_bytes, uint64_t held,
                         uint64_t device_bytes, struct err *err)
{
    uint64_t reserve = predict_reserve(device_bytes);
    if (fits(m, batch, free_bytes, held, reserve))
        return ST_OK;
    char needed[32], available[32], kept[32];
    text_of_bytes(needed, sizeof needed, predict_needed(m, batch));
    text_of_bytes(available, sizeof available, free_bytes + held);
    text_of_bytes(kept, sizeof kept, reserve);
    int most = predict_largest_batch(m, batch, free_bytes, held, device_bytes);
    return err_set(
        err, ST_OUT_OF_MEMORY,
        "batch %d needs %s on the device (activations, workspace, input and output), %s are free and %s of "
        "them stay in reserve; the largest batch that fits is %d",
        batch, needed, available, kept, most);
}

int predict_largest_batch(const struct predict_memory *m, int most, uint64_t free_bytes, uint64_t held,
                          uint64_t device_bytes)
{
    uint64_t reserve = predict_reserve(device_bytes);
    int low = 0, high = most; /* low fits (or is 0), everything above high does not */
    while (low < high) {
        int middle = low + (high - low + 1) / 2;
        if (fits(m, middle, free_bytes, held, reserve))
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

int predict_input_buffers(size_t l2_bytes, size_t input_bytes)
{
    if (input_bytes == 0)
        return 3;
    size_t count = (2 * l2_bytes + input_bytes - 1) / input_bytes;
    return count > 3 ? (int)count : 3;
}
