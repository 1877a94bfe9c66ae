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

/* The transposed 2x2 convolution that a wide product of 4 K outputs stands for. */
struct conv_direct {
    int  stride;                   /* of its dst (n,2h,2w,K), elements from pixel to pixel; 0: there is none */
    bool bias;
};

/* In which form a way computes a step. DIRECT: what conv_want_direct says. DENSE: where dst is a slice, without gaps in
 * the workspace first, then copied; DIRECT_DENSE: both. WIDE4, WIDE8: with src and weights of 4 or 8 channels, those behind
 * the step's own being zero in the weights. */
enum conv_form { CONV_PLAIN, CONV_DIRECT, CONV_DENSE, CONV_DIRECT_DENSE, CONV_WIDE4, CONV_WIDE8, CONV_FORMS };

/* What a step needs. src and dst are dense NHWC unless a stride (elements from pixel to pixel) is given. */
struct conv_want {
    struct conv_shape shape;       /* n is the batch */
    enum gpu_math math;
    int  src_stride, dst_stride;   /* 0: dense */
    bool transposed;               /* 2x2, stride 2: (n,h,w,c) to (n,2h,2w,k); no prologue, no sums */
    struct conv_direct direct;     /* ways may also compute this, and leave the product out */
    bool image;                    /* src is there with 4 and 8 channels as well, in one group: ways may read these */
    bool prologue;                 /* src is read as relu(scale * src + shift), both [n][c] in storage type */
    bool stats;                    /* also sums of dst and of dst^2, [n][k] f32 each */
    const struct patience *patience; /* of conv_list: none is built once it is over; NULL: all that are asked for */
};

/* That one as a want of its own; `direct` must be there. */
static inline struct conv_want conv_want_direct(const struct conv_want *want)
{
    struct conv_want w = *want;
    w.shape.k = want->shape.k / 4;
    w.shape.out_h = 2 * want->shape.h;
    w.shape.out_w = 2 * want->shape.w;
    w.shape.kernel_h = w.shape.kernel_w = w.shape.stride = 2;
    w.shape.bias = want->direct.bias;
    w.dst_stride = want->direct.stride;
    w.transposed = true;
    w.direct = (struct conv_direct){ .stride = 0 };
    return w;
}

/* Channels that a form reads, given those of the step: more only in the wide ones. */
static inline int conv_form_channels(enum conv_form form, int c)
{
    return form == CONV_WIDE4 ? 4 : form == CONV_WIDE8 ? 8 : c;
}

static inline bool conv_form_is_direct(enum conv_form form)
{
    return form == CONV_DIRECT || form == CONV_DIRECT_DENSE;
}

static inline bool conv_has_form(const struct conv_want *want, enum conv_form form)
{
    switch (form) {
    case CONV_PLAIN:        return true;
    case CONV_DIRECT:       return want->direct.stride > 0;
    case CONV_DENSE:        return want->dst_stride > want->shape.k;
    case CONV_DIRECT_DENSE: return want->direct.stride > want->shape.k / 4;
    default:                return want->image && conv_form_channels(form, 0) > want->shape.c;
    }
}

/* The want as a way of that form computes it; it must have the form. */
static inline struct conv_want conv_want_in_form(const struct conv_want *want, enum conv_form form)
{
    struct conv_want w = conv_form_is_direct(form) ? conv_want_direct(want) : *want;
    if (form == CONV_DENSE || form == CONV_DIRECT_DENSE)
        w.dst_stride = 0;
    w.shape.c = conv_form_channels(form, want->shape.c);
    w.image = want->image && form == CONV_PLAIN;
    return w;
}

/* Device pointers; NULL where the want has none. A way gets those of its form: of conv_want_direct, or src and weights
 * with the channels of a wide one. */
struct conv_buffers {
    const void *src, *weights, *bias;   /* weights (K, kh, kw, C / groups), bias [K], both in storage type;
                                         * transposed: (C, 2, 2, K), and the bias twice where dst is dense */
    const void *scale, *shift;
    void *dst;
    float *sum, *square;
    void *workspace;
};

/* Up to `most` ways of each provider, best guess first (most = 1: that one alone), none with more workspace
 * than `cap` bytes. Ways of other forms than CONV_PLAIN stand behind all others, up to `most` of each provider and form
 * again. *count may be 0 only
 * with a status: ST_UNSUPPORTED with the libraries' chain of reasons, or because patience was over before there
 * was one.
 * *ways is one array for conv_free_all. */
enum status conv_list(struct conv_way ***ways, size_t *count, struct gpu_libraries *libraries,
                      const struct conv_want *want, size_t most, size_t cap, struct err *err);
void conv_free(struct conv_way *way);                        /* NULL is allowed */
void conv_free_all(struct conv_way **ways, size_t count);    /* the array and every way that is not NULL */

size_t conv_workspace(const struct conv_way *way);           /* bytes */
int    conv_launches(const struct conv_way *way);            /* plans executed for one call: n with stats; and copies */
bool   conv_precompiled(const struct conv_way *way);         /* nothing had to be compiled for it */
enum conv_form conv_form(const struct conv_way *way);        /* NULL: CONV_PLAIN */
/* "cudnn:62", "cublaslt:66.20.15": provider and engine, or algorithm, tile and stages; behind it " direct",
 * " dense", " direct+dense", " c4" or " c8" for a form. */
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
