#include "kernels/graph/arena.h"

#include <stdbool.h>
#include <stdlib.h>

struct placed { /* an item's room, and in which order it is looked at */
    size_t offset, bytes, item;
};

static size_t aligned(size_t bytes) { return (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT; }

/* Largest first; equal sizes in the order of the items, so that the plan is the same everywhere. */
static int by_size(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->item < y->item ? -1 : x->item > y->item;
}

static int by_offset(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

struct planning {
    struct placed *waiting;
    struct placed *room;            /* scratch: as many */
    arena_meet *meet;
    const void *context;
};

static bool meet_in_time(const void *items, size_t i, size_t k)
{
    const struct arena_item *a = (const struct arena_item *)items + i, *b = (const struct arena_item *)items + k;
    return a->first <= b->last && b->first <= a->last;
}

/* The smallest hole between the neighbours (sorted by offset) that takes `bytes`, else
 * the end of the last one. */
static size_t best_hole(const struct placed *neighbours, size_t count, size_t bytes)
{
    size_t end = 0, best = 0, best_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t hole = neighbours[i].offset > end ? neighbours[i].offset - end : 0;
        if (hole >= bytes && (best_bytes == 0 || hole < best_bytes)) {
            best = end;
            best_bytes = hole;
        }
        const size_t stop = neighbours[i].offset + neighbours[i].bytes;
        end = stop > end ? stop : end;
    }
    return best_bytes > 0 ? best : end;
}

/* Places waiting[i], knowing where waiting[0..i) lie. */
static void place(const struct planning *p, size_t i)
{
    struct placed *waiting = p->waiting;
    size_t count = 0;
    for (size_t k = 0; k < i; k++)
        if (waiting[k].bytes > 0 && p->meet(p->context, waiting[k].item, waiting[i].item))
            p->room[count++] = waiting[k];
    if (count > 0)
        qsort(p->room, count, sizeof *p->room, by_offset);
    waiting[i].offset = best_hole(p->room, count, waiting[i].bytes);
}

enum status arena_plan(size_t *offsets, size_t *total, const struct arena_item *items, size_t count,
                       struct err *err)
{
    return arena_plan_by(offsets, total, items, count, meet_in_time, items, err);
}

enum status arena_plan_by(size_t *offsets, size_t *total, const struct arena_item *items, size_t count,
                          arena_meet *meet, const void *context, struct err *err)
{
    *total = 0;
    for (size_t i = 0; i < count; i++)
        if (items[i].first > items[i].last)
            return err_set(err, ST_INTERNAL, "arena: item %zu lives from step %d to %d", i, items[i].first,
                           items[i].last);
    struct placed *waiting = malloc(2 * (count + 1) * sizeof *waiting);
    if (!waiting)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory to plan %zu buffers", count);
    const struct planning p = { waiting, waiting + count, meet, context };
    for (size_t i = 0; i < count; i++)
        waiting[i] = (struct placed){ 0, aligned(items[i].bytes), i };
    if (count > 0)
        qsort(waiting, count, sizeof *waiting, by_size);
    for (size_t i = 0; i < count && waiting[i].bytes > 0; i++) {
        place(&p, i);
        const size_t end = waiting[i].offset + waiting[i].bytes;
        *total = end > *total ? end : *total;
    }
    for (size_t i = 0; i < count; i++)
        offsets[waiting[i].item] = waiting[i].offset;
    free(waiting);
    return ST_OK;
}

size_t arena_bound(const struct arena_item *items, size_t count)
{
    size_t most = 0;
    for (size_t i = 0; i < count; i++) { /* the peak is at the first step of some item */
        size_t alive = 0;
        for (size_t k = 0; k < count; k++)
            if (items[k].first <= items[i].first && items[i].first <= items[k].last)
                alive += aligned(items[k].bytes);
        most = alive > most ? alive : most;
    }
    return most;
}
