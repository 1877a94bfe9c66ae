#include "kernels/cuda/trial.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/half.h"
#include "kernels/base/rng.h"
#include "kernels/cuda/timing.h"
#include "kernels/cuda/tune/tune.h"

#define NOISE_COUNT ((size_t)1 << 18)
#define PIXELS_MAX 256              /* read back of one tensor */
#define SAMPLE_NS 1e6
#define REPEATS_MAX 1000
#define STEPS_MAX (1 + 4 * SEGMENT_SLOTS)   /* the input packed, and those of the parts; 1 where there is no part */
#define POISON 0xff                 /* a NaN in every type */

/* --- life ------------------------------------------------------------------------------------------------------ */

static void fill_noise(struct trial *t)
{
    struct rng r = rng_seeded(20);
    enum fused_type type = t->net->plan->type;
    for (size_t i = 0; i < NOISE_COUNT; i++) {
        float value = (float)rng_normal(&r);
        t->positive[i] = 0.5f + (float)rng_uniform(&r);
        if (type == FUSED_F32)
            ((float *)t->noise)[i] = value;
        else
            ((uint16_t *)t->noise)[i] = type == FUSED_F16 ? f16_of_f32(value) : bf16_of_f32(value);
    }
}

enum status trial_new(struct trial *out, const struct exec *e, const struct pool *pool, struct err *err)
{
    *out = (struct trial){ .net = e->net, .pool = pool, .batch = e->batch, .attentions = e->attentions, .segment = -1 };
    struct gpu_device *d = e->net->device;
    out->noise = malloc(NOISE_COUNT * sizeof(float));
    out->positive = malloc(NOISE_COUNT * sizeof(float));
    out->choices = calloc((size_t)e->net->segment_count + 1, sizeof *out->choices);
    enum status st = ST_OK;
    if (!out->noise || !out->positive || !out->choices)
        st = err_set(err, ST_OUT_OF_MEMORY, "no memory for the input of trials");
    else
        fill_noise(out);
    if (st == ST_OK)
        st = gpu_check(d, cudaEventCreate(&out->begin), "cudaEventCreate", NULL, err);
    if (st == ST_OK)
        st = gpu_check(d, cudaEventCreate(&out->end), "cudaEventCreate", NULL, err);
    if (st != ST_OK)
        trial_free(out);
    return st;
}

void trial_free(struct trial *t)
{
    if (!t->net)
        return;
    bool gone = t->net->device->lost;
    if (t->begin && !gone)
        cudaEventDestroy(t->begin);
    if (t->end && !gone)
        cudaEventDestroy(t->end);
    free(t->noise);
    free(t->positive);
    free(t->choices);
    *t = (struct trial){ .net = NULL };
}

/* --- the segment as a list of steps ---------------------------------------------------------------------------- */

struct passage {
    int index[STEPS_MAX], count;
    struct bound steps[STEPS_MAX];
    struct layout layout;
};

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* The step that packs the input as the segment reads it, whose time counts: another choice may do without; PLAN_NONE
 * where it reads no input. */
static int pack_of(const struct gpu_net *net, const struct choice *choices, const struct segment *s)
{
    const struct plan *plan = net->plan;
    int src = bind_source(net, choices, s->part[0].conv);
    for (int i = 0; i < s->part[0].conv; i++)
        if (plan->steps[i].kind == STEP_PACK && plan->steps[i].u.pack.dst == src)
            return i;
    return PLAN_NONE;
}

static void list_steps(struct passage *p, const struct gpu_net *net, const struct choice *choices, int segment)
{
    const struct segment *s = &net->segments[segment];
    int before = s->parts == 0 ? s->lone : pack_of(net, choices, s);
    p->count = 0;
    if (before != PLAN_NONE)
        p->index[p->count++] = before;
    for (int slot = 0; slot < s->parts; slot++) {
        const int steps[] = { s->part[slot].conv, s->part[slot].stats, s->part[slot].apply, s->part[slot].scatter };
        for (int i = 0; i < 4; i++)
            if (steps[i] != PLAN_NONE)
                p->index[p->count++] = steps[i];
    }
    qsort(p->index, (size_t)p->count, sizeof *p->index, by_number);
}

static struct binding binding_of(const struct trial *t, const struct passage *p)
{
    return (struct binding){ .net = t->net, .batch = t->batch, .choices = t->choices, .attentions = t->attentions,
                             .at = { t->pool->arena.data, p->layout.offset, p->layout.parts,
                                     t->pool->input[0].data, t->pool->output[0].data } };
}

static enum status bind_passage(struct passage *p, struct trial *t, int segment, const struct choice *choice,
                                struct err *err)
{
    t->choices[segment] = *choice;
    list_steps(p, t->net, t->choices, segment);
    enum status st = layout_plan(&p->layout, t->net, t->choices, p->index, p->count, true, NULL, err);
    if (st == ST_OK && p->layout.image_bytes * (size_t)t->batch > t->pool->arena.bytes)
        st = err_set(err, ST_INTERNAL, "a trial of %s needs more than the arena", t->net->segments[segment].text);
    if (st != ST_OK)
        return st;
    struct binding with = binding_of(t, p);
    for (int i = 0; i < p->count && st == ST_OK; i++)
        st = bind_step(&p->steps[i], &with, p->index[i], err);
    return st;
}

/* The choice's ways are borrowed until here. */
static void end_passage(struct passage *p, struct trial *t, int segment)
{
    layout_free(&p->layout);
    t->choices[segment] = (struct choice){ .level = { 0 } };
}

static size_t widest_image(const struct plan *plan)
{
    size_t bytes = 0;
    for (int i = 0; i < PLAN_IMAGES; i++)
        if (plan->image[i] != PLAN_NONE && plan->buffers[plan->image[i]].image_bytes > bytes)
            bytes = plan->buffers[plan->image[i]].image_bytes;
    return bytes;
}

enum status trial_image_bytes(size_t *bytes, const struct gpu_net *net, struct choice *choices, int segment,
                              unsigned levels, struct err *err)
{
    struct passage p = { .count = 0 };
    const struct choice before = choices[segment];
    list_steps(&p, net, choices, segment);
    *bytes = 0;
    enum status st = ST_OK;
    for (int level = TUNE_F0; level < TUNE_LEVELS && st == ST_OK; level++) {
        if (!(levels >> level & 1u))
            continue;
        for (int slot = 0; slot < SEGMENT_SLOTS; slot++)
            choices[segment].level[slot] = level;
        st = layout_plan(&p.layout, net, choices, p.index, p.count, true, NULL, err);
        if (st == ST_OK && p.layout.image_bytes > *bytes)
            *bytes = p.layout.image_bytes;
        layout_free(&p.layout);
    }
    if (p.count > 0 && net->plan->steps[p.index[0]].kind == STEP_PACK)
        *bytes += widest_image(net->plan); /* a wide form needs no more than this besides */
    choices[segment] = before;
    return st;
}

/* --- input ----------------------------------------------------------------------------------------------------- */

/* The noise over and over: from the host once, then what is there is doubled, at the speed of the device. */
static enum status fill_block(void *dst, size_t bytes, const void *noise, size_t noise_bytes, struct gpu_device *d,
                              struct err *err)
{
    size_t done = bytes < noise_bytes ? bytes : noise_bytes;
    enum status st = gpu_check(d, cudaMemcpyAsync(dst, noise, done, cudaMemcpyHostToDevice, d->stream),
                               "cudaMemcpyAsync", "input of a trial", err);
    for (size_t part; done < bytes && st == ST_OK; done += part) {
        part = bytes - done < done ? bytes - done : done;
        st = gpu_check(d, cudaMemcpyAsync((char *)dst + done, dst, part, cudaMemcpyDeviceToDevice, d->stream),
                       "cudaMemcpyAsync", "input of a trial", err);
    }
    return st;
}

static bool written_before(const struct trial *t, const struct passage *p, int step, int buffer)
{
    for (int i = 0; i < step; i++) {
        int ids[PLAN_STEP_BUFFERS], written;
        layout_buffers(ids, &written, t->net, t->choices, p->index[i]);
        for (int k = 0; k < written; k++)
            if (ids[k] == buffer)
                return true;
    }
    return false;
}

static enum status fill_input(const struct trial *t, struct err *err)
{
    const int *input = t->net->plan->input;
    size_t count = (size_t)t->batch * (size_t)input[0] * (size_t)input[1] * (size_t)input[2];
    return fill_block(t->pool->input[0].data, count * sizeof(float), t->positive, NOISE_COUNT * sizeof(float),
                      t->net->device, err);
}

/* What step number `step` reads and no step before it wrote. */
static enum status fill_step(const struct trial *t, const struct passage *p, int step, struct err *err)
{
    const struct plan *plan = t->net->plan;
    size_t n = (size_t)t->batch, element = fused_bytes(plan->type);
    int ids[PLAN_STEP_BUFFERS], written;
    int count = layout_buffers(ids, &written, t->net, t->choices, p->index[step]);
    enum status st = plan->steps[p->index[step]].kind == STEP_PACK ? fill_input(t, err) : ST_OK;
    for (int i = written; i < count && st == ST_OK; i++) {
        int id = plan->buffers[ids[i]].parent == PLAN_NONE ? ids[i] : plan->buffers[ids[i]].parent;
        const struct buffer *b = &plan->buffers[id];
        if (ids[i] == plan->output_buffer || written_before(t, p, step, ids[i]))
            continue;
        void *dst = (char *)t->pool->arena.data + p->layout.offset[id] * n;
        if (b->tensor)
            st = fill_block(dst, n * (size_t)b->h * (size_t)b->w * (size_t)b->c * element, t->noise,
                            NOISE_COUNT * element, t->net->device, err);
        else
            st = fill_block(dst, n * b->floats * sizeof(float), t->positive, NOISE_COUNT * sizeof(float),
                            t->net->device, err);
    }
    return st;
}

/* Everything NaN, then the input. */
static enum status fill(struct trial *t, const struct passage *p, int segment, struct err *err)
{
    struct gpu_device *d = t->net->device;
    enum status st = gpu_check(d, cudaMemsetAsync(t->pool->arena.data, POISON, p->layout.image_bytes * (size_t)t->batch,
                                                  d->stream), "cudaMemsetAsync", NULL, err);
    for (int i = 0; i < p->count && st == ST_OK; i++)
        st = fill_step(t, p, i, err);
    if (st == ST_OK)
        st = gpu_check(d, cudaDeviceSynchronize(), "cudaDeviceSynchronize", NULL, err);
    t->segment = st == ST_OK ? segment : -1;
    memcpy(t->level, t->choices[segment].level, sizeof t->level);
    for (int slot = 0; slot < SEGMENT_SLOTS; slot++)
        t->form[slot] = bind_form(t->choices, segment, slot);
    t->repeats = 0;
    return st;
}

/* --- running --------------------------------------------------------------------------------------------------- */

static enum status enqueue(const struct trial *t, const struct passage *p, struct err *err)
{
    struct gpu_device *d = t->net->device;
    const struct gpu_place place = { .scratch = t->pool->workspace.data, .tickets = t->net->tickets,
                                     .limits = &d->card.limits, .stream = d->stream };
    enum status st = ST_OK;
    for (int i = 0; i < p->count && st == ST_OK; i++)
        st = p->steps[i].scratch_bytes > t->pool->workspace.bytes
                 ? err_set(err, ST_UNSUPPORTED, "a trial needs more than the workspace")
                 : bound_run(&p->steps[i], &place, err);
    return st;
}

static enum status wait(const struct trial *t, struct err *err)
{
    return gpu_check(t->net->device, cudaStreamSynchronize(t->net->device->stream), "cudaStreamSynchronize", NULL, err);
}

/* --- results --------------------------------------------------------------------------------------------------- */

struct readings {
    float *values;
    size_t room, count;
};

static float value_of(const void *data, size_t i, enum fused_type type)
{
    if (type == FUSED_F32)
        return ((const float *)data)[i];
    uint16_t bits = ((const uint16_t *)data)[i];
    return type == FUSED_F16 ? f32_of_f16(bits) : f32_of_bf16(bits);
}

/* `count` elements from src on, as f32. */
static enum status read_run(struct readings *r, const void *src, size_t count, enum fused_type type,
                            struct gpu_device *d, struct err *err)
{
    if (count > r->room - r->count)
        count = r->room - r->count;
    void *copy = malloc(count * fused_bytes(type) + 1);
    if (!copy)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the results of a trial");
    enum status st = gpu_check(d, cudaMemcpy(copy, src, count * fused_bytes(type), cudaMemcpyDeviceToHost),
                               "cudaMemcpy", "results of a trial", err);
    for (size_t i = 0; i < count && st == ST_OK; i++)
        r->values[r->count++] = value_of(copy, i, type);
    free(copy);
    return st;
}

static enum status read_tensor(struct readings *r, const struct fused_view *v, struct gpu_device *d, struct err *err)
{
    size_t pixels = (size_t)v->n * (size_t)v->h * (size_t)v->w, taken = pixels < PIXELS_MAX ? pixels : PIXELS_MAX;
    enum status st = ST_OK;
    for (size_t i = 0; v->data && i < taken && st == ST_OK; i++) {
        size_t pixel = i * pixels / taken;
        const char *at = (const char *)v->data + pixel * (size_t)v->stride * fused_bytes(v->type);
        st = read_run(r, at, (size_t)v->c, v->type, d, err);
    }
    return st;
}

static enum status read_floats(struct readings *r, const float *src, size_t count, struct gpu_device *d,
                               struct err *err)
{
    enum { MOST = 1 << 14 };
    return src ? read_run(r, src, count < MOST ? count : MOST, FUSED_F32, d, err) : ST_OK;
}

static enum status read_apply(struct readings *r, const struct fused_apply *a, struct gpu_device *d, struct err *err)
{
    size_t n = (size_t)a->n, pixels = n * (size_t)a->h * (size_t)a->w;
    enum status st = read_tensor(r, &a->dst, d, err);
    if (st == ST_OK)
        st = read_tensor(r, &a->pool, d, err);
    if (st == ST_OK)
        st = read_floats(r, a->channel_mean, n * (size_t)a->c, d, err);
    if (st == ST_OK)
        st = read_floats(r, a->point, 2 * pixels, d, err);
    return st == ST_OK ? read_floats(r, a->dot, pixels, d, err) : st;
}

static enum status read_norm(struct readings *r, const struct fused_norm *norm, size_t count, struct gpu_device *d,
                             struct err *err)
{
    enum status st = read_floats(r, norm->scale, count, d, err);
    if (st == ST_OK)
        st = read_floats(r, norm->shift, count, d, err);
    if (st == ST_OK)
        st = read_floats(r, norm->center, count, d, err);
    return st == ST_OK ? read_floats(r, norm->rate, count, d, err) : st;
}

static enum status read_survey(struct readings *r, const struct fused_survey *s, struct gpu_device *d, struct err *err)
{
    size_t n = (size_t)s->src.n, h = (size_t)s->src.h, w = (size_t)s->src.w;
    enum status st = read_floats(r, s->row, 2 * n * h, d, err);
    if (st == ST_OK)
        st = read_floats(r, s->column, 2 * n * w, d, err);
    if (st == ST_OK)
        st = read_floats(r, s->point, 2 * n * h * w, d, err);
    return st == ST_OK ? read_tensor(r, &s->dst, d, err) : st;
}

/* What a step by itself leaves. */
static enum status read_lone(struct readings *r, const struct bound *b, struct gpu_device *d, struct err *err)
{
    const struct fused_apply *a = &b->u.apply.op;
    enum status st = ST_OK;
    if (b->kind == BOUND_SURVEY)
        st = read_survey(r, &b->u.survey, d, err);
    if (b->kind == BOUND_STATS)
        st = read_norm(r, &b->u.stats.norm, (size_t)b->u.stats.src.n * (size_t)b->u.stats.src.c, d, err);
    if (b->kind == BOUND_APPLY && a->norm)
        st = read_norm(r, a->norm, (size_t)a->n * (size_t)a->c, d, err);
    return b->kind == BOUND_APPLY && st == ST_OK ? read_apply(r, a, d, err) : st;
}

/* What the last part leaves: its pass's output, in whatever form a transposed convolution the tensor in order, or the raw
 * tensor and its coefficients where there is no such pass. */
static enum status read_results(struct readings *r, const struct trial *t, const struct passage *p, struct err *err)
{
    const struct segment *s = &t->net->segments[t->segment];
    if (s->parts == 0)
        return read_lone(r, &p->steps[0], t->net->device, err);
    const struct segment_part *last = &s->part[s->parts - 1];
    struct gpu_device *d = t->net->device;
    const struct conv_step *conv = &t->net->plan->steps[last->conv].u.conv;
    enum status st = ST_OK;
    for (int i = 0; i < p->count && st == ST_OK; i++) {
        const struct bound *b = &p->steps[i];
        if (p->index[i] == last->apply)
            st = b->kind == BOUND_NORM ? read_tensor(r, &b->u.norm.dst, d, err)
                                       : read_apply(r, &b->u.apply.op, d, err);
        if (last->apply != PLAN_NONE)
            continue;
        if (p->index[i] == last->scatter)
            st = read_tensor(r, &b->u.scatter.dst, d, err);
        if (p->index[i] == last->conv && last->scatter == PLAN_NONE) {
            const struct fused_view raw = { b->u.conv.buffers.dst, t->net->plan->type, t->batch, conv->shape.out_h,
                                            conv->shape.out_w, conv->shape.k, conv->shape.k };
            st = read_tensor(r, &raw, d, err);
        }
        if (p->index[i] == last->stats && b->kind == BOUND_FOLD) /* earlier coefficients are gone by now */
            st = read_norm(r, &b->u.fold.norm, (size_t)b->u.fold.n * (size_t)b->u.fold.c, d, err);
        if (p->index[i] == last->stats && b->kind == BOUND_STATS)
            st = read_norm(r, &b->u.stats.norm, (size_t)b->u.stats.src.n * (size_t)b->u.stats.src.c, d, err);
    }
    return st;
}

enum status trial_values(struct trial *t, int segment, const struct choice *choice, float *values, size_t room,
                         size_t *count, struct err *err)
{
    struct passage p = { .count = 0 };
    struct readings r = { .values = values, .room = room };
    enum status st = bind_passage(&p, t, segment, choice, err);
    if (st == ST_OK)
        st = fill(t, &p, segment, err);
    if (st == ST_OK)
        st = enqueue(t, &p, err);
    if (st == ST_OK)
        st = wait(t, err);
    if (st == ST_OK)
        st = read_results(&r, t, &p, err);
    *count = r.count;
    end_passage(&p, t, segment);
    return gpu_settle(t->net->device, st, err);
}

/* --- time ------------------------------------------------------------------------------------------------------ */

static enum status time_passes(double *ns, const struct trial *t, const struct passage *p, int passes, struct err *err)
{
    struct gpu_device *d = t->net->device;
    uint64_t all_ns = 0;
    enum status st = gpu_check(d, cudaEventRecord(t->begin, d->stream), "cudaEventRecord", NULL, err);
    for (int i = 0; i < passes && st == ST_OK; i++)
        st = enqueue(t, p, err);
    if (st == ST_OK)
        st = gpu_check(d, cudaEventRecord(t->end, d->stream), "cudaEventRecord", NULL, err);
    if (st == ST_OK)
        st = wait(t, err);
    if (st == ST_OK)
        st = timing_between(&all_ns, t->begin, t->end, d, err);
    *ns = (double)all_ns / passes;
    return st;
}

/* Another layout has its input elsewhere. */
static bool is_filled_for(const struct trial *t, int segment, const struct choice *choice)
{
    bool same = t->segment == segment && memcmp(t->level, choice->level, sizeof t->level) == 0;
    for (int slot = 0; slot < SEGMENT_SLOTS; slot++)
        same = same && t->form[slot] == conv_form(choice->way[slot]);
    return same;
}

enum status trial_sample(struct trial *t, int segment, const struct choice *choice, double *ns, struct err *err)
{
    struct passage p = { .count = 0 };
    bool filled = is_filled_for(t, segment, choice);
    enum status st = bind_passage(&p, t, segment, choice, err);
    if (st == ST_OK && !filled)
        st = fill(t, &p, segment, err);
    if (st == ST_OK && t->repeats == 0) {
        double once_ns = 0;
        st = time_passes(&once_ns, t, &p, 1, err);
        if (st == ST_OK)
            st = time_passes(&once_ns, t, &p, 1, err);
        t->repeats = once_ns * REPEATS_MAX < SAMPLE_NS ? REPEATS_MAX : 1 + (int)(SAMPLE_NS / (once_ns + 1));
    }
    if (st == ST_OK)
        st = time_passes(ns, t, &p, t->repeats, err);
    end_passage(&p, t, segment);
    return gpu_settle(t->net->device, st, err);
}
