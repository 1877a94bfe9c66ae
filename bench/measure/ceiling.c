#include "bench/measure/ceiling.h"

#include <string.h>

#include "bench/measure/ascent.h"
#include "bench/measure/trial.h"

enum { FRESH_PROCESSES = 2 };

static bool ran_in_ascent(const struct history *h, int batch)
{
    const struct prepared_row *row = history_prepared(h, batch);
    return row && strcmp(row->result, ASCENT_FEASIBLE) == 0;
}

/* Why a size cannot be executed, whichever stage found it out. */
static enum why failure_of(const struct history *h, const struct search_size *size)
{
    const struct loss *loss = history_loss(h, size->batch);
    if (why_is_failure(size->why))
        return size->why;
    if (loss && why_is_failure(loss->why))
        return loss->why;
    enum why why = trial_failure(h, TRIAL_CEILING, size->batch, 1);
    return why != WHY_NONE ? why : trial_failure(h, TRIAL_FILL, size->batch, TRIAL_FILL_DEATHS);
}

/* In how many fresh processes a size ran alone. Every ceiling execution holds one size. */
static int fresh_runs(const struct history *h, int batch)
{
    int n = 0;
    for (size_t i = 0; i < h->trial_count; i++)
        n += h->trials[i].row.batch == batch && strcmp(h->trials[i].label, TRIAL_CEILING) == 0 &&
             strcmp(h->trials[i].row.result, ASCENT_FEASIBLE) == 0;
    return n;
}

/* A size of the fill table that failed is none of the search's. */
static void add_failed_fill(struct ceiling *out, const struct history *h)
{
    for (size_t i = 0; i < h->trial_count; i++) {
        int n = h->trials[i].row.batch;
        enum why why = trial_failure(h, TRIAL_FILL, n, TRIAL_FILL_DEATHS);
        if (why != WHY_NONE && (!out->first_failed || n < out->first_failed)) {
            out->first_failed = n;
            out->first_failed_why = why;
        }
    }
}

void ceiling_of(struct ceiling *out, const struct history *h, const struct search_answer *search)
{
    bool larger_failed = false;
    *out = (struct ceiling){ 0 };
    for (size_t i = search->count; i-- > 0;) {
        const struct search_size *size = &search->sizes[i];
        enum why why = failure_of(h, size);
        if (why != WHY_NONE) {
            out->first_failed = size->batch;
            out->first_failed_why = why;
            larger_failed = larger_failed || !out->batch;
        } else if (!out->batch && ran_in_ascent(h, size->batch)) {
            out->batch = size->batch;
        }
    }
    out->is_lower_bound = !larger_failed;
    out->twice = out->batch && fresh_runs(h, out->batch) >= FRESH_PROCESSES;
    add_failed_fill(out, h);
}
