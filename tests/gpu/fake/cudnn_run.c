/* cudnn_run.c - runs a program: every tensor becomes a dense array of float in the order n, h, w, c, results
 * are rounded to their type. The workspace is overwritten before and after. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gpu/fake/cudnn_inside.h"
#include "tests/gpu/fake/number.h"

size_t tensor_element(const struct tensor *t)
{
    return t->type == CUDNN_DATA_FLOAT ? 4 : 2;
}

size_t tensor_span(const struct tensor *t)
{
    int64_t last = 0;
    for (int i = 0; i < 4; i++)
        last += (t->dims[i] - 1) * t->strides[i];
    return (size_t)(last + 1) * tensor_element(t);
}

static enum number_type number_of(const struct tensor *t)
{
    return t->type == CUDNN_DATA_FLOAT ? NUMBER_F32 : t->type == CUDNN_DATA_HALF ? NUMBER_F16 : NUMBER_BF16;
}

/* --- tensors as float ----------------------------------------------------------------------------------- */
static size_t count_of(const struct tensor *t)
{
    return (size_t)(t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3]);
}

/* Of channel 0 at this pixel. */
static int64_t tensor_offset(const struct tensor *t, int64_t n, int64_t h, int64_t w)
{
    return n * t->strides[0] + h * t->strides[2] + w * t->strides[3];
}

/* Calls for every element, in the dense order, with its offset in memory. */
#define EACH_ELEMENT(t, dense, offset) \
    for (int64_t n_ = 0, dense = 0; n_ < (t)->dims[0]; n_++) \
        for (int64_t h_ = 0; h_ < (t)->dims[2]; h_++) \
            for (int64_t w_ = 0; w_ < (t)->dims[3]; w_++) \
                for (int64_t c_ = 0, offset = tensor_offset(t, n_, h_, w_); \
                     c_ < (t)->dims[1]; c_++, dense++, offset += (t)->strides[1])

static float *load(const struct tensor *t, const void *at)
{
    float *values = number_array(count_of(t));
    enum number_type type = number_of(t);
    EACH_ELEMENT(t, dense, offset)
        values[dense] = number_get(at, offset, type);
    return values;
}

static void store(const struct tensor *t, void *at, const float *values)
{
    enum number_type type = number_of(t);
    EACH_ELEMENT(t, dense, offset)
        number_put(at, offset, type, values[dense]);
}

/* Arrays of one run; NULL: not there yet. */
struct arrays {
    const struct run *run;
    float *of[PROGRAM_TENSORS];
};

static const float *read_array(struct arrays *a, int32_t tensor)
{
    if (!a->of[tensor])
        a->of[tensor] = load(&a->run->program.tensors[tensor], a->run->at[tensor]);
    return a->of[tensor];
}

/* Takes the values over: rounds them to the tensor's type, and puts them where the tensor is. */
static void write_array(struct arrays *a, int32_t tensor, float *values)
{
    const struct tensor *t = &a->run->program.tensors[tensor];
    for (size_t i = 0, count = count_of(t); i < count; i++)
        values[i] = number_round(values[i], number_of(t));
    free(a->of[tensor]);
    a->of[tensor] = values;
    if (!t->is_virtual)
        store(t, a->run->at[tensor], values);
}

/* --- steps ---------------------------------------------------------------------------------------------- */
/* The inputs of one output pixel, group by group: [group][tap][channel of the group]; outside is zero. */
static void gather(float *patch, const float *x, const struct tensor *src, const struct tensor *weights,
                   const struct step *s, int64_t oh, int64_t ow)
{
    int64_t c = src->dims[1], cg = weights->dims[1], kh = weights->dims[2], kw = weights->dims[3];
    for (int64_t g = 0; g < c / cg; g++)
        for (int64_t i = 0; i < kh; i++)
            for (int64_t j = 0; j < kw; j++, patch += cg) {
                int64_t h = oh * s->stride[0] + i - s->pad[0], w = ow * s->stride[1] + j - s->pad[1];
                if (h < 0 || w < 0 || h >= src->dims[2] || w >= src->dims[3])
                    memset(patch, 0, (size_t)cg * sizeof *patch);
                else
                    memcpy(patch, x + (h * src->dims[3] + w) * c + g * cg, (size_t)cg * sizeof *patch);
            }
}

/* dst (n,oh,ow,k) = src (n,h,w,c) with weights (k,kh,kw,c/groups) */
static void convolution(struct arrays *a, const struct step *s)
{
    const struct tensor *t = a->run->program.tensors, *src = &t[s->src], *weights = &t[s->other],
                        *dst = &t[s->dst];
    const float *x = read_array(a, s->src), *w = read_array(a, s->other);
    int64_t k = dst->dims[1], length = weights->dims[1] * weights->dims[2] * weights->dims[3];
    int64_t groups = src->dims[1] / weights->dims[1], image = src->dims[1] * src->dims[2] * src->dims[3];
    float *y = number_array(count_of(dst)), *out = y, *patch = number_array((size_t)(groups * length));
    float *x_used = number_copy(x, count_of(src), a->run->program.tf32);
    float *w_used = number_copy(w, count_of(weights), a->run->program.tf32);
    for (int64_t n = 0; n < dst->dims[0]; n++)
        for (int64_t oh = 0; oh < dst->dims[2]; oh++)
            for (int64_t ow = 0; ow < dst->dims[3]; ow++) {
                gather(patch, x_used + n * image, src, weights, s, oh, ow);
                for (int64_t i = 0; i < k; i++)
                    *out++ = number_dot(patch + i / (k / groups) * length, w_used + i * length, length);
            }
    free(patch);
    free(x_used);
    free(w_used);
    write_array(a, s->dst, y);
}

/* What one pixel x[c] of src adds to dst (oh,ow,k), the image y. */
static void spread(float *y, const float *x, const float *w, const struct tensor *src, const struct tensor *weights,
                   const struct tensor *dst, const struct step *s, int64_t h, int64_t w_at)
{
    int64_t k = dst->dims[1], kh = weights->dims[2], kw = weights->dims[3];
    for (int64_t i = 0; i < kh; i++)
        for (int64_t j = 0; j < kw; j++) {
            int64_t oh = h * s->stride[0] + i - s->pad[0], ow = w_at * s->stride[1] + j - s->pad[1];
            if (oh < 0 || ow < 0 || oh >= dst->dims[2] || ow >= dst->dims[3])
                continue;
            float *out = y + (oh * dst->dims[3] + ow) * k;
            for (int64_t c = 0; c < src->dims[1]; c++)
                for (int64_t o = 0; o < k; o++)
                    out[o] += x[c] * w[((c * kh + i) * kw + j) * k + o];
        }
}

/* dst (n,oh,ow,k) = src (n,h,w,c) back through a convolution of weights (c,kh,kw,k) */
static void convolution_back(struct arrays *a, const struct step *s)
{
    const struct tensor *t = a->run->program.tensors, *src = &t[s->src], *weights = &t[s->other],
                        *dst = &t[s->dst];
    float *x = number_copy(read_array(a, s->src), count_of(src), a->run->program.tf32);
    float *w = number_copy(read_array(a, s->other), count_of(weights), a->run->program.tf32);
    float *y = number_array(count_of(dst));
    const float *pixel = x;
    for (int64_t n = 0; n < src->dims[0]; n++)
        for (int64_t h = 0; h < src->dims[2]; h++)
            for (int64_t at = 0; at < src->dims[3]; at++, pixel += src->dims[1])
                spread(y + n * dst->dims[1] * dst->dims[2] * dst->dims[3], pixel, w, src, weights, dst, s, h, at);
    free(x);
    free(w);
    write_array(a, s->dst, y);
}

/* The element of `t` that goes with these coordinates of the result: dimensions of 1 are repeated. */
static int64_t broadcast(const struct tensor *t, int64_t n, int64_t c, int64_t h, int64_t w)
{
    const int64_t *d = t->dims;
    return (((d[0] == 1 ? 0 : n) * d[2] + (d[2] == 1 ? 0 : h)) * d[3] + (d[3] == 1 ? 0 : w)) * d[1] +
           (d[1] == 1 ? 0 : c);
}

static float apply(int mode, float x, float b)
{
    switch (mode) {
    case CUDNN_POINTWISE_ADD:      return x + b;
    case CUDNN_POINTWISE_MUL:      return x * b;
    case CUDNN_POINTWISE_RELU_FWD: return x > 0 || isnan(x) ? x : 0;
    default:                       return 1 / (1 + expf(-x)); /* the sigmoid: graph_finalize takes no other */
    }
}

static void pointwise(struct arrays *a, const struct step *s)
{
    const struct tensor *t = a->run->program.tensors, *src = &t[s->src], *dst = &t[s->dst];
    const struct tensor *other = s->other >= 0 ? &t[s->other] : NULL;
    const float *x = read_array(a, s->src), *b = other ? read_array(a, s->other) : NULL;
    float *y = number_array(count_of(dst));
    EACH_ELEMENT(dst, dense, offset)
    y[dense] = apply(s->mode, x[broadcast(src, n_, c_, h_, w_)], b ? b[broadcast(other, n_, c_, h_, w_)] : 0);
    write_array(a, s->dst, y);
}

/* sum[c], square[c] over all pixels of all images: as the real one, it mixes images. */
static void stats(struct arrays *a, const struct step *s)
{
    const struct tensor *src = &a->run->program.tensors[s->src];
    const float *x = read_array(a, s->src);
    int64_t c = src->dims[1];
    float *sum = number_array((size_t)c), *square = number_array((size_t)c);
    for (size_t i = 0, count = count_of(src); i < count; i++) {
        sum[i % (size_t)c] += x[i];
        square[i % (size_t)c] += x[i] * x[i];
    }
    write_array(a, s->dst, sum);
    write_array(a, s->dst2, square);
}

/* dst = scale * (src - mean) / sqrt(variance + epsilon) + bias, mean and variance of each image and channel. */
static void norm(struct arrays *a, const struct step *s)
{
    const struct tensor *src = &a->run->program.tensors[s->src];
    const float *x = read_array(a, s->src), *scale = read_array(a, s->other), *bias = read_array(a, s->third);
    int64_t c = src->dims[1], pixels = src->dims[2] * src->dims[3];
    float *y = number_array(count_of(src));
    for (int64_t n = 0; n < src->dims[0]; n++)
        for (int64_t k = 0; k < c; k++) {
            const float *image = x + n * pixels * c + k;
            double mean = 0, square = 0;
            for (int64_t i = 0; i < pixels; i++)
                mean += image[i * c] / (double)pixels;
            for (int64_t i = 0; i < pixels; i++)
                square += (image[i * c] - mean) * (image[i * c] - mean) / (double)pixels;
            double factor = scale[k] / sqrt(square + a->run->by_value[s->scale]);
            for (int64_t i = 0; i < pixels; i++)
                y[(n * pixels + i) * c + k] = (float)(factor * (image[i * c] - mean) + bias[k]);
        }
    write_array(a, s->dst, y);
}

/* One query against all keys. Tensors are (n, heads, tokens, depth) as n, c, h, w. */
static void attend(float *out, const float *q, const float *k, const float *v, float *scores,
                   const int64_t *kdims, int64_t vdepth, float scale)
{
    int64_t heads = kdims[1], tokens = kdims[2], depth = kdims[3];
    float top = -INFINITY, total = 0;
    for (int64_t j = 0; j < tokens; j++) {
        scores[j] = 0;
        for (int64_t d = 0; d < depth; d++)
            scores[j] += q[d * heads] * k[(j * depth + d) * heads];
        scores[j] *= scale;
        top = fmaxf(top, scores[j]);
    }
    for (int64_t j = 0; j < tokens; j++)
        total += scores[j] = expf(scores[j] - top);
    for (int64_t d = 0; d < vdepth; d++) {
        float value = 0;
        for (int64_t j = 0; j < tokens; j++)
            value += scores[j] / total * v[(j * vdepth + d) * heads];
        out[d * heads] = value;
    }
}

static void attention(struct arrays *a, const struct step *s)
{
    const struct tensor *t = a->run->program.tensors;
    const int64_t *qd = t[s->src].dims, *kd = t[s->other].dims, *vd = t[s->third].dims;
    const float *q = read_array(a, s->src), *k = read_array(a, s->other), *v = read_array(a, s->third);
    float *o = number_array(count_of(&t[s->dst])), *scores = number_array((size_t)kd[2]);
    int64_t heads = qd[1];
    for (int64_t n = 0; n < qd[0]; n++)
        for (int64_t head = 0; head < heads; head++)
            for (int64_t i = 0; i < qd[2]; i++)
                attend(o + ((n * qd[2] + i) * vd[3]) * heads + head,
                       q + ((n * qd[2] + i) * qd[3]) * heads + head, k + n * heads * kd[2] * kd[3] + head,
                       v + n * heads * vd[2] * vd[3] + head, scores, kd, vd[3], a->run->by_value[s->scale]);
    free(scores);
    write_array(a, s->dst, o);
}

/* --- the whole ------------------------------------------------------------------------------------------ */
static atomic_uint executions;

static void scribble(const struct run *run, unsigned number)
{
    if (run->workspace)
        memset(run->workspace, (int)(0x81 + number % 64), (size_t)run->program.workspace);
}

void program_run(void *argument)
{
    static void (*const steps[])(struct arrays *, const struct step *) = {
        [STEP_CONVOLUTION] = convolution, [STEP_CONVOLUTION_BACK] = convolution_back,
        [STEP_POINTWISE] = pointwise, [STEP_STATS] = stats, [STEP_ATTENTION] = attention,
        [STEP_NORM] = norm,
    };
    const struct run *run = argument;
    unsigned number = atomic_fetch_add(&executions, 1);
    struct arrays a = { .run = run };
    scribble(run, number);
    for (int i = 0; i < run->program.step_count; i++) {
        const struct step *s = &run->program.steps[i];
        steps[s->kind](&a, s);
        if (run->program.noise && (s->kind <= STEP_CONVOLUTION_BACK || s->kind == STEP_NORM)) { /* another result each time */
            float *values = number_copy(a.of[s->dst], count_of(&run->program.tensors[s->dst]), false);
            for (size_t v = 0; v < count_of(&run->program.tensors[s->dst]); v++)
                values[v] *= 1 + 0.01f * (float)(number % 7);
            write_array(&a, s->dst, values);
        }
    }
    scribble(run, number + 1);
    for (int i = 0; i < PROGRAM_TENSORS; i++)
        free(a.of[i]);
}
