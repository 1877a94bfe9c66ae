#include "kernels/graph/weights.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/graph/safetensors.h"
#include "kernels/graph/seeded.h"

#define ALIGNMENT 64

static size_t aligned(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* One block, in which every array begins on a multiple of 64 bytes. */
static enum status take_block(struct weights *out, const struct graph *g, struct err *err)
{
    size_t bytes = ALIGNMENT;
    for (int i = 0; i < g->param_count; i++)
        bytes += aligned(g->params[i].count * sizeof(float));
    out->storage = aligned_alloc(ALIGNMENT, bytes);
    out->storage_bytes = bytes;
    if (!out->storage)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu bytes of weights of %s", bytes, g->model);
    char *next = out->storage;
    for (int i = 0; i < g->param_count; i++) {
        out->data[i] = (float *)(void *)next;
        next += aligned(g->params[i].count * sizeof(float));
    }
    return ST_OK;
}

static enum status fill_seeded(struct weights *out, const struct graph *g, bool damped, struct err *err)
{
    enum status st = take_block(out, g, err);
    for (int i = 0; i < g->param_count && st == ST_OK; i++)
        seeded_fill(out->data[i], g, &g->params[i], damped);
    return st;
}

/* A private mapping: pages come in when they are read, and nothing written to them reaches the file. */
static enum status map_file(void **bytes, size_t *size, const char *path, struct err *err)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return err_set(err, ST_MODEL, "the weights %s cannot be read: %s", path, strerror(errno));
    struct stat about;
    enum status st = ST_OK;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode))
        st = err_set(err, ST_MODEL, "the weights %s are no file", path);
    else if (about.st_size == 0)
        st = err_set(err, ST_MODEL, "the weights %s are an empty file", path);
    if (st == ST_OK) {
        *size = (size_t)about.st_size;
        *bytes = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
        if (*bytes == MAP_FAILED)
            st = err_set(err, ST_MODEL, "the weights %s cannot be mapped: %s", path, strerror(errno));
    }
    close(file);
    return st;
}

static bool floats_are_aligned(const size_t *at, int count)
{
    for (int i = 0; i < count; i++)
        if (at[i] % sizeof(float) != 0)
            return false;
    return true;
}

/* Takes over the mapping: the arrays point into it, or, where the writer did not align
 * them, are copied out. */
static enum status use_mapping(struct weights *out, const struct graph *g, void *bytes, size_t size,
                               const size_t *at, struct err *err)
{
    if (floats_are_aligned(at, g->param_count)) {
        for (int i = 0; i < g->param_count; i++)
            out->data[i] = (float *)(void *)((char *)bytes + at[i]);
        out->storage = bytes;
        out->storage_bytes = size;
        out->mapped = 1;
        return ST_OK;
    }
    enum status st = take_block(out, g, err);
    for (int i = 0; i < g->param_count && st == ST_OK; i++)
        memcpy(out->data[i], (const char *)bytes + at[i], g->params[i].count * sizeof(float));
    munmap(bytes, size);
    return st;
}

static enum status fill_from_file(struct weights *out, const struct graph *g, const char *path,
                                  struct err *err)
{
    void *bytes = NULL;
    size_t size = 0;
    enum status st = map_file(&bytes, &size, path, err);
    if (st != ST_OK)
        return st;
    size_t *at = malloc(sizeof *at * (size_t)(g->param_count + 1));
    st = at ? safetensors_locate(at, g, path, bytes, size, err)
            : err_set(err, ST_OUT_OF_MEMORY, "no memory for %d tensors", g->param_count);
    if (st == ST_OK)
        st = use_mapping(out, g, bytes, size, at, err);
    else
        munmap(bytes, size);
    free(at);
    return st;
}

enum status weights_load(struct weights *out, const struct graph *g, const char *source, struct err *err)
{
    *out = (struct weights){ .count = g->param_count };
    out->data = calloc((size_t)g->param_count + 1, sizeof *out->data);
    if (!out->data)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %d parameters", g->param_count);
    enum status st;
    if (strcmp(source, "seeded") == 0)
        st = fill_seeded(out, g, true, err);
    else if (strcmp(source, "conformance") == 0)
        st = fill_seeded(out, g, false, err);
    else
        st = fill_from_file(out, g, source, err);
    if (st != ST_OK)
        weights_free(out);
    return st;
}

void weights_free(struct weights *w)
{
    if (w->mapped)
        munmap(w->storage, w->storage_bytes);
    else
        free(w->storage);
    free(w->data);
    *w = (struct weights){ 0 };
}

static int write_all(FILE *file, const struct weights *w, const struct graph *g)
{
    size_t size = 0;
    char *header = safetensors_header(g, &size);
    int failed = !header || fwrite(header, 1, size, file) != size;
    free(header);
    for (int i = 0; i < g->param_count && !failed; i++)
        failed = fwrite(w->data[i], sizeof(float), g->params[i].count, file) != g->params[i].count;
    return failed || fflush(file) != 0 || fsync(fileno(file)) != 0;
}

enum status weights_save(const struct weights *w, const struct graph *g, const char *path, struct err *err)
{
    char beside[4096];
    if (snprintf(beside, sizeof beside, "%s.%ld.tmp", path, (long)getpid()) >= (int)sizeof beside)
        return err_set(err, ST_IO, "the path %.60s... is too long", path);
    FILE *file = fopen(beside, "wb");
    if (!file)
        return err_set(err, ST_IO, "%s cannot be written: %s", beside, strerror(errno));
    int failed = write_all(file, w, g);
    failed |= fclose(file) != 0;
    if (failed || rename(beside, path) != 0) {
        const int reason = errno;
        unlink(beside);
        return err_set(err, ST_IO, "%s cannot be written: %s", path, strerror(reason));
    }
    return ST_OK;
}
