/* inputs.h - the input images that timed iterations rotate over, a ring shared by all batch sizes.
 * inputs_new .. inputs_free owns the images. */
#ifndef CPU_INPUTS_H
#define CPU_INPUTS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"
#include "kernels/cpu/pages.h"

/* A ring is as large as twice the last-level cache, so that an input is cold when its turn comes again,
 * but never larger than this: server caches of hundreds of MiB would cost more memory than the
 * networks. At least 3 images. */
#define INPUTS_BYTES_MAX ((size_t)64 << 20)
/* An image costs a millisecond however small it is, and a ring of small ones has thousands: from here on the same
 * images follow again, in memory of their own, so that they are as cold. */
#define INPUTS_DISTINCT_MAX 64

struct inputs {
    struct pages pages;
    const float *data; /* [count] images (C,H,W) */
    size_t image_floats;
    int count, next;   /* next: first image of the next batch */
};

/* Images number seed, seed + 1, ... of shape (C,H,W); cache_bytes: the last-level cache, 0 unknown. */
enum status inputs_new(struct inputs *out, const int shape[3], uint32_t seed, size_t cache_bytes,
                       struct err *err);
void inputs_free(struct inputs *in);
/* Writes `batch` successive images of the ring and moves on, so that all images come first in some batch. */
void inputs_next(struct inputs *in, int batch, const float **images);
size_t inputs_cache_bytes(void); /* of this machine's last level; 0: unknown */

#endif
