/* campaign_begin.h - a campaign is begun, or continued where it was cut off; and ended in the record. */
#ifndef MEASURE_CAMPAIGN_BEGIN_H
#define MEASURE_CAMPAIGN_BEGIN_H

#include "bench/measure/campaign_state.h"
#include "kernels/base/err.h"

/* Fills *c from its context (c->context is set): clock, limits, the run's row, the environment, the targets
 * with everything that is stored of them. campaign_release, whatever the status. Statuses of campaign_run. */
enum status campaign_begin(struct campaign_state *c, struct err *err);
/* state as in run_row ("done", "budget", "interrupted", "failed"). */
enum status campaign_record_end(struct campaign_state *c, const char *state, int exit_code, struct err *err);
/* Frees what _begin took and removes the folder of the gate. */
void campaign_release(struct campaign_state *c);

#endif
