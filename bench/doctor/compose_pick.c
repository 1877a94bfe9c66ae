/* What the rules need of a merged service, as plain structures. */
#include "bench/doctor/compose.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/base/json.h"
#include "kernels/base/len.h"

/* docker's own: interval 30 s, 3 retries, no start period */
#define HEALTH_INTERVAL_S 30
#define HEALTH_RETRIES 3
#define CONFIG_FILE_MAX ((size_t)16 << 20)

struct picking {
    struct compose *c;
    const char *const *files;        /* by yaml.source */
};

/* --- values ------------------------------------------------------------------------------------------------ */

static struct compose_place place_of(const struct picking *p, const struct yaml *y)
{
    return (struct compose_place){ p->files[y->source], y->line, y->column };
}

static bool is_null(const struct yaml *y)
{
    return y->kind == YAML_SCALAR && !y->quoted &&
           (!*y->text || strcmp(y->text, "~") == 0 || strcmp(y->text, "null") == 0);
}

struct compose_text compose_pick_text(struct compose *c, const char *file, const struct yaml *node)
{
    struct compose_text out = { NULL, false, { NULL, 0, 0 } };
    if (!node || node->kind != YAML_SCALAR || is_null(node))
        return out;
    out.at = (struct compose_place){ file, node->line, node->column };
    out.text = compose_expand(c, node->text);
    out.unread = !out.text;
    return out;
}

static struct compose_text pick_text(const struct picking *p, const struct yaml *map, const char *key)
{
    const struct yaml *node = yaml_get(map, key);
    return compose_pick_text(p->c, node ? p->files[node->source] : NULL, node);
}

/* A list of scalars, or one scalar. */
static struct compose_texts pick_texts(const struct picking *p, const struct yaml *node)
{
    struct compose_texts out = { .items = NULL };
    if (!node || is_null(node))
        return out;
    const size_t count = node->kind == YAML_LIST ? node->count : node->kind == YAML_SCALAR;
    out.at = place_of(p, node);
    out.items = compose_room(p->c, count, sizeof *out.items);
    for (size_t i = 0; out.items && i < count; i++) {
        const struct yaml *item = node->kind == YAML_LIST ? node->items[i] : node;
        out.items[out.count++] = compose_pick_text(p->c, p->files[item->source], item);
    }
    return out;
}

/* --- GPUs -------------------------------------------------------------------------------------------------- */

static const struct yaml *first_of(const struct yaml *map, const char *key, const char *or)
{
    const struct yaml *y = yaml_get(map, key);
    return y ? y : yaml_get(map, or);
}

/* One entry; the Engine API writes Count and DeviceIDs, and `gpus: all` has nothing else. */
static struct compose_request pick_request(const struct picking *p, const struct yaml *y)
{
    const struct yaml *count = first_of(y, "count", "Count"), *driver = first_of(y, "driver", "Driver");
    count = y->kind == YAML_SCALAR ? y : count;
    return (struct compose_request){
        .at = place_of(p, y),
        .driver = compose_pick_text(p->c, driver ? p->files[driver->source] : NULL, driver),
        .count = compose_pick_text(p->c, count ? p->files[count->source] : NULL, count),
        .ids = pick_texts(p, first_of(y, "device_ids", "DeviceIDs")),
        .capabilities = pick_texts(p, first_of(y, "capabilities", "Capabilities")),
    };
}

static struct compose_requests pick_requests(const struct picking *p, const struct yaml *node)
{
    struct compose_requests out = { .items = NULL };
    if (!node || is_null(node))
        return out;
    const bool list = node->kind == YAML_LIST;
    const size_t count = list ? node->count : 1;
    out.at = place_of(p, node);
    out.items = compose_room(p->c, count, sizeof *out.items);
    for (size_t i = 0; out.items && i < count; i++)
        out.items[out.count++] = pick_request(p, list ? node->items[i] : node);
    return out;
}

/* device_requests or DeviceRequests, wherever people put it. */
static const struct yaml *find_unknown(const struct yaml *service)
{
    static const char *const names[] = { "device_requests", "DeviceRequests" };
    const struct yaml *deploy = yaml_get(service, "deploy"), *resources = yaml_get(deploy, "resources");
    const struct yaml *maps[] = { service, deploy, resources, yaml_get(resources, "reservations") };
    for (size_t m = 0; m < LEN(maps); m++)
        for (size_t n = 0; n < LEN(names); n++)
            if (yaml_get(maps[m], names[n]))
                return yaml_get(maps[m], names[n]);
    return NULL;
}

/* --- environment ------------------------------------------------------------------------------------------- */

static void add_variable(struct compose_service *s, const char *name, struct compose_text value)
{
    size_t i = 0;
    while (i < s->environment_count && strcmp(s->environment[i].name, name) != 0)
        i++;
    s->environment[i] = (struct compose_variable){ name, value };
    s->environment_count += i == s->environment_count;
}

/* env_file: paths, or maps with one; their places are those of the path. */
static struct compose_names *read_env_files(const struct picking *p, const struct yaml *node, size_t *count)
{
    const size_t most = node ? node->kind == YAML_LIST ? node->count : 1 : 0;
    struct compose_names *all = compose_room(p->c, most, sizeof *all);
    *count = 0;
    for (size_t i = 0; all && i < most; i++) {
        const struct yaml *item = node->kind == YAML_LIST ? node->items[i] : node;
        const struct yaml *path = item->kind == YAML_MAP ? yaml_get(item, "path") : item;
        const struct compose_text text = compose_pick_text(p->c, p->files[item->source], path);
        if (text.text)
            compose_read_names(p->c, &all[(*count)++], compose_path(p->c, text.text));
    }
    return all;
}

static void pick_environment(const struct picking *p, struct compose_service *s, const struct yaml *service)
{
    const struct yaml *map = yaml_get(service, "environment"), *files = yaml_get(service, "env_file");
    size_t file_count, most = map ? map->count : 0;
    const struct compose_names *names = read_env_files(p, files, &file_count);
    for (size_t f = 0; names && f < file_count; f++)
        most += names[f].count;
    s->environment = compose_room(p->c, most, sizeof *s->environment);
    if (!s->environment || !names)
        return;
    for (size_t f = 0; f < file_count; f++)
        for (size_t i = 0; i < names[f].count; i++)
            if (compose_knows(names[f].items[i].name))
                add_variable(s, names[f].items[i].name,
                             (struct compose_text){ names[f].items[i].value, false, place_of(p, files) });
    for (size_t i = 0; map && map->kind == YAML_MAP && i < map->count; i++) {
        if (!compose_knows(map->keys[i]->text))
            continue;
        struct compose_text value = compose_pick_text(p->c, p->files[map->items[i]->source], map->items[i]);
        value.unread |= !value.at.file; /* without a value it comes from the shell */
        value.at = place_of(p, map->keys[i]);
        add_variable(s, compose_format(p->c, "%s", map->keys[i]->text), value);
    }
}

const struct compose_text *compose_variable(const struct compose_service *s, const char *name)
{
    for (size_t i = 0; i < s->environment_count; i++)
        if (strcmp(s->environment[i].name, name) == 0)
            return &s->environment[i].value;
    return NULL;
}

/* --- volumes ----------------------------------------------------------------------------------------------- */

static bool is_path(const char *source)
{
    return *source == '/' || *source == '.' || *source == '~';
}

/* "SOURCE:TARGET[:MODE]", or "TARGET" */
static void split_volume(const struct picking *p, struct compose_volume *v, const char *text)
{
    const size_t first = strcspn(text, ":");
    if (!text[first]) {
        v->target = text;
        return;
    }
    const char *rest = text + first + 1;
    v->target = compose_format(p->c, "%.*s", (int)strcspn(rest, ":"), rest);
    if (is_path(text))
        v->source = compose_path(p->c, compose_format(p->c, "%.*s", (int)first, text));
}

static struct compose_volume pick_volume(const struct picking *p, const struct yaml *y)
{
    struct compose_volume v = { .at = place_of(p, y) };
    if (y->kind == YAML_MAP) {
        const struct compose_text source = pick_text(p, y, "source"), target = pick_text(p, y, "target");
        v.target = target.text;
        if (source.text && is_path(source.text))
            v.source = compose_path(p->c, source.text);
    } else {
        const struct compose_text text = compose_pick_text(p->c, v.at.file, y);
        if (text.text)
            split_volume(p, &v, text.text);
    }
    struct stat info;
    const char *name = v.target ? strrchr(v.target, '/') : NULL;
    if (v.source && stat(v.source, &info) == 0)
        v.file = S_ISREG(info.st_mode);
    else
        v.file = v.source && name && strchr(name, '.'); /* not here: by its name in the container */
    return v;
}

/* The last of a target counts. */
static void pick_volumes(const struct picking *p, struct compose_service *s, const struct yaml *list)
{
    s->volumes = compose_room(p->c, list ? list->count : 0, sizeof *s->volumes);
    for (size_t i = 0; s->volumes && list && list->kind == YAML_LIST && i < list->count; i++) {
        const struct compose_volume v = pick_volume(p, list->items[i]);
        size_t k = 0;
        while (k < s->volume_count && !(v.target && s->volumes[k].target && strcmp(v.target, s->volumes[k].target) == 0))
            k++;
        s->volumes[k] = v;
        s->volume_count += k == s->volume_count;
    }
}

/* --- health check ------------------------------------------------------------------------------------------ */

/* "1m30s", "90s", "500ms"; NaN: no duration. */
static double seconds_of(const char *text)
{
    static const struct { const char *unit; double s; } units[] = { { "ms", 1e-3 }, { "us", 1e-6 }, { "h", 3600 },
                                                                    { "m", 60 }, { "s", 1 } };
    double all = 0;
    if (!*text)
        return NAN;
    while (*text) {
        char *end;
        const double number = strtod(text, &end);
        size_t u = 0;
        while (u < LEN(units) && strncmp(end, units[u].unit, strlen(units[u].unit)) != 0)
            u++;
        if (end == text || u == LEN(units) || !(number >= 0))
            return NAN;
        all += number * units[u].s;
        text = end + strlen(units[u].unit);
    }
    return all;
}

static double pick_number(const struct picking *p, struct compose_health *h, const struct yaml *map, const char *key,
                          double (*read)(const char *), double preset)
{
    const struct compose_text text = pick_text(p, map, key);
    h->unread |= text.unread;
    return text.text ? read(text.text) : preset;
}

static struct compose_health pick_health(const struct picking *p, const struct yaml *map)
{
    struct compose_health h = { .start_period_s = 0 };
    const struct compose_text disable = pick_text(p, map, "disable");
    if (!map || map->kind != YAML_MAP || (disable.text && strcmp(disable.text, "true") == 0))
        return h;
    h.at = place_of(p, map);
    h.start_period_s = pick_number(p, &h, map, "start_period", seconds_of, 0);
    h.interval_s = pick_number(p, &h, map, "interval", seconds_of, HEALTH_INTERVAL_S);
    h.retries = pick_number(p, &h, map, "retries", atof, HEALTH_RETRIES);
    h.unread |= isnan(h.start_period_s + h.interval_s);
    return h;
}

/* First use of every measured model of a batch_sizes.json at its optimal size, together. */
static double first_use_of(const char *path)
{
    json_t *file = json_read_file(path, CONFIG_FILE_MAX, NULL), *model, *row;
    double ms = NAN;
    const char *name;
    size_t i;
    json_object_foreach(json_object_get(json_object_get(file, "autotune"), "models"), name, model) {
        const json_t *sizes = json_object_get(json_object_get(file, "batch_configurations"), name);
        const json_int_t batch = json_integer_value(json_object_get(sizes, "optimal_batch_size"));
        json_array_foreach(json_object_get(model, "curve"), i, row) {
            const json_t *first = json_object_get(row, "first_use_ms");
            if (json_integer_value(json_object_get(row, "batch")) == batch && json_is_number(first))
                ms = (isnan(ms) ? 0 : ms) + json_number_value(first);
        }
    }
    json_decref(file);
    return ms / 1000;
}

/* The batch_sizes.json that the service will read, as far as this machine shows it. */
static double pick_first_use(struct compose *c, const struct compose_service *s)
{
    for (size_t i = 0; i < s->volume_count; i++) {
        const struct compose_volume *v = &s->volumes[i];
        if (v->source && v->target && strcmp(v->target, COMPOSE_CONFIG) == 0)
            return first_use_of(compose_format(c, "%s/" COMPOSE_CONFIG_FILE, v->source));
        if (v->source && v->target && strcmp(v->target, COMPOSE_CONFIG "/" COMPOSE_CONFIG_FILE) == 0)
            return first_use_of(v->source);
    }
    return s->image.folder ? first_use_of(compose_format(c, "%s/config/" COMPOSE_CONFIG_FILE, s->image.folder)) : NAN;
}

/* --- all --------------------------------------------------------------------------------------------------- */

/* The newer place of a limit, else the older one. */
static struct compose_text pick_limit(const struct picking *p, const struct yaml *service, const char *key,
                                      const char *older)
{
    const struct yaml *resources = yaml_get(yaml_get(service, "deploy"), "resources");
    const struct compose_text limit = pick_text(p, yaml_get(resources, "limits"), key);
    return limit.at.file ? limit : pick_text(p, service, older);
}

void compose_pick(struct compose *c, struct compose_service *s, const struct yaml *key, const struct yaml *map,
                  const char *const *files)
{
    const struct picking p = { c, files };
    const struct yaml *resources = yaml_get(yaml_get(map, "deploy"), "resources");
    const struct yaml *extends = yaml_get(map, "extends");
    s->name = compose_format(c, "%s", key->text);
    s->at = place_of(&p, key);
    if (extends)
        s->extends_elsewhere = place_of(&p, extends);
    s->runtime = pick_text(&p, map, "runtime");
    s->memory = pick_limit(&p, map, "memory", "mem_limit");
    s->cpus = pick_limit(&p, map, "cpus", "cpus");
    s->reserved = pick_requests(&p, yaml_get(yaml_get(resources, "reservations"), "devices"));
    s->gpus = pick_requests(&p, yaml_get(map, "gpus"));
    s->unknown = pick_requests(&p, find_unknown(map));
    pick_environment(&p, s, map);
    pick_volumes(&p, s, yaml_get(map, "volumes"));
    s->health = pick_health(&p, yaml_get(map, "healthcheck"));
    compose_look_at_image(c, s, map);
    s->first_use_s = pick_first_use(c, s);
}
