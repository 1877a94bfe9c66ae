/* launch.h - how a kernel is launched, for nvcc and for a C++ compiler with the fiber shim (-DCUDA_SHIM):
 * include it in every .cu and _body.cuh before anything of the device language is used. Every kernel takes
 * one struct by value. A kernel's body does not return before a barrier. */
#ifndef CUDA_LAUNCH_H
#define CUDA_LAUNCH_H

#include <cstddef>

#include "kernels/cuda/passes/limits.h"

#ifdef CUDA_SHIM
#include "kernels/cuda/shim/shim.h"

#define DYN_SMEM(type, name) type *name = static_cast<type *>(shim_shared())
#define UNROLL
#define ROLLED

template <typename Argument>
void shim_invoke(void (*kernel)(void), const void *argument)
{
    Argument copy;
    std::memcpy(static_cast<void *>(&copy), argument, sizeof copy);
    reinterpret_cast<void (*)(Argument)>(kernel)(copy);
}

template <typename Argument>
int launch_kernel(const char *name, void (*kernel)(Argument), const gpu_launch &launch, CUstream_st *stream,
                  const Argument &argument)
{
    static_assert(sizeof argument <= SHIM_ARGUMENT_BYTES, "the shim keeps arguments of this size");
    shim_call call = {};
    call.kernel = name;
    call.invoke = shim_invoke<Argument>;
    call.function = reinterpret_cast<void (*)(void)>(kernel);
    call.launch = launch;
    call.argument_bytes = sizeof argument;
    std::memcpy(call.argument, &argument, sizeof argument);
    return shim_enqueue(stream, &call);
}
#else
#define DYN_SMEM(type, name) \
    extern __shared__ __align__(16) unsigned char dynamic_shared[]; \
    type *name = reinterpret_cast<type *>(dynamic_shared)
/* before a loop: every turn written out, so that arrays stay in registers */
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")  /* not at all */

template <typename Argument>
int launch_kernel(const char *, void (*kernel)(Argument), const gpu_launch &launch, CUstream_st *stream,
                  const Argument &argument)
{
    const void *function = reinterpret_cast<const void *>(kernel);
    if (launch.shared_bytes > 48 << 10) {
        cudaError_t error = cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                 static_cast<int>(launch.shared_bytes));
        if (error != cudaSuccess)
            return error;
    }
    void *list[] = { const_cast<Argument *>(&argument) };
    return cudaLaunchKernel(function, dim3(launch.grid[0], launch.grid[1], launch.grid[2]),
                            dim3(launch.block[0], launch.block[1], launch.block[2]), list,
                            launch.shared_bytes, stream);
}
#endif

/* The CUDA error of the launch as int (0: enqueued). `kernel` may be an instance of a template or a pointer
 * from a table. */
#define LAUNCH(launch, stream, kernel, argument) launch_kernel(#kernel, kernel, launch, stream, argument)

#endif
