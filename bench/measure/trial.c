#include "bench/measure/trial.h"

#include <string.h>

bool why_is_failure(enum why why)
{
    return why == WHY_UNSUPPORTED || why == WHY_CRASHED || why == WHY_HUNG || why == WHY_OUT_OF_MEMORY ||
           why == WHY_OVER_MEMORY || why == WHY_WRONG_OUTPUT;
}

enum why trial_failure(const struct history *h, const char *label, int batch, int deaths)
{
    int died = 0;
    for (size_t i = 0; i < h->trial_count; i++) {
        const struct trial *t = &h->trials[i];
        if (t->row.batch != batch || strcmp(t->label, label) != 0)
            continue;
        enum why why = why_of_name(t->row.result);
        died += why == WHY_CRASHED || why == WHY_HUNG;
        if (why_is_failure(why) && ((why != WHY_CRASHED && why != WHY_HUNG) || died >= deaths))
            return why;
    }
    return WHY_NONE;
}
