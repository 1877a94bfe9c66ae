/* sign.h - what a device tells of itself that is an incident whatever the rates say (measurement rule 7.3, MACHINE by
 * telemetry alone). Pure. */
#ifndef TUNER_SIGN_H
#define TUNER_SIGN_H

#include <stdbool.h>
#include <stddef.h>

/*    id          word (as a path)  worse is  text */
#define SIGN_LIST(X) \
    X(THROTTLED,  "THROTTLED",      more,     "it throttles, which no night of its base did") \
    X(REMAP,      "ROW-REMAP",      more,     "a row of its memory could not be remapped") \
    X(WIDTH,      "PCIE-WIDTH",     less,     "its PCIe link has fewer lanes under load than before") \
    X(GENERATION, "PCIE-GEN",       less,     "its PCIe link is of a lower generation under load than before")
enum sign {
#define X(id, word, worse, text) SIGN_##id,
    SIGN_LIST(X)
#undef X
    SIGN_COUNT
};
const char *sign_name(enum sign s);
/* NULL: no sign has that word. */
const char *sign_text(const char *word);

/* What was seen in one night, or in its confirmation: NaN what nobody told. THROTTLED and REMAP are 1 or 0. */
struct sign_reading {
    double value[SIGN_COUNT];
};
/* The first sign that shows in `now` and, unless it is NULL, in `again` too; SIGN_COUNT: none. Where more is worse it
 * shows above every night of the base, where less is below their median. An empty base has no sign. */
enum sign sign_of(const struct sign_reading *base, size_t count, const struct sign_reading *now,
                  const struct sign_reading *again);

#endif
