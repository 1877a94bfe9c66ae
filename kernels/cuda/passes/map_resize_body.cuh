/* map_resize_body.cuh - bilinear resize of maps, one value per pixel. */
#include "kernels/cuda/passes/kernels.h"
#include "kernels/cuda/passes/launch_map_resize.h"

struct map_tap { int low, high; float weight; };

/* Where output i of `out` lies among `in` values: a fraction of whole numbers, so that nothing is rounded but
 * the weight. CORNERS: i (in - 1) / (out - 1). HALF_PIXEL: max((2 i + 1) in - out, 0) / (2 out). */
__device__ __forceinline__ map_tap map_tap_of(enum fused_resize resize, int i, int in, int out)
{
    unsigned above = 0, below = 1;
    if (resize == FUSED_HALF_PIXEL) {
        const unsigned middle = (2 * (unsigned)i + 1) * (unsigned)in;
        above = middle > (unsigned)out ? middle - (unsigned)out : 0;
        below = 2 * (unsigned)out;
    } else if (out > 1) {
        above = (unsigned)i * (unsigned)(in - 1);
        below = (unsigned)(out - 1);
    }
    const int low = min((int)(above / below), in - 1);
    return { low, min(low + 1, in - 1), (float)(above % below) / (float)below };
}

__device__ __forceinline__ float map_mix(float a, float b, float weight) { return fmaf(weight, b - a, a); }

/* Tile blockIdx.x of image blockIdx.y. VECTOR: rows of dst begin at 16 bytes. */
template <bool VECTOR>
__global__ void __launch_bounds__(MAP_RESIZE_THREADS_X * MAP_RESIZE_THREADS_Y)
map_resize_kernel(struct fused_map_resize op)
{
    const int nx = (op.to_w + 4 * MAP_RESIZE_THREADS_X - 1) / (4 * MAP_RESIZE_THREADS_X),
              tile = (int)blockIdx.x;
    const int x = (tile % nx * MAP_RESIZE_THREADS_X + (int)threadIdx.x) * 4;
    const int y = tile / nx * MAP_RESIZE_THREADS_Y + (int)threadIdx.y;
    if (x >= op.to_w || y >= op.to_h)
        return;
    const map_tap v = map_tap_of(op.resize, y, op.h, op.to_h);
    const float *image = op.src + (size_t)blockIdx.y * (size_t)op.h * (size_t)op.w;
    const float *upper = image + (size_t)v.low * (size_t)op.w, *lower = image + (size_t)v.high * (size_t)op.w;
    float *dst = op.dst + ((size_t)blockIdx.y * (size_t)op.to_h + (size_t)y) * (size_t)op.to_w + (size_t)x;
    float value[4];
    UNROLL
    for (int i = 0; i < 4; i++) {
        const map_tap u = map_tap_of(op.resize, min(x + i, op.to_w - 1), op.w, op.to_w);
        value[i] = map_mix(map_mix(upper[u.low], lower[u.low], v.weight),
                           map_mix(upper[u.high], lower[u.high], v.weight), u.weight);
    }
    if (VECTOR) {
        *reinterpret_cast<float4 *>(dst) = make_float4(value[0], value[1], value[2], value[3]);
    } else {
        UNROLL
        for (int i = 0; i < 4; i++)
            if (x + i < op.to_w)
                dst[i] = value[i];
    }
}
