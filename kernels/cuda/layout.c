#include "kernels/cuda/layout.h"

#include <stdlib.h>

#include "kernels/graph/arena.h"

#define ANY_BATCH 1     /* levels do not depend on it */

/* --- what a step touches --------------------------------------------------------------------------------------- */

/* Written buffers of the kinds of steps that a segment has; of others: none, they stand at the end of a list anyway. */
static int written_by(int *ids, const struct step *s)
{
    int count = 0;
#define PUT(id) do { if ((id) != PLAN_NONE) ids[count++] = (id); } while (0)
    if (s->kind == STEP_PACK)
        PUT(s->u.pack.dst);
    if (s->kind == STEP_CONV)
        PUT(s->u.conv.dst);
    if (s->kind == STEP_SCATTER)
        PUT(s->u.scatter.dst);
    if (s->kind == STEP_STATS || (s->kind == STEP_APPLY && s->u.apply.has_norm)) {
        const struct norm_ref *n = s->kind == STEP_STATS ? &s->u.stats.norm : &s->u.apply.norm;
        PUT(n->scale);
        PUT(n->shift);
        PUT(n->center);
        PUT(n->rate);
    }
    if (s->kind == STEP_SURVEY) {
        PUT(s->u.survey.dst);
        PUT(s->u.survey.row);
        PUT(s->u.survey.column);
        PUT(s->u.survey.point);
    }
    if (s->kind == STEP_APPLY) {
        PUT(s->u.apply.dst);
        PUT(s->u.apply.pool);
        PUT(s->u.apply.channel_mean);
        PUT(s->u.apply.point);
        PUT(s->u.apply.dot);
    }
#undef PUT
    return count;
}

static bool among(const int *ids, int count, int id)
{
    for (int i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* A convolution with a prologue: its own output, the raw tensor before, and the coefficients of that one's norm. */
static int prologue_buffers(int *ids, const struct gpu_net *net, struct place_in_segment at, int dst)
{
    const struct segment_part *before = &net->segments[at.segment].part[at.slot - 1];
    const struct norm_ref *n = &net->plan->steps[before->stats].u.stats.norm;
    int count = 0;
    ids[count++] = dst;
    ids[count++] = net->plan->steps[before->conv].u.conv.dst;
    ids[count++] = n->scale;
    ids[count++] = n->shift;
    return count;
}

/* A norm of cuDNN's: what the pass would read and write, but no coefficients. */
static int norm_buffers(int *ids, const struct gpu_net *net, struct place_in_segment at)
{
    const struct segment_part *part = &net->segments[at.segment].part[at.slot];
    const struct apply_step *a = &net->plan->steps[part->apply].u.apply;
    int count = 0;
    ids[count++] = a->dst;
    for (int t = 0; t < a->terms; t++)
        ids[count++] = a->term[t].src;
    return count;
}

/* A direct way: where the scatter step would write, and the convolution's src. */
static int direct_buffers(int *ids, const struct gpu_net *net, struct place_in_segment at, int src)
{
    const struct segment_part *part = &net->segments[at.segment].part[at.slot];
    ids[0] = net->plan->steps[part->scatter].u.scatter.dst;
    ids[1] = src;
    return 2;
}

int layout_buffers(int *ids, int *written, const struct gpu_net *net, const struct choice *choices, int index)
{
    const struct step *s = &net->plan->steps[index];
    const struct place_in_segment at = net->places[index];
    *written = 0;
    if (at.segment >= 0 && s->kind == STEP_APPLY &&
        bind_leaves_out(net, choices, at.segment, at.slot, ANY_BATCH))
        return 0;
    if (s->kind == STEP_PACK && !bind_is_read(net, choices, index))
        return 0;
    if (at.segment >= 0 && s->kind == STEP_SCATTER && conv_form_is_direct(bind_form(choices, at.segment, at.slot)))
        return 0;
    if (at.segment >= 0 && s->kind == STEP_CONV && conv_form_is_direct(bind_form(choices, at.segment, at.slot))) {
        *written = 1;
        return direct_buffers(ids, net, at, s->u.conv.src);
    }
    if (at.segment >= 0 && s->kind == STEP_CONV &&
        bind_want(net, choices, at.segment, at.slot, ANY_BATCH).prologue) {
        *written = 1;
        return prologue_buffers(ids, net, at, s->u.conv.dst);
    }
    if (at.segment >= 0 && (s->kind == STEP_STATS || s->kind == STEP_APPLY) &&
        bind_is_norm(net, choices, at.segment, at.slot)) {
        *written = s->kind == STEP_APPLY;
        return *written ? norm_buffers(ids, net, at) : 0;
    }
    int all[PLAN_STEP_BUFFERS], count = written_by(ids, s), touched = step_buffers(all, s);
    *written = count;
    for (int i = 0; i < touched; i++)
        if (!among(ids, *written, all[i]))
            ids[count++] = s->kind == STEP_CONV ? bind_source(net, choices, index) : all[i];
    return count;
}

/* --- lifetimes ----------------------------------------------------------------------------------------------------- */

struct lives {
    struct arena_item *items;       /* buffers, then two per part: sums, coefficients in storage type */
    bool *touched;
    int buffers, end;               /* end: behind the last step */
    const struct branches *branches;/* NULL: steps have one order */
    uint64_t *users;                /* [items][branches->words] bits: steps that touch it */
};

static void touch(struct lives *l, int item, size_t bytes, int step, int from)
{
    if (!l->touched[item])
        l->items[item] = (struct arena_item){ bytes, from, step };
    l->touched[item] = true;
    if (step > l->items[item].last)
        l->items[item].last = step;
    if (l->branches)
        l->users[(size_t)item * l->branches->words + (size_t)step / 64] |= UINT64_C(1) << (step % 64);
}

/* Are all users of `first` done before any user of `second` begins? */
static bool all_before(const struct lives *l, size_t first, size_t second)
{
    size_t words = l->branches->words;
    const uint64_t *a = l->users + first * words, *b = l->users + second * words;
    for (int step = 0; step < l->branches->steps; step++) {
        const uint64_t *past = l->branches->past + (size_t)step * words;
        if (!(b[step / 64] >> (step % 64) & 1u))
            continue;
        for (size_t i = 0; i < words; i++)
            if (a[i] & ~past[i])
                return false;
    }
    return true;
}

static bool meet_on_lanes(const void *lives, size_t i, size_t k)
{
    return !all_before(lives, i, k) && !all_before(lives, k, i);
}

static void live_buffers(struct lives *l, const struct gpu_net *net, const struct choice *choices, int index, int at,
                         bool alone)
{
    const struct plan *p = net->plan;
    int ids[PLAN_STEP_BUFFERS], written, count = layout_buffers(ids, &written, net, choices, index);
    for (int i = 0; i < count; i++) {
        int id = p->buffers[ids[i]].parent == PLAN_NONE ? ids[i] : p->buffers[ids[i]].parent;
        if (ids[i] == p->output_buffer)
            continue;
        bool given = alone && !l->touched[id] && (i >= written || id != ids[i]); /* nobody here wrote it before */
        bool result = alone && i < written && at == l->end - 1;
        touch(l, id, p->buffers[id].image_bytes, at, given ? 0 : at);
        if (given || result)
            touch(l, id, 0, l->end, at);
    }
}

static size_t rounded(size_t bytes)
{
    return (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
}

/* Sums live from the convolution to the fold, coefficients in the storage type from there to the next convolution. */
static void live_part(struct lives *l, const struct gpu_net *net, const struct choice *choices, int index, int at)
{
    const struct place_in_segment place = net->places[index];
    if (place.segment < 0)
        return;
    const struct segment_part *part = &net->segments[place.segment].part[place.slot];
    int part_index = place.segment * SEGMENT_SLOTS + place.slot, item = l->buffers + 2 * part_index;
    size_t k = (size_t)net->plan->steps[part->conv].u.conv.shape.k;
    struct conv_want want = bind_want(net, choices, place.segment, place.slot, ANY_BATCH);
    if (want.stats && (index == part->conv || index == part->stats))
        touch(l, item, 2 * rounded(k * sizeof(float)), at, at);
    if (index == part->stats && bind_leaves_out(net, choices, place.segment, place.slot, ANY_BATCH))
        touch(l, item + 1, 2 * rounded(k * fused_bytes(net->plan->type)), at, at);
    if (index == part->conv && want.prologue)
        touch(l, item - 1, 0, at, at); /* of the part before */
}

static enum status place(struct layout *out, const struct lives *l, const struct gpu_net *net, struct err *err)
{
    size_t parts = (size_t)net->segment_count * SEGMENT_SLOTS, count = (size_t)l->buffers + 2 * parts;
    size_t *offsets = calloc(count, sizeof *offsets);
    enum status st = offsets ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "no memory to place %zu buffers", count);
    if (st == ST_OK && l->branches)
        st = arena_plan_by(offsets, &out->image_bytes, l->items, count, meet_on_lanes, l, err);
    else if (st == ST_OK)
        st = arena_plan(offsets, &out->image_bytes, l->items, count, err);
    for (int i = 0; st == ST_OK && i < l->buffers; i++)
        out->offset[i] = offsets[i];
    for (size_t i = 0; st == ST_OK && i < parts; i++) {
        const struct arena_item *sums = &l->items[(size_t)l->buffers + 2 * i], *halves = sums + 1;
        size_t at = offsets[(size_t)l->buffers + 2 * i], half_at = offsets[(size_t)l->buffers + 2 * i + 1];
        out->parts[i] = (struct part_memory){ at, at + sums->bytes / 2, half_at, half_at + halves->bytes / 2 };
    }
    free(offsets);
    return st;
}

enum status layout_plan(struct layout *out, const struct gpu_net *net, const struct choice *choices, const int *steps,
                        int count, bool alone, const struct branches *branches, struct err *err)
{
    size_t parts = (size_t)net->segment_count * SEGMENT_SLOTS, buffers = (size_t)net->plan->buffer_count;
    size_t words = branches ? branches->words : 1;
    struct lives l = { .items = calloc(buffers + 2 * parts, sizeof *l.items),
                       .touched = calloc(buffers + 2 * parts, sizeof *l.touched), .buffers = (int)buffers,
                       .end = count, .branches = branches,
                       .users = calloc((buffers + 2 * parts) * words, sizeof *l.users) };
    *out = (struct layout){ .offset = calloc(buffers, sizeof *out->offset),
                            .parts = calloc(parts ? parts : 1, sizeof *out->parts) };
    enum status st = ST_OK;
    if (!l.items || !l.touched || !l.users || !out->offset || !out->parts)
        st = err_set(err, ST_OUT_OF_MEMORY, "no memory to place %zu buffers", buffers);
    for (int i = 0; i < count && st == ST_OK; i++) {
        live_buffers(&l, net, choices, steps[i], i, alone);
        live_part(&l, net, choices, steps[i], i);
    }
    if (st == ST_OK)
        st = place(out, &l, net, err);
    free(l.items);
    free(l.touched);
    free(l.users);
    if (st != ST_OK)
        layout_free(out);
    return st;
}

void layout_free(struct layout *l)
{
    free(l->offset);
    free(l->parts);
    *l = (struct layout){ .offset = NULL };
}
