/* cudart.h - what tests may ask of the fake CUDA runtime, and tell it. The runtime itself has the interface
 * of cuda_runtime_api.h; every cudart function that kernels/cuda uses is there.
 *
 * It behaves as a device does where that can go wrong: nothing runs before something waits for it; streams
 * are ordered by events only; pageable memory is staged when a copy is asked for, pinned memory is read when
 * the copy runs; while a stream captures, nothing runs and what is illegal under capture fails; a graph runs
 * its nodes in an order that only its dependencies fix, another one at every launch; device memory is
 * new garbage (0xCD), is gone when freed, and a host that touches it dies with a message. At exit what was
 * not freed is listed, and the program ends with 97.
 *
 * Script: environment variable BENCH_FAKE_CUDA, words of key=value with blanks between:
 *   memory=BYTES      of the device (suffixes KiB, MiB, GiB); preset 4GiB
 *   context=BYTES     what a context takes of it; preset 256MiB
 *   foreign=BYTES     taken by another process; preset 0
 *   devices=N         preset 1
 *   sm=NN             compute capability times ten: 75 80 86 89 90 100 120; preset 90
 *   driver=NNNNN      version the driver offers, 0: there is none; preset that of the headers
 *   count=CODE        cudaGetDeviceCount and all that follows return it: 803 mismatch, 34 stub, 802, 804 ...
 *   open=CODE         the first call that needs a context returns it: 46, 2, 209, 222 ...
 *   fail=NAME:N:CODE  the N-th call of function NAME ("cudaMalloc", "*" for any) returns CODE, once
 *   lost=KIND:N:CODE  the N-th operation of a kind (kernel, library, copy, fill, any) ends the device: that
 *                     code comes back from whatever waits and from every call after
 *   hang=KIND:N       the N-th operation never ends
 *   slow=MICROSECONDS every kernel and library operation takes so much longer
 *   wide=MICROSECONDS every kernel of more than 128 threads a block takes so much longer
 *   fill=BYTE         what new device memory holds, 0 to 255; preset 205 (0xCD)
 *   protect=0         the host may touch device memory (under valgrind); preset 1
 *   leaks=0           say nothing of leaks; preset 1
 *   trace=FILE        every call and operation, a line each
 * fail, lost and hang may stand there up to 16 times together. Any other word ends the program. */
#ifndef FAKE_CUDART_H
#define FAKE_CUDART_H

#include <stddef.h>

#include "tests/gpu/fake/enqueue.h"

/* Starts anew with this script, as if the process had just begun; whatever is still alive is forgotten. */
void fake_cudart_restart(const char *script);

size_t fake_cudart_allocated(void);             /* device bytes that are not freed */
size_t fake_cudart_peak(void);                  /* most of them at any time */
int    fake_cudart_has_context(void);
size_t fake_cudart_ran(enum fake_kind kind);    /* operations that ran */
/* Calls of one function ("cudaMalloc"), failed ones too. */
size_t fake_cudart_calls(const char *name);
/* What is not freed: device and pinned memory, streams, events, graphs. Printed to stderr if asked. */
size_t fake_cudart_leaks(int print);

#endif
