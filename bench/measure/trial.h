/* trial.h - what became of a size outside of the ascent: in executions for the ceiling or for the fill table.
 * Pure. */
#ifndef MEASURE_TRIAL_H
#define MEASURE_TRIAL_H

#include <stdbool.h>

#include "bench/measure/history.h"
#include "tuner/why.h"

#define TRIAL_CEILING "ceiling"      /* labels of executions */
#define TRIAL_FILL "fill"
#define TRIAL_FILL_DEATHS 2          /* a worker that died once while filling the table is tried once more */

/* Is this a reason why a size cannot be executed (unsupported, crashed, hung, memory, wrong output), and not
 * one of speed, noise or time? */
bool why_is_failure(enum why why);

/* Why the trials of executions with this label took a size out; WHY_NONE: they did not. A crash or a hang
 * counts when it has happened `deaths` times. */
enum why trial_failure(const struct history *h, const char *label, int batch, int deaths);

#endif
