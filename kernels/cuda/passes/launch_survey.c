#include "kernels/cuda/passes/launch_survey.h"

static int at_least(int x, int least) { return x < least ? least : x; }
static int pieces_of(int whole, int piece) { return (whole + piece - 1) / piece; }

/* High tiles leave fewer sums of columns (4 bytes a value for `rows` values read), low ones occupy a whole
 * device: the highest with a block for most multiprocessors. Without lines nothing is left, and small tiles
 * only fill better. */
static int tile_rows(const struct fused_survey *op, int nx, const struct gpu_limits *limits,
                     const struct gpu_shape_row *shape)
{
    int rows = op->row || op->column ? shape->lines : shape->bare;
    while (rows > SURVEY_ROWS &&
           (long)nx * pieces_of(op->src.h, rows) * 4 < (long)limits->multiprocessors * shape->quarters)
        rows /= 2;
    return rows;
}

struct survey_tiles gpu_survey_tiles(const struct fused_survey *op, const struct gpu_limits *limits,
                                     enum gpu_shape shape)
{
    struct survey_tiles t = { .lanes = SURVEY_LANES_MIN };
    while (t.lanes * GPU_CHANNEL_BLOCK < op->src.c)
        t.lanes *= 2;
    t.across = SURVEY_THREADS / t.lanes;
    t.w = SURVEY_COLUMNS * t.across;
    t.nx = pieces_of(op->src.w, t.w);
    t.h = tile_rows(op, t.nx, limits, gpu_shape_row(shape));
    t.ny = pieces_of(op->src.h, t.h);
    size_t c = (size_t)op->src.c;
    t.row_floats = op->row ? (size_t)op->src.h * (size_t)t.nx * c : 0;
    t.column_floats = op->column ? (size_t)op->src.w * (size_t)t.ny * c : 0;
    size_t bytes = (t.row_floats + t.column_floats) * sizeof(float);
    size_t fit = bytes ? limits->l2_bytes / bytes : (size_t)op->src.n;
    t.images = fit < (size_t)op->src.n ? at_least((int)fit, 1) : op->src.n;
    return t;
}

struct gpu_launch gpu_survey_launch(const struct survey_tiles *tiles, int images)
{
    return (struct gpu_launch){ .grid = { (unsigned)tiles->nx * (unsigned)tiles->ny, (unsigned)images, 1 },
                                .block = { (unsigned)tiles->lanes, (unsigned)tiles->across, 1 } };
}

struct gpu_launch gpu_survey_lines_launch(const struct fused_survey *op, int images)
{
    int lines = (op->row ? op->src.h : 0) + (op->column ? op->src.w : 0);
    unsigned blocks = (unsigned)pieces_of(lines, SURVEY_LINE_WARPS);
    return (struct gpu_launch){ .grid = { blocks, (unsigned)images, 1 }, .block = { 32, SURVEY_LINE_WARPS, 1 } };
}

size_t gpu_survey_scratch(const struct fused_survey *op, const struct gpu_limits *limits, enum gpu_shape shape)
{
    struct survey_tiles t = gpu_survey_tiles(op, limits, shape);
    return (t.row_floats + t.column_floats) * (size_t)t.images * sizeof(float);
}
