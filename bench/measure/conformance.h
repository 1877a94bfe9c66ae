/* conformance.h - does a program keep the worker protocol? One table of cases, each against fresh processes.
 * Nothing is kept between calls; everything borrows for the call. */
#ifndef MEASURE_CONFORMANCE_H
#define MEASURE_CONFORMANCE_H

#include <stddef.h>
#include <stdio.h>

#include "kernels/base/err.h"

struct conformance_ask {
    char *const *command;   /* argv of the worker, ended by NULL */
    const char *model;      /* what `load` asks for: a small and fast one */
    int  shape[3];          /* C,H,W; all 0: the model's own */
    const char *precision;  /* NULL: the first that the worker lists */
    const char *only;       /* run only cases whose name begins so; NULL: all */
    FILE *out;              /* one line per case, then the details of what failed */
};
struct conformance_result {
    size_t passed, failed;
};

/* Runs the cases and writes `ok NAME` or `FAILED NAME: sentence` lines, then `N passed, N failed`.
 * ST_OK if all passed; ST_BAD_NEWS if one failed; ST_ENVIRONMENT if the worker does not
 * start or does not greet. */
enum status conformance_run(struct conformance_result *out, const struct conformance_ask *ask,
                            struct err *err);

#define CONFORMANCE_WORDS 64
/* Cuts a command at its blanks: words[CONFORMANCE_WORDS + 1], NULL behind the last; they point into text. */
void conformance_split(char **words, char *text);

#endif
