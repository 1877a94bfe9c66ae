#include "bench/measure/comparability.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/sha256.h"
#include "kernels/worker/protocol.h"

/* Parts of a target's key, in its order. */
static const char *const parts[] = { "model",   "engine",    "device", "precision",
                                     "threads", "instances", "input",  "mode" };

static void write_value(char *out, const struct field_row *f)
{
    if (f->is_number)
        snprintf(out, RECORD_TEXT, "%.17g", f->number);
    else
        snprintf(out, RECORD_TEXT, "%s", *f->absent ? f->absent : f->text);
}

static int is_key(const struct field_row *f)
{
    return strcmp(f->class_name, "key") == 0;
}

void comparability_hash(char out[RECORD_HASH], const struct field_row *env, size_t n,
                        const char *model_sha256, const char *target_key)
{
    char value[RECORD_TEXT], line[RECORD_NAME + RECORD_TEXT + 4];
    struct sha256 *s = sha256_open();
    *out = 0;
    if (!s)
        return;
    for (size_t i = 0; i < n; i++)
        if (is_key(&env[i])) {
            write_value(value, &env[i]);
            int size = snprintf(line, sizeof line, "%s=%s\n", env[i].name, value);
            sha256_add(s, line, (size_t)size);
        }
    int size = snprintf(line, sizeof line, "protocol=%d\nmodel=%s\n", PROTOCOL_VERSION, model_sha256);
    sha256_add(s, line, (size_t)size);
    sha256_add(s, target_key, strlen(target_key));
    sha256_close(s, out);
}

static const struct field_row *find(const struct field_row *rows, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

const char *comparability_field(char *was, char *is, const struct field_row *then, size_t then_count,
                                const struct field_row *now, size_t now_count)
{
    for (size_t i = 0; i < then_count; i++) {
        if (!is_key(&then[i]))
            continue;
        const struct field_row *f = find(now, now_count, then[i].name);
        write_value(was, &then[i]);
        snprintf(is, RECORD_TEXT, "absent");
        if (f)
            write_value(is, f);
        if (strcmp(was, is) != 0)
            return then[i].name;
    }
    return NULL;
}

/* Copies the part that begins at text and returns the start of the next; NULL after the last. */
static const char *take_part(char *out, const char *text)
{
    size_t size = strcspn(text, "|");
    snprintf(out, RECORD_TEXT, "%.*s", (int)size, text);
    return text[size] ? text + size + 1 : NULL;
}

const char *comparability_key_field(char *was, char *is, const char *then, const char *now)
{
    for (size_t i = 0; then && now && i < sizeof parts / sizeof parts[0]; i++) {
        then = take_part(was, then);
        now = take_part(is, now);
        if (strcmp(was, is) != 0)
            return parts[i];
    }
    return NULL;
}
