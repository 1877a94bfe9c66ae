#include "bench/output/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void notes_add(struct notes *notes, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char **lines = realloc(notes->lines, (notes->count + 1) * sizeof *lines);
    if (!lines)
        return;
    notes->lines = lines;
    if ((lines[notes->count] = strdup(text)))
        notes->count++;
}

void notes_free(struct notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        free(notes->lines[i]);
    free(notes->lines);
    *notes = (struct notes){ 0 };
}
