/* Speed of the GPU's kernels on this machine's first GPU, in f16: the bytes that each must read and write,
 * per second, beside a copy of as many bytes on the device, measured in the same rounds. usage:
 * gpu-kernel-speed [side [part-of-a-name]]     side: of the image, 1024 unless given Exit code 77: there is
 * no GPU. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime_api.h>

#include "kernels/base/half.h"
#include "kernels/base/len.h"
#include "kernels/base/rng.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/passes/kernels.h"

#define ROUNDS 15
#define LAUNCHES 8               /* of one sample */
#define SCRATCH_BYTES ((size_t)256 << 20)
#define CHANNELS_MOST 1024
#define TENSOR_CHANNELS 96       /* at full size: half of all that a case moves fits, for the copy */

struct pool {
    struct gpu_place at;
    void  *tensor[3];
    float *map[3];               /* two values a pixel of the largest map; the last: one */
    float *coefficient[4], *line[2], *weights;
    cudaEvent_t event[3];
};
struct shape { int h, w, c; };

/* One way to call a kernel: its CUDA error; *bytes is what it must move. */
struct speed_case {
    const char *name;
    int shrink, c;               /* the image's side by it; channels, 0 for maps */
    int (*run)(const struct pool *p, const struct shape *s, double *bytes);
};

static double pixels_of(const struct shape *s) { return (double)s->h * s->w; }
static double tensor_bytes(const struct shape *s) { return 2 * pixels_of(s) * s->c; }
static struct fused_view view(const struct pool *p, int i, const struct shape *s)
{
    return (struct fused_view){ p->tensor[i], FUSED_F16, 1, s->h, s->w, s->c, s->c };
}

static int run_stats(const struct pool *p, const struct shape *s, double *bytes)
{
    const struct fused_stats op = { .src = view(p, 0, s),
                                    .norm = { p->coefficient[0], p->coefficient[1], p->coefficient[2],
                                              p->coefficient[3], NULL, NULL } };
    *bytes = tensor_bytes(s);
    return gpu_stats(&op, &p->at);
}

static int run_terms(const struct pool *p, const struct shape *s, double *bytes, int terms)
{
    struct fused_apply op = { .terms = terms,
                              .n = 1,
                              .h = s->h,
                              .w = s->w,
                              .c = s->c,
                              .c_real = s->c,
                              .act = FUSED_RELU,
                              .dst = view(p, 2, s) };
    for (int i = 0; i < terms; i++)
        op.term[i].src = view(p, i, s);
    op.term[0].scale = p->coefficient[0], op.term[0].shift = p->coefficient[1];
    *bytes = (1 + terms) * tensor_bytes(s);
    return gpu_apply(&op, &p->at);
}
static int run_apply(const struct pool *p, const struct shape *s, double *bytes)
{
    return run_terms(p, s, bytes, 1);
}
static int run_residual(const struct pool *p, const struct shape *s, double *bytes)
{
    return run_terms(p, s, bytes, 2);
}

static int run_survey(const struct pool *p, const struct shape *s, double *bytes)
{
    const struct fused_survey op = { .src = view(p, 0, s),
                                     .c_real = s->c,
                                     .scale = p->coefficient[0],
                                     .shift = p->coefficient[1],
                                     .center = p->coefficient[2],
                                     .rate = p->coefficient[3],
                                     .dst = view(p, 2, s),
                                     .row = p->line[0],
                                     .column = p->line[1],
                                     .point = p->map[0] };
    *bytes = 2 * tensor_bytes(s) + 8 * pixels_of(s);
    return gpu_survey(&op, &p->at);
}
static int run_points(const struct pool *p, const struct shape *s, double *bytes)
{
    const struct fused_survey op = {
        .src = view(p, 0, s), .c_real = s->c, .scale = p->coefficient[0], .point = p->map[0]
    };
    *bytes = tensor_bytes(s) + 8 * pixels_of(s);
    return gpu_survey(&op, &p->at);
}

static int run_gate(const struct pool *p, const struct shape *s, double *bytes)
{
    const struct fused_gate op = { 1, s->h, s->w, p->map[0], NULL, p->map[1], p->weights, p->map[2] };
    *bytes = (8 + 4 + 4) * pixels_of(s);
    return gpu_gate(&op, &p->at);
}
static int run_triplet(const struct pool *p, const struct shape *s, double *bytes)
{
    const struct fused_triplet op = { .n = 1, .h = s->h, .w = s->w, .row = p->line[0], .column = p->line[1],
                                      .point = p->map[0], .row_weight = { 1, 1 }, .column_weight = { 1, 1 },
                                      .point_weight = p->weights, .factor = p->map[2] };
    *bytes = (8 + 4) * pixels_of(s);
    return gpu_triplet(&op, &p->at);
}
static int run_map_norm(const struct pool *p, const struct shape *s, double *bytes)
{
    const struct fused_map_norm op = { 1, s->h, s->w, true, 1, 0, FUSED_SIGMOID, p->map[0], p->map[2] };
    *bytes = 3 * 4 * pixels_of(s);
    return gpu_map_norm(&op, &p->at);
}
static int run_map_resize(const struct pool *p, const struct shape *s, double *bytes)
{
    const struct fused_map_resize op = { 1,    s->h / 4,      s->w / 4,  s->h,
                                         s->w, FUSED_CORNERS, p->map[0], p->map[2] };
    *bytes = (4 + 4.0 / 16) * pixels_of(s);
    return gpu_map_resize(&op, &p->at);
}

static const struct speed_case cases[] = {
    { "stats", 1, 48, run_stats },
    { "stats", 4, 256, run_stats },
    { "apply", 1, 48, run_apply },
    { "apply", 4, 256, run_apply },
    { "residual", 1, 48, run_residual },
    { "residual", 4, 256, run_residual },
    { "survey", 1, 64, run_survey },
    { "survey", 2, 128, run_survey },
    { "survey", 4, 256, run_survey },
    { "survey", 8, 512, run_survey },
    { "survey", 16, 1024, run_survey },
    { "points", 1, 48, run_points },
    { "points", 8, 384, run_points },
    { "gate", 1, 0, run_gate },
    { "gate", 8, 0, run_gate },
    { "triplet", 1, 0, run_triplet },
    { "triplet", 16, 0, run_triplet },
    { "map_norm", 1, 0, run_map_norm },
    { "map_resize", 1, 0, run_map_resize },
};

/* --- memory: random values, since equal ones may be moved faster --------------------------------------- */
static void *device_new(size_t bytes, const void *pattern, size_t pattern_bytes)
{
    char *memory = NULL;
    if (cudaMalloc((void **)&memory, bytes) != cudaSuccess)
        return NULL;
    for (size_t at = 0; at < bytes; at += pattern_bytes) {
        size_t part = bytes - at < pattern_bytes ? bytes - at : pattern_bytes;
        if (cudaMemcpy(memory + at, pattern, part, cudaMemcpyHostToDevice) != cudaSuccess)
            return NULL;
    }
    return memory;
}

enum { PATTERN = 1 << 18 };
static bool pool_fill(struct pool *p, int side, float *floats, f16 *halves)
{
    const size_t pixels = (size_t)side * (size_t)side;
    struct rng r = rng_seeded(1);
    bool ok = true;
    for (int i = 0; i < PATTERN; i++) {
        floats[i] = (float)rng_normal(&r);
        halves[i] = f16_of_f32(floats[i]);
    }
    for (int i = 0; i < 3; i++) {
        ok = ok && (p->tensor[i] = device_new(pixels * TENSOR_CHANNELS * sizeof *halves, halves,
                                              PATTERN * sizeof *halves));
        ok = ok && (p->map[i] = device_new(2 * pixels * sizeof *floats, floats, PATTERN * sizeof *floats));
        ok = ok && cudaEventCreate(&p->event[i]) == cudaSuccess;
    }
    for (int i = 0; i < 4; i++)
        ok = ok && (p->coefficient[i] =
                        device_new(CHANNELS_MOST * sizeof *floats, floats, PATTERN * sizeof *floats));
    for (int i = 0; i < 2; i++)
        ok = ok &&
             (p->line[i] = device_new(2 * (size_t)side * sizeof *floats, floats, PATTERN * sizeof *floats));
    ok = ok && (p->weights = device_new(98 * sizeof *floats, floats, PATTERN * sizeof *floats));
    ok = ok && (p->at.scratch = device_new(SCRATCH_BYTES, floats, PATTERN * sizeof *floats));
    memset(floats, 0, GPU_TICKETS * sizeof *floats);
    return ok && (p->at.tickets =
                      device_new(GPU_TICKETS * sizeof(unsigned), floats, GPU_TICKETS * sizeof(unsigned)));
}

/* --- measuring ----------------------------------------------------------------------------------------- */
static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static double median(double *x) { qsort(x, ROUNDS, sizeof *x, by_value); return x[ROUNDS / 2]; }

/* Seconds of one launch and of a copy that reads and writes as many bytes; a CUDA error, or 0. */
static int measure(const struct pool *p, const struct speed_case *c, const struct shape *s, double *bytes,
                   double seconds[2])
{
    double sample[2][ROUNDS];
    int error = c->run(p, s, bytes); /* once before: modules are loaded */
    for (int round = 0; !error && round < ROUNDS; round++) {
        float ms[2] = { 0, 0 };
        error = (int)cudaEventRecord(p->event[0], NULL);
        for (int i = 0; !error && i < LAUNCHES; i++)
            error = c->run(p, s, bytes);
        error = error ? error : (int)cudaEventRecord(p->event[1], NULL);
        for (int i = 0; !error && i < LAUNCHES; i++)
            error = (int)cudaMemcpyAsync(p->tensor[2], p->tensor[0], (size_t)(*bytes / 2),
                                         cudaMemcpyDeviceToDevice, NULL);
        error = error ? error : (int)cudaEventRecord(p->event[2], NULL);
        error = error ? error : (int)cudaEventSynchronize(p->event[2]);
        for (int i = 0; !error && i < 2; i++) {
            error = (int)cudaEventElapsedTime(&ms[i], p->event[i], p->event[i + 1]);
            sample[i][round] = (double)ms[i] / 1e3 / LAUNCHES;
        }
    }
    for (int i = 0; !error && i < 2; i++)
        seconds[i] = median(sample[i]);
    return error;
}

static int measure_all(const struct pool *p, int side, const char *part)
{
    printf("%-10s %4s %4s %4s %10s %10s %8s %8s %6s\n%-10s %4s %4s %4s %10s %10s %8s %8s %6s\n", "kernel",
           "h", "w", "c", "moved", "time", "speed", "copy", "share", "", "", "", "", "MB", "us", "GB/s",
           "GB/s", "%");
    for (size_t i = 0; i < LEN(cases); i++) {
        const struct speed_case *c = &cases[i];
        const struct shape s = { side / c->shrink, side / c->shrink, c->c };
        double bytes = 0, seconds[2] = { 0, 0 };
        if (!strstr(c->name, part))
            continue;
        const int error = measure(p, c, &s, &bytes, seconds);
        if (error) {
            fprintf(stderr, "gpu-kernel-speed: %s: %s\n", c->name, cudaGetErrorString((cudaError_t)error));
            return 1;
        }
        printf("%-10s %4d %4d %4d %10.1f %10.1f %8.0f %8.0f %6.0f\n", c->name, s.h, s.w, s.c, bytes / 1e6,
               seconds[0] * 1e6, bytes / seconds[0] / 1e9, bytes / seconds[1] / 1e9,
               100 * seconds[1] / seconds[0]);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct gpu_card cards[GPU_DEVICES_MAX];
    struct gpu_driver driver;
    struct pool p = { .at = { .scratch = NULL } };
    struct err err = { .status = ST_OK };
    int count = 0, side = argc > 1 ? atoi(argv[1]) : 1024;
    if (gpu_devices_find(cards, &count, &driver, &err) != ST_OK || count == 0) {
        fprintf(stderr, "gpu-kernel-speed: no GPU to run on: %s\n", err.text);
        return 77;
    }
    if (side < 64 || side > 4096 || side % 64) {
        fprintf(stderr, "gpu-kernel-speed: side must be 64..4096 and a multiple of 64, got %s\n", argv[1]);
        return 2;
    }
    p.at.limits = &cards[0].limits;
    float *floats = malloc(PATTERN * sizeof *floats);
    f16 *halves = malloc(PATTERN * sizeof *halves);
    int code = 1;
    if (!floats || !halves || !pool_fill(&p, side, floats, halves))
        fprintf(stderr, "gpu-kernel-speed: not enough memory for a side of %d\n", side);
    else {
        printf("%s, %d x %d, f16, random values, median of %d rounds of %d launches\n", cards[0].name, side,
               side, ROUNDS, LAUNCHES);
        code = measure_all(&p, side, argc > 2 ? argv[2] : "");
    }
    free(floats);
    free(halves);
    return code; /* the process ends: its device memory goes with it */
}
