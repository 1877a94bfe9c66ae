/* session.h - the worker's side of the protocol without the process around it: a line in, a line out.
 * What session_open gives, session_close takes back; answers are the caller's. The engine is borrowed. */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/worker/engine.h"

struct session;

/* ST_OUT_OF_MEMORY. */
enum status session_open(struct session **out, const struct engine *engine, struct err *err);
/* The answer to one request line (without newline; any bytes), as one line without newline. It is never a
 * failure to be wrong: then the answer says so. NULL only if memory is out. The caller frees. */
char *session_answer(struct session *s, const char *line, size_t size);
/* The answer to a line that was too long to be read. */
char *session_answer_too_long(struct session *s);
/* True once `quit` was answered or the device is lost; *exit_code is then 0 or the code of the loss. */
bool session_ended(const struct session *s, int *exit_code);
/* The device was lost: closing the session would touch it. */
bool session_lost(const struct session *s);
/* Releases what is prepared, closes the model. NULL is allowed. */
void session_close(struct session *s);

#endif
