/* bench-worker-cuda: the networks on an NVIDIA GPU, cuDNN's and cuBLASLt's products and our own kernels. */
#include "kernels/cuda/engine.h"
#include "kernels/worker/server.h"

int main(int argc, char **argv)
{
    return worker_main(cuda_engine(), argc, argv);
}
