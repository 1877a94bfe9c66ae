/* paint.h - colours of texts on a terminal, and texts from outside that must not act on it. */
#ifndef OUTPUT_PAINT_H
#define OUTPUT_PAINT_H

#include <stdbool.h>
#include <stdio.h>

struct paint {
    const char *bold, *dim, *good, *warn, *off; /* all "" without colour */
};
struct paint paint_of(bool colour);
/* Writes text with its control characters as `?`: a stored text must not reach a terminal as a command. */
void paint_plain(FILE *file, const char *text);

#endif
