/* Several Compose files into one map of services: environment by name, devices and volumes appended, all else by
 * key, the later file first. */
#include "bench/doctor/compose.h"

#include <stdlib.h>
#include <string.h>

#define EXTENDS_MAX 16

struct merging {
    const char *file;
    struct err *err;
};

static enum status refuse(const struct merging *m, const struct yaml *at, const char *what)
{
    return err_set(m->err, ST_CONFIG, "%s:%d:%d: %s", m->file, at->line, at->column, what);
}

static enum status no_memory(struct err *err)
{
    return err_set(err, ST_INTERNAL, "not enough memory to merge Compose files");
}

static void set_source(struct yaml *y, int source)
{
    y->source = source;
    for (size_t i = 0; i < y->count; i++) {
        set_source(y->items[i], source);
        if (y->keys)
            set_source(y->keys[i], source);
    }
}

/* --- one form for what may be written in two --------------------------------------------------------------- */

static struct yaml *new_scalar(const struct yaml *at, const char *text, size_t size, int quoted)
{
    struct yaml *y = calloc(1, sizeof *y);
    if (!y)
        return NULL;
    *y = (struct yaml){ .kind = YAML_SCALAR, .line = at->line, .column = at->column, .source = at->source,
                        .text = strndup(text, size), .quoted = quoted };
    if (y->text)
        return y;
    free(y);
    return NULL;
}

static struct yaml *new_map(const struct yaml *at)
{
    struct yaml *y = calloc(1, sizeof *y);
    if (y)
        *y = (struct yaml){ .kind = YAML_MAP, .line = at->line, .column = at->column, .source = at->source };
    return y;
}

/* Puts key and value there; both are freed if that fails. */
static bool put(struct yaml *map, struct yaml *key, struct yaml *value)
{
    if (key && value && yaml_put(map, key, value))
        return true;
    yaml_free(key);
    yaml_free(value);
    return false;
}

/* "NAME=value" items as a map; "NAME" alone has no value, as in a map. The last of a name counts. */
static struct yaml *environment_map(const struct yaml *list)
{
    struct yaml *map = new_map(list);
    for (size_t i = 0; map && i < list->count; i++) {
        const struct yaml *item = list->items[i];
        if (item->kind != YAML_SCALAR)
            continue;
        const size_t size = strcspn(item->text, "=");
        const bool set = item->text[size] == '=';
        struct yaml *key = new_scalar(item, item->text, size, 1);
        const size_t old = key ? yaml_find(map, key->text) : 0;
        if (key && old < map->count)
            yaml_remove(map, old);
        const char *value = set ? item->text + size + 1 : "";
        if (!put(map, key, new_scalar(item, value, strlen(value), set))) {
            yaml_free(map);
            return NULL;
        }
    }
    return map;
}

/* `build: DIR` is `build: {context: DIR}`. */
static struct yaml *build_map(const struct yaml *build)
{
    struct yaml *map = new_map(build);
    if (map && !put(map, new_scalar(build, "context", 7, 1), yaml_copy(build))) {
        yaml_free(map);
        return NULL;
    }
    return map;
}

static bool normalise(struct yaml *service)
{
    static const struct {
        const char *key;
        enum yaml_kind kind;
        struct yaml *(*make)(const struct yaml *);
    } forms[] = { { "environment", YAML_LIST, environment_map }, { "build", YAML_SCALAR, build_map } };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const size_t at = yaml_find(service, forms[i].key);
        if (at == service->count || service->items[at]->kind != forms[i].kind)
            continue;
        struct yaml *made = forms[i].make(service->items[at]);
        if (!made)
            return false;
        yaml_free(service->items[at]);
        service->items[at] = made;
    }
    return true;
}

/* --- merging ----------------------------------------------------------------------------------------------- */

static bool is_tag(const struct yaml *y, const char *tag)
{
    return y->tag && strcmp(y->tag, tag) == 0;
}

/* A command is replaced, every other list is appended to. */
static bool is_whole(const char *key)
{
    return strcmp(key, "command") == 0 || strcmp(key, "entrypoint") == 0 || strcmp(key, "test") == 0;
}

static bool merge(struct yaml *to, const struct yaml *from);

static bool merge_item(struct yaml **to, const struct yaml *from, const char *key)
{
    const bool same = (*to)->kind == from->kind && !is_tag(from, "!override");
    if (same && from->kind == YAML_MAP)
        return merge(*to, from);
    if (same && from->kind == YAML_LIST && !is_whole(key)) {
        for (size_t i = 0; i < from->count; i++) {
            struct yaml *item = yaml_copy(from->items[i]);
            if (!item || !yaml_append(*to, item)) {
                yaml_free(item);
                return false;
            }
        }
        return true;
    }
    struct yaml *copy = yaml_copy(from);
    if (!copy)
        return false;
    yaml_free(*to);
    *to = copy;
    return true;
}

/* Puts all pairs of the map `from` over those of the map `to`. */
static bool merge(struct yaml *to, const struct yaml *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const char *key = from->keys[i]->text;
        const size_t at = yaml_find(to, key);
        if (is_tag(from->items[i], "!reset")) {
            if (at < to->count)
                yaml_remove(to, at);
        } else if (at == to->count) {
            if (!put(to, yaml_copy(from->keys[i]), yaml_copy(from->items[i])))
                return false;
        } else if (!merge_item(&to->items[at], from->items[i], key))
            return false;
    }
    return true;
}

/* --- extends ----------------------------------------------------------------------------------------------- */

static bool is_same_file(const char *named, const char *file)
{
    const char *a = strrchr(named, '/'), *b = strrchr(file, '/');
    return strcmp(a ? a + 1 : named, b ? b + 1 : file) == 0;
}

/* The service of this file that `extends` names; NULL: of another file. */
static enum status find_base(const struct yaml **out, const struct merging *m, const struct yaml *services,
                             const struct yaml *extends)
{
    const struct yaml *file = yaml_get(extends, "file");
    const struct yaml *name = extends->kind == YAML_MAP ? yaml_get(extends, "service") : extends;
    *out = NULL;
    if (file && (file->kind != YAML_SCALAR || !is_same_file(file->text, m->file)))
        return ST_OK;
    *out = name && name->kind == YAML_SCALAR ? yaml_get(services, name->text) : NULL;
    return *out && (*out)->kind == YAML_MAP ? ST_OK : refuse(m, extends, "extends must name a service of this file");
}

/* Service i becomes what it extends, with itself over it. */
static enum status extend(const struct merging *m, struct yaml *services, size_t i, int depth)
{
    const struct yaml *extends = yaml_get(services->items[i], "extends"), *base = NULL;
    if (!extends)
        return ST_OK;
    if (depth > EXTENDS_MAX)
        return refuse(m, extends, "extends leads back to itself, or over more than 16 services");
    enum status st = find_base(&base, m, services, extends);
    if (st != ST_OK || !base)
        return st;
    const char *name = extends->kind == YAML_MAP ? yaml_get(extends, "service")->text : extends->text;
    const size_t from = yaml_find(services, name);
    st = extend(m, services, from, depth + 1);
    if (st != ST_OK)
        return st;
    struct yaml *whole = yaml_copy(services->items[from]);
    const size_t own = yaml_find(services->items[i], "extends");
    yaml_remove(services->items[i], own);
    if (!whole || !merge(whole, services->items[i])) {
        yaml_free(whole);
        return no_memory(m->err);
    }
    whole->line = services->items[i]->line;
    whole->column = services->items[i]->column;
    yaml_free(services->items[i]);
    services->items[i] = whole;
    return ST_OK;
}

/* --- files ------------------------------------------------------------------------------------------------- */

static enum status read_services(struct yaml **tree, size_t *at, const struct merging *m, int source)
{
    *tree = NULL;
    enum status st = yaml_read_foreign_file(tree, m->file, m->err);
    if (st != ST_OK)
        return st;
    set_source(*tree, source);
    *at = yaml_find(*tree, "services");
    if ((*tree)->kind != YAML_MAP || *at == (*tree)->count)
        return refuse(m, *tree, "this is no Compose file: it has no map \"services\"");
    struct yaml *services = (*tree)->items[*at];
    if (services->kind != YAML_MAP)
        return refuse(m, services, "\"services\" must be a map");
    for (size_t i = 0; i < services->count; i++) {
        if (services->items[i]->kind != YAML_MAP)
            return refuse(m, services->items[i], "a service must be a map");
        if (!normalise(services->items[i]))
            return no_memory(m->err);
    }
    for (size_t i = 0; i < services->count && st == ST_OK; i++)
        st = extend(m, services, i, 0);
    return st;
}

enum status compose_merge(struct yaml **out, const char *const *files, size_t count, struct err *err)
{
    *out = NULL;
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        const struct merging m = { files[i], err };
        struct yaml *tree;
        size_t at;
        st = read_services(&tree, &at, &m, (int)i);
        if (st == ST_OK && !*out) {
            *out = yaml_copy(tree->items[at]);
            st = *out ? ST_OK : no_memory(err);
        } else if (st == ST_OK)
            st = merge(*out, tree->items[at]) ? ST_OK : no_memory(err);
        yaml_free(tree);
    }
    if (st != ST_OK) {
        yaml_free(*out);
        *out = NULL;
    }
    return st;
}
