/* cudart_copy.c - copies and fills of the fake runtime. Pageable memory is staged when a copy is asked for,
 * and a copy into it has ended when the call returns; pinned memory is used when the copy runs. */
#include "tests/gpu/fake/cudart_state.h"

#include <stdlib.h>
#include <string.h>

struct copy {
    unsigned char *dst;
    const unsigned char *src;       /* NULL: the bytes follow (staged) */
    size_t dst_pitch, src_pitch, width, rows;
};

static void run_copy(void *argument)
{
    const struct copy *c = argument;
    const unsigned char *src = c->src ? c->src : (const unsigned char *)(c + 1);
    for (size_t row = 0; row < c->rows; row++)
        memcpy(c->dst + row * c->dst_pitch, src + row * c->src_pitch, c->width);
}

struct fill {
    unsigned char *dst;
    int value;
    size_t bytes;
};

static void run_fill(void *argument)
{
    const struct fill *f = argument;
    memset(f->dst, f->value, f->bytes);
}

/* Does the address go with the kind of the copy, and is all of it inside one block? */
static bool side_fits(const void *pointer, size_t bytes, bool device)
{
    if (!pointer || fake_address_is_device(pointer) != device)
        return false;
    return !device || fake_block_find(&fake.device, pointer, bytes);
}

static bool pinned(const void *pointer, size_t bytes)
{
    return fake_block_find(&fake.pinned, pointer, bytes) != NULL;
}

static size_t span(size_t pitch, size_t width, size_t rows)
{
    return rows ? (rows - 1) * pitch + width : 0;
}

/* The whole operation, with the source behind it if that is pageable. */
static struct fake_op make_copy(const struct copy *copy, bool stage)
{
    size_t bytes = stage ? span(copy->src_pitch, copy->width, copy->rows) : 0;
    struct copy *kept = malloc(sizeof *kept + bytes);
    if (!kept)
        abort();
    *kept = *copy;
    if (stage) {
        memcpy(kept + 1, copy->src, bytes);
        kept->src = NULL;
    }
    return (struct fake_op){ .what = OP_RUN, .kind = FAKE_COPY, .run = run_copy, .argument = kept };
}

static cudaError_t put_copy(const struct copy *copy, enum cudaMemcpyKind kind, struct CUstream_st *stream)
{
    size_t src_bytes = span(copy->src_pitch, copy->width, copy->rows);
    size_t dst_bytes = span(copy->dst_pitch, copy->width, copy->rows);
    bool from = kind == cudaMemcpyDefault
                    ? fake_address_is_device(copy->src)
                    : kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    bool to = kind == cudaMemcpyDefault ? fake_address_is_device(copy->dst)
                                        : kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    if (src_bytes == 0)
        return cudaSuccess;
    if (!side_fits(copy->src, src_bytes, from) || !side_fits(copy->dst, dst_bytes, to))
        return cudaErrorInvalidValue;
    bool loose_src = !from && !pinned(copy->src, src_bytes), loose_dst = !to && !pinned(copy->dst, dst_bytes);
    if (stream->capture && (loose_src || loose_dst))
        return fake_capture_break();
    cudaError_t error = fake_stream_put(stream, make_copy(copy, loose_src));
    if (loose_dst && !error)
        fake_stream_run(stream, NULL, 0);
    return error ? error : (cudaError_t)fake.sticky;
}

static struct copy flat(void *dst, const void *src, size_t bytes)
{
    return (struct copy){
        .dst = dst, .src = src, .dst_pitch = bytes, .src_pitch = bytes, .width = bytes, .rows = 1
    };
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t handle)
{
    ENTER(NEED_CONTEXT);
    struct CUstream_st *stream = fake_stream_of(handle);
    struct copy copy = flat(dst, src, bytes);
    return fake_leave(stream ? put_copy(&copy, kind, stream) : cudaErrorInvalidResourceHandle);
}

cudaError_t cudaMemcpy(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind)
{
    ENTER(NEED_CONTEXT);
    if (fake_capturing()) {
        fake_capture_break();
        return fake_leave(cudaErrorStreamCaptureImplicit);
    }
    struct copy copy = flat(dst, src, bytes);
    return fake_leave(put_copy(&copy, kind, &fake.legacy));
}

cudaError_t cudaMemcpy2DAsync(void *dst, size_t dst_pitch, const void *src, size_t src_pitch, size_t width,
                              size_t rows, enum cudaMemcpyKind kind, cudaStream_t handle)
{
    ENTER(NEED_CONTEXT);
    struct CUstream_st *stream = fake_stream_of(handle);
    if (!stream)
        return fake_leave(cudaErrorInvalidResourceHandle);
    if (width > dst_pitch || width > src_pitch)
        return fake_leave(cudaErrorInvalidPitchValue);
    struct copy copy = {
        .dst = dst, .src = src, .dst_pitch = dst_pitch, .src_pitch = src_pitch, .width = width, .rows = rows
    };
    return fake_leave(put_copy(&copy, kind, stream));
}

static cudaError_t put_fill(void *dst, int value, size_t bytes, struct CUstream_st *stream)
{
    if (bytes == 0)
        return cudaSuccess;
    if (!side_fits(dst, bytes, true))
        return cudaErrorInvalidValue;
    struct fill *kept = malloc(sizeof *kept);
    if (!kept)
        abort();
    *kept = (struct fill){ .dst = dst, .value = value, .bytes = bytes };
    return fake_stream_put(stream, (struct fake_op){ .what = OP_RUN, .kind = FAKE_FILL, .run = run_fill,
                                                     .argument = kept });
}

cudaError_t cudaMemsetAsync(void *dst, int value, size_t bytes, cudaStream_t handle)
{
    ENTER(NEED_CONTEXT);
    struct CUstream_st *stream = fake_stream_of(handle);
    return fake_leave(stream ? put_fill(dst, value, bytes, stream) : cudaErrorInvalidResourceHandle);
}

cudaError_t cudaMemset(void *dst, int value, size_t bytes)
{
    ENTER(NEED_CONTEXT);
    if (fake_capturing()) {
        fake_capture_break();
        return fake_leave(cudaErrorStreamCaptureImplicit);
    }
    return fake_leave(put_fill(dst, value, bytes, &fake.legacy));
}
