#include "bench/store/telemetry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/grow.h"
#include "kernels/base/json.h"
#include "kernels/base/text.h"

/* --- in ------------------------------------------------------------------------------------------------- */

/* JSON holds no bytes that are no characters: each becomes a question mark. */
static json_t *text_json(const char *text)
{
    char clean[RECORD_TEXT];
    sqlite3_snprintf(sizeof clean, clean, "%s", text);
    for (char *at = clean; *at;) {
        const size_t size = text_utf8_size(at);
        if (!size)
            *at = '?';
        at += size ? size : 1;
    }
    return json_string(clean);
}

static json_t *number_json(double x)
{
    if (!isfinite(x))
        return json_null();
    return x == floor(x) && fabs(x) < 1e15 && !(x == 0 && signbit(x)) ? json_integer((json_int_t)x) : json_real(x);
}

static json_t *reading_json(const struct field_row *field)
{
    return field->is_number ? number_json(field->number) : text_json(field->text);
}

static json_t *form_json(const struct field_row *field)
{
    return json_pack("[o, o, o, o]", text_json(field->name), text_json(field->source), text_json(field->class_name),
                     text_json(field->absent));
}

/* Both texts, for free(); false: memory. */
static bool pack(char **form, char **readings, const struct field_row *fields, size_t count)
{
    json_t *forms = json_array(), *values = json_array();
    bool whole = forms && values;
    for (size_t i = 0; i < count && whole; i++) {
        whole = json_array_append_new(forms, form_json(&fields[i])) == 0;
        if (!*fields[i].absent)
            whole &= json_array_append_new(values, reading_json(&fields[i])) == 0;
    }
    *form = whole ? json_write_text(forms, JSON_LINE) : NULL;
    *readings = whole ? json_write_text(values, JSON_LINE) : NULL;
    json_decref(forms);
    json_decref(values);
    return *form && *readings;
}

/* Number of a form: of the one that is there, else of a new one. */
static enum status find_form(int64_t *id, struct store *s, const char *form, struct err *err)
{
    const struct telemetry_form_entry entry = { .text = form };
    sqlite3_stmt *stmt = NULL;
    bool found = false;
    enum status st = sql_prepare(&stmt, s, "SELECT id FROM telemetry_form WHERE text = ?1", err);
    if (st == ST_OK) {
        sqlite3_bind_text(stmt, 1, form, -1, SQLITE_STATIC);
        st = sql_step(&found, s, stmt, err);
        *id = found ? sqlite3_column_int64(stmt, 0) : 0;
    }
    sqlite3_finalize(stmt);
    return st == ST_OK && !found ? sql_insert(id, s, &table_telemetry_form, &entry, err) : st;
}

enum status telemetry_insert(struct store *s, int64_t block, const struct field_row *fields, size_t count,
                             struct err *err)
{
    char *form = NULL, *readings = NULL;
    struct telemetry_entry entry = { .block = block };
    if (count == 0)
        return ST_OK;
    enum status st = pack(&form, &readings, fields, count) ? ST_OK : sql_out_of_memory(s, err);
    if (st == ST_OK)
        st = find_form(&entry.form, s, form, err);
    entry.readings = readings;
    if (st == ST_OK)
        st = sql_insert(NULL, s, &table_telemetry, &entry, err);
    free(form);
    free(readings);
    return st;
}

/* --- out ------------------------------------------------------------------------------------------------ */

static void copy(char *out, size_t size, const json_t *form, size_t place)
{
    const char *text = json_string_value(json_array_get(form, place));
    sqlite3_snprintf((int)size, out, "%s", text ? text : "");
}

/* *next: the reading of the first field that is not absent, moved on. */
static struct field_row field_of(const json_t *form, const json_t *readings, size_t *next)
{
    struct field_row field = { .number = NAN };
    copy(field.name, sizeof field.name, form, 0);
    copy(field.source, sizeof field.source, form, 1);
    copy(field.class_name, sizeof field.class_name, form, 2);
    copy(field.absent, sizeof field.absent, form, 3);
    if (*field.absent)
        return field;
    const json_t *reading = json_array_get(readings, (*next)++);
    field.is_number = !json_is_string(reading);
    if (json_is_number(reading))
        field.number = json_number_value(reading);
    else if (json_is_string(reading))
        sqlite3_snprintf(sizeof field.text, field.text, "%s", json_string_value(reading));
    return field;
}

static enum status unpack(struct field_row **out, size_t *count, struct store *s, const char *form,
                          const char *readings, struct err *err)
{
    json_t *forms = form ? json_read_text("form", form, strlen(form), NULL) : NULL;
    json_t *values = readings ? json_read_text("readings", readings, strlen(readings), NULL) : NULL;
    enum status st = ST_OK;
    size_t next = 0;
    if (!json_is_array(forms) || !json_is_array(values))
        st = err_set(err, ST_IO, "%s is damaged: the telemetry of a block cannot be read; move the file away, or go "
                                 "back to a copy of it", s->path);
    else if (!(*out = calloc(json_array_size(forms) + 1, sizeof **out)))
        st = sql_out_of_memory(s, err);
    for (size_t i = 0; st == ST_OK && i < json_array_size(forms); i++)
        (*out)[(*count)++] = field_of(json_array_get(forms, i), values, &next);
    json_decref(forms);
    json_decref(values);
    return st;
}

/* A row for each field. */
static enum status load_v3(struct field_row **out, size_t *count, struct store *s, int64_t block, struct err *err)
{
    const struct sql_query query = { .table = &table_telemetry_v3, .tail = "WHERE t.block = ?1 ORDER BY t.id",
                                     .id = block, .row_size = sizeof(struct telemetry_entry_v3) };
    void *rows = NULL;
    enum status st = sql_load(&rows, count, s, &query, err);
    if (st == ST_OK && !(*out = calloc(*count + 1, sizeof **out)))
        st = sql_out_of_memory(s, err);
    for (size_t i = 0; st == ST_OK && i < *count; i++)
        (*out)[i] = ((struct telemetry_entry_v3 *)rows)[i].field;
    free(rows);
    return st;
}

enum status telemetry_load(struct field_row **out, size_t *count, struct store *s, int64_t block,
                           struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    bool found = false;
    *out = NULL;
    *count = 0;
    if (s->version < 4)
        return load_v3(out, count, s, block, err);
    enum status st = sql_prepare(&stmt, s,
                                 "SELECT f.text, t.readings FROM telemetry AS t JOIN telemetry_form AS f ON "
                                 "f.id = t.form WHERE t.block = ?1", err);
    if (st == ST_OK) {
        sqlite3_bind_int64(stmt, 1, block);
        st = sql_step(&found, s, stmt, err);
    }
    if (st == ST_OK && found)
        st = unpack(out, count, s, (const char *)sqlite3_column_text(stmt, 0),
                    (const char *)sqlite3_column_text(stmt, 1), err);
    sqlite3_finalize(stmt);
    return st;
}

/* --- from version 3 ------------------------------------------------------------------------------------- */

struct gathered {                    /* the fields of one block so far */
    void *fields;                    /* struct field_row [count] */
    int   count, room;
    int64_t block;
};

/* Keeps the block that was gathered, if the row is of another. */
static enum status turn_to(struct gathered *g, int64_t block, struct store *s, struct err *err)
{
    enum status st = g->block == block ? ST_OK : telemetry_insert(s, g->block, g->fields, (size_t)g->count, err);
    if (g->block != block)
        g->count = 0;
    g->block = block;
    return st;
}

static enum status gather(struct gathered *g, struct store *s, sqlite3_stmt *stmt, struct err *err)
{
    struct telemetry_entry_v3 entry = { .block = 0 };
    int first = 0;
    sql_read_row(&entry, stmt, &first, &table_telemetry_v3);
    enum status st = turn_to(g, entry.block, s, err);
    if (st != ST_OK)
        return st;
    if (!grow(&g->fields, g->count, &g->room, sizeof(struct field_row)))
        return sql_out_of_memory(s, err);
    ((struct field_row *)g->fields)[g->count++] = entry.field;
    return ST_OK;
}

enum status telemetry_pack_v3(struct store *s, struct err *err)
{
    struct gathered g = { .fields = NULL };
    sqlite3_stmt *stmt = NULL;
    bool more = true;
    enum status st = sql_prepare(&stmt, s,
                                 "SELECT block, name, text, number, is_number, absent, source, class_name FROM "
                                 "telemetry_v3 ORDER BY block, id", err);
    while (st == ST_OK && more) {
        st = sql_step(&more, s, stmt, err);
        if (st == ST_OK && more)
            st = gather(&g, s, stmt, err);
    }
    if (st == ST_OK)
        st = turn_to(&g, 0, s, err);
    sqlite3_finalize(stmt);
    free(g.fields);
    return st;
}
