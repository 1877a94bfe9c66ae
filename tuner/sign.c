#include "tuner/sign.h"

#include <math.h>
#include <string.h>

#include "tuner/stats.h"
#include "tuner/verdict.h"

enum { less, more };

static const struct { const char *word, *text; int worse; } signs[SIGN_COUNT] = {
#define X(id, word, worse, text) { word, text, worse },
    SIGN_LIST(X)
#undef X
};
const char *sign_name(enum sign s)
{
    return (unsigned)s < SIGN_COUNT ? signs[s].word : "unknown";
}
const char *sign_text(const char *word)
{
    for (size_t i = 0; i < SIGN_COUNT; i++)
        if (strcmp(signs[i].word, word) == 0)
            return signs[i].text;
    return NULL;
}

/* NaN compares as false: what nobody told shows nothing. */
static bool shows(enum sign s, const struct sign_reading *base, size_t count, const struct sign_reading *now)
{
    double known[VERDICT_WINDOW], most = -INFINITY;
    size_t n = 0;
    for (size_t i = 0; i < count && n < VERDICT_WINDOW; i++)
        if (!isnan(base[i].value[s])) {
            known[n++] = base[i].value[s];
            most = fmax(most, base[i].value[s]);
        }
    if (n == 0)
        return false;
    return signs[s].worse == more ? now->value[s] > most : now->value[s] < stats_median(known, n);
}

enum sign sign_of(const struct sign_reading *base, size_t count, const struct sign_reading *now,
                  const struct sign_reading *again)
{
    for (enum sign s = 0; s < SIGN_COUNT; s++)
        if (shows(s, base, count, now) && (!again || shows(s, base, count, again)))
            return s;
    return SIGN_COUNT;
}
