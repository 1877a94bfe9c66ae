/* config.h - every setting of a campaign: one table of rows (table.c) feeds the YAML parser, the command
 * line, ranges, defaults, --help and the effective text. A struct config owns everything inside
 * (config_free). */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "kernels/base/err.h"

#define BATCH_MAX 4096

struct name_list { char **names; size_t count; };
struct int_list  { int *values; size_t count; };

struct output_for { /* one row of output.for: which target a model's entry is made from; "" matches any */
    char model[64], engine[64], device[64], precision[16];
};

/* One row of nightly.series: what the series have of their own whose names the pattern (of fnmatch) matches. */
struct night_series {
    char   pattern[256];             /* "hrnet *": a series is "hrnet onednn cpu:0 bf16 batch 8" */
    double delta;                    /* the smallest change that counts, a fraction; 0: not given */
    char   group[24];                /* what they have in common with others of the device; "": not given */
};

/* What is to be good. */
enum objective { OBJECTIVE_THROUGHPUT, OBJECTIVE_LATENCY, OBJECTIVE_ENERGY, OBJECTIVE_COUNT };
const char *objective_name(enum objective objective); /* "throughput" "latency" "energy" */

/* A limit on times: "percentile p of them is at most limit_ms". */
struct latency_limit {
    bool   response;                 /* from the planned arrival to the result; else of one batch (service) */
    double percentile;               /* .95; 0: no limit */
    double limit_ms;
};
/* "p95=300ms", "p50=2s", "p99.9=1s", "response:p95=300ms". ST_USAGE: no percentile of 1..99.99, no time of
 * more than 0 and at most 24 h. *out is all zero unless ST_OK. */
enum status latency_limit_read(struct latency_limit *out, const char *text, struct err *err);

/* When requests arrive: "poisson:20/s", "20/s" (the same), or "trace:FILE" (one offset in seconds a line). */
struct arrivals {
    double rate;                     /* images/s; 0: by the trace, or none were given */
    char  *trace;                    /* path; NULL: none */
};

struct config {
    /* what to measure */
    bool   all_models;
    struct name_list models, engines, devices, precisions;
    struct int_list  threads;        /* 0 = auto */
    struct int_list  instances;      /* workers side by side; each count is a target of its own */
    int    input_h, input_w;         /* 0: the model's own */
    bool   batches_auto;             /* the ascent; else `batches` */
    struct int_list batches;
    int    max_batch;
    char  *mode, *weights;           /* "e2e"; "seeded" or a path */
    /* how to decide */
    double within;                   /* X, fraction */
    double alpha;
    enum objective objective;
    struct latency_limit limit;
    bool   fresh;                    /* no incumbent */
    bool   refine;                   /* all sizes in between race */
    struct arrivals arrivals;        /* --open-loop of tune, --rate and --trace of queue */
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
    /* queue */
    uint64_t delay_ns;               /* --delay */
    bool   delay_set;                /* else several delays are compared */
    bool   median;                   /* the median time of each size, not its measured times */
    /* doctor */
    bool   require_gpu, strict, smoke, repetitions;
    struct name_list require_engines;
    char  *only, *root, *plan, *record; /* NULL: not given */
    struct name_list compose;        /* Compose files */
    char  *service, *worker;         /* of them; command of a worker to be tried; NULL: not given */
    bool   logits;                   /* check: nothing before the logits */
    bool   nightly;                  /* report: of a night */
    /* nightly */
    bool   status;                   /* tell, measure nothing */
    uint64_t every_ns;               /* a night is due */
    char  *fail_on;                  /* "nothing", "moved" */
    bool   retune;                   /* race again what moved */
    struct night_series *night_series; /* [night_series_count] the first that matches and has the key counts */
    size_t night_series_count;
    char  *format;                   /* export; NULL: not given */
    uint64_t keep_ns;                /* prune */
    bool   keep_set, dry_run;
    char  *with;                     /* compare: folder of B; NULL: that of A */
    char  *plot;                     /* history: file of the pictures; NULL: none */
    /* accept */
    char  *series, *since, *reason;  /* NULL: not given */
    /* replay */
    char  *curve, *noise;            /* as given; NULL: not given */
    bool   within_named, alpha_named; /* replay of a campaign: stood on the command line */
    /* the run */
    bool   resume, quiet, json, csv, why;
    char  *config_file;              /* --config: as given; NULL: none */
    /* stood on the command line: what the user named must be there, what a file or a preset names may be
     * missing */
    bool   engines_named, devices_named, precisions_named;
    bool   all_models_named, models_named;
    bool   look_up;                  /* see struct config_ask */
    char *text; /* the effective configuration as YAML, for the store; reads back to the same */
};

/* Groups of rows: a verb takes the flags of its groups. A --config file may hold every key, whatever the
 * verb. */
enum config_group {
    CONFIG_MODELS  = 1 << 0,         /* --all-models, --model */
    CONFIG_TARGETS = 1 << 1,         /* --engine ... --weights */
    CONFIG_BATCHES = 1 << 2,         /* --batches, --max-batch */
    CONFIG_DECIDE  = 1 << 3,         /* --within, --budget ... */
    CONFIG_MEMORY  = 1 << 4,         /* --reserve, --memory-limit */
    CONFIG_FILES   = 1 << 5,         /* what goes into batch_sizes.json */
    CONFIG_OUT     = 1 << 6,         /* --out */
    CONFIG_RUN     = 1 << 7,         /* --quiet */
    CONFIG_JSON    = 1 << 8,
    CONFIG_CSV     = 1 << 9,
    CONFIG_SOURCE  = 1 << 10,        /* --config */
    CONFIG_SEED    = 1 << 11,        /* --seed */
    CONFIG_REPLAY  = 1 << 12,        /* --curve ..., and --within */
    CONFIG_QUEUE   = 1 << 13,        /* --rate, --trace, --delay ..., and --slo */
    CONFIG_WHY     = 1 << 14,        /* --why */
    CONFIG_DOCTOR  = 1 << 15,        /* --require-gpu ... */
    CONFIG_PRUNE   = 1 << 23,        /* --keep, --dry-run */
    CONFIG_CHECK   = 1 << 22,        /* --logits */
    CONFIG_HISTORY = 1 << 24,        /* --plot */
    CONFIG_RESUME  = 1 << 21,        /* --resume */
    CONFIG_NIGHTLY = 1 << 20,        /* --status, --every, --fail-on, --retune */
    CONFIG_COMPARE = 1 << 19,        /* --with */
    CONFIG_EXPORT  = 1 << 18,        /* --format */
    CONFIG_REPORT  = 1 << 17,        /* --nightly */
    CONFIG_ACCEPT  = 1 << 16,        /* --series, --device, --since, --reason */
};

/* The command line of one verb, after its name. */
struct config_ask {
    const char *verb;                /* for messages */
    unsigned groups;
    char *const *argv;
    size_t argc;
    size_t words_max;                /* more words without a flag are refused */
    bool look_up;                    /* refuse models and engines that are not there, where they stand */
    const char *base_text; /* effective text of an earlier run, read between presets and file; NULL: none */
};
/* Defaults, then base_text, then the file of --config, then the flags; `words` (room for words_max) borrows
 * from argv what stands without a flag. ST_USAGE: a flag is unknown, repeated, without or with a bad value;
 * ST_CONFIG: the file (with file:line:column); ST_IO: it cannot be read. *out is all zero unless ST_OK. */
enum status config_read(struct config *out, const char **words, size_t *word_count,
                        const struct config_ask *ask, struct err *err);
/* The same from a text that stands for the file of --config (the store's config_text). */
enum status config_read_text(struct config *out, const char *name, const char *text, size_t size,
                             struct err *err);
/* Prints the rows of the groups: flag, value, help, key, range, default. */
void config_print_help(FILE *out, unsigned groups);

/* Engine file configs/engines/NAME.yaml: name, command (list), and optional: description, env (map), devices
 * (kinds that it runs on: cpu, cuda; which of them are there, and their precisions, is asked from the worker)
 * and library_path (a folder or a list: where a CUDA worker looks for cuDNN and cuBLASLt first). */
struct engine_config {
    char   name[64], description[160];
    bool   kinds_told, kind_cpu, kind_cuda; /* of `devices`; not told: any */
    char **command; /* NULL-terminated; command[0] resolved with home_program, as given if it is not there */
    char **environment; /* "NAME=value", the library path too, NULL-terminated, for struct worker_start; NULL:
                         * none */
    char  *library_path; /* joined with colons; NULL: none */
    char   file[4096];
};
/* Reads configs/engines/NAME.yaml, or `engine` itself if it ends in .yaml. ST_USAGE: no such engine, with the
 * nearest known name and the list; ST_CONFIG: the file is wrong, with file:line:column. *out is all zero
 * unless ST_OK. */
enum status engine_config_read(struct engine_config *out, const char *engine, struct err *err);
/* All of configs/engines, sorted by name. engine_config_free each, then free(*out). */
enum status engine_config_list(struct engine_config **out, size_t *count, struct err *err);
void engine_config_free(struct engine_config *e);
/* May it run on such a device ("cpu:0", "cuda:1")? */
bool engine_config_runs_on(const struct engine_config *e, const char *device);

void config_free(struct config *c);

#endif
