/* progress.h - shows what a campaign tells (measure/progress.h): one line redrawn in place on a terminal,
 * plain lines at most every few seconds otherwise, nothing but warnings with --quiet. */
#ifndef OUTPUT_PROGRESS_H
#define OUTPUT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/measure/progress.h"
#include "kernels/base/clock.h"

#define PROGRESS_PLAIN_NS  5000000000u /* between two plain lines of the same phase */
#define PROGRESS_REDRAW_NS 100000000u  /* between two redrawings on a terminal */

struct progress_line {
    FILE  *file;               /* borrowed: stderr */
    struct clock clock;        /* real time of the person who looks, not the campaign's */
    bool   terminal, colour, quiet;
    int    columns;            /* width of the terminal; 80 if unknown */
    uint64_t drawn_ns;         /* last time something was shown */
    bool   drawn_once, open;   /* open: the cursor stands behind a redrawn line */
    char   phase[32], target[160];
};

/* Sets up *out to be shown by the returned struct progress, which borrows *out.
 * terminal is found by isatty. */
struct progress progress_line_open(struct progress_line *out, FILE *file, bool quiet);
/* Clears the redrawn line, so that other output can follow. May be called at any time, and again. */
void progress_line_close(struct progress_line *line);
/* Text of one event without colours or cursor movement, cut at `size`. */
void progress_line_text(char *out, size_t size, const struct progress_event *event);

#endif
