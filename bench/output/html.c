#include "bench/output/html.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"

void html_text(FILE *file, const char *text)
{
    static const struct { char c; const char *name; } escapes[] = {
        { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" },
    };
    while (*text) {
        const size_t size = text_utf8_size(text);
        const char *name = NULL;
        for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
            if (*text == escapes[i].c)
                name = escapes[i].name;
        if (size == 0 || ((unsigned char)*text < 32 && *text != '\n') || *text == 127)
            fputc('?', file);
        else if (name)
            fputs(name, file);
        else
            fwrite(text, 1, size, file);
        text += size ? size : 1;
    }
}

/* --- tables --- */

static void write_cells(FILE *file, const struct table *t, const struct table_column *columns, size_t count,
                        size_t row)
{
    char cell[TABLE_CELL_SIZE];
    fprintf(file, "<tr%s>", t->marked >= 0 && row == (size_t)t->marked ? " class=\"chosen\"" : "");
    for (size_t i = 0; i < count; i++) {
        table_cell(cell, t, row, &columns[i]);
        fprintf(file, "<td%s>", !columns[i].left ? "" : strlen(cell) > 40 ? " class=\"text wide\"" : " class=\"text\"");
        html_text(file, cell);
        fprintf(file, "</td>");
    }
    fprintf(file, "</tr>\n");
}

static void write_names(FILE *file, const struct table_column *columns, size_t count, bool units)
{
    fprintf(file, "<tr%s>", units ? " class=\"units\"" : "");
    for (size_t i = 0; i < count; i++) {
        fprintf(file, "<th%s>", columns[i].left ? " class=\"text\"" : "");
        html_text(file, units ? columns[i].unit : columns[i].heading);
        fprintf(file, "</th>");
    }
    fprintf(file, "</tr>");
}

void html_table(FILE *file, const struct table *table)
{
    size_t count = 0;
    bool units = false;
    struct table_column *columns = table_columns(table, &count);
    for (size_t i = 0; i < count; i++)
        units |= *columns[i].unit != 0;
    fprintf(file, "<table><thead>");
    write_names(file, columns, count, false);
    if (units)
        write_names(file, columns, count, true);
    fprintf(file, "</thead><tbody>\n");
    for (size_t row = 0; columns && row < table->row_count; row++)
        write_cells(file, table, columns, count, row);
    fprintf(file, "</tbody></table>\n");
    free(columns);
}

/* --- pictures --- */

#define SVG_MAX (8u << 20)

/* Cuts every part from `from` to the end of `to` out of text. */
static void cut(char *text, const char *from, const char *to)
{
    for (char *start; (start = strstr(text, from)); ) {
        char *end = strstr(start + strlen(from), to);
        if (!end)
            return;
        end += strlen(to);
        memmove(start, end, strlen(end) + 1);
    }
}

static bool is_harmless(const char *text)
{
    static const char *const bad[] = { "<script", "<foreignObject", "javascript:", "http:",  "https:",
                                       "<iframe", "<image",         "<use href",   "@import" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (strcasestr(text, bad[i]))
            return false;
    for (const char *c = text; (c = strstr(c, " on")); c++) /* onload= and its like, inside a tag */
        if (isalpha((unsigned char)c[3]) && c[3 + strspn(c + 3, "abcdefghijklmnopqrstuvwxyz")] == '=')
            return false;
    return true;
}

static char *read_svg(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = file ? calloc(1, SVG_MAX + 1) : NULL;
    size_t size = text ? fread(text, 1, SVG_MAX, file) : 0;
    if (file)
        fclose(file);
    if (size > 0 && size < SVG_MAX && strlen(text) == size)
        return text;
    free(text);
    return NULL;
}

int html_svg(FILE *file, const char *path, const char *label)
{
    char *text = read_svg(path);
    if (!text)
        return -1;
    cut(text, "<!--", "-->");
    cut(text, "<?xml", "?>");
    cut(text, "<!DOCTYPE", ">");
    cut(text, " xmlns=\"", "\"");
    cut(text, " xmlns:xlink=\"", "\"");
    cut(text, "<title>", "</title>");
    cut(text, "<desc>", "</desc>");
    char *start = strstr(text, "<svg");
    const bool good = start && is_harmless(text);
    if (good) {
        fprintf(file, "<svg role=\"img\" aria-label=\"");
        html_text(file, label);
        fprintf(file, "\"%s", start + 4);
    }
    free(text);
    return good ? 0 : -1;
}
