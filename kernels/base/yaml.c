#include "kernels/base/yaml.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

/* One pass over libyaml's events builds the tree; `depth` bounds the recursion. */
struct reader {
    const char   *name;
    yaml_parser_t parser;
    yaml_event_t  event; /* the current one; deleted by next() */
    int           has_event;
    struct err   *err;
};

static enum status refuse(struct reader *r, const yaml_mark_t *at, const char *what)
{
    return err_set(r->err, ST_CONFIG, "%s:%zu:%zu: %s", r->name, at->line + 1, at->column + 1, what);
}

static enum status next(struct reader *r)
{
    if (r->has_event)
        yaml_event_delete(&r->event);
    r->has_event = yaml_parser_parse(&r->parser, &r->event);
    if (r->has_event)
        return ST_OK;
    const yaml_parser_t *p = &r->parser;
    const yaml_mark_t *at = p->problem_mark.line || p->problem_mark.column ? &p->problem_mark : &p->mark;
    char what[256];
    snprintf(what, sizeof what, "this is no valid YAML: %s%s%s",
             p->problem ? p->problem : "not enough memory", p->context ? " " : "",
             p->context ? p->context : "");
    return refuse(r, at, what);
}

static struct yaml *new_value(struct reader *r, enum yaml_kind kind)
{
    struct yaml *y = calloc(1, sizeof *y);
    if (!y) {
        err_set(r->err, ST_OUT_OF_MEMORY, "%s: not enough memory to read it", r->name);
        return NULL;
    }
    y->kind = kind;
    y->line = (int)r->event.start_mark.line + 1;
    y->column = (int)r->event.start_mark.column + 1;
    return y;
}

static enum status read_value(struct reader *r, struct yaml **out, int depth);

static enum status read_scalar(struct reader *r, struct yaml *y)
{
    size_t size = r->event.data.scalar.length;
    y->quoted = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    y->text = malloc(size + 1);
    if (!y->text)
        return err_set(r->err, ST_OUT_OF_MEMORY, "%s: not enough memory to read it", r->name);
    memcpy(y->text, r->event.data.scalar.value, size);
    y->text[size] = 0;
    if (strlen(y->text) != size)
        return refuse(r, &r->event.start_mark, "a zero byte in a value is not allowed");
    return ST_OK;
}

/* Room for one more item (and key, in a map). */
static enum status grow(struct reader *r, struct yaml *y)
{
    if (y->count & (y->count - 1)) /* room doubles at powers of two */
        return ST_OK;
    size_t room = y->count ? 2 * y->count : 1;
    struct yaml **items = realloc(y->items, room * sizeof *items);
    if (items)
        y->items = items;
    struct yaml **keys = y->kind == YAML_MAP ? realloc(y->keys, room * sizeof *keys) : NULL;
    if (keys)
        y->keys = keys;
    return items && (keys || y->kind == YAML_LIST)
               ? ST_OK : err_set(r->err, ST_OUT_OF_MEMORY, "%s: not enough memory to read it", r->name);
}

static enum status read_list(struct reader *r, struct yaml *y, int depth)
{
    enum status st = next(r);
    while (st == ST_OK && r->event.type != YAML_SEQUENCE_END_EVENT) {
        struct yaml *item = NULL;
        if ((st = grow(r, y)) == ST_OK && (st = read_value(r, &item, depth + 1)) == ST_OK) {
            y->items[y->count++] = item;
            st = next(r);
        }
    }
    return st;
}

static enum status read_pair(struct reader *r, struct yaml *y, int depth)
{
    struct yaml *key = NULL, *value = NULL;
    yaml_mark_t at = r->event.start_mark;
    enum status st = grow(r, y);
    if (st == ST_OK)
        st = read_value(r, &key, depth + 1);
    if (st == ST_OK && key->kind != YAML_SCALAR)
        st = refuse(r, &at, "a key must be a plain word");
    if (st == ST_OK && yaml_get(y, key->text)) {
        char what[128];
        snprintf(what, sizeof what, "key %.60s stands here twice", key->text);
        st = refuse(r, &at, what);
    }
    if (st == ST_OK)
        st = next(r);
    if (st == ST_OK)
        st = read_value(r, &value, depth + 1);
    if (st != ST_OK) {
        yaml_free(key);
        return st;
    }
    y->keys[y->count] = key;
    y->items[y->count++] = value;
    return next(r);
}

static enum status read_map(struct reader *r, struct yaml *y, int depth)
{
    enum status st = next(r);
    while (st == ST_OK && r->event.type != YAML_MAPPING_END_EVENT)
        st = read_pair(r, y, depth);
    return st;
}

static const char *forbidden(const yaml_event_t *e)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (e->type == YAML_ALIAS_EVENT)
        return "aliases (*name) are not allowed: write the value out";
    if (e->type == YAML_SCALAR_EVENT)
        anchor = e->data.scalar.anchor, tag = e->data.scalar.tag;
    if (e->type == YAML_SEQUENCE_START_EVENT)
        anchor = e->data.sequence_start.anchor, tag = e->data.sequence_start.tag;
    if (e->type == YAML_MAPPING_START_EVENT)
        anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag;
    return anchor ? "anchors (&name) are not allowed: write the value out"
           : tag  ? "tags (!name) are not allowed"
                  : NULL;
}

/* The value that begins at the current event; the current event is its last one afterwards. */
static enum status read_value(struct reader *r, struct yaml **out, int depth)
{
    const char *why = forbidden(&r->event);
    if (why)
        return refuse(r, &r->event.start_mark, why);
    if (depth > YAML_MAX_DEPTH)
        return refuse(r, &r->event.start_mark, "nested deeper than 32 levels");
    enum yaml_kind kind = r->event.type == YAML_SEQUENCE_START_EVENT ? YAML_LIST
                          : r->event.type == YAML_MAPPING_START_EVENT ? YAML_MAP : YAML_SCALAR;
    struct yaml *y = new_value(r, kind);
    if (!y)
        return ST_OUT_OF_MEMORY;
    enum status st = kind == YAML_LIST ? read_list(r, y, depth) : kind == YAML_MAP ? read_map(r, y, depth)
                                                                                   : read_scalar(r, y);
    if (st == ST_OK)
        *out = y;
    else
        yaml_free(y);
    return st;
}

static enum status read_document(struct reader *r, struct yaml **out)
{
    enum status st = next(r); /* stream start */
    if (st == ST_OK)
        st = next(r);
    if (st == ST_OK && r->event.type == YAML_STREAM_END_EVENT)
        return err_set(r->err, ST_CONFIG, "%s:1:1: the file is empty", r->name);
    if (st == ST_OK)
        st = next(r);
    if (st == ST_OK)
        st = read_value(r, out, 0);
    if (st == ST_OK)
        st = next(r); /* document end */
    if (st == ST_OK)
        st = next(r);
    if (st == ST_OK && r->event.type != YAML_STREAM_END_EVENT)
        st = refuse(r, &r->event.start_mark, "a second document is not allowed");
    if (st != ST_OK) {
        yaml_free(*out);
        *out = NULL;
    }
    return st;
}

enum status yaml_read_text(struct yaml **out, const char *name, const char *text, size_t size,
                           struct err *err)
{
    struct reader r = { .name = name, .err = err };
    *out = NULL;
    if (size > YAML_MAX_BYTES)
        return err_set(err, ST_CONFIG, "%s: has %zu bytes, at most %u are read", name, size, YAML_MAX_BYTES);
    if (!yaml_parser_initialize(&r.parser))
        return err_set(err, ST_OUT_OF_MEMORY, "%s: not enough memory to read it", name);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    enum status st = read_document(&r, out);
    if (r.has_event)
        yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return st;
}

enum status yaml_read_file(struct yaml **out, const char *path, struct err *err)
{
    char *text = NULL;
    struct stat info;
    enum status st;
    FILE *file = fopen(path, "rb");
    *out = NULL;
    if (!file)
        return err_set(err, errno == ENOENT ? ST_CONFIG : ST_IO, "%s: %s", path, strerror(errno));
    if (fstat(fileno(file), &info) != 0 || S_ISDIR(info.st_mode)) {
        st = err_set(err, ST_CONFIG, "%s: is a directory, a YAML file is wanted", path);
        goto out;
    }
    if (info.st_size > (off_t)YAML_MAX_BYTES) {
        st = err_set(err, ST_CONFIG, "%s: has %jd bytes, at most %u are read", path, (intmax_t)info.st_size,
                     YAML_MAX_BYTES);
        goto out;
    }
    text = malloc(YAML_MAX_BYTES + 1);
    size_t size = text ? fread(text, 1, YAML_MAX_BYTES + 1, file) : 0;
    st = !text || ferror(file) ? err_set(err, ST_IO, "%s: cannot be read: %s", path, strerror(errno))
                               : yaml_read_text(out, path, text, size, err);
out:
    free(text);
    fclose(file);
    return st;
}

void yaml_free(struct yaml *y)
{
    if (!y)
        return;
    for (size_t i = 0; i < y->count; i++) {
        yaml_free(y->items[i]);
        if (y->keys)
            yaml_free(y->keys[i]);
    }
    free(y->items);
    free(y->keys);
    free(y->text);
    free(y);
}

const struct yaml *yaml_get(const struct yaml *y, const char *key)
{
    for (size_t i = 0; y && y->kind == YAML_MAP && i < y->count; i++)
        if (strcmp(y->keys[i]->text, key) == 0)
            return y->items[i];
    return NULL;
}
