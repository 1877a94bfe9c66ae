/* A target that ends before everything of it was measured. */
#include <stdio.h>
#include <string.h>

#include "bench/measure/campaign_state.h"

/* Must the campaign fail because of it? What was asked for by a flag must be there; a wrong model or
 * request always fails, and so does what broke after it had run. */
static bool is_refused(const struct campaign_state *c, const struct target_state *t, enum status status)
{
    const struct config *k = c->config;
    return (status == ST_ENVIRONMENT && t->row.output_shape[0] > 0) || status == ST_MODEL || status == ST_INVALID || k->engines_named || k->devices_named ||
           k->precisions_named || k->objective == OBJECTIVE_ENERGY;
}

const char *target_detail(const struct target_state *t, const char *detail)
{
    size_t size = strlen(t->plan->name);
    bool named = strncmp(detail, t->plan->name, size) == 0 && strncmp(detail + size, ": ", 2) == 0;
    return named ? detail + size + 2 : detail;
}

enum status target_end(struct campaign_state *c, struct target_state *t, enum status status, enum why why,
                       const char *detail, struct err *err)
{
    t->ended = true;
    t->ended_why = why;
    snprintf(t->row.result, sizeof t->row.result, "%s",
             why == WHY_NONE ? status_kind(status) : why_name(why));
    snprintf(t->row.detail, sizeof t->row.detail, "%.*s", (int)sizeof t->row.detail - 1, detail);
    if (why == WHY_NONE && is_refused(c, t, status) && c->refused_status == ST_OK) {
        c->refused_status = status;
        snprintf(c->refused_text, sizeof c->refused_text, "%s", t->row.detail);
    } else if (why == WHY_NONE) {
        snprintf(c->note_text, sizeof c->note_text, "%s", t->row.detail);
    }
    campaign_tell(c, t, why == WHY_NONE ? "note" : "warning", target_detail(t, t->row.detail), 0, 0);
    return store_append_target_state(c->store, &t->row, err);
}
