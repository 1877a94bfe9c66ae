/* hello.h - what the engine says of itself and of this machine before it takes anything from it. */
#ifndef CUDA_HELLO_H
#define CUDA_HELLO_H

#include "kernels/worker/engine.h"

/* Devices, precisions, versions of what is really loaded; more: paths, capabilities built for, scheduling mode, and the
 * variables of the environment that change arithmetic. Takes no device memory. ST_ENVIRONMENT. */
enum status gpu_hello(struct hello_info *out, struct err *err);

#endif
