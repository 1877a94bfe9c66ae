/* validity.h - may a block be believed? Decided by what the machine did meanwhile, never by the block's own
 * value (measurement rule 2.3). Pure. */
#ifndef MEASURE_VALIDITY_H
#define MEASURE_VALIDITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/measure/worker.h"
#include "bench/telemetry/telemetry.h"

/*        name       stored word   shared: a covariate where it is the rule on this machine */
#define VALIDITY_LIST(X) \
    X(THERMAL,   "thermal",   false) \
    X(CLOCK,     "clock",     false) \
    X(QUOTA,     "quota",     false) \
    X(STEAL,     "steal",     true) \
    X(FOREIGN,   "foreign",   false) \
    X(CONTENDED, "contended", true) \
    X(WORKER,    "worker",    false) \
    X(WINDOW,    "window",    false)

enum validity_rule {
#define X(id, word, shared) VALIDITY_##id,
    VALIDITY_LIST(X)
#undef X
    VALIDITY_COUNT
};
const char *validity_name(enum validity_rule rule);

/* The clock is compared with so many of the newest blocks, at least with 5 (measurement rule 2.3). */
#define VALIDITY_CLOCK_BLOCKS 5
#define VALIDITY_CLOCK_BLOCKS_MAX 20

struct validity_ask {
    const struct telemetry_block *telemetry;
    const struct worker_run_result *runs; /* [run_count] of each instance */
    size_t   run_count;
    double   sm_mhz;                 /* of a GPU: median over this point's last valid blocks of this execution,
                                      * once there are VALIDITY_CLOCK_BLOCKS; else NaN */
    uint64_t window_ns, longest_ns;  /* of several instances, see block_window.h; 0 of one */
};
struct validity {
    bool   hit[VALIDITY_COUNT];      /* the rule's condition holds */
    bool   looked[VALIDITY_COUNT];   /* false: a field that the rule needs is absent */
    double value[VALIDITY_COUNT], limit[VALIDITY_COUNT]; /* of the rules that were looked at */
};
struct validity validity_check(const struct validity_ask *ask);

/* Names of the rules that were looked at, with blanks between them: "thermal quota steal worker". */
#define VALIDITY_TEXT 96
void validity_looked(char text[VALIDITY_TEXT], const struct validity *v);

/* Steal and contention invalidate only while they hit at most 10 % of the campaign's blocks so far, from the
 * 20th block on; beyond that the machine is shared and they are covariates. Once shared, always shared. */
bool validity_machine_is_shared(size_t blocks_seen, size_t blocks_hit);
/* Did a shared rule hit? */
bool validity_shared_hit(const struct validity *v);
/* Is the block valid, on a machine that is shared or not? */
bool validity_holds(const struct validity *v, bool shared_machine);

#endif
