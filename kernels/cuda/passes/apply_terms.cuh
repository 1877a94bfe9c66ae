/* apply_terms.cuh - the sum of terms of an apply at one pixel, for eight channels. */
#ifndef CUDA_APPLY_TERMS_CUH
#define CUDA_APPLY_TERMS_CUH

#include "kernels/cuda/passes/coords.cuh"
#include "kernels/cuda/passes/launch_apply.h"
#include "kernels/cuda/passes/storage.cuh"

struct apply_term {
    const void *src;
    const float *scale, *shift, *pixel;
    size_t stride;
    int h, w;
    float floor;                /* 0 for ReLU, else minus infinity */
    enum fused_type type;
    enum fused_resize resize;
    axis row, column;           /* of CORNERS and HALF_PIXEL */
};

struct apply_args {
    apply_term term[FUSED_TERMS_MAX];
    int terms, h, w, c, c_real;
    divider width;              /* w, or (w + 1) / 2 where cells are squares */
    float floor;                /* of y */
    bool sigmoid;
    fused_view dst, pool;
    float *channel_mean, *point, *dot;
    const float *dot_weight;
    float dot_bias;
    fused_norm norm;
    int first_image, cells;
    pixel_split split;
    float *part;                /* scratch of sums */
    unsigned *tickets;
};

/* What a kernel is made for. mixed: a type for each tensor. lazy: terms one after another, their coefficients
 * from memory each time (else in registers). general: any activation, any choice of outputs. The rest as in
 * APPLY_LIST; T is the one storage type of those that are not mixed. */
template <typename T_, int TERMS_, int PLAIN_, bool GATED_, bool RESIZED_, bool SQUARE_,
          enum apply_sums SUMS_>
struct apply_kind {
    using T = T_;
    static constexpr bool mixed = false, lazy = false, general = false;
    static constexpr bool gated = GATED_, resized = RESIZED_, square = SQUARE_, points = false;
    static constexpr int terms = TERMS_, plain = PLAIN_, unroll = RESIZED_ || SQUARE_ ? 1 : APPLY_UNROLL;
    static constexpr enum apply_sums sums = SUMS_;
    /* resident at least: registers without spills on every architecture (one block has enough loads in flight
     * where three terms of four pixels are 32 bytes each) */
    static constexpr int blocks = SQUARE_ && TERMS_ > 1 && sizeof(T_) == 4 ? 1
                                : SQUARE_ || TERMS_ > 2 || SUMS_ != APPLY_NO_SUMS ? 2 : TERMS_ == 2 ? 3 : 4;
};
/* Four terms and their neighbours would not fit beside the coefficients. */
template <typename T_, int TERMS_, int PLAIN_, bool GATED_, bool RESIZED_, bool SQUARE_,
          enum apply_sums SUMS_>
struct points_kind : apply_kind<T_, TERMS_, PLAIN_, GATED_, RESIZED_, SQUARE_, SUMS_> {
    static constexpr bool lazy = TERMS_ == 4;
    static constexpr int blocks = TERMS_ == 4 && sizeof(T_) == 4 ? 1 : 2;
};
/* Everything at run time. */
template <bool SQUARE_, enum apply_sums SUMS_, bool POINTS_>
struct apply_general {
    using T = float;
    static constexpr bool mixed = true, lazy = true, general = true;
    static constexpr bool gated = true, resized = true, square = SQUARE_, points = POINTS_;
    static constexpr int terms = FUSED_TERMS_MAX, plain = 0, unroll = 1;
    static constexpr enum apply_sums sums = SUMS_;
    static constexpr int blocks = 2;
};

/* Larger of both; not a number if either is none: a fault must show. */
__device__ __forceinline__ float max_or_nan(float a, float b)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    float r;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
    return r;
#else
    return a > b || a != a ? a : b;
#endif
}

/* What a thread keeps of one image's coefficients for its channels: the affine parts of all terms that have
 * no ReLU share one shift. A lazy kernel keeps nothing. */
template <class K> struct apply_coefficients {
    float8 scale[K::lazy ? 1 : K::terms];
    float8 shift;
    float8 gate_shift;          /* of term 0, before its ReLU */
};

__device__ __forceinline__ float8 coefficients_load(const float *from, size_t at, float otherwise)
{
    return from ? load8(from + at) : float8_all(otherwise);
}

template <class K>
__device__ __forceinline__ void coefficients_of(apply_coefficients<K> *k, const apply_args &a, size_t image,
                                                int channel)
{
    const size_t at = image * (size_t)a.c + (size_t)channel;
    k->shift = float8_all(0);
    UNROLL
    for (int i = 0; i < (K::lazy ? 0 : K::terms); i++) {
        if (!(K::plain >> i & 1))
            k->scale[i] = coefficients_load(a.term[i].scale, at, 1);
        const float8 shift = coefficients_load(a.term[i].shift, at, 0);
        if (K::gated && i == 0)
            k->gate_shift = shift;
        else
            UNROLL
            for (int j = 0; j < 8; j++)
                k->shift.v[j] += shift.v[j];
    }
}

/* Where a value is wanted. */
struct apply_spot {
    size_t image;
    int pixel, y, x, channel;   /* y, x: only where terms may be resized */
};

/* In a lazy kernel: relu?(scale * (pixel * src) + shift) at pixel `at` of the term's image. */
template <class K>
__device__ __forceinline__ float8 lazy_value(const apply_term &t, const apply_spot &s, int at, int c,
                                             int offset)
{
    const size_t pixel = s.image * (size_t)t.h * (size_t)t.w + (size_t)at,
                 k = s.image * (size_t)c + (size_t)s.channel;
    float8 x =
        typed_load<K::mixed, typename K::T>(t.src, t.type, pixel * t.stride + (size_t)(offset + s.channel));
    const float8 scale = coefficients_load(t.scale, k, 1), shift = coefficients_load(t.shift, k, 0);
    const float factor = t.pixel ? t.pixel[pixel] : 1.0f;
    UNROLL
    for (int j = 0; j < 8; j++)
        x.v[j] = max_or_nan(fmaf(x.v[j] * factor, scale.v[j], shift.v[j]), t.floor);
    return x;
}

template <class K>
__device__ __forceinline__ float8 term_value(const apply_term &t, const apply_spot &s, int at, int c,
                                             int offset)
{
    if (K::lazy)
        return lazy_value<K>(t, s, at, c, offset);
    const size_t pixel = s.image * (size_t)t.h * (size_t)t.w + (size_t)at;
    return load8(static_cast<const typename K::T *>(t.src) + pixel * t.stride + (size_t)(offset + s.channel));
}

/* The term at this spot of the output: as stored, or in a lazy kernel with everything done to it. */
template <class K>
__device__ __forceinline__ float8 term_resized(const apply_term &t, const apply_spot &s, int c)
{
    if (t.resize == FUSED_WIDE)
        return term_value<K>(t, s, s.y / 2 * t.w + s.x / 2, c, (2 * (s.y % 2) + s.x % 2) * c);
    const axis_tap row = axis_at(t.row, s.y), column = axis_at(t.column, s.x);
    float8 r = float8_all(0);
    UNROLL
    for (int i = 0; i < 4; i++) {
        const float weight =
            (i / 2 ? row.weight : 1 - row.weight) * (i % 2 ? column.weight : 1 - column.weight);
        const float8 x =
            term_value<K>(t, s, (i / 2 ? row.hi : row.lo) * t.w + (i % 2 ? column.hi : column.lo), c, 0);
        UNROLL
        for (int j = 0; j < 8; j++)
            r.v[j] = fmaf(weight, x.v[j], r.v[j]);
    }
    return r;
}

template <class K> __device__ __forceinline__ float8 term_at(const apply_term &t, const apply_spot &s, int c)
{
    return K::resized && t.resize != FUSED_SAME ? term_resized<K>(t, s, c)
                                                : term_value<K>(t, s, s.pixel, c, 0);
}

template <class K> __device__ __forceinline__ float8 lazy_sum(const apply_args &a, const apply_spot &s)
{
    float8 sum = float8_all(0);
    ROLLED
    for (int i = 0; i < a.terms; i++) {
        const float8 x = term_at<K>(a.term[i], s, a.c);
        UNROLL
        for (int j = 0; j < 8; j++)
            sum.v[j] += x.v[j];
    }
    return sum;
}

/* The sum of the terms. */
template <class K>
__device__ __forceinline__ float8 apply_value(const apply_args &a, const apply_coefficients<K> &k,
                                              const apply_spot &s)
{
    if (K::lazy)
        return lazy_sum<K>(a, s);
    float8 sum = k.shift;
    UNROLL
    for (int i = 0; i < K::terms; i++) {
        const apply_term &t = a.term[i];
        const float8 x = term_at<K>(t, s, a.c);
        const bool gate = K::gated && i == 0;
        const float factor =
            gate && t.pixel ? t.pixel[s.image * (size_t)t.h * (size_t)t.w + (size_t)s.pixel] : 1.0f;
        UNROLL
        for (int j = 0; j < 8; j++) {
            if (gate)
                sum.v[j] += max_or_nan(fmaf(x.v[j] * factor, k.scale[0].v[j], k.gate_shift.v[j]), t.floor);
            else if (K::plain >> i & 1)
                sum.v[j] += x.v[j];
            else
                sum.v[j] = fmaf(x.v[j], k.scale[i].v[j], sum.v[j]);
        }
    }
    return sum;
}

/* The activation. */
template <class K> __device__ __forceinline__ float8 apply_act(const apply_args &a, float8 s, int channel)
{
    UNROLL
    for (int j = 0; j < 8; j++) {
        if (K::general && a.sigmoid)
            s.v[j] = channel + j < a.c_real ? 1.0f / (1.0f + expf(-s.v[j])) : 0.0f;
        else
            s.v[j] = max_or_nan(s.v[j], a.floor);
    }
    return s;
}

#endif
