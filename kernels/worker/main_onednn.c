/* bench-worker-onednn: the networks on the CPU, oneDNN's convolutions and our fused kernels. */
#include "kernels/cpu/engine.h"
#include "kernels/worker/server.h"

int main(int argc, char **argv)
{
    return worker_main(onednn_engine(), argc, argv);
}
