/* repetitions.h - how many iterations, blocks and executions are best, by what a stored campaign or night measured:
 * prints, changes nothing. */
#ifndef DOCTOR_REPETITIONS_H
#define DOCTOR_REPETITIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/store/store.h"
#include "kernels/base/err.h"

/* Prints a row for every point of a run that at least two executions measured with two blocks each. run: its name; NULL:
 * the newest that has such points. ST_CONFIG: there is no such run, or no point; or a status of the store. */
enum status doctor_repetitions(FILE *out, struct store *store, const char *run, bool json, struct err *err);

#endif
