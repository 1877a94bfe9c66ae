/* conformance_talk.h - a worker under test at the level of bytes and lines, for the conformance cases only.
 * What probe_begin gives, probe_end takes back; answers are the caller's (json_decref). */
#ifndef MEASURE_CONFORMANCE_TALK_H
#define MEASURE_CONFORMANCE_TALK_H

#include <jansson.h>

#include "bench/measure/conformance.h"
#include "bench/measure/process.h"

enum probe_state { PROBE_NEW, PROBE_LOADED, PROBE_PREPARED, PROBE_STATES };

/* What hello told, and what the cases need of it. */
struct probe_facts {
    char precision[16], device[32];
    bool can_output, can_memory, can_profile, can_virtual;
    int  input_shape[3], output_shape[3];   /* input: as asked for; 0 if the model's own */
};

struct probe {
    const struct conformance_ask *ask;
    struct probe_facts *facts;
    struct process process;
    struct line_buffer lines;
    bool is_open;
    char folder[64];                        /* of this run: files that `output` writes */
    char note[96];                          /* what a passed case has to tell; "" nothing */
};

#define PROBE_ANSWER_NS (120 * WORKER_S)
#define PROBE_LOAD_NS (600 * WORKER_S)
#define PROBE_END_NS (10 * WORKER_S)

/* Starts the worker and brings it to `state` with the batch size 2 prepared in PROBE_PREPARED. */
enum status probe_begin(struct probe *p, enum probe_state state, struct err *err);
void probe_end(struct probe *p);

/* ST_CRASHED: it reads no more. */
enum status probe_send(struct probe *p, const void *bytes, size_t size, struct err *err);
/* The next answer; ST_HUNG, ST_CRASHED (it ended), ST_INVALID (no JSON object). */
enum status probe_receive(struct probe *p, json_t **answer, uint64_t wait_ns, struct err *err);
/* Sends a line (without newline) and receives one answer. */
enum status probe_ask(struct probe *p, const char *line, json_t **answer, uint64_t wait_ns, struct err *err);
/* No more requests come: its standard input is closed. */
void probe_end_input(struct probe *p);

/* ST_OK if the answer is ok and carries this id. */
enum status probe_expect_ok(const json_t *answer, int id, struct err *err);
/* ST_OK if it is an error of one of the kinds ("invalid unsupported"), with a message,
 * and this id; id 0: null. */
enum status probe_expect_error(const json_t *answer, int id, const char *kinds, struct err *err);
/* ST_OK if the process ends by itself within 10 s with exit status 0. */
enum status probe_expect_exit(struct probe *p, struct err *err);

#endif
