#include "kernels/cuda/passes/launch.h"

#include "kernels/cuda/passes/wild.h"

#ifdef CUDA_SHIM
int gpu_wild_write(struct CUstream_st *)
{
    return 700;
}
#else
__global__ void wild_kernel(volatile unsigned *nowhere)
{
    *nowhere = 1;
}

int gpu_wild_write(struct CUstream_st *stream)
{
    const struct gpu_launch launch = { { 1, 1, 1 }, { 1, 1, 1 }, 0 };
    return LAUNCH(launch, stream, wild_kernel, (volatile unsigned *)16);
}
#endif
