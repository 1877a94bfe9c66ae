/* grow.h - one more place at the end of an array. */
#ifndef BASE_GROW_H
#define BASE_GROW_H

#include <stdbool.h>
#include <stdlib.h>

/* Room for item number `count` of `size` bytes in *items (NULL at first), whose room is *room items; it doubles.
 * false: no memory, and nothing changed. free() takes *items. */
static inline bool grow(void **items, int count, int *room, size_t size)
{
    if (count < *room)
        return true;
    int wanted = *room ? *room * 2 : 64;
    void *more = realloc(*items, (size_t)wanted * size);
    if (!more)
        return false;
    *items = more;
    *room = wanted;
    return true;
}

#endif
