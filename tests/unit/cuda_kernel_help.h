/* cuda_kernel_help.h - for tests that run our GPU kernels on the CPU (C++, linked with the kernels built for
 * the shim): memory with guard zones, tensors that may be slices, every case run forward and in reverse. With
 * TESTS_ON_DEVICE the same tests run on a GPU (tests/gpu/device/): memory is what both sides reach, and the
 * second run is in no other order than the first. */
#ifndef TESTS_CUDA_KERNEL_HELP_H
#define TESTS_CUDA_KERNEL_HELP_H

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

extern "C" {
#include <cmocka.h>
#include "kernels/base/rng.h"
}
#include "kernels/base/half.h"
#include "kernels/cuda/passes/kernels.h"
#ifdef TESTS_ON_DEVICE
#include "tests/gpu/device/managed.h"
#else
#include "kernels/cuda/shim/call.h"

template <typename T> using reached_by_both = std::allocator<T>;
inline int run_to_end(const std::function<int()> &work, bool reverse)
{
    shim_set_reverse(reverse);
    int error = work();
    shim_set_reverse(false);
    return error;
}
#endif

/* A device as the tests know it: few multiprocessors, so that images have several blocks. */
inline gpu_limits test_limits()
{
    gpu_limits l = {};
    l.sm = 86;
    l.multiprocessors = 3;
    l.block_threads = 1024;
    l.sm_threads = 1536;
    l.sm_blocks = 16;
    l.shared_bytes = 48 << 10;
    l.shared_optin_bytes = 101376;
    l.l2_bytes = 6 << 20;
    return l;
}

/* Every block shape, for a loop over them. */
inline std::vector<gpu_shape> all_shapes()
{
    std::vector<gpu_shape> shapes;
    for (int i = 0; i < GPU_SHAPES; i++)
        shapes.push_back((gpu_shape)i);
    return shapes;
}

inline int random_int(rng *r, int lo, int hi) { return lo + (int)(rng_next(r) % (uint64_t)(hi - lo + 1)); }
inline bool random_bool(rng *r) { return rng_next(r) % 2 == 0; }
inline enum fused_type random_type(rng *r) { return (enum fused_type)random_int(r, 0, 2); }
inline size_t view_pixels(const fused_view &v) { return (size_t)v.n * (size_t)v.h * (size_t)v.w; }

inline double stored(const void *data, enum fused_type type, size_t at)
{
    if (type == FUSED_F32)
        return (double)static_cast<const float *>(data)[at];
    uint16_t bits = static_cast<const uint16_t *>(data)[at];
    return (double)(type == FUSED_BF16 ? f32_of_bf16(bits) : f32_of_f16(bits));
}
inline void store(void *data, enum fused_type type, size_t at, float x)
{
    if (type == FUSED_F32)
        static_cast<float *>(data)[at] = x;
    else
        static_cast<uint16_t *>(data)[at] = type == FUSED_BF16 ? bf16_of_f32(x) : f16_of_f32(x);
}
inline double view_get(const fused_view &v, size_t pixel, int k)
{
    return stored(v.data, v.type, pixel * (size_t)v.stride + (size_t)k);
}

/* |got - want| within slack * (1 + |want|) and the rounding to the type (half a unit of its last place). */
inline bool near(double got, double want, enum fused_type type, double slack)
{
    double unit = type == FUSED_F32 ? 0 : type == FUSED_BF16 ? 1.0 / 256 : 1.0 / 2048;
    return std::fabs(got - want) <= slack * (1 + std::fabs(want)) + unit * 1.001 * std::fabs(want);
}

/* All memory of one case. Everything lies in buffers between guard zones; run() checks them. */
class case_memory {
public:
    /* `bytes` bytes at a multiple of 256, each of them `fill`. */
    void *bytes(size_t count, unsigned char fill)
    {
        auto b = std::make_unique<buffer>();
        b->count = count;
        b->all.assign(2 * guard + count + 256, guard_byte);
        size_t skip = (256 - (reinterpret_cast<uintptr_t>(b->all.data()) + guard) % 256) % 256;
        b->first = guard + skip;
        std::memset(b->all.data() + b->first, fill, count);
        buffers.push_back(std::move(b));
        return buffers.back()->all.data() + buffers.back()->first;
    }
    /* Outputs: NaN in every type, so that what is not written is seen. */
    float *floats(size_t count) { return static_cast<float *>(bytes(count * sizeof(float), 0xff)); }
    float *normals(size_t count, rng *r, double mean, double spread)
    {
        float *x = floats(count);
        for (size_t i = 0; i < count; i++)
            x[i] = (float)(mean + spread * rng_normal(r));
        return x;
    }
    /* [n][c], zero in channels from c_real on. */
    float *coefficients(int n, int c, int c_real, rng *r, double mean, double spread)
    {
        float *x = normals((size_t)n * (size_t)c, r, mean, spread);
        for (int i = 0; i < n * c; i++)
            x[i] = i % c < c_real ? x[i] : 0;
        return x;
    }
    /* A slice of `c` channels of a tensor that has `gap` more (a multiple of 8, about half before it); not
     * filled. */
    fused_view view(enum fused_type type, int n, int h, int w, int c, int gap)
    {
        fused_view v = {};
        v.type = type, v.n = n, v.h = h, v.w = w, v.c = c, v.stride = c + gap;
        size_t count = view_pixels(v) * (size_t)v.stride, before = (size_t)gap / 16 * 8;
        v.data = static_cast<char *>(bytes(count * fused_bytes(type), 0xff)) + before * fused_bytes(type);
        return v;
    }
    /* The same with normal values, zero in channels from c_real on. */
    fused_view tensor(enum fused_type type, int n, int h, int w, int c, int c_real, int gap, rng *r,
                      double mean, double spread)
    {
        fused_view v = view(type, n, h, w, c, gap);
        for (size_t p = 0; p < view_pixels(v); p++)
            for (int k = 0; k < c; k++)
                store(v.data, type, p * (size_t)v.stride + (size_t)k,
                      k < c_real ? (float)(mean + spread * rng_normal(r)) : 0);
        return v;
    }
    gpu_place place(size_t scratch_bytes, gpu_shape shape = GPU_SHAPE_EVEN)
    {
        limits = test_limits();
        tickets = static_cast<unsigned *>(bytes(GPU_TICKETS * sizeof(unsigned), 0));
        gpu_place at = {};
        at.scratch = bytes(scratch_bytes, 0xff);
        at.tickets = tickets;
        at.limits = &limits;
        at.shape = shape;
        return at;
    }

    /* Runs `work` forward, puts all memory back, and runs it in reverse: fails unless both give the same
     * bytes (scratch, the last `place`'s, may differ: which block adds up is left open), guard zones are
     * intact and tickets zero. */
    void run(const std::function<int()> &work)
    {
        std::vector<std::vector<unsigned char>> before = contents(), forward;
        assert_int_equal(run_to_end(work, false), 0);
        forward = contents();
        for (size_t i = 0; i < buffers.size(); i++)
            std::copy(before[i].begin(), before[i].end(), buffers[i]->all.begin());
        assert_int_equal(run_to_end(work, true), 0);
        std::vector<std::vector<unsigned char>> reverse = contents();
        for (size_t i = 0; i < buffers.size(); i++)
            if (forward[i] != reverse[i])
                fail_msg("buffer %zu: blocks and threads in reverse give other bytes", i);
        check();
    }
    void check() const
    {
        for (size_t i = 0; i < buffers.size(); i++) {
            const buffer &b = *buffers[i];
            for (size_t j = 0; j < b.all.size(); j = j + 1 == b.first ? j + 1 + b.count : j + 1)
                if (b.all[j] != guard_byte)
                    fail_msg("buffer %zu: byte %td outside its %zu bytes was written", i,
                             (ptrdiff_t)(j - b.first), b.count);
        }
        for (size_t i = 0; tickets && i < GPU_TICKETS; i++)
            assert_int_equal(tickets[i], 0);
    }

private:
    struct buffer {
        std::vector<unsigned char, reached_by_both<unsigned char>> all;
        size_t first, count;
    };
    static constexpr size_t guard = 256;
    static constexpr unsigned char guard_byte = 0x7b;
    std::vector<std::unique_ptr<buffer>> buffers;
    gpu_limits limits = {};
    unsigned *tickets = nullptr;

    std::vector<std::vector<unsigned char>> contents() const
    {
        std::vector<std::vector<unsigned char>> all;
        for (const auto &b : buffers)
            all.emplace_back(b->all.begin(), b->all.end());
        return all;
    }
};

/* Bytes between the channels of a slice that are no longer 0xff (`v` made by view(), with a gap). */
inline size_t gap_misses(const fused_view &v)
{
    size_t misses = 0, size = fused_bytes(v.type), before = (size_t)(v.stride - v.c) / 16 * 8;
    const unsigned char *first = static_cast<const unsigned char *>(v.data) - before * size;
    for (size_t p = 0; p < view_pixels(v); p++)
        for (size_t i = 0; i < (size_t)v.stride * size; i++) {
            bool inside = i >= before * size && i < (before + (size_t)v.c) * size;
            misses += !inside && first[p * (size_t)v.stride * size + i] != 0xff;
        }
    return misses;
}

/* Values of the view that are not near want[pixel][c_want], or not zero from c_want on. */
inline size_t view_misses(const fused_view &v, const std::vector<double> &want, int c_want, double slack)
{
    size_t misses = 0;
    for (size_t p = 0; p < view_pixels(v); p++)
        for (int k = 0; k < v.c; k++) {
            double got = view_get(v, p, k);
            misses += k < c_want ? !near(got, want[p * (size_t)c_want + (size_t)k], v.type, slack) : got != 0;
        }
    return misses;
}

inline size_t float_misses(const float *got, const std::vector<double> &want, double slack)
{
    size_t misses = 0;
    for (size_t i = 0; i < want.size(); i++)
        misses += !near((double)got[i], want[i], FUSED_F32, slack);
    return misses;
}

/* (N,H,W,C) doubles without gaps, `c` channels of the view, as the reference wants them. */
inline std::vector<double> view_doubles(const fused_view &v, int c)
{
    std::vector<double> out;
    for (size_t p = 0; p < view_pixels(v); p++)
        for (int k = 0; k < c; k++)
            out.push_back(view_get(v, p, k));
    return out;
}

#endif
