#include "bench/config/row.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"

#define ROWS_MAX 64
#define PATH_ROOM 4200

enum status config_refuse(const struct config_row *row, const struct config_value *v, const char *got,
                          const char *near, struct err *err)
{
    char allowed[256];
    row->type->allowed(allowed, sizeof allowed, row);
    return err_set(err, v->key ? ST_CONFIG : ST_USAGE, "%s: %s%smust be %s, got \"%.80s\"%s%s%s", v->where,
                   v->key ? v->key : "", v->key ? " " : "", allowed, got, near ? " (did you mean \"" : "",
                   near ? near : "", near ? "\"?)" : "");
}

enum status config_refuse_node(const struct config_row *row, const struct config_value *v, const struct yaml *at,
                               const char *near, struct err *err)
{
    char where[4200];
    snprintf(where, sizeof where, "%s:%d:%d", v->file, at->line, at->column);
    struct config_value here = { .where = where, .key = v->key };
    return config_refuse(row, &here,
                         at->kind == YAML_SCALAR ? at->text
                         : at->kind == YAML_LIST ? "a list"
                                                 : "a map",
                         near, err);
}

struct config_value config_item(char *where, size_t size, const struct config_value *v, size_t i)
{
    struct config_value item = *v;
    if (!v->node || v->node->kind != YAML_LIST)
        return item;
    snprintf(where, size, "%s:%d:%d", v->file, v->node->items[i]->line, v->node->items[i]->column);
    item.where = where;
    return item;
}

/* Cuts text at its commas into items that point into *copy; both are freed by the caller. */
static enum status cut(struct config_value *v, char **copy, const char *text, struct err *err)
{
    size_t count = 1;
    for (const char *p = text; *p; p++)
        count += *p == ',';
    *copy = strdup(text);
    v->items = calloc(count, sizeof *v->items);
    if (!*copy || !v->items)
        return err_set(err, ST_INTERNAL, "%s: not enough memory for the value", v->where);
    char *rest = *copy;
    for (char *item; (item = strsep(&rest, ",")); ) {
        item += strspn(item, " ");
        for (size_t end = strlen(item); end > 0 && item[end - 1] == ' '; end--)
            item[end - 1] = 0;
        v->items[v->count++] = item;
    }
    return ST_OK;
}

/* One value given as a text, on the command line or as a preset. */
static enum status set_text(struct config *c, const struct config_row *row, const char *where,
                            const char *text, struct err *err)
{
    struct config_value v = { .where = where, .whole = text };
    char *copy = NULL;
    enum status st = cut(&v, &copy, text, err);
    if (st == ST_OK)
        st = row->type->read(c, row, &v, err);
    free(v.items);
    free(copy);
    return st;
}

static void mark_true(struct config *c, size_t offset)
{
    if (offset)
        *(bool *)((char *)c + offset) = true;
}

static enum status set_presets(struct config *c, struct err *err)
{
    size_t count;
    const struct config_row *rows = config_rows(&count);
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++)
        if (rows[i].preset)
            st = set_text(c, &rows[i], rows[i].key ? rows[i].key : rows[i].flag, rows[i].preset, err);
    return st;
}

/* --- the file ------------------------------------------------------------------------------------------- */

static enum status set_list(struct config *c, const struct config_row *row, struct config_value *v,
                            const struct yaml *node, struct err *err)
{
    char where[PATH_ROOM];
    for (size_t i = 0; i < node->count; i++)
        if (node->items[i]->kind != YAML_SCALAR) {
            struct config_value item = config_item(where, sizeof where, v, i);
            return config_refuse(row, &item, node->items[i]->kind == YAML_LIST ? "a list" : "a map", NULL,
                                 err);
        }
    v->items = calloc(node->count ? node->count : 1, sizeof *v->items);
    if (!v->items)
        return err_set(err, ST_INTERNAL, "%s: not enough memory for the list", v->where);
    for (size_t i = 0; i < node->count; i++)
        v->items[v->count++] = node->items[i]->text;
    enum status st = row->type->read(c, row, v, err);
    free(v->items);
    return st;
}

static enum status set_node(struct config *c, const struct config_row *row, const char *file,
                            const struct yaml *node, struct err *err)
{
    char where[PATH_ROOM], *copy = NULL;
    snprintf(where, sizeof where, "%s:%d:%d", file, node->line, node->column);
    struct config_value v = { .where = where, .key = row->key, .node = node, .file = file };
    enum status st;
    if (node->kind == YAML_LIST) {
        st = set_list(c, row, &v, node, err);
    } else if (node->kind == YAML_MAP) {
        v.whole = "a map";
        st = row->type->read(c, row, &v, err);
    } else {
        v.whole = node->text;
        st = cut(&v, &copy, node->text, err);
        if (st == ST_OK)
            st = row->type->read(c, row, &v, err);
        free(v.items);
        free(copy);
    }
    if (st == ST_OK)
        mark_true(c, row->given);
    return st;
}

static const struct config_row *find_key(const char *key)
{
    size_t count;
    const struct config_row *rows = config_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (rows[i].key && strcmp(rows[i].key, key) == 0)
            return &rows[i];
    return NULL;
}

/* Is it the map of longer keys: "output" of "output.dir"? */
static bool is_map_of_keys(const char *key)
{
    size_t count, length = strlen(key);
    const struct config_row *rows = config_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (rows[i].key && strncmp(rows[i].key, key, length) == 0 && rows[i].key[length] == '.')
            return true;
    return false;
}

static enum status unknown_key(const char *file, const struct yaml *at, const char *key, struct err *err)
{
    const char *names[ROWS_MAX], *near;
    size_t count, named = 0;
    const struct config_row *rows = config_rows(&count);
    for (size_t i = 0; i < count && named < ROWS_MAX; i++) {
        if (rows[i].flag && strcmp(rows[i].flag, key) == 0)
            return rows[i].key
                       ? err_set(err, ST_CONFIG, "%s:%d:%d: there is no key \"%.80s\" (did you mean \"%s\"?)",
                                 file, at->line, at->column, key, rows[i].key)
                       : err_set(err, ST_CONFIG, "%s:%d:%d: \"%s\" is no key: give --%s on the command line",
                                 file, at->line, at->column, key, key);
        if (rows[i].key)
            names[named++] = rows[i].key;
    }
    near = text_nearest(key, names, named);
    return err_set(err, ST_CONFIG, "%s:%d:%d: there is no key \"%.80s\"%s%s%s", file, at->line, at->column,
                   key, near ? " (did you mean \"" : "; bench tune --help lists all", near ? near : "",
                   near ? "\"?)" : "");
}

static enum status set_map(struct config *c, const char *file, const char *prefix, const struct yaml *map,
                           struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < map->count && st == ST_OK; i++) {
        char key[128];
        snprintf(key, sizeof key, "%s%.100s", prefix, map->keys[i]->text);
        const struct config_row *row = find_key(key);
        if (row) {
            st = set_node(c, row, file, map->items[i], err);
        } else if (is_map_of_keys(key) && map->items[i]->kind == YAML_MAP) {
            strcat(key, ".");
            st = set_map(c, file, key, map->items[i], err);
        } else if (is_map_of_keys(key)) {
            st = err_set(err, ST_CONFIG, "%s:%d:%d: %s must be a map of keys, got \"%.80s\"", file,
                         map->items[i]->line, map->items[i]->column, key,
                         map->items[i]->kind == YAML_SCALAR ? map->items[i]->text : "a list");
        } else {
            st = unknown_key(file, map->keys[i], key, err);
        }
    }
    return st;
}

static enum status set_tree(struct config *c, const char *file, const struct yaml *tree, struct err *err)
{
    if (tree->kind != YAML_MAP)
        return err_set(err, ST_CONFIG, "%s:%d:%d: a configuration must be a map of keys and values", file,
                       tree->line, tree->column);
    enum status st = set_map(c, file, "", tree, err);
    if (st == ST_OK && c->all_models && c->models.count)
        st = err_set(err, ST_CONFIG, "%s: all_models and models exclude each other: leave one of them out",
                     file);
    return st;
}

static enum status set_base(struct config *c, const char *text, struct err *err)
{
    struct yaml *tree = NULL;
    enum status st = yaml_read_text(&tree, "the stored configuration", text, strlen(text), err);
    if (st == ST_OK)
        st = set_tree(c, "the stored configuration", tree, err);
    yaml_free(tree);
    return st;
}

static enum status set_file(struct config *c, struct err *err)
{
    struct yaml *tree = NULL;
    enum status st = yaml_read_file(&tree, c->config_file, err);
    if (st == ST_OK)
        st = set_tree(c, c->config_file, tree, err);
    yaml_free(tree);
    return st;
}

/* --- the command line ----------------------------------------------------------------------------------- */

struct flag {
    const struct config_row *row;
    const char *value;               /* NULL: a switch without a value */
};

static enum status unknown_flag(const struct config_ask *ask, const char *name, struct err *err)
{
    const char *names[ROWS_MAX];
    size_t count, known = 0;
    const struct config_row *rows = config_rows(&count);
    names[known++] = "help";
    for (size_t i = 0; i < count && known < ROWS_MAX; i++)
        if (rows[i].flag && (rows[i].group & ask->groups))
            names[known++] = rows[i].flag;
    const char *near = text_nearest(name, names, known);
    return err_set(err, ST_USAGE, "bench %s has no flag --%.80s%s%s%s", ask->verb, name,
                   near ? " (did you mean --" : "; ", near ? near : "bench VERB --help lists them",
                   near ? "?)" : "");
}

/* Row of "batches", "batches=1,2" or "no-gate"; *negated for the last. */
static const struct config_row *find_flag(const struct config_ask *ask, const char *name, size_t length,
                                          bool *negated)
{
    size_t count;
    const struct config_row *rows = config_rows(&count);
    for (size_t i = 0; i < count; i++) {
        const struct config_row *row = &rows[i];
        if (!row->flag || !(row->group & ask->groups))
            continue;
        if (strlen(row->flag) == length && strncmp(row->flag, name, length) == 0) {
            *negated = false;
            return row;
        }
        if (row->type == &config_type_bool && length == strlen(row->flag) + 3 &&
            strncmp(name, "no-", 3) == 0 && strncmp(row->flag, name + 3, length - 3) == 0) {
            *negated = true;
            return row;
        }
    }
    return NULL;
}

/* Reads the flag at argv[*at] and steps over its value. */
static enum status next_flag(struct flag *out, const struct config_ask *ask, size_t *at, struct err *err)
{
    const char *name = ask->argv[*at] + 2, *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    bool negated = false;
    out->row = find_flag(ask, name, length, &negated);
    if (!out->row) {
        char bare[128];
        snprintf(bare, sizeof bare, "%.*s", (int)length, name);
        return unknown_flag(ask, bare, err);
    }
    if (out->row->type == &config_type_bool) {
        if (equals)
            return err_set(err, ST_USAGE, "--%s is a switch and takes no value, got \"%.80s\"",
                           out->row->flag, equals + 1);
        out->value = negated ? "false" : "true";
        return ST_OK;
    }
    if (!equals && *at + 1 >= ask->argc)
        return err_set(err, ST_USAGE, "--%s wants a value (%s)", out->row->flag, out->row->unit);
    out->value = equals ? equals + 1 : ask->argv[++*at];
    return ST_OK;
}

static enum status next_word(const char **words, size_t *count, const struct config_ask *ask,
                             const char *word, struct err *err)
{
    if (*count < ask->words_max) {
        words[(*count)++] = word;
        return ST_OK;
    }
    return err_set(err, ST_USAGE,
                   "bench %s does not know what to do with \"%.80s\"; bench %s --help shows its use",
                   ask->verb, word, ask->verb);
}

/* Cuts the command line into flags (room: argc) and words. */
static enum status read_argv(struct flag *flags, size_t *flag_count, const char **words, size_t *word_count,
                             const struct config_ask *ask, struct err *err)
{
    enum status st = ST_OK;
    bool only_words = false;
    for (size_t i = 0; i < ask->argc && st == ST_OK; i++) {
        const char *arg = ask->argv[i];
        if (!only_words && strcmp(arg, "--") == 0) {
            only_words = true;
        } else if (!only_words && strncmp(arg, "--", 2) == 0) {
            st = next_flag(&flags[*flag_count], ask, &i, err);
            for (size_t k = 0; k < *flag_count && st == ST_OK; k++)
                if (flags[k].row == flags[*flag_count].row)
                    st = err_set(err, ST_USAGE, "--%s stands here twice", flags[k].row->flag);
            ++*flag_count;
        } else if (!only_words && arg[0] == '-' && arg[1]) {
            st = unknown_flag(ask, arg + 1, err);
        } else {
            st = next_word(words, word_count, ask, arg, err);
        }
    }
    return st;
}

static enum status set_flag(struct config *c, const struct flag *f, struct err *err)
{
    char where[64];
    snprintf(where, sizeof where, "--%s", f->row->flag);
    enum status st = set_text(c, f->row, where, f->value, err);
    if (st == ST_OK) {
        mark_true(c, f->row->given);
        mark_true(c, f->row->named);
    }
    return st;
}

/* --model on the command line goes over all_models of the file, and the reverse. */
static enum status settle_models(struct config *c, const struct flag *models_flag, struct err *err)
{
    bool all = c->all_models_named && c->all_models;
    if (all && c->models_named)
        return err_set(err, ST_USAGE, "--all-models and --model exclude each other: leave one of them out");
    if (c->models_named)
        c->all_models = false;
    if (all && models_flag)
        models_flag->row->type->release(c, models_flag->row);
    return ST_OK;
}

/* Two ways to say when requests arrive. */
static enum status check_arrivals(const struct flag *flags, size_t count, struct err *err)
{
    bool rate = false, trace = false;
    for (size_t i = 0; i < count; i++) {
        rate = rate || strcmp(flags[i].row->flag, "rate") == 0;
        trace = trace || strcmp(flags[i].row->flag, "trace") == 0;
    }
    return rate && trace
               ? err_set(err, ST_USAGE, "--rate and --trace exclude each other: leave one of them out")
               : ST_OK;
}

/* The time from arrival to result means nothing before it is known when requests arrive. */
static enum status check_limit(const struct config *c, const struct config_ask *ask, struct err *err)
{
    if (!(ask->groups & CONFIG_DECIDE) || !c->limit.response || c->arrivals.rate > 0 || c->arrivals.trace)
        return ST_OK;
    return err_set(err, ST_USAGE,
                   "a limit on response times needs arrivals: add --open-loop poisson:20/s, or "
                   "limit the time of one batch with --slo p%.10g=%.10gms",
                   100 * c->limit.percentile, c->limit.limit_ms);
}

static enum status set_flags(struct config *c, const struct flag *flags, size_t count, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++)
        if (strcmp(flags[i].row->flag, "config") == 0)
            st = set_flag(c, &flags[i], err);
    if (st == ST_OK && c->config_file)
        st = set_file(c, err);
    for (size_t i = 0; i < count && st == ST_OK; i++)
        if (strcmp(flags[i].row->flag, "config") != 0)
            st = set_flag(c, &flags[i], err);
    struct flag models = { .row = find_key("models") };
    return st == ST_OK ? settle_models(c, &models, err) : st;
}

/* --- all ------------------------------------------------------------------------------------------------ */

static enum status write_text(struct config *c, struct err *err);

/* Ends a reading: the text on success, nothing left behind otherwise. */
static enum status finish(struct config *c, enum status st, struct err *err)
{
    if (st == ST_OK)
        st = write_text(c, err);
    if (st != ST_OK) {
        config_free(c);
        *c = (struct config){ 0 };
    }
    return st;
}

enum status config_read(struct config *out, const char **words, size_t *word_count,
                        const struct config_ask *ask, struct err *err)
{
    size_t flag_count = 0;
    struct flag *flags = calloc(ask->argc + 1, sizeof *flags);
    *out = (struct config){ 0 };
    *word_count = 0;
    if (!flags)
        return err_set(err, ST_INTERNAL, "not enough memory for the command line");
    enum status st = read_argv(flags, &flag_count, words, word_count, ask, err);
    if (st == ST_OK)
        st = set_presets(out, err);
    if (st == ST_OK && ask->base_text)
        st = set_base(out, ask->base_text, err);
    out->look_up = ask->look_up; /* what nobody has named may be missing until it is needed */
    if (st == ST_OK)
        st = check_arrivals(flags, flag_count, err);
    if (st == ST_OK)
        st = set_flags(out, flags, flag_count, err);
    if (st == ST_OK)
        st = check_limit(out, ask, err);
    free(flags);
    return finish(out, st, err);
}

enum status config_read_text(struct config *out, const char *name, const char *text, size_t size,
                             struct err *err)
{
    struct yaml *tree = NULL;
    *out = (struct config){ 0 };
    enum status st = set_presets(out, err);
    if (st == ST_OK)
        st = yaml_read_text(&tree, name, text, size, err);
    if (st == ST_OK)
        st = set_tree(out, name, tree, err);
    yaml_free(tree);
    return finish(out, st, err);
}

/* Writes the rows with a key as YAML; keys with a dot become maps (their rows stand together in the table).
 */
static void write_rows(FILE *out, const struct config *c)
{
    size_t count;
    const struct config_row *rows = config_rows(&count);
    char open_map[64] = "";
    for (size_t i = 0; i < count; i++) {
        char *value = NULL;
        size_t size = 0;
        FILE *memory = rows[i].key ? open_memstream(&value, &size) : NULL;
        bool set = memory && rows[i].type->write(memory, c, &rows[i]);
        if (memory)
            fclose(memory);
        if (set && value) {
            const char *dot = strchr(rows[i].key, '.');
            int map = dot ? (int)(dot - rows[i].key) : 0;
            if (dot && (strncmp(open_map, rows[i].key, (size_t)map) != 0 || open_map[map])) {
                snprintf(open_map, sizeof open_map, "%.*s", map, rows[i].key);
                fprintf(out, "%s:\n", open_map);
            }
            fprintf(out, "%s%s: %s\n", dot ? "  " : "", dot ? dot + 1 : rows[i].key, value);
        }
        free(value);
    }
}

static enum status write_text(struct config *c, struct err *err)
{
    size_t size = 0;
    FILE *out = open_memstream(&c->text, &size);
    if (!out)
        return err_set(err, ST_INTERNAL, "not enough memory for the text of the configuration");
    write_rows(out, c);
    return fclose(out) == 0
               ? ST_OK
               : err_set(err, ST_INTERNAL, "not enough memory for the text of the configuration");
}

void config_free(struct config *c)
{
    size_t count;
    const struct config_row *rows = config_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (rows[i].type->release)
            rows[i].type->release(c, &rows[i]);
    free(c->text);
    c->text = NULL;
}
