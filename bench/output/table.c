#include "bench/output/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/output/document.h"
#include "kernels/base/json.h"

bool table_colour(FILE *file)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(file)) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

/* --- one value --- */

static const char *member(const struct table *t, size_t row, const struct field *f)
{
    return (const char *)t->rows + row * t->row_size + f->offset;
}

static double real_of(const char *value)
{
    double x;
    memcpy(&x, value, sizeof x);
    return x;
}

static uint64_t count_of(const char *value)
{
    uint64_t n;
    memcpy(&n, value, sizeof n);
    return n;
}

static int int_of(const char *value)
{
    int n;
    memcpy(&n, value, sizeof n);
    return n;
}

static bool is_known(const struct field *f, const char *value)
{
    switch (f->type) {
    case FIELD_REAL: return isfinite(real_of(value));
    case FIELD_BYTES: return count_of(value) != 0;
    case FIELD_TEXT: return *value != 0;
    case FIELD_INT: return int_of(value) != 0 || !f->zero_unknown;
    default: return true;
    }
}

/* --- text --- */

/* Digits after the point that give the column's smallest value its significant digits:
 * one point for all of it. */
static int places_of(const struct table *t, const struct field *f)
{
    double smallest = (double)INFINITY;
    if (!f->significant)
        return f->digits;
    for (size_t i = 0; i < t->row_count; i++) {
        const double x = fabs(real_of(member(t, i, f)));
        if (isfinite(x) && x > 0 && x < smallest)
            smallest = x;
    }
    if (!isfinite(smallest))
        return f->digits;
    const int places = f->digits - 1 - (int)floor(log10(smallest));
    return places < 0 ? 0 : places > 6 ? 6 : places;
}

/* Never "-0.0". */
static void write_real(char cell[TABLE_CELL_SIZE], int places, double x)
{
    snprintf(cell, TABLE_CELL_SIZE, "%.*f", places, x);
    if (*cell == '-' && strspn(cell + 1, "0.") == strlen(cell + 1))
        memmove(cell, cell + 1, strlen(cell));
}

static void cell_text(char cell[TABLE_CELL_SIZE], const struct field *f, const char *value, int places)
{
    if (!is_known(f, value)) {
        strcpy(cell, f->type == FIELD_TEXT ? "" : "-");
        return;
    }
    switch (f->type) {
    case FIELD_INT: snprintf(cell, TABLE_CELL_SIZE, "%d", int_of(value)); break;
    case FIELD_COUNT: snprintf(cell, TABLE_CELL_SIZE, "%llu", (unsigned long long)count_of(value)); break;
    case FIELD_BYTES: snprintf(cell, TABLE_CELL_SIZE, "%.0f", (double)count_of(value) / 1048576); break;
    case FIELD_REAL: write_real(cell, places, real_of(value)); break;
    case FIELD_TEXT: snprintf(cell, TABLE_CELL_SIZE, "%s", value); break;
    }
}

static bool is_shown(const struct table *t, const struct field *f)
{
    if (f->data_only)
        return false;
    for (size_t i = 0; i < t->row_count; i++)
        if (is_known(f, member(t, i, f)))
            return true;
    return false;
}

static int larger(int a, size_t b)
{
    return a > (int)b ? a : (int)b;
}

static struct table_column measure_column(const struct table *t, const struct field *f)
{
    char cell[TABLE_CELL_SIZE];
    struct table_column c = { .field = f,
                              .heading = f->heading ? f->heading : f->name,
                              .left = f->type == FIELD_TEXT,
                              .unit = f->type == FIELD_BYTES ? "MiB" : f->unit,
                              .places = places_of(t, f) };
    c.width = larger((int)strlen(c.heading), strlen(c.unit));
    for (size_t i = 0; i < t->row_count; i++) {
        cell_text(cell, f, member(t, i, f), c.places);
        c.width = larger(c.width, strlen(cell));
    }
    return c;
}

struct table_column *table_columns(const struct table *table, size_t *count)
{
    struct table_column *columns = calloc(table->field_count + 1, sizeof *columns);
    *count = 0;
    for (size_t i = 0; columns && i < table->field_count; i++)
        if (is_shown(table, &table->fields[i]))
            columns[(*count)++] = measure_column(table, &table->fields[i]);
    return columns;
}

void table_cell(char cell[TABLE_CELL_SIZE], const struct table *table, size_t row,
                const struct table_column *column)
{
    cell_text(cell, column->field, member(table, row, column->field), column->places);
}

/* A line that is built up, so that no blanks stand at its end. */
struct line {
    char  *text;
    size_t size, room;
};

static void line_add(struct line *line, const char *text, int width, bool left)
{
    if (line->size + TABLE_CELL_SIZE + 64 > line->room)
        return;
    const size_t start = line->size;
    int width_now = snprintf(line->text + start, TABLE_CELL_SIZE, left ? "%-*s" : "%*s", width, text);
    line->size += width_now < TABLE_CELL_SIZE ? (size_t)width_now : TABLE_CELL_SIZE - 1;
    for (size_t i = start; i < line->size; i++)
        if ((unsigned char)line->text[i] < 32 || line->text[i] == 127)
            line->text[i] = '?'; /* a stored text must not reach the terminal as a command */
}

static void line_end(struct line *line, FILE *file, const char *before, const char *after)
{
    while (line->size && line->text[line->size - 1] == ' ')
        line->size--;
    line->text[line->size] = 0;
    fprintf(file, "%s%s%s\n", before, line->text, after);
    line->size = 0;
}

static void write_row(FILE *file, const struct table *t, const struct table_column *columns, size_t count,
                      size_t row, struct line *line)
{
    const bool marked = t->marked >= 0 && row == (size_t)t->marked;
    char cell[TABLE_CELL_SIZE];
    line_add(line, t->indent ? t->indent : "", 0, true);
    for (size_t i = 0; i < count; i++) {
        cell_text(cell, columns[i].field, member(t, row, columns[i].field), columns[i].places);
        line_add(line, "", i ? 2 : 0, true);
        line_add(line, cell, columns[i].width, columns[i].left);
    }
    if (marked && t->mark_text) {
        line_add(line, "", 2, true);
        line_add(line, t->mark_text, 0, true);
    }
    line_end(line, file, marked && t->colour ? "\033[1;32m" : "", marked && t->colour ? "\033[0m" : "");
}

static void write_heading(FILE *file, const struct table *t, const struct table_column *columns, size_t count,
                          bool units, struct line *line)
{
    line_add(line, t->indent ? t->indent : "", 0, true);
    for (size_t i = 0; i < count; i++) {
        line_add(line, "", i ? 2 : 0, true);
        line_add(line, units ? columns[i].unit : columns[i].heading, columns[i].width, columns[i].left);
    }
    line_end(line, file, t->colour ? (units ? "\033[2m" : "\033[1m") : "", t->colour ? "\033[0m" : "");
}

void table_write_text(FILE *file, const struct table *table)
{
    size_t count = 0;
    struct table_column *columns = table_columns(table, &count);
    struct line line = { .room = (table->field_count + 2) * TABLE_CELL_SIZE };
    line.text = malloc(line.room);
    if (columns && line.text) {
        write_heading(file, table, columns, count, false, &line);
        write_heading(file, table, columns, count, true, &line);
        for (size_t i = 0; i < table->row_count; i++)
            write_row(file, table, columns, count, i, &line);
    }
    free(columns);
    free(line.text);
}

/* --- data --- */

static void write_csv_text(FILE *file, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text; text++)
        fprintf(file, *text == '"' ? "\"\"" : "%c", *text);
    fputc('"', file);
}

static void write_csv_value(FILE *file, const struct field *f, const char *value)
{
    if (!is_known(f, value))
        return;
    switch (f->type) {
    case FIELD_INT: fprintf(file, "%d", int_of(value)); break;
    case FIELD_COUNT: case FIELD_BYTES: fprintf(file, "%llu", (unsigned long long)count_of(value)); break;
    case FIELD_REAL: fprintf(file, "%.6g", real_of(value)); break;
    case FIELD_TEXT: write_csv_text(file, value); break;
    }
}

static const char *write_csv_cells(FILE *file, const struct table *table, size_t row, bool names,
                                   const char *separator)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct field *f = &table->fields[i];
        if (f->text_only)
            continue;
        fputs(separator, file);
        if (names)
            fputs(f->name, file);
        else
            write_csv_value(file, f, member(table, row, f));
        separator = ",";
    }
    return separator;
}

void table_write_csv(FILE *file, const struct table *table, bool heading)
{
    for (size_t row = 0; row < table->row_count + heading; row++) {
        write_csv_cells(file, table, row - heading, heading && row == 0, "");
        fputc('\n', file);
    }
}

void table_write_csv_beside(FILE *file, const struct table *left, const struct table *right, bool heading)
{
    for (size_t row = 0; row < right->row_count + heading; row++) {
        const bool names = heading && row == 0;
        const char *separator = write_csv_cells(file, left, 0, names, "");
        write_csv_cells(file, right, row - heading, names, separator);
        fputc('\n', file);
    }
}

static json_t *json_value(const struct field *f, const char *value)
{
    if (!is_known(f, value))
        return json_null();
    switch (f->type) {
    case FIELD_INT: return json_integer(int_of(value));
    case FIELD_COUNT: case FIELD_BYTES: return json_integer((json_int_t)count_of(value));
    case FIELD_REAL: return json_real6(real_of(value));
    default: return document_text_value(value);
    }
}

json_t *table_json(const struct table *table)
{
    struct document d = { false };
    json_t *out = json_array();
    for (size_t row = 0; row < table->row_count; row++) {
        json_t *object = json_object();
        for (size_t i = 0; i < table->field_count; i++)
            if (!table->fields[i].text_only)
                document_put(&d, object, table->fields[i].name,
                             json_value(&table->fields[i], member(table, row, &table->fields[i])));
        document_append(&d, out, object);
    }
    if (d.failed) {
        json_decref(out);
        return NULL;
    }
    return out;
}
