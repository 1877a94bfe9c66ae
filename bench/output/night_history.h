/* night_history.h - the nights of one series after another, with what changed on the machine between them. */
#ifndef OUTPUT_NIGHT_HISTORY_H
#define OUTPUT_NIGHT_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "bench/store/record.h"

struct history_night {
    const struct night_row *row;
    const char *night;               /* name of the run */
    int64_t start_unix_s;
    const struct night_event *events; /* [event_count] since the night before */
    size_t event_count;
    bool accepted;                   /* an accept begins here */
};
struct history_view {                /* one series, oldest night first */
    const char *name;
    const struct history_night *nights;
    size_t count;
    double every_s;                  /* a night is due; 0: a day */
};

void night_history_write(FILE *file, const struct history_view *series, bool colour);
/* Header line, then a line per night and series. */
void night_history_csv(FILE *file, const struct history_view *series, bool heading);
/* NULL: no memory; the caller owns it. */
json_t *night_history_json(const struct history_view *series);

#endif
