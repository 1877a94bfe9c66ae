/* compare.h - are rows that were stored and rows that were made again the same, value by value? Pure. */
#ifndef REPLAY_COMPARE_H
#define REPLAY_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/measure/results.h"
#include "bench/store/record.h"
#include "kernels/base/err.h"

#define COMPARE_TEXT 512

/* Compares everything derived of a target. difference[COMPARE_TEXT] is "" if all is equal, else it names the
 * first: "why, batch 8: reason is \"slower\" in the store and \"undecided\" again". ST_OUT_OF_MEMORY. */
enum status compare_results(char *difference, const struct target_view *stored, const struct results *again,
                            struct err *err);

#endif
