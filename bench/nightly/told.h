/* told.h - the night as a whole: one word, one sentence, one status (measurement rules 7.3 to 7.5). */
#ifndef NIGHTLY_TOLD_H
#define NIGHTLY_TOLD_H

#include "bench/nightly/judge.h"
#include "bench/nightly/measure.h"
#include "bench/nightly/night.h"

/* Fills verdict, sentence, gap, advice, nights and alpha_budget of a report whose rows are judged. Returns the
 * status that night_run has; err has the sentence if it is not ST_OK. */
enum status told_of(struct night_report *out, const struct judge_ask *ask, const struct night_target *targets,
                    size_t target_count, struct err *err);

/* The same from the rows alone: whether the environment was broken is not known. */
void told_rows(struct night_report *out, const struct judge_ask *ask);

/* What `bench nightly` returns for a night of this word. */
enum status told_status(const char *word);
/* Was nothing said for so long before ask->start_unix_s that three nights were missed, and nobody told it yet? Writes the
 * days since the last verdict. */
bool told_is_gap(double *days, const struct judge_ask *ask);

/* The word of a row; blind: its nights in a row without a verdict. */
const char *told_word(const struct night_row *row, int blind);

#endif
