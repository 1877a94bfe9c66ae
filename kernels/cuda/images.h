/* images.h - the input images that timed iterations rotate over: made once on the host, copied into pinned memory
 * whenever that was allocated anew. images_new .. images_free owns the host's copy. */
#ifndef CUDA_IMAGES_H
#define CUDA_IMAGES_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"

/* Distinct images take at most this much of the host's memory, but there are always 3 at least. */
#define IMAGES_BYTES_MAX ((size_t)256 << 20)
#define IMAGES_DISTINCT_MAX 64

struct images {
    float *data;                    /* [count] images (C,H,W), made as far as `made` */
    int shape[3];
    size_t values;                  /* of one image */
    uint32_t seed;
    int count, made;
};

/* Images number seed, seed + 1, ... of shape (C,H,W); made when they are needed first. ST_OUT_OF_MEMORY. */
enum status images_new(struct images *out, const int shape[3], uint32_t seed, struct err *err);
void images_free(struct images *im);
/* dst [count] images. Where there are fewer distinct ones they follow again, each time shifted by one, so that no two
 * batches in a row are the same whatever their size. */
void images_fill(float *dst, size_t count, struct images *im);

#endif
