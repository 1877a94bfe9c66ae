#include "bench/output/json_lines.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct scan {
    const char *at, *end;
    int line;
};

static void skip_space(struct scan *s)
{
    for (; s->at < s->end && strchr(" \t\r\n", *s->at); s->at++)
        s->line += *s->at == '\n';
}

static void skip_string(struct scan *s)
{
    for (s->at++; s->at < s->end && *s->at != '"'; s->at++)
        if (*s->at == '\\')
            s->at++;
    s->at++;
}

/* Skips one value, whatever is in it. */
static void skip_value(struct scan *s)
{
    int depth = 0;
    do {
        skip_space(s);
        if (s->at >= s->end)
            return;
        if (*s->at == '"') {
            skip_string(s);
            continue;
        }
        depth += *s->at == '{' || *s->at == '[';
        depth -= *s->at == '}' || *s->at == ']';
        if (depth == 0 && !strchr("{}[]", *s->at)) {
            while (s->at < s->end && !strchr(",}] \t\r\n", *s->at))
                s->at++;
            return;
        }
        s->at++;
    } while (depth > 0 && s->at < s->end);
}

/* Moves to the value of the member that the path begins with. Returns how much of the path
 * its name takes, 0: none. */
static size_t enter(struct scan *s, const char *path)
{
    const bool array = *s->at == '[';
    int place = 0;
    for (s->at++; s->at < s->end; place++) {
        char number[16];
        skip_space(s);
        const char *name = s->at + 1;
        size_t size;
        if (s->at >= s->end || *s->at == ']' || *s->at == '}')
            return 0;
        if (array) {
            size = (size_t)snprintf(number, sizeof number, "%d", place);
            name = number;
        } else {
            skip_string(s);
            size = (size_t)(s->at - 1 - name);
        }
        if (strncmp(path, name, size) == 0 && (path[size] == '.' || !path[size])) {
            for (skip_space(s); s->at < s->end && *s->at == ':'; skip_space(s))
                s->at++;
            return size;
        }
        if (!array) {
            skip_space(s);
            s->at++; /* the colon */
        }
        skip_value(s);
        skip_space(s);
        s->at += s->at < s->end && *s->at == ',';
    }
    return 0;
}

int json_line_of(const char *text, size_t size, const char *path)
{
    struct scan s = { .at = text, .end = text + size, .line = 1 };
    int line = 0;
    skip_space(&s);
    while (*path && s.at < s.end && (*s.at == '{' || *s.at == '[')) {
        size_t taken = enter(&s, path);
        if (!taken)
            break;
        line = s.line;
        path += taken + (path[taken] == '.');
    }
    return line;
}
