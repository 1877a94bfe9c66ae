/* Speed of the fused kernels: bytes that must be read and written, per second, beside a copy of as many bytes measured
 * in the same rounds (ordinary stores; non-temporal ones where the kernel is told to stream).
 * usage: cpu_fused_speed [rounds [isa [part-of-a-name]]]
 *        cpu_fused_speed once isa f32|bf16    every kernel once on 64x64x96, for counting instructions */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "kernels/base/clock.h"
#include "kernels/base/half.h"
#include "kernels/base/rng.h"
#include "kernels/cpu/fused.h"
#include "kernels/cpu/isa.h"

#define CHUNK_BYTES 4096
#define STREAM_BYTES (16u << 20)

/* Every buffer that a kernel may want, for the largest case. */
struct pool {
    const struct fused_kernels *kernels;
    char *tensor[4], *copy_from, *copy_to, *scratch;
    float *coefficient[4], *map[4];
};

struct shape { int h, w, c; enum fused_type type; };

static size_t tensor_bytes(const struct shape *s)
{
    return (size_t)s->h * (size_t)s->w * (size_t)s->c * (s->type == FUSED_BF16 ? sizeof(bf16) : sizeof(float));
}

static struct fused_view view(const struct pool *p, int i, const struct shape *s)
{
    return (struct fused_view){ p->tensor[i], s->type, 1, s->h, s->w, s->c, s->c };
}

static bool streams(const struct shape *s) { return tensor_bytes(s) > STREAM_BYTES; }

/* One way to call a kernel; `bytes` is what it must move. */
static double run_stats(const struct pool *p, const struct shape *s)
{
    struct fused_stats op = { .src = view(p, 0, s), .norm = { p->coefficient[0], p->coefficient[1], p->map[2], p->map[3],
                                                              NULL, NULL } };
    p->kernels->stats(&op, p->scratch);
    return (double)tensor_bytes(s);
}

static struct fused_apply sum_of(const struct pool *p, const struct shape *s, int terms)
{
    struct fused_apply op = { .terms = terms, .n = 1, .h = s->h, .w = s->w, .c = s->c, .c_real = s->c,
                              .act = FUSED_RELU, .dst = view(p, 3, s), .stream = streams(s) };
    for (int i = 0; i < terms; i++) {
        op.term[i].src = view(p, i, s);
        op.term[i].scale = i < 2 ? p->coefficient[0] : NULL;
        op.term[i].shift = i < 2 ? p->coefficient[1] : NULL;
    }
    return op;
}

static double run_norm_relu(const struct pool *p, const struct shape *s)
{
    struct fused_apply op = sum_of(p, s, 1);
    p->kernels->apply(&op, p->scratch);
    return 2 * (double)tensor_bytes(s);
}

static double run_in_place(const struct pool *p, const struct shape *s)
{
    struct fused_apply op = sum_of(p, s, 1);
    op.dst.data = op.term[0].src.data;
    op.stream = false;
    p->kernels->apply(&op, p->scratch);
    return 2 * (double)tensor_bytes(s);
}

static double run_residual(const struct pool *p, const struct shape *s)
{
    struct fused_apply op = sum_of(p, s, 2);
    op.term[1].scale = op.term[1].shift = NULL;
    p->kernels->apply(&op, p->scratch);
    return 3 * (double)tensor_bytes(s);
}

static double run_residual_mean_point(const struct pool *p, const struct shape *s)
{
    struct fused_apply op = sum_of(p, s, 2);
    op.channel_mean = p->coefficient[2];
    op.point = p->map[0];
    p->kernels->apply(&op, p->scratch);
    return 3 * (double)tensor_bytes(s);
}

static double run_factor_pool(const struct pool *p, const struct shape *s)
{
    struct fused_apply op = sum_of(p, s, 1);
    struct shape half = { s->h / 2, s->w / 2, s->c, s->type };
    op.term[0].pixel = p->map[0];
    op.act = FUSED_NONE;
    op.pool = view(p, 2, &half);
    p->kernels->apply(&op, p->scratch);
    return 2.25 * (double)tensor_bytes(s);
}

static double run_factor_norm(const struct pool *p, const struct shape *s)
{
    struct fused_apply op = sum_of(p, s, 1);
    struct fused_norm norm = { p->coefficient[0], p->coefficient[1], p->map[2], p->map[3], NULL, NULL };
    op.act = FUSED_NONE;
    op.norm = &norm;
    p->kernels->apply(&op, p->scratch);
    return 2 * (double)tensor_bytes(s);
}

/* What the fusion of a module does: one tensor of this size and three smaller ones resized to it. */
static double run_fuse(const struct pool *p, const struct shape *s)
{
    struct fused_apply op = sum_of(p, s, 4);
    double bytes = 2 * (double)tensor_bytes(s);
    for (int i = 1; i < 4; i++) {
        struct shape small = { s->h >> i, s->w >> i, s->c, s->type };
        op.term[i].src = view(p, i - 1, &small);
        op.term[i].scale = p->coefficient[0];
        op.term[i].shift = p->coefficient[1];
        op.term[i].resize = FUSED_CORNERS;
        bytes += (double)tensor_bytes(&small);
    }
    p->kernels->apply(&op, p->scratch);
    return bytes;
}

static double run_dot(const struct pool *p, const struct shape *s)
{
    struct fused_apply op = sum_of(p, s, 1);
    op.dst.data = NULL;
    op.dot_weight = p->coefficient[2];
    op.dot = p->map[0];
    p->kernels->apply(&op, p->scratch);
    return (double)tensor_bytes(s);
}

static double run_survey(const struct pool *p, const struct shape *s)
{
    struct fused_survey op = { .src = view(p, 0, s), .c_real = s->c, .scale = p->coefficient[0],
                               .shift = p->coefficient[1], .center = p->coefficient[1], .rate = p->coefficient[0],
                               .dst = view(p, 1, s), .stream = streams(s), .row = p->map[0], .column = p->map[1],
                               .point = p->map[2] };
    p->kernels->survey(&op, p->scratch);
    return 2 * (double)tensor_bytes(s);
}

static double run_scatter(const struct pool *p, const struct shape *s)
{
    struct shape half = { s->h / 2, s->w / 2, 4 * s->c, s->type };
    struct fused_scatter op = { view(p, 0, &half), view(p, 1, s), p->coefficient[0], streams(s) };
    p->kernels->scatter(&op, p->scratch);
    return 2 * (double)tensor_bytes(s);
}

/* The maps beside a tensor of this size: their time counts against that tensor's bytes. */
static double run_gate_map(const struct pool *p, const struct shape *s)
{
    struct fused_gate op = { .n = 1, .h = s->h, .w = s->w, .point = p->map[0], .weight = p->map[1],
                             .factor = p->map[2] };
    p->kernels->gate(&op, p->scratch);
    return 2 * (double)tensor_bytes(s);
}

static double run_map_resize(const struct pool *p, const struct shape *s)
{
    struct fused_map_resize op = { 1, s->h / 4, s->w / 4, s->h, s->w, FUSED_CORNERS, p->map[0], p->map[2] };
    p->kernels->map_resize(&op, p->scratch);
    return 2 * (double)tensor_bytes(s);
}

static double run_pack(const struct pool *p, const struct shape *s)
{
    struct fused_pack op = { p->map[0], 3, view(p, 0, &(struct shape){ s->h, s->w, 16, s->type }) };
    p->kernels->pack(&op, p->scratch);
    return (double)s->h * s->w * (12 + 16 * (s->type == FUSED_BF16 ? 2 : 4));
}

static const struct { const char *name; double (*run)(const struct pool *p, const struct shape *s); } ways[] = {
    { "stats", run_stats },
    { "norm+relu", run_norm_relu },
    { "norm+relu in place", run_in_place },
    { "norm+residual+relu", run_residual },
    { "residual+mean+point", run_residual_mean_point },
    { "factors+pool", run_factor_pool },
    { "apply+norm", run_factor_norm },
    { "fuse 4, 3 resized", run_fuse },
    { "dot", run_dot },
    { "survey", run_survey },
    { "scatter", run_scatter },
    { "gate map", run_gate_map },
    { "map resize x4", run_map_resize },
    { "pack 3 to 16", run_pack },
};

static const struct shape shapes[] = {
    { 1024, 1024, 48, FUSED_BF16 }, { 1024, 1024, 48, FUSED_F32 }, { 256, 256, 256, FUSED_BF16 },
    { 128, 128, 48, FUSED_BF16 },   { 64, 64, 96, FUSED_BF16 },    { 16, 16, 384, FUSED_BF16 },
    { 64, 64, 1024, FUSED_BF16 },   { 128, 128, 720, FUSED_BF16 },
};

static void copy_chunk(char *to, const char *from, bool stream)
{
#if defined(__x86_64__)
    if (stream) {
        for (size_t i = 0; i < CHUNK_BYTES; i += sizeof(__m128i))
            _mm_stream_si128((__m128i *)(void *)(to + i), _mm_load_si128((const __m128i *)(const void *)(from + i)));
        return;
    }
#endif
    (void)stream;
    memcpy(to, from, CHUNK_BYTES);
}

/* Moves `bytes`, half of them read, half written. */
static void copy(const struct pool *p, double bytes, bool stream)
{
    long chunks = (long)(bytes / 2 / CHUNK_BYTES);
#pragma omp parallel for schedule(static)
    for (long i = 0; i < chunks; i++)
        copy_chunk(p->copy_to + i * CHUNK_BYTES, p->copy_from + i * CHUNK_BYTES, stream);
}

/* Both times are of `repeat` calls, so that small shapes last long enough to be timed; of the rounds the fastest
 * counts, because whatever else runs on the machine only adds. */
static void measure(const struct pool *p, size_t way, const struct shape *s, int rounds)
{
    const struct clock clk = clock_system();
    double kernel = INFINITY, other = INFINITY, bytes = ways[way].run(p, s);
    int repeat = 1 + (int)(2e6 / (bytes / 10));
    for (int i = 0; i < rounds; i++) {
        uint64_t start = clock_now_ns(&clk);
        for (int j = 0; j < repeat; j++)
            ways[way].run(p, s);
        uint64_t middle = clock_now_ns(&clk);
        for (int j = 0; j < repeat; j++)
            copy(p, bytes, streams(s));
        kernel = fmin(kernel, (double)(middle - start) / repeat);
        other = fmin(other, (double)(clock_now_ns(&clk) - middle) / repeat);
    }
    printf("%-20s %5dx%-5d %5d %5s %9.1f %8.2f %8.2f %7.2f\n", ways[way].name, s->h, s->w, s->c,
           s->type == FUSED_BF16 ? "bf16" : "f32", kernel / 1e3, bytes / kernel, bytes / other, other / kernel);
}

/* Normal values of `type`. They are written again for every shape: what is a number in bf16 may, read as f32, be a
 * denormal, which costs a hundred times as much. */
static void fill(char *p, size_t bytes, enum fused_type type)
{
    static const int period = 4099; /* odd: neighbours differ */
    struct rng r = rng_seeded(1);
    size_t size = type == FUSED_BF16 ? sizeof(bf16) : sizeof(float), ready = (size_t)period * size;
    for (int i = 0; i < period; i++) {
        float x = (float)rng_normal(&r);
        bf16 half = bf16_of_f32(x);
        memcpy(p + (size_t)i * size, type == FUSED_BF16 ? (const void *)&half : (const void *)&x, size);
    }
    for (; ready < bytes; ready *= 2)
        memcpy(p + ready, p, ready < bytes - ready ? ready : bytes - ready);
}

static void *filled(size_t bytes)
{
    char *p = aligned_alloc(1 << 21, (bytes + (1 << 21) - 1) >> 21 << 21);
    if (!p)
        abort();
    fill(p, bytes, FUSED_F32);
    return p;
}

/* Every kernel once; tests/bench/instructions.py counts inside. */
static void run_all_once(const struct pool *p, enum fused_type type)
{
    const struct shape s = { 64, 64, 96, type };
    for (int t = 0; t < 4; t++)
        fill(p->tensor[t], tensor_bytes(&s), type);
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++)
        ways[way].run(p, &s);
}

int main(int argc, char **argv)
{
    bool once = argc == 4 && strcmp(argv[1], "once") == 0;
    int rounds = argc > 1 && !once ? atoi(argv[1]) : 9;
    enum cpu_isa isa;
    struct err err;
    if (rounds < 1 || cpu_isa_choose(&isa, argc > 2 ? argv[2] : NULL, &err) != ST_OK) {
        fprintf(stderr, "usage: cpu_fused_speed [rounds [isa [part of a name]]] | once isa f32|bf16\n");
        return 2;
    }
    size_t largest = tensor_bytes(&shapes[1]);
    struct pool p = { .kernels = fused_kernels(isa), .scratch = filled(64u << 20) };
    p.copy_from = filled(2 * largest);
    p.copy_to = filled(2 * largest);
    for (int i = 0; i < 4; i++) {
        p.coefficient[i] = filled(16 * FUSED_CHANNELS_MAX);
        p.map[i] = filled((size_t)1024 * 1024 * 16);
        p.tensor[i] = filled(largest);
    }
    if (once) {
        run_all_once(&p, strcmp(argv[3], "bf16") == 0 ? FUSED_BF16 : FUSED_F32);
        return 0;
    }
    printf("%s, %d threads\n%-20s %11s %5s %5s %9s %8s %8s %7s\n%-20s %11s %5s %5s %9s %8s %8s %7s\n", cpu_isa_name(isa),
           omp_get_max_threads(), "kernel", "shape", "c", "type", "time", "speed", "copy", "ratio", "", "", "", "", "us",
           "GB/s", "GB/s", "");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t way = 0; way < sizeof ways / sizeof *ways; way++)
            if (argc < 4 || strstr(ways[way].name, argv[3])) {
                for (int t = 0; t < 4; t++)
                    fill(p.tensor[t], tensor_bytes(&shapes[i]), shapes[i].type);
                measure(&p, way, &shapes[i], rounds);
            }
    return 0;
}
