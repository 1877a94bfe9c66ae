/* Texts of Compose files: memory for them, variables in them, paths. */
#include "bench/doctor/compose.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/grow.h"

#define ENV_FILE_MAX (1 << 20)
#define EXPANDED_MAX 65536
#define EXPAND_DEPTH 8

/* --- memory ------------------------------------------------------------------------------------------------ */

static void *keep(struct compose *c, void *memory)
{
    if (memory && grow((void **)&c->kept, (int)c->kept_count, &c->kept_room, sizeof *c->kept))
        return c->kept[c->kept_count++] = memory;
    free(memory);
    c->no_memory = true;
    return NULL;
}

void *compose_room(struct compose *c, size_t count, size_t size)
{
    return keep(c, calloc(count ? count : 1, size));
}

const char *compose_format(struct compose *c, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    const char *kept = keep(c, text);
    return kept ? kept : "";
}

void compose_free(struct compose *c)
{
    for (size_t i = 0; i < c->kept_count; i++)
        free(c->kept[i]);
    free(c->kept);
    *c = (struct compose){ 0 };
}

const char *compose_path(struct compose *c, const char *path)
{
    return *path == '/' ? compose_format(c, "%s", path) : compose_format(c, "%s/%s", c->folder, path);
}

/* --- env files --------------------------------------------------------------------------------------------- */

static char *trim(char *text)
{
    text += strspn(text, " \t");
    for (size_t end = strlen(text); end > 0 && strchr(" \t\r", text[end - 1]); end--)
        text[end - 1] = 0;
    return text;
}

/* The value without its quotes, or without the comment behind it. */
static char *unquote(char *value)
{
    const char quote = *value;
    char *end = quote == '"' || quote == '\'' ? strchr(value + 1, quote) : NULL;
    if (end) {
        *end = 0;
        return value + 1;
    }
    char *comment = strstr(value, " #");
    if (comment)
        *comment = 0;
    return trim(value);
}

static void read_name(struct compose *c, struct compose_names *out, char *line)
{
    line = trim(line);
    if (strncmp(line, "export ", 7) == 0)
        line = trim(line + 7);
    char *equals = strchr(line, '=');
    if (*line == '#' || !equals)
        return;
    *equals = 0;
    out->items[out->count++] = (struct compose_name){ compose_format(c, "%s", trim(line)),
                                                      compose_format(c, "%s", unquote(trim(equals + 1))) };
}

void compose_read_names(struct compose *c, struct compose_names *out, const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file ? compose_room(c, ENV_FILE_MAX, 1) : NULL;
    const size_t size = text ? fread(text, 1, ENV_FILE_MAX - 1, file) : 0;
    size_t lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    if (file)
        fclose(file);
    *out = (struct compose_names){ .items = text ? compose_room(c, lines, sizeof *out->items) : NULL };
    for (char *line; out->items && text && (line = strsep(&text, "\n"));)
        read_name(c, out, line);
}

static const char *value_of(const struct compose_names *names, const char *name, size_t size)
{
    for (size_t i = names->count; i-- > 0;) /* the last one counts */
        if (strlen(names->items[i].name) == size && strncmp(names->items[i].name, name, size) == 0)
            return names->items[i].value;
    return NULL;
}

/* --- variables --------------------------------------------------------------------------------------------- */

struct expanding {
    struct compose *c;
    char *out;
    size_t used;
    bool unread;                     /* a variable has no value, or the text is too long */
};

static void add(struct expanding *x, const char *text, size_t size)
{
    if (x->used + size >= EXPANDED_MAX) {
        x->unread = true;
        return;
    }
    memcpy(x->out + x->used, text, size);
    x->used += size;
}

static void expand(struct expanding *x, const char *text, size_t size, int depth);

static size_t name_size(const char *text, size_t size)
{
    size_t n = 0;
    while (n < size && (isalnum((unsigned char)text[n]) || text[n] == '_'))
        n++;
    return n;
}

/* What stands between the braces: NAME, NAME:-default, NAME-default, NAME:?sentence, NAME:+instead. */
static void expand_braces(struct expanding *x, const char *text, size_t size, int depth)
{
    const size_t name = name_size(text, size);
    const char *value = value_of(&x->c->dotenv, text, name);
    size_t at = name;
    const bool or_empty = at < size && text[at] == ':';
    at += or_empty;
    const char form = at < size ? text[at++] : 0;
    const bool set = value && !(or_empty && !*value);
    if (form == '+') {
        if (set)
            expand(x, text + at, size - at, depth + 1);
    } else if (set)
        add(x, value, strlen(value));
    else if (form == '-')
        expand(x, text + at, size - at, depth + 1);
    else
        x->unread = true;
}

/* Size up to the brace that closes the one before text; size if there is none. */
static size_t closed_at(const char *text, size_t size)
{
    int open = 1;
    for (size_t i = 0; i < size; i++) {
        open += text[i] == '{';
        open -= text[i] == '}';
        if (open == 0)
            return i;
    }
    return size;
}

/* One `$...`: gives how many characters of text it took. */
static size_t expand_dollar(struct expanding *x, const char *text, size_t size, int depth)
{
    if (size > 1 && text[1] == '$') {
        add(x, "$", 1);
        return 2;
    }
    if (size > 1 && text[1] == '{') {
        const size_t inside = closed_at(text + 2, size - 2);
        expand_braces(x, text + 2, inside, depth);
        return inside + 3 < size ? inside + 3 : size;
    }
    const size_t name = name_size(text + 1, size - 1);
    const char *value = value_of(&x->c->dotenv, text + 1, name);
    if (name == 0)
        add(x, "$", 1);
    else if (value)
        add(x, value, strlen(value));
    else
        x->unread = true;
    return 1 + name;
}

static void expand(struct expanding *x, const char *text, size_t size, int depth)
{
    if (depth > EXPAND_DEPTH) {
        x->unread = true;
        return;
    }
    for (size_t at = 0; at < size && !x->unread;) {
        const char *dollar = memchr(text + at, '$', size - at);
        const size_t plain = dollar ? (size_t)(dollar - text) - at : size - at;
        add(x, text + at, plain);
        at += plain;
        if (at < size)
            at += expand_dollar(x, text + at, size - at, depth);
    }
}

const char *compose_expand(struct compose *c, const char *text)
{
    if (!strchr(text, '$'))
        return compose_format(c, "%s", text);
    struct expanding x = { .c = c, .out = malloc(EXPANDED_MAX) };
    c->no_memory |= !x.out;
    if (x.out)
        expand(&x, text, strlen(text), 0);
    const char *whole = x.out && !x.unread ? compose_format(c, "%.*s", (int)x.used, x.out) : NULL;
    free(x.out);
    return whole;
}
