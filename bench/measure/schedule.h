/* schedule.h - the order of the blocks of a round. Pure: the same seed, key and round give the same order, on
 * every machine and after every resume. */
#ifndef MEASURE_SCHEDULE_H
#define MEASURE_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

/* Every round has its own generator: run_seed xor fnv1a64(key) xor round x
 * 0x9e3779b97f4a7c15. round from 1. */
uint64_t schedule_seed(uint64_t run_seed, const char *key, int round);

/* Puts batches[n] (ascending on the way in) into the order of the round. Four points or more are shuffled.
 * Two or three are mirrored: an even round runs the order of the odd round before it backwards (AB BA, ABC
 * CBA), so that a steady drift falls on all alike. Returns the place (0..n) of one more block, of a control,
 * among them. */
size_t schedule_order(int *batches, size_t n, uint64_t run_seed, const char *key, int round);

#endif
