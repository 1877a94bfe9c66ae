/* The shim itself: barriers, shuffles, shared memory, both orders; and that it ends the program where a
 * kernel is wrong. */
#ifndef CUDA_SHIM
#define CUDA_SHIM
#endif
#include "tests/unit/cuda_kernel_help.h"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/cuda/passes/launch.h"
#include "kernels/cuda/passes/storage.cuh"

namespace {

struct array { int *out; int count; };

int run(const char *name, void (*kernel)(array), unsigned blocks, unsigned threads, size_t shared, array a)
{
    const gpu_launch launch = { { blocks, 1, 1 }, { threads, 1, 1 }, shared };
    return launch_kernel(name, kernel, launch, nullptr, a);
}

__global__ void rotate(array a) /* through shared memory: thread t gets what t + 1 wrote */
{
    DYN_SMEM(int, shared);
    shared[threadIdx.x] = (int)(blockIdx.x * 1000 + threadIdx.x);
    __syncthreads();
    a.out[blockIdx.x * blockDim.x + threadIdx.x] = shared[(threadIdx.x + 1) % blockDim.x];
}

void barriers_hold(void **)
{
    for (int reverse = 0; reverse < 2; reverse++) {
        std::vector<int> out(3 * 70);
        shim_set_reverse(reverse > 0);
        assert_int_equal(run("rotate", rotate, 3, 70, 70 * sizeof(int), { out.data(), 0 }), 0);
        for (int i = 0; i < 210; i++)
            assert_int_equal(out[(size_t)i], i / 70 * 1000 + (i % 70 + 1) % 70);
    }
    shim_set_reverse(false);
}

__global__ void shuffles(array a)
{
    const int t = (int)threadIdx.x;
    int *out = a.out + t * 4;
    out[0] = __shfl_xor_sync(0xffffffffu, t, 5);
    out[1] = __shfl_down_sync(0xffffffffu, t, 3, 8);
    out[2] = __shfl_sync(0xffffffffu, t, 9, 8);
    out[3] = __shfl_xor_sync(0xffffffffu, t, 16);
}

void shuffles_are_as_documented(void **)
{
    std::vector<int> out(64 * 4);
    assert_int_equal(run("shuffles", shuffles, 1, 64, 0, { out.data(), 0 }), 0);
    for (int t = 0; t < 64; t++) {
        const int *got = out.data() + t * 4, lane = t % 8;
        assert_int_equal(got[0], t ^ 5);
        assert_int_equal(got[1], lane + 3 < 8 ? t + 3 : t);
        assert_int_equal(got[2], t - lane + 1);
        assert_int_equal(got[3], t ^ 16);
    }
}

__global__ void without_barrier(array a) /* the wrong twin of rotate: fine only in one order */
{
    DYN_SMEM(int, shared);
    shared[threadIdx.x] = (int)threadIdx.x;
    a.out[threadIdx.x] = threadIdx.x ? shared[threadIdx.x - 1] : 0;
}

void reverse_order_shows_a_missing_barrier(void **)
{
    std::vector<int> forward(40), backward(40);
    run("without_barrier", without_barrier, 1, 40, 40 * sizeof(int), { forward.data(), 0 });
    shim_set_reverse(true);
    run("without_barrier", without_barrier, 1, 40, 40 * sizeof(int), { backward.data(), 0 });
    shim_set_reverse(false);
    assert_int_equal(forward[7], 6);
    assert_int_equal((unsigned)backward[7], 0xCDCDCDCDu); /* read before it was written */
}

__global__ void ends_early(array a)
{
    if ((int)threadIdx.x >= a.count)
        return;
    __syncthreads();
}
__global__ void parts_ways(array a)
{
    if ((int)threadIdx.x < a.count)
        __syncthreads();
    else
        __syncthreads();
}
__global__ void half_a_warp(array a)
{
    if ((int)threadIdx.x < a.count)
        a.out[0] = __shfl_xor_sync(0xffffffffu, 1, 1);
    __syncthreads();
}
__global__ void writes_past(array a)
{
    DYN_SMEM(int, shared);
    shared[a.count] = 1;
}

/* Whether a run of the kernel ends the program by abort, saying something with `word`. */
bool aborts(const char *name, void (*kernel)(array), int count, const char *word)
{
    int out[4] = {}, ends[2], status = 0;
    char said[512] = "";
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], 2);
        run(name, kernel, 1, 64, 64 * sizeof(int), { out, count });
        _exit(0);
    }
    close(ends[1]);
    size_t size = 0;
    for (ssize_t got;
         size < sizeof said - 1 && (got = read(ends[0], said + size, sizeof said - 1 - size)) > 0;)
        size += (size_t)got;
    close(ends[0]);
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && std::strstr(said, word) &&
           std::strstr(said, name);
}

void wrong_kernels_end_the_program(void **)
{
    assert_true(aborts("ends_early", ends_early, 40, "divergent barrier"));
    assert_false(aborts("ends_early", ends_early, 64, "divergent barrier"));
    assert_true(aborts("parts_ways", parts_ways, 40, "another barrier"));
    assert_false(aborts("parts_ways", parts_ways, 64, "another barrier"));
    assert_true(aborts("half_a_warp", half_a_warp, 16, "divergent barrier"));
    assert_false(aborts("half_a_warp", half_a_warp, 32, "divergent barrier"));
    assert_true(aborts("writes_past", writes_past, 64, "past its end"));
    assert_false(aborts("writes_past", writes_past, 63, "past its end"));
}

int kept_calls;
shim_call kept;
int keep(CUstream_st *, const shim_call *call)
{
    kept = *call;
    kept_calls++;
    return 7;
}

void launches_can_be_kept(void **)
{
    std::vector<int> out(4);
    shim_set_queue(keep);
    assert_int_equal(run("rotate", rotate, 1, 4, 4 * sizeof(int), { out.data(), 0 }), 7);
    shim_set_queue(nullptr);
    assert_int_equal(kept_calls, 1);
    assert_int_equal(out[0], 0);
    shim_run(&kept);
    assert_int_equal(out[0], 1);
}

/* Storage conversions: every 16-bit value there and back; neighbours of eight stay in place. */
template <typename T> void round_trip()
{
    for (unsigned bits = 0; bits < 0x10000; bits += 8) {
        alignas(16) T in[8], out[8];
        for (unsigned i = 0; i < 8; i++)
            in[i].bits = (unsigned short)(bits + i);
        store8(out, load8(in));
        for (int i = 0; i < 8; i++)
            if (!std::isnan(to_f32(in[i])))
                assert_int_equal(in[i].bits, out[i].bits);
            else
                assert_true(std::isnan(to_f32(out[i])));
    }
}
void storage_survives_a_round_trip(void **)
{
    round_trip<b16>();
    round_trip<h16>();
    assert_true(to_f32(from_f32<h16>(65520)) == INFINITY && to_f32(from_f32<h16>(65519)) == 65504);
    assert_true(to_f32(from_f32<h16>(2049)) == 2048 &&
                to_f32(from_f32<h16>(2051)) == 2052); /* ties to even */
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(barriers_hold),
        cmocka_unit_test(shuffles_are_as_documented),
        cmocka_unit_test(reverse_order_shows_a_missing_barrier),
        cmocka_unit_test(wrong_kernels_end_the_program),
        cmocka_unit_test(launches_can_be_kept),
        cmocka_unit_test(storage_survives_a_round_trip),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
