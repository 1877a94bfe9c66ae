#include "kernels/cuda/tune/signature.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORTH_A_LAUNCH_NS 20e3  /* of one image: below, n launches cost more than a pass saves */
/* Of a tensor that cuDNN's norm engine may keep on the chip (gpu.md section 5): a larger one is read twice, as by ours. */
#define NORM_BYTES_MAX ((size_t)20000000)

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

/* Does the pass store one tensor and nothing else? */
static bool stores_only(const struct apply_step *a)
{
    return a->dst != PLAN_NONE && a->pool == PLAN_NONE && a->channel_mean == PLAN_NONE && a->point == PLAN_NONE &&
           a->dot == PLAN_NONE && !a->has_norm && a->act != FUSED_SIGMOID;
}

/* An addend that is read as it is stored, and not where the result goes. */
static bool is_residual(const struct plan *p, const struct apply_step *a, const struct term_ref *t)
{
    return t->scale == PLAN_NONE && t->shift == PLAN_NONE && t->pixel == PLAN_NONE && !t->relu &&
           t->resize == FUSED_SAME && !same_memory(p, t->src, a->dst);
}

static const struct term_ref *residual_of(const struct apply_step *a, int raw)
{
    return a->terms < 2 ? NULL : &a->term[a->term[0].src == raw];
}

/* Is the pass relu?(norm(raw) + residual?) with a learnt norm, out of place, and nobody else's business? */
static bool is_norm_pass(const struct plan *p, const struct segment_part *part)
{
    if (!part->sums || part->apply == PLAN_NONE)
        return false;
    const struct apply_step *a = &p->steps[part->apply].u.apply;
    const struct norm_ref *norm = &p->steps[part->stats].u.stats.norm;
    int raw = p->steps[part->conv].u.conv.dst;
    const struct term_ref *t = term_with(a, raw), *residual = residual_of(a, raw);
    const int allowed[] = { part->stats, part->apply };
    bool learnt = norm->gamma && norm->beta && norm->center == PLAN_NONE && norm->rate == PLAN_NONE;
    bool whole = t->scale == norm->scale && t->shift == norm->shift && t->pixel == PLAN_NONE && t->resize == FUSED_SAME;
    return learnt && whole && a->terms <= 2 && stores_only(a) && !same_memory(p, raw, a->dst) &&
           (!residual || (!t->relu && is_residual(p, a, residual))) &&
           p->buffers[raw].parent == PLAN_NONE && p->buffers[a->dst].c % NORM_CHANNEL_BLOCK == 0 &&
           only_used_by(p, norm->scale, allowed, 2) && only_used_by(p, norm->shift, allowed, 2);
}

static size_t norm_bytes_of(const struct plan *p, const struct segment_part *part)
{
    if (!is_norm_pass(p, part))
        return 0;
    const struct buffer *dst = &p->buffers[p->steps[part->apply].u.apply.dst];
    return (size_t)dst->h * (size_t)dst->w * (size_t)dst->c * fused_bytes(p->type);
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
    part.norm_bytes = norm_bytes_of(p, &part);
    return part;
}

/* Is the pass nothing but relu(scale * raw + shift), into a tensor of its own? */
static bool is_plain_pass(const struct plan *p, const struct apply_step *a, const struct norm_ref *norm)
{
    const struct term_ref *t = &a->term[0];
    bool relu = t->relu || a->act == FUSED_RELU;
    return a->terms == 1 && relu && stores_only(a) && t->pixel == PLAN_NONE && t->resize == FUSED_SAME &&
           t->scale == norm->scale && t->shift == norm->shift && p->buffers[a->dst].parent == PLAN_NONE;
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

static unsigned shaped_in(const struct segment *s)
{
    unsigned shaped = 0;
    for (int i = 0; i < s->parts; i++)
        shaped |= (s->part[i].stats != PLAN_NONE ? 1u << GPU_SHAPED_STATS : 0u) |
                  (s->part[i].apply != PLAN_NONE ? 1u << GPU_SHAPED_APPLY : 0u);
    return shaped;
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
    want.image = plan_reads_image(p, c);
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
    put(&l, "%s", want.image ? " image" : "");
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
        list[n].shaped = shaped_in(&list[n]);
        write_text(&list[n], p, math);
        find_same(list, (int)n);
        n++;
    }
    free(taken);
    *segments = list;
    *count = (int)n;
    return ST_OK;
}

/* --- steps by themselves --------------------------------------------------------------------------------- */

/* The time of such a step follows from the sizes of what it reads and writes, and from which of these there are. */
static void put_tensor(struct line *l, const struct plan *p, const char *name, int id)
{
    if (id == PLAN_NONE)
        return;
    const struct buffer *b = &p->buffers[id];
    put(l, " %s=c%dh%dw%dld%d", name, b->c, b->h, b->w, stride_of(p, id, b->c));
}

static void put_bits(struct line *l, const char *name, const int *ids, int count)
{
    put(l, " %s=", name);
    for (int i = 0; i < count; i++)
        put(l, "%d", ids[i] != PLAN_NONE);
}

static void put_survey(struct line *l, const struct plan *p, const struct survey_step *s)
{
    const int there[] = { s->scale, s->center, s->pixel, s->row, s->column, s->point };
    put(l, "survey c%d", s->c_real);
    put_tensor(l, p, "src", s->src);
    put_tensor(l, p, "dst", s->dst);
    put_bits(l, "with", there, 6);
}

static void put_stats(struct line *l, const struct plan *p, const struct stats_step *s)
{
    const int there[] = { s->pixel, s->norm.scale, s->norm.center };
    put(l, "stats");
    put_tensor(l, p, "src", s->src);
    put_bits(l, "with", there, 3);
}

static void put_apply(struct line *l, const struct plan *p, const struct apply_step *a)
{
    const int there[] = { a->channel_mean, a->point, a->dot, a->has_norm ? a->norm.scale : PLAN_NONE };
    put(l, "apply c%d h%d w%d act%d", a->c_real, a->h, a->w, (int)a->act);
    for (int i = 0; i < a->terms; i++) {
        const struct term_ref *t = &a->term[i];
        const int parts[] = { t->scale, t->shift, t->pixel, t->relu ? 0 : PLAN_NONE };
        put_tensor(l, p, "src", t->src);
        put(l, " resize%d", (int)t->resize);
        put_bits(l, "with", parts, 4);
    }
    put_tensor(l, p, "dst", a->dst);
    put_tensor(l, p, "pool", a->pool);
    put_bits(l, "and", there, 4);
}

static bool writes_over(const struct plan *p, const struct apply_step *a)
{
    bool over = false;
    for (int i = 0; i < a->terms; i++)
        over = over || (a->dst != PLAN_NONE && same_memory(p, a->term[i].src, a->dst)) ||
               (a->pool != PLAN_NONE && same_memory(p, a->term[i].src, a->pool));
    return over;
}

/* false: no step whose block shape can be tuned by itself. */
static bool lone_of(struct segment *s, const struct plan *p, int index, enum gpu_math math)
{
    struct line l = { s->text, sizeof s->text, 0 };
    const struct step *step = &p->steps[index];
    *s = (struct segment){ .lone = index };
    switch (step->kind) {
    case STEP_STATS:
        s->shaped = 1u << GPU_SHAPED_STATS;
        put_stats(&l, p, &step->u.stats);
        break;
    case STEP_APPLY:
        s->shaped = 1u << GPU_SHAPED_APPLY;
        put_apply(&l, p, &step->u.apply);
        break;
    case STEP_SURVEY:
        s->shaped = 1u << GPU_SHAPED_SURVEY;
        put_survey(&l, p, &step->u.survey);
        break;
    default:
        return false;
    }
    put(&l, " %s", gpu_math_name(math));
    return step->kind != STEP_APPLY || !writes_over(p, &step->u.apply);
}

static bool in_a_part(const struct segment *segments, int count, int step)
{
    for (int i = 0; i < count; i++)
        for (int slot = 0; slot < segments[i].parts; slot++)
            if (step == segments[i].part[slot].stats || step == segments[i].part[slot].apply)
                return true;
    return false;
}

enum status segments_add_lone(struct segment **segments, int *count, const struct plan *p, enum gpu_math math,
                              struct err *err)
{
    int parts = *count;
    size_t room = (size_t)parts + (size_t)p->step_count + 1;
    struct segment *list = realloc(*segments, room * sizeof *list);
    if (!list)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu segments of the network", room);
    *segments = list;
    for (int i = 0; i < p->step_count; i++)
        if (!in_a_part(list, parts, i) && lone_of(&list[*count], p, i, math))
            find_same(list, (*count)++);
    return ST_OK;
}

/* --- what is asked of the libraries --------------------------------------------------------------------- */

enum { F0, F1, F2, F3 };    /* enum tune_level of tune.h, which stands on this */

struct conv_want segment_want(const struct plan *p, const struct segment *s, int slot, int level, int batch,
                              enum gpu_math math)
{
    const struct segment_part *part = &s->part[slot];
    struct conv_want want = plain_want(p, part);
    want.math = math;
    want.stats = (level == F1 || level == F2) && part->sums;
    want.prologue = level == F2 && part->prologue;
    want.shape.n = batch;
    return want;
}

struct norm_want segment_norm(const struct plan *p, const struct segment *s, int slot, int batch, enum gpu_math math)
{
    const struct segment_part *part = &s->part[slot];
    const struct apply_step *a = &p->steps[part->apply].u.apply;
    const struct buffer *dst = &p->buffers[a->dst];
    const struct term_ref *residual = residual_of(a, p->steps[part->conv].u.conv.dst);
    return (struct norm_want){ .n = batch, .h = dst->h, .w = dst->w, .c = dst->c, .math = math,
                               .dst_stride = stride_of(p, a->dst, 0), .residual = residual != NULL,
                               .residual_stride = residual ? stride_of(p, residual->src, 0) : 0,
                               .relu = a->act == FUSED_RELU || a->term[0].relu };
}

bool segment_part_has(const struct segment_part *part, int level, int batch)
{
    switch (level) {
    case F0: return true;
    case F1: return part->sums;
    case F2: return part->prologue;
    case F3: return part->norm_bytes > 0 && part->norm_bytes * (size_t)batch < NORM_BYTES_MAX;
    default: return false;
    }
}

unsigned segment_levels(const struct segment *s, const double *image_ns, int batch)
{
    unsigned levels = 0;
    bool worth = true;
    for (int i = 0; i < s->parts; i++) {
        worth = worth && (image_ns[i] >= WORTH_A_LAUNCH_NS || !(s->part[i].sums || s->part[i].prologue));
        for (int level = F0; level <= F3; level++)
            levels |= (unsigned)segment_part_has(&s->part[i], level, batch) << level;
    }
    return worth ? levels : levels & ~(1u << F1 | 1u << F2);
}
