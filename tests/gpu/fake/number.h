/* number.h - f32, f16 and bf16 in memory as floats: for the fake libraries, each of which is one shared
 * object. */
#ifndef FAKE_NUMBER_H
#define FAKE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/half.h"

enum number_type { NUMBER_F32, NUMBER_F16, NUMBER_BF16 };

static inline float number_get(const void *at, int64_t i, enum number_type type)
{
    if (type == NUMBER_F16)
        return f32_of_f16(((const f16 *)at)[i]);
    return type == NUMBER_BF16 ? f32_of_bf16(((const bf16 *)at)[i]) : ((const float *)at)[i];
}

static inline void number_put(void *at, int64_t i, enum number_type type, float value)
{
    if (type == NUMBER_F16)
        ((f16 *)at)[i] = f16_of_f32(value);
    else if (type == NUMBER_BF16)
        ((bf16 *)at)[i] = bf16_of_f32(value);
    else
        ((float *)at)[i] = value;
}

static inline float number_round(float value, enum number_type type)
{
    if (type == NUMBER_F32)
        return value;
    return type == NUMBER_F16 ? f32_of_f16(f16_of_f32(value)) : f32_of_bf16(bf16_of_f32(value));
}

/* To 10 bits of fraction, nearest even: the factors of a tf32 product. */
static inline float number_tf32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7f800000u) != 0x7f800000u)
        bits = (bits + 0xfffu + (bits >> 13 & 1u)) & ~0x1fffu;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Zeros; the caller frees. */
static inline float *number_array(size_t count)
{
    float *values = calloc(count ? count : 1, sizeof *values);
    if (!values)
        abort();
    return values;
}

static inline float *number_copy(const float *values, size_t count, bool tf32)
{
    float *copy = number_array(count);
    for (size_t i = 0; i < count; i++)
        copy[i] = tf32 ? number_tf32(values[i]) : values[i];
    return copy;
}

/* In eight sums, which the compiler keeps in vector registers. */
static inline float number_dot(const float *a, const float *b, int64_t count)
{
    typedef float eight __attribute__((vector_size(32)));
    eight sums = { 0 };
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        eight x, y;
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        sums += x * y;
    }
    float total = ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
    for (; i < count; i++)
        total += a[i] * b[i];
    return total;
}

#endif
