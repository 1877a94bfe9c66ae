/* vec_plain.h - the operations of vec.h in portable GNU C: four floats, which every 64-bit processor has. */
#ifndef CPU_VEC_PLAIN_H
#define CPU_VEC_PLAIN_H

#include <math.h>

#define VEC_W 4

typedef float vec __attribute__((vector_size(16)));
typedef uint32_t vec_bits __attribute__((vector_size(16)));
typedef int32_t vec_mask __attribute__((vector_size(16)));
typedef uint16_t vec_half __attribute__((vector_size(8)));

VEC_INLINE vec vec_set(float x) { return (vec){ x, x, x, x }; }
VEC_INLINE vec vec_add(vec a, vec b) { return a + b; }
VEC_INLINE vec vec_sub(vec a, vec b) { return a - b; }
VEC_INLINE vec vec_mul(vec a, vec b) { return a * b; }
VEC_INLINE vec vec_div(vec a, vec b) { return a / b; }
VEC_INLINE vec vec_fma(vec a, vec b, vec c) { return a * b + c; }

VEC_INLINE vec vec_load(const float *p)
{
    vec x;
    memcpy(&x, p, sizeof x);
    return x;
}
VEC_INLINE void vec_store(float *p, vec x) { memcpy(p, &x, sizeof x); }
VEC_INLINE void vec_stream(float *p, vec x) { vec_store(p, x); }
VEC_INLINE void vec_fence(void) {}

VEC_INLINE vec vec_select(vec_mask m, vec a, vec b)
{
    return (vec)(((vec_mask)a & m) | ((vec_mask)b & ~m));
}
VEC_INLINE vec vec_max(vec a, vec b) { return vec_select(a > b, a, b); }
VEC_INLINE vec vec_min(vec a, vec b) { return vec_select(a < b, a, b); }
VEC_INLINE vec vec_max_nan(vec a, vec b) { return vec_select(a == a, vec_max(a, b), a); }

VEC_INLINE vec vec_load_bf16(const bf16 *p)
{
    vec_half half;
    memcpy(&half, p, sizeof half);
    return (vec)(__builtin_convertvector(half, vec_bits) << 16);
}
VEC_INLINE void vec_store_bf16(bf16 *p, vec x)
{
    vec_bits bits = (vec_bits)x;
    vec_bits nan = (vec_bits)(x != x);
    vec_bits rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    vec_bits quiet = (bits >> 16) | 0x40u;
    vec_half half = __builtin_convertvector((rounded & ~nan) | (quiet & nan), vec_half);
    memcpy(p, &half, sizeof half);
}
VEC_INLINE void vec_stream_bf16(bf16 *p, vec x) { vec_store_bf16(p, x); }

VEC_INLINE float vec_hsum(vec x) { return (x[0] + x[2]) + (x[1] + x[3]); }
VEC_INLINE float vec_hmax(vec x)
{
    float a = x[0] > x[2] ? x[0] : x[2], b = x[1] > x[3] ? x[1] : x[3];
    return a > b ? a : b;
}
VEC_INLINE void vec_hsum4(float out[4], const vec x[4])
{
    for (int i = 0; i < 4; i++)
        out[i] = vec_hsum(x[i]);
}
VEC_INLINE void vec_hmax4(float out[4], const vec x[4])
{
    for (int i = 0; i < 4; i++)
        out[i] = vec_hmax(x[i]);
}
VEC_INLINE vec vec_recip(vec x) { return 1.0f / x; }
VEC_INLINE vec vec_exponent(vec z) { return (vec)(((vec_bits)z << 23) + (127u << 23)); }

VEC_INLINE vec vec_load_n(const float *p, int n, float fill)
{
    vec x = vec_set(fill);
    for (int i = 0; i < n && i < VEC_W; i++)
        x[i] = p[i];
    return x;
}
VEC_INLINE void vec_store_n(float *p, int n, vec x)
{
    for (int i = 0; i < n && i < VEC_W; i++)
        p[i] = x[i];
}
VEC_INLINE void vec_split(const float *pairs, vec *even, vec *odd)
{
    vec a = vec_load(pairs), b = vec_load(pairs + VEC_W);
    *even = (vec){ a[0], a[2], b[0], b[2] };
    *odd = (vec){ a[1], a[3], b[1], b[3] };
}

#endif
