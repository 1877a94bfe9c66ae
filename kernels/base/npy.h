/* npy.h - NumPy .npy files, version 1.0, little-endian f32, C order, up to 4 dimensions. */
#ifndef BASE_NPY_H
#define BASE_NPY_H

#include <stddef.h>

#include "kernels/base/err.h"

struct npy {
    int    rank, dims[4];
    size_t count;  /* product of dims */
    float *data;   /* owned: npy_free */
};

/* ST_IO if it cannot be read, ST_INVALID if it is no such file or dims are not positive or the size differs.
 * On failure *out is all zero. */
enum status npy_read(struct npy *out, const char *path, struct err *err);
/* Writes dims[rank] floats of data beside `path` and renames: the file is whole or not there. ST_IO. */
enum status npy_write(const char *path, const int *dims, int rank, const float *data, struct err *err);
void npy_free(struct npy *n);

#endif
