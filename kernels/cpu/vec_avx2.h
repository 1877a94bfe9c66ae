/* vec_avx2.h - the operations of vec.h with AVX2 and FMA: eight floats. */
#ifndef CPU_VEC_AVX2_H
#define CPU_VEC_AVX2_H

#include <immintrin.h>

#define VEC_W 8

typedef __m256 vec;

VEC_INLINE vec vec_set(float x) { return _mm256_set1_ps(x); }
VEC_INLINE vec vec_load(const float *p) { return _mm256_loadu_ps(p); }
VEC_INLINE void vec_store(float *p, vec x) { _mm256_storeu_ps(p, x); }
VEC_INLINE void vec_stream(float *p, vec x) { _mm256_stream_ps(p, x); }
VEC_INLINE void vec_fence(void) { _mm_sfence(); }
VEC_INLINE vec vec_add(vec a, vec b) { return _mm256_add_ps(a, b); }
VEC_INLINE vec vec_sub(vec a, vec b) { return _mm256_sub_ps(a, b); }
VEC_INLINE vec vec_mul(vec a, vec b) { return _mm256_mul_ps(a, b); }
VEC_INLINE vec vec_div(vec a, vec b) { return _mm256_div_ps(a, b); }
VEC_INLINE vec vec_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
VEC_INLINE vec vec_max(vec a, vec b) { return _mm256_max_ps(a, b); }
VEC_INLINE vec vec_min(vec a, vec b) { return _mm256_min_ps(a, b); }
VEC_INLINE vec vec_max_nan(vec a, vec b)
{
    return _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}

VEC_INLINE vec vec_load_bf16(const bf16 *p)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
VEC_INLINE __m128i vec_round_bf16(vec x)
{
    __m256i bits = _mm256_castps_si256(x);
    __m256i upper = _mm256_srli_epi32(bits, 16);
    __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    __m256i sum = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    __m256i half = _mm256_blendv_epi8(_mm256_srli_epi32(sum, 16), quiet, nan);
    __m256i packed = _mm256_packus_epi32(half, half);
    return _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
}
VEC_INLINE void vec_store_bf16(bf16 *p, vec x) { _mm_storeu_si128((__m128i *)(void *)p, vec_round_bf16(x)); }
VEC_INLINE void vec_stream_bf16(bf16 *p, vec x) { _mm_stream_si128((__m128i *)(void *)p, vec_round_bf16(x)); }

VEC_INLINE float vec_hsum(vec x)
{
    __m128 a = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
VEC_INLINE float vec_hmax(vec x)
{
    __m128 a = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    a = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}
VEC_INLINE void vec_hsum4(float out[4], const vec x[4])
{
    __m256 ab = _mm256_add_ps(_mm256_shuffle_ps(x[0], x[1], 0x88), _mm256_shuffle_ps(x[0], x[1], 0xdd));
    __m256 cd = _mm256_add_ps(_mm256_shuffle_ps(x[2], x[3], 0x88), _mm256_shuffle_ps(x[2], x[3], 0xdd));
    __m256 all = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x88), _mm256_shuffle_ps(ab, cd, 0xdd));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1)));
}
VEC_INLINE void vec_hmax4(float out[4], const vec x[4])
{
    __m256 ab = _mm256_max_ps(_mm256_shuffle_ps(x[0], x[1], 0x88), _mm256_shuffle_ps(x[0], x[1], 0xdd));
    __m256 cd = _mm256_max_ps(_mm256_shuffle_ps(x[2], x[3], 0x88), _mm256_shuffle_ps(x[2], x[3], 0xdd));
    __m256 all = _mm256_max_ps(_mm256_shuffle_ps(ab, cd, 0x88), _mm256_shuffle_ps(ab, cd, 0xdd));
    _mm_storeu_ps(out, _mm_max_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1)));
}
VEC_INLINE vec vec_recip(vec x) { return _mm256_div_ps(_mm256_set1_ps(1), x); }
VEC_INLINE vec vec_exponent(vec z)
{
    __m256i n = _mm256_slli_epi32(_mm256_castps_si256(z), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(n, _mm256_set1_epi32(127 << 23)));
}

VEC_INLINE vec vec_load_n(const float *p, int n, float fill)
{
    float x[VEC_W];
    for (int i = 0; i < VEC_W; i++)
        x[i] = i < n ? p[i] : fill;
    return vec_load(x);
}
VEC_INLINE void vec_store_n(float *p, int n, vec v)
{
    float x[VEC_W];
    vec_store(x, v);
    for (int i = 0; i < n && i < VEC_W; i++)
        p[i] = x[i];
}
VEC_INLINE void vec_split(const float *pairs, vec *even, vec *odd)
{
    vec a = vec_load(pairs), b = vec_load(pairs + VEC_W);
    vec low = _mm256_permute2f128_ps(a, b, 0x20), high = _mm256_permute2f128_ps(a, b, 0x31);
    *even = _mm256_shuffle_ps(low, high, 0x88);
    *odd = _mm256_shuffle_ps(low, high, 0xdd);
}

#endif
