/* alpha.h - how often the nightly rule is wrong, for a series and a night (measurement rule 7.5): the published
 * table says it for invented nights, a backtest for the nights of this store. */
#ifndef NIGHTLY_ALPHA_H
#define NIGHTLY_ALPHA_H

#include "bench/store/store.h"
#include "kernels/base/err.h"

#define ALPHA_PUBLISHED 2.8e-5       /* table 2 of the measurement rules: correlated nights, no split */
#define ALPHA_LIMIT (1 / 365.0)      /* of all series together: one false red a year */

/* The larger of ALPHA_PUBLISHED and what the newest backtest that was kept found. Statuses of the store. */
enum status alpha_load(double *alpha, struct store *store, struct err *err);
/* Keeps what a backtest found: alarms per series and night, the worst device's. argv_text: its command line. */
enum status alpha_keep(struct store *store, double alpha, const char *argv_text, struct err *err);

#endif
