/* session_state.h - what a session holds, for the files that answer requests (session*.c);
 * nobody else includes it. */
#ifndef WORKER_SESSION_STATE_H
#define WORKER_SESSION_STATE_H

#include "kernels/worker/protocol.h"
#include "kernels/worker/session.h"

#define SESSION_ARRAYS 5 /* iterations, h2d, compute, d2h, launch */

struct session {
    const struct engine *engine;
    struct model *model;                          /* NULL before `load` */
    struct model_info info;
    struct clock system;
    bool prepared[PROTOCOL_BATCH_MAX + 1];
    uint64_t *samples;                            /* [SESSION_ARRAYS][PROTOCOL_ITERATIONS_MAX] */
    bool samples_touched;                         /* its pages are there: the first `run` does not fault them in */
    bool quit, lost;
};

/* Answers one operation: reads members of `request`, sets members of `answer`. */
typedef enum status (*session_handler)(struct session *s, const json_t *request, json_t *answer,
                                       struct err *err);

#define X(op, name, needs_model) \
    enum status session_do_##op(struct session *s, const json_t *request, json_t *answer, struct err *err);
PROTOCOL_OPS(X)
#undef X

/* The clock that iterations are timed with. */
const struct clock *session_clock(const struct session *s);
/* request.batch, 1..4096; with must_be_prepared ST_INVALID for a size that is not. */
enum status session_get_batch(int *out, const struct session *s, const json_t *request, const char *where,
                              bool must_be_prepared, struct err *err);
/* Sets a non-negative integer. */
void session_put(json_t *answer, const char *key, uint64_t value);

#endif
