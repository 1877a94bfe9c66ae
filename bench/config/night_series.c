/* night_series.c - the value of nightly.series: what single series of a night have of their own. */
#include <stdlib.h>
#include <string.h>

#include "bench/config/row.h"
#include "kernels/base/text.h"

static const char delta_key[] = "delta", group_key[] = "group";

static void allowed(char *out, size_t size, const struct config_row *row)
{
    snprintf(out, size, "a map {PATTERN: {delta: %g%%..%g%%, group: WORD}}", row->min, row->max);
}

static void release(struct config *c, const struct config_row *row)
{
    (void)row;
    free(c->night_series);
    c->night_series = NULL;
    c->night_series_count = 0;
}

/* "4%" and "4" are both 0.04. */
static bool read_delta(struct night_series *one, const struct config_row *row, const char *text)
{
    if (text_fraction(&one->delta, text))
        return false;
    one->delta /= strchr(text, '%') ? 1 : 100;
    return one->delta * 100 >= row->min - 1e-9 && one->delta * 100 <= row->max + 1e-9;
}

static bool read_group(struct night_series *one, const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t n = strlen(text);
    if (n == 0 || n >= sizeof one->group || strspn(text, letters) != n)
        return false;
    memcpy(one->group, text, n + 1);
    return true;
}

static enum status read_pair(struct night_series *one, const struct config_row *row, const struct config_value *v,
                             const struct yaml *key, const struct yaml *value, struct err *err)
{
    static const char *const keys[] = { delta_key, group_key };
    bool delta = strcmp(key->text, delta_key) == 0;
    if (!delta && strcmp(key->text, group_key) != 0)
        return config_refuse_node(row, v, key, text_nearest(key->text, keys, 2), err);
    if (value->kind != YAML_SCALAR || !(delta ? read_delta(one, row, value->text) : read_group(one, value->text)))
        return config_refuse_node(row, v, value, NULL, err);
    return ST_OK;
}

static enum status read_one(struct night_series *one, const struct config_row *row, const struct config_value *v,
                            const struct yaml *pattern, const struct yaml *map, struct err *err)
{
    size_t n = strlen(pattern->text);
    enum status st = ST_OK;
    if (map->kind != YAML_MAP || map->count == 0)
        return config_refuse_node(row, v, map, NULL, err);
    if (n == 0 || n >= sizeof one->pattern)
        return config_refuse_node(row, v, pattern, NULL, err);
    memcpy(one->pattern, pattern->text, n + 1);
    for (size_t i = 0; i < map->count && st == ST_OK; i++)
        st = read_pair(one, row, v, map->keys[i], map->items[i], err);
    return st;
}

static enum status read(struct config *c, const struct config_row *row, const struct config_value *v, struct err *err)
{
    if (!v->node || v->node->kind != YAML_MAP)
        return config_refuse(row, v, v->whole ? v->whole : "a list", NULL, err);
    size_t count = v->node->count;
    struct night_series *list = calloc(count + 1, sizeof *list);
    enum status st = list ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "%s: no memory for %zu patterns", v->where, count);
    for (size_t i = 0; i < count && st == ST_OK; i++)
        st = read_one(&list[i], row, v, v->node->keys[i], v->node->items[i], err);
    if (st != ST_OK) {
        free(list);
        return st;
    }
    release(c, row);
    c->night_series = list;
    c->night_series_count = count;
    return ST_OK;
}

static bool write(FILE *out, const struct config *c, const struct config_row *row)
{
    (void)row;
    for (size_t i = 0; i < c->night_series_count; i++) {
        const struct night_series *one = &c->night_series[i];
        fputs(i ? ", " : "{", out);
        config_write_quoted(out, one->pattern);
        fputs(": {", out);
        if (one->delta > 0)
            fprintf(out, "%s: %.10g%%", delta_key, 100 * one->delta);
        if (*one->group)
            fprintf(out, "%s%s: ", one->delta > 0 ? ", " : "", group_key);
        if (*one->group)
            config_write_quoted(out, one->group);
        fputs("}", out);
    }
    fputs(c->night_series_count ? "}" : "", out);
    return c->night_series_count > 0;
}

const struct config_type config_type_night_series = {
    .read = read, .write = write, .release = release, .allowed = allowed
};
