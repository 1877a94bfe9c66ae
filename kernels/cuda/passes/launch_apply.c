#include "kernels/cuda/passes/launch_apply.h"

struct apply_row { int terms, plain, gated, resized, square; enum apply_sums sums; };

#define X(terms, plain, gated, resized, square, sums) { terms, plain, gated, resized, square, sums },
static const struct apply_row value_rows[] = { APPLY_LIST(X) };
static const struct apply_row point_rows[] = { APPLY_POINTS_LIST(X) };
#undef X
#define COUNT(rows) (int)(sizeof(rows) / sizeof *(rows))

bool apply_wants(const struct fused_apply *op, enum apply_pass pass)
{
    switch (pass) {
    case APPLY_POINTS: return op->point || op->dot;
    case APPLY_NORM:   return op->norm != NULL;
    default:           return op->dst.data || op->pool.data || op->channel_mean;
    }
}

bool apply_square(const struct fused_apply *op, enum apply_pass pass)
{
    return pass == APPLY_VALUES && op->pool.data;
}

enum apply_sums apply_sums_of(const struct fused_apply *op, enum apply_pass pass)
{
    return pass == APPLY_NORM ? APPLY_NORM_SUMS
         : pass == APPLY_VALUES && op->channel_mean ? APPLY_MEAN : APPLY_NO_SUMS;
}

static bool one_type(const struct fused_apply *op)
{
    enum fused_type type = op->term[0].src.type;
    for (int i = 1; i < op->terms; i++)
        if (op->term[i].src.type != type)
            return false;
    return (!op->dst.data || op->dst.type == type) && (!op->pool.data || op->pool.type == type);
}

static bool row_takes_term(const struct apply_row *row, const struct fused_term *t, int i)
{
    bool gate = t->relu || t->pixel;
    return !(t->scale && (row->plain >> i & 1)) && !(gate && (i > 0 || !row->gated)) &&
           (t->resize == FUSED_SAME || row->resized);
}

static bool row_takes(const struct apply_row *row, const struct fused_apply *op, enum apply_pass pass)
{
    bool takes = row->terms == op->terms && row->square == (int)apply_square(op, pass) &&
                 row->sums == apply_sums_of(op, pass);
    for (int i = 0; takes && i < op->terms; i++)
        takes = row_takes_term(row, &op->term[i], i);
    return takes;
}

int apply_choose(const struct fused_apply *op, enum apply_pass pass)
{
    const struct apply_row *rows = pass == APPLY_POINTS ? point_rows : value_rows;
    int count = pass == APPLY_POINTS ? COUNT(point_rows) : COUNT(value_rows);
    if (!one_type(op) || op->act == FUSED_SIGMOID || (pass == APPLY_POINTS && op->point) ||
        (pass == APPLY_VALUES && !op->dst.data))
        return APPLY_GENERAL;
    for (int i = 0; i < count; i++)
        if (row_takes(&rows[i], op, pass))
            return i;
    return APPLY_GENERAL;
}

static int unroll_of(const struct fused_apply *op, enum apply_pass pass)
{
    int row = apply_choose(op, pass);
    if (pass == APPLY_POINTS)
        return row == APPLY_GENERAL || point_rows[row].resized ? POINTS_UNROLL_RESIZED : POINTS_UNROLL;
    return row == APPLY_GENERAL || value_rows[row].resized || value_rows[row].square ? 1 : APPLY_UNROLL;
}

struct pixel_split apply_split(const struct fused_apply *op, enum apply_pass pass,
                               const struct gpu_limits *limits, enum gpu_shape shape)
{
    int groups = op->c / GPU_CHANNEL_BLOCK, unroll = unroll_of(op, pass);
    int cells = apply_square(op, pass) ? ((op->h + 1) / 2) * ((op->w + 1) / 2) : op->h * op->w;
    if (pass == APPLY_POINTS)
        return split_for_points(groups, cells, unroll, op->n, limits, shape);
    if (apply_sums_of(op, pass) != APPLY_NO_SUMS)
        return split_for_sums(groups, cells, unroll, limits, shape);
    return split_for_values(groups, cells, unroll, op->n, limits, shape);
}

static int sums_count(const struct fused_apply *op, enum apply_pass pass)
{
    static const int counts[] = { [APPLY_NO_SUMS] = 0, [APPLY_MEAN] = 8, [APPLY_NORM_SUMS] = 16 };
    return counts[apply_sums_of(op, pass)];
}

int apply_images(const struct fused_apply *op, enum apply_pass pass, const struct pixel_split *split)
{
    return sums_count(op, pass) ? sums_images(split, op->n) : op->n < 65535 ? op->n : 65535;
}

struct gpu_launch apply_launch(const struct fused_apply *op, enum apply_pass pass,
                               const struct pixel_split *split, int images)
{
    int count = sums_count(op, pass);
    return split_launch(split, images, count ? sums_shared_bytes(split, count) : 0);
}

size_t gpu_apply_scratch(const struct fused_apply *op, const struct gpu_limits *limits, enum gpu_shape shape)
{
    size_t most = 0;
    for (int pass = 0; pass < APPLY_PASSES; pass++) {
        int count = sums_count(op, (enum apply_pass)pass);
        if (!apply_wants(op, (enum apply_pass)pass) || !count)
            continue;
        struct pixel_split split = apply_split(op, (enum apply_pass)pass, limits, shape);
        size_t bytes = (size_t)sums_images(&split, op->n) * sums_scratch_bytes(&split, count);
        most = bytes > most ? bytes : most;
    }
    return most;
}
