/* doctor.h - bench doctor: can this machine measure and serve? Facts are read, judged and printed; nothing is
 * changed. */
#ifndef DOCTOR_DOCTOR_H
#define DOCTOR_DOCTOR_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "bench/doctor/checks.h"
#include "kernels/base/err.h"

struct doctor {
    struct doctor_ask ask;
    const char *root;                /* tree to read instead of this machine; NULL: this machine */
    const char *out;                 /* folder of results, to be checked; NULL: it is not */
    const char *record;              /* folder to write a tree of this machine into, which is then judged; NULL */
    const char *const *compose;      /* Compose files [compose_count] to judge, with nothing else */
    size_t compose_count;
    const char *service;             /* of them; NULL: those that have to do with a GPU, else all */
    bool json;
    bool strict;                     /* warnings, and what could not be read, count as bad news */
};

/* Prints to out. ST_OK; ST_ENVIRONMENT: a check failed; ST_BAD_NEWS: --strict and a warning or an unread
 * check (both are printed: err has no text); ST_USAGE, ST_CONFIG: --only, --record or --root or its
 * facts.json are wrong; ST_INTERRUPTED; ST_INTERNAL. */
enum status doctor_run(FILE *out, const struct doctor *doctor, const volatile sig_atomic_t *interrupt,
                       struct err *err);

/* The Compose files. ST_OK; ST_BAD_NEWS: a rule is broken, or --strict and a warning or what could not be read (all
 * printed: err has no text); ST_CONFIG: a file cannot be read; ST_USAGE: --service or --root names nothing;
 * ST_INTERRUPTED; ST_INTERNAL. */
enum status doctor_compose(FILE *out, const struct doctor *doctor, const volatile sig_atomic_t *interrupt,
                           struct err *err);

/* The first thing that keeps GPUs from working here: "gpu.module: the nvidia kernel module is not loaded", "" if
 * nothing does. What bench nightly asks before it measures on a GPU: the checks gpu.*, and no GPU is a fault. root as
 * above; at most about 40 s. ST_OK in both cases; ST_USAGE, ST_CONFIG: root is wrong; ST_INTERRUPTED; ST_INTERNAL. */
enum status doctor_gpu_fault(char *sentence, size_t size, const char *root, const volatile sig_atomic_t *interrupt,
                             struct err *err);

/* --- inside of bench/doctor ----------------------------------------------------------------------------- */

/* As text or JSON, with the exit code of `verdict`, which is returned (err then has no text). ST_INTERNAL. */
enum status print_verdict(FILE *out, const struct doctor *doctor, const struct findings *findings,
                          enum status verdict, struct err *err);
void print_findings(FILE *out, const struct findings *findings, bool colour);
/* One object with schema, bench_version, at, exit_code, checks. ST_INTERNAL: out of memory. */
enum status print_findings_json(FILE *out, const struct findings *findings, int exit_code, struct err *err);

#endif
