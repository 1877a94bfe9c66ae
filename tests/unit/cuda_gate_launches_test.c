/* Launches of survey, the gates and the kernels over maps, for every layer of the networks, batches and
 * devices: within the device's limits, and every value made exactly once. */
#include "tests/unit/cuda_layers_help.h"

#include <string.h>

#include "kernels/cuda/passes/launch_gate.h"
#include "kernels/cuda/passes/launch_map_norm.h"
#include "kernels/cuda/passes/launch_map_resize.h"
#include "kernels/cuda/passes/launch_row_softmax.h"
#include "kernels/cuda/passes/launch_se.h"
#include "kernels/cuda/passes/launch_survey.h"

#define SIDE_MAX 4200

/* How often each value along one axis is made; those beyond the end are nobody's. */
struct axis {
    int count[SIDE_MAX], length;
};

static void axis_start(struct axis *a, int length)
{
    assert_true(length <= SIDE_MAX);
    a->length = length;
    memset(a->count, 0, sizeof a->count);
}

static void axis_make(struct axis *a, long from, int values)
{
    for (long i = from; i < from + values && i < a->length; i++)
        a->count[i]++;
}

static size_t axis_misses(const struct axis *a)
{
    size_t misses = 0;
    for (int i = 0; i < a->length; i++)
        misses += a->count[i] != 1;
    return misses;
}

/* --- survey -------------------------------------------------------------------------------------------- */

/* Columns of an image: the tiles of one row of tiles, each thread's SURVEY_COLUMNS, cut at the tile's end. */
static size_t survey_axes_misses(const struct survey_tiles *t, const struct gpu_launch *l, int h, int w,
                                 int c)
{
    static struct axis x, y, k;
    axis_start(&x, w), axis_start(&y, h), axis_start(&k, c);
    const int columns = t->nx, rows = (int)l->grid[0] / columns;
    for (int tile = 0; tile < columns; tile++)
        for (int at = 0; at < t->across; at++)
            for (int i = 0; i < SURVEY_COLUMNS; i++)
                if (at + i * t->across < t->w)
                    axis_make(&x, (long)tile * t->w + at + (long)i * t->across, 1);
    for (int tile = 0; tile < rows; tile++)
        axis_make(&y, (long)tile * t->h, t->h);
    for (int lane = 0; lane < t->lanes; lane++)
        axis_make(&k, (long)lane * GPU_CHANNEL_BLOCK, GPU_CHANNEL_BLOCK);
    return axis_misses(&x) + axis_misses(&y) + axis_misses(&k);
}

static size_t shape_misses(const struct fused_survey *op, const struct gpu_limits *limits, unsigned fewer,
                           enum gpu_shape shape)
{
    const struct survey_tiles t = gpu_survey_tiles(op, limits, shape);
    const size_t scratch = gpu_survey_scratch(op, limits, shape);
    const size_t image = (t.row_floats + t.column_floats) * sizeof(float);
    size_t misses = t.images < 1 || t.images > op->src.n || scratch != image * (size_t)t.images;
    misses += t.images > 1 && scratch > limits->l2_bytes;
    misses += t.lanes * t.across != SURVEY_THREADS || t.lanes < SURVEY_LANES_MIN || t.nx * t.ny <= 0;
    misses += t.w * (t.lanes > 32 ? t.lanes / 32 : 1) > SURVEY_COLUMNS * SURVEY_THREADS / SURVEY_LANES_MIN;
    struct gpu_launch l = gpu_survey_launch(&t, t.images);
    l.grid[0] -= fewer;
    misses += l.grid[1] != (unsigned)t.images || l.block[0] != (unsigned)t.lanes ||
              l.block[1] != (unsigned)t.across;
    misses += launch_misses(&l, limits) + survey_axes_misses(&t, &l, op->src.h, op->src.w, op->src.c);
    if (op->row || op->column) {
        const struct gpu_launch lines = gpu_survey_lines_launch(op, t.images);
        const unsigned want = (unsigned)((op->row ? op->src.h : 0) + (op->column ? op->src.w : 0));
        misses += launch_misses(&lines, limits) + (lines.grid[0] * lines.block[1] < want);
        misses += lines.block[0] != 32 || lines.block[1] != SURVEY_LINE_WARPS ||
                  lines.grid[1] != (unsigned)t.images;
    }
    return misses;
}

/* Of the shape that misses least: a block too few must be noticed in every one. */
static size_t survey_launch_misses(const struct fused_survey *op, const struct gpu_limits *limits, unsigned fewer)
{
    size_t least = SIZE_MAX, all = 0;
    for (int shape = 0; shape < GPU_SHAPES; shape++) {
        size_t misses = shape_misses(op, limits, fewer, (enum gpu_shape)shape);
        least = misses < least ? misses : least;
        all += misses;
    }
    return fewer ? least : all;
}

static struct fused_survey survey_of(const struct layer *l, int n)
{
    const struct survey_step *s = &l->step->u.survey;
    return (struct fused_survey){ .src = layer_view(l, s->src, n),
                                  .c_real = s->c_real,
                                  .dst = layer_view(l, s->dst, n),
                                  .row = layer_floats(l, s->row),
                                  .column = layer_floats(l, s->column),
                                  .point = layer_floats(l, s->point) };
}

/* --- maps ---------------------------------------------------------------------------------------------- */

/* Tiles of `w` x `h` values in rows of tiles, as many as the grid has blocks in x. */
static size_t tiles_misses(const struct gpu_launch *l, int tile_w, int tile_h, int h, int w)
{
    static struct axis x, y;
    const int columns = (w + tile_w - 1) / tile_w, rows = (int)l->grid[0] / columns;
    axis_start(&x, w), axis_start(&y, h);
    for (int tile = 0; tile < columns; tile++)
        axis_make(&x, (long)tile * tile_w, tile_w);
    for (int tile = 0; tile < rows; tile++)
        axis_make(&y, (long)tile * tile_h, tile_h);
    return axis_misses(&x) + axis_misses(&y) + (l->grid[0] % (unsigned)columns != 0);
}

static size_t map_launch_misses(int n, int h, int w, const struct gpu_limits *limits, unsigned fewer)
{
    const int rows = gpu_map_rows(h, w, limits);
    struct gpu_launch l = gpu_map_launch(n, h, w, rows);
    const struct gpu_launch copy = gpu_gate_copy_launch(h, w);
    const size_t pixels = (size_t)h * (size_t)w, copied = (size_t)copy.grid[0] * 4 * copy.block[0];
    l.grid[0] -= fewer;
    size_t misses = rows != 1 && rows != MAP_ROWS;
    misses += l.block[0] != MAP_TILE_W || l.block[1] != MAP_THREADS_Y || l.grid[1] != (unsigned)n;
    misses +=
        copied < pixels || copied - pixels >= 4 * GATE_COPY_THREADS || copy.block[0] != GATE_COPY_THREADS;
    return misses + launch_misses(&l, limits) + launch_misses(&copy, limits) +
           tiles_misses(&l, MAP_TILE_W, MAP_THREADS_Y * rows, h, w);
}

static size_t map_norm_launch_misses(const struct fused_map_norm *op, const struct gpu_limits *limits,
                                     unsigned fewer)
{
    const long pixels = (long)op->h * op->w, values = gpu_map_norm_chunk_values(op),
               chunks = gpu_map_norm_chunks(op);
    struct gpu_launch sums = gpu_map_sums_launch(op), norm = gpu_map_norm_launch(op);
    norm.grid[0] -= fewer;
    size_t misses = chunks > MAP_NORM_CHUNKS || values % 4 != 0 || sums.grid[0] != (unsigned)chunks;
    misses +=
        chunks * values < pixels || (chunks - 1) * values >= pixels; /* all in chunks, none of them empty */
    const long made = (long)norm.grid[0] * norm.block[0] * MAP_NORM_VALUES;
    misses += made < pixels || made - pixels >= (long)MAP_NORM_THREADS * MAP_NORM_VALUES;
    misses += sums.grid[1] != (unsigned)op->n || norm.grid[1] != (unsigned)op->n;
    misses += sums.block[0] != MAP_NORM_THREADS || norm.block[0] != MAP_NORM_THREADS;
    misses += gpu_map_norm_scratch(op, limits) !=
              (op->normalise ? (size_t)op->n * (size_t)(2 * chunks + 1) * 4 : 0);
    return misses + launch_misses(&sums, limits) + launch_misses(&norm, limits);
}

static size_t map_resize_launch_misses(const struct fused_map_resize *op, const struct gpu_limits *limits,
                                       unsigned fewer)
{
    struct gpu_launch l = gpu_map_resize_launch(op);
    l.grid[0] -= fewer;
    return launch_misses(&l, limits) + (l.grid[1] != (unsigned)op->n) +
           (l.block[0] != MAP_RESIZE_THREADS_X || l.block[1] != MAP_RESIZE_THREADS_Y) +
           tiles_misses(&l, 4 * MAP_RESIZE_THREADS_X, MAP_RESIZE_THREADS_Y, op->to_h, op->to_w);
}

/* --- vectors ------------------------------------------------------------------------------------------- */

static size_t se_launch_misses(const struct fused_se *op, const struct gpu_limits *limits)
{
    const struct gpu_launch l = gpu_se_launch(op);
    return launch_misses(&l, limits) + (l.grid[0] != (unsigned)op->n || l.block[0] != SE_THREADS) +
           (l.shared_bytes != (size_t)op->hidden * sizeof(float) || l.shared_bytes > limits->shared_bytes);
}

static size_t softmax_launch_misses(const struct gpu_row_softmax *op, const struct gpu_limits *limits)
{
    const struct gpu_launch l = gpu_row_softmax_launch(op);
    return launch_misses(&l, limits) + (l.grid[0] != op->rows || l.block[0] > ROW_SOFTMAX_THREADS);
}

/* --- all of them --------------------------------------------------------------------------------------- */

struct tally {
    unsigned fewer;              /* the wrong twin: so many blocks too few */
    size_t tried[STEP_COUNT], misses[STEP_COUNT];
};

static size_t step_misses(const struct layer *l, int n, const struct gpu_limits *limits, unsigned fewer)
{
    const struct step *s = l->step;
    const int up = l->scale_h, right = l->scale_w;
    if (s->kind == STEP_SURVEY) {
        const struct fused_survey op = survey_of(l, n);
        return survey_launch_misses(&op, limits, fewer);
    }
    if (s->kind == STEP_GATE)
        return map_launch_misses(n, s->u.gate.h * up, s->u.gate.w * right, limits, fewer);
    if (s->kind == STEP_TRIPLET)
        return map_launch_misses(n, s->u.triplet.h * up, s->u.triplet.w * right, limits, fewer);
    if (s->kind == STEP_MAP_NORM) {
        const struct fused_map_norm op = { .n = n, .h = s->u.map_norm.h * up, .w = s->u.map_norm.w * right,
                                           .normalise = s->u.map_norm.normalise };
        return map_norm_launch_misses(&op, limits, fewer);
    }
    if (s->kind == STEP_MAP_RESIZE) {
        const struct map_resize_step *m = &s->u.map_resize;
        const struct fused_map_resize op = { .n = n, .h = m->h * up, .w = m->w * right, .to_h = m->to_h * up,
                                             .to_w = m->to_w * right };
        return map_resize_launch_misses(&op, limits, fewer);
    }
    if (s->kind == STEP_SE) {
        const struct fused_se op = { .n = n, .c = s->u.se.c, .hidden = s->u.se.hidden };
        return se_launch_misses(&op, limits);
    }
    const int tokens = s->u.attention.tokens * up * right; /* blocks of 512 queries, or fewer */
    const struct gpu_row_softmax op = { .rows = (size_t)n * (size_t)s->u.attention.heads * 512,
                                        .cols = tokens };
    return softmax_launch_misses(&op, limits);
}

static const enum step_kind ours[] = { STEP_SURVEY,   STEP_SE,         STEP_GATE,     STEP_TRIPLET,
                                       STEP_MAP_NORM, STEP_MAP_RESIZE, STEP_ATTENTION };

static void try_layer(const struct layer *l, void *context)
{
    struct tally *t = context;
    bool mine = false;
    for (size_t i = 0; i < LEN(ours); i++)
        mine = mine || l->step->kind == ours[i];
    for (size_t d = 0; mine && d < LEN(device_limits); d++)
        for (size_t b = 0; b < LEN(batches); b++) {
            t->tried[l->step->kind]++;
            t->misses[l->step->kind] += step_misses(l, batches[b], &device_limits[d], t->fewer) != 0;
        }
}

static void every_layer_is_covered(void **state)
{
    (void)state;
    struct tally t = { .fewer = 0 };
    layers_each(try_layer, &t);
    for (size_t i = 0; i < LEN(ours); i++) {
        print_message("%-10s %5zu launches tried\n", step_kind_name(ours[i]), t.tried[ours[i]]);
        assert_true(t.tried[ours[i]] > 0);
        assert_int_equal(t.misses[ours[i]], 0);
    }
}

/* One block too few must be noticed everywhere it can be. */
static void a_block_too_few_is_noticed(void **state)
{
    (void)state;
    struct tally t = { .fewer = 1 };
    static const enum step_kind cut[] = { STEP_SURVEY, STEP_GATE, STEP_TRIPLET, STEP_MAP_NORM,
                                          STEP_MAP_RESIZE };
    layers_each(try_layer, &t);
    for (size_t i = 0; i < LEN(cut); i++)
        assert_int_equal(t.misses[cut[i]], t.tried[cut[i]]);
}

/* Sizes that no network has: 1 .. 70 and the largest sides, narrow and wide, 8 to 2048 channels. */
static void odd_shapes_are_covered(void **state)
{
    (void)state;
    static const int sides[] = { 1, 2, 3, 7, 8, 9, 31, 32, 33, 63, 65, 127, 129, 1023, 4099 };
    for (size_t i = 0; i < LEN(sides) * LEN(sides); i++) {
        const int h = sides[i / LEN(sides)], w = sides[i % LEN(sides)];
        const struct gpu_limits *limits = &device_limits[i % LEN(device_limits)];
        float some = 0;
        struct fused_survey survey = { .src = { .n = 1 + (int)(i % 64), .h = h, .w = w, .c = 8 << i % 9 },
                                       .row = i % 3 ? &some : NULL, .column = i % 4 ? &some : NULL };
        survey.src.stride = survey.src.c;
        assert_int_equal(survey_launch_misses(&survey, limits, 0), 0);
        survey.src.c = 2048 - 8 * (int)(i % 256);
        assert_int_equal(survey_launch_misses(&survey, limits, 0), 0);
        assert_int_equal(map_launch_misses(64, h, w, limits, 0), 0);
        const struct fused_map_norm norm = { .n = 64, .h = h, .w = w, .normalise = i % 2 };
        assert_int_equal(map_norm_launch_misses(&norm, limits, 0), 0);
        const struct fused_map_resize resize = { .n = 4096, .h = 5, .w = 5, .to_h = h, .to_w = w };
        assert_int_equal(map_resize_launch_misses(&resize, limits, 0), 0);
        const struct gpu_row_softmax softmax = { .rows = (size_t)h * 4096, .cols = w };
        assert_int_equal(softmax_launch_misses(&softmax, limits), 0);
    }
}

/* The tiles, and so the order of sums, come from one image's shape: never from the batch. */
static void tiles_do_not_depend_on_the_batch(void **state)
{
    (void)state;
    float some = 0;
    for (size_t d = 0; d < LEN(device_limits); d++)
        for (int side = 16; side <= 1024; side *= 2) {
            struct fused_survey op = { .src = { .n = 1, .h = side, .w = side, .c = 64, .stride = 64 },
                                       .row = &some,
                                       .column = &some };
            for (int i = 0; i < GPU_SHAPES; i++) {
                const enum gpu_shape shape = (enum gpu_shape)i;
                op.src.n = 1;
                const struct survey_tiles one = gpu_survey_tiles(&op, &device_limits[d], shape);
                op.src.n = 64;
                const struct survey_tiles many = gpu_survey_tiles(&op, &device_limits[d], shape);
                assert_true(one.w == many.w && one.h == many.h && one.nx == many.nx && one.ny == many.ny);
            }
            struct fused_map_norm norm = { .n = 1, .h = side, .w = side, .normalise = true };
            const int chunks = gpu_map_norm_chunks(&norm);
            norm.n = 64;
            assert_int_equal(gpu_map_norm_chunks(&norm), chunks);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_is_covered),
        cmocka_unit_test(a_block_too_few_is_noticed),
        cmocka_unit_test(odd_shapes_are_covered),
        cmocka_unit_test(tiles_do_not_depend_on_the_batch),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
