/* place.h - the state of one place of a round, pass or table: is its block still to be measured? */
#ifndef MEASURE_PLACE_H
#define MEASURE_PLACE_H

enum place_state {
    PLACE_MISSING,                   /* run it; *retry is its number (0: first try) */
    PLACE_DONE,                      /* a valid block is there */
    PLACE_EXHAUSTED,                 /* only invalid ones, and no more retries are allowed */
};

#endif
