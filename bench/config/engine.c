/* Engine files: which command hosts an engine. */
#include "bench/config/config.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/home.h"
#include "kernels/base/len.h"
#include "kernels/base/text.h"
#include "kernels/base/yaml.h"

#define ENGINES "configs/engines"

static void free_texts(char **texts)
{
    for (char **t = texts; t && *t; t++)
        free(*t);
    free(texts);
}

void engine_config_free(struct engine_config *e)
{
    free_texts(e->command);
    free_texts(e->environment);
    free(e->library_path);
    *e = (struct engine_config){ 0 };
}

static enum status wrong(const struct engine_config *e, const struct yaml *at, const char *key,
                         const char *allowed, struct err *err)
{
    const char *got = at->kind == YAML_SCALAR ? at->text : at->kind == YAML_LIST ? "a list" : "a map";
    return err_set(err, ST_CONFIG, "%s:%d:%d: %s must be %s, got \"%.80s\"", e->file, at->line, at->column,
                   key, allowed, got);
}

/* --- one function per key ------------------------------------------------------------------------------- */

static enum status copy_text(char *out, size_t room, const struct engine_config *e, const struct yaml *at,
                             const char *key, struct err *err)
{
    char allowed[64];
    snprintf(allowed, sizeof allowed, "a text of 1 to %zu bytes", room - 1);
    if (at->kind != YAML_SCALAR || !*at->text || strlen(at->text) >= room)
        return wrong(e, at, key, allowed, err);
    memcpy(out, at->text, strlen(at->text) + 1);
    return ST_OK;
}

static enum status read_name(struct engine_config *e, const struct yaml *at, struct err *err)
{
    enum status st = copy_text(e->name, sizeof e->name, e, at, "name", err);
    if (st == ST_OK && strpbrk(e->name, "|/ \t\n"))
        return wrong(e, at, "name", "one word without slash or bar", err);
    return st;
}

static enum status read_description(struct engine_config *e, const struct yaml *at, struct err *err)
{
    return copy_text(e->description, sizeof e->description, e, at, "description", err);
}

static enum status read_command(struct engine_config *e, const struct yaml *at, struct err *err)
{
    static const char allowed[] = "a list of a program and its arguments";
    char program[HOME_PATH_MAX];
    if (at->kind != YAML_LIST || at->count == 0)
        return wrong(e, at, "command", allowed, err);
    e->command = calloc(at->count + 1, sizeof *e->command);
    for (size_t i = 0; e->command && i < at->count; i++) {
        const struct yaml *item = at->items[i];
        if (item->kind != YAML_SCALAR || (i == 0 && !*item->text))
            return wrong(e, item, "command", allowed, err);
        bool found = i == 0 && home_program(program, item->text, NULL) == ST_OK;
        e->command[i] = strdup(found ? program : item->text);
        if (!e->command[i])
            break;
    }
    return e->command && e->command[at->count - 1]
               ? ST_OK : err_set(err, ST_INTERNAL, "%s: not enough memory for the command", e->file);
}

static enum status read_environment(struct engine_config *e, const struct yaml *at, struct err *err)
{
    if (at->kind != YAML_MAP)
        return wrong(e, at, "env", "a map of names and texts", err);
    e->environment = calloc(at->count + 1, sizeof *e->environment);
    for (size_t i = 0; e->environment && i < at->count; i++) {
        if (at->items[i]->kind != YAML_SCALAR)
            return wrong(e, at->items[i], "env", "a map of names and texts", err);
        if (!*at->keys[i]->text || strchr(at->keys[i]->text, '='))
            return wrong(e, at->keys[i], "env", "a map of names without \"=\"", err);
        if (asprintf(&e->environment[i], "%s=%s", at->keys[i]->text, at->items[i]->text) < 0) {
            e->environment[i] = NULL;
            return err_set(err, ST_INTERNAL, "%s: not enough memory for env", e->file);
        }
    }
    return e->environment ? ST_OK : err_set(err, ST_INTERNAL, "%s: not enough memory for env", e->file);
}

static enum status read_devices(struct engine_config *e, const struct yaml *at, struct err *err)
{
    static const char allowed[] = "a list of cpu, cuda";
    if (at->kind != YAML_LIST || at->count == 0)
        return wrong(e, at, "devices", allowed, err);
    e->kinds_told = true;
    for (size_t i = 0; i < at->count; i++) {
        const char *kind = at->items[i]->kind == YAML_SCALAR ? at->items[i]->text : "";
        if (strcmp(kind, "cpu") != 0 && strcmp(kind, "cuda") != 0)
            return wrong(e, at->items[i], "devices", allowed, err);
        *(strcmp(kind, "cpu") == 0 ? &e->kind_cpu : &e->kind_cuda) = true;
    }
    return ST_OK;
}

bool engine_config_runs_on(const struct engine_config *e, const char *device)
{
    return !e->kinds_told || (e->kind_cpu && strncmp(device, "cpu:", 4) == 0) ||
           (e->kind_cuda && strncmp(device, "cuda:", 5) == 0);
}

static enum status read_library_path(struct engine_config *e, const struct yaml *at, struct err *err)
{
    static const char allowed[] = "a folder, or a list of folders without a colon";
    char joined[4096] = "";
    const bool list = at->kind == YAML_LIST;
    for (size_t i = 0; i < (list ? at->count : 1); i++) {
        const struct yaml *item = list ? at->items[i] : at;
        const size_t used = strlen(joined);
        if (item->kind != YAML_SCALAR || !*item->text || strchr(item->text, ':'))
            return wrong(e, item, "library_path", allowed, err);
        snprintf(joined + used, sizeof joined - used, "%s%s", i ? ":" : "", item->text);
    }
    if (!*joined)
        return wrong(e, at, "library_path", allowed, err);
    e->library_path = strdup(joined);
    return e->library_path ? ST_OK
                           : err_set(err, ST_INTERNAL, "%s: not enough memory for library_path", e->file);
}

static const struct engine_key {
    const char *name;
    bool required;
    enum status (*read)(struct engine_config *e, const struct yaml *at, struct err *err);
} keys[] = {
    { "name", true, read_name },
    { "command", true, read_command },
    { "description", false, read_description },
    { "env", false, read_environment },
    { "devices", false, read_devices },
    { "library_path", false, read_library_path },
};

/* --- a file --------------------------------------------------------------------------------------------- */

static enum status unknown_key(const struct engine_config *e, const struct yaml *key, struct err *err)
{
    const char *names[LEN(keys)];
    for (size_t i = 0; i < LEN(keys); i++)
        names[i] = keys[i].name;
    const char *near = text_nearest(key->text, names, LEN(keys));
    return err_set(err, ST_CONFIG, "%s:%d:%d: there is no key \"%.80s\" for an engine%s%s%s", e->file,
                   key->line, key->column, key->text,
                   near ? " (did you mean \""
                        : "; known are name, command, description, env, devices, library_path",
                   near ? near : "", near ? "\"?)" : "");
}

/* The worker finds it in its environment. */
static enum status pass_library_path(struct engine_config *e, struct err *err)
{
    size_t count = 0;
    while (e->environment && e->environment[count])
        count++;
    char **more = realloc(e->environment, (count + 2) * sizeof *more);
    if (more)
        e->environment = more;
    if (!more || asprintf(&more[count], "BENCH_CUDA_LIBRARY_PATH=%s", e->library_path) < 0) {
        if (more)
            more[count] = NULL;
        return err_set(err, ST_INTERNAL, "%s: not enough memory for library_path", e->file);
    }
    more[count + 1] = NULL;
    return ST_OK;
}

static enum status read_tree(struct engine_config *e, const struct yaml *tree, struct err *err)
{
    if (tree->kind != YAML_MAP)
        return err_set(err, ST_CONFIG, "%s:%d:%d: an engine must be a map of keys and values", e->file,
                       tree->line, tree->column);
    enum status st = ST_OK;
    for (size_t i = 0; i < tree->count && st == ST_OK; i++) {
        size_t k = 0;
        while (k < LEN(keys) && strcmp(keys[k].name, tree->keys[i]->text) != 0)
            k++;
        st = k < LEN(keys) ? keys[k].read(e, tree->items[i], err) : unknown_key(e, tree->keys[i], err);
    }
    for (size_t k = 0; k < LEN(keys) && st == ST_OK; k++)
        if (keys[k].required && !yaml_get(tree, keys[k].name))
            st = err_set(err, ST_CONFIG, "%s:%d:%d: the key %s is missing", e->file, tree->line, tree->column,
                         keys[k].name);
    return st == ST_OK && e->library_path ? pass_library_path(e, err) : st;
}

static enum status read_path(struct engine_config *out, const char *path, struct err *err)
{
    struct yaml *tree = NULL;
    *out = (struct engine_config){ 0 };
    snprintf(out->file, sizeof out->file, "%s", path);
    enum status st = yaml_read_file(&tree, path, err);
    if (st == ST_OK)
        st = read_tree(out, tree, err);
    yaml_free(tree);
    if (st != ST_OK)
        engine_config_free(out);
    return st;
}

/* --- the folder ----------------------------------------------------------------------------------------- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_engine(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && text_ends_in(entry->d_name, ".yaml");
}

/* The engine files of the folder, sorted. Free each, then the list. */
static enum status scan(struct dirent ***out, size_t *count, char *folder, struct err *err)
{
    *out = NULL;
    *count = 0;
    enum status st = home_path(folder, ENGINES, err);
    if (st != ST_OK)
        return st;
    int found = scandir(folder, out, is_engine, by_name);
    if (found < 0)
        return err_set(err, ST_IO, "the folder of engines %s cannot be read: %s", folder, strerror(errno));
    *count = (size_t)found;
    for (size_t i = 0; i < *count; i++) /* names from here on */
        (*out)[i]->d_name[strlen((*out)[i]->d_name) - 5] = 0;
    return ST_OK;
}

static void free_scan(struct dirent **entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
}

static enum status unknown_engine(const char *engine, struct dirent **entries, size_t count, struct err *err)
{
    const char *names[64];
    char list[512] = "";
    size_t used = 0, named = count < LEN(names) ? count : LEN(names);
    for (size_t i = 0; i < named; i++) {
        names[i] = entries[i]->d_name;
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = text_nearest(engine, names, named);
    return err_set(err, ST_USAGE, "there is no engine \"%.80s\"%s%s%s; known are: %s", engine,
                   near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "",
                   named ? list : "none");
}

enum status engine_config_read(struct engine_config *out, const char *engine, struct err *err)
{
    char folder[HOME_PATH_MAX], path[HOME_PATH_MAX + 300];
    struct dirent **entries;
    size_t count;
    bool known = false;
    *out = (struct engine_config){ 0 };
    if (text_ends_in(engine, ".yaml"))
        return read_path(out, engine, err);
    enum status st = scan(&entries, &count, folder, err);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < count; i++)
        known = known || strcmp(entries[i]->d_name, engine) == 0;
    snprintf(path, sizeof path, "%s/%s.yaml", folder, engine);
    st = known ? read_path(out, path, err) : unknown_engine(engine, entries, count, err);
    free_scan(entries, count);
    if (st == ST_OK && strcmp(out->name, engine) != 0) {
        st = err_set(err, ST_CONFIG, "%s: its name is \"%s\" and must be \"%s\", as the file is called", path,
                     out->name, engine);
        engine_config_free(out);
    }
    return st;
}

enum status engine_config_list(struct engine_config **out, size_t *count, struct err *err)
{
    char folder[HOME_PATH_MAX];
    struct dirent **entries;
    size_t found, done = 0;
    *out = NULL;
    *count = 0;
    enum status st = scan(&entries, &found, folder, err);
    if (st != ST_OK)
        return st;
    struct engine_config *list = calloc(found ? found : 1, sizeof *list);
    if (!list)
        st = err_set(err, ST_INTERNAL, "not enough memory for %zu engines", found);
    for (; done < found && st == ST_OK; done += st == ST_OK)
        st = engine_config_read(&list[done], entries[done]->d_name, err);
    free_scan(entries, found);
    if (st == ST_OK) {
        *out = list;
        *count = found;
        return ST_OK;
    }
    for (size_t i = 0; list && i < done; i++)
        engine_config_free(&list[i]);
    free(list);
    return st;
}
