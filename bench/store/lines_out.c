/* Rows as lines: see lines.h. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/store/lines_parts.h"
#include "kernels/base/json.h"
#include "kernels/base/text.h"

/* --- values --------------------------------------------------------------------------------------------- */

static bool is_utf8(const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        const size_t step = text_utf8_size(text + at);
        if (!step || !text[at])
            return false;
        at += step;
    }
    return true;
}

static bool write_quoted(FILE *file, const char *text)
{
    json_t *value = json_string(text);
    char *quoted = value ? json_write_text(value, JSON_LINE) : NULL;
    if (quoted)
        fputs(quoted, file);
    free(quoted);
    json_decref(value);
    return quoted;
}

static void write_bytes(FILE *file, const char *text, size_t size)
{
    fputc('[', file);
    for (size_t i = 0; i < size; i++)
        fprintf(file, "%s%u", i ? "," : "", (unsigned char)text[i]);
    fputc(']', file);
}

static void write_real(FILE *file, double x)
{
    char text[32];
    json_real_text(text, isfinite(x) ? x : 0);
    fputs(isfinite(x) ? text : x > 0 ? "\"Infinity\"" : "\"-Infinity\"", file); /* SQLite has no NaN */
}

static void write_packed(FILE *file, const void *blob, size_t size, enum column_type type)
{
    const size_t width = type == COLUMN_F32S ? sizeof(uint32_t) : sizeof(uint64_t);
    fputc('[', file);
    for (size_t at = 0; at + width <= size; at += width) {
        uint64_t value = 0;
        memcpy(&value, (const char *)blob + at, width);
        fprintf(file, "%s%" PRId64, at ? "," : "", (int64_t)value);
    }
    fputc(']', file);
}

static bool write_text(FILE *file, sqlite3_stmt *stmt, int place)
{
    const char *text = (const char *)sqlite3_column_text(stmt, place);
    const size_t size = (size_t)sqlite3_column_bytes(stmt, place);
    if (text && is_utf8(text, size))
        return write_quoted(file, text);
    write_bytes(file, text, text ? size : 0);
    return text;
}

static bool write_value(FILE *file, sqlite3_stmt *stmt, int place, enum column_type type)
{
    const void *blob;
    switch (sqlite3_column_type(stmt, place)) {
    case SQLITE_INTEGER: fprintf(file, "%" PRId64, (int64_t)sqlite3_column_int64(stmt, place)); break;
    case SQLITE_FLOAT: write_real(file, sqlite3_column_double(stmt, place)); break;
    case SQLITE_TEXT: return write_text(file, stmt, place);
    case SQLITE_BLOB:
        blob = sqlite3_column_blob(stmt, place);
        write_packed(file, blob, (size_t)sqlite3_column_bytes(stmt, place), type);
        break;
    default: fputs("null", file);
    }
    return true;
}

/* --- which rows ----------------------------------------------------------------------------------------- */

enum status lines_choose_none(struct store *s, struct err *err)
{
    return sql_exec(s, "PRAGMA temp_store = MEMORY; DROP TABLE IF EXISTS " LINES_CHOSEN "; CREATE TABLE " LINES_CHOSEN
                       " (id INTEGER PRIMARY KEY);", err);
}

/* The column by which a row belongs to another; NULL: it stands for itself. */
static const struct column *parent_of(const struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->columns[i].name, table->known_by[0]) == 0)
            return table->columns[i].refers ? &table->columns[i] : NULL;
    return NULL;
}

static void marks_of_runs(sqlite3_str *text)
{
    size_t count;
    const struct table_subject *subjects = table_subjects(&count);
    for (size_t i = 0; i < count; i++) {
        sqlite3_str_appendf(text, "%s(subject = '%q' AND subject_id IN (SELECT id FROM \"%w\" WHERE ",
                            i ? " OR " : "", subjects[i].name, subjects[i].table->name);
        lines_of_runs(text, subjects[i].table);
        sqlite3_str_appendall(text, "))");
    }
}

bool lines_of_runs(sqlite3_str *text, const struct table *table)
{
    const struct column *parent = parent_of(table);
    if (table == &table_run) {
        sqlite3_str_appendall(text, "id IN (SELECT id FROM " LINES_CHOSEN ")");
    } else if (table == &table_mark) {
        marks_of_runs(text);
    } else if (table == &table_telemetry_form) {
        sqlite3_str_appendall(text, "id IN (SELECT form FROM telemetry WHERE ");
        lines_of_runs(text, &table_telemetry);
        sqlite3_str_appendall(text, ")");
    } else if (parent) {
        sqlite3_str_appendf(text, "\"%w\" IN (SELECT \"%w\" FROM \"%w\" WHERE ", parent->name,
                            table_id_name(parent->refers), parent->refers->name);
        bool of_run = lines_of_runs(text, parent->refers);
        sqlite3_str_appendall(text, ")");
        return of_run;
    } else {
        return false;
    }
    return true;
}

/* NULL: no row of the table is wanted. sqlite3_free. */
static char *select_text(const struct table *table, enum lines_of of)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    bool wanted = of != LINES_RUNS_RAW || table->class == TABLE_RAW;
    sqlite3_str_appendall(text, table_id_is_hidden(table) ? "SELECT id" : "SELECT ");
    for (size_t i = 0; i < table->count; i++)
        sqlite3_str_appendf(text, "%s\"%w\"", i || table_id_is_hidden(table) ? ", " : "", table->columns[i].name);
    sqlite3_str_appendf(text, " FROM \"%w\"", table->name);
    if (of != LINES_STORE) {
        sqlite3_str_appendall(text, " WHERE ");
        wanted &= lines_of_runs(text, table);
    }
    sqlite3_str_appendall(text, " ORDER BY ");
    if (table_id_name(table))
        sqlite3_str_appendf(text, "\"%w\"", table_id_name(table));
    for (size_t i = 0; !table_id_name(table) && i < TABLE_KNOWN_BY && table->known_by[i]; i++)
        sqlite3_str_appendf(text, "%s\"%w\"", i ? ", " : "", table->known_by[i]);
    char *sql = sqlite3_str_finish(text);
    if (sql && !wanted)
        *sql = 0;
    return sql;
}

/* --- lines ---------------------------------------------------------------------------------------------- */

static bool write_row(FILE *file, sqlite3_stmt *stmt, const struct table *table)
{
    const int hidden = table_id_is_hidden(table);
    bool whole = true;
    fprintf(file, "{\"table\":\"%s\"", table->name);
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        const struct column *column = i < hidden ? NULL : &table->columns[i - hidden];
        fprintf(file, ",\"%s\":", column ? column->name : "id");
        whole &= write_value(file, stmt, i, column ? column->type : COLUMN_ID);
    }
    fputs("}\n", file);
    return whole;
}

static enum status write_table(FILE *file, int64_t *rows, struct store *s, const struct table *table,
                               enum lines_of of, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    char *text = select_text(table, of);
    bool more = text && *text;
    enum status st = !text ? sql_out_of_memory(s, err) : more ? sql_prepare(&stmt, s, text, err) : ST_OK;
    while (st == ST_OK && more && !ferror(file)) {
        st = sql_step(&more, s, stmt, err);
        if (st == ST_OK && more && !write_row(file, stmt, table))
            st = sql_out_of_memory(s, err);
        *rows += st == ST_OK && more;
    }
    sqlite3_finalize(stmt);
    sqlite3_free(text);
    return st;
}

enum status lines_write(FILE *file, struct store *s, enum lines_of of, struct err *err)
{
    size_t count;
    int64_t rows = 0;
    const struct table *const *tables = table_list(&count);
    enum status st = ST_OK;
    if (s->version < STORE_SCHEMA_VERSION)
        return err_set(err, ST_CONFIG, "%s is of schema %d: the next campaign or night, or bench prune, "
                                       "brings it to %d; then its rows can be written as lines",
                       s->path, s->version, STORE_SCHEMA_VERSION);
    fprintf(file, "{\"store\":\"bench\",\"schema\":%d}\n", STORE_SCHEMA_VERSION);
    for (size_t i = 0; i < count && st == ST_OK; i++)
        st = write_table(file, &rows, s, tables[i], of, err);
    if (st != ST_OK)
        return st;
    fprintf(file, "{\"end\":true,\"rows\":%" PRId64 "}\n", rows);
    if (fflush(file) != 0 || ferror(file))
        return err_set(err, ST_IO, "the rows of %s cannot be written: %s", s->path, strerror(errno));
    return ST_OK;
}

static enum status choose_run(struct store *s, const char *name, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    enum status st = lines_choose_none(s, err);
    if (st == ST_OK)
        st = sql_prepare(&stmt, s, "INSERT INTO " LINES_CHOSEN " SELECT id FROM run WHERE name = ?1", err);
    if (st == ST_OK) {
        sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
        st = sql_run(s, stmt, err);
    }
    sqlite3_finalize(stmt);
    if (st == ST_OK && sqlite3_changes(s->db) == 0)
        st = err_set(err, ST_CONFIG, "%s has no campaign or night \"%.80s\": bench show campaigns and bench "
                                     "history list them", s->path, name);
    return st;
}

enum status store_write_lines(FILE *file, struct store *s, const char *name, struct err *err)
{
    enum status st = name ? choose_run(s, name, err) : ST_OK;
    if (st == ST_OK)
        st = sql_exec(s, "BEGIN", err); /* one view of one moment */
    return st == ST_OK ? sql_end(s, lines_write(file, s, name ? LINES_RUNS : LINES_STORE, err), err) : st;
}
