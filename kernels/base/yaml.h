/* yaml.h - a YAML document as a tree that remembers where each value stands. On libyaml.
 * What _read gives, yaml_free takes back; everything else borrows. */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include <stddef.h>

#include "kernels/base/err.h"

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
    enum yaml_kind kind;
    int    line, column;     /* from 1 */
    char  *text;             /* scalar: its value (zero-terminated); else NULL */
    int    quoted;           /* scalar was quoted: it is text even if it looks like a number */
    size_t count;            /* list: items; map: pairs */
    struct yaml **keys;      /* map: [count] scalars; else NULL */
    struct yaml **items;     /* list: [count] items; map: [count] values */
};

#define YAML_MAX_BYTES (1u << 20)
#define YAML_MAX_DEPTH 32

/* A document of at most 1 MiB with at most 32 levels. Refused with "file:line:column: ...", ST_CONFIG: broken
 * YAML, duplicate keys, anchors and aliases, tags, several documents, keys that are no scalars, zero bytes,
 * an empty document, a directory, no such file. ST_IO: the file cannot be read (no
 * permission, a broken disk). */
enum status yaml_read_file(struct yaml **out, const char *path, struct err *err);
/* `name` stands for the file in messages. */
enum status yaml_read_text(struct yaml **out, const char *name, const char *text, size_t size,
                           struct err *err);
/* NULL is allowed. Hidden, because libyaml calls a function of its own of the same name. */
void yaml_free(struct yaml *y) __attribute__((visibility("hidden")));

/* Value of a key of a map; NULL if absent or y is no map. */
const struct yaml *yaml_get(const struct yaml *y, const char *key);

#endif
