/* night_table.h - a night as people read it in a terminal and as programs do. */
#ifndef OUTPUT_NIGHT_TABLE_H
#define OUTPUT_NIGHT_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "bench/store/record.h"

struct night_view {                  /* borrowed */
    const char *name, *verdict, *sentence, *gap; /* gap, advice: "" if there is none */
    const char *advice;              /* about batch sizes that are no longer right */
    const char *tune;                /* campaign whose decisions are watched; not needed for a page or a format */
    const struct night_row *rows;
    size_t count, nights;
    const struct night_event *events; /* [event_count] suspects */
    size_t event_count;
    bool   events_of_base;           /* no night of the base had them; else the night before had not */
    double alpha, alpha_budget;      /* false alarms to be expected: of a series and night; of the night */
    bool   alpha_tested;             /* by a backtest of this store; else published */
};

/* Its word for people: why it says nothing, or its verdict. */
const char *night_row_word(const struct night_row *row);
/* A log ratio, as of dev, in percent: -5.0 for ln(0.95); NaN for NaN. */
double night_percent(double log_ratio);
/* What the events are held against, in words for people. */
const char *night_changes_since(const struct night_view *night);
/* Has it anything to tell? A MACHINE row where there are too few series has not. */
bool night_row_is_shown(const struct night_row *row);

/* The verdict in a sentence on top, then a line per series, then what false alarms are to be expected. */
void night_table_write(FILE *file, const struct night_view *night, bool colour);
/* The lines of the series as an HTML table. */
void night_table_html(FILE *file, const struct night_view *night);
/* Header line and a line for each series. */
void night_table_csv(FILE *file, const struct night_view *night);
/* Schema 1; unknown is null. NULL if memory is out; the caller owns it. */
json_t *night_table_json(const struct night_view *night);

#endif
