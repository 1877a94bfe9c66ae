/* vec_avx512.h - the operations of vec.h with AVX-512: sixteen floats, rounded to bf16 by one instruction
 * where the processor has it. */
#ifndef CPU_VEC_AVX512_H
#define CPU_VEC_AVX512_H

#include <immintrin.h>

#define VEC_W 16

typedef __m512 vec;

VEC_INLINE vec vec_set(float x) { return _mm512_set1_ps(x); }
VEC_INLINE vec vec_load(const float *p) { return _mm512_loadu_ps(p); }
VEC_INLINE void vec_store(float *p, vec x) { _mm512_storeu_ps(p, x); }
VEC_INLINE void vec_stream(float *p, vec x) { _mm512_stream_ps(p, x); }
VEC_INLINE void vec_fence(void) { _mm_sfence(); }
VEC_INLINE vec vec_add(vec a, vec b) { return _mm512_add_ps(a, b); }
VEC_INLINE vec vec_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
VEC_INLINE vec vec_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
VEC_INLINE vec vec_div(vec a, vec b) { return _mm512_div_ps(a, b); }
VEC_INLINE vec vec_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
VEC_INLINE vec vec_max(vec a, vec b) { return _mm512_max_ps(a, b); }
VEC_INLINE vec vec_min(vec a, vec b) { return _mm512_min_ps(a, b); }
VEC_INLINE vec vec_max_nan(vec a, vec b)
{
    return _mm512_mask_mov_ps(_mm512_max_ps(a, b), _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), a);
}

VEC_INLINE vec vec_load_bf16(const bf16 *p)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
#if VEC_ISA == VEC_AVX512_BF16
VEC_INLINE __m256i vec_round_bf16(vec x) { return (__m256i)_mm512_cvtneps_pbh(x); }
#else
VEC_INLINE __m256i vec_round_bf16(vec x)
{
    __m512i bits = _mm512_castps_si512(x);
    __m512i upper = _mm512_srli_epi32(bits, 16);
    __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    __m512i sum = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    __m512i half = _mm512_mask_or_epi32(_mm512_srli_epi32(sum, 16), _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q),
                                        upper, _mm512_set1_epi32(0x40));
    return _mm512_cvtepi32_epi16(half);
}
#endif
VEC_INLINE void vec_store_bf16(bf16 *p, vec x) { _mm256_storeu_si256((__m256i *)(void *)p, vec_round_bf16(x)); }
VEC_INLINE void vec_stream_bf16(bf16 *p, vec x) { _mm256_stream_si256((__m256i *)(void *)p, vec_round_bf16(x)); }

VEC_INLINE float vec_hsum(vec x) { return _mm512_reduce_add_ps(x); }
VEC_INLINE float vec_hmax(vec x) { return _mm512_reduce_max_ps(x); }
VEC_INLINE void vec_hsum4(float out[4], const vec x[4])
{
    __m512 ab = _mm512_add_ps(_mm512_shuffle_ps(x[0], x[1], 0x88), _mm512_shuffle_ps(x[0], x[1], 0xdd));
    __m512 cd = _mm512_add_ps(_mm512_shuffle_ps(x[2], x[3], 0x88), _mm512_shuffle_ps(x[2], x[3], 0xdd));
    __m512 all = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x88), _mm512_shuffle_ps(ab, cd, 0xdd));
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
}
VEC_INLINE void vec_hmax4(float out[4], const vec x[4])
{
    __m512 ab = _mm512_max_ps(_mm512_shuffle_ps(x[0], x[1], 0x88), _mm512_shuffle_ps(x[0], x[1], 0xdd));
    __m512 cd = _mm512_max_ps(_mm512_shuffle_ps(x[2], x[3], 0x88), _mm512_shuffle_ps(x[2], x[3], 0xdd));
    __m512 all = _mm512_max_ps(_mm512_shuffle_ps(ab, cd, 0x88), _mm512_shuffle_ps(ab, cd, 0xdd));
    __m256 half = _mm256_max_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    _mm_storeu_ps(out, _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
}
/* A division takes 16 cycles; an estimate of 14 bits and one step of Newton take 4. */
VEC_INLINE vec vec_recip(vec x)
{
    vec r = _mm512_rcp14_ps(x);
    return _mm512_fmadd_ps(r, _mm512_fnmadd_ps(x, r, _mm512_set1_ps(1)), r);
}
VEC_INLINE vec vec_exponent(vec z)
{
    __m512i n = _mm512_slli_epi32(_mm512_castps_si512(z), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(n, _mm512_set1_epi32(127 << 23)));
}

VEC_INLINE __mmask16 vec_lanes(int n) { return (__mmask16)(n >= VEC_W ? 0xffffu : (1u << n) - 1u); }
VEC_INLINE vec vec_load_n(const float *p, int n, float fill)
{
    return _mm512_mask_loadu_ps(vec_set(fill), vec_lanes(n), p);
}
VEC_INLINE void vec_store_n(float *p, int n, vec x) { _mm512_mask_storeu_ps(p, vec_lanes(n), x); }
VEC_INLINE void vec_split(const float *pairs, vec *even, vec *odd)
{
    const __m512i first = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i second = _mm512_or_si512(first, _mm512_set1_epi32(1));
    vec a = vec_load(pairs), b = vec_load(pairs + VEC_W);
    *even = _mm512_permutex2var_ps(a, first, b);
    *odd = _mm512_permutex2var_ps(a, second, b);
}

#endif
