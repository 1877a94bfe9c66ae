/* Launches of pack, stats, fold, apply, scatter and unpack, for every layer of the networks, batches and
 * devices: within the device's limits, and every value made exactly once. */
#include "tests/unit/cuda_layers_help.h"

#include <string.h>

#include "kernels/base/rng.h"
#include "kernels/cuda/passes/launch_apply.h"
#include "kernels/cuda/passes/launch_fold.h"
#include "kernels/cuda/passes/launch_pack.h"
#include "kernels/cuda/passes/launch_scatter.h"
#include "kernels/cuda/passes/launch_stats.h"

/* Cells one by one: each exactly once, and no chunk without any. */
static size_t cells_misses(const struct pixel_split *s, int cells)
{
    const int turns = s->unroll * s->rounds, all = s->chunks * turns * s->rows;
    unsigned char *count = calloc((size_t)all, 1);
    size_t misses = all < cells || all - turns * s->rows >= cells;
    assert_non_null(count);
    for (int chunk = 0; chunk < s->chunks; chunk++)
        for (int row = 0; row < s->rows; row++)
            for (int turn = 0; turn < turns; turn++) {
                int cell = split_cell(s, chunk, row, turn);
                assert_true(cell >= 0 && cell < all);
                count[cell]++;
            }
    for (int i = 0; i < all; i++)
        misses += count[i] != 1;
    free(count);
    return misses;
}

/* Groups of channels, likewise. A points split goes over them `lanes` at a time, in whole warps. */
static size_t groups_misses(const struct pixel_split *s, int groups, bool points)
{
    if (points)
        return s->slices != 1 || s->lanes > 32 || (s->lanes & (s->lanes - 1)) || s->lanes * s->rows % 32 != 0;
    return s->lanes * s->slices < groups || s->lanes * (s->slices - 1) >= groups;
}

/* Large images: the first and last cells, and the sum; cells_misses shows on small ones that it is enough. */
static size_t split_misses(const struct pixel_split *s, int groups, int cells, bool points)
{
    const long turns = (long)s->unroll * s->rounds, all = s->chunks * turns * s->rows;
    size_t misses = s->lanes < 1 || s->rows < 1 || s->rounds < 1 || s->lanes * s->rows > SPLIT_THREADS;
    misses += all < cells || all - turns * s->rows >= cells || all > 2147483647;
    misses +=
        split_cell(s, 0, 0, 0) != 0 || split_cell(s, s->chunks - 1, s->rows - 1, (int)turns - 1) != all - 1;
    return misses + groups_misses(s, groups, points);
}

/* Blocks need not be whole warps here: nothing is exchanged between threads but through shared memory. */
static size_t limits_misses(struct gpu_launch l, const struct gpu_limits *limits)
{
    const unsigned threads = l.block[0] * l.block[1];
    size_t misses = l.shared_bytes > limits->shared_bytes || threads > SPLIT_THREADS;
    l.block[0] = (threads + 31) / 32 * 32, l.block[1] = 1;
    return misses + launch_misses(&l, limits);
}

static void small_images_are_covered(void **state)
{
    (void)state;
    struct rng r = rng_seeded(1);
    for (int i = 0; i < 4000; i++) {
        const int groups = 1 + (int)(rng_next(&r) % 256), cells = 1 + (int)(rng_next(&r) % 3000);
        const int unroll = 1 << rng_next(&r) % 3, n = batches[rng_next(&r) % LEN(batches)];
        const struct gpu_limits *limits = &device_limits[rng_next(&r) % LEN(device_limits)];
        const enum gpu_shape shape = (enum gpu_shape)(i % GPU_SHAPES);
        struct pixel_split splits[] = { split_for_sums(groups, cells, unroll, limits, shape),
                                        split_for_values(groups, cells, unroll, n, limits, shape),
                                        split_for_points(groups, cells, unroll, n, limits, shape) };
        for (size_t j = 0; j < LEN(splits); j++) {
            assert_true(splits[j].lanes * splits[j].rows <= gpu_shape_row(shape)->threads);
            assert_int_equal(
                cells_misses(&splits[j], cells) + split_misses(&splits[j], groups, cells, j == 2), 0);
            splits[j].chunks--; /* the wrong twin */
            assert_true(cells_misses(&splits[j], cells) > 0 &&
                        split_misses(&splits[j], groups, cells, j == 2) > 0);
        }
    }
}

/* --- every layer --------------------------------------------------------------------------------- */

struct tally {
    size_t tried[STEP_COUNT], misses[STEP_COUNT];
};

/* Sums must not depend on the batch. */
static size_t stats_misses(const struct layer *l, int n, const struct gpu_limits *limits, enum gpu_shape shape)
{
    struct fused_stats op = { .src = layer_view(l, l->step->u.stats.src, n) }, one = op;
    one.src.n = 1;
    const struct pixel_split s = gpu_stats_split(&op, limits, shape);
    const struct pixel_split alone = gpu_stats_split(&one, limits, shape);
    const int images = sums_images(&s, n);
    const struct gpu_launch launch = gpu_stats_launch(&s, images);
    size_t misses = memcmp(&s, &alone, sizeof s) != 0 || images * s.slices > GPU_TICKETS;
    misses += launch.grid[0] != (unsigned)s.chunks || launch.grid[1] != (unsigned)images ||
              launch.grid[2] != (unsigned)s.slices;
    misses += gpu_stats_scratch(&op, limits, shape) != (size_t)images * gpu_stats_scratch(&one, limits, shape);
    misses += gpu_stats_scratch(&one, limits, shape) / sizeof(float) !=
              (size_t)s.chunks * (size_t)s.slices * (size_t)s.lanes * STATS_SUMS;
    return misses + split_misses(&s, op.src.c / 8, op.src.h * op.src.w, false) +
           limits_misses(launch, limits);
}

static struct fused_apply apply_of(const struct layer *l, int n, const struct fused_norm *norm)
{
    const struct apply_step *a = &l->step->u.apply;
    struct fused_apply op = { .terms = a->terms,
                              .n = n,
                              .h = a->h * l->scale_h,
                              .w = a->w * l->scale_w,
                              .c = a->c,
                              .c_real = a->c_real,
                              .act = a->act,
                              .dst = layer_view(l, a->dst, n),
                              .pool = layer_view(l, a->pool, n),
                              .channel_mean = layer_floats(l, a->channel_mean),
                              .point = layer_floats(l, a->point),
                              .dot = layer_floats(l, a->dot),
                              .norm = a->has_norm ? norm : NULL };
    for (int i = 0; i < a->terms; i++)
        op.term[i] = (struct fused_term){ .src = layer_view(l, a->term[i].src, n),
                                          .relu = a->term[i].relu,
                                          .scale = layer_floats(l, a->term[i].scale),
                                          .shift = layer_floats(l, a->term[i].shift),
                                          .pixel = layer_floats(l, a->term[i].pixel),
                                          .resize = a->term[i].resize };
    return op;
}

static size_t pass_misses(const struct fused_apply *op, enum apply_pass pass, const struct gpu_limits *limits,
                          enum gpu_shape shape)
{
    struct fused_apply one = *op;
    one.n = 1;
    const struct pixel_split s = apply_split(op, pass, limits, shape);
    const struct pixel_split alone = apply_split(&one, pass, limits, shape);
    const int images = apply_images(op, pass, &s);
    const int cells = apply_square(op, pass) ? (op->h + 1) / 2 * ((op->w + 1) / 2) : op->h * op->w;
    const struct gpu_launch launch = apply_launch(op, pass, &s, images);
    size_t misses = apply_sums_of(op, pass) != APPLY_NO_SUMS && memcmp(&s, &alone, sizeof s) != 0;
    misses += launch.grid[0] != (unsigned)s.chunks || launch.grid[1] != (unsigned)images ||
              launch.grid[2] != (unsigned)s.slices;
    return misses + split_misses(&s, op->c / 8, cells, pass == APPLY_POINTS) + limits_misses(launch, limits);
}

/* Every apply of the networks has a kernel made for it. */
static size_t apply_misses(const struct layer *l, int n, const struct gpu_limits *limits, enum gpu_shape shape)
{
    const struct fused_norm norm = { .gamma = NULL };
    const struct fused_apply op = apply_of(l, n, &norm);
    size_t misses = 0, passes = 0;
    for (int pass = 0; pass < APPLY_PASSES; pass++)
        if (apply_wants(&op, (enum apply_pass)pass)) {
            misses += pass_misses(&op, (enum apply_pass)pass, limits, shape);
            misses += apply_choose(&op, (enum apply_pass)pass) == APPLY_GENERAL && op.terms < 4;
            passes++;
        }
    return misses + (passes == 0);
}

static size_t scatter_misses(const struct layer *l, int n, const struct gpu_limits *limits)
{
    const struct fused_scatter op = { .src = layer_view(l, l->step->u.scatter.src, n),
                                      .dst = layer_view(l, l->step->u.scatter.dst, n) };
    const struct pixel_split s = gpu_scatter_split(&op, limits);
    return split_misses(&s, op.src.c / 8, op.src.h * op.src.w, false) +
           limits_misses(split_launch(&s, n, 0), limits);
}

static size_t threads_misses(const struct gpu_launch *l, const struct fused_view *v, int channels)
{
    const size_t pixels = (size_t)v->h * (size_t)v->w, made = (size_t)l->grid[0] * l->block[0];
    return made < pixels || made - pixels >= l->block[0] || l->grid[1] != (unsigned)v->n ||
           l->grid[2] != (unsigned)(channels + 7) / 8;
}

static size_t step_misses(const struct layer *l, int n, const struct gpu_limits *limits, enum gpu_shape shape)
{
    const struct step *s = l->step;
    if (s->kind == STEP_STATS)
        return stats_misses(l, n, limits, shape);
    if (s->kind == STEP_APPLY)
        return apply_misses(l, n, limits, shape);
    if (s->kind == STEP_SCATTER)
        return scatter_misses(l, n, limits);
    if (s->kind == STEP_PACK) {
        const struct fused_pack op = { .dst = layer_view(l, s->u.pack.dst, n), .c_real = 3 };
        const struct gpu_launch launch = gpu_pack_launch(&op);
        return limits_misses(launch, limits) + threads_misses(&launch, &op.dst, op.dst.c);
    }
    const struct fused_unpack op = { .src = layer_view(l, s->u.unpack.src, n), .c_real = 1 };
    const struct gpu_launch launch = gpu_unpack_launch(&op);
    return limits_misses(launch, limits) + threads_misses(&launch, &op.src, op.c_real);
}

static void layer_visit(const struct layer *l, void *context)
{
    struct tally *t = context;
    const enum step_kind kind = l->step->kind;
    if (kind != STEP_STATS && kind != STEP_APPLY && kind != STEP_SCATTER && kind != STEP_PACK &&
        kind != STEP_UNPACK)
        return;
    for (size_t b = 0; b < LEN(batches); b++)
        for (size_t d = 0; d < LEN(device_limits); d++) {
            bool shaped = kind == STEP_STATS || kind == STEP_APPLY;
            for (int shape = 0; shape < (shaped ? GPU_SHAPES : 1); shape++) {
                size_t misses = step_misses(l, batches[b], &device_limits[d], (enum gpu_shape)shape);
                if (misses && !t->misses[kind])
                    print_message("%s, node %d, %s, batch %d, device %zu, shape %d\n", l->model, l->step->node,
                                  step_kind_name(kind), batches[b], d, shape);
                t->misses[kind] += misses;
                t->tried[kind]++;
            }
        }
}

static void every_layer_fits_every_device(void **state)
{
    (void)state;
    struct tally t = { .tried = { 0 } };
    layers_each(layer_visit, &t);
    for (int kind = 0; kind < STEP_COUNT; kind++) {
        if (t.tried[kind])
            print_message("%-8s %7zu launches\n", step_kind_name((enum step_kind)kind), t.tried[kind]);
        assert_int_equal(t.misses[kind], 0);
    }
    assert_true(t.tried[STEP_STATS] && t.tried[STEP_APPLY] && t.tried[STEP_SCATTER] && t.tried[STEP_PACK]);
}

static void folds_are_covered(void **state)
{
    (void)state;
    for (int n = 1; n <= 64; n++)
        for (int c = 8; c <= 1024; c += 8) {
            const struct gpu_fold op = { .n = n, .c = c };
            const struct gpu_launch l = gpu_fold_launch(&op);
            const long threads = (long)l.grid[0] * l.block[0];
            assert_true(threads >= (long)n * c && threads - (long)n * c < FOLD_THREADS);
            assert_int_equal(limits_misses(l, &device_limits[3]), 0);
        }
}

/* A large tensor at its largest batch passes 2^31 elements: grids and scratch stay in range. */
static void beyond_two_to_the_31_elements(void **state)
{
    (void)state;
    struct fused_stats op = { .src = {
                                  .type = FUSED_F16, .n = 64, .h = 4096, .w = 4096, .c = 48, .stride = 48 } };
    for (size_t d = 0; d < LEN(device_limits); d++)
        for (int shape = 0; shape < GPU_SHAPES; shape++) {
            const struct pixel_split s = gpu_stats_split(&op, &device_limits[d], (enum gpu_shape)shape);
            assert_int_equal(split_misses(&s, 6, 4096 * 4096, false), 0);
            assert_int_equal(limits_misses(gpu_stats_launch(&s, 64), &device_limits[d]), 0);
        }
}

/* A layer of every network on an H100: what ran before there were shapes, and each other shape something else. */
static void shapes_differ_from_the_default(void **state)
{
    (void)state;
    const struct fused_stats op = { .src = { .n = 1, .h = 512, .w = 512, .c = 64, .stride = 64 } };
    const struct gpu_limits *h100 = &device_limits[2];
    const struct pixel_split sums = gpu_stats_split(&op, h100, GPU_SHAPE_EVEN),
                             values = split_for_values(8, 512 * 512, 2, 1, h100, GPU_SHAPE_EVEN);
    const struct pixel_split sums_before = { .lanes = 8, .rows = 32, .slices = 1, .unroll = 4, .rounds = 4,
                                             .chunks = 512 };
    const struct pixel_split values_before = { .lanes = 8, .rows = 32, .slices = 1, .unroll = 2, .rounds = 3,
                                               .chunks = 1366 };
    assert_memory_equal(&sums, &sums_before, sizeof sums);
    assert_memory_equal(&values, &values_before, sizeof values);
    for (int shape = 1; shape < GPU_SHAPES; shape++) {
        const struct pixel_split s = gpu_stats_split(&op, h100, (enum gpu_shape)shape),
                                 v = split_for_values(8, 1 << 22, 2, 1, h100, (enum gpu_shape)shape),
                                 even = split_for_values(8, 1 << 22, 2, 1, h100, GPU_SHAPE_EVEN);
        assert_true(memcmp(&s, &sums, sizeof s) != 0 && memcmp(&v, &even, sizeof v) != 0);
        assert_int_equal(gpu_shape_of(gpu_shape_name((enum gpu_shape)shape)), shape);
    }
    assert_int_equal(gpu_shape_of("square"), -1);
    assert_string_equal(gpu_shape_name(GPU_SHAPES), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_images_are_covered),
        cmocka_unit_test(every_layer_fits_every_device),
        cmocka_unit_test(folds_are_covered),
        cmocka_unit_test(shapes_differ_from_the_default),
        cmocka_unit_test(beyond_two_to_the_31_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
