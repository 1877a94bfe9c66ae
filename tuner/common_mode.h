/* common_mode.h - what all series of a device did together, night by night, so that a slow machine is one
 * incident and not one per series (measurement rule 7.2). Pure; all memory is the caller's.
 *
 * v[s * nights + n] is the value of series s on night n (logarithm of a rate), NaN where there is no
 * valid one. segment[s * nights + n] numbers the stretch that night belongs to: it begins with 0 and
 * rises by one at every night from which on an accept holds. */
#ifndef TUNER_COMMON_MODE_H
#define TUNER_COMMON_MODE_H

#include <stdbool.h>
#include <stddef.h>

#define COMMON_ANCHOR_NIGHTS 14     /* an anchor rests on the first so many valid nights of a segment */
#define COMMON_SERIES 8             /* from so many anchored series on there is a common mode */
#define COMMON_VALID 5              /* of them valid, or the night is invalid */

struct common_ask {
    const double *v;                /* [series][nights] */
    const int    *segment;          /* [series][nights]; NULL: nobody accepted anything */
    size_t series, nights;
};
struct common_answer {
    double *c; /* [nights]: the common mode; 0 where there is none; NaN: the night is invalid */
    double *anchor;                 /* [series][nights]: of the night's segment; NaN while it has none */
    double *room;                   /* [series + COMMON_ANCHOR_NIGHTS]: for the work, like ... */
    size_t *valid;                  /* ... [series] */
};
/* An anchor is the median of v - c over the first 14 valid nights of the segment (after an accept over
 * those so far, from the first on), with the c of that time: 0 while fewer than 8 series have anchors.
 * From 8 on c is the median of v - anchor over the anchored series, for earlier nights of theirs too.
 * Nothing changes in hindsight but those. */
void common_mode(struct common_answer *out, const struct common_ask *ask);

/* c' of a confirmation: median of v' - anchor over the panel; NaN for count 0. */
double common_of_panel(const double *differences, size_t count);

#endif
