/* judge.h - tonight's rows beside those of all nights before: what each series' verdict is. Pure but for
 * memory. */
#ifndef NIGHTLY_JUDGE_H
#define NIGHTLY_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/store/record.h"
#include "kernels/base/err.h"

#define JUDGE_PANEL 8                /* series that tell a confirmation what the device has in common */
#define JUDGE_BLIND 3                /* nights in a row without a verdict */
#define JUDGE_RECOVERED "recovered"  /* the path of the first valid night after REGRESSED */
#define JUDGE_MACHINE "MACHINE "     /* a MACHINE row's series: this, the device, and its group if it has a name */

struct judge_ask {
    const struct night_row *earlier; /* [earlier_count] as store_load_nights gives them */
    size_t earlier_count;
    const struct accept_row *accepts;
    size_t accept_count;
    const struct run_row *runs;      /* of the nights, for their times */
    size_t run_count;
    int64_t start_unix_s;            /* of tonight */
    double  every_s;                 /* a night is due; 0: a day */
    double  alpha;                   /* false alarms of a series and night, of alpha_load */
};
/* Fills verdict, path, y, M, S ... of the rows [count], which lie by series; v, error, again, panel,
 * control_z and validity are read. Each
 * device has one MACHINE row for each group of its series. *ask_again: something is flagged that
 * has no confirmation yet. ST_OUT_OF_MEMORY. */
enum status judge_rows(struct night_row *rows, size_t count, bool *ask_again, const struct judge_ask *ask,
                       struct err *err);

/* A series was on all nights in the group in which it is on the newest: rows of `earlier` take the group that their series
 * has in rows [count]. */
void judge_regroup(struct night_row *earlier, size_t earlier_count, const struct night_row *rows, size_t count);

/* Marks the rows that a confirmation of tonight's flagged ones measures for the device's common mode: the
 * steadiest series of each device and group, every model once while places last; one more than JUDGE_PANEL, since
 * none counts for itself. */
void judge_choose_panel(struct night_row *rows, size_t count);

/* Does the row say anything of its series? LEARNING does; INVALID, THROTTLED and INCONCLUSIVE do not. */
bool judge_has_verdict(const struct night_row *row);
/* Start of an earlier night; 0: it is none of ask->runs. */
int64_t judge_start_of(const struct judge_ask *ask, int64_t run);
/* Nights that are due after one time, up to another: one every_s, 0: a day; half of that may be late. */
int judge_nights_between(int64_t from_unix_s, int64_t to_unix_s, double every_s);
/* Nights in a row, tonight's included, on which the series had no valid verdict: measured ones, or those that were due. */
int judge_blind_nights(const struct night_row *row, const struct judge_ask *ask);

#endif
