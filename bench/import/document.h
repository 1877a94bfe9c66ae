/* document.h - a batch_sizes.json or production_batch_config.json of any origin as it may be imported: read
 * as its consumer reads it, where that is harmless, and refused with line and value where it is not. */
#ifndef IMPORT_DOCUMENT_H
#define IMPORT_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/err.h"

#define IMPORT_MAX_BYTES (16u << 20)

struct import_document {
    char   *text;                    /* the bytes as they are in the file, and a NUL */
    size_t  size;
    char   *readable;                /* the same with `null` for bare NaN and Infinity; lines are the same */
    json_t *root;
    bool    production;              /* production_batch_sizes, the second file; else batch_configurations */
    bool    ours;                    /* it has the key autotune */
};
/* ST_CONFIG: it cannot be read, is larger than 16 MiB, no JSON, has a byte order mark or a key twice, is
 * neither of the two files, or comes from a newer bench. The sentence begins with FILE:LINE where there is a
 * line. *out is all zero unless ST_OK. */
enum status import_document_read(struct import_document *out, const char *path, struct err *err);
/* The same of bytes that were read already (an import in the store); `name` stands in messages. */
enum status import_document_parse(struct import_document *out, const char *name, const char *text,
                                  size_t size, struct err *err);
void import_document_free(struct import_document *d);

/* The object with the sizes of all models, and the names of the two sizes in it. */
const json_t *import_document_entries(const struct import_document *d);
const char *import_optimal_key(const struct import_document *d);
const char *import_max_safe_key(const struct import_document *d);
/* Number at a dotted path below an entry; NaN: none is there. */
double import_number(const json_t *entry, const char *path);
/* Line of a member by its dotted path; 0: unknown. */
int import_line_of(const struct import_document *d, const char *path);

#endif
