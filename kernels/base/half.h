/* half.h - the two kinds of 16-bit numbers in plain C, rounded to nearest even: bfloat16, the upper half of a float32,
 * and IEEE binary16. */
#ifndef BASE_HALF_H
#define BASE_HALF_H

#include <stdint.h>
#include <string.h>

typedef uint16_t bf16, f16; /* bits; the only typedefs of ours, because arithmetic on them must look wrong */

static inline float f32_of_bf16(bf16 x)
{
    uint32_t bits = (uint32_t)x << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Rounds to nearest even; NaN stays a (quiet) NaN, overflow becomes infinity. */
static inline bf16 bf16_of_f32(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (bf16)((bits >> 16) | 0x40u);
    return (bf16)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

static inline float f32_of_f16(f16 x)
{
    const float smallest = 5.9604644775390625e-8f; /* 2^-24, the step of subnormals */
    uint32_t sign = (uint32_t)(x & 0x8000u) << 16, exponent = (x >> 10) & 31u, fraction = x & 0x3ffu;
    uint32_t bits = exponent == 31 ? 0x7f800000u | fraction << 13 : (exponent + 112) << 23 | fraction << 13;
    if (exponent == 0) {
        float magnitude = (float)fraction * smallest;
        memcpy(&bits, &magnitude, sizeof bits);
    }
    bits |= sign;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Rounds to nearest even, subnormals too; NaN stays a (quiet) NaN, from 65520 on all is infinity. */
static inline f16 f16_of_f32(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return (f16)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
    if (magnitude >= 0x477ff000u) /* 65520: half way to 2^16 */
        return (f16)(sign | 0x7c00u);
    if (magnitude >= 0x38800000u) /* 2^-14: the smallest normal number */
        return (f16)(sign | (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13);
    if (magnitude <= 0x33000000u) /* 2^-25 is half way to the smallest subnormal one, and even is zero */
        return (f16)sign;
    uint32_t shift = 126u - (magnitude >> 23), fraction = (magnitude & 0x7fffffu) | 0x800000u;
    uint32_t rest = fraction & ((1u << shift) - 1), half = 1u << (shift - 1), whole = fraction >> shift;
    return (f16)(sign | (whole + (rest > half || (rest == half && (whole & 1u)))));
}

#endif
