#include "bench/measure/incumbent.h"

#include <stdio.h>

enum status target_find_incumbent(struct campaign_state *c, struct target_state *t, struct err *err)
{
    const struct store_incumbent_ask ask = { .key_sha256 = t->row.key_sha256,
                                             .model = t->row.model,
                                             .variant = c->run.variant };
    struct store_incumbent found = { 0 };
    enum status st = c->config->fresh ? ST_OK : store_load_incumbent(&found, c->store, &ask, err);
    t->row.incumbent = found.batch;
    t->row.pending = found.pending;
    snprintf(t->row.incumbent_source, sizeof t->row.incumbent_source, "%s", found.source);
    return st;
}
