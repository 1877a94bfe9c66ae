/* checks.h - the checks of bench doctor: a table of rows, each with the outcomes it can have and a pure
 * function of the facts. The same facts give the same findings, on a machine and on a tree. */
#ifndef DOCTOR_CHECKS_H
#define DOCTOR_CHECKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "bench/doctor/facts.h"
#include "kernels/base/gpu_codes.h"

/*    name    what it means */
#define LEVEL_LIST(X) \
    X(OK,     "ok")     /* as it should be */ \
    X(NOTE,   "note")   /* a fact to know */ \
    X(WARN,   "warn")   /* numbers will suffer */ \
    X(FAIL,   "fail")   /* cannot work */ \
    X(SKIP,   "skip")   /* does not apply, or a check that it needs failed */ \
    X(UNREAD, "unread") /* could not be read: never counted as ok */

enum level {
#define X(name, text) LEVEL_##name,
    LEVEL_LIST(X)
#undef X
    LEVEL_COUNT
};
const char *level_name(enum level level);

struct outcome {
    const char *name;
    enum level level;
    const char *sentence;            /* with <names>, as gpu_code_text replaces them */
    const char *remedy;              /* NULL: none; with <names> too */
    bool stops;                      /* no fault, but what needs this check does not apply */
    bool open;                       /* a fail, yet checks that need this one go on: they say more about it */
    bool required;                   /* a fail where the user asked for what is missing here */
    const char *key;                 /* tells outcomes of one name apart; NULL: the name does */
};

struct judge;
struct check {
    const char *id;                  /* "gpu.module"; "engine": one finding for each, "engine.NAME" */
    const char *needs[6];            /* ids of earlier rows */
    unsigned parts;                  /* what has to be read besides files */
    void (*look)(struct judge *j);
    const struct outcome *outcomes;
    size_t outcome_count;
};

/* Row i of the table, NULL behind the last: checks that are needed stand before those that need them. */
const struct check *check_at(size_t i);

/* The groups that the table is made of, in this order. */
extern const struct check checks_gpu[], checks_visible[], checks_driver[], checks_state[], checks_cpu[],
    checks_engine[], checks_smoke[], checks_store[];
extern const size_t checks_gpu_count, checks_visible_count, checks_driver_count, checks_state_count,
    checks_cpu_count, checks_engine_count, checks_smoke_count,
    checks_store_count;

/* Is it a variable that changes numbers (env.results)? Others are never printed: they hold secrets. */
bool checks_know_variable(const char *name);

/* --- findings ------------------------------------------------------------------------------------------- */

struct finding {
    char id[96];
    enum level level;
    char outcome[64];
    char *sentence, *remedy;         /* owned; remedy NULL: none */
    json_t *read;                    /* object of what it rests on; owned */
};
struct findings {
    struct finding *list;            /* owned */
    size_t count;
    size_t of_level[LEVEL_COUNT];
};
struct doctor_plan;
struct doctor_ask {
    bool require_gpu;
    bool smoke;                      /* checks that rest on FACTS_SMOKE are made too */
    const struct doctor_plan *plan;  /* what is planned (plan.h); NULL: not told */
    const char *const *require_engines; /* [require_count] */
    size_t require_count;
    const char *only;                /* beginning of ids; NULL: all */
};

/* The parts of the facts that the checks chosen by ask->only, and those they need, rest on. 0 checks begin so:
 * false. */
bool findings_parts(unsigned *parts, const struct doctor_ask *ask);
/* Judges the facts. Findings come in the order of the table. findings_free takes them back. ST_INTERNAL: out
 * of memory. */
enum status findings_make(struct findings *out, const struct facts *facts, const struct doctor_ask *ask,
                          struct err *err);
void findings_free(struct findings *f);
/* The first finding of the worst kind: a fail, else a warn, else one that could not be read; NULL: none. */
const struct finding *findings_first_cause(const struct findings *f);

/* --- for the functions of the table --------------------------------------------------------------------- */

struct judge {
    const struct facts *facts;
    const struct doctor_ask *ask;
    const struct check *check;
    const char *name;                /* behind the id and a dot ("engine.NAME"); NULL: none */
    const char *where;               /* "FILE:LINE:COLUMN: " in front of sentences; NULL: nothing */
    bool required;                   /* outcomes marked `required` are fails */
    struct findings *out;
    bool blocked, no_memory;
    void **texts;                    /* of judge_text */
    int text_count, text_room;
};
/* Frees the judge's texts. ST_INTERNAL: something did not fit into memory. */
enum status judge_end(struct judge *j, struct err *err);

/* A finding of the check: one of its outcomes (by its key), with the names filled in. All fills are kept as what
 * was read. */
void judge_say(struct judge *j, const char *outcome, const struct gpu_fill *fills, size_t count);
#define SAY(j, outcome, ...) \
    judge_say(j, outcome, (const struct gpu_fill[]){ __VA_ARGS__ }, \
              sizeof((const struct gpu_fill[]){ __VA_ARGS__ }) / sizeof(struct gpu_fill))
/* A fail by an error number, in the words of the list of codes. said: the worker's own sentence, NULL: that
 * of the list. */
void judge_code(struct judge *j, enum gpu_api api, int code, const char *said, const struct gpu_fill *fills,
                size_t count);
/* What could not be read: its path or call, and why. */
void judge_unread(struct judge *j, const char *what, const char *reason);
void judge_skip(struct judge *j, const char *sentence);
/* A text that lives as long as the judge; never NULL. */
const char *judge_text(struct judge *j, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
