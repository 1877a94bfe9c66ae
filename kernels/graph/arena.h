/* arena.h - where things of known lifetimes lie in one block of memory, so that what is never alive together
 * may share. Pure: reads the items, writes the offsets; everything borrows. */
#ifndef GRAPH_ARENA_H
#define GRAPH_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/err.h"

#define ARENA_ALIGNMENT 64 /* bytes: one cache line, one 512-bit vector */

struct arena_item {
    size_t bytes;    /* 0 is allowed: takes no room, offset 0 */
    int first, last; /* steps in which it holds something, both included; first <= last */
};

/* Writes offsets[count], multiples of ARENA_ALIGNMENT, and the total, so that two items with a common step
 * never overlap. Largest first, each into the smallest hole that takes it, else at the end. Deterministic.
 * ST_OUT_OF_MEMORY; ST_INTERNAL for an item with first > last. */
enum status arena_plan(size_t *offsets, size_t *total, const struct arena_item *items, size_t count,
                       struct err *err);

/* The same where steps have no single order: items i and k may share memory unless they meet. meet must be symmetric
 * and true wherever both have a step in common. */
typedef bool arena_meet(const void *context, size_t i, size_t k);
enum status arena_plan_by(size_t *offsets, size_t *total, const struct arena_item *items, size_t count,
                          arena_meet *meet, const void *context, struct err *err);

/* The most bytes alive in one step, each rounded up to ARENA_ALIGNMENT: no plan can be smaller. */
size_t arena_bound(const struct arena_item *items, size_t count);

#endif
