/* Lines as rows: see lines.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/store/lines_parts.h"
#include "bench/store/lines_row.h"
#include "kernels/base/json.h"
#include "kernels/base/sha256.h"

/* --- rows ----------------------------------------------------------------------------------------------- */

static void free_values(struct line_row *row)
{
    for (size_t i = 0; i < row->count; i++)
        free(row->values[i].bytes);
}

static enum status take_member(struct line_reader *r, struct line_value *v, const json_t *object,
                               const struct table *table, struct err *err)
{
    const json_t *json = json_object_get(object, v->name);
    const enum column_type type = v->column ? v->column->type : COLUMN_ID;
    if (!json)
        return lines_refuse(r, "table", err, "the row of %s has no \"%s\"", table->name, v->name);
    if (lines_value_take(v, type, json))
        return ST_OK;
    char *text = json_write_text(json, JSON_LINE);
    lines_refuse(r, v->name, err, "\"%s\" of %s must be %s, got %.60s", v->name, table->name,
                 lines_value_allowed(type), text ? text : "more than there is memory for");
    free(text);
    return ST_CONFIG;
}

static enum status take_row(struct line_reader *r, struct line_row *row, const json_t *object, struct err *err)
{
    const struct table *table = row->sink->table;
    const size_t hidden = table_id_is_hidden(table);
    enum status st = ST_OK;
    for (size_t i = 0; i < table->count + hidden && st == ST_OK; i++) {
        struct line_value *v = &row->values[row->count++];
        v->column = i < hidden ? NULL : &table->columns[i - hidden];
        v->name = v->column ? v->column->name : "id";
        st = take_member(r, v, object, table, err);
    }
    if (st == ST_OK && json_object_size(object) != row->count + 1) /* the table's name */
        st = lines_refuse(r, "table", err, "the row of %s has %d members, %d are known", table->name,
                          (int)json_object_size(object) - 1, (int)row->count);
    return st;
}

/* Packed numbers carry a digest over all of them. */
static enum status check_digest(struct line_reader *r, struct line_row *row, struct err *err)
{
    const struct line_value *digest = lines_row_value(row, "digest");
    char hex[SHA256_HEX_SIZE];
    struct sha256 *sha = digest ? sha256_open() : NULL;
    if (!digest)
        return ST_OK;
    if (!sha)
        return sql_out_of_memory(r->s, err);
    for (size_t i = 0; i < row->count; i++)
        if (row->values[i].kind == VALUE_BLOB)
            sha256_add(sha, row->values[i].bytes, row->values[i].size);
    sha256_close(sha, hex);
    if (digest->text && strcmp(digest->text, hex) == 0)
        return ST_OK;
    return lines_refuse(r, "digest", err,
                        "the numbers of this row of %s do not match their digest: the file was changed",
                        row->sink->table->name);
}

/* --- lines ---------------------------------------------------------------------------------------------- */

static enum status take_header(struct line_reader *r, const json_t *object, struct err *err)
{
    const char *store = json_string_value(json_object_get(object, "store"));
    const json_int_t schema = json_integer_value(json_object_get(object, "schema"));
    if (!store || strcmp(store, "bench") != 0)
        return lines_refuse(r, NULL, err,
                            "the first line must be {\"store\":\"bench\",\"schema\":%d}: this is no export of bench",
                            STORE_SCHEMA_VERSION);
    if (schema != STORE_SCHEMA_VERSION)
        return lines_refuse(r, "schema", err,
                            "rows of schema %lld, this program knows %d: take the other version of bench",
                            (long long)schema, STORE_SCHEMA_VERSION);
    r->begun = true;
    return ST_OK;
}

static enum status take_end(struct line_reader *r, const json_t *object, struct err *err)
{
    const json_int_t rows = json_integer_value(json_object_get(object, "rows"));
    if (rows != r->count.added + r->count.known)
        return lines_refuse(r, "rows", err, "%lld rows were written, %lld are here", (long long)rows,
                            (long long)(r->count.added + r->count.known));
    r->ended = true;
    return ST_OK;
}

static enum status take_object(struct line_reader *r, const json_t *object, struct err *err)
{
    const char *name = json_string_value(json_object_get(object, "table"));
    if (r->ended)
        return lines_refuse(r, NULL, err, "a line behind the last one");
    if (!r->begun)
        return take_header(r, object, err);
    if (json_object_get(object, "end"))
        return take_end(r, object, err);
    struct line_row row = { .sink = NULL };
    for (size_t i = 0; name && i < r->sink_count; i++)
        if (strcmp(r->sinks[i].table->name, name) == 0)
            row.sink = &r->sinks[i];
    if (!row.sink)
        return lines_refuse(r, "table", err, "there is no table \"%.60s\"", name ? name : "");
    enum status st = take_row(r, &row, object, err);
    if (st == ST_OK)
        st = check_digest(r, &row, err);
    if (st == ST_OK)
        st = lines_row_keep(r, &row, err);
    free_values(&row);
    return st;
}

static enum status take_line(struct line_reader *r, const char *text, size_t size, struct err *err)
{
    json_error_t why;
    r->line++;
    r->text = text;
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(object)) {
        json_decref(object);
        return err_set(err, ST_CONFIG, "%s:%" PRId64 ":%d: %s: nothing was imported", r->name, r->line,
                       object || why.column < 1 ? 1 : why.column, object ? "a line must be an object" : why.text);
    }
    enum status st = take_object(r, object, err);
    json_decref(object);
    return st;
}

/* --- all of it ------------------------------------------------------------------------------------------ */

static enum status take_lines(struct line_reader *r, FILE *file, struct err *err)
{
    char *text = NULL;
    size_t room = 0;
    enum status st = ST_OK;
    ssize_t size;
    while (st == ST_OK && (size = getline(&text, &room, file)) > 0)
        st = take_line(r, text, (size_t)size, err);
    if (st == ST_OK && ferror(file))
        st = err_set(err, ST_IO, "%s: cannot be read: %s", r->name, strerror(errno));
    else if (st == ST_OK && !r->ended)
        st = err_set(err, ST_CONFIG, "%s:%" PRId64 ": the last line, {\"end\":true,...}, is missing: the file was cut "
                                     "off: nothing was imported", r->name, r->line);
    free(text);
    return st;
}

enum status lines_read(struct store_lines_read *out, struct store *s, FILE *file, const char *name,
                       struct err *err)
{
    enum status st = ST_OK;
    struct line_reader *r = calloc(1, sizeof *r);
    if (!r)
        return sql_out_of_memory(s, err);
    r->s = s;
    r->name = name;
    st = lines_reader_open(r, err);
    if (st == ST_OK)
        st = take_lines(r, file, err);
    *out = r->count;
    lines_reader_close(r);
    free(r);
    return st;
}

enum status store_read_lines(struct store_lines_read *out, struct store *s, const char *path, struct err *err)
{
    FILE *file = fopen(path, "rbe");
    *out = (struct store_lines_read){ 0 };
    if (!file)
        return err_set(err, ST_CONFIG, "%s: %s: name a file that bench export --format jsonl wrote, or an archive of "
                                       "bench prune", path, strerror(errno));
    enum status st = sql_exec(s, "PRAGMA temp_store = MEMORY", err);
    if (st == ST_OK)
        st = sql_begin(s, err);
    if (st == ST_OK)
        st = sql_end(s, lines_read(out, s, file, path, err), err);
    fclose(file);
    return st;
}
