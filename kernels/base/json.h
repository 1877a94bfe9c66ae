/* json.h - strict reading and exact writing on top of Jansson. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"

/* Parses one whole text: any value, no duplicate keys, nothing after it. NULL: err is ST_INVALID with line
 * and column ("NAME:3:14: ..."). The caller owns the result (json_decref). */
json_t *json_read_text(const char *name, const char *text, size_t size, struct err *err);
/* The same from a file of at most max_bytes. ST_IO if it cannot be read, ST_INVALID if too large or broken. */
json_t *json_read_file(const char *path, size_t max_bytes, struct err *err);

enum json_layout { JSON_LINE, JSON_INDENTED };
/* Text of a value: ASCII with \uXXXX, LF, indent 2 and one member per line if JSON_INDENTED, keys in
 * insertion order, reals as the shortest text that reads back the same with `.0` if it would look like an
 * integer. JSON_INDENTED ends with a newline, JSON_LINE does not. NULL if memory is out. The caller frees. */
char *json_write_text(const json_t *value, enum json_layout layout);
/* Shortest text (15, 16, 17 digits) of a finite x, with `.0` if needed; text must hold 32 bytes. */
void json_real_text(char text[32], double x);
/* x rounded to 6 significant digits, as a JSON real. x must be finite: else NULL (nothing can be put in). */
json_t *json_real6(double x);

/* Typed members of an object. A missing or wrongly typed key is ST_INVALID: "run.batch must be an integer
 * 1..4096, got "8"". `where` names the object in that sentence. */
enum status json_get_int(int64_t *out, const json_t *object, const char *where, const char *key, int64_t min,
                         int64_t max, struct err *err);
enum status json_get_text(const char **out, const json_t *object, const char *where, const char *key,
                          struct err *err); /* borrowed from object */
/* Optional forms: absent or null leaves *out as it is and is ST_OK. */
enum status json_find_int(int64_t *out, const json_t *object, const char *where, const char *key, int64_t min,
                          int64_t max, struct err *err);
enum status json_find_text(const char **out, const json_t *object, const char *where, const char *key,
                           struct err *err);

#endif
