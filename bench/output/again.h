/* again.h - commands that are printed for people to copy: quoted for a shell, and with the flags that were
 * given. */
#ifndef OUTPUT_AGAIN_H
#define OUTPUT_AGAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/store/record.h"

/* Writes one word of a command line, in single quotes if it holds anything that a shell would take apart. */
void again_quote(FILE *file, const char *word);
/* The stored command line of a campaign (words quoted like that, the first is the program's name) as it would
 * be typed again: `program` in front, without the flags of `dropped` (NULL at the end), for free(). "--seed"
 * is dropped with its value, "--resume!" stands for a flag without one. NULL if memory is out. */
char *again_command(const char *program, const char *argv_text, const char *const *dropped);
/* The command that measures a campaign again, for free(): with three times the budget if that had ended it.
 * NULL if memory is out. */
char *again_campaign(const char *program, const struct run_row *run);
/* Does the stored command line hold this flag ("--config")? */
bool again_has(const char *argv_text, const char *flag);

#endif
