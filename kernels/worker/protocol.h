/* protocol.h - the words and limits of the worker protocol, version 1, for both of its ends.
 * One line of JSON per message; requests come one at a time, the answer carries the request's
 * id. Only constants here. */
#ifndef WORKER_PROTOCOL_H
#define WORKER_PROTOCOL_H

#include <stddef.h>

#define PROTOCOL_VERSION 1
#define PROTOCOL_REQUEST_MAX ((size_t)1 << 20) /* bytes of a line, newline left out */
#define PROTOCOL_ANSWER_MAX ((size_t)64 << 20)
#define PROTOCOL_BATCH_MAX 4096
#define PROTOCOL_ITERATIONS_MAX 100000         /* of one block: bounds the store */
#define PROTOCOL_SIDE_MAX 16384
#define PROTOCOL_CHANNELS_MAX 4096

/*        enum      name       needs a loaded model */
#define PROTOCOL_OPS(X) \
    X(HELLO,   "hello",   0) \
    X(LOAD,    "load",    0) \
    X(PREPARE, "prepare", 1) \
    X(RUN,     "run",     1) \
    X(MEMORY,  "memory",  1) \
    X(OUTPUT,  "output",  1) \
    X(PROFILE, "profile", 1) \
    X(RELEASE, "release", 1) \
    X(QUIT,    "quit",    0)

enum protocol_op {
#define X(op, name, needs_model) OP_##op,
    PROTOCOL_OPS(X)
#undef X
    OP_COUNT
};

static inline const char *protocol_op_name(enum protocol_op op)
{
    static const char *const names[OP_COUNT] = {
#define X(id, name, needs_model) [OP_##id] = name,
        PROTOCOL_OPS(X)
#undef X
    };
    return names[op];
}

/* Abilities in the answer to `hello`. */
/*        field in hello_info and worker_hello, word */
#define PROTOCOL_ABILITIES(X) \
    X(can_stages,  "stages") \
    X(can_output,  "output") \
    X(can_memory,  "memory") \
    X(can_profile, "profile") \
    X(can_virtual, "virtual")

/* Members of `load`'s options that every engine understands. */
#define PROTOCOL_OPTION_MODE  "mode"
#define PROTOCOL_OPTION_COLD  "cold"
#define PROTOCOL_OPTION_UNTIL "until"
/* Virtual time only: where it starts (in `load`), and the true virtual time (in every answer after it; a
 * worker whose clock is off by script has other times in start_ns and end_ns). */
#define PROTOCOL_NOW "now_ns"

#endif
