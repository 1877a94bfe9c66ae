#include "kernels/cuda/memory.h"

#include <stdio.h>
#include <unistd.h>

static void describe(char *text, size_t size, struct gpu_memory *m, size_t bytes, const char *what)
{
    size_t free_bytes = 0, all_bytes = 0;
    cudaGetLastError(); /* the failed call's, which would be taken for this one's */
    if (m->device->lost || cudaMemGetInfo(&free_bytes, &all_bytes) != cudaSuccess)
        snprintf(text, size, "%zu bytes for %s", bytes, what);
    else
        snprintf(text, size, "%zu bytes for %s, %zu of %zu are free, %llu are ours", bytes, what, free_bytes, all_bytes,
                 (unsigned long long)m->allocated);
}

enum status gpu_block_new(struct gpu_block *out, struct gpu_memory *m, size_t bytes, const char *what,
                          struct err *err)
{
    *out = (struct gpu_block){ .data = NULL };
    if (bytes == 0)
        return ST_OK;
    char detail[256] = "";
    void *data = NULL;
    cudaError_t code = cudaMalloc(&data, bytes);
    if (code != cudaSuccess) {
        describe(detail, sizeof detail, m, bytes, what);
        return gpu_check(m->device, code, "cudaMalloc", detail, err);
    }
    *out = (struct gpu_block){ data, bytes };
    m->allocated += bytes;
    return ST_OK;
}

void gpu_block_free(struct gpu_block *b, struct gpu_memory *m)
{
    if (b->data && !m->device->lost)
        cudaFree(b->data);
    m->allocated -= b->bytes;
    *b = (struct gpu_block){ .data = NULL };
}

enum status gpu_pinned_new(struct gpu_block *out, struct gpu_memory *m, size_t bytes, const char *what,
                           struct err *err)
{
    *out = (struct gpu_block){ .data = NULL };
    if (bytes == 0)
        return ST_OK;
    char detail[256];
    void *data = NULL;
    cudaError_t code = cudaHostAlloc(&data, bytes, cudaHostAllocDefault);
    if (code != cudaSuccess) {
        snprintf(detail, sizeof detail, "%zu bytes of pinned memory for %s", bytes, what);
        return gpu_check(m->device, code, "cudaHostAlloc", detail, err);
    }
    *out = (struct gpu_block){ data, bytes };
    return ST_OK;
}

void gpu_pinned_free(struct gpu_block *b, struct gpu_memory *m)
{
    if (b->data && !m->device->lost)
        cudaFreeHost(b->data);
    *b = (struct gpu_block){ .data = NULL };
}

enum status gpu_memory_free_bytes(uint64_t *out, struct gpu_memory *m, struct err *err)
{
    size_t free_bytes = 0, all_bytes = 0;
    enum status st = gpu_check(m->device, cudaMemGetInfo(&free_bytes, &all_bytes), "cudaMemGetInfo", NULL, err);
    *out = free_bytes;
    return st;
}

static void look_for_others(struct gpu_memory *m)
{
    enum { ROOM = 64 };
    struct nvml_process list[ROOM];
    size_t count = 0;
    struct gpu_device *d = m->device;
    if (!d->nvml_device || nvml_processes(list, ROOM, &count, &d->nvml, d->nvml_device) != NVML_SUCCESS)
        return;
    bool ours = false;
    for (size_t i = 0; i < count && i < ROOM; i++)
        ours = ours || list[i].pid == (unsigned)getpid();
    m->foreign = m->foreign || count > (ours ? 1 : 0);
}

static enum status read_now(uint64_t *out, const char **source, struct gpu_memory *m, struct err *err)
{
    struct gpu_device *d = m->device;
    uint64_t free_bytes = 0;
    *source = "nvml_process";
    if (d->nvml_device && nvml_process_bytes(out, &d->nvml, d->nvml_device, getpid()) == NVML_SUCCESS)
        return ST_OK;
    *source = "device_delta";
    enum status st = gpu_memory_free_bytes(&free_bytes, m, err);
    uint64_t since = d->free_before > free_bytes ? d->free_before - free_bytes : 0;
    *out = d->context_bytes + since;
    return st;
}

enum status gpu_memory_read(uint64_t *out, const char **source, struct gpu_memory *m, struct err *err)
{
    look_for_others(m);
    enum status st = read_now(out, source, m, err);
    if (st == ST_OK && *out > m->peak)
        m->peak = *out;
    return st;
}

void gpu_memory_note(struct gpu_memory *m)
{
    uint64_t now;
    const char *source;
    struct err why = { .status = ST_OK };
    if (!m->device->lost)
        gpu_memory_read(&now, &source, m, &why);
}
