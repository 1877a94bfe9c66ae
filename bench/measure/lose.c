#include "bench/measure/lose.h"

#include <math.h>
#include <stdio.h>

enum { DEATHS = 2 };

static enum status lose(struct campaign_state *c, struct target_state *t, int batch, enum why why, int round,
                        const char *detail, struct err *err)
{
    char kept[RECORD_TEXT];
    struct mark_row mark = { .subject = "point",
                             .subject_id = t->row.id,
                             .batch = batch,
                             .value = round,
                             .limit = NAN,
                             .rule_version = CAMPAIGN_RULE_VERSION };
    snprintf(kept, sizeof kept, "%.*s", (int)sizeof kept - 1, detail);
    snprintf(mark.detail, sizeof mark.detail, "%s", kept);
    snprintf(mark.reason, sizeof mark.reason, "%s", why == WHY_NONE ? HISTORY_DIED : why_name(why));
    enum status st = store_append_mark(c->store, &mark, err);
    return st == ST_OK ? history_add_loss(&t->history, batch, why, round, kept, err) : st;
}

enum status lose_point(struct campaign_state *c, struct target_state *t, int batch, enum why why, int round,
                       const char *detail, struct err *err)
{
    return lose(c, t, batch, why, round, detail, err);
}

enum status lose_worker(struct campaign_state *c, struct target_state *t, int batch, enum why why, int round,
                        const char *detail, struct err *err)
{
    char kept[RECORD_TEXT];
    snprintf(kept, sizeof kept, "%.*s", (int)sizeof kept - 1, detail);
    enum status st = lose(c, t, batch, WHY_NONE, round, kept, err);
    const struct loss *loss = history_loss(&t->history, batch);
    return st == ST_OK && loss->deaths >= DEATHS ? lose(c, t, batch, why, round, kept, err) : st;
}
