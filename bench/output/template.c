#include "bench/output/template.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/replace.h"
#include "kernels/base/home.h"

#define TEMPLATE_MAX 65536
#define STYLE "style"

/* A file below plots/; free(). path: where it was looked for. */
static char *read_file(char path[HOME_PATH_MAX], const char *name, struct err *err)
{
    char below[128];
    snprintf(below, sizeof below, "plots/%s", name);
    if (home_path(path, below, err) != ST_OK)
        return NULL;
    FILE *file = fopen(path, "rb");
    char *text = file ? calloc(1, TEMPLATE_MAX) : NULL;
    size_t size = text ? fread(text, 1, TEMPLATE_MAX - 1, file) : 0;
    if (file)
        fclose(file);
    if (size > 0)
        return text;
    err_set(err, ST_ENVIRONMENT, "%s: the template of a page cannot be read: %s", path, strerror(errno));
    free(text);
    return NULL;
}

static enum status check(const char *text, const char *path, const struct template_place *places, size_t count,
                         struct err *err)
{
    for (size_t i = 0; i <= count; i++) {
        char mark[40];
        snprintf(mark, sizeof mark, "{{%s}}", i < count ? places[i].name : STYLE);
        if (!strstr(text, mark))
            return err_set(err, ST_ENVIRONMENT, "%s: the template lacks the place %s", path, mark);
    }
    return ST_OK;
}

static bool is_name(const char *name, const char *at, size_t size)
{
    return strlen(name) == size && strncmp(name, at, size) == 0;
}

static void fill(FILE *file, const char *text, const char *style, const struct template_place *places, size_t count,
                 const void *context)
{
    for (const char *open; (open = strstr(text, "{{")); ) {
        const char *close = strstr(open, "}}");
        if (!close)
            break;
        size_t size = (size_t)(close - open - 2);
        fwrite(text, 1, (size_t)(open - text), file);
        if (is_name(STYLE, open + 2, size))
            fputs(style, file);
        for (size_t i = 0; i < count; i++)
            if (is_name(places[i].name, open + 2, size))
                places[i].write(file, context);
        text = close + 2;
    }
    fputs(text, file);
}

enum status template_write(const char *path, const char *name, const struct template_place *places, size_t count,
                           const void *context, struct err *err)
{
    char template_path[HOME_PATH_MAX], style_path[HOME_PATH_MAX], *page = NULL;
    size_t size = 0;
    enum replaced how;
    FILE *file = NULL;
    char *text = read_file(template_path, name, err);
    char *style = text ? read_file(style_path, "page.css", err) : NULL;
    enum status st = style ? check(text, template_path, places, count, err) : ST_ENVIRONMENT;
    if (st == ST_OK && !(file = open_memstream(&page, &size)))
        st = err_set(err, ST_INTERNAL, "%s: not enough memory", path);
    if (st == ST_OK) {
        fill(file, text, style, places, count, context);
        st = fclose(file) == 0 && page ? replace_file(&how, path, page, size, false, &replace_system, err)
                                       : err_set(err, ST_INTERNAL, "%s: not enough memory", path);
    }
    free(page);
    free(style);
    free(text);
    return st;
}
