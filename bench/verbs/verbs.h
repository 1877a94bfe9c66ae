/* verbs.h - the verbs of `bench`: one table, one function each. main.c finds the verb, reads its options into
 * a struct config and calls it; nothing but main exits. Everything here borrows for the call. */
#ifndef VERBS_VERBS_H
#define VERBS_VERBS_H

#include <signal.h>
#include <stddef.h>

#include "bench/config/config.h"
#include "kernels/base/err.h"

/* What a verb gets. */
struct invocation {
    const struct config *config; /* defaults, then the --config file, then the command line; names checked */
    const char *const *words; /* [word_count] what stands after the verb without a flag: a file, a campaign */
    size_t word_count;
    const char *argv_text;               /* the whole command line, for the store */
    const char *program;                 /* argv[0]: how the user calls us, for commands that are printed */
    const struct config_ask *ask;        /* what config was read from, to read it again over other settings */
    volatile sig_atomic_t *stop; /* becomes the number of SIGINT or SIGTERM; a second one kills the program */
};

struct verb {
    const char *name, *summary;          /* summary: one line for `bench --help` */
    const char *words_text;              /* "[CAMPAIGN]", "FILE", "" */
    size_t words_min, words_max;
    unsigned groups;                     /* CONFIG_* of config.h: the rows whose flags it takes */
    const char *about;                   /* paragraph of `bench VERB --help` */
    /* Results on stdout, progress and warnings on stderr. main prints err->text if the status is not ST_OK
     * and the text is not empty, and exits with status_exit(status). */
    enum status (*run)(const struct invocation *inv, struct err *err);
};

/* All verbs, in the order of `bench --help`. */
const struct verb *verbs_table(size_t *count);

enum status verb_tune(const struct invocation *inv, struct err *err);
enum status verb_plan(const struct invocation *inv, struct err *err);
enum status verb_list(const struct invocation *inv, struct err *err);
enum status verb_show(const struct invocation *inv, struct err *err);
enum status verb_report(const struct invocation *inv, struct err *err);
enum status verb_import(const struct invocation *inv, struct err *err);
enum status verb_queue(const struct invocation *inv, struct err *err);
enum status verb_replay(const struct invocation *inv, struct err *err);
enum status verb_profile(const struct invocation *inv, struct err *err);
enum status verb_history(const struct invocation *inv, struct err *err);
enum status verb_accept(const struct invocation *inv, struct err *err);
enum status verb_backtest(const struct invocation *inv, struct err *err);
enum status verb_compare(const struct invocation *inv, struct err *err);
enum status verb_export(const struct invocation *inv, struct err *err);
enum status verb_prune(const struct invocation *inv, struct err *err);
enum status verb_nightly(const struct invocation *inv, struct err *err);
enum status verb_verify(const struct invocation *inv, struct err *err);
enum status verb_doctor(const struct invocation *inv, struct err *err);
enum status verb_check(const struct invocation *inv, struct err *err);

#endif
