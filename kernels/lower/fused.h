/* fused.h - everything between two convolutions as a few kinds of passes over memory: what each of them
 * computes, for every back end alike.
 *
 * Tensors are NHWC in f32, bf16 or f16 storage, all arithmetic in f32. C is a multiple of the back end's
 * channel block; channels from c_real on are padding: their parameters (gamma, beta, weights) are zero,
 * and so are their values, always. Pixels lie `stride` elements apart, so that a tensor may be a slice of
 * the channels of a wider one; rows and images follow without gaps (row = w * stride, image = h * w *
 * stride). Bytes between the channels of a slice are never written.
 *
 * Coefficients per image and channel are f32 [n][c] without gaps, c that of the view they belong to;
 * NULL means one for factors and zero for shifts. Maps are f32 with one value (or two) per pixel:
 * [n][h][w] or [n][h][w][2].
 *
 * dst may be the very src of a term that is neither resized nor of another stride (in place); otherwise
 * outputs overlap nothing. Images are independent: image i of a batch equals the same image alone, bit
 * for bit.
 *
 * Statistics are shifted by a pilot (the channel's value at the image's first pixel), so that a large
 * mean costs no digits; variance is biased and at least 0.
 *
 * Sums, descriptors and dot products are of the f32 values before they are rounded to storage. `stream`
 * says that the output is far larger than the caches and may be written past them. Usable from C and C++.
 */
#ifndef LOWER_FUSED_H
#define LOWER_FUSED_H

#include <stdbool.h>
#include <stddef.h>

#define FUSED_TERMS_MAX 4
#define FUSED_CHANNELS_MAX 2048 /* c of stats, apply and survey: what kernels are sized for */
#define FUSED_NORM_EPS 1e-5f
#define FUSED_SIMAM_LAMBDA 1e-4f

enum fused_type { FUSED_F32, FUSED_BF16, FUSED_F16 };
static inline size_t fused_bytes(enum fused_type type) /* of one element */
{
    return type == FUSED_F32 ? 4 : 2;
}
enum fused_act { FUSED_NONE, FUSED_RELU, FUSED_SIGMOID };
/* CORNERS, HALF_PIXEL: bilinear, align_corners true and false (with src = max((dst + 0.5) * in / out - 0.5,
 * 0)). WIDE: not an interpolation but the order in which a 2x2 transposed convolution computed as a product
 * leaves its pixels: src is (h/2, w/2) with 4 c channels (view: c = 4 c of the output), and pixel (y,x),
 * channel k of the output is src[y/2][x/2][(2 (y%2) + x%2) * c + k]. The output's h and w are even then. */
enum fused_resize { FUSED_SAME, FUSED_CORNERS, FUSED_HALF_PIXEL, FUSED_WIDE };

struct fused_view {
    void *data;            /* NULL: there is no such tensor */
    enum fused_type type;
    int n, h, w, c;        /* c: channels worked on, padding included; a multiple of the channel block */
    int stride;            /* elements from one pixel to the next, >= c, a multiple of the channel block */
};

/* Instance norm turned into coefficients, from mean m and variance v of each image and channel:
 *   scale = gamma / sqrt(v + 1e-5), shift = beta - m * scale, so that norm(x) = scale * x + shift;
 *   center = beta, rate = 1 / sqrt(gamma^2 v / (v + 1e-5) + 1e-4): SimAM of u = norm(x) is
 *   u * sigmoid((center - u) * rate) without statistics of its own.
 * gamma and beta NULL: no norm, scale and shift are not written, center = m, rate = 1 / sqrt(v + 1e-4): SimAM
 * of the tensor itself. Padded channels (gamma = beta = 0) thus get scale = shift = center = 0. */
struct fused_norm {
    const float *gamma, *beta;  /* [c] */
    float *scale, *shift;       /* [n][c] */
    float *center, *rate;       /* [n][c], both or none NULL */
};

/* Coefficients of the norm of pixel * src. */
struct fused_stats {
    struct fused_view src;
    const float *pixel;         /* [n][h][w] or NULL */
    struct fused_norm norm;
};

/* One addend: resize(relu?(scale * (pixel * src) + shift)). src has the output's n and c; its h and w
 * too unless it is resized (then any); FUSED_WIDE: c is four times the output's and pixel is NULL, scale
 * and shift are [n][c of the output]. Without relu the affine part commutes with the interpolation;
 * either order is right. */
struct fused_term {
    struct fused_view src;
    const float *scale, *shift; /* [n][c] or NULL */
    const float *pixel;         /* [n][h][w] of src, or NULL */
    bool relu;
    enum fused_resize resize;
};

/* s = sum of the terms in order, y = act(s); every output that is not NULL is written in the same pass. */
struct fused_apply {
    struct fused_term term[FUSED_TERMS_MAX];
    int terms;                  /* 1 .. FUSED_TERMS_MAX */
    int n, h, w, c, c_real;     /* of y; c_real <= c: channels that are not padding */
    enum fused_act act;         /* FUSED_SIGMOID leaves padded channels zero */
    struct fused_view dst;      /* y */
    struct fused_view pool;     /* 2x2 maximum of y, h/2 x w/2 (odd last row and column dropped) */
    bool stream;                /* for dst */
    float *channel_mean;        /* [n][c]: mean of y over h*w */
    float *point;               /* [n][h][w][2]: mean and maximum of y over the first c_real channels */
    const float *dot_weight;    /* [c]; zero in padded channels */
    float dot_bias;
    float *dot;                 /* [n][h][w]: dot_bias + sum over c of dot_weight * y */
    const struct fused_norm *norm; /* coefficients of the norm of s (not of y), or NULL */
};

/* v = pixel * m(u), u = scale * src + shift, m(u) = u * sigmoid((center - u) * rate), or u if center is NULL.
 * Writes v and the descriptors of triplet attention and of the spatial gate; those that
 * are NULL are not made. */
struct fused_survey {
    struct fused_view src;
    int c_real;
    const float *scale, *shift;  /* [n][c] or NULL */
    const float *center, *rate;  /* [n][c], both or none */
    const float *pixel;          /* [n][h][w] or NULL */
    struct fused_view dst;       /* v */
    bool stream;                 /* for dst */
    float *row;                  /* [n][h][2]: mean and maximum over c of (mean over w of v) */
    float *column;               /* [n][w][2]: mean and maximum over c of (mean over h of v) */
    float *point;                /* [n][h][w][2]: mean and maximum over c of v */
};

/* factor = sigmoid(w2 relu(w1 mean)): squeeze-excite without its product. */
struct fused_se {
    int n, c, hidden;
    const float *mean;           /* [n][c] */
    const float *w1;             /* [hidden][c], zero in padded channels */
    const float *w2;             /* [c][hidden] */
    float *factor;               /* [n][c] */
};

/* g = sigmoid(conv 7x7, zero padding 3, of q), q[.][k] = point_factor * prior * point[.][k]; factor = prior *
 * g. (Maximum and mean scale with a factor per pixel because factors are positive.) */
struct fused_gate {
    int n, h, w;
    const float *point;          /* [n][h][w][2] */
    const float *point_factor;   /* [n][h][w] or NULL */
    const float *prior;          /* [n][h][w] or NULL */
    const float *weight;         /* [2][7][7] */
    float *factor;               /* [n][h][w], may be prior */
};

/* factor = prior * a_h * a_w * a_p: a_h[y] = sigmoid(row_weight . row[y]), a_w[x] = sigmoid(column_weight .
 * column[x]), a_p = sigmoid(conv 7x7, zero padding 3, of point). prior is not applied to the descriptors
 * (they have it already). */
struct fused_triplet {
    int n, h, w;
    const float *row, *column, *point;
    const float *prior;          /* [n][h][w] or NULL */
    float row_weight[2], column_weight[2]; /* for mean, maximum */
    const float *point_weight;   /* [2][7][7] */
    float *factor;               /* [n][h][w], may be prior */
};

/* dst = act(gamma * (src - m) / sqrt(v + 1e-5) + beta) with m, v of each image; normalise
 * false: dst = act(src). */
struct fused_map_norm {
    int n, h, w;
    bool normalise;
    float gamma, beta;
    enum fused_act act;
    const float *src;            /* [n][h][w] */
    float *dst;                  /* may be src */
};

struct fused_map_resize {
    int n, h, w, to_h, to_w;
    enum fused_resize resize;    /* not FUSED_SAME */
    const float *src;            /* [n][h][w] */
    float *dst;                  /* [n][to_h][to_w] */
};

/* (N,C,H,W) f32 to NHWC. Here dst.c and dst.stride need not be multiples of the block (a first
 * convolution may want 3, 4, 8); channels c_real .. dst.c-1 get zero. */
struct fused_pack {
    const float *src;            /* [n][c_real][h][w] */
    int c_real;
    struct fused_view dst;
};

/* Channels 0 .. c_real-1 of src to channels first .. first+c_real-1 of dst (N,C,H,W) f32. */
struct fused_unpack {
    struct fused_view src;
    int c_real, first, dst_c;
    float *dst;                  /* [n][dst_c][h][w] */
};

/* Second half of a 2x2 transposed convolution: dst[2y+a][2x+b][k] = src[y][x][(2a+b) * K + k] + bias[k], K
 * = dst.c, src.c = 4 K. */
struct fused_scatter {
    struct fused_view src, dst;
    const float *bias;           /* [K] or NULL */
    bool stream;
};

/* One block of keys of an attention, for all groups (image and head) and rows (queries):
 *   m' = max(m, max_j scale*s_j), p_j = exp(scale*s_j - m'), sum = sum * exp(m - m') + sum_j p_j,
 *   acc = acc * exp(m - m'); first: m = -inf, sum = 0 and acc is not read but set to 0. */
struct fused_softmax {
    int groups, rows, cols, depth;
    float scale;                 /* > 0 */
    bool first;
    const float *scores;         /* [groups][rows][cols] */
    void *probs;                 /* [groups][rows][cols], may be scores if f32 */
    enum fused_type type;        /* of probs */
    float *max, *sum;            /* [groups][rows] */
    float *acc;                  /* [groups][rows][depth] */
};

/* dst = acc / sum; element (g, r, i) of dst is at g * group_stride + r * row_stride + i. */
struct fused_softmax_end {
    int groups, rows, depth;
    const float *acc, *sum;
    void *dst;
    enum fused_type type;
    size_t group_stride, row_stride;
};

#endif
