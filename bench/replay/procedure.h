/* procedure.h - the whole decision of a target on simulated measurements: ascent, race, choice and
 * verification with the functions of tuner/, in the order of a campaign. What procedure_run gives,
 * procedure_free takes back. */
#ifndef REPLAY_PROCEDURE_H
#define REPLAY_PROCEDURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/replay/noise.h"
#include "kernels/base/err.h"
#include "tuner/decide.h"
#include "tuner/race.h"
#include "tuner/search.h"

struct procedure_ask {
    struct meter *meter;      /* is used up: its blocks go on from where they were */
    int    max_batch;
    const int *given;         /* [given_count] sizes in place of the ascent, all of them race; NULL: ascent */
    size_t given_count;
    double within, alpha;
    int    incumbent, pending;
    uint64_t seed;            /* of the orders of rounds */
    enum race_thrift thrifty; /* as in race_ask; not RACE_PLAIN: probes end as soon as they say enough, too */
    bool   control;           /* one block per round is measured twice */
    double control_bias;      /* added to that second block, for tests; else 0 */
    bool   verify;
    /* Why a size without a rate does not run. NULL: `unsupported`. */
    enum why (*fails)(const void *curve, int batch);
    /* Does the size keep the latency limit? NULL: there is no limit. */
    enum slo_status (*limit)(const void *curve, int batch);
};
struct procedure_answer {
    struct search_answer search;
    struct race_candidate *candidates; /* [race.count] */
    struct race_block *blocks;         /* [rounds][race.count + 1] */
    size_t rounds;
    struct race_answer race;
    struct decide_answer decision;
    struct verify_answer verification;
    struct decide_why whys[SEARCH_SIZES_MAX]; /* [search.count] */
    size_t coarse_blocks, race_blocks, verify_blocks; /* repeated ones are counted too */
    size_t repeated;          /* blocks that were measured again because the machine throttled */
};
/* ST_OUT_OF_MEMORY is all that can go wrong; *out is NULL then. */
enum status procedure_run(struct procedure_answer **out, const struct procedure_ask *ask, struct err *err);
void procedure_free(struct procedure_answer *a);

#endif
