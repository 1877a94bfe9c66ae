/* night_formats.h - a night as other programs read it: one row of a table for each format. */
#ifndef OUTPUT_NIGHT_FORMATS_H
#define OUTPUT_NIGHT_FORMATS_H

#include <stdio.h>

#include "bench/output/night_table.h"

/*        name         text */
#define NIGHT_FORMATS(X) \
    X(csv,         "a line for each series") \
    X(markdown,    "a table for a comment or a wiki") \
    X(junit,       "XML of test results: a case for each series, REGRESSED and MACHINE fail") \
    X(openmetrics, "text for Prometheus: rates, changes, verdicts")

#define X(name, text) void night_format_##name(FILE *file, const struct night_view *night);
NIGHT_FORMATS(X)
#undef X

#endif
