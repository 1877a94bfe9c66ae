#include "bench/measure/schedule.h"

#include "kernels/base/rng.h"

enum { MIRROR_MOST = 3 };

uint64_t schedule_seed(uint64_t run_seed, const char *key, int round)
{
    return run_seed ^ fnv1a64(key) ^ (uint64_t)round * SPLITMIX64_STEP;
}

static void reverse(int *items, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        int kept = items[i];
        items[i] = items[n - 1 - i];
        items[n - 1 - i] = kept;
    }
}

size_t schedule_order(int *batches, size_t n, uint64_t run_seed, const char *key, int round)
{
    int mirrored = n <= MIRROR_MOST && round % 2 == 0;
    struct rng r = rng_seeded(schedule_seed(run_seed, key, mirrored ? round - 1 : round));
    rng_shuffle(&r, batches, n);
    size_t control = (size_t)(rng_uniform(&r) * (double)(n + 1));
    if (!mirrored)
        return control;
    reverse(batches, n);
    return n - control;
}
