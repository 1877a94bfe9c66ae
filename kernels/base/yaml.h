/* yaml.h - a YAML document as a tree that remembers where each value stands. On libyaml.
 * What _read gives, yaml_free takes back; everything else borrows. */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/err.h"

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
    enum yaml_kind kind;
    int    line, column;     /* from 1 */
    int    source;           /* 0; whoever puts several files together notes here which it is from */
    char  *text;             /* scalar: its value (zero-terminated); else NULL */
    char  *tag;              /* "!reset"; NULL: none, always so in our own files */
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

/* A file that is not ours (Compose): anchors and aliases are followed, "<<" is merged (what stands in the map
 * itself wins, then the first of a list), tags are kept, messages quote nothing of the file. An alias becomes
 * a copy, which stands where its anchor stands; at most YAML_MAX_VALUES values in all. Else as yaml_read_file. */
enum status yaml_read_foreign_file(struct yaml **out, const char *path, struct err *err);
#define YAML_MAX_VALUES 100000
enum status yaml_read_foreign_text(struct yaml **out, const char *name, const char *text, size_t size,
                                   struct err *err);

/* NULL: no memory. */
struct yaml *yaml_copy(const struct yaml *y);
/* Puts a pair at the end of a map; the map owns both from then on. false: no memory, and both stay the caller's. */
bool yaml_put(struct yaml *map, struct yaml *key, struct yaml *value);
/* The same for an item of a list. */
bool yaml_append(struct yaml *list, struct yaml *item);
/* Takes pair or item i out and frees it. */
void yaml_remove(struct yaml *y, size_t i);
/* Index of a key of a map; y->count if absent or y is no map. */
size_t yaml_find(const struct yaml *y, const char *key);

/* NULL is allowed. Hidden, because libyaml calls a function of its own of the same name. */
void yaml_free(struct yaml *y) __attribute__((visibility("hidden")));

/* Value of a key of a map; NULL if absent or y is no map. */
const struct yaml *yaml_get(const struct yaml *y, const char *key);

#endif
