/* managed.h - memory that both the host and the GPU reach by the same pointer, for tests that run on a
 * device. Works of the host and of the device must not overlap: run_to_end waits. */
#ifndef TESTS_GPU_DEVICE_MANAGED_H
#define TESTS_GPU_DEVICE_MANAGED_H

#include <cstddef>
#include <functional>
#include <new>

#include <cuda_runtime_api.h>

template <typename T> struct reached_by_both {
    typedef T value_type;
    reached_by_both() = default;
    template <typename U> reached_by_both(const reached_by_both<U> &) {}
    T *allocate(std::size_t count)
    {
        void *memory = nullptr;
        if (cudaMallocManaged(&memory, count * sizeof(T), cudaMemAttachGlobal) != cudaSuccess)
            throw std::bad_alloc();
        return static_cast<T *>(memory);
    }
    void deallocate(T *memory, std::size_t) { cudaFree(memory); }
    template <typename U> bool operator==(const reached_by_both<U> &) const { return true; }
    template <typename U> bool operator!=(const reached_by_both<U> &) const { return false; }
};

/* What the launches of `work` gave, or what the GPU says at their end. */
inline int run_to_end(const std::function<int()> &work, bool)
{
    const int error = work();
    return error ? error : static_cast<int>(cudaDeviceSynchronize());
}

#endif
