/* notes.h - lines that an output has to say on stderr beside its result: what was chosen among
 * several targets, what was left out, what is no measurement. A struct notes starts as {0};
 * notes_free takes back what was added. */
#ifndef OUTPUT_NOTES_H
#define OUTPUT_NOTES_H

#include <stddef.h>

struct notes {
    char **lines;    /* [count], each without a newline */
    size_t count;
};

/* Appends one line. It is lost if memory is out: a note is never worth a failure. */
void notes_add(struct notes *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));
void notes_free(struct notes *notes);

#endif
