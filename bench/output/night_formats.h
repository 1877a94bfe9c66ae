/* night_formats.h - a night as other programs read it: one row of a table for each format. */
#ifndef OUTPUT_NIGHT_FORMATS_H
#define OUTPUT_NIGHT_FORMATS_H

#include <stdio.h>

#include "bench/config/night_formats.h"
#include "bench/output/night_table.h"

#define X(name, text) void night_format_##name(FILE *file, const struct night_view *night);
NIGHT_FORMATS(X)
#undef X

#endif
