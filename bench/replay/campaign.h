/* campaign.h - a stored campaign decided again from its blocks. Raw rows and the settings of then are read;
 * derived rows only to be compared. What stays a fact of that run is taken as such: why a target was not
 * measured to its end, and that its machine was shared. Nothing is written.
 * What replayed_open gives, replayed_close takes back. */
#ifndef REPLAY_CAMPAIGN_H
#define REPLAY_CAMPAIGN_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/config/config.h"
#include "bench/measure/history.h"
#include "bench/measure/results.h"
#include "bench/replay/compare.h"
#include "bench/store/store.h"
#include "kernels/base/err.h"

struct replayed_target {
    const struct target_view *stored; /* of the campaign */
    struct history history;
    bool   unsteady;
    struct results *again;            /* by the rules of then */
    char   difference[COMPARE_TEXT];  /* from what is stored; "": bit-equal */
    struct results *other;            /* by other rules; NULL: not asked for */
};
struct replayed {
    struct campaign *campaign;
    struct config config;             /* of then */
    bool   ended;                     /* false: it runs or was killed, and blocks may be newer than results */
    bool   shared_machine;
    struct replayed_target *targets;  /* [count], plan order */
    size_t count;
};
/* name NULL: the newest of kind "tune". ST_CONFIG: there is no such campaign, or its settings cannot be read;
 * others as the store's. *out is NULL unless ST_OK. */
enum status replayed_open(struct replayed **out, struct store *store, const char *name, struct err *err);
void replayed_close(struct replayed *r); /* NULL is allowed */

/* Decides every target again by the parameters of `other` (within, alpha, objective, limit), from the blocks
 * that were measured for the parameters of then. ST_USAGE: the blocks cannot say anything about that
 * objective or limit. */
enum status replayed_decide(struct replayed *r, const struct config *other, struct err *err);

#endif
