#include "bench/measure/worker.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "bench/measure/worker_state.h"
#include "kernels/worker/protocol.h"

enum status worker_open(struct worker **out, const struct worker_start *start, struct err *err)
{
    *out = NULL;
    struct worker *w = calloc(1, sizeof *w);
    if (!w || line_open(&w->answers, PROTOCOL_ANSWER_MAX) != 0) {
        free(w);
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the client of a worker");
    }
    enum status st = process_open(&w->process, start, err);
    if (st != ST_OK) {
        line_close(&w->answers);
        free(w);
        return st;
    }
    const char *slash = strrchr(start->command[0], '/');
    snprintf(w->name, sizeof w->name, "%s", slash ? slash + 1 : start->command[0]);
    w->interrupt = start->interrupt;
    w->give_up_ns = start->give_up_ns;
    w->now_ns = start->virtual_now_ns ? start->virtual_now_ns : &w->own_now_ns;
    w->next_id = 1;
    *out = w;
    return ST_OK;
}

void worker_close(struct worker *w)
{
    if (!w)
        return;
    w->give_up_ns = 0;
    w->interrupt = NULL; /* two seconds are kept even after Ctrl-C: the worker may have a device to give back */
    if (!w->broken && !w->request.open)
        worker_quit(w, PROCESS_GRACE_NS, NULL);
    process_close(&w->process);
    line_close(&w->answers);
    free(w);
}

void worker_abort(struct worker *w)
{
    w->broken = true;
    process_kill(&w->process);
}

bool worker_alive(const struct worker *w)
{
    return !w->broken;
}

pid_t worker_pid(const struct worker *w)
{
    return w->process.pid;
}

bool worker_is_virtual(const struct worker *w)
{
    return w->is_virtual;
}

struct clock worker_clock(struct worker *w)
{
    return w->is_virtual ? clock_virtual(w->now_ns) : clock_system();
}

struct worker_end worker_end_of(const struct worker *w)
{
    return w->process.end.ended ? w->process.end : (struct worker_end){ 0 };
}

const char *worker_stderr(struct worker *w)
{
    process_drain(&w->process);
    process_tail(&w->process, w->tail, sizeof w->tail);
    return w->tail;
}

enum status worker_quit(struct worker *w, uint64_t deadline_ns, struct err *err)
{
    json_t *answer;
    enum status st = worker_ask(w, protocol_op_name(OP_QUIT), NULL, deadline_ns, &answer, err);
    json_decref(answer);
    if (st != ST_OK)
        return st;
    w->broken = true;
    if (!process_ended(&w->process, PROCESS_GRACE_NS)) {
        process_kill(&w->process);
        return err_set(err, ST_HUNG, "%s: did not end after quit, the worker was killed", w->name);
    }
    char how[160];
    process_end_text(&w->process, how, sizeof how);
    const struct worker_end *end = &w->process.end;
    return !end->by_signal && end->code == 0
               ? ST_OK
               : err_set(err, ST_CRASHED, "%s: ended after quit with %s", w->name, how);
}
