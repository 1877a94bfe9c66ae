/* worker_state.h - what the client of a worker holds, for the files worker*.c only. */
#ifndef MEASURE_WORKER_STATE_H
#define MEASURE_WORKER_STATE_H

#include "bench/measure/process.h"
#include "bench/measure/worker.h"

struct worker {
    struct process process;
    struct line_buffer answers;
    char   name[64];                 /* of the program, for messages */
    char   tail[WORKER_STDERR_LINES * PROCESS_LINE_MAX];
    const volatile sig_atomic_t *interrupt;
    bool   broken;                   /* no further request can be made */
    bool   is_virtual;
    uint64_t own_now_ns, *now_ns;    /* virtual now: the caller's or own_now_ns */
    uint64_t told_now_ns;            /* virtual now of the worker's last answer: waits of the caller are not in it */
    int64_t  next_id;
};

/* Sends `members` as the request `op` (takes the reference; NULL: no members) and waits for its answer, which
 * the caller gets as *answer (json_decref) if ST_OK. Statuses as worker.h says. */
enum status worker_ask(struct worker *w, const char *op, json_t *members, uint64_t deadline_ns,
                       json_t **answer, struct err *err);
/* The answer to `op` breaks the protocol as `why` says: kills the worker. Returns ST_CRASHED. */
enum status worker_broken_answer(struct worker *w, const char *op, const char *why, struct err *err);

#endif
