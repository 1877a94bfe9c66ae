/* rng.h - published generators and hashes with fixed results everywhere.
 * splitmix64 and xoshiro256**: Blackman and Vigna, prng.di.unimi.it; FNV-1a: Fowler, Noll, Vo. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#define FNV1A64_START 0xcbf29ce484222325u
#define SPLITMIX64_STEP 0x9e3779b97f4a7c15u

/* FNV-1a, 64 bit, of `size` bytes; `hash` is FNV1A64_START or the hash of what came before. */
uint64_t fnv1a64_bytes(uint64_t hash, const void *bytes, size_t size);
/* The same of a string without its final zero. */
uint64_t fnv1a64(const char *text);
/* First output of splitmix64 started at `state` (the state is advanced by SPLITMIX64_STEP before mixing). */
static inline uint64_t splitmix64(uint64_t state)
{
    uint64_t z = state + SPLITMIX64_STEP;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct rng {
    uint64_t s[4];
};
/* xoshiro256** whose state is four successive outputs of splitmix64 started at seed. */
struct rng rng_seeded(uint64_t seed);
uint64_t rng_next(struct rng *r);
/* Uniform in (0,1): ((next >> 11) + 0.5) / 2^53. */
double rng_uniform(struct rng *r);
/* Standard normal (Box-Muller, cosine branch: two uniforms per value). */
double rng_normal(struct rng *r);
/* Fisher-Yates from the end: for i = n-1 .. 1 swap items i and floor(U (i+1)). */
void rng_shuffle(struct rng *r, int *items, size_t n);

#endif
