/* residents.h - the sizes that one execution runs: prepared all at once if they fit into memory together,
 * else one at a time; warmed with the largest, every other one when it is first needed (measurement
 * rules 1.4, 1.5). What residents_open gives, residents_close takes back. */
#ifndef MEASURE_RESIDENTS_H
#define MEASURE_RESIDENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/measure/block.h"
#include "bench/measure/execution.h"
#include "kernels/base/err.h"

struct resident {
    int    batch;
    bool   prepared, warm;           /* now; it ran in this execution */
    struct prepared_row first;       /* its first preparing in this execution; result "" until then */
    bool   stored;                   /* `first` is in the store, as a trial: see residents_store_firsts */
};
struct residents {
    struct execution x;
    struct resident items[SEARCH_SIZES_MAX + 1]; /* [count] in the order of preparing */
    size_t count;
    bool   swapped;                  /* one size at a time, each ... */
    bool   once;                     /* ... for one block only: nothing comes back (residents_then_once) */
    int    last_batch;               /* of the block before; 0: none in this execution */
    int    failed_batch;             /* on which the last call failed; 0: no size is to blame */
};
struct residents_ask {
    const char *label;               /* of the execution: "verify", "fill" */
    const int *batches; /* [count <= SEARCH_SIZES_MAX] in the order of preparing; the largest warms */
    size_t count;
    bool   gate;                     /* wait for the temperature first (rule 1.4, step 7) */
};

/* Starts a worker, prepares, warms. After a failure it stays open for execution_end_of: residents_close is
 * due in any case. Statuses of execution_open and warm_execution. */
enum status residents_open(struct residents *r, struct campaign_state *c, struct target_state *t,
                           const struct residents_ask *ask, struct err *err);
/* One block of a size that belongs to them: swapped in, warmed the first time, re-warmed after another size;
 * before a retry it waits 1, 2, 4 s. ask->min_ns, unmeasured, t_iter_ns and, if it is 0, min_iterations are
 * set here. Statuses of block_measure, and ST_INTERRUPTED. */
enum status residents_block(struct block_fact *out, struct residents *r, struct block_ask *ask,
                            struct err *err);
/* From now on one block of this size, which is new: alone, what is there is released. It is warmed as every
 * other size is, but not once more for having been swapped in. */
void residents_then_once(struct residents *r, int batch);
/* What every size cost that was prepared for the first time, as trials. Statuses of the store. */
enum status residents_store_firsts(struct residents *r, struct err *err);
enum status residents_close(struct residents *r, struct err *err); /* allowed on one that is not open */

/* Iteration of a size: its newest block's, else by that of the nearest size that ran. 0: none did. */
uint64_t residents_t_iter(const struct history *h, int batch);
/* About how long it takes to prepare and first run a size, to open with these sizes, to run a block of a size
 * after another one. */
uint64_t residents_prepare_ns(const struct target_state *t, int batch);
uint64_t residents_open_ns(const struct target_state *t, const int *batches, size_t count);
uint64_t residents_block_ns(const struct campaign_state *c, const struct target_state *t, int batch);

#endif
