/* cudart_state.h - the inside of the fake CUDA runtime: one struct, shared by its files. Calls come from one
 * thread. */
#ifndef FAKE_CUDART_STATE_H
#define FAKE_CUDART_STATE_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/gpu/fake/cudart.h"

#define FAKE_RULES_MAX 16
#define FAKE_KINDS (FAKE_EVENT + 1)

/* --- script (cudart_script.c) --------------------------------------------------------------------------- */
enum fake_rule_kind { FAKE_FAIL, FAKE_LOST, FAKE_HANG };

struct fake_rule {
    enum fake_rule_kind what;
    char name[48];                  /* of a call, or of a kind of operation */
    size_t nth, seen;
    int code;
};

struct fake_script {
    size_t memory, context_bytes, foreign;
    int devices, sm, driver, count_code, open_code, fill;
    unsigned slow_us, wide_us;
    bool protect, leaks;
    char trace[256];
    struct fake_rule rules[FAKE_RULES_MAX];
    size_t rule_count;
};

/* Ends the program with a message when a word cannot be read. NULL: presets. */
void fake_script_read(struct fake_script *script, const char *text);
/* The code of the rule that this call or operation meets now; 0: none. FAKE_HANG: 1 for a hit. */
int fake_script_meet(struct fake_script *script, enum fake_rule_kind what, const char *name);

/* --- memory (cudart_memory.c) --------------------------------------------------------------------------- */
struct fake_block {
    unsigned char *data;            /* what the caller has */
    size_t bytes;
    unsigned char *map;             /* the pages: guard bytes before and behind data */
    size_t map_bytes;               /* 0: pinned, of malloc */
};

struct fake_blocks {
    struct fake_block *at;
    size_t count, room;
};

/* The block that holds [pointer, pointer + bytes); NULL: none. */
const struct fake_block *fake_block_find(const struct fake_blocks *blocks, const void *pointer, size_t bytes);
bool fake_address_is_device(const void *pointer);   /* of the window of addresses, alive or not */
void fake_device_open(void);                        /* operations may touch device memory until _close */
void fake_device_close(void);
void fake_memory_watch(void);                       /* explains faults from now on */
void fake_memory_forget(void);

/* --- streams, events, graphs (cudart_stream.c, cudart_event.c, cudart_graph.c) -------------------------- */
enum fake_op_what { OP_RUN, OP_RECORD, OP_WAIT, OP_GRAPH };

struct fake_graph;

struct fake_op {
    enum fake_op_what what;
    enum fake_kind kind;
    fake_operation *run;
    void *argument;                 /* owned: of malloc */
    struct CUevent_st *event;       /* OP_RECORD, OP_WAIT */
    uint64_t ticket;                /* of the record that is made or waited for */
    struct CUstream_st *source;     /* OP_WAIT: where that record is */
    struct fake_graph *graph;       /* OP_GRAPH: one reference */
    struct fake_op *next;
};

struct fake_node {
    struct fake_op op;
    size_t *before;                 /* nodes that must have run, smaller numbers all */
    size_t before_count;
};

/* Numbers of nodes, each once. */
struct fake_set {
    size_t *at;
    size_t count;
};

struct fake_graph {
    struct fake_node *nodes;
    size_t count, room, references, launches;
};

struct fake_capture {
    struct fake_graph *graph;
    struct CUstream_st *origin;
    bool broken;                    /* something illegal was called: cudaStreamEndCapture gives 901 */
};

struct CUstream_st {
    unsigned flags;
    struct fake_op *first, *last;
    struct fake_capture *capture;   /* NULL: not capturing */
    struct fake_set tail;           /* while capturing: what the next node comes after */
    struct CUstream_st *next;
};

struct CUevent_st {
    unsigned flags;
    uint64_t recorded, done;        /* tickets: of the last record asked for, of the last one that ran */
    int64_t done_ns;
    struct CUstream_st *stream;     /* of the last record */
    struct fake_capture *capture;   /* recorded inside a capture, not external */
    struct fake_set tail;
    struct CUevent_st *next;
};

struct CUgraph_st     { struct fake_graph *graph; };
struct CUgraphExec_st { struct fake_graph *graph; };

/* Runs the operations of the stream up to the record with this ticket of event; NULL: all of them. */
void fake_stream_run(struct CUstream_st *stream, const struct CUevent_st *event, uint64_t ticket);
void fake_run_all(void);
void fake_run_operation(const struct fake_op *op);  /* one, now */
/* Onto the stream or into its capture; takes op.argument over. */
cudaError_t fake_stream_put(struct CUstream_st *stream, struct fake_op op);
void fake_graph_run(struct fake_graph *graph);
size_t fake_graph_add(struct fake_graph *graph, struct fake_op op, const struct fake_set *before);
void fake_graph_drop(struct fake_graph *graph);     /* one reference */
void fake_graph_expect_events(const struct fake_graph *graph, struct CUstream_st *stream);
void fake_set_add(struct fake_set *set, size_t node);
void fake_set_union(struct fake_set *set, const struct fake_set *other);
void fake_set_clear(struct fake_set *set);
bool fake_capturing(void);                          /* any stream */
/* A call that is illegal under capture was made: 900, and the captures are broken. */
cudaError_t fake_capture_break(void);
/* The stream that a handle stands for (NULL and the two special values: the legacy one); NULL: no stream. */
struct CUstream_st *fake_stream_of(cudaStream_t handle);
bool fake_stream_is_legacy(const struct CUstream_st *stream);
void fake_streams_forget(void);

/* --- the runtime (cudart.c) ----------------------------------------------------------------------------- */
struct fake_call_count {
    char name[48];                  /* a copy: libraries come and go */
    size_t count;
};

struct fake_runtime {
    bool started, context;
    struct fake_script script;
    struct fake_blocks device, pinned;
    size_t used, peak;
    struct CUstream_st legacy, *streams;
    struct CUevent_st *events;
    size_t graphs, execs;           /* alive */
    int sticky, last_error;
    size_t ran[FAKE_KINDS];
    struct fake_call_count calls[160];
    size_t call_count;
    FILE *trace;
};

extern struct fake_runtime fake;

/* What a call needs before it does anything. */
enum fake_need { NEED_NOTHING, NEED_DEVICE, NEED_CONTEXT };
/* Counts the call and says what it must return at once; 0: go on. */
cudaError_t fake_enter(const char *name, enum fake_need need);
/* Notes the result as the last error and returns it. */
cudaError_t fake_leave(cudaError_t error);

#define ENTER(need) \
    do { \
        cudaError_t entered = fake_enter(__func__, need); \
        if (entered) \
            return fake_leave(entered); \
    } while (0)

#endif
