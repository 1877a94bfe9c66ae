/* wild.h - a kernel that does what none should: for tests of a lost device. Usable from C and C++. */
#ifndef CUDA_WILD_H
#define CUDA_WILD_H

#ifdef __cplusplus
extern "C" {
#endif

struct CUstream_st;

/* Enqueues a write to an address that is no memory: from then on every call on the device fails (cudaErrorIllegalAddress).
 * Returns the error of the launch; through the shim, which cannot fail so, that error itself. */
int gpu_wild_write(struct CUstream_st *stream);

#ifdef __cplusplus
}
#endif

#endif
