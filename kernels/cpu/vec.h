/* vec.h - VEC_W floats at once, in the instruction set of the file that includes this.
 * The including file defines VEC_ISA as VEC_PLAIN, VEC_AVX2, VEC_AVX512 or VEC_AVX512_BF16 and is compiled
 * with the flags of that set. A channel block of 16 is a whole number of vectors in each of them. Loads and
 * stores need no alignment except the streaming ones (a whole vector).
 * Vectors may alias anything: a loop that stores one reloads every field that it reads through a pointer. So
 * inline functions copy the structs they are given to locals first. */
#ifndef CPU_VEC_H
#define CPU_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/base/half.h"
#include "kernels/cpu/fused.h"

#define VEC_PLAIN 0
#define VEC_AVX2 1
#define VEC_AVX512 2
#define VEC_AVX512_BF16 3
/* before a loop of few and known turns over an array of vectors: only unrolled does the
 * array live in registers */
#if defined(__clang__)
#define VEC_UNROLL _Pragma("unroll")
#else
#define VEC_UNROLL _Pragma("GCC unroll 8")
#endif
#define VEC_INLINE static inline __attribute__((always_inline))

#if VEC_ISA == VEC_PLAIN
#include "kernels/cpu/vec_plain.h"
#elif VEC_ISA == VEC_AVX2
#include "kernels/cpu/vec_avx2.h"
#else
#include "kernels/cpu/vec_avx512.h"
#endif

/* What the three headers give: vec (the one vector type), VEC_W, and
 *   vec_set, vec_load, vec_store, vec_stream, vec_load_bf16, vec_store_bf16, vec_stream_bf16 (nearest even),
 *   vec_add, vec_sub, vec_mul, vec_div, vec_fma (a * b + c), vec_hsum, vec_hmax,
 *   vec_max, vec_min: the second operand if one is NaN, so that vec_max(bound, x) keeps a NaN of x,
 *   vec_max_nan (NaN if one is NaN), vec_exponent (2^n for n in the low bits of a float near 1.5 * 2^23),
 *   vec_recip (1 / x to 2 units of the last place), vec_hsum4, vec_hmax4 (out[i] of x[i]; NaN as in vec_max),
 *   vec_load_n (lanes from n on get `fill`), vec_store_n, vec_split (pairs into even and odd elements),
 *   vec_fence (what was streamed becomes visible to other threads). */

VEC_INLINE vec vec_get(const enum fused_type type, const void *base, size_t i)
{
    return type == FUSED_BF16 ? vec_load_bf16((const bf16 *)base + i) : vec_load((const float *)base + i);
}

VEC_INLINE void vec_put(const enum fused_type type, const bool stream, void *base, size_t i, vec x)
{
    if (type == FUSED_BF16 && stream)
        vec_stream_bf16((bf16 *)base + i, x);
    else if (type == FUSED_BF16)
        vec_store_bf16((bf16 *)base + i, x);
    else if (stream)
        vec_stream((float *)base + i, x);
    else
        vec_store((float *)base + i, x);
}

/* exp(x) for x <= 88, relative error below 4e-7 down to -87.33; 0 below -87.69, NaN for NaN.
 * x = n ln 2 + r, |r| <= 0.35; adding 1.5 * 2^23 rounds n to an integer in the low bits; e^r - 1 is r times
 * the polynomial that meets (e^r - 1) / r at the five Chebyshev nodes (error 1.5e-7 with its roundings). */
VEC_INLINE vec vec_exp(vec x)
{
    const vec magic = vec_set(12582912.0f), one = vec_set(1.0f);
    x = vec_max(vec_set(-88.0f), x);
    vec z = vec_fma(x, vec_set(1.44269504f), magic);
    vec n = vec_sub(z, magic);
    vec r = vec_fma(n, vec_set(2.12194440e-4f), vec_fma(n, vec_set(-0.693359375f), x)); /* the first product is exact */
    vec p = vec_set(8.363232948e-03f);
    p = vec_fma(p, r, vec_set(4.187606275e-02f));
    p = vec_fma(p, r, vec_set(1.666657627e-01f));
    p = vec_fma(p, r, vec_set(4.999936819e-01f));
    p = vec_fma(p, r, vec_set(1.000000000e+00f));
    return vec_mul(vec_fma(p, r, one), vec_exponent(z));
}

/* 1 / (1 + exp(-x)); never below 1.6e-38, where it would be a denormal. */
VEC_INLINE vec vec_sigmoid(vec x)
{
    vec e = vec_exp(vec_min(vec_set(87.0f), vec_sub(vec_set(0.0f), x)));
    return vec_recip(vec_add(vec_set(1.0f), e));
}

#endif
