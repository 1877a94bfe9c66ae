/* patience.h - when a list of plans is long enough: a library may take seconds to build one. */
#ifndef CUDA_PATIENCE_H
#define CUDA_PATIENCE_H

#include <stdbool.h>

struct patience {
    bool (*more)(void *context);    /* asked before every plan: is there time for it? */
    void *context;
    bool at_least_one;              /* not asked before there is one */
};

/* NULL has all the time in the world. count: plans that are there. */
static inline bool patience_left(const struct patience *p, unsigned long count)
{
    return !p || (p->at_least_one && count == 0) || p->more(p->context);
}

#endif
