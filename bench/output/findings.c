#include "bench/output/findings.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/json_lines.h"
#include "kernels/base/json.h"

void finding_add(struct checking *c, const char *path, const char *rule, const char *format, ...)
{
    struct findings *all = c->findings;
    struct finding *items = realloc(all->items, (all->count + 1) * sizeof *items);
    if (!items) {
        all->out_of_memory = true;
        return;
    }
    all->items = items;
    struct finding *new = &items[all->count++];
    va_list args;
    *new = (struct finding){ .line = c->text && *path ? json_line_of(c->text, c->size, path) : 0 };
    snprintf(new->name, sizeof new->name, "%s", c->name);
    snprintf(new->path, sizeof new->path, "%s", path);
    snprintf(new->rule, sizeof new->rule, "%s", rule);
    va_start(args, format);
    vsnprintf(new->text, sizeof new->text, format, args);
    va_end(args);
}

bool finding_unless(struct checking *c, bool good, const json_t *value, const char *path, const char *rule,
                    const char *wanted)
{
    if (good)
        return true;
    char *text = value ? json_write_text(value, JSON_LINE) : NULL;
    finding_add(c, path, rule, "must be %s, got %.80s", wanted, text ? text : "nothing");
    free(text);
    return false;
}

json_t *finding_get(const json_t *from, const char *path)
{
    char name[128];
    json_t *at = (json_t *)(uintptr_t)from;
    for (size_t size; at && *path; path += size + (path[size] == '.')) {
        size = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)size, path);
        at = json_object_get(at, name);
    }
    return at;
}

json_int_t finding_int(const json_t *from, const char *path)
{
    return json_integer_value(finding_get(from, path));
}

double finding_real(const json_t *from, const char *path)
{
    const json_t *value = finding_get(from, path);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

const json_t *finding_curve_point(const json_t *model, json_int_t batch)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(model, "curve"), i, row)
        if (finding_int(row, "batch") == batch)
            return row;
    return NULL;
}

const char *finding_path(char *path, const char *parent, const char *name)
{
    size_t used = strlen(parent);
    if (path != parent)
        snprintf(path, FINDING_PATH, "%s", parent);
    if (used < FINDING_PATH)
        snprintf(path + used, FINDING_PATH - used, "%s%s", used ? "." : "", name);
    return path;
}

void batch_sizes_finding_text(char *out, size_t size, const struct finding *f)
{
    char line[16] = "";
    if (f->line)
        snprintf(line, sizeof line, ":%d", f->line);
    snprintf(out, size, "%s%s: %s%s%s (rule %s)", f->name, line, f->path, *f->path ? " " : "", f->text,
             f->rule);
}

void batch_sizes_findings_free(struct findings *findings)
{
    free(findings->items);
    *findings = (struct findings){ 0 };
}
