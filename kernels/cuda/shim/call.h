/* call.h - a launch of one of our kernels as a value, where kernels run on the CPU: it can be kept, put into
 * a queue, copied and run later, any number of times. Usable from C and C++.
 *
 * Threads of a block are fibers of the calling thread; blocks run one after another. One launch at a time in
 * the whole program: threadIdx and its siblings are global. */
#ifndef CUDA_SHIM_CALL_H
#define CUDA_SHIM_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/cuda/passes/limits.h"

#ifdef __cplusplus
extern "C" {
#endif

struct CUstream_st;

#define SHIM_ARGUMENT_BYTES 2048

struct shim_call {
    const char *kernel;                              /* its name, for messages */
    void (*invoke)(void (*kernel)(void), const void *argument);
    void (*function)(void);                          /* the kernel, to be called by invoke */
    struct gpu_launch launch;
    size_t argument_bytes;
#ifdef __cplusplus
    alignas(16)
#else
    _Alignas(16)
#endif
    unsigned char argument[SHIM_ARGUMENT_BYTES];     /* copied: what it points to is borrowed until the run */
};

/* Runs every block now. Ends the program with a message when threads of a block wait at different barriers,
 * when one has ended while others wait, or when dynamic shared memory was written past its end. */
void shim_run(const struct shim_call *call);

/* Blocks and threads in falling instead of rising order: results must be the same, bit for bit. */
void shim_set_reverse(bool reverse);

/* Where launches go instead of shim_run, e.g. into the queue of a stream (the call is borrowed: copy it). Its
 * result (cudaError_t as int) is that of the launch. NULL: run at once, result 0. */
void shim_set_queue(int (*enqueue)(struct CUstream_st *stream, const struct shim_call *call));
int  shim_enqueue(struct CUstream_st *stream, const struct shim_call *call);

#ifdef __cplusplus
}
#endif

#endif
