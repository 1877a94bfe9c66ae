#include "bench/output/batch_sizes_rules.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/json.h"
#include "kernels/base/sha256.h"

static bool wrong(const json_t *got, const char *key, const char *wanted, char *out, size_t size)
{
    char *text = got ? json_write_text(got, JSON_LINE) : NULL;
    snprintf(out, size, "%s must be %s, got %.60s", key, wanted, text ? text : "nothing");
    free(text);
    return false;
}

bool batch_sizes_entry_is_sound(const json_t *entry, json_int_t ceiling, const char **key, char *out,
                                size_t size)
{
    static const char *const integers[] = { "optimal_batch_size", "max_safe_batch_size", "memory_limit_mb" };
    *key = "";
    if (!json_is_object(entry))
        return wrong(entry, "the entry", "an object", out, size);
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        const json_t *value = json_object_get(entry, *key = integers[i]);
        if (!json_is_integer(value) || json_integer_value(value) < 1)
            return wrong(value, *key, "an integer >= 1 without a point", out, size);
    }
    const json_t *max_safe = json_object_get(entry, *key = "max_safe_batch_size");
    json_int_t optimal = json_integer_value(json_object_get(entry, "optimal_batch_size"));
    char wanted[80];
    snprintf(wanted, sizeof wanted, ">= optimal_batch_size (%" JSON_INTEGER_FORMAT ")", optimal);
    if (json_integer_value(max_safe) < optimal)
        return wrong(max_safe, *key, wanted, out, size);
    snprintf(wanted, sizeof wanted, "<= memory.ceiling_batch (%" JSON_INTEGER_FORMAT ")", ceiling);
    if (ceiling && json_integer_value(max_safe) > ceiling)
        return wrong(max_safe, *key, wanted, out, size);
    const json_t *rate = json_object_get(entry, *key = "expected_throughput");
    if (!json_is_number(rate) || !(json_number_value(rate) > 0))
        return wrong(rate, *key, "a number > 0", out, size);
    return true;
}

json_t *batch_sizes_model(const json_t *document, const char *model)
{
    return json_object_get(json_object_get(json_object_get(document, "autotune"), "models"), model);
}

json_int_t batch_sizes_schema(const json_t *document)
{
    return json_integer_value(json_object_get(json_object_get(document, "autotune"), "schema"));
}

int batch_sizes_confidence(const json_t *decision)
{
    static const char *const words[] = { "coarse", "undecided", "within", "decided" };
    const char *word = json_string_value(json_object_get(decision, "confidence"));
    for (int i = 0; word && i < 4; i++)
        if (strcmp(word, words[i]) == 0)
            return 2 * (i + 1) + json_is_true(json_object_get(decision, "verified"));
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Deep copy with the members of every object in the order of their names. NULL if memory is out. */
static json_t *sorted_copy(const json_t *value)
{
    if (!json_is_object(value))
        return json_deep_copy(value);
    const char **names = calloc(json_object_size(value) + 1, sizeof *names);
    json_t *copy = names ? json_object() : NULL, *member;
    const char *name;
    size_t count = 0;
    if (copy)
        json_object_foreach((json_t *)(uintptr_t)value, name, member)
            names[count++] = name;
    if (count > 1)
        qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++)
        json_object_set_new(copy, names[i], sorted_copy(json_object_get(value, names[i])));
    free(names);
    return copy;
}

void batch_sizes_environment_id(char id[13], const json_t *environment)
{
    json_t *sorted = sorted_copy(environment);
    char *text = json_write_text(sorted, JSON_LINE), hex[SHA256_HEX_SIZE] = "";
    if (text)
        sha256_of(hex, text, strlen(text));
    snprintf(id, 13, "%.12s", hex);
    free(text);
    json_decref(sorted);
}
