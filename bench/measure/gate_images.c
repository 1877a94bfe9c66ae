#include "bench/measure/gate_images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/image.h"
#include "kernels/base/npy.h"

enum status gate_image_make(struct gate_image *out, const char *folder, uint32_t seed, const int shape[3],
                            struct err *err)
{
    size_t count = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    float *values = malloc(count * sizeof *values);
    if (!values)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for an image of %dx%dx%d", shape[0],
                       shape[1], shape[2]);
    snprintf(out->path, sizeof out->path, "%s/image-%u-%dx%d.npy", folder, seed, shape[1], shape[2]);
    image_make(values, seed, shape[0], shape[1], shape[2]);
    sha256_of(out->sha256, values, count * sizeof *values);
    enum status st = npy_write(out->path, shape, 3, values, err);
    free(values);
    return st;
}

static enum status check_shape(const struct npy *n, int batch, const int shape[3], struct err *err)
{
    if (n->rank == 4 && n->dims[0] == batch && n->dims[1] == shape[0] && n->dims[2] == shape[1] &&
        n->dims[3] == shape[2])
        return ST_OK;
    return err_set(
        err, ST_WRONG_OUTPUT, "the worker's output has shape %dx%dx%dx%d (rank %d), %dx%dx%dx%d was expected",
        n->dims[0], n->dims[1], n->dims[2], n->dims[3], n->rank, batch, shape[0], shape[1], shape[2]);
}

enum status gate_output_ask(float **out, size_t *count, struct worker *w, const char *folder,
                            const struct gate_image *images, int batch, const int output_shape[3],
                            uint64_t deadline_ns, struct err *err)
{
    char path[GATE_PATH_MAX];
    struct npy n = { 0 };
    struct worker_image *ask = calloc((size_t)batch, sizeof *ask);
    *out = NULL;
    if (!ask)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the paths of %d images", batch);
    for (int i = 0; i < batch; i++)
        ask[i].path = images[i].path;
    snprintf(path, sizeof path, "%s/output.npy", folder);
    enum status st = worker_output(w, batch, ask, path, deadline_ns, err);
    free(ask);
    if (st != ST_OK)
        return st;
    st = npy_read(&n, path, err);
    unlink(path);
    if (st != ST_OK) /* the worker said that it wrote it */
        return err ? err_set(err, ST_WRONG_OUTPUT, "the worker's output cannot be read: %.900s", err->text)
                   : ST_WRONG_OUTPUT;
    st = check_shape(&n, batch, output_shape, err);
    if (st == ST_OK) {
        *out = n.data;
        *count = n.count / (size_t)batch;
        n.data = NULL;
    }
    npy_free(&n);
    return st;
}
