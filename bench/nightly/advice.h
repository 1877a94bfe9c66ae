/* advice.h - what to do about batch sizes that are no longer the right ones (measurement rule 7.7): a verdict of
 * its own beside slowness. Pure. */
#ifndef NIGHTLY_ADVICE_H
#define NIGHTLY_ADVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/store/record.h"

/* Would another size than this row's be chosen, on two nights in a row? Only rows of sizes in use say so. */
bool advice_is_moved(const struct night_row *row);
/* Is anything of the row's target slower tonight (SUSPECT, REGRESSED), or its device (MACHINE)? Then it is
 * repaired first: the loss may depend on the batch. */
bool advice_is_slower(const struct night_row *row, const struct night_row *rows, size_t count);
/* The sentence for people; "" if nothing moved. */
void advice_of(char out[RECORD_TEXT], const struct night_row *rows, size_t count);

#endif
