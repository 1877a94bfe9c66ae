/* json_lines.h - on which line of a JSON text a member stands: for messages only. */
#ifndef OUTPUT_JSON_LINES_H
#define OUTPUT_JSON_LINES_H

#include <stddef.h>

/* Line, from 1, of the member with this dotted path ("autotune.models.hrnet.curve.3.batch"; elements of
 * arrays by their number from 0); of the nearest member above it if it is not there. The text must be valid
 * JSON. A name with a dot in it is found by comparing whole names. 0: not even the first member is there. */
int json_line_of(const char *text, size_t size, const char *path);

#endif
