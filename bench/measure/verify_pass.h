/* verify_pass.h - the places of a verifying execution and what is there of them: three mirrored passes
 * (m1 m2 m3 m3 m2 m1), stored as rounds of blocks of kind verify. Pure. */
#ifndef MEASURE_VERIFY_PASS_H
#define MEASURE_VERIFY_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/measure/history.h"
#include "bench/measure/place.h"
#include "tuner/decide.h"

/* Index of the member that stands at a place 0..2 members - 1 of a pass. */
size_t verify_member_at(size_t members, int place);

/* One place of a pass, as race_place has it for the race: an invalid block is repeated, a member at most
 * three times in an execution (a quarter of its six blocks is less). *retry: the number of the next try. */
enum place_state verify_place(int *retry, const struct history *h, int64_t execution, int round, int place);

/* Executions that verify these members, whose passes are all there: begun ones, with other members or without
 * an end (the program or the worker died), do not count. Writes at most `room` of them in order, with their
 * rounds. */
struct verify_done {
    int64_t execution;
    int     rounds[VERIFY_PASSES];
};
size_t verify_complete(struct verify_done *out, size_t room, const struct history *h, const int *members,
                       size_t member_count);

#endif
