#include "kernels/cuda/images.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/image.h"

#define IMAGES_MIN 3

enum status images_new(struct images *out, const int shape[3], uint32_t seed, struct err *err)
{
    size_t values = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    size_t count = IMAGES_BYTES_MAX / (values * sizeof(float));
    if (count > IMAGES_DISTINCT_MAX)
        count = IMAGES_DISTINCT_MAX;
    if (count < IMAGES_MIN)
        count = IMAGES_MIN;
    *out = (struct images){ .shape = { shape[0], shape[1], shape[2] }, .values = values, .seed = seed,
                            .count = (int)count };
    out->data = malloc(count * values * sizeof *out->data);
    return out->data ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu input images", count);
}

void images_free(struct images *im)
{
    free(im->data);
    *im = (struct images){ .data = NULL };
}

static void make(struct images *im, size_t wanted)
{
    int until = wanted < (size_t)im->count ? (int)wanted : im->count, from = im->made;
#pragma omp parallel for schedule(dynamic)
    for (int i = from; i < until; i++)
        image_make(im->data + (size_t)i * im->values, im->seed + (uint32_t)i, im->shape[0], im->shape[1],
                   im->shape[2]);
    if (until > im->made)
        im->made = until;
}

void images_fill(float *dst, size_t count, struct images *im)
{
    make(im, count);
    size_t distinct = (size_t)im->count;
    for (size_t i = 0; i < count; i++)
        memcpy(dst + i * im->values, im->data + (i + i / distinct) % distinct * im->values,
               im->values * sizeof *dst);
}
