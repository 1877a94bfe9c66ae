/* worker_state.h - what the client of a worker holds, for the files worker*.c only. */
#ifndef MEASURE_WORKER_STATE_H
#define MEASURE_WORKER_STATE_H

#include "bench/measure/process.h"
#include "bench/measure/worker.h"

/* The request that was sent last and its answer. */
struct worker_request {
    bool     open;                   /* its answer was not taken yet */
    bool     settled;                /* the answer is in `line`, or `why` says why there is none */
    const char *op;
    int64_t  id;
    uint64_t deadline_ns;            /* in the worker's kind of time */
    uint64_t start_ns, limit_ns;     /* of the wait, in real time */
    uint64_t sent_ns, answered_ns;   /* of worker_clock */
    uint64_t told_before_ns;         /* virtual now of the worker when it was sent */
    bool     dead;                   /* its process has ended: what is in the pipe is all there is */
    char    *line;                   /* borrowed from `answers` until the next request */
    size_t   size;
    struct err why;
};

struct worker {
    struct process process;
    struct line_buffer answers;
    char   name[64];                 /* of the program, for messages */
    char   tail[WORKER_STDERR_LINES * PROCESS_LINE_MAX];
    const volatile sig_atomic_t *interrupt;
    uint64_t give_up_ns;
    bool   broken;                   /* no further request can be made */
    bool   is_virtual;
    uint64_t own_now_ns, *now_ns;    /* virtual now: the caller's or own_now_ns */
    uint64_t told_now_ns;            /* virtual now of the worker's last answer: waits of the caller are not in it */
    int64_t  next_id;
    struct worker_request request;
};

/* Sends `members` as the request `op` (takes the reference; NULL: no members). One request at a time.
 * Statuses as worker.h says. */
enum status worker_send(struct worker *w, const char *op, json_t *members, uint64_t deadline_ns,
                        struct err *err);
/* Waits for the answer to what was sent, which the caller gets as *answer (json_decref) if ST_OK. */
enum status worker_receive(struct worker *w, json_t **answer, struct err *err);
/* Both. */
enum status worker_ask(struct worker *w, const char *op, json_t *members, uint64_t deadline_ns,
                       json_t **answer, struct err *err);
/* The answer to `op` breaks the protocol as `why` says: kills the worker. Returns ST_CRASHED. */
enum status worker_broken_answer(struct worker *w, const char *op, const char *why, struct err *err);

#endif
