#include "kernels/base/rng.h"

#include <math.h>
#include <string.h>

uint64_t fnv1a64_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}

uint64_t fnv1a64(const char *text)
{
    return fnv1a64_bytes(FNV1A64_START, text, strlen(text));
}

struct rng rng_seeded(uint64_t seed)
{
    struct rng r;
    for (uint64_t i = 0; i < 4; i++)
        r.s[i] = splitmix64(seed + i * SPLITMIX64_STEP);
    return r;
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t rng_next(struct rng *r)
{
    uint64_t *s = r->s, result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double rng_uniform(struct rng *r)
{
    return ((double)(rng_next(r) >> 11) + 0.5) * 0x1p-53;
}

double rng_normal(struct rng *r)
{
    double radius = sqrt(-2 * log(rng_uniform(r)));
    return radius * cos(2 * 3.14159265358979323846 * rng_uniform(r));
}

void rng_shuffle(struct rng *r, int *items, size_t n)
{
    for (size_t i = n; i-- > 1;) {
        size_t j = (size_t)(rng_uniform(r) * (double)(i + 1));
        int kept = items[i];
        items[i] = items[j];
        items[j] = kept;
    }
}
