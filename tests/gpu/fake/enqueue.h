/* enqueue.h - how everything that "runs on the device" gets onto a stream of the fake CUDA runtime: kernels
 * through the shim's LAUNCH, plans of the fake cuDNN, products of the fake cuBLASLt.
 *
 * The runtime executes an operation when something waits for it, in the order of its stream; while the
 * stream is captured it is recorded instead and runs with every launch of the graph. Device memory can be
 * touched by operations only.
 *
 * The symbol is weak: in a program without the fake runtime it is NULL, and the caller runs the operation at
 * once (fake_run does both). A program that opens the fake libraries must be linked with -rdynamic, or they
 * do not see it. Usable from C and C++. */
#ifndef FAKE_ENQUEUE_H
#define FAKE_ENQUEUE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct CUstream_st;

/* Reads its argument, which is the same for every run. */
typedef void fake_operation(void *argument);

enum fake_kind { FAKE_KERNEL, FAKE_LIBRARY, FAKE_COPY, FAKE_FILL, FAKE_EVENT };

/* Copies `size` bytes of the argument. Returns the CUDA error as int, 0 if the operation is on the stream. */
int fake_enqueue(struct CUstream_st *stream, enum fake_kind kind, fake_operation *run, const void *argument,
                 size_t size) __attribute__((weak));

/* Is all of [pointer, pointer + bytes) inside one piece of device memory? Weak too. */
int fake_is_device(const void *pointer, size_t bytes) __attribute__((weak));

/* For the fake libraries: counts a call of theirs and gives the code that the script has for it, 0: none;
 * the compute capability of the device times ten. Weak too. */
int fake_call(const char *name) __attribute__((weak));
int fake_device_sm(void) __attribute__((weak));
/* For the fake NVML: device memory of this process, with its context; 0: it has none. Weak too. */
size_t fake_own_bytes(void) __attribute__((weak));

static inline int fake_run(struct CUstream_st *stream, enum fake_kind kind, fake_operation *run,
                           void *argument, size_t size)
{
    if (fake_enqueue)
        return fake_enqueue(stream, kind, run, argument, size);
    run(argument);
    return 0;
}

#ifdef __cplusplus
}
#endif

#endif
