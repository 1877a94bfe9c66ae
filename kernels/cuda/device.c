#include "kernels/cuda/device.h"

#include <stdio.h>
#include <string.h>

#include "kernels/cuda/faults/errors.h"
#include "kernels/cuda/faults/ladder.h"

#ifndef CUDA_ARCHS_BUILT
#define CUDA_ARCHS_BUILT "unknown"
#endif

const char *gpu_device_archs(void)
{
    return CUDA_ARCHS_BUILT;
}

/* --- without a context ------------------------------------------------------------------------------------ */

static void write_uuid(char *text, size_t size, const unsigned char *bytes)
{
    size_t used = (size_t)snprintf(text, size, "GPU-");
    for (int i = 0; i < 16; i++)
        used += (size_t)snprintf(text + used, size - used, "%02x%s", bytes[i],
                                 i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
}

static int attribute(enum cudaDeviceAttr which, int device)
{
    int value = 0;
    return cudaDeviceGetAttribute(&value, which, device) == cudaSuccess ? value : 0;
}

static cudaError_t describe_card(struct gpu_card *card, int index)
{
    struct cudaDeviceProp p;
    cudaError_t code = cudaGetDeviceProperties(&p, index);
    if (code != cudaSuccess)
        return code;
    *card = (struct gpu_card){ .index = index, .memory_bytes = p.totalGlobalMem };
    snprintf(card->id, sizeof card->id, "cuda:%hhu", (unsigned char)index);
    snprintf(card->name, sizeof card->name, "%.95s", p.name);
    unsigned char uuid[16];
    memcpy(uuid, p.uuid.bytes, sizeof uuid);
    write_uuid(card->uuid, sizeof card->uuid, uuid);
    card->limits = (struct gpu_limits){ .sm = p.major * 10 + p.minor, .multiprocessors = p.multiProcessorCount,
                                        .block_threads = p.maxThreadsPerBlock,
                                        .sm_threads = p.maxThreadsPerMultiProcessor,
                                        .sm_blocks = p.maxBlocksPerMultiProcessor,
                                        .shared_bytes = p.sharedMemPerBlock,
                                        .shared_optin_bytes = p.sharedMemPerBlockOptin,
                                        .l2_bytes = (size_t)p.l2CacheSize };
    card->speed = predict_speed(card->limits.sm, card->limits.multiprocessors,
                                attribute(cudaDevAttrClockRate, index), attribute(cudaDevAttrMemoryClockRate, index),
                                attribute(cudaDevAttrGlobalMemoryBusWidth, index));
    return cudaSuccess;
}

/* What the ladder needs of NVML; the library stays open in *nvml. */
static void probe_nvml(struct gpu_probes *probes, struct nvml *nvml, char module[NVML_TEXT_MAX],
                       char library[NVML_TEXT_MAX])
{
    struct err why = { .status = ST_OK };
    enum status st = nvml_open(nvml, "", &why);
    nvml_module_version(module, "");
    probes->nvml_found = nvml->library != NULL;
    probes->nvml_code = st == ST_OK || !probes->nvml_found ? 0 : why.code;
    if (probes->nvml_found)
        nvml_library_version(library, nvml);
    probes->module_version = module;
    probes->library_version = library;
}

enum status gpu_devices_find(struct gpu_card cards[GPU_DEVICES_MAX], int *count, struct gpu_driver *driver,
                             struct err *err)
{
    struct gpu_probes probes = { .archs = gpu_device_archs() };
    struct nvml nvml = { .library = NULL };
    char library[NVML_TEXT_MAX] = "";
    *driver = (struct gpu_driver){ .driver = 0 };
    *count = 0;
    probes.driver_code = (int)cudaDriverGetVersion(&driver->driver);
    cudaRuntimeGetVersion(&driver->runtime);
    probes.driver_version = driver->driver;
    probes.runtime_version = driver->runtime;
    probe_nvml(&probes, &nvml, driver->module, library);
    probes.count_code = (int)cudaGetDeviceCount(&probes.devices);
    enum status st = gpu_ladder(&probes, err);
    nvml_close(&nvml);
    cudaGetLastError(); /* a failed question leaves nothing behind for the next call */
    int devices = probes.devices < GPU_DEVICES_MAX ? probes.devices : GPU_DEVICES_MAX;
    for (int i = 0; i < devices && st == ST_OK; i++) {
        cudaError_t code = describe_card(&cards[i], i);
        if (code != cudaSuccess)
            st = gpu_error_set(err, FAULT_CUDA, (int)code, false, "cudaGetDeviceProperties", NULL);
    }
    *count = st == ST_OK ? devices : 0;
    return st;
}

/* --- with one --------------------------------------------------------------------------------------------- */

/* Why no context could be made, in the ladder's words. */
static enum status context_failed(const struct gpu_device *d, cudaError_t code, const char *call, struct err *err)
{
    cudaGetLastError();
    const struct gpu_probes probes = { .driver_version = d->driver.driver, .runtime_version = d->driver.runtime,
                                       .module_version = d->driver.module, .devices = 1, .context_code = (int)code,
                                       .context_call = call, .archs = gpu_device_archs(),
                                       .sm = d->card.limits.sm };
    enum status st = gpu_ladder(&probes, err);
    return st != ST_OK ? st : gpu_error_set(err, FAULT_CUDA, (int)code, false, call, NULL);
}

static void find_in_nvml(struct gpu_device *d)
{
    struct err why = { .status = ST_OK };
    if (nvml_open(&d->nvml, "", &why) == ST_OK && nvml_find(&d->nvml_device, &d->nvml, d->card.uuid, &why) == ST_OK)
        return;
    nvml_close(&d->nvml);
    d->nvml = (struct nvml){ .library = NULL };
    d->nvml_device = NULL;
}

static uint64_t used_bytes(const struct gpu_device *d)
{
    struct nvml_memory bytes = { 0 };
    if (!d->nvml_device || nvml_call(&d->nvml, nvmlDeviceGetMemoryInfo, d->nvml_device, &bytes) != NVML_SUCCESS)
        return 0;
    return bytes.used;
}

static cudaError_t make_context(struct gpu_device *d, const char **call)
{
    size_t free_bytes = 0, all_bytes = 0;
    *call = "cudaInitDevice";
    cudaError_t code = cudaInitDevice(d->card.index, cudaDeviceScheduleSpin, cudaInitDeviceFlagsAreValid);
    if (code != cudaSuccess)
        return code;
    *call = "cudaSetDevice";
    code = cudaSetDevice(d->card.index);
    if (code != cudaSuccess)
        return code;
    d->has_context = true;
    *call = "cudaStreamCreateWithFlags";
    code = cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking);
    if (code != cudaSuccess)
        return code;
    *call = "cudaMemGetInfo";
    code = cudaMemGetInfo(&free_bytes, &all_bytes);
    d->free_before = free_bytes;
    return code;
}

enum status gpu_device_open(struct gpu_device *out, const struct gpu_card *card, const struct gpu_driver *driver,
                            struct err *err)
{
    const char *call;
    *out = (struct gpu_device){ .card = *card, .driver = *driver };
    find_in_nvml(out);
    uint64_t before = used_bytes(out);
    cudaError_t code = make_context(out, &call);
    if (code != cudaSuccess) {
        enum status st = context_failed(out, code, call, err);
        out->lost = st == ST_DEVICE_LOST;
        gpu_device_close(out);
        return st;
    }
    uint64_t after = used_bytes(out);
    out->context_bytes = before && after > before ? after - before : 0;
    return ST_OK;
}

enum status gpu_device_lanes(struct gpu_device *d, int lanes, struct err *err)
{
    enum status st = ST_OK;
    for (int i = 0; i + 1 < lanes && st == ST_OK; i++)
        if (!d->side[i])
            st = gpu_check(d, cudaStreamCreateWithFlags(&d->side[i], cudaStreamNonBlocking),
                           "cudaStreamCreateWithFlags", NULL, err);
    return st;
}

cudaStream_t gpu_device_lane(const struct gpu_device *d, int lane)
{
    return lane == 0 ? d->stream : d->side[lane - 1];
}

void gpu_device_close(struct gpu_device *d)
{
    if (d->stream && !d->lost)
        cudaStreamDestroy(d->stream);
    d->stream = NULL;
    for (int i = 0; i < GPU_LANES_MAX - 1; i++) {
        if (d->side[i] && !d->lost)
            cudaStreamDestroy(d->side[i]);
        d->side[i] = NULL;
    }
    nvml_close(&d->nvml);
    d->nvml = (struct nvml){ .library = NULL };
    d->nvml_device = NULL;
}

/* --- errors ----------------------------------------------------------------------------------------------- */

enum status gpu_check(struct gpu_device *d, cudaError_t code, const char *call, const char *detail, struct err *err)
{
    if (code == cudaSuccess)
        return ST_OK;
    struct gpu_fault fault = gpu_fault_of(FAULT_CUDA, (int)code, true);
    if (fault.ask_device && !d->lost) {
        cudaGetLastError();
        fault = gpu_fault_settle(fault, (int)cudaDeviceSynchronize());
    }
    enum status st = gpu_fault_set(err, FAULT_CUDA, (int)code, fault, call, detail);
    d->lost = d->lost || st == ST_DEVICE_LOST;
    return st;
}

enum status gpu_settle(struct gpu_device *d, enum status st, struct err *err)
{
    if (st == ST_OK || d->lost)
        return st;
    if (st == ST_DEVICE_LOST) {
        d->lost = true;
        return st;
    }
    cudaGetLastError();
    cudaError_t again = cudaDeviceSynchronize();
    if (again == cudaSuccess)
        return st;
    d->lost = true;
    char first[ERR_TEXT_MAX / 2] = "";
    if (err)
        snprintf(first, sizeof first, "%.*s", (int)sizeof first - 1, err->text);
    return gpu_fault_set(err, FAULT_CUDA, (int)again, (struct gpu_fault){ .status = ST_DEVICE_LOST, .sticky = true,
                         .name = cudaGetErrorName(again) }, "cudaDeviceSynchronize", first);
}
