/* survey_body.cuh - SimAM, and the descriptors of triplet attention and of the spatial gate, in one pass over
 * the tensor: see launch_survey.h for tiles and scratch. */
#include "kernels/cuda/passes/kernels.h"
#include "kernels/cuda/passes/launch_survey.h"
#include "kernels/cuda/passes/sigmoid.cuh"
#include "kernels/cuda/passes/storage.cuh"

struct survey_args {
    fused_survey op;
    survey_tiles tiles;
    int first_image;
    float *rows, *columns;      /* scratch; NULL: not wanted */
};

/* What this thread works on. */
struct survey_thread {
    size_t image;
    int lane, at, tid;          /* place among a pixel's threads, among the pixels, in the block */
    int x, y, x_end, y_end;     /* its first column; rows and columns of the tile end there */
    int first, real;            /* its first channel; how many of the 8 are no padding */
    bool active;                /* false: beyond the last channel */
};

__device__ __forceinline__ survey_thread survey_thread_of(const survey_args &a)
{
    const survey_tiles &t = a.tiles;
    const int tile_x = (int)blockIdx.x % t.nx, tile_y = (int)blockIdx.x / t.nx;
    survey_thread s;
    s.image = (size_t)a.first_image + blockIdx.y;
    s.lane = (int)threadIdx.x;
    s.at = (int)threadIdx.y;
    s.tid = s.at * t.lanes + s.lane;
    s.x = tile_x * t.w + s.at;
    s.x_end = min(a.op.src.w, (tile_x + 1) * t.w);
    s.y = tile_y * t.h;
    s.y_end = min(a.op.src.h, (tile_y + 1) * t.h);
    s.first = s.lane * GPU_CHANNEL_BLOCK;
    s.active = s.first < a.op.src.c;
    s.real = max(0, min(GPU_CHANNEL_BLOCK, a.op.c_real - s.first));
    return s;
}

struct survey_coefficients { float8 scale, shift, center, rate; };

__device__ __forceinline__ float8 survey_load(const float *coefficients, const survey_args &a,
                                              const survey_thread &s, float otherwise)
{
    if (!coefficients || !s.active)
        return float8_all(otherwise);
    return load8(coefficients + s.image * (size_t)a.op.src.c + (size_t)s.first);
}

template <bool SIMAM>
__device__ __forceinline__ float8 survey_value(const float8 &x, const survey_coefficients &k, float factor)
{
    float8 v;
    UNROLL
    for (int i = 0; i < 8; i++) {
        float u = fmaf(x.v[i], k.scale.v[i], k.shift.v[i]);
        if (SIMAM)
            u *= sigmoid((k.center.v[i] - u) * k.rate.v[i]);
        v.v[i] = u * factor;
    }
    return v;
}

template <typename T> __device__ __forceinline__ void survey_store(T *to, const float8 &v, bool once)
{
    if (once)
        store8_once(to, v);
    else
        store8(to, v);
}

/* Sum and maximum over the channels that this warp has of a pixel, to pairs[] by its first thread. */
__device__ __forceinline__ void survey_pair(float2 *pair, const float8 &v, const survey_thread &s, int lanes)
{
    float sum = 0, top = -INFINITY;
    UNROLL
    for (int i = 0; i < 8; i++) {
        sum += v.v[i];
        top = fmaxf(top, i < s.real ? v.v[i] : -INFINITY);
    }
    for (int step = min(lanes, 32) / 2; step; step /= 2) {
        sum += __shfl_xor_sync(0xffffffffu, sum, step);
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, step));
    }
    if (s.lane % 32 == 0)
        *pair = make_float2(sum, top);
}

/* One row of the tile: v to dst, its sums over columns and rows, its pairs (of this row: [tile.w][warps]). */
template <typename T, bool SIMAM, bool LINES>
__device__ __forceinline__ void survey_row(float8 &row, float8 *column, float2 *pairs, const survey_args &a,
                                           const survey_thread &s, const survey_coefficients &k, int y)
{
    const fused_survey &op = a.op;
    const int warps = max(1, a.tiles.lanes / 32), across = a.tiles.across;
    const int columns = s.active && y < s.y_end ? s.x_end - s.x : 0; /* of this thread and right of it */
    const size_t pixel = (s.image * (size_t)op.src.h + (size_t)y) * (size_t)op.src.w + (size_t)s.x;
    const T *src = static_cast<const T *>(op.src.data) + pixel * (size_t)op.src.stride + s.first;
    T *dst = static_cast<T *>(op.dst.data) + (op.dst.data ? pixel * (size_t)op.dst.stride + s.first : 0);
    float8 x[SURVEY_COLUMNS];
    float factor[SURVEY_COLUMNS]; /* 0 outside: adds nothing to sums */
    UNROLL
    for (int i = 0; i < SURVEY_COLUMNS; i++) {
        const bool inside = i * across < columns;
        x[i] = inside ? load8(src + i * across * op.src.stride) : float8_all(0);
        factor[i] = !inside ? 0 : op.pixel ? op.pixel[pixel + i * across] : 1;
    }
    UNROLL
    for (int i = 0; i < SURVEY_COLUMNS; i++) {
        const bool inside = i * across < columns;
        float8 v = survey_value<SIMAM>(x[i], k, factor[i]);
        if (inside && op.dst.data)
            survey_store(dst + i * across * op.dst.stride, v, op.stream);
        if (LINES) {
            UNROLL
            for (int j = 0; j < 8; j++) {
                row.v[j] += v.v[j];
                column[i].v[j] += v.v[j];
            }
        }
        if (op.point)
            survey_pair(pairs + (s.at + i * across) * warps + s.lane / 32, v, s, a.tiles.lanes);
    }
}

/* Rows y .. of the tile are complete in shared memory: their sums to scratch, their pairs to op.point. */
template <bool LINES>
__device__ __forceinline__ void survey_gather(const float *sums, const float2 *pairs, const survey_args &a,
                                              const survey_thread &s, int y)
{
    const survey_tiles &t = a.tiles;
    const int room = t.lanes * GPU_CHANNEL_BLOCK, warps = max(1, t.lanes / 32), c = a.op.src.c;
    const int tile_x = (int)blockIdx.x % t.nx, count = min(SURVEY_ROWS, s.y_end - y);
    const size_t line = s.image * (size_t)a.op.src.h + (size_t)y;
    float2 *point = reinterpret_cast<float2 *>(a.op.point);
    if (LINES && a.rows)
        for (int i = s.tid; i < count * room; i += SURVEY_THREADS) {
            const int j = i / room, channel = i % room;
            float sum = 0;
            for (int r = 0; r < t.across; r++)
                sum += sums[(j * t.across + r) * room + channel];
            const size_t row = (size_t)blockIdx.y * (size_t)a.op.src.h + (size_t)(y + j);
            if (channel < c)
                a.rows[(row * (size_t)t.nx + (size_t)tile_x) * (size_t)c + (size_t)channel] = sum;
        }
    if (point)
        for (int i = s.tid; i < count * t.w; i += SURVEY_THREADS) {
            const int j = i / t.w, x = tile_x * t.w + i % t.w;
            float2 pair = pairs[i * warps];
            for (int r = 1; r < warps; r++) {
                pair.x += pairs[i * warps + r].x;
                pair.y = fmaxf(pair.y, pairs[i * warps + r].y);
            }
            pair.x /= (float)a.op.c_real;
            if (x < s.x_end)
                point[(line + (size_t)j) * (size_t)a.op.src.w + (size_t)x] = pair;
        }
}

/* Tile blockIdx.x of image blockIdx.y. */
template <typename T, bool SIMAM, bool LINES>
__global__ void __launch_bounds__(SURVEY_THREADS, 2) survey_kernel(struct survey_args a)
{
    __shared__ float4 sums[LINES ? SURVEY_ROWS * SURVEY_THREADS * 2 : 1]; /* [rows][across][lanes][8] */
    /* [rows][tile.w][warps] */
    __shared__ float2 pairs[SURVEY_ROWS * SURVEY_COLUMNS * SURVEY_THREADS / SURVEY_LANES_MIN];
    const survey_thread s = survey_thread_of(a);
    const survey_coefficients k = { survey_load(a.op.scale, a, s, 1), survey_load(a.op.shift, a, s, 0),
                                    survey_load(SIMAM ? a.op.center : nullptr, a, s, 0),
                                    survey_load(SIMAM ? a.op.rate : nullptr, a, s, 0) };
    const int pairs_of_row = a.tiles.w * max(1, a.tiles.lanes / 32);
    float8 column[SURVEY_COLUMNS] = {};
    for (int y = s.y; y < s.y_end; y += SURVEY_ROWS) {
        ROLLED
        for (int j = 0; j < SURVEY_ROWS; j++) {
            float8 row = float8_all(0);
            survey_row<T, SIMAM, LINES>(row, column, pairs + j * pairs_of_row, a, s, k, y + j);
            if (LINES)
                store8(reinterpret_cast<float *>(sums + (j * SURVEY_THREADS + s.tid) * 2), row);
        }
        __syncthreads();
        survey_gather<LINES>(reinterpret_cast<const float *>(sums), pairs, a, s, y);
        __syncthreads();
    }
    if (LINES && a.columns && s.active)
        UNROLL
        for (int i = 0; i < SURVEY_COLUMNS; i++) {
            const int x = s.x + i * a.tiles.across;
            const size_t line = (size_t)blockIdx.y * (size_t)a.op.src.w + (size_t)x;
            if (x < s.x_end)
                store8(a.columns + (line * (size_t)a.tiles.ny + blockIdx.x / (unsigned)a.tiles.nx) *
                                       (size_t)a.op.src.c + (size_t)s.first, column[i]);
        }
}

/* Mean and maximum over channels of the sums [parts][c] of one line divided by count, by one warp. */
__device__ __forceinline__ float2 survey_line(const float *sums, int parts, int c, int c_real, float count)
{
    float total = 0, top = -INFINITY;
    ROLLED
    for (int k = (int)threadIdx.x * 4; k < c; k += 128) {
        float4 sum = make_float4(0, 0, 0, 0);
        for (int i = 0; i < parts; i++) {
            const float4 part = *reinterpret_cast<const float4 *>(sums + (size_t)i * (size_t)c + (size_t)k);
            sum = make_float4(sum.x + part.x, sum.y + part.y, sum.z + part.z, sum.w + part.w);
        }
        const float mean[4] = { sum.x / count, sum.y / count, sum.z / count, sum.w / count };
        UNROLL
        for (int j = 0; j < 4; j++) {
            total += mean[j];
            top = fmaxf(top, k + j < c_real ? mean[j] : -INFINITY);
        }
    }
    UNROLL
    for (int step = 16; step; step /= 2) {
        total += __shfl_xor_sync(0xffffffffu, total, step);
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, step));
    }
    return make_float2(total / (float)c_real, top);
}

/* A warp for each row, then for each column, of image blockIdx.y. */
__global__ void __launch_bounds__(32 * SURVEY_LINE_WARPS, 8) survey_lines_kernel(struct survey_args a)
{
    const int rows = a.rows ? a.op.src.h : 0, columns = a.columns ? a.op.src.w : 0;
    const int line = (int)(blockIdx.x * blockDim.y + threadIdx.y), x = line - rows;
    const size_t image = (size_t)a.first_image + blockIdx.y, c = (size_t)a.op.src.c;
    const size_t row_at = ((size_t)blockIdx.y * (size_t)rows + (size_t)line) * (size_t)a.tiles.nx * c;
    const size_t column_at = ((size_t)blockIdx.y * (size_t)columns + (size_t)x) * (size_t)a.tiles.ny * c;
    float2 pair = make_float2(0, 0);
    if (line < rows)
        pair = survey_line(a.rows + row_at, a.tiles.nx, a.op.src.c, a.op.c_real, (float)a.op.src.w);
    else if (x < columns)
        pair = survey_line(a.columns + column_at, a.tiles.ny, a.op.src.c, a.op.c_real, (float)a.op.src.h);
    if (threadIdx.x == 0 && line < rows)
        reinterpret_cast<float2 *>(a.op.row)[image * (size_t)rows + (size_t)line] = pair;
    else if (threadIdx.x == 0 && x < columns)
        reinterpret_cast<float2 *>(a.op.column)[image * (size_t)columns + (size_t)x] = pair;
}
