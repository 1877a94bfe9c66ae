/* exec.h - the network bound to memory for one batch size: what runs.
 * exec_new .. exec_free owns the ways, plans of attentions and the graphs; net and pool are borrowed.
 *
 * Order of life: exec_new, exec_choose (or choices set by the tuner), exec_plan (then exec_need is known), and after the
 * pool has that much exec_bind, exec_check, exec_capture; the last three again whenever the pool's memory moved.
 *
 * With lanes_most above 1, independent steps run on streams of their own: forked from the device's stream and joined to it
 * by events, each lane with its own scratch and tickets, inside a graph as well as outside. */
#ifndef CUDA_EXEC_H
#define CUDA_EXEC_H

#include "kernels/cuda/capture.h"
#include "kernels/cuda/layout.h"
#include "kernels/cuda/pool.h"

struct exec {
    const struct gpu_net *net;
    int batch;
    struct choice *choices;             /* [segment_count] */
    struct conv_way **owned;            /* every way that is or was chosen */
    int owned_count, owned_room;
    struct graph_plan **norms;          /* likewise: every norm that is or was chosen */
    int norm_count, norm_room;
    struct attention **attentions;      /* [step_count] */
    int lanes_most;                     /* 1 unless the caller sets more before exec_plan */
    struct branches branches;           /* of exec_plan; lanes 1 or 0: in order on the device's stream */
    cudaEvent_t *signals;               /* [step_count] at the end of a step that another lane waits for; else NULL */
    cudaEvent_t fork, join[GPU_LANES_MAX];
    size_t scratch_at[GPU_LANES_MAX];   /* where a lane's scratch begins */
    struct layout layout;
    struct bound *steps[POOL_SLOTS];    /* [step_count] each: one per slot of input and output */
    size_t scratch_bytes;
    struct gpu_capture graph[POOL_SLOTS];
    unsigned generation;                /* of the pool that it is bound to */
    bool bound;
    int fallen_back;                    /* convolutions that went back to F0: their means were too large */
};

/* Plans of attentions are built. ST_OUT_OF_MEMORY, ST_UNSUPPORTED. */
enum status exec_new(struct exec **out, const struct gpu_net *net, int batch, struct err *err);
void exec_free(struct exec *e);         /* NULL is allowed */

/* Takes a way over. ST_OUT_OF_MEMORY: the way is freed. */
enum status exec_own(struct exec *e, struct conv_way *way, struct err *err);
enum status exec_own_norm(struct exec *e, struct graph_plan *norm, struct err *err);   /* likewise */
/* All that `from` owns belongs to `to` from now on. ST_OUT_OF_MEMORY: nothing has changed. */
enum status exec_take_ways(struct exec *to, struct exec *from, struct err *err);
/* The libraries' first way for every segment at `level`, or the highest level below that they have. Equal segments share
 * ways. ST_UNSUPPORTED: one has none even at F0. */
enum status exec_choose(struct exec *e, int level, struct err *err);

/* Lays the arena out for the choices and learns how much scratch the steps need. */
enum status exec_plan(struct exec *e, struct err *err);
struct pool_need exec_need(const struct exec *e, const struct pool_need *fixed); /* fixed: images and slots */

enum status exec_bind(struct exec *e, const struct pool *pool, struct err *err);
/* Enqueues all steps on the device's stream, or forked from it and joined to it. */
enum status exec_enqueue(const struct exec *e, const struct pool *pool, int slot, struct err *err);
/* Runs every chosen plan once, waits, and looks at the sums of F1 and F2: where |mean| / std of a channel exceeds 10 the
 * convolution is chosen again at F0, and *again says that planning starts over. */
enum status exec_check(struct exec *e, const struct pool *pool, bool *again, struct err *err);
/* Captures slot 0 .. slots - 1. `events` as capture.h has them. */
enum status exec_capture(struct exec *e, const struct pool *pool, bool events, struct err *err);

#endif
