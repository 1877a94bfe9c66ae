/* Tensors into and out of NHWC, and the order of a transposed convolution: every value where the definition
 * says, all types, odd sizes, slices. */
#include "tests/unit/cuda_kernel_help.h"

namespace {

/* The value as `type` stores it. */
double rounded(float x, enum fused_type type)
{
    char room[4];
    store(room, type, 0, x);
    return stored(room, type, 0);
}

size_t pack_misses(const fused_pack &op)
{
    const fused_view &v = op.dst;
    size_t misses = gap_misses(v), plane = (size_t)v.h * (size_t)v.w;
    for (size_t p = 0; p < view_pixels(v); p++)
        for (int k = 0; k < v.c; k++) {
            const size_t at = (p / plane * (size_t)op.c_real + (size_t)k) * plane + p % plane;
            misses += view_get(v, p, k) != (k < op.c_real ? rounded(op.src[at], v.type) : 0);
        }
    return misses;
}

void pack_puts_each_value_in_place(void **)
{
    const int stored_channels[] = { 3, 4, 8, 8, 16, 24, 5 };
    for (int seed = 1; seed <= 42; seed++) {
        rng r = rng_seeded((uint64_t)seed);
        case_memory memory;
        const int c = stored_channels[seed % 7], n = 1 + seed % 3, h = random_int(&r, 1, 33),
                  w = 1 + seed % 33;
        fused_pack op = {};
        op.c_real = random_int(&r, c > 8 ? c - 7 : 1, c);
        op.src = memory.normals((size_t)(n * op.c_real * h * w), &r, 0, 1);
        op.dst = memory.view(random_type(&r), n, h, w, c, c % 8 ? 0 : 8 * random_int(&r, 0, 2));
        gpu_place at = memory.place(gpu_pack_scratch(&op, nullptr));
        memory.run([&] { return gpu_pack(&op, &at); });
        assert_int_equal(pack_misses(op), 0);
        if (h * w > 1) { /* the wrong twin: the neighbour's value */
            op.src++;
            assert_true(pack_misses(op) > 0);
        }
    }
}

void unpack_is_its_inverse(void **)
{
    for (int seed = 1; seed <= 33; seed++) {
        rng r = rng_seeded((uint64_t)seed);
        case_memory memory;
        const int n = 1 + seed % 3, h = random_int(&r, 1, 33), w = seed, c = 8 * random_int(&r, 1, 3);
        fused_unpack op = {};
        op.c_real = random_int(&r, 1, c), op.first = random_int(&r, 0, 3),
        op.dst_c = op.first + op.c_real + random_int(&r, 0, 2);
        op.src = memory.tensor(random_type(&r), n, h, w, c, c, 8 * random_int(&r, 0, 2), &r, 0, 1);
        const size_t plane = (size_t)h * (size_t)w, count = (size_t)n * (size_t)op.dst_c * plane;
        float *dst = memory.normals(count, &r, 5, 0);
        op.dst = dst;
        gpu_place at = memory.place(gpu_unpack_scratch(&op, nullptr));
        memory.run([&] { return gpu_unpack(&op, &at); });
        for (size_t i = 0; i < count; i++) {
            const int k = (int)(i / plane % (size_t)op.dst_c) - op.first;
            const size_t pixel = i / plane / (size_t)op.dst_c * plane + i % plane;
            assert_true((double)dst[i] == (k < 0 || k >= op.c_real ? 5 : view_get(op.src, pixel, k)));
        }
    }
}

size_t scatter_misses(const fused_scatter &op, int swap)
{
    const fused_view &in = op.src, &out = op.dst;
    size_t misses = gap_misses(out);
    for (int i = 0; i < out.n; i++)
        for (int y = 0; y < out.h; y++)
            for (int x = 0; x < out.w; x++)
                for (int k = 0; k < out.c; k++) {
                    const size_t from = (size_t)((i * in.h + y / 2) * in.w + x / 2);
                    const int tap = swap ? 2 * (x % 2) + y % 2 : 2 * (y % 2) + x % 2;
                    const double want =
                        view_get(in, from, tap * out.c + k) + (op.bias ? (double)op.bias[k] : 0);
                    misses +=
                        !near(view_get(out, (size_t)((i * out.h + y) * out.w + x), k), want, out.type, 1e-6);
                }
    return misses;
}

void scatter_puts_pixels_in_order(void **)
{
    for (int seed = 1; seed <= 33; seed++) {
        rng r = rng_seeded((uint64_t)seed);
        case_memory memory;
        const int n = 1 + seed % 3, h = random_int(&r, 1, 17), w = 1 + seed / 2,
                  c = 8 * random_int(&r, 1, seed % 5 ? 6 : 30);
        fused_scatter op = {};
        const enum fused_type type = random_type(&r);
        op.src = memory.tensor(type, n, h, w, 4 * c, 4 * c, 8 * random_int(&r, 0, 2), &r, 0, 1);
        op.dst = memory.view(seed % 4 ? type : random_type(&r), n, 2 * h, 2 * w, c, 8 * random_int(&r, 0, 2));
        op.bias = seed % 3 ? memory.normals((size_t)c, &r, 0, 1) : nullptr;
        gpu_limits limits = test_limits();
        gpu_place at = memory.place(gpu_scatter_scratch(&op, &limits));
        memory.run([&] { return gpu_scatter(&op, &at); });
        assert_int_equal(scatter_misses(op, 0), 0);
        assert_true(scatter_misses(op, 1) > 0); /* the wrong twin: rows for columns */
    }
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pack_puts_each_value_in_place),
        cmocka_unit_test(unpack_is_its_inverse),
        cmocka_unit_test(scatter_puts_pixels_in_order),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
