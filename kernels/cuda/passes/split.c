#include "kernels/cuda/passes/split.h"

#define SUM_LANES 16     /* 256 bytes of each pixel in half precision, and still 16 rows */
#define VALUE_LANES 32
#define SUM_CELLS 128    /* sums of a chunk are then at most 1/8 of what it reads */

static int ceil_div(int a, int b) { return a / b + (a % b != 0); }
static int at_least_one(int a) { return a < 1 ? 1 : a; }

static struct pixel_split split_of_groups(int groups, int most_lanes, int unroll, enum gpu_shape shape)
{
    struct pixel_split s = { .slices = ceil_div(groups, most_lanes), .unroll = unroll };
    s.lanes = ceil_div(groups, s.slices);
    s.rows = gpu_shape_row(shape)->threads / s.lanes;
    return s;
}

static void split_rounds(struct pixel_split *s, int cells, int rounds)
{
    s->rounds = at_least_one(rounds);
    s->chunks = at_least_one(ceil_div(cells, s->rows * s->unroll * s->rounds));
}

struct pixel_split split_for_sums(int groups, int cells, int unroll, const struct gpu_limits *limits,
                                  enum gpu_shape shape)
{
    struct pixel_split s = split_of_groups(groups, SUM_LANES, unroll, shape);
    int turns = ceil_div(cells, s.rows * unroll),
        blocks = at_least_one(gpu_shape_row(shape)->sum_blocks * limits->multiprocessors / s.slices);
    int rounds = ceil_div(turns, blocks), least = ceil_div(SUM_CELLS, s.rows * unroll);
    split_rounds(&s, cells, rounds < least ? least : rounds);
    return s;
}

/* As long as eight blocks stay for each multiprocessor. Coefficients are read once for so many turns. */
static int rounds_of_values(const struct pixel_split *s, int cells, int images,
                            const struct gpu_limits *limits, enum gpu_shape shape)
{
    int most = gpu_shape_row(shape)->rounds;
    long turns = (long)ceil_div(cells, s->rows * s->unroll) * images * s->slices;
    long rounds = turns / (8L * limits->multiprocessors);
    return rounds > most ? most : (int)rounds;
}

struct pixel_split split_for_values(int groups, int cells, int unroll, int images,
                                    const struct gpu_limits *limits, enum gpu_shape shape)
{
    struct pixel_split s = split_of_groups(groups, VALUE_LANES, unroll, shape);
    split_rounds(&s, cells, rounds_of_values(&s, cells, images, limits, shape));
    return s;
}

struct pixel_split split_for_points(int groups, int cells, int unroll, int images,
                                    const struct gpu_limits *limits, enum gpu_shape shape)
{
    struct pixel_split s = { .slices = 1, .lanes = 1, .unroll = unroll };
    while (s.lanes < groups && s.lanes < 32)
        s.lanes *= 2;
    s.rows = gpu_shape_row(shape)->threads / s.lanes;
    split_rounds(&s, cells, rounds_of_values(&s, cells, images, limits, shape));
    return s;
}

struct gpu_launch split_launch(const struct pixel_split *split, int images, size_t shared_bytes)
{
    return (struct gpu_launch){
        .grid = { (unsigned)split->chunks, (unsigned)images, (unsigned)split->slices },
        .block = { (unsigned)split->lanes, (unsigned)split->rows, 1 },
        .shared_bytes = shared_bytes,
    };
}
