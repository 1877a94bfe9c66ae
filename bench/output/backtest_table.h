/* backtest_table.h - what a backtest found, for people and for programs. */
#ifndef OUTPUT_BACKTEST_TABLE_H
#define OUTPUT_BACKTEST_TABLE_H

#include <jansson.h>
#include <stdio.h>

#include "tuner/backtest.h"

struct backtest_view {
    const char *device, *group;      /* group: of its series; "": those that have no name for it */
    size_t series, nights;           /* MACHINE not counted */
    const struct backtest_answer *answer;
};
void backtest_table_write(FILE *file, const struct backtest_view *view);
json_t *backtest_table_json(const struct backtest_view *view); /* NULL: no memory; the caller owns it */

#endif
