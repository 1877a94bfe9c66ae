/* limits.h - what a GPU allows, and the words for arithmetic: everything that launch configurations, plans and
 * predictions need to know of a device, as plain numbers, so that they can be computed without one.
 * Usable from C and C++. */
#ifndef CUDA_LIMITS_H
#define CUDA_LIMITS_H

#include <stddef.h>

/* Arithmetic of products. Storage is f32 for the first two, else the type of the name. */
enum gpu_math { GPU_F32, GPU_TF32, GPU_F16, GPU_BF16 };

struct gpu_limits {
    int    sm;                      /* compute capability times ten: 86 */
    int    multiprocessors;
    int    block_threads;           /* of one block, at most */
    int    sm_threads;              /* resident on one multiprocessor */
    int    sm_blocks;               /* likewise */
    size_t shared_bytes;            /* of one block, static */
    size_t shared_optin_bytes;      /* of one block after asking for more */
    size_t l2_bytes;
};

/* Grid and block in x, y, z; dynamic shared memory of one block. */
struct gpu_launch {
    unsigned grid[3], block[3];
    size_t   shared_bytes;
};

#endif
