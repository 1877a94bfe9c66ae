/* tune_end.h - what `bench tune` prints on stdout when its campaign is over: a line per target, what to do
 * next, the time it took, where the files are, and how to get the same at production size. */
#ifndef VERBS_TUNE_END_H
#define VERBS_TUNE_END_H

#include <stdbool.h>

#include "bench/measure/plan.h"
#include "bench/store/record.h"
#include "bench/verbs/files.h"

struct tune_end {
    const char *program;             /* as the user calls it */
    const struct campaign *campaign;
    const struct plan *plan;         /* predictions of before the campaign */
    const struct files *files;
    const char *out;                 /* folder of --out */
    bool wrote_sizes;
};
void tune_end_print(const struct tune_end *end);

#endif
