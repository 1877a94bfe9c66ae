/* prepared.h - the batch sizes that are ready to run, on one pool of memory that is as large as the largest of them.
 * ready_add and ready_remove keep that true; everything else is borrowed. */
#ifndef CUDA_PREPARED_H
#define CUDA_PREPARED_H

#include "kernels/cuda/exec.h"
#include "kernels/cuda/images.h"
#include "kernels/cuda/options.h"

struct prepared {
    struct exec *exec;
    struct pool_need fixed;         /* pinned images and slots */
    int buffers, next;              /* different input buffers of this size; the one that comes next */
    uint64_t capture_ns;
    struct tune_result tuned;       /* empty with a forced level */
    struct {
        int lanes;                  /* on which it runs; 0: branches were not asked for */
        double one_ns, lanes_ns;    /* medians of a pass on one stream and on lanes; 0: not measured */
        bool wrong;                 /* on lanes the results were others: not used */
    } branching;
    struct prepared *link;
};

struct ready {
    const struct gpu_net *net;
    const struct gpu_options *options;
    struct gpu_memory *memory;
    struct images *images;
    struct cache *cache;
    struct pool pool;
    struct prepared *first;         /* one per batch size */
    int slots;                      /* 2 if copies overlap with kernels */
};

struct prepared *ready_find(const struct ready *r, int batch); /* NULL: not there */
/* Chooses, allocates, runs once, captures; then the same without choosing for the others if memory moved. On failure
 * everything is as before as far as memory allows; what could not be put back is by ready_again. */
enum status ready_add(struct prepared **out, struct ready *r, int batch, struct err *err);
void ready_remove(struct ready *r, int batch);
void ready_remove_all(struct ready *r);
/* Whether the pool could become as large as `need`, for p: refuses what cannot fit before anything is given up for it.
 * ST_OUT_OF_MEMORY. Always ST_OK without the option `predict`. */
enum status ready_fits(struct ready *r, const struct prepared *p, const struct pool_need *need, struct err *err);
/* The pool as `need` says, with the input images in it. ST_OUT_OF_MEMORY: the pool is empty then. */
enum status ready_resize(struct ready *r, const struct pool_need *need, struct err *err);
/* Nothing if p is bound to the pool as it is; else binds and captures it. */
enum status ready_again(struct ready *r, struct prepared *p, struct err *err);

#endif
