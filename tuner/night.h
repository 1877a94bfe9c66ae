/* night.h - all nights of one device judged from what was measured: common mode, residuals, control,
 * MACHINE, every series (measurement rules 7.2, 7.3). Pure; nothing outlives the call but what the caller
 * gave room for.
 *
 * Rows are series, columns nights, oldest first: x[s * nights + n]. NaN: not measured, or not valid. Row
 * `series` of an output, one behind the last, is MACHINE. */
#ifndef TUNER_NIGHT_H
#define TUNER_NIGHT_H

#include <stdbool.h>
#include <stddef.h>

#include "tuner/verdict.h"

struct night_ask {
    size_t series, nights;
    const double *v;            /* [series][nights] median over executions of ln(images/s) */
    const double *again;        /* [series][nights] of the confirmation that night; NULL: there never was one */
    const bool *panel; /* [series][nights] measured in the confirmation for its common mode; NULL: all
                          that were */
    const int    *segment;      /* [series][nights] rises by one where an accept holds from; NULL: never */
    const int    *machine_segment; /* [nights] the same for MACHINE; NULL: never */
    const double *control;      /* [nights] z: the control series against itself; NULL: there is no control */
    const double *delta;        /* [series] smallest change that counts; NULL or 0: VERDICT_DELTA */
};

/* What one night was for the device as a whole. */
struct night_common {
    double c;                   /* common mode; NaN: too few valid series, the night is invalid */
    double S_z;                 /* scale of the control before that night */
    bool   dirty;
};

/* verdicts[(series + 1) * nights] and common[nights] are filled; where v is NaN, or c, the verdict is
 * VERDICT_COUNT: there is none. false: no memory (work room of about 24 bytes a value). */
bool night_judge(struct verdict_answer *verdicts, struct night_common *common, const struct night_ask *ask);

#endif
