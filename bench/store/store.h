/* store.h - the SQLite file that holds every campaign: open, append rows, read them back.
 * What store_open gives, store_close takes back. Rows are borrowed on the way in; every array that
 * a function gives is one allocation for free() unless another release function stands beside it.
 * Not for several threads.
 *
 * Raw rows are never edited: the tables refuse UPDATE and DELETE by trigger. What becomes known later (the
 * end of a run, what `load` told, how a worker ended) is a `state` row of its own, of which the newest
 * counts; reading gives rows with the newest state filled in. Estimates, decisions and whys are derived from
 * raw rows and may be replaced.
 *
 * Every append is one transaction and durable (WAL, synchronous=FULL) when it returns ST_OK;
 * after another status nothing of it is there and the store may be used on. Statuses of every
 * function, unless it says more:
 *   ST_IO        disk full, unwritable, or the file is damaged: the sentence names the file and what to do
 *   ST_INTERNAL  out of memory, or an error of the program itself */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/store/record.h"
#include "kernels/base/err.h"

/* 1: campaigns that end with a race; 2: looks, verification, fill table, incumbents and imports; 3: nights and
 * accepts; 4: telemetry packed, a row for each block; 5: the limit and the group each line of a night was judged
 * by. An older store is brought up to date when it is opened for writing; one that is only read is read as it is,
 * with what it does not have unknown. */
#define STORE_SCHEMA_VERSION 5

#define STORE_FILE "bench.sqlite"    /* below the folder of --out */

struct store;

enum store_mode {
    STORE_WRITE, /* made if missing; one process at a time */
    STORE_READ,  /* must exist; never writes, also beside a running campaign and in a read-only folder */
};

/* Opens path ("results/bench.sqlite"; its folder must exist). STORE_WRITE brings an older version up to date
 * and holds a lock on `path.lock` until
 * store_close or the end of the process, and ignores SIGXFSZ from then on, so that a size limit is an error,
 * no death. ST_BUSY: another process writes it: the sentence has its pid. ST_CONFIG: written by a newer
 * version (both numbers), or, in STORE_READ, no such file. ST_IO: a directory, no permission, damaged, or no
 * store of ours; nothing is changed then. */
enum status store_open(struct store **out, const char *path, enum store_mode mode, struct err *err);
/* Is the file whole, as far as SQLite can tell (quick_check)? Touches nothing. ST_CONFIG, ST_IO as above. */
enum status store_check(const char *path, struct err *err);
/* NULL is allowed. */
void store_close(struct store *s);
const char *store_path(const struct store *s);

/* --- append --------------------------------------------------------------------------------------------- */

/* row->id is given; row->name too if it is "" (made of start_unix_s and the seed, unique in this store). */
enum status store_append_run(struct store *s, struct run_row *row, struct err *err);
/* Ends or continues a run: state ("running" after a resume), exit_code, end_unix_s of row
 * count, found by row->id. */
enum status store_append_run_state(struct store *s, const struct run_row *row, struct err *err);

/* Environment of the host (execution 0) or of one execution. Repeated names: the newest counts. */
enum status store_append_environment(struct store *s, int64_t run, int64_t execution,
                                     const struct field_row *fields, size_t count, struct err *err);

/* row->id is given. Facts that are known already are stored too. */
enum status store_append_target(struct store *s, struct target_row *row, struct err *err);
/* What is known of row->id by now: threads, key, key_sha256 to incumbent_source; what names the target
 * (model, engine, device, precision, mode, instances, shape, place) is not read. */
enum status store_append_target_state(struct store *s, const struct target_row *row, struct err *err);

/* row->id is given. */
enum status store_append_execution(struct store *s, struct execution_row *row, struct err *err);
/* What is known of row->id by now: end_unix_s to stderr_tail, and pid. Call it after the
 * warm-up and at the end. */
enum status store_append_execution_state(struct store *s, const struct execution_row *row, struct err *err);

enum status store_append_prepared(struct store *s, const struct prepared_row *row, struct err *err);

struct store_block_parts {           /* what is stored together with a block */
    struct samples samples;          /* iteration_ns required: [row->iterations] */
    const struct field_row *telemetry;
    size_t telemetry_count;
    const struct mark_row *marks;    /* subject "block" with subject_id 0 means: this block */
    size_t mark_count;
};
/* One transaction: block, samples with their digest, telemetry, marks. row->id is given;
 * row->iterations is >= 1. */
enum status store_append_block(struct store *s, struct block_row *row, const struct store_block_parts *parts,
                               struct err *err);
enum status store_append_mark(struct store *s, const struct mark_row *row, struct err *err);
enum status store_append_accuracy(struct store *s, const struct accuracy_row *row, struct err *err);

struct store_results {               /* everything derived of one target */
    const struct estimate_row *estimates;
    size_t estimate_count;
    const struct decision_row *decision; /* NULL: none */
    const struct why_row *whys;
    size_t why_count;
    const struct look_row *looks;
    size_t look_count;
    const struct verify_row *verifications;
    size_t verification_count;
    const struct fill_row *fill;
    size_t fill_count;
};
/* Replaces all derived rows of the target, in one transaction. The rows' own target is not read. */
enum status store_replace_results(struct store *s, int64_t target, const struct store_results *results,
                                  struct err *err);

/* --- imports -------------------------------------------------------------------------------------------- */

/* Keeps a file as the newest import, with its models, in one transaction; row->id and row->after are given,
 * the models' `import` is not read. *known: the newest import has the same bytes: nothing is appended,
 * row->id, after and time_unix_s are those of that one. */
enum status store_append_import(bool *known, struct store *s, struct import_row *row,
                                const struct import_model_row *models, size_t count, struct err *err);
/* All of them, newest first, with their bytes. store_free_imports(*out, *count). */
enum status store_load_imports(struct import_row **out, size_t *count, struct store *s, struct err *err);
/* The newest: *count is 0 or 1. store_free_imports(*out, *count). */
enum status store_load_last_import(struct import_row **out, size_t *count, struct store *s, struct err *err);
void store_free_imports(struct import_row *rows, size_t count);
/* What an import says of its models, in the order of the file. store_free_import_models(*out, *count). */
enum status store_load_import_models(struct import_model_row **out, size_t *count, struct store *s,
                                     int64_t import, struct err *err);
void store_free_import_models(struct import_model_row *rows, size_t count);

/* --- nights --------------------------------------------------------------------------------------------- */

/* Replaces what is told of the run's series, in one transaction. The rows' own run is not read. */
enum status store_replace_night(struct store *s, int64_t run, const struct night_row *rows, size_t count,
                                struct err *err);
/* Of all nights, the oldest night first, its series by name. */
enum status store_load_nights(struct night_row **out, size_t *count, struct store *s, struct err *err);
/* row->id is given. */
enum status store_append_accept(struct store *s, struct accept_row *row, struct err *err);
/* In the order of appending. */
enum status store_load_accepts(struct accept_row **out, size_t *count, struct store *s, struct err *err);

/* --- reference outputs of the gate ---------------------------------------------------------------------- */

struct store_output_key {
    const char *origin;              /* "reference", or the key of the target that gave it */
    const char *model_sha256, *image_sha256;
    int shape[3];                    /* C,H,W of the input */
};
/* Values of one output, shape of it in output_shape; *out is NULL (ST_OK) if none is kept. free(*out). */
enum status store_find_output(float **out, int output_shape[3], struct store *s,
                              const struct store_output_key *key, struct err *err);
/* Keeps one; the first of a key stays, a second one is ignored. */
enum status store_append_output(struct store *s, const struct store_output_key *key,
                                const int output_shape[3], const float *values, struct err *err);

/* --- read ----------------------------------------------------------------------------------------------- */

/* Runs of a kind (NULL: all), newest first. */
enum status store_load_runs(struct run_row **out, size_t *count, struct store *s, const char *kind,
                            struct err *err);
/* Frees rows and their texts; NULL is allowed. */
void store_free_runs(struct run_row *rows, size_t count);
/* The newest run of the kind whose state is not "done": *count is 0 or 1. store_free_runs(*out, *count). */
enum status store_load_unfinished(struct run_row **out, size_t *count, struct store *s, const char *kind,
                                  struct err *err);

enum status store_load_targets(struct target_row **out, size_t *count, struct store *s, int64_t run,
                               struct err *err);
/* In the order in which they started. */
enum status store_load_executions(struct execution_row **out, size_t *count, struct store *s, int64_t target,
                                  struct err *err);
void store_free_executions(struct execution_row *rows, size_t count);
/* Of all executions of the target, in the order of appending. */
enum status store_load_prepared(struct prepared_row **out, size_t *count, struct store *s, int64_t target,
                                struct err *err);
enum status store_load_accuracy(struct accuracy_row **out, size_t *count, struct store *s, int64_t target,
                                struct err *err);
/* Marks on the target, its points (subject "point": subject_id is the target), executions and blocks. */
enum status store_load_marks(struct mark_row **out, size_t *count, struct store *s, int64_t target,
                             struct err *err);

struct store_block {                 /* borrowed for the visit */
    struct block_row row;
    const char *label;               /* of the execution: "probe", "normal", ... */
    struct samples samples;          /* all NULL unless asked for */
};
/* Calls visit for every block of the target in the order of appending; another status than ST_OK of it ends
 * the walk and is returned. Samples are checked against their digest: ST_IO if they differ. */
enum status store_visit_blocks(struct store *s, int64_t target, bool with_samples,
                               enum status (*visit)(void *context, const struct store_block *block,
                                                    struct err *err),
                               void *context, struct err *err);

enum store_fields_of { STORE_FIELDS_RUN, STORE_FIELDS_EXECUTION, STORE_FIELDS_BLOCK };
/* Environment of a run's host or of an execution, or telemetry of a block. */
enum status store_load_fields(struct field_row **out, size_t *count, struct store *s, enum store_fields_of of,
                              int64_t id, struct err *err);

#define STORE_GUESS "guess"

struct store_incumbent {             /* the batch size in use before a campaign */
    int     batch;                   /* 0: none */
    int     pending;                 /* smaller size that the tune before accepted the first time; 0: none */
    char    source[16];              /* "store", "import", STORE_GUESS; "" */
};
struct store_incumbent_ask {
    const char *key_sha256;          /* of the target: only measurements of the very same thing count */
    const char *model;
    const char *variant;             /* of the program: debug builds do not bind release builds */
};
/* What the newest finished tune of this key decided, or a newer import says of the model. Finished is a tune
 * whose run is done, or one that was cut short after this target's race had ended. What it left pending
 * counts only if it is that newest one. Without a usable size in the newest one the size of an older one is
 * still in use. Where no tune was finished and nothing imported, the best that the newest one left when its time was
 * used up is in use all the same: a guess, which any race that ends replaces. */
enum status store_load_incumbent(struct store_incumbent *out, struct store *s,
                                 const struct store_incumbent_ask *ask, struct err *err);

struct store_earlier {               /* newest that is known of a batch size, over all runs */
    int      batch;
    double   images_per_s;           /* of the newest estimate; NaN: none */
    uint64_t peak_bytes;             /* of the newest feasible probe; 0: unknown */
    uint64_t prepare_ns;
};
/* Earlier measurements of targets with this key (struct target_row.key), ascending batch, for predictions. */
enum status store_load_earlier(struct store_earlier **out, size_t *count, struct store *s, const char *key,
                               struct err *err);

/* Seconds that all executions of the newest finished tune of a target with this key took together; NaN: none
 * was finished. */
enum status store_load_spent(double *seconds, struct store *s, const char *key, struct err *err);

/* The whole view of one campaign; name NULL: the newest of kind "tune". ST_CONFIG: there is no such campaign
 * (the sentence has the nearest known name), or none at all. campaign_free(*out). */
enum status store_load_campaign(struct campaign **out, struct store *s, const char *name, struct err *err);
/* NULL is allowed. */
void campaign_free(struct campaign *c);

#endif
