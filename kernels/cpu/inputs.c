#include "kernels/cpu/inputs.h"

#include <string.h>
#include <unistd.h>

#include "kernels/base/image.h"

#define IMAGES_MIN 3

size_t inputs_cache_bytes(void)
{
    long bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (bytes <= 0)
        bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return bytes > 0 ? (size_t)bytes : 0;
}

static int ring_size(size_t image_bytes, size_t cache_bytes)
{
    size_t wanted = 2 * cache_bytes < INPUTS_BYTES_MAX ? 2 * cache_bytes : INPUTS_BYTES_MAX;
    size_t count = (wanted + image_bytes - 1) / image_bytes;
    size_t most = INPUTS_BYTES_MAX / image_bytes;
    if (count > most)
        count = most;
    return count < IMAGES_MIN ? IMAGES_MIN : (int)count;
}

enum status inputs_new(struct inputs *out, const int shape[3], uint32_t seed, size_t cache_bytes,
                       struct err *err)
{
    size_t floats = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    int count = ring_size(floats * sizeof(float), cache_bytes);
    *out = (struct inputs){ .image_floats = floats, .count = count };
    enum status st = pages_new(&out->pages, (size_t)count * floats * sizeof(float), "the input images", err);
    if (st != ST_OK)
        return st;
    float *data = out->pages.data;
    int distinct = count < INPUTS_DISTINCT_MAX ? count : INPUTS_DISTINCT_MAX;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < distinct; i++)
        image_make(data + (size_t)i * floats, seed + (uint32_t)i, shape[0], shape[1], shape[2]);
    for (int i = distinct; i < count; i++)
        memcpy(data + (size_t)i * floats, data + (size_t)(i - distinct) * floats, floats * sizeof *data);
    out->data = data;
    return ST_OK;
}

void inputs_free(struct inputs *in)
{
    pages_free(&in->pages);
    *in = (struct inputs){ .count = 0 };
}

static int common_divisor(int a, int b)
{
    while (b) {
        int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

void inputs_next(struct inputs *in, int batch, const float **images)
{
    for (int i = 0; i < batch; i++)
        images[i] = in->data + (size_t)((in->next + i) % in->count) * in->image_floats;
    int step = batch;
    while (common_divisor(step, in->count) != 1)
        step++;
    in->next = (int)(((size_t)in->next + (size_t)step) % (size_t)in->count);
}
