/* cudart.c - the fake CUDA runtime: start, devices, errors. cudart.h says how it behaves. */
#include "tests/gpu/fake/cudart_state.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/len.h"
#include "kernels/cuda/shim/call.h"

#define EXIT_LEAK 97

struct fake_runtime fake;

/* Published figures of one card per compute capability. */
struct card {
    int sm;
    const char *name;
    int multiprocessors, sm_threads, sm_blocks;
    size_t optin, l2;
    int sm_clock_khz, memory_clock_khz;
};

static const struct card *card_of(int sm)
{
    static const struct card cards[] = {
        { 75, "NVIDIA T4", 40, 1024, 16, 65536, 4194304, 1590000, 5001000 },
        { 80, "NVIDIA A100-SXM4-80GB", 108, 2048, 32, 166912, 41943040, 1410000, 1593000 },
        { 86, "NVIDIA RTX A5000", 64, 1536, 16, 101376, 6291456, 1695000, 8001000 },
        { 89, "NVIDIA L40", 142, 1536, 24, 101376, 100663296, 2490000, 9001000 },
        { 90, "NVIDIA H100 80GB HBM3", 132, 2048, 32, 232448, 52428800, 1980000, 2619000 },
        { 100, "NVIDIA B200", 148, 2048, 32, 232448, 132644864, 1965000, 3996000 },
        { 120, "NVIDIA GeForce RTX 5090", 170, 1536, 24, 101376, 100663296, 2407000, 14001000 },
    };
    for (size_t i = 0; i < LEN(cards); i++)
        if (cards[i].sm == sm)
            return &cards[i];
    fprintf(stderr, "BENCH_FAKE_CUDA: sm=%d: no such card\n", sm);
    exit(98);
}

/* --- start and end -------------------------------------------------------------------------------------- */

static void run_kernel(void *argument)
{
    const struct shim_call *call = argument;
    if (fake.script.wide_us && call->launch.block[0] * call->launch.block[1] * call->launch.block[2] > 128)
        usleep(fake.script.wide_us);
    shim_run(call);
}

/* What a device refuses. The shim's kernels come here. */
static int put_kernel(struct CUstream_st *stream, const struct shim_call *call)
{
    const struct gpu_launch *l = &call->launch;
    bool empty = false;
    for (int i = 0; i < 3; i++)
        empty = empty || l->grid[i] == 0 || l->block[i] == 0;
    if (empty || l->grid[0] > 2147483647u || l->grid[1] > 65535 || l->grid[2] > 65535 || l->block[2] > 64 ||
        (size_t)l->block[0] * l->block[1] * l->block[2] > 1024)
        return (int)fake_leave(cudaErrorInvalidConfiguration);
    if (l->shared_bytes > card_of(fake.script.sm)->optin)
        return (int)fake_leave(cudaErrorInvalidValue);
    return fake_enqueue(stream, FAKE_KERNEL, run_kernel, call, sizeof *call);
}

size_t fake_cudart_leaks(int print)
{
    size_t streams = 0, events = 0, count;
    for (struct CUstream_st *s = fake.streams; s; s = s->next)
        streams++;
    for (struct CUevent_st *e = fake.events; e; e = e->next)
        events++;
    count = fake.device.count + fake.pinned.count + streams + events + fake.graphs + fake.execs;
    if (print && count)
        fprintf(stderr,
                "fake cudart: not freed: %zu bytes of device memory in %zu blocks, %zu blocks of pinned "
                "memory, %zu streams, %zu events, %zu graphs, %zu graph executables\n",
                fake.used, fake.device.count, fake.pinned.count, streams, events, fake.graphs, fake.execs);
    return count;
}

static void at_end(void)
{
    if (fake.trace)
        fclose(fake.trace);
    fake.trace = NULL;
    size_t leaks = fake.sticky || !fake.script.leaks ? 0 : fake_cudart_leaks(1);
    fake_memory_forget(); /* looks at the guards */
    if (leaks) {
        fflush(NULL);
        _exit(EXIT_LEAK);
    }
}

static void start(const char *script)
{
    static bool registered;
    fake = (struct fake_runtime){ .started = true };
    fake_script_read(&fake.script, script);
    if (fake.script.trace[0])
        fake.trace = fopen(fake.script.trace, "a");
    if (!registered)
        atexit(at_end);
    registered = true;
    fake_memory_watch();
    shim_set_queue(put_kernel);
}

void fake_cudart_restart(const char *script)
{
    if (fake.trace)
        fclose(fake.trace);
    fake_memory_forget();
    fake_streams_forget();
    start(script);
}

/* --- every call ----------------------------------------------------------------------------------------- */

static size_t *count_of(const char *name)
{
    for (size_t i = 0; i < fake.call_count; i++)
        if (strcmp(fake.calls[i].name, name) == 0)
            return &fake.calls[i].count;
    if (fake.call_count == LEN(fake.calls))
        abort();
    snprintf(fake.calls[fake.call_count].name, sizeof fake.calls->name, "%s", name);
    return &fake.calls[fake.call_count++].count;
}

size_t fake_cudart_calls(const char *name)
{
    for (size_t i = 0; i < fake.call_count; i++)
        if (strcmp(fake.calls[i].name, name) == 0)
            return fake.calls[i].count;
    return 0;
}

size_t fake_cudart_ran(enum fake_kind kind)
{
    return fake.ran[kind];
}

int fake_cudart_has_context(void)
{
    return fake.context;
}

/* What stands between the process and the first device; 0: nothing. */
static int refusal(void)
{
    if (fake.script.count_code)
        return fake.script.count_code;
    if (fake.script.driver / 1000 < CUDART_VERSION / 1000)
        return cudaErrorInsufficientDriver;
    return fake.script.devices ? 0 : (int)cudaErrorNoDevice;
}

cudaError_t fake_enter(const char *name, enum fake_need need)
{
    if (!fake.started)
        start(getenv("BENCH_FAKE_CUDA"));
    ++*count_of(name);
    if (fake.trace)
        fprintf(fake.trace, "call %s\n", name);
    int code = fake_script_meet(&fake.script, FAKE_FAIL, name);
    if (code)
        return (cudaError_t)code;
    if (need == NEED_NOTHING)
        return cudaSuccess;
    if (fake.sticky)
        return (cudaError_t)fake.sticky;
    code = refusal();
    if (code || need == NEED_DEVICE || fake.context)
        return (cudaError_t)code;
    if (fake.script.open_code)
        return (cudaError_t)fake.script.open_code;
    if (fake.script.foreign + fake.script.context_bytes > fake.script.memory)
        return cudaErrorMemoryAllocation;
    fake.context = true;
    return cudaSuccess;
}

int fake_call(const char *name)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* plans may be built by several threads */
    pthread_mutex_lock(&lock);
    int code = (int)fake_enter(name, NEED_NOTHING);
    pthread_mutex_unlock(&lock);
    return code;
}

int fake_device_sm(void)
{
    return fake.script.sm;
}

cudaError_t fake_leave(cudaError_t error)
{
    if (error)
        fake.last_error = (int)error;
    return error;
}

/* --- versions and errors -------------------------------------------------------------------------------- */

cudaError_t cudaDriverGetVersion(int *version)
{
    ENTER(NEED_NOTHING);
    *version = fake.script.count_code == cudaErrorStubLibrary ? 0 : fake.script.driver;
    return fake_leave(fake.script.count_code == cudaErrorStubLibrary ? cudaErrorStubLibrary : cudaSuccess);
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    ENTER(NEED_NOTHING);
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaPeekAtLastError(void)
{
    ENTER(NEED_NOTHING);
    return (cudaError_t)(fake.sticky ? fake.sticky : fake.last_error);
}

cudaError_t cudaGetLastError(void)
{
    ENTER(NEED_NOTHING);
    int error = fake.sticky ? fake.sticky : fake.last_error;
    fake.last_error = 0;
    return (cudaError_t)error;
}

#define ERROR_LIST(X) \
    X(cudaSuccess, "no error") \
    X(cudaErrorInvalidValue, "invalid argument") \
    X(cudaErrorMemoryAllocation, "out of memory") \
    X(cudaErrorInitializationError, "initialization error") \
    X(cudaErrorInvalidConfiguration, "invalid configuration argument") \
    X(cudaErrorInvalidPitchValue, "invalid pitch argument") \
    X(cudaErrorStubLibrary, "CUDA driver is a stub library") \
    X(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version") \
    X(cudaErrorDevicesUnavailable, "CUDA-capable device(s) is/are busy or unavailable") \
    X(cudaErrorNoDevice, "no CUDA-capable device is detected") \
    X(cudaErrorInvalidDevice, "invalid device ordinal") \
    X(cudaErrorNoKernelImageForDevice, "no kernel image is available for execution on the device") \
    X(cudaErrorECCUncorrectable, "uncorrectable ECC error encountered") \
    X(cudaErrorNvlinkUncorrectable, "uncorrectable NVLink error detected during the execution") \
    X(cudaErrorUnsupportedPtxVersion, "the provided PTX was compiled with an unsupported toolchain.") \
    X(cudaErrorContained, "Invalid access of peer GPU memory over nvlink or a hardware error") \
    X(cudaErrorInvalidResourceHandle, "invalid resource handle") \
    X(cudaErrorIllegalState, "the operation cannot be performed in the present state") \
    X(cudaErrorNotReady, "device not ready") \
    X(cudaErrorIllegalAddress, "an illegal memory access was encountered") \
    X(cudaErrorLaunchTimeout, "the launch timed out and was terminated") \
    X(cudaErrorAssert, "device-side assert triggered") \
    X(cudaErrorHardwareStackError, "hardware stack error") \
    X(cudaErrorIllegalInstruction, "an illegal instruction was encountered") \
    X(cudaErrorMisalignedAddress, "misaligned address") \
    X(cudaErrorInvalidAddressSpace, "operation not supported on global/shared address space") \
    X(cudaErrorInvalidPc, "invalid program counter") \
    X(cudaErrorLaunchFailure, "unspecified launch failure") \
    X(cudaErrorNotSupported, "operation not supported") \
    X(cudaErrorSystemNotReady, "system not yet initialized") \
    X(cudaErrorSystemDriverMismatch, "system has unsupported display driver / cuda driver combination") \
    X(cudaErrorCompatNotSupportedOnDevice, "forward compatibility was attempted on non supported HW") \
    X(cudaErrorMpsConnectionFailed, \
      "MPS client failed to connect to the MPS control daemon or the MPS server") \
    X(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing") \
    X(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture") \
    X(cudaErrorStreamCaptureUnmatched, "capture was ended from another stream") \
    X(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work") \
    X(cudaErrorStreamCaptureIsolation, "dependency created on uncaptured work in another stream") \
    X(cudaErrorStreamCaptureImplicit, \
      "operation would make the legacy stream depend on a capturing blocking stream") \
    X(cudaErrorCapturedEvent, "operation not permitted on an event last recorded in a capturing stream") \
    X(cudaErrorUnknown, "unknown error")

static const struct { int code; const char *name, *text; } errors[] = {
#define X(error, sentence) { (int)error, #error, sentence },
    ERROR_LIST(X)
#undef X
};

const char *cudaGetErrorName(cudaError_t error)
{
    for (size_t i = 0; i < LEN(errors); i++)
        if (errors[i].code == (int)error)
            return errors[i].name;
    return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error)
{
    for (size_t i = 0; i < LEN(errors); i++)
        if (errors[i].code == (int)error)
            return errors[i].text;
    return "unrecognized error code";
}

/* --- devices -------------------------------------------------------------------------------------------- */

static bool no_such_device(int device)
{
    return device < 0 || device >= fake.script.devices;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 0;
    ENTER(NEED_DEVICE);
    *count = fake.script.devices;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
    ENTER(NEED_DEVICE);
    if (no_such_device(device))
        return fake_leave(cudaErrorInvalidDevice);
    const struct card *card = card_of(fake.script.sm);
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "%s", card->name);
    /* 11111111-2222-3333-4444-555555555555; of the next device the last byte is one more */
    memcpy(p->uuid.bytes, "\x11\x11\x11\x11\x22\x22\x33\x33\x44\x44UUUUUU", sizeof p->uuid.bytes);
    p->uuid.bytes[15] = (char)(p->uuid.bytes[15] + device);
    p->totalGlobalMem = fake.script.memory;
    p->sharedMemPerBlock = 49152;
    p->sharedMemPerBlockOptin = card->optin;
    p->sharedMemPerMultiprocessor = card->optin + 1024;
    p->reservedSharedMemPerBlock = 1024;
    p->regsPerBlock = p->regsPerMultiprocessor = 65536;
    p->warpSize = 32;
    p->maxThreadsPerBlock = 1024;
    p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
    p->maxThreadsDim[2] = 64;
    p->maxGridSize[0] = 2147483647;
    p->maxGridSize[1] = p->maxGridSize[2] = 65535;
    p->major = card->sm / 10;
    p->minor = card->sm % 10;
    p->multiProcessorCount = card->multiprocessors;
    p->maxThreadsPerMultiProcessor = card->sm_threads;
    p->maxBlocksPerMultiProcessor = card->sm_blocks;
    p->l2CacheSize = (int)card->l2;
    p->pciBusID = 1 + device;
    p->asyncEngineCount = 2;
    p->concurrentKernels = p->unifiedAddressing = p->canMapHostMemory = p->cooperativeLaunch = 1;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr which, int device)
{
    ENTER(NEED_DEVICE);
    if (no_such_device(device))
        return fake_leave(cudaErrorInvalidDevice);
    const struct card *card = card_of(fake.script.sm);
    const struct { enum cudaDeviceAttr which; int value; } rows[] = {
        { cudaDevAttrMaxThreadsPerBlock, 1024 },
        { cudaDevAttrMaxSharedMemoryPerBlock, 49152 },
        { cudaDevAttrMaxSharedMemoryPerBlockOptin, (int)card->optin },
        { cudaDevAttrReservedSharedMemoryPerBlock, 1024 },
        { cudaDevAttrWarpSize, 32 },
        { cudaDevAttrMaxRegistersPerBlock, 65536 },
        { cudaDevAttrClockRate, card->sm_clock_khz },
        { cudaDevAttrMemoryClockRate, card->memory_clock_khz },
        { cudaDevAttrMultiProcessorCount, card->multiprocessors },
        { cudaDevAttrMaxThreadsPerMultiProcessor, card->sm_threads },
        { cudaDevAttrMaxBlocksPerMultiprocessor, card->sm_blocks },
        { cudaDevAttrL2CacheSize, (int)card->l2 },
        { cudaDevAttrComputeCapabilityMajor, card->sm / 10 },
        { cudaDevAttrComputeCapabilityMinor, card->sm % 10 },
        { cudaDevAttrAsyncEngineCount, 2 },
        { cudaDevAttrConcurrentKernels, 1 },
        { cudaDevAttrPciBusId, 1 + device },
    };
    for (size_t i = 0; i < LEN(rows); i++)
        if (rows[i].which == which) {
            *value = rows[i].value;
            return cudaSuccess;
        }
    return fake_leave(cudaErrorInvalidValue);
}

cudaError_t cudaDeviceGetPCIBusId(char *out, int size, int device)
{
    ENTER(NEED_DEVICE);
    if (no_such_device(device))
        return fake_leave(cudaErrorInvalidDevice);
    snprintf(out, (size_t)size, "0000:%02X:00.0", 1 + device);
    return cudaSuccess;
}

cudaError_t cudaSetDeviceFlags(unsigned flags)
{
    (void)flags;
    ENTER(NEED_DEVICE);
    return cudaSuccess;
}

cudaError_t cudaInitDevice(int device, unsigned device_flags, unsigned flags)
{
    (void)device_flags;
    (void)flags;
    ENTER(NEED_CONTEXT);
    return fake_leave(no_such_device(device) ? cudaErrorInvalidDevice : cudaSuccess);
}

cudaError_t cudaSetDevice(int device)
{
    ENTER(NEED_CONTEXT);
    return fake_leave(no_such_device(device) ? cudaErrorInvalidDevice : cudaSuccess);
}

cudaError_t cudaGetDevice(int *device)
{
    ENTER(NEED_DEVICE);
    *device = 0;
    return cudaSuccess;
}

cudaError_t cudaDeviceReset(void)
{
    ENTER(NEED_CONTEXT);
    fake_run_all();
    fake_memory_forget();
    fake_streams_forget();
    fake.graphs = fake.execs = 0;
    fake.context = false;
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value)
{
    ENTER(NEED_CONTEXT);
    if (!function || (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize &&
                      (value < 0 || (size_t)value > card_of(fake.script.sm)->optin)))
        return fake_leave(cudaErrorInvalidValue);
    return cudaSuccess;
}
