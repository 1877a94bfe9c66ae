/* pool.h - the memory that executions of all batch sizes share: one arena, one workspace, device input and output, and
 * pinned memory for the images that timed iterations rotate over and for results. As large as the largest of them needs.
 * pool_resize .. pool_free owns it; gpu_memory is borrowed. */
#ifndef CUDA_POOL_H
#define CUDA_POOL_H

#include "kernels/cuda/memory.h"

#define POOL_SLOTS 2                /* device inputs and outputs: two while copies and kernels overlap */

struct pool_need {
    size_t arena, workspace;        /* bytes on the device */
    size_t input, output;           /* of one slot */
    size_t images;                  /* pinned: all input buffers */
    int slots;                      /* 1 or 2 */
};

struct pool {
    struct pool_need size;
    struct gpu_block arena, workspace, input[POOL_SLOTS], output[POOL_SLOTS];
    struct gpu_block images, results[POOL_SLOTS];
    unsigned generation;            /* one more each time that device memory moved */
};

/* The larger of both, member by member. */
struct pool_need pool_most(struct pool_need a, struct pool_need b);
size_t pool_device_bytes(const struct pool_need *need);
bool pool_same(const struct pool_need *a, const struct pool_need *b);

/* Afterwards exactly what `need` says. What differs is freed before anything is allocated, contents are lost and
 * addresses change. ST_OUT_OF_MEMORY: the pool is empty then. */
enum status pool_resize(struct pool *p, struct gpu_memory *m, const struct pool_need *need, struct err *err);
void pool_free(struct pool *p, struct gpu_memory *m);

#endif
