/* night_rows.h - the rows of a night: one for each watched size, one for each device
 * and group. For bench/nightly/
 * only. */
#ifndef NIGHTLY_NIGHT_ROWS_H
#define NIGHTLY_NIGHT_ROWS_H

#include "bench/config/config.h"
#include "bench/nightly/measure.h"
#include "bench/store/record.h"
#include "kernels/base/err.h"

#define NIGHT_KIND "night"           /* of the run */

/* Makes the rows, by series, with names, what config->night_series says of them, and
 * nothing measured; free(*rows). The way that "moved" went the
 * night before is taken over from `earlier`. ST_OUT_OF_MEMORY. */
enum status night_rows_make(struct night_row **rows, size_t *count, const struct night_target *targets,
                            size_t target_count, const struct config *config, const struct night_row *earlier,
                            size_t earlier_count, struct err *err);
/* Values of what was measured so far: v, error, again, control_z, validity, and whether the optimum moved. */
void night_rows_fill(struct night_row *rows, size_t count, const struct night_target *targets,
                     size_t target_count);

/* Which target is measured twice on each device: the one whose chosen size has the smallest S of the last
 * night, the first where none has one. */
void night_rows_choose_control(struct night_target *targets, size_t target_count,
                               const struct night_row *earlier, size_t earlier_count);
/* Targets that a confirmation has to measure: those of flagged rows, of throttled ones (does the
 * device still throttle?) and of the panel. */
void night_rows_choose_confirm(struct night_target *targets, size_t target_count,
                               const struct night_row *rows, size_t count);

#endif
