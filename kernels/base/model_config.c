#include "kernels/base/model_config.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/len.h"
#include "kernels/base/text.h"
#include "kernels/base/yaml.h"

#define CHANNELS_MAX 65536

static const char *const architectures[] = { "hrnet", "resunet_small", "resunet_advanced", "smoke" };

enum key_type { KEY_TEXT, KEY_INT, KEY_INT_LIST, KEY_BOOL, KEY_EXPECTED };

static const struct key {
    const char *name;
    enum key_type type;
    size_t offset;
    int64_t min, max;                 /* of an integer, or of every item */
    size_t room, items_min;           /* bytes of a text; fewest and most items of a list */
    const char *const *words;         /* allowed texts, or NULL */
    size_t word_count;
    bool optional;
} keys[] = {
#define AT(field) .offset = offsetof(struct model_config, field)
    { .name = "name", .type = KEY_TEXT, AT(name), .room = sizeof((struct model_config *)0)->name },
    { .name = "architecture", .type = KEY_TEXT, AT(architecture),
      .room = sizeof((struct model_config *)0)->architecture, .words = architectures,
      .word_count = LEN(architectures) },
    { .name = "features", .type = KEY_INT_LIST, AT(features), .min = 1, .max = CHANNELS_MAX,
      .room = MODEL_FEATURES_MAX, .items_min = 1 },
    { .name = "input", .type = KEY_INT_LIST, AT(input), .min = 1, .max = MODEL_SIDE_MAX, .room = 3, .items_min = 3 },
    { .name = "multiple", .type = KEY_INT, AT(multiple), .min = 1, .max = MODEL_SIDE_MAX, .optional = true },
    { .name = "min_side", .type = KEY_INT, AT(min_side), .min = 1, .max = MODEL_SIDE_MAX, .optional = true },
    { .name = "served", .type = KEY_BOOL, AT(served), .optional = true },
    { .name = "mask", .type = KEY_BOOL, AT(mask), .optional = true },
    { .name = "description", .type = KEY_TEXT, AT(description),
      .room = sizeof((struct model_config *)0)->description, .optional = true },
    { .name = "expected", .type = KEY_EXPECTED, AT(expected), .optional = true },
#undef AT
};

struct place { /* where in which file a value stands, for messages */
    const char *path;
    const struct yaml *at;
    const char *key;
};

static enum status wrong(struct place p, const char *allowed, struct err *err)
{
    const char *got = p.at->kind == YAML_SCALAR ? p.at->text : p.at->kind == YAML_LIST ? "a list" : "a map";
    return err_set(err, ST_CONFIG, "%s:%d:%d: %s must be %s, got %.80s", p.path, p.at->line, p.at->column,
                   p.key, allowed, got);
}

static enum status read_text(char *out, const struct key *k, struct place p, struct err *err)
{
    char allowed[96];
    snprintf(allowed, sizeof allowed, "a text of 1 to %zu bytes", k->room - 1);
    if (p.at->kind != YAML_SCALAR || !*p.at->text || strlen(p.at->text) >= k->room)
        return wrong(p, allowed, err);
    snprintf(out, k->room, "%s", p.at->text);
    if (!k->words)
        return ST_OK;
    size_t used = 0;
    for (size_t i = 0; i < k->word_count; i++) {
        if (strcmp(out, k->words[i]) == 0)
            return ST_OK;
        used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s",
                                 i == 0 ? "" : i + 1 < k->word_count ? ", " : " or ", k->words[i]);
    }
    return wrong(p, allowed, err);
}

static enum status read_int(int *out, const struct key *k, struct place p, struct err *err)
{
    int64_t value = 0;
    if (p.at->kind == YAML_SCALAR && !p.at->quoted && text_int(&value, p.at->text) == 0 && value >= k->min &&
        value <= k->max) {
        *out = (int)value;
        return ST_OK;
    }
    char allowed[64];
    snprintf(allowed, sizeof allowed, "an integer %lld..%lld", (long long)k->min, (long long)k->max);
    return wrong(p, allowed, err);
}

static enum status read_list(int *out, size_t *count, const struct key *k, struct place p, struct err *err)
{
    char allowed[96];
    snprintf(allowed, sizeof allowed, "a list of %zu to %zu integers", k->items_min, k->room);
    if (p.at->kind != YAML_LIST || p.at->count < k->items_min || p.at->count > k->room)
        return wrong(p, allowed, err);
    for (size_t i = 0; i < p.at->count; i++) {
        enum status st = read_int(&out[i], k, (struct place){ p.path, p.at->items[i], p.key }, err);
        if (st != ST_OK)
            return st;
    }
    *count = p.at->count;
    return ST_OK;
}

static enum status read_bool(bool *out, struct place p, struct err *err)
{
    if (p.at->kind == YAML_SCALAR && !p.at->quoted &&
        (strcmp(p.at->text, "true") == 0 || strcmp(p.at->text, "false") == 0)) {
        *out = p.at->text[0] == 't';
        return ST_OK;
    }
    return wrong(p, "true or false", err);
}

static enum status read_expected(struct model_config *out, struct place p, struct err *err)
{
    static const char allowed[] = "3 lists of 48 numbers";
    if (p.at->kind != YAML_LIST || p.at->count != MODEL_EXPECTED_IMAGES)
        return wrong(p, allowed, err);
    for (size_t i = 0; i < MODEL_EXPECTED_IMAGES; i++) {
        const struct yaml *image = p.at->items[i];
        if (image->kind != YAML_LIST || image->count != MODEL_EXPECTED_VALUES)
            return wrong((struct place){ p.path, image, p.key }, allowed, err);
        for (size_t k = 0; k < MODEL_EXPECTED_VALUES; k++) {
            double value;
            if (image->items[k]->kind != YAML_SCALAR || text_real(&value, image->items[k]->text) != 0)
                return wrong((struct place){ p.path, image->items[k], p.key }, allowed, err);
            out->expected[i][k] = (float)value;
        }
    }
    out->has_expected = true;
    return ST_OK;
}

static enum status read_key(struct model_config *out, const struct key *k, struct place p, struct err *err)
{
    void *field = (char *)out + k->offset;
    size_t count = 0;
    enum status st;
    switch (k->type) {
    case KEY_TEXT:
        return read_text(field, k, p, err);
    case KEY_INT:
        return read_int(field, k, p, err);
    case KEY_BOOL:
        return read_bool(field, p, err);
    case KEY_EXPECTED:
        return read_expected(out, p, err);
    default:
        st = read_list(field, &count, k, p, err);
        if (field == (void *)out->features)
            out->feature_count = (int)count;
        return st;
    }
}

static enum status unknown_key(const char *path, const struct yaml *key, struct err *err)
{
    const char *names[LEN(keys)];
    for (size_t i = 0; i < LEN(keys); i++)
        names[i] = keys[i].name;
    const char *near = text_nearest(key->text, names, LEN(keys));
    return err_set(err, ST_CONFIG, "%s:%d:%d: there is no key \"%.80s\" for a model%s%s", path, key->line,
                   key->column, key->text, near ? "; the nearest is " : "", near ? near : "");
}

static enum status read_map(struct model_config *out, const char *path, const struct yaml *map,
                            struct err *err)
{
    if (map->kind != YAML_MAP)
        return err_set(err, ST_CONFIG, "%s:%d:%d: a model is a map of keys and values", path, map->line,
                       map->column);
    bool seen[LEN(keys)] = { false };
    for (size_t i = 0; i < map->count; i++) {
        size_t k = 0;
        while (k < LEN(keys) && strcmp(keys[k].name, map->keys[i]->text) != 0)
            k++;
        if (k == LEN(keys))
            return unknown_key(path, map->keys[i], err);
        enum status st = read_key(out, &keys[k], (struct place){ path, map->items[i], keys[k].name }, err);
        if (st != ST_OK)
            return st;
        seen[k] = true;
    }
    for (size_t k = 0; k < LEN(keys); k++)
        if (!seen[k] && !keys[k].optional)
            return err_set(err, ST_CONFIG, "%s:%d:%d: the key %s is missing", path, map->line, map->column,
                           keys[k].name);
    return ST_OK;
}

static enum status read_path(struct model_config *out, const char *path, struct err *err)
{
    struct yaml *tree = NULL;
    enum status st = yaml_read_file(&tree, path, err);
    if (st != ST_OK)
        return st;
    *out = (struct model_config){ .multiple = 1, .min_side = 1 };
    st = read_map(out, path, tree, err);
    yaml_free(tree);
    if (st != ST_OK)
        return st;
    struct err size_err = { .status = ST_OK };
    if (model_config_check_size(out, out->input, &size_err) != ST_OK)
        return err_set(err, ST_CONFIG, "%s: the default input does not fit: %.600s", path, size_err.text);
    return ST_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

/* The names of a folder's *.yaml without the ending, sorted. */
static enum status list_names(char ***out, size_t *count, const char *folder, struct err *err)
{
    *out = NULL;
    *count = 0;
    DIR *dir = opendir(folder);
    if (!dir)
        return err_set(err, ST_IO, "the folder of models %s cannot be read: %s", folder, strerror(errno));
    enum status st = ST_OK;
    char **names = NULL;
    size_t used = 0;
    for (struct dirent *entry = readdir(dir); entry && st == ST_OK; entry = readdir(dir)) {
        if (entry->d_name[0] == '.' || !text_ends_in(entry->d_name, ".yaml"))
            continue;
        char **more = realloc(names, (used + 1) * sizeof *names);
        if (more)
            names = more;
        char *name = more ? strndup(entry->d_name, strlen(entry->d_name) - 5) : NULL;
        if (name)
            names[used++] = name;
        else
            st = err_set(err, ST_OUT_OF_MEMORY, "no memory for the names in %s", folder);
    }
    closedir(dir);
    if (st != ST_OK) {
        free_names(names, used);
        return st;
    }
    if (used > 0)
        qsort(names, used, sizeof *names, by_text);
    *out = names;
    *count = used;
    return ST_OK;
}

static enum status unknown_model(const char *folder, const char *model, struct err *err)
{
    char **names = NULL;
    size_t count = 0;
    enum status st = list_names(&names, &count, folder, err);
    if (st != ST_OK)
        return st;
    char list[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", names[i]);
    const char *near = text_nearest(model, (const char *const *)names, count);
    st = err_set(err, ST_USAGE, "there is no model \"%.80s\"%s%s%s; known are: %s", model,
                 near ? ", did you mean " : "", near ? near : "", near ? "?" : "", count > 0 ? list : "none");
    free_names(names, count);
    return st;
}

/* A model that is known by its file's name must call itself the same: --model, the
 * store and the file agree. */
static enum status check_name(const struct model_config *config, const char *path, const char *model,
                              struct err *err)
{
    if (strcmp(config->name, model) == 0)
        return ST_OK;
    return err_set(err, ST_CONFIG, "%s: its name is \"%s\" and must be \"%s\", as the file is called", path,
                   config->name, model);
}

enum status model_config_read(struct model_config *out, const char *folder, const char *model,
                              struct err *err)
{
    if (text_ends_in(model, ".yaml"))
        return read_path(out, model, err);
    char **names = NULL;
    size_t count = 0;
    enum status st = list_names(&names, &count, folder, err);
    if (st != ST_OK)
        return st;
    bool known = false;
    for (size_t i = 0; i < count; i++)
        known = known || strcmp(names[i], model) == 0;
    free_names(names, count);
    if (!known)
        return unknown_model(folder, model, err);
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.yaml", folder, model);
    st = read_path(out, path, err);
    return st != ST_OK ? st : check_name(out, path, model, err);
}

enum status model_config_list(struct model_config **out, size_t *count, const char *folder, struct err *err)
{
    char **names = NULL;
    size_t used = 0;
    *out = NULL;
    *count = 0;
    enum status st = list_names(&names, &used, folder, err);
    if (st != ST_OK)
        return st;
    struct model_config *configs = calloc(used > 0 ? used : 1, sizeof *configs);
    if (!configs)
        st = err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu models", used);
    for (size_t i = 0; i < used && st == ST_OK; i++)
        st = model_config_read(&configs[i], folder, names[i], err);
    free_names(names, used);
    if (st != ST_OK) {
        free(configs);
        return st;
    }
    *out = configs;
    *count = used;
    return ST_OK;
}

/* The nearest allowed side: a multiple of `multiple`, at least min_side, at most MODEL_SIDE_MAX. */
static int nearest_side(const struct model_config *config, int side)
{
    const int m = config->multiple, least = (config->min_side + m - 1) / m * m, most = MODEL_SIDE_MAX / m * m;
    if (side <= least)
        return least;
    if (side >= most)
        return most;
    return (side + m / 2) / m * m;
}

enum status model_config_check_size(const struct model_config *config, const int shape[3], struct err *err)
{
    if (shape[0] != config->input[0])
        return err_set(err, ST_USAGE, "%s takes images of %d channels, got %d", config->name,
                       config->input[0], shape[0]);
    const int h = nearest_side(config, shape[1]), w = nearest_side(config, shape[2]);
    if (h == shape[1] && w == shape[2])
        return ST_OK;
    char rule[64] = "";
    if (config->multiple > 1)
        snprintf(rule, sizeof rule, "multiples of %d, ", config->multiple);
    return err_set(err, ST_USAGE, "%s cannot take an input of %dx%d: both sides must be %s%d..%d; the nearest that "
                   "works is %dx%d", config->name, shape[1], shape[2], rule, (config->min_side + config->multiple - 1)
                   / config->multiple * config->multiple, MODEL_SIDE_MAX / config->multiple * config->multiple, h, w);
}
