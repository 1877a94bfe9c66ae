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
    bool          foreign; /* yaml_read_foreign_file */
    struct anchor { char *name; const struct yaml *value; } *anchors; /* finished ones; of foreign files */
    size_t        anchor_count;
    size_t        values; /* read and copied */
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

static enum status no_memory(struct reader *r)
{
    return err_set(r->err, ST_OUT_OF_MEMORY, "%s: not enough memory to read it", r->name);
}

static struct yaml *new_value(struct reader *r, enum yaml_kind kind)
{
    struct yaml *y = calloc(1, sizeof *y);
    if (!y) {
        no_memory(r);
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
        return no_memory(r);
    memcpy(y->text, r->event.data.scalar.value, size);
    y->text[size] = 0;
    if (strlen(y->text) != size)
        return refuse(r, &r->event.start_mark, "a zero byte in a value is not allowed");
    return ST_OK;
}

/* Room for one more item (and key, in a map). */
static bool grow(struct yaml *y)
{
    if (y->count & (y->count - 1)) /* room doubles at powers of two */
        return true;
    size_t room = y->count ? 2 * y->count : 1;
    struct yaml **items = realloc(y->items, room * sizeof *items);
    if (items)
        y->items = items;
    struct yaml **keys = y->kind == YAML_MAP ? realloc(y->keys, room * sizeof *keys) : NULL;
    if (keys)
        y->keys = keys;
    return items && (keys || y->kind == YAML_LIST);
}

bool yaml_append(struct yaml *list, struct yaml *item)
{
    if (!grow(list))
        return false;
    list->items[list->count++] = item;
    return true;
}

bool yaml_put(struct yaml *map, struct yaml *key, struct yaml *value)
{
    if (!grow(map))
        return false;
    map->keys[map->count] = key;
    map->items[map->count++] = value;
    return true;
}

static enum status read_list(struct reader *r, struct yaml *y, int depth)
{
    enum status st = next(r);
    while (st == ST_OK && r->event.type != YAML_SEQUENCE_END_EVENT) {
        struct yaml *item = NULL;
        st = read_value(r, &item, depth + 1);
        if (st == ST_OK && !yaml_append(y, item)) {
            yaml_free(item);
            st = no_memory(r);
        }
        if (st == ST_OK)
            st = next(r);
    }
    return st;
}

static enum status read_pair(struct reader *r, struct yaml *y, int depth)
{
    struct yaml *key = NULL, *value = NULL;
    yaml_mark_t at = r->event.start_mark;
    enum status st = read_value(r, &key, depth + 1);
    if (st == ST_OK && key->kind != YAML_SCALAR)
        st = refuse(r, &at, "a key must be a plain word");
    if (st == ST_OK && yaml_get(y, key->text)) {
        char what[128];
        snprintf(what, sizeof what, "key %.60s stands here twice", key->text);
        st = refuse(r, &at, r->foreign ? "this key stands here twice" : what);
    }
    if (st == ST_OK)
        st = next(r);
    if (st == ST_OK)
        st = read_value(r, &value, depth + 1);
    if (st == ST_OK && !yaml_put(y, key, value)) {
        yaml_free(value);
        st = no_memory(r);
    }
    if (st != ST_OK) {
        yaml_free(key);
        return st;
    }
    return next(r);
}

/* --- files of others: anchors, aliases, merge keys --------------------------------------------------------- */

/* Anchor and tag of the value that begins at an event; NULL: none. */
static void marks_of(const char **anchor, const char **tag, const yaml_event_t *e)
{
    const yaml_char_t *a = NULL, *t = NULL;
    if (e->type == YAML_SCALAR_EVENT)
        a = e->data.scalar.anchor, t = e->data.scalar.tag;
    if (e->type == YAML_SEQUENCE_START_EVENT)
        a = e->data.sequence_start.anchor, t = e->data.sequence_start.tag;
    if (e->type == YAML_MAPPING_START_EVENT)
        a = e->data.mapping_start.anchor, t = e->data.mapping_start.tag;
    *anchor = (const char *)a;
    *tag = (const char *)t;
}

static const char *forbidden(const yaml_event_t *e)
{
    const char *anchor, *tag;
    if (e->type == YAML_ALIAS_EVENT)
        return "aliases (*name) are not allowed: write the value out";
    marks_of(&anchor, &tag, e);
    return anchor ? "anchors (&name) are not allowed: write the value out"
           : tag  ? "tags (!name) are not allowed"
                  : NULL;
}

static size_t values_in(const struct yaml *y)
{
    size_t all = 1;
    for (size_t i = 0; i < y->count; i++)
        all += values_in(y->items[i]) + (y->keys != NULL);
    return all;
}

static int depth_of(const struct yaml *y)
{
    int deepest = 0;
    for (size_t i = 0; i < y->count; i++) {
        const int d = 1 + depth_of(y->items[i]);
        deepest = d > deepest ? d : deepest;
    }
    return deepest;
}

/* Counts what is about to be there; refuses what only grows by copies of copies. */
static enum status count_values(struct reader *r, const yaml_mark_t *at, size_t more)
{
    r->values += more;
    return r->values <= YAML_MAX_VALUES ? ST_OK : refuse(r, at, "more than 100000 values, aliases followed");
}

static enum status copy_alias(struct reader *r, struct yaml **out, int depth)
{
    const char *name = (const char *)r->event.data.alias.anchor;
    const yaml_mark_t at = r->event.start_mark;
    for (size_t i = r->anchor_count; i-- > 0;) { /* the last of that name */
        const struct yaml *value = r->anchors[i].value;
        if (strcmp(r->anchors[i].name, name) != 0)
            continue;
        if (depth + depth_of(value) > YAML_MAX_DEPTH)
            return refuse(r, &at, "nested deeper than 32 levels");
        const enum status st = count_values(r, &at, values_in(value));
        if (st != ST_OK)
            return st;
        *out = yaml_copy(value);
        return *out ? ST_OK : no_memory(r);
    }
    return refuse(r, &at, "this alias names no anchor that ends before it");
}

static enum status note_anchor(struct reader *r, const char *name, const struct yaml *value)
{
    struct anchor *anchors = realloc(r->anchors, (r->anchor_count + 1) * sizeof *anchors);
    char *copy = anchors ? strdup(name) : NULL;
    if (anchors)
        r->anchors = anchors;
    if (!copy)
        return no_memory(r);
    r->anchors[r->anchor_count++] = (struct anchor){ copy, value };
    return ST_OK;
}

/* Copies the pairs of `from` that the map does not have. */
static enum status merge_pairs(struct reader *r, struct yaml *map, const struct yaml *from)
{
    const yaml_mark_t at = { .line = (size_t)from->line - 1, .column = (size_t)from->column - 1 };
    if (from->kind != YAML_MAP)
        return refuse(r, &at, "\"<<\" must name a map, or a list of maps");
    enum status st = count_values(r, &at, values_in(from));
    for (size_t i = 0; st == ST_OK && i < from->count; i++) {
        if (yaml_find(map, from->keys[i]->text) < map->count)
            continue;
        struct yaml *key = yaml_copy(from->keys[i]), *value = yaml_copy(from->items[i]);
        if (!key || !value || !yaml_put(map, key, value)) {
            yaml_free(key);
            yaml_free(value);
            st = no_memory(r);
        }
    }
    return st;
}

/* What the "<<" of a map names is put into the map. The key itself stays until the document was read: an anchor
 * may stand in its value. */
static enum status merge_map(struct reader *r, struct yaml *map)
{
    const size_t at = yaml_find(map, "<<");
    if (!r->foreign || at == map->count || map->keys[at]->quoted)
        return ST_OK;
    const struct yaml *from = map->items[at];
    enum status st = from->kind == YAML_LIST ? ST_OK : merge_pairs(r, map, from);
    for (size_t i = 0; from->kind == YAML_LIST && st == ST_OK && i < from->count; i++)
        st = merge_pairs(r, map, from->items[i]);
    return st;
}

static enum status read_map(struct reader *r, struct yaml *y, int depth)
{
    enum status st = next(r);
    while (st == ST_OK && r->event.type != YAML_MAPPING_END_EVENT)
        st = read_pair(r, y, depth);
    return st == ST_OK ? merge_map(r, y) : st;
}

/* Of a foreign file: keeps the tag, and copies the anchor's name, which the event takes with it. */
static enum status take_marks(struct reader *r, struct yaml *y, char **anchor)
{
    const char *name, *tag;
    marks_of(&name, &tag, &r->event);
    *anchor = name ? strdup(name) : NULL;
    y->tag = tag ? strdup(tag) : NULL;
    return (name && !*anchor) || (tag && !y->tag) ? no_memory(r) : count_values(r, &r->event.start_mark, 1);
}

/* The value that begins at the current event; the current event is its last one afterwards. */
static enum status read_value(struct reader *r, struct yaml **out, int depth)
{
    const char *why = r->foreign ? NULL : forbidden(&r->event);
    if (why)
        return refuse(r, &r->event.start_mark, why);
    if (depth > YAML_MAX_DEPTH)
        return refuse(r, &r->event.start_mark, "nested deeper than 32 levels");
    if (r->event.type == YAML_ALIAS_EVENT)
        return copy_alias(r, out, depth);
    enum yaml_kind kind = r->event.type == YAML_SEQUENCE_START_EVENT ? YAML_LIST
                          : r->event.type == YAML_MAPPING_START_EVENT ? YAML_MAP : YAML_SCALAR;
    char *anchor = NULL;
    struct yaml *y = new_value(r, kind);
    if (!y)
        return ST_OUT_OF_MEMORY;
    enum status st = r->foreign ? take_marks(r, y, &anchor) : ST_OK;
    if (st == ST_OK)
        st = kind == YAML_LIST ? read_list(r, y, depth) : kind == YAML_MAP ? read_map(r, y, depth)
                                                                           : read_scalar(r, y);
    if (st == ST_OK && anchor)
        st = note_anchor(r, anchor, y);
    free(anchor);
    if (st == ST_OK)
        *out = y;
    else
        yaml_free(y);
    return st;
}

/* Nothing points into a merged map any more once the whole document was read. */
static void drop_merge_keys(struct yaml *y)
{
    const size_t at = yaml_find(y, "<<");
    if (at < y->count && !y->keys[at]->quoted)
        yaml_remove(y, at);
    for (size_t i = 0; i < y->count; i++)
        drop_merge_keys(y->items[i]);
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
    if (st == ST_OK && r->foreign)
        drop_merge_keys(*out);
    if (st != ST_OK) {
        yaml_free(*out);
        *out = NULL;
    }
    return st;
}

static enum status read_text(struct yaml **out, const char *name, const char *text, size_t size, bool foreign,
                             struct err *err)
{
    struct reader r = { .name = name, .foreign = foreign, .err = err };
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
    for (size_t i = 0; i < r.anchor_count; i++)
        free(r.anchors[i].name);
    free(r.anchors);
    return st;
}

enum status yaml_read_text(struct yaml **out, const char *name, const char *text, size_t size,
                           struct err *err)
{
    return read_text(out, name, text, size, false, err);
}

enum status yaml_read_foreign_text(struct yaml **out, const char *name, const char *text, size_t size,
                                   struct err *err)
{
    return read_text(out, name, text, size, true, err);
}

static enum status read_file(struct yaml **out, const char *path, bool foreign, struct err *err)
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
                               : read_text(out, path, text, size, foreign, err);
out:
    free(text);
    fclose(file);
    return st;
}

enum status yaml_read_file(struct yaml **out, const char *path, struct err *err)
{
    return read_file(out, path, false, err);
}

enum status yaml_read_foreign_file(struct yaml **out, const char *path, struct err *err)
{
    return read_file(out, path, true, err);
}

struct yaml *yaml_copy(const struct yaml *y)
{
    struct yaml *copy = calloc(1, sizeof *copy);
    if (!copy)
        return NULL;
    *copy = (struct yaml){ .kind = y->kind, .line = y->line, .column = y->column, .quoted = y->quoted,
                           .source = y->source };
    copy->text = y->text ? strdup(y->text) : NULL;
    copy->tag = y->tag ? strdup(y->tag) : NULL;
    bool good = !copy->text == !y->text && !copy->tag == !y->tag;
    for (size_t i = 0; good && i < y->count; i++) {
        struct yaml *key = y->keys ? yaml_copy(y->keys[i]) : NULL, *item = yaml_copy(y->items[i]);
        good = item && (y->keys ? key && yaml_put(copy, key, item) : yaml_append(copy, item));
        if (!good) {
            yaml_free(key);
            yaml_free(item);
        }
    }
    if (good)
        return copy;
    yaml_free(copy);
    return NULL;
}

void yaml_remove(struct yaml *y, size_t i)
{
    struct yaml *key = y->keys ? y->keys[i] : NULL, *item = y->items[i];
    y->count--;
    for (; i < y->count; i++) {
        y->items[i] = y->items[i + 1];
        if (y->keys)
            y->keys[i] = y->keys[i + 1];
    }
    yaml_free(key);
    yaml_free(item);
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
    free(y->tag);
    free(y);
}

size_t yaml_find(const struct yaml *y, const char *key)
{
    size_t i = 0;
    while (i < y->count && (y->kind != YAML_MAP || strcmp(y->keys[i]->text, key) != 0))
        i++;
    return i;
}

const struct yaml *yaml_get(const struct yaml *y, const char *key)
{
    const size_t i = y ? yaml_find(y, key) : 0;
    return y && i < y->count ? y->items[i] : NULL;
}
