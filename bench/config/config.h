/* config.h - every setting of a campaign: one table of rows feeds the YAML parser, the command line, ranges,
 * defaults and --help. A struct config owns its lists (config_free). */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"

#define BATCH_MAX 4096

struct name_list { char **names; size_t count; };
struct int_list  { int *values; size_t count; };

struct output_for { /* one row of output.for: which target a model's entry is made from; "" matches any */
    char model[64], engine[64], device[64], precision[16];
};

struct config {
    /* what to measure */
    bool   all_models;
    struct name_list models, engines, devices, precisions;
    struct int_list  threads;        /* 0 = auto */
    int    input_h, input_w;         /* 0: the model's own */
    bool   batches_auto;             /* the ascent; else `batches` */
    struct int_list batches;
    int    max_batch;
    char  *mode, *weights;           /* "e2e"; "seeded" or a path */
    /* how to decide */
    double within;                   /* X, fraction */
    double alpha;
    uint64_t budget_ns;
    bool   budget_set;               /* else 15 min x targets */
    uint64_t seed;
    bool   seed_set;                 /* else drawn once and stored */
    /* memory */
    double reserve;                  /* fraction */
    uint64_t memory_limit_bytes;     /* 0: by the machine */
    /* accuracy */
    bool   gate;
    /* output */
    char  *out;                      /* folder; preset "results" */
    struct output_for *output_for;
    size_t output_for_count;
    struct name_list output_models, output_drop;
    bool   max_safe_executed;        /* else ceiling */
    int    max_age_days;
    bool   allow_scripted;
    char  *base;                     /* --base: FILE, "none" or NULL */
    /* the run */
    bool   resume, quiet, json;
    char  *text;                     /* the effective configuration as YAML, for the store */
};

/* Engine file configs/engines/NAME.yaml: name, command (list), description, env (map, optional),
 * devices/precisions are asked from the worker. */
struct engine_config {
    char   name[64], description[160];
    char **command; /* NULL-terminated; command[0] resolved with home_program */
    char   file[4096];
};
enum status engine_config_read(struct engine_config *out, const char *engine, struct err *err);
enum status engine_config_list(struct engine_config **out, size_t *count, struct err *err);
void engine_config_free(struct engine_config *e);

void config_free(struct config *c);

#endif
