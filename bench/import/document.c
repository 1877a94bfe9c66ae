#include "bench/import/document.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/output/batch_sizes_rules.h"
#include "bench/output/batch_sizes_write.h"
#include "bench/output/findings.h"
#include "bench/output/json_lines.h"
#include "kernels/base/json.h"
#include "kernels/base/len.h"

/* --- bytes ---------------------------------------------------------------------------------------------- */

/* A regular file, whole; NULL after the sentence. A pipe or a device would end nobody knows where. */
static char *read_bytes(size_t *size, const char *path, struct err *err)
{
    struct stat info;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *file = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? fdopen(fd, "rb") : NULL;
    if (fd < 0) {
        err_set(err, ST_CONFIG, "%s: %s: name a batch_sizes.json or production_batch_config.json", path,
                strerror(errno));
        return NULL;
    }
    if (!file) {
        close(fd);
        err_set(err, ST_CONFIG, "%s: is no regular file: name a batch_sizes.json", path);
        return NULL;
    }
    text = malloc(IMPORT_MAX_BYTES + 2);
    *size = text ? fread(text, 1, IMPORT_MAX_BYTES + 1, file) : 0;
    const bool good = text && !ferror(file) && *size <= IMPORT_MAX_BYTES;
    if (!text)
        err_set(err, ST_INTERNAL, "%s: not enough memory to read it", path);
    else if (ferror(file))
        err_set(err, ST_CONFIG, "%s: cannot be read: %s", path, strerror(errno));
    else if (!good)
        err_set(err, ST_CONFIG, "%s: has more than the %u bytes that are read: that is no batch_sizes.json",
                path, IMPORT_MAX_BYTES);
    else
        text[*size] = 0;
    fclose(file);
    if (good)
        return text;
    free(text);
    return NULL;
}

/* Length of a bare NaN, Infinity or -Infinity at p; 0: none. */
static size_t no_number(const char *p)
{
    static const char *const words[] = { "NaN", "Infinity", "-Infinity" };
    for (size_t i = 0; i < LEN(words); i++)
        if (strncmp(p, words[i], strlen(words[i])) == 0)
            return strlen(words[i]);
    return 0;
}

/* A copy with `null` for what is no number, outside of strings: JSON has no such words, their writer had. */
static char *make_readable(const char *text, size_t size)
{
    char *copy = malloc(2 * size + 1); /* "NaN" grows by a third */
    size_t at = 0;
    bool inside = false;
    for (size_t i = 0; copy && i < size;) {
        const size_t length = inside ? 0 : no_number(text + i);
        if (length) {
            memcpy(copy + at, "null", 4);
            at += 4;
            i += length;
            continue;
        }
        if (inside && text[i] == '\\' && i + 1 < size)
            copy[at++] = text[i++];
        else if (text[i] == '"')
            inside = !inside;
        copy[at++] = text[i++];
    }
    if (copy)
        copy[at] = 0;
    return copy;
}

_Static_assert(BATCH_SIZES_SCHEMA == 1, "the sentence names it");
#define NEWEST_KNOWN "1, the newest that this bench knows"

/* --- what it is ----------------------------------------------------------------------------------------- */

static enum status refuse(const struct import_document *d, const char *name, const char *path,
                          const char *wanted, const json_t *value, struct err *err)
{
    char *text = value ? json_write_text(value, JSON_LINE) : NULL, line[16] = "";
    if (import_line_of(d, path))
        snprintf(line, sizeof line, ":%d", import_line_of(d, path));
    err_set(err, ST_CONFIG, "%s%s: %s must be %s, got %.80s", name, line, path, wanted,
            text ? text : "nothing");
    free(text);
    return ST_CONFIG;
}

static enum status find_kind(struct import_document *d, const char *name, struct err *err)
{
    const json_t *first = json_object_get(d->root, "batch_configurations"),
                 *second = json_object_get(d->root, "production_batch_sizes"),
                 *schema = json_object_get(json_object_get(d->root, "autotune"), "schema");
    d->production = !first && second;
    d->ours = json_object_get(d->root, "autotune") != NULL;
    if (!first && !second)
        return err_set(err, ST_CONFIG,
                       "%s:1: has neither batch_configurations nor production_batch_sizes: it is no "
                       "batch_sizes.json", name);
    if (!json_is_object(first ? first : second))
        return refuse(d, name, first ? "batch_configurations" : "production_batch_sizes",
                      "an object with one entry for each model", first ? first : second, err);
    if (d->ours && (!json_is_integer(schema) || json_integer_value(schema) < 1 ||
                    json_integer_value(schema) > BATCH_SIZES_SCHEMA))
        return refuse(d, name, "autotune.schema", NEWEST_KNOWN, schema, err);
    return ST_OK;
}

static enum status parse(struct import_document *d, const char *name, struct err *err)
{
    if (d->size >= 3 && memcmp(d->text, "\xEF\xBB\xBF", 3) == 0)
        return err_set(
            err, ST_CONFIG,
            "%s:1: begins with a byte order mark (EF BB BF): its readers refuse that, save it without", name);
    if (memchr(d->text, 0, d->size))
        return err_set(err, ST_CONFIG, "%s: holds a NUL byte: it is no JSON", name);
    if (!(d->readable = make_readable(d->text, d->size)))
        return err_set(err, ST_INTERNAL, "%s: not enough memory to read it", name);
    d->root = json_read_text(name, d->readable, strlen(d->readable), err);
    if (!d->root) {
        if (err)
            err->status = ST_CONFIG;
        return ST_CONFIG;
    }
    return find_kind(d, name, err);
}

/* text is taken over. */
static enum status take(struct import_document *out, const char *name, char *text, size_t size,
                        struct err *err)
{
    *out = (struct import_document){ .text = text, .size = size };
    enum status st = text ? parse(out, name, err) : ST_CONFIG;
    if (st != ST_OK)
        import_document_free(out);
    return st;
}

enum status import_document_read(struct import_document *out, const char *path, struct err *err)
{
    struct err why = { .status = ST_CONFIG };
    size_t size = 0;
    char *text = read_bytes(&size, path, &why);
    *out = (struct import_document){ 0 };
    if (!text)
        return err_set(err, why.status, "%s", why.text);
    return take(out, path, text, size, err);
}

enum status import_document_parse(struct import_document *out, const char *name, const char *text,
                                  size_t size, struct err *err)
{
    char *copy = malloc(size + 1);
    *out = (struct import_document){ 0 };
    if (!copy)
        return err_set(err, ST_INTERNAL, "%s: not enough memory to read it", name);
    memcpy(copy, text, size);
    copy[size] = 0;
    return take(out, name, copy, size, err);
}

void import_document_free(struct import_document *d)
{
    json_decref(d->root);
    free(d->readable);
    free(d->text);
    *d = (struct import_document){ 0 };
}

const json_t *import_document_entries(const struct import_document *d)
{
    return json_object_get(d->root, d->production ? "production_batch_sizes" : "batch_configurations");
}

const char *import_optimal_key(const struct import_document *d)
{
    return d->production ? "optimal" : "optimal_batch_size";
}

const char *import_max_safe_key(const struct import_document *d)
{
    return d->production ? "max_safe" : "max_safe_batch_size";
}

double import_number(const json_t *entry, const char *path)
{
    const json_t *value = finding_get(entry, path);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

int import_line_of(const struct import_document *d, const char *path)
{
    return json_line_of(d->readable, strlen(d->readable), path);
}
