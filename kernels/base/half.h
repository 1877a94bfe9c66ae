/* half.h - bfloat16 in plain C: the upper half of a float32, rounded to nearest even. */
#ifndef BASE_HALF_H
#define BASE_HALF_H

#include <stdint.h>
#include <string.h>

typedef uint16_t bf16; /* bits; the one typedef of ours, because arithmetic on it must look wrong */

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

#endif
