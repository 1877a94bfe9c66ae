/* progress.h - what a campaign tells while it runs; who shows it (bench/output/progress.c) decides how. */
#ifndef MEASURE_PROGRESS_H
#define MEASURE_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct progress_event {
    const char *phase;      /* "load", "gate", "probe", "race", "prove limit", "verify", "ceiling", "fill", "night", "confirm"; or "note",
                             * "warning", "target done" */
    const char *target;     /* "hrnet onednn cpu:0 f32"; NULL: about the campaign */
    const char *text;       /* for note, warning, target done: a sentence; else NULL */
    int    target_place, target_count; /* from 1 */
    int    batch;           /* 0: none */
    int    round, rounds;   /* of the race; verify, night, confirm: execution; 0: not in rounds; rounds: the most there can be */
    int    alive;           /* sizes still in the race; 0: not in it */
    int    best_batch;      /* of this target so far; 0: none */
    double best_images_per_s, best_low, best_high; /* NaN: unknown */
    uint64_t elapsed_ns, left_ns; /* of the campaign; left 0: unknown */
};

struct progress {
    void (*tell)(void *context, const struct progress_event *event);
    void *context;
};

/* Tells if p is not NULL. */
static inline void progress_tell(const struct progress *p, const struct progress_event *event)
{
    if (p)
        p->tell(p->context, event);
}

#endif
