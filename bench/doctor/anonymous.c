#include "bench/doctor/anonymous.h"

#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID_DIGITS 32                 /* hexadecimal digits in a row: the id of a container, a machine or a boot */

void anonymous_open(struct anonymous *a)
{
    const struct passwd *user = getpwuid(geteuid());
    const char *home = getenv("HOME");
    *a = (struct anonymous){ 0 };
    if (gethostname(a->host, sizeof a->host - 1) != 0)
        *a->host = 0;
    if (user && strcmp(user->pw_name, "root") != 0) /* every machine has that one */
        snprintf(a->user, sizeof a->user, "%s", user->pw_name);
    if (home && strlen(home) > 1 && strcmp(home, "/root") != 0)
        snprintf(a->home, sizeof a->home, "%s", home);
}

static void forget(struct anonymous_kind *kind)
{
    for (size_t i = 0; i < kind->count; i++)
        free(kind->seen[i]);
    kind->count = 0;
}

void anonymous_close(struct anonymous *a)
{
    forget(&a->uuids);
    forget(&a->addresses);
    forget(&a->ids);
}

/* Its number, from 1. */
static size_t number_of(struct anonymous_kind *kind, const char *text, size_t size)
{
    for (size_t i = 0; i < kind->count; i++)
        if (strlen(kind->seen[i]) == size && strncasecmp(kind->seen[i], text, size) == 0)
            return i + 1;
    if (kind->count == ANONYMOUS_MAX)
        return ANONYMOUS_MAX;
    kind->seen[kind->count] = strndup(text, size);
    if (kind->seen[kind->count])
        kind->count++;
    return kind->count;
}

static size_t hex_run(const char *text)
{
    size_t n = 0;
    while (isxdigit((unsigned char)text[n]))
        n++;
    return n;
}

/* Size of what has that form at text: a number is so many hexadecimal digits, all else stands for itself. */
static size_t form_size(const char *text, const char *form)
{
    const char *at = text;
    for (; *form; form++) {
        const size_t digits = isdigit((unsigned char)*form) ? (size_t)(*form == '0' ? 12 : *form - '0') : 0;
        if (digits ? hex_run(at) != digits : *at != *form)
            return 0;
        at += digits ? digits : 1;
    }
    return (size_t)(at - text);
}

/* Replaces what is at text; gives how much of it, 0: nothing. */
static size_t replace_uuid(FILE *out, struct anonymous *a, const char *text)
{
    const size_t size = form_size(text, "8-4-4-4-0"); /* 0: twelve */
    if (size)
        fprintf(out, "%08zx-0000-0000-0000-000000000000", number_of(&a->uuids, text, size));
    return size;
}

/* 0000:65:00.0, 00000000:65:00.0: the same number for both, as many digits as there were. */
static size_t replace_address(FILE *out, struct anonymous *a, const char *text)
{
    const size_t wide = form_size(text, "8:2:2.1"), size = wide ? wide : form_size(text, "4:2:2.1");
    if (size)
        fprintf(out, "%s:%02zx:00.0", wide ? "00000000" : "0000", number_of(&a->addresses, text + (wide ? 4 : 0), 12));
    return size;
}

static size_t replace_id(FILE *out, struct anonymous *a, const char *text)
{
    const size_t size = hex_run(text);
    if (size < ID_DIGITS)
        return 0;
    fprintf(out, "id%zu", number_of(&a->ids, text, size));
    return size;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static size_t replace_name(FILE *out, const char *text, const char *name, const char *with)
{
    const size_t size = strlen(name);
    if (!size || strncmp(text, name, size) != 0 || is_word(text[size]))
        return 0;
    fputs(with, out);
    return size;
}

/* What begins at text, if a name can begin here. */
static size_t replace(FILE *out, struct anonymous *a, const char *text)
{
    size_t size = replace_uuid(out, a, text);
    size = size ? size : replace_address(out, a, text);
    size = size ? size : replace_id(out, a, text);
    size = size ? size : replace_name(out, text, a->home, "/home/user");
    size = size ? size : replace_name(out, text, a->host, "host");
    return size ? size : replace_name(out, text, a->user, "user");
}

char *anonymous_text(struct anonymous *a, const char *text)
{
    char *whole = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&whole, &size);
    if (!out)
        return NULL;
    for (const char *at = text; *at;) {
        const bool begins = at == text || !is_word(at[-1]) || (at - text >= 4 && strncmp(at - 4, "GPU-", 4) == 0) ||
                            (at - text >= 4 && strncmp(at - 4, "MIG-", 4) == 0) || !is_word(*at);
        const size_t taken = begins ? replace(out, a, at) : 0;
        if (!taken)
            fputc(*at, out);
        at += taken ? taken : 1;
    }
    if (fclose(out) != 0) {
        free(whole);
        return NULL;
    }
    return whole;
}

static json_t *anonymous_list(struct anonymous *a, const json_t *value)
{
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(value); i++)
        if (json_array_append_new(list, anonymous_json(a, json_array_get(value, i))) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *anonymous_object(struct anonymous *a, const json_t *value)
{
    json_t *object = json_object(), *member;
    const char *key;
    json_object_foreach((json_t *)(size_t)value, key, member)
        if (json_object_set_new(object, key, anonymous_json(a, member)) != 0) {
            json_decref(object);
            return NULL;
        }
    return object;
}

json_t *anonymous_json(struct anonymous *a, const json_t *value)
{
    if (json_is_array(value))
        return anonymous_list(a, value);
    if (json_is_object(value))
        return anonymous_object(a, value);
    if (!json_is_string(value))
        return json_deep_copy(value);
    char *text = anonymous_text(a, json_string_value(value));
    json_t *out = text ? json_string(text) : NULL;
    free(text);
    return out;
}
