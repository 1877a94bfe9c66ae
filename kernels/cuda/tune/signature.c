#include "kernels/cuda/tune/signature.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORTH_A_LAUNCH_NS 20e3  /* of one image: below, n launches cost more than a pass saves */

const char *gpu_math_name(enum gpu_math math)
{
    static const char *const names[] = { [GPU_F32] = "f32", [GPU_TF32] = "tf32", [GPU_F16] = "f16",
                                         [GPU_BF16] = "bf16" };
    return (unsigned)math < sizeof names / sizeof *names ? names[math] : "unknown";
}

/* --- who touches a buffer ------------------------------------------------------------------------------- */

static bool same_memory(const struct plan *p, int a, int b)
{
    int parent_a = p->buffers[a].parent, parent_b = p->buffers[b].parent;
    return a == b || parent_a == b || parent_b == a || (parent_a != PLAN_NONE && parent_a == parent_b);
}

static bool touches(const struct plan *p, int step, int buffer)
{
    int ids[PLAN_STEP_BUFFERS], count = step_buffers(ids, &p->steps[step]);
    for (int i = 0; i < count; i++)
        if (same_memory(p, ids[i], buffer))
            return true;
    return false;
}

/* Steps that touch the buffer, all of them; the first `room` into steps. */
static int users_of(int *steps, int room, const struct plan *p, int buffer)
{
    int count = 0;
    for (int i = 0; i < p->step_count; i++)
        if (touches(p, i, buffer)) {
            if (count < room)
                steps[count] = i;
            count++;
        }
    return count;
}

static bool all_among(const int *steps, int count, const int *allowed, int allowed_count)
{
    for (int i = 0; i < count; i++) {
        bool found = false;
        for (int k = 0; k < allowed_count; k++)
            found = found || steps[i] == allowed[k];
        if (!found)
            return false;
    }
    return true;
}

/* Do only these steps touch the buffer? PLAN_NONE for the buffer: yes. */
static bool only_used_by(const struct plan *p, int buffer, const int *allowed, int count)
{
    enum { ROOM = 8 };
    int steps[ROOM];
    if (buffer == PLAN_NONE)
        return true;
    int users = users_of(steps, ROOM, p, buffer);
    return users <= ROOM && all_among(steps, users, allowed, count);
}

/* --- parts ---------------------------------------------------------------------------------------------- */

static int stats_of(const struct plan *p, int conv)
{
    int dst = p->steps[conv].u.conv.dst;
    for (int i = conv + 1; i < p->step_count; i++)
        if (p->steps[i].kind == STEP_STATS && p->steps[i].u.stats.src == dst)
            return i;
    return PLAN_NONE;
}

static const struct term_ref *term_with(const struct apply_step *a, int src)
{
    for (int t = 0; t < a->terms; t++)
        if (a->term[t].src == src)
            return &a->term[t];
    return NULL;
}

/* Other terms are stored values, not raw outputs that wait for a norm of their own. */
static bool raw_only_in(const struct apply_step *a, int src)
{
    for (int t = 0; t < a->terms; t++)
        if (a->term[t].src != src && (a->term[t].scale != PLAN_NONE || a->term[t].resize != FUSED_SAME))
            return false;
    return true;
}

static int apply_of(const struct plan *p, const struct segment_part *part)
{
    int dst = p->steps[part->conv].u.conv.dst;
    for (int i = part->stats + 1; part->stats != PLAN_NONE && i < p->step_count; i++) {
        const struct apply_step *a = &p->steps[i].u.apply;
        if (p->steps[i].kind == STEP_APPLY && term_with(a, dst))
            return raw_only_in(a, dst) ? i : PLAN_NONE;
    }
    return PLAN_NONE;
}

static int scatter_of(const struct plan *p, int conv)
{
    int wide = p->steps[conv].u.conv.dst;
    for (int i = conv + 1; i < p->step_count; i++)
        if (p->steps[i].kind == STEP_SCATTER && p->steps[i].u.scatter.src == wide)
            return only_used_by(p, wide, (const int[]){ conv, i }, 2) ? i : PLAN_NONE;
    return PLAN_NONE;
}

static struct segment_part part_of(const struct plan *p, int conv)
{
    struct segment_part part = { .conv = conv, .stats = stats_of(p, conv), .scatter = scatter_of(p, conv) };
    part.apply = apply_of(p, &part);
    part.sums = part.stats != PLAN_NONE && p->steps[part.stats].u.stats.pixel == PLAN_NONE;
    return part;
}

/* Is the pass nothing but relu(scale * raw + shift), into a tensor of its own? */
static bool is_plain_pass(const struct plan *p, const struct apply_step *a, const struct norm_ref *norm)
{
    const struct term_ref *t = &a->term[0];
    bool relu = t->relu || a->act == FUSED_RELU;
    bool nothing_else = a->pool == PLAN_NONE && a->channel_mean == PLAN_NONE && a->point == PLAN_NONE &&
                        a->dot == PLAN_NONE && !a->has_norm && a->act != FUSED_SIGMOID;
    return a->terms == 1 && relu && nothing_else && t->pixel == PLAN_NONE && t->resize == FUSED_SAME &&
           t->scale == norm->scale && t->shift == norm->shift && a->dst != PLAN_NONE &&
           p->buffers[a->dst].parent == PLAN_NONE;
}

/* The convolution into whose prologue the part's pass can move; PLAN_NONE. */
static int conv_behind(const struct plan *p, const struct segment_part *part)
{
    if (!part->sums || part->apply == PLAN_NONE)
        return PLAN_NONE;
    const struct apply_step *a = &p->steps[part->apply].u.apply;
    const struct norm_ref *norm = &p->steps[part->stats].u.stats.norm;
    if (!is_plain_pass(p, a, norm))
        return PLAN_NONE;
    int next = PLAN_NONE;
    for (int i = part->apply + 1; i < p->step_count && next == PLAN_NONE; i++)
        if (p->steps[i].kind == STEP_CONV && p->steps[i].u.conv.src == a->dst)
            next = i;
    if (next == PLAN_NONE || p->steps[next].u.conv.shape.c != p->buffers[a->dst].c)
        return PLAN_NONE;
    const int allowed[] = { part->conv, part->stats, part->apply, next };
    bool alone = only_used_by(p, a->dst, allowed, 4) && only_used_by(p, norm->scale, allowed, 4) &&
                 only_used_by(p, norm->shift, allowed, 4) &&
                 only_used_by(p, p->steps[part->conv].u.conv.dst, allowed, 4);
    return alone ? next : PLAN_NONE;
}

static void grow_segment(struct segment *s, const struct plan *p, int conv, bool *taken)
{
    *s = (struct segment){ .parts = 1 };
    s->part[0] = part_of(p, conv);
    taken[conv] = true;
    while (s->parts < SEGMENT_SLOTS) {
        int next = conv_behind(p, &s->part[s->parts - 1]);
        if (next == PLAN_NONE || taken[next])
            return;
        s->part[s->parts] = part_of(p, next);
        s->part[s->parts++].prologue = true;
        taken[next] = true;
    }
}

/* --- text ----------------------------------------------------------------------------------------------- */

struct line {
    char *text;
    size_t size, used;
};
static void put(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l->text + l->used, l->size - l->used, format, args);
    va_end(args);
    if (n > 0)
        l->used = l->used + (size_t)n < l->size ? l->used + (size_t)n : l->size - 1;
}

static int stride_of(const struct plan *p, int buffer, int dense)
{
    int parent = p->buffers[buffer].parent;    /* without one a view may fold pixels into channels: dense */
    return parent == PLAN_NONE ? dense : p->buffers[parent].c;
}

static void put_word(struct line *l, bool *first, const char *word)
{
    put(l, "%s%s", *first ? "" : "+", word);
    *first = false;
}

static void put_post(struct line *l, const struct plan *p, const struct segment_part *part)
{
    bool first = true;
    put(l, " post=");
    if (part->stats != PLAN_NONE)
        put_word(l, &first, p->steps[part->stats].u.stats.pixel == PLAN_NONE ? "in" : "map+in");
    if (part->apply != PLAN_NONE) {
        const struct apply_step *a = &p->steps[part->apply].u.apply;
        for (int t = 1; t < a->terms; t++)
            put_word(l, &first, "res");
        bool relu = a->act == FUSED_RELU || (a->terms == 1 && a->term[0].relu);
        const struct { bool there; const char *word; } words[] = {
            { relu, "relu" }, { a->act == FUSED_SIGMOID, "sigmoid" }, { a->pool != PLAN_NONE, "pool" },
            { a->channel_mean != PLAN_NONE, "mean" }, { a->point != PLAN_NONE, "point" },
            { a->dot != PLAN_NONE, "dot" }, { a->has_norm, "in" },
        };
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (words[i].there)
                put_word(l, &first, words[i].word);
    }
    if (first)
        put(l, "-");
}

/* Readers of what the part leaves behind. */
static int consumers_of(const struct plan *p, const struct segment_part *part)
{
    int last = part->apply != PLAN_NONE ? part->apply : part->scatter != PLAN_NONE ? part->scatter : part->conv;
    int stored = p->steps[part->conv].u.conv.dst;
    if (part->scatter != PLAN_NONE)
        stored = p->steps[part->scatter].u.scatter.dst;
    if (part->apply != PLAN_NONE && p->steps[part->apply].u.apply.dst != PLAN_NONE)
        stored = p->steps[part->apply].u.apply.dst;
    int count = 0;
    for (int i = last + 1; i < p->step_count; i++)
        count += i != part->stats && touches(p, i, stored);
    return count;
}

/* What is asked of the libraries at F0, for one image; of a transposed convolution the direct form. */
static struct conv_want plain_want(const struct plan *p, const struct segment_part *part)
{
    const struct conv_step *c = &p->steps[part->conv].u.conv;
    struct conv_want want = { .shape = c->shape };
    want.src_stride = stride_of(p, c->src, 0);
    want.dst_stride = stride_of(p, c->dst, 0);
    if (part->scatter != PLAN_NONE) {
        const struct scatter_step *s = &p->steps[part->scatter].u.scatter;
        want.direct = (struct conv_direct){ stride_of(p, s->dst, p->buffers[s->dst].c), s->bias != NULL };
    }
    return want;
}

void signature_part(char text[SIGNATURE_STEP_MAX], const struct plan *p, const struct segment_part *part,
                    enum gpu_math math)
{
    struct line l = { text, SIGNATURE_STEP_MAX, 0 };
    const struct conv_want wide = plain_want(p, part);
    const struct conv_want want = part->scatter != PLAN_NONE ? conv_want_direct(&wide) : wide;
    const struct conv_shape *s = &want.shape;
    text[0] = 0;
    put(&l, "%sconv%dx%ds%dp%d", want.transposed ? "t" : "", s->kernel_h, s->kernel_w, s->stride, s->pad_h);
    if (s->pad_w != s->pad_h)
        put(&l, ",%d", s->pad_w);
    put(&l, " g%d c%d k%d h%d w%d ld%d/%d %s%s", s->groups, s->c, s->k, s->h, s->w,
        want.src_stride ? want.src_stride : s->c, want.dst_stride ? want.dst_stride : s->k, gpu_math_name(math),
        s->bias ? " bias" : "");
    put_post(&l, p, part);
    put(&l, " consumers=%d", consumers_of(p, part));
}

static void write_text(struct segment *s, const struct plan *p, enum gpu_math math)
{
    struct line l = { s->text, sizeof s->text, 0 };
    s->text[0] = 0;
    for (int i = 0; i < s->parts; i++) {
        char part[SIGNATURE_STEP_MAX];
        signature_part(part, p, &s->part[i], math);
        put(&l, "%s%s", i ? " > " : "", part);
    }
}

static void find_same(struct segment *segments, int index)
{
    segments[index].same = index;
    segments[index].count = 1;
    for (int i = 0; i < index; i++)
        if (segments[i].same == i && strcmp(segments[i].text, segments[index].text) == 0) {
            segments[index].same = i;
            segments[i].count++;
            return;
        }
}

enum status segments_of_plan(struct segment **segments, int *count, const struct plan *p, enum gpu_math math,
                             struct err *err)
{
    size_t room = 1, n = 0;
    for (int i = 0; i < p->step_count; i++)
        room += p->steps[i].kind == STEP_CONV;
    struct segment *list = calloc(room, sizeof *list);
    bool *taken = calloc((size_t)p->step_count + 1, sizeof *taken);
    *segments = NULL;
    *count = 0;
    if (!list || !taken) {
        free(list);
        free(taken);
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu segments of the network", room);
    }
    for (int i = 0; i < p->step_count; i++) {
        if (p->steps[i].kind != STEP_CONV || taken[i])
            continue;
        grow_segment(&list[n], p, i, taken);
        write_text(&list[n], p, math);
        find_same(list, (int)n);
        n++;
    }
    free(taken);
    *segments = list;
    *count = (int)n;
    return ST_OK;
}

/* --- what is asked of the libraries --------------------------------------------------------------------- */

struct conv_want segment_want(const struct plan *p, const struct segment *s, int slot, int level, int batch,
                              enum gpu_math math)
{
    const struct segment_part *part = &s->part[slot];
    struct conv_want want = plain_want(p, part);
    want.math = math;
    want.stats = level >= 1 && part->sums;
    want.prologue = level >= 2 && part->prologue;
    want.shape.n = batch;
    return want;
}

unsigned segment_levels(const struct segment *s, const double *image_ns)
{
    bool sums = false, prologue = false, worth = true;
    for (int i = 0; i < s->parts; i++) {
        sums = sums || s->part[i].sums;
        prologue = prologue || s->part[i].prologue;
        worth = worth && (image_ns[i] >= WORTH_A_LAUNCH_NS || !(s->part[i].sums || s->part[i].prologue));
    }
    return 1u | (worth && sums ? 2u : 0u) | (worth && prologue ? 4u : 0u);
}
