/* conv.h - one way to compute one convolution step on the GPU, whoever provides it: a cuDNN plan or a product
 * of cuBLASLt. Binding asks for the ways, the tuner times them, one of them is kept.
 * conv_list .. conv_free owns the ways; the libraries are borrowed for their life. */
#ifndef CUDA_CONV_H
#define CUDA_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/err.h"
#include "kernels/cuda/library/patience.h"
#include "kernels/cuda/passes/limits.h"
#include "kernels/lower/conv_shape.h"

struct CUstream_st;
struct gpu_libraries;  /* libraries.h */
struct conv_way;

/* What a step needs. src and dst are dense NHWC unless a stride (elements from pixel to pixel) is given. */
struct conv_want {
    struct conv_shape shape;       /* n is the batch */
    enum gpu_math math;
    int  src_stride, dst_stride;   /* 0: dense */
    bool prologue;                 /* src is read as relu(scale * src + shift), both [n][c] in storage type */
    bool stats;                    /* also sums of dst and of dst^2, [n][k] f32 each */
    const struct patience *patience; /* of conv_list: none is built once it is over; NULL: all that are asked for */
};

/* Device pointers; NULL where the want has none. */
struct conv_buffers {
    const void *src, *weights, *bias;   /* weights (K, kh, kw, C / groups), bias [K], both in storage type */
    const void *scale, *shift;
    void *dst;
    float *sum, *square;
    void *workspace;
};

/* Up to `most` ways of each provider, best guess first (most = 1: that one alone), none with more workspace
 * than `cap` bytes. *count may be 0 only with a status: ST_UNSUPPORTED with the libraries' chain of reasons, or because
 * patience was over before there was one.
 * *ways is one array for conv_free_all. */
enum status conv_list(struct conv_way ***ways, size_t *count, struct gpu_libraries *libraries,
                      const struct conv_want *want, size_t most, size_t cap, struct err *err);
void conv_free(struct conv_way *way);                        /* NULL is allowed */
void conv_free_all(struct conv_way **ways, size_t count);    /* the array and every way that is not NULL */

size_t conv_workspace(const struct conv_way *way);           /* bytes */
int    conv_launches(const struct conv_way *way);            /* plans executed for one call: n with stats */
bool   conv_precompiled(const struct conv_way *way);         /* nothing had to be compiled for it */
/* "cudnn:62", "cublaslt:66.20.15": provider and engine, or algorithm, tile and stages. */
void   conv_name(const struct conv_way *way, char *text, size_t size);
/* The way as bytes for a later process with the same libraries; *bytes for free(). conv_load makes it again
 * for the same want; a status if the libraries do not take it. name as conv_name gave it. */
enum status conv_save(const struct conv_way *way, void **bytes, size_t *size, struct err *err);
enum status conv_load(struct conv_way **way, struct gpu_libraries *libraries, const struct conv_want *want,
                      const char *name, const void *bytes, size_t size, struct err *err);
/* Enqueues; allocates nothing; may be captured once it has run on that stream. */
enum status conv_run(struct conv_way *way, const struct conv_buffers *buffers, struct CUstream_st *stream,
                     struct err *err);

#endif
