/* The tests of the kernels (tests/unit/cuda_*_test.cpp, which run them through the shim) on the GPU itself,
 * as the compiler for it made them: against the reference, guard zones, every case twice with the same bits.
 *
 * usage: gpu-kernel-tests [NAME ...]   only the files whose name has one of these in it
 * Exit code: 0 all passed, 1 not, 77 there is no GPU to run on (said on standard error). */
#include <cstdio>
#include <cstring>

#include <cuda_runtime_api.h>

#define X(file) int file##_main();
KERNEL_TESTS
#undef X

namespace {

const struct {
    const char *name;
    int (*run)();
} files[] = {
#define X(file) { #file, file##_main },
    KERNEL_TESTS
#undef X
};

bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (std::strstr(name, argv[i]))
            return true;
    return argc == 1;
}

} // namespace

int main(int argc, char **argv)
{
    cudaDeviceProp device;
    int failed = 0, ran = 0;
    const cudaError_t error = cudaGetDeviceProperties(&device, 0);
    if (error != cudaSuccess) {
        std::fprintf(stderr, "gpu-kernel-tests: no GPU to run on: %s\n", cudaGetErrorString(error));
        return 77;
    }
    std::printf("# %s, sm_%d%d\n", device.name, device.major, device.minor);
    for (const auto &file : files)
        if (wanted(file.name, argc, argv)) {
            std::printf("# %s\n", file.name);
            failed += file.run();
            ran++;
        }
    std::printf("%s: %d of the tests failed\n", failed ? "failed" : "passed", failed);
    return failed || !ran ? 1 : 0;
}
