/* The types of several values: names, threads, batch sizes, and the rows of output.for. */
#include "bench/config/row.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/len.h"
#include "kernels/base/text.h"

#define WHERE_ROOM 4200

static enum status no_memory(const struct config_value *v, struct err *err)
{
    return err_set(err, ST_INTERNAL, "%s: not enough memory for the list", v->where);
}

/* --- names ---------------------------------------------------------------------------------------------- */

static void names_allowed(char *out, size_t size, const struct config_row *row)
{
    size_t used = (size_t)snprintf(out, size, "a list of %s", row->choices ? "some of" : "names, each once");
    for (size_t i = 0; i < row->choice_count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s %s", i ? "," : "", row->choices[i]);
}

static void names_release(struct config *c, const struct config_row *row)
{
    struct name_list *list = config_field(c, row);
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct name_list){ 0 };
}

static bool is_choice(const struct config_row *row, const char *name)
{
    bool found = !row->choices;
    for (size_t i = 0; i < row->choice_count; i++)
        found = found || strcmp(name, row->choices[i]) == 0;
    return found;
}

/* Is there a thing of this name? Its sentence gets the place of the item. */
static enum status look_up(const struct config *c, const struct config_row *row,
                           const struct config_value *item, const char *name, struct err *err)
{
    if (!c->look_up || !row->look_up)
        return ST_OK;
    enum status st = row->look_up(name, err);
    if (st == ST_USAGE || st == ST_CONFIG) {
        st = item->key ? ST_CONFIG : ST_USAGE;
        err_prefix(err, "%s", item->where);
        err->status = st;
    }
    return st;
}

/* Every item a name of its own and, where the row has choices, one of them. */
static enum status check_names(const struct config *c, const struct config_row *row,
                               const struct config_value *v, struct err *err)
{
    char where[WHERE_ROOM];
    enum status st = v->count ? ST_OK : config_refuse(row, v, "", NULL, err);
    for (size_t i = 0; i < v->count && st == ST_OK; i++) {
        struct config_value item = config_item(where, sizeof where, v, i);
        const char *name = v->items[i];
        if (!*name)
            return config_refuse(row, &item, v->whole ? v->whole : "", NULL, err);
        if (!is_choice(row, name))
            return config_refuse(row, &item, name, text_nearest(name, row->choices, row->choice_count), err);
        for (size_t j = 0; j < i; j++)
            if (strcmp(name, v->items[j]) == 0)
                return config_refuse(row, &item, v->whole ? v->whole : name, NULL, err);
        st = look_up(c, row, &item, name, err);
    }
    return st;
}

static enum status names_read(struct config *c, const struct config_row *row, const struct config_value *v,
                              struct err *err)
{
    enum status st = check_names(c, row, v, err);
    if (st != ST_OK)
        return st;
    names_release(c, row);
    struct name_list *list = config_field(c, row);
    list->names = calloc(v->count, sizeof *list->names);
    for (size_t i = 0; list->names && i < v->count; i++) {
        list->names[i] = strdup(v->items[i]);
        if (!list->names[i])
            return no_memory(v, err);
        list->count = i + 1;
    }
    return list->names ? ST_OK : no_memory(v, err);
}

static bool names_write(FILE *out, const struct config *c, const struct config_row *row)
{
    const struct name_list *list = config_field(c, row);
    if (list->count == 0)
        return false;
    for (size_t i = 0; i < list->count; i++) {
        fputs(i ? ", " : "[", out);
        config_write_quoted(out, list->names[i]);
    }
    fputs("]", out);
    return true;
}

const struct config_type config_type_names = {
    .read = names_read, .write = names_write, .release = names_release, .allowed = names_allowed
};

/* --- whole numbers -------------------------------------------------------------------------------------- */

static void ints_release(struct int_list *list)
{
    free(list->values);
    *list = (struct int_list){ 0 };
}

static int by_value(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* A whole number within the row's range, without a sign; -1 if it is none. */
static int item_number(const char *text, const struct config_row *row)
{
    int64_t value;
    bool good = text[0] >= '0' && text[0] <= '9' && text_int(&value, text) == 0 &&
                (double)value >= row->min && (double)value <= row->max;
    return good ? (int)value : -1;
}

/* "8" or "1..16" as first and last; 0 if it is a range that goes up or a number. */
static int item_range(int *first, int *last, const char *text, const struct config_row *row)
{
    char left[16];
    const char *dots = strstr(text, "..");
    if (!dots) {
        *first = *last = item_number(text, row);
        return *first < 0 ? -1 : 0;
    }
    if ((size_t)(dots - text) >= sizeof left)
        return -1;
    snprintf(left, sizeof left, "%.*s", (int)(dots - text), text);
    *first = item_number(left, row);
    *last = item_number(dots + 2, row);
    return *first < 0 || *last < *first ? -1 : 0;
}

static bool only_auto(const struct config_value *v)
{
    return v->count == 1 && strcmp(v->items[0], "auto") == 0;
}

/* Marks the sizes of all items in seen[max + 1]; a size twice is refused. */
static enum status mark_sizes(bool *seen, size_t *count, const struct config_row *row,
                              const struct config_value *v, struct err *err)
{
    char where[WHERE_ROOM];
    *count = 0;
    for (size_t i = 0; i < v->count; i++) {
        struct config_value item = config_item(where, sizeof where, v, i);
        int first, last;
        if (item_range(&first, &last, v->items[i], row))
            return config_refuse(row, &item, *v->items[i] || !v->whole ? v->items[i] : v->whole, NULL, err);
        for (int b = first; b <= last; b++) {
            if (seen[b])
                return config_refuse(row, &item, v->whole ? v->whole : v->items[i], NULL, err);
            seen[b] = true;
            ++*count;
        }
    }
    return *count ? ST_OK : config_refuse(row, v, "", NULL, err);
}

static void batches_allowed(char *out, size_t size, const struct config_row *row)
{
    snprintf(out, size, "auto, a list (1,2,4) or a range (1..16) of whole numbers %.0f..%.0f, each once",
             row->min, row->max);
}

static void batches_release(struct config *c, const struct config_row *row)
{
    (void)row;
    ints_release(&c->batches);
}

static enum status batches_read(struct config *c, const struct config_row *row, const struct config_value *v,
                                struct err *err)
{
    bool seen[BATCH_MAX + 1] = { false };
    size_t count;
    if (only_auto(v)) {
        ints_release(&c->batches);
        c->batches_auto = true;
        return ST_OK;
    }
    enum status st = mark_sizes(seen, &count, row, v, err);
    if (st != ST_OK)
        return st;
    int *values = calloc(count, sizeof *values);
    if (!values)
        return no_memory(v, err);
    ints_release(&c->batches);
    c->batches.values = values;
    for (int b = 1; b <= BATCH_MAX; b++)
        if (seen[b])
            values[c->batches.count++] = b;
    c->batches_auto = false;
    return ST_OK;
}

static bool write_ints(FILE *out, const struct int_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        fprintf(out, "%s%d", i ? ", " : "[", list->values[i]);
    fputs("]", out);
    return true;
}

static bool batches_write(FILE *out, const struct config *c, const struct config_row *row)
{
    (void)row;
    if (!c->batches_auto)
        return write_ints(out, &c->batches);
    fputs("auto", out);
    return true;
}

const struct config_type config_type_batches = { .read = batches_read, .write = batches_write,
                                                 .release = batches_release, .allowed = batches_allowed };

static void counts_allowed(char *out, size_t size, const struct config_row *row)
{
    snprintf(out, size, "a list of whole numbers %.0f..%.0f, each once", row->min, row->max);
}

static void threads_allowed(char *out, size_t size, const struct config_row *row)
{
    snprintf(out, size, "auto, or a list of whole numbers %.0f..%.0f, each once", row->min, row->max);
}

static void counts_release(struct config *c, const struct config_row *row)
{
    ints_release(config_field(c, row));
}

/* Only threads may be `auto`, which is stored as 0. */
static int item_count(const char *text, const struct config_row *row)
{
    bool is_auto = row->type == &config_type_threads && strcmp(text, "auto") == 0;
    return is_auto ? 0 : item_number(text, row);
}

static enum status counts_read(struct config *c, const struct config_row *row, const struct config_value *v,
                               struct err *err)
{
    int *values = calloc(v->count ? v->count : 1, sizeof *values);
    if (!values)
        return no_memory(v, err);
    const char *bad = v->count ? NULL : "";
    for (size_t i = 0; i < v->count && !bad; i++) {
        values[i] = item_count(v->items[i], row);
        bad = values[i] < 0 ? v->items[i] : NULL;
    }
    if (!bad)
        qsort(values, v->count, sizeof *values, by_value);
    for (size_t i = 1; i < v->count && !bad; i++)
        bad = values[i] == values[i - 1] ? (v->whole ? v->whole : v->items[i]) : NULL;
    if (bad) {
        free(values);
        return config_refuse(row, v, bad, NULL, err);
    }
    ints_release(config_field(c, row));
    *(struct int_list *)config_field(c, row) = (struct int_list){ values, v->count };
    return ST_OK;
}

static bool counts_write(FILE *out, const struct config *c, const struct config_row *row)
{
    const struct int_list *list = config_field(c, row);
    for (size_t i = 0; i < list->count; i++)
        if (list->values[i] == 0)
            fprintf(out, "%sauto", i ? ", " : "[");
        else
            fprintf(out, "%s%d", i ? ", " : "[", list->values[i]);
    fputs("]", out);
    return true;
}

const struct config_type config_type_threads = { .read = counts_read, .write = counts_write,
                                                 .release = counts_release, .allowed = threads_allowed };
const struct config_type config_type_counts = { .read = counts_read, .write = counts_write,
                                                .release = counts_release, .allowed = counts_allowed };

/* --- output.for ----------------------------------------------------------------------------------------- */

static const struct for_key {
    const char *name;
    size_t offset, size;
} for_keys[] = {
#define FOR_KEY(field) { #field, offsetof(struct output_for, field), sizeof((struct output_for *)0)->field }
    FOR_KEY(engine), FOR_KEY(device), FOR_KEY(precision),
#undef FOR_KEY
};

static void for_allowed(char *out, size_t size, const struct config_row *row)
{
    (void)row;
    snprintf(out, size, "a map {MODEL or \"*\": {engine: E, device: D, precision: P}}");
}

static void for_release(struct config *c, const struct config_row *row)
{
    (void)row;
    free(c->output_for);
    c->output_for = NULL;
    c->output_for_count = 0;
}

static enum status for_read_pair(struct output_for *one, const struct config_row *row,
                                 const struct config_value *v, const struct yaml *key,
                                 const struct yaml *value, struct err *err)
{
    const char *names[LEN(for_keys)];
    for (size_t i = 0; i < LEN(for_keys); i++) {
        names[i] = for_keys[i].name;
        if (strcmp(key->text, for_keys[i].name) != 0)
            continue;
        if (value->kind != YAML_SCALAR || !*value->text || strlen(value->text) >= for_keys[i].size)
            return config_refuse_node(row, v, value, NULL, err);
        strcpy((char *)one + for_keys[i].offset, value->text);
        return ST_OK;
    }
    return config_refuse_node(row, v, key, text_nearest(key->text, names, LEN(for_keys)), err);
}

static enum status for_read_row(struct output_for *one, const struct config_row *row,
                                const struct config_value *v, const struct yaml *model,
                                const struct yaml *map, struct err *err)
{
    if (map->kind != YAML_MAP || map->count == 0)
        return config_refuse_node(row, v, map, NULL, err);
    if (!*model->text || strlen(model->text) >= sizeof one->model)
        return config_refuse_node(row, v, model, NULL, err);
    if (strcmp(model->text, "*") != 0)
        strcpy(one->model, model->text);
    enum status st = ST_OK;
    for (size_t i = 0; i < map->count && st == ST_OK; i++)
        st = for_read_pair(one, row, v, map->keys[i], map->items[i], err);
    return st;
}

static enum status for_read(struct config *c, const struct config_row *row, const struct config_value *v,
                            struct err *err)
{
    if (!v->node || v->node->kind != YAML_MAP)
        return config_refuse(row, v, v->whole ? v->whole : "a list", NULL, err);
    size_t count = v->node->count;
    struct output_for *list = calloc(count ? count : 1, sizeof *list);
    enum status st = list ? ST_OK : no_memory(v, err);
    for (size_t i = 0; i < count && st == ST_OK; i++)
        st = for_read_row(&list[i], row, v, v->node->keys[i], v->node->items[i], err);
    if (st != ST_OK) {
        free(list);
        return st;
    }
    for_release(c, row);
    c->output_for = list;
    c->output_for_count = count;
    return ST_OK;
}

static bool for_write(FILE *out, const struct config *c, const struct config_row *row)
{
    (void)row;
    if (c->output_for_count == 0)
        return false;
    for (size_t i = 0; i < c->output_for_count; i++) {
        const struct output_for *one = &c->output_for[i];
        fputs(i ? ", " : "{", out);
        config_write_quoted(out, *one->model ? one->model : "*");
        fputs(": {", out);
        const char *comma = "";
        for (size_t k = 0; k < LEN(for_keys); k++) {
            const char *text = (const char *)one + for_keys[k].offset;
            if (!*text)
                continue;
            fprintf(out, "%s%s: ", comma, for_keys[k].name);
            config_write_quoted(out, text);
            comma = ", ";
        }
        fputs("}", out);
    }
    fputs("}", out);
    return true;
}

const struct config_type config_type_output_for = {
    .read = for_read, .write = for_write, .release = for_release, .allowed = for_allowed
};
