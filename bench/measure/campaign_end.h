/* campaign_end.h - what is stored and returned when a campaign ends, however it does. */
#ifndef MEASURE_CAMPAIGN_END_H
#define MEASURE_CAMPAIGN_END_H

#include "bench/measure/campaign_state.h"
#include "kernels/base/err.h"

/* Stores the results of every target and the end of the run. how: ST_OK or ST_INTERRUPTED. The status that
 * campaign_run returns; err has its sentence. */
enum status campaign_finish(struct campaign_state *c, enum status how, struct err *err);

#endif
