/* device_table.h - the nights of one group of a device's series as a table, series by nights, from rows: what a
 * verdict and a backtest are made of. For bench/nightly/ only. device_table_make .. device_table_free owns the
 * arrays; rows are borrowed for its life. */
#ifndef NIGHTLY_DEVICE_TABLE_H
#define NIGHTLY_DEVICE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/nightly/judge.h"
#include "tuner/night.h"

struct device_table {
    const struct judge_ask *ask;
    const char *name, *group;
    const char **series;             /* [series_count] ascending */
    size_t series_count;
    int64_t *runs; /* earlier nights, ascending; the last night is tonight, if there are rows of it */
    size_t nights;
    double *v, *again, *error, *control; /* [series][nights]; control [nights] */
    double *delta;                   /* [series] of its newest night */
    bool   *panel;
    int    *segment, *machine_segment;
    struct verdict_answer *verdicts; /* [series + 1][nights], for night_judge */
    struct night_common *common;     /* [nights] */
};

/* Of the series of one group. rows: tonight's, [count]; 0: the table ends with the newest earlier night. false: no memory. */
bool device_table_make(struct device_table *d, const char *name, const char *group, const struct night_row *rows,
                       size_t count, const struct judge_ask *ask);
void device_table_free(struct device_table *d);
/* What night_judge takes. */
struct night_ask device_table_ask(const struct device_table *d);
/* Row of a series; series_count: there is none. */
size_t device_table_series(const struct device_table *d, const char *series);
bool night_row_is_machine(const struct night_row *row);

#endif
