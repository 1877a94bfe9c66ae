#include "kernels/base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

json_t *json_read_text(const char *name, const char *text, size_t size, struct err *err)
{
    json_error_t why;
    json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!value)
        err_set(err, ST_INVALID, "%s:%d:%d: %s", name, why.line, why.column, why.text);
    return value;
}

json_t *json_read_file(const char *path, size_t max_bytes, struct err *err)
{
    json_t *value = NULL;
    char *text = NULL;
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* nobody writes a pipe: no waiting */
    FILE *file = fd >= 0 ? fdopen(fd, "rb") : NULL;
    if (fd >= 0 && !file)
        close(fd);
    if (!file || fstat(fileno(file), &info) != 0 || S_ISDIR(info.st_mode)) {
        err_set(err, ST_IO, "%s: %s", path, file ? "is a directory, a JSON file is wanted" : strerror(errno));
        goto out;
    }
    fcntl(fd, F_SETFL, 0);
    if ((uint64_t)info.st_size > max_bytes) {
        err_set(err, ST_INVALID, "%s: has %jd bytes, at most %zu are read", path, (intmax_t)info.st_size,
                max_bytes);
        goto out;
    }
    text = malloc(max_bytes + 1);
    size_t size = text ? fread(text, 1, max_bytes + 1, file) : 0;
    if (text && size > max_bytes) /* no file: its size was not known */
        err_set(err, ST_INVALID, "%s: has more than the %zu bytes that are read", path, max_bytes);
    else if (!text || ferror(file))
        err_set(err, ST_IO, "%s: cannot be read: %s", path, text ? strerror(errno) : "not enough memory");
    else
        value = json_read_text(path, text, size, err);
out:
    free(text);
    if (file)
        fclose(file);
    return value;
}

/* --- writing --- */

struct sink {
    char  *text;
    size_t size, room;
    bool   failed;
};

static void put(struct sink *s, const char *bytes, size_t size)
{
    if (s->failed)
        return;
    if (s->size + size + 1 > s->room) {
        size_t room = 2 * (s->size + size) + 256;
        char *text = realloc(s->text, room);
        if (!text) {
            s->failed = true;
            return;
        }
        s->text = text;
        s->room = room;
    }
    memcpy(s->text + s->size, bytes, size);
    s->size += size;
    s->text[s->size] = 0;
}

static void put_text(struct sink *s, const char *text)
{
    put(s, text, strlen(text));
}

static void put_line(struct sink *s, enum json_layout layout, int depth)
{
    if (layout == JSON_LINE)
        return;
    put(s, "\n", 1);
    for (int i = 0; i < depth; i++)
        put(s, "  ", 2);
}

void json_real_text(char text[32], double x)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    if (!strpbrk(text, ".eE"))
        strcat(text, ".0");
}

static void put_string(struct sink *s, const json_t *value)
{
    char *quoted = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII); /* Jansson knows the escapes */
    if (quoted)
        put_text(s, quoted);
    else
        s->failed = true;
    free(quoted);
}

static void put_value(struct sink *s, const json_t *value, enum json_layout layout, int depth);

static void put_object(struct sink *s, const json_t *value, enum json_layout layout, int depth)
{
    const char *key;
    json_t *member;
    bool first = true;
    put(s, "{", 1);
    json_object_foreach((json_t *)(uintptr_t)value, key, member) {
        json_t *name = json_string(key);
        put(s, ",", first ? 0 : 1);
        put_line(s, layout, depth + 1);
        put_string(s, name);
        put_text(s, layout == JSON_LINE ? ":" : ": ");
        put_value(s, member, layout, depth + 1);
        json_decref(name);
        first = false;
    }
    if (!first)
        put_line(s, layout, depth);
    put(s, "}", 1);
}

static void put_array(struct sink *s, const json_t *value, enum json_layout layout, int depth)
{
    put(s, "[", 1);
    for (size_t i = 0; i < json_array_size(value); i++) {
        put(s, ",", i ? 1 : 0);
        put_line(s, layout, depth + 1);
        put_value(s, json_array_get(value, i), layout, depth + 1);
    }
    if (json_array_size(value))
        put_line(s, layout, depth);
    put(s, "]", 1);
}

static void put_value(struct sink *s, const json_t *value, enum json_layout layout, int depth)
{
    char number[32];
    switch (json_typeof(value)) {
    case JSON_OBJECT: put_object(s, value, layout, depth); break;
    case JSON_ARRAY: put_array(s, value, layout, depth); break;
    case JSON_STRING: put_string(s, value); break;
    case JSON_INTEGER:
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        put_text(s, number);
        break;
    case JSON_REAL:
        json_real_text(number, json_real_value(value));
        put_text(s, number);
        break;
    case JSON_TRUE: put_text(s, "true"); break;
    case JSON_FALSE: put_text(s, "false"); break;
    case JSON_NULL: put_text(s, "null"); break;
    }
}

char *json_write_text(const json_t *value, enum json_layout layout)
{
    struct sink s = { 0 };
    if (!value)
        return NULL;
    put_value(&s, value, layout, 0);
    if (layout == JSON_INDENTED)
        put(&s, "\n", 1);
    if (s.failed) {
        free(s.text);
        return NULL;
    }
    return s.text;
}

json_t *json_real6(double x)
{
    char text[32];
    if (!isfinite(x))
        return NULL;
    snprintf(text, sizeof text, "%.6g", x);
    return json_real(strtod(text, NULL));
}

/* --- typed members --- */

static enum status wrong(const json_t *got, const char *where, const char *key, const char *wanted,
                         struct err *err)
{
    char *text = got ? json_write_text(got, JSON_LINE) : NULL;
    enum status st = err_set(err, ST_INVALID, "%s.%s must be %s, got %.60s", where, key, wanted,
                             text ? text : "nothing");
    free(text);
    return st;
}

enum status json_get_int(int64_t *out, const json_t *object, const char *where, const char *key, int64_t min,
                         int64_t max, struct err *err)
{
    char wanted[80];
    const json_t *got = json_object_get(object, key);
    if (json_is_integer(got) && json_integer_value(got) >= min && json_integer_value(got) <= max) {
        *out = json_integer_value(got);
        return ST_OK;
    }
    snprintf(wanted, sizeof wanted, "an integer %" PRId64 "..%" PRId64, min, max);
    return wrong(got, where, key, wanted, err);
}

enum status json_get_text(const char **out, const json_t *object, const char *where, const char *key,
                          struct err *err)
{
    const json_t *got = json_object_get(object, key);
    if (!json_is_string(got))
        return wrong(got, where, key, "a text", err);
    *out = json_string_value(got);
    return ST_OK;
}

static bool absent(const json_t *object, const char *key)
{
    const json_t *got = json_object_get(object, key);
    return !got || json_is_null(got);
}

enum status json_find_int(int64_t *out, const json_t *object, const char *where, const char *key, int64_t min,
                          int64_t max, struct err *err)
{
    return absent(object, key) ? ST_OK : json_get_int(out, object, where, key, min, max, err);
}

enum status json_find_text(const char **out, const json_t *object, const char *where, const char *key,
                           struct err *err)
{
    return absent(object, key) ? ST_OK : json_get_text(out, object, where, key, err);
}
