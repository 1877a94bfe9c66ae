#include "tuner/max_safe.h"

#include <limits.h>
#include <math.h>

/* Largest size of (a) to (c) below `end`; 0: none. */
static int largest_good(const struct max_safe_ask *ask, int end)
{
    int largest = 0;
    for (size_t i = 0; i < ask->count; i++) {
        const struct max_safe_size *s = &ask->sizes[i];
        bool fast = s->batch == ask->decision ||
                    (s->why == WHY_WITHIN_ZONE_BUT_LARGER && s->y >= ask->best + log1p(-ask->within));
        if (fast && s->limit == SLO_PASS && s->batch <= ask->ceiling && s->batch < end)
            largest = s->batch;
    }
    return largest;
}

void max_safe_of(struct max_safe_answer *out, const struct max_safe_ask *ask)
{
    int first_failed = INT_MAX;
    for (size_t i = 0; i < ask->failed_count; i++)
        if (ask->failed[i] < first_failed)
            first_failed = ask->failed[i];
    *out = (struct max_safe_answer){ .wanted = largest_good(ask, INT_MAX) };
    if (first_failed <= ask->decision) {
        out->failed_below = first_failed;
        return;
    }
    int below = first_failed == INT_MAX ? INT_MAX : first_failed - 1;
    int unknown = !ask->not_run ? INT_MAX : ask->not_run > ask->decision ? ask->not_run : ask->decision + 1;
    out->max_safe = ask->executed          ? largest_good(ask, first_failed < unknown ? first_failed : unknown)
                    : ask->ceiling < below ? ask->ceiling
                                           : below;
}
