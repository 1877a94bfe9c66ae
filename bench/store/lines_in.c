/* Lines as rows: see lines.h. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/store/lines_parts.h"
#include "kernels/base/json.h"
#include "kernels/base/sha256.h"

enum { VALUES_MAX = 64, TABLES_MAX = 32, KEY_MAX = 256 };

/* A column's value as it goes into the store. */
struct value {
    const char *name;
    const struct column *column;     /* NULL: the id that no struct has */
    enum { VALUE_NULL, VALUE_INT, VALUE_REAL, VALUE_TEXT, VALUE_BLOB } kind;
    int64_t integer;
    double  real;
    const char *text;                /* of the line's JSON, or `bytes` */
    void   *bytes;                   /* allocated: a blob, or text of any bytes */
    size_t  size;
};

struct sink {                        /* one table of the store, while rows come */
    const struct table *table;
    sqlite3_stmt *insert, *same, *candidate, *taken;
    int64_t last;                    /* newest id that was given or found */
    bool    referred;                /* other rows refer to it */
};

struct reader {
    struct store *s;
    const char *name;                /* of the file */
    int64_t line;
    const char *text;                /* of the line */
    bool    begun, ended;
    struct sink sinks[TABLES_MAX];
    size_t  sink_count;
    sqlite3_stmt *moved, *move, *seen, *see;
    struct store_lines_read count;
};

/* What a row of the file is in the store. */
struct row {
    struct sink *sink;
    struct value values[VALUES_MAX];
    size_t count;
    bool   fresh;                    /* what it belongs to came with this file: it cannot be there yet */
};

/* --- complaints ----------------------------------------------------------------------------------------- */

/* Column of a member's name in the line, from 1. Quotes within a text are escaped, so it is found only there. */
static int column_of(const struct reader *r, const char *member)
{
    char pattern[RECORD_NAME];
    sqlite3_snprintf(sizeof pattern, pattern, "\"%s\":", member);
    const char *at = member ? strstr(r->text, pattern) : NULL;
    return at ? (int)(at - r->text) + 1 : 1;
}

static enum status refuse(struct reader *r, const char *member, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static enum status refuse(struct reader *r, const char *member, struct err *err, const char *format, ...)
{
    char sentence[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    sqlite3_vsnprintf(sizeof sentence, sentence, format, args);
    va_end(args);
    return err_set(err, ST_CONFIG, "%s:%" PRId64 ":%d: %s: nothing was imported", r->name, r->line,
                   column_of(r, member), sentence);
}

/* --- values --------------------------------------------------------------------------------------------- */

static bool take_array(struct value *v, const json_t *array, size_t width)
{
    const size_t count = json_array_size(array);
    char *bytes = v->bytes = malloc(count * width + 1);
    if (!bytes)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        const int64_t number = json_integer_value(item);
        if (!json_is_integer(item) || (width < sizeof number && (number < 0 || number >> (8 * width))))
            return false;
        memcpy(bytes + i * width, &number, width);
    }
    v->size = count * width;
    return true;
}

static bool take_integer(struct value *v, const json_t *json)
{
    v->kind = VALUE_INT;
    v->integer = json_integer_value(json);
    return json_is_integer(json);
}

static bool take_real(struct value *v, const json_t *json)
{
    const char *text = json_string_value(json);
    v->kind = VALUE_REAL;
    v->real = text ? (*text == '-' ? -(double)INFINITY : (double)INFINITY) : json_number_value(json);
    return text ? strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0 : json_is_number(json);
}

static bool take_text(struct value *v, const json_t *json)
{
    v->kind = VALUE_TEXT;
    if (json_is_array(json)) {
        if (!take_array(v, json, 1))
            return false;
        v->text = v->bytes;
        return true;
    }
    v->text = json_string_value(json);
    v->size = json_string_length(json);
    return v->text;
}

static bool is_kind(const char *text)
{
    for (int kind = 0; text && kind < BLOCK_KIND_COUNT; kind++)
        if (strcmp(text, table_kind_name((enum block_kind)kind)) == 0)
            return true;
    return false;
}

static const char *const value_names[] = {
    [COLUMN_ID] = "an integer", [COLUMN_ONE] = "an integer", [COLUMN_I64] = "an integer", [COLUMN_U64] = "an integer",
    [COLUMN_INT] = "an integer", [COLUMN_BOOL] = "0 or 1", [COLUMN_REAL] = "a number, null, \"Infinity\" or \"-Infinity\"",
    [COLUMN_CHARS] = "a text or null", [COLUMN_TEXT] = "a text or null", [COLUMN_SHAPE] = "a text such as \"3x256x256\"",
    [COLUMN_KIND] = "a kind of block", [COLUMN_U64S] = "integers or null", [COLUMN_F32S] = "integers 0..2^32-1 or null",
};

static bool take_value(struct value *v, enum column_type type, const json_t *json)
{
    const bool is_null = json_is_null(json);
    v->kind = VALUE_NULL;
    switch (type) {
    case COLUMN_REAL: return is_null || take_real(v, json);
    case COLUMN_CHARS:
    case COLUMN_TEXT:
    case COLUMN_SHAPE: return is_null || take_text(v, json);
    case COLUMN_KIND: return take_text(v, json) && is_kind(v->text);
    case COLUMN_U64S:
    case COLUMN_F32S:
        if (is_null)
            return true;
        v->kind = VALUE_BLOB;
        return json_is_array(json) && take_array(v, json, type == COLUMN_F32S ? sizeof(uint32_t) : sizeof(uint64_t));
    case COLUMN_BOOL: return take_integer(v, json) && (v->integer == 0 || v->integer == 1);
    default: return take_integer(v, json);
    }
}

static void free_values(struct row *row)
{
    for (size_t i = 0; i < row->count; i++)
        free(row->values[i].bytes);
}

static enum status take_member(struct reader *r, struct value *v, const json_t *object, const struct table *table,
                               struct err *err)
{
    const json_t *json = json_object_get(object, v->name);
    const enum column_type type = v->column ? v->column->type : COLUMN_ID;
    if (!json)
        return refuse(r, "table", err, "the row of %s has no \"%s\"", table->name, v->name);
    if (take_value(v, type, json))
        return ST_OK;
    char *text = json_write_text(json, JSON_LINE);
    refuse(r, v->name, err, "\"%s\" of %s must be %s, got %.60s", v->name, table->name, value_names[type],
           text ? text : "more than there is memory for");
    free(text);
    return ST_CONFIG;
}

static enum status take_row(struct reader *r, struct row *row, const json_t *object, struct err *err)
{
    const struct table *table = row->sink->table;
    const size_t hidden = table_id_is_hidden(table);
    enum status st = ST_OK;
    for (size_t i = 0; i < table->count + hidden && st == ST_OK; i++) {
        struct value *v = &row->values[row->count++];
        v->column = i < hidden ? NULL : &table->columns[i - hidden];
        v->name = v->column ? v->column->name : "id";
        st = take_member(r, v, object, table, err);
    }
    if (st == ST_OK && json_object_size(object) != row->count + 1) /* the table's name */
        st = refuse(r, "table", err, "the row of %s has %d members, %d are known: was it written by a newer version?",
                    table->name, (int)json_object_size(object) - 1, (int)row->count);
    return st;
}

static struct value *value_named(struct row *row, const char *name)
{
    for (size_t i = 0; i < row->count; i++)
        if (strcmp(row->values[i].name, name) == 0)
            return &row->values[i];
    return NULL;
}

/* Packed numbers carry a digest over all of them. */
static enum status check_digest(struct reader *r, struct row *row, struct err *err)
{
    const struct value *digest = value_named(row, "digest");
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
    return refuse(r, "digest", err, "the numbers of this row of %s do not match their digest: the file was changed",
                  row->sink->table->name);
}

/* --- statements ----------------------------------------------------------------------------------------- */

static void bind(sqlite3_stmt *stmt, int place, const struct value *v)
{
    if (place > sqlite3_bind_parameter_count(stmt))
        return;
    switch (v->kind) {
    case VALUE_NULL: sqlite3_bind_null(stmt, place); break;
    case VALUE_INT: sqlite3_bind_int64(stmt, place, v->integer); break;
    case VALUE_REAL: sqlite3_bind_double(stmt, place, v->real); break;
    case VALUE_TEXT: sqlite3_bind_text64(stmt, place, v->text, v->size, SQLITE_STATIC, SQLITE_UTF8); break;
    case VALUE_BLOB: sqlite3_bind_blob64(stmt, place, v->bytes, v->size, SQLITE_STATIC); break;
    }
}

/* Executes a statement of the row's table, whose ?1, ?2 ... are its values and the one behind them `more`.
 * *found: it gave a row, and *id its first column. */
static enum status ask(bool *found, int64_t *id, struct reader *r, sqlite3_stmt *stmt, const struct row *row,
                       int64_t more, struct err *err)
{
    for (size_t i = 0; i < row->count; i++)
        bind(stmt, (int)i + 1, &row->values[i]);
    if (sqlite3_bind_parameter_count(stmt) > (int)row->count)
        sqlite3_bind_int64(stmt, (int)row->count + 1, more);
    enum status st = sql_step(found, r->s, stmt, err);
    *found &= st == ST_OK && sqlite3_column_type(stmt, 0) != SQLITE_NULL;
    *id = *found ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return st;
}

static bool is_known_by(const struct table *table, const char *column)
{
    for (size_t i = 0; i < TABLE_KNOWN_BY && table->known_by[i]; i++)
        if (strcmp(table->known_by[i], column) == 0)
            return true;
    return false;
}

static const char *column_name(const struct table *table, size_t place)
{
    const size_t hidden = table_id_is_hidden(table);
    return place < hidden ? "id" : table->columns[place - hidden].name;
}

static void append_conditions(sqlite3_str *text, const struct table *table, bool key_only)
{
    const size_t count = table->count + table_id_is_hidden(table);
    const char *and = "";
    for (size_t i = 0; i < count; i++) {
        const char *name = column_name(table, i);
        if (key_only && !is_known_by(table, name))
            continue;
        sqlite3_str_appendf(text, "%s\"%w\" IS ?%d", and, name, (int)i + 1);
        and = " AND ";
    }
}

static enum status prepare(sqlite3_stmt **out, struct reader *r, sqlite3_str *text, struct err *err)
{
    char *sql = sqlite3_str_finish(text);
    enum status st = sql_prepare(out, r->s, sql, err);
    sqlite3_free(sql);
    return st;
}

static enum status prepare_insert(struct sink *sink, struct reader *r, struct err *err)
{
    const struct table *table = sink->table;
    const size_t count = table->count + table_id_is_hidden(table);
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendf(text, "INSERT INTO \"%w\" (", table->name);
    for (size_t i = 0; i < count; i++)
        sqlite3_str_appendf(text, "%s\"%w\"", i ? ", " : "", column_name(table, i));
    sqlite3_str_appendall(text, ") VALUES (");
    for (size_t i = 0; i < count; i++)
        sqlite3_str_appendf(text, "%s?%d", i ? ", " : "", (int)i + 1);
    sqlite3_str_appendall(text, ")");
    return prepare(&sink->insert, r, text, err);
}

static enum status prepare_sink(struct sink *sink, struct reader *r, struct err *err)
{
    const struct table *table = sink->table;
    const char *id = table_id_name(table);
    const size_t count = table->count + table_id_is_hidden(table);
    sqlite3_str *same = sqlite3_str_new(NULL), *candidate = sqlite3_str_new(NULL), *taken = sqlite3_str_new(NULL);
    sqlite3_str_appendf(same, "SELECT 1 FROM \"%w\" WHERE ", table->name);
    append_conditions(same, table, false);
    sqlite3_str_appendf(candidate, "SELECT %s FROM \"%w\" WHERE ",
                        !id ? "1" : table->known == KNOWN_IN_ORDER ? "min(id)" : id, table->name);
    append_conditions(candidate, table, true);
    if (table->known == KNOWN_IN_ORDER)
        sqlite3_str_appendf(candidate, " AND id > ?%d", (int)count + 1);
    sqlite3_str_appendf(taken, "SELECT 1 FROM \"%w\" WHERE \"%w\" = ?1", table->name, id ? id : table->known_by[0]);
    enum status st = prepare_insert(sink, r, err), next;
    next = prepare(&sink->same, r, same, st == ST_OK ? err : NULL);
    st = st == ST_OK ? next : st;
    next = prepare(&sink->candidate, r, candidate, st == ST_OK ? err : NULL);
    st = st == ST_OK ? next : st;
    next = prepare(&sink->taken, r, taken, st == ST_OK ? err : NULL);
    return st == ST_OK ? next : st;
}

/* --- what a number of the file is here ------------------------------------------------------------------ */

static size_t place_of(const struct reader *r, const struct table *table)
{
    size_t i = 0;
    while (i < r->sink_count && r->sinks[i].table != table)
        i++;
    return i;
}

static enum status remember(struct reader *r, const struct row *row, int64_t old, int64_t id, bool fresh,
                            struct err *err)
{
    if (!row->sink->referred)
        return ST_OK;
    sqlite3_bind_int64(r->move, 1, (int64_t)place_of(r, row->sink->table));
    sqlite3_bind_int64(r->move, 2, old);
    sqlite3_bind_int64(r->move, 3, id);
    sqlite3_bind_int(r->move, 4, fresh);
    enum status st = sql_run(r->s, r->move, err);
    sqlite3_reset(r->move);
    return st;
}

static enum status find_moved(struct reader *r, struct row *row, struct value *v, const struct table *table,
                              struct err *err)
{
    bool found = false;
    const int64_t old = v->integer;
    sqlite3_bind_int64(r->moved, 1, (int64_t)place_of(r, table));
    sqlite3_bind_int64(r->moved, 2, old);
    enum status st = sql_step(&found, r->s, r->moved, err);
    if (st == ST_OK && found) {
        v->integer = sqlite3_column_int64(r->moved, 0);
        row->fresh |= sqlite3_column_int(r->moved, 1) != 0;
    }
    sqlite3_reset(r->moved);
    if (st == ST_OK && !found)
        return refuse(r, v->name, err, "%s refers to %s %lld, which no line above is", row->sink->table->name,
                      table->name, (long long)old);
    return st;
}

static const struct table *subject_of(struct row *row)
{
    const struct value *subject = value_named(row, "subject");
    size_t count;
    const struct table_subject *subjects = table_subjects(&count);
    for (size_t i = 0; subject->text && i < count; i++)
        if (strcmp(subjects[i].name, subject->text) == 0)
            return subjects[i].table;
    return NULL;
}

static enum status translate(struct reader *r, struct row *row, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < row->count && st == ST_OK; i++) {
        struct value *v = &row->values[i];
        const struct table *table = v->column ? v->column->refers : NULL;
        if (row->sink->table == &table_mark && strcmp(v->name, "subject_id") == 0 && !(table = subject_of(row)))
            return refuse(r, "subject", err, "a mark must be about a target, a point, an execution or a block");
        if (table && v->integer != 0)
            st = find_moved(r, row, v, table, err);
    }
    return st;
}

/* --- is it there? --------------------------------------------------------------------------------------- */

/* What rows of one key are told by, among those told by their order. */
static void key_of(char out[KEY_MAX], struct row *row)
{
    const struct table *table = row->sink->table;
    size_t used = 0;
    *out = 0;
    for (size_t i = 0; i < TABLE_KNOWN_BY && table->known_by[i] && used < KEY_MAX - 1; i++) {
        const struct value *v = value_named(row, table->known_by[i]);
        sqlite3_snprintf((int)(KEY_MAX - used), out + used, "%s/%lld/", v->text ? v->text : "", (long long)v->integer);
        used += strlen(out + used);
    }
}

static enum status last_seen(int64_t *last, struct reader *r, struct row *row, struct err *err)
{
    char key[KEY_MAX];
    bool found = false;
    key_of(key, row);
    sqlite3_bind_int64(r->seen, 1, (int64_t)place_of(r, row->sink->table));
    sqlite3_bind_text(r->seen, 2, key, -1, SQLITE_TRANSIENT);
    enum status st = sql_step(&found, r->s, r->seen, err);
    *last = found ? sqlite3_column_int64(r->seen, 0) : 0;
    sqlite3_reset(r->seen);
    return st;
}

static enum status see(struct reader *r, struct row *row, int64_t id, struct err *err)
{
    char key[KEY_MAX];
    key_of(key, row);
    sqlite3_bind_int64(r->see, 1, (int64_t)place_of(r, row->sink->table));
    sqlite3_bind_text(r->see, 2, key, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(r->see, 3, id);
    enum status st = sql_run(r->s, r->see, err);
    sqlite3_reset(r->see);
    return st;
}

/* Which column is another? */
static enum status complain(struct reader *r, struct row *row, struct err *err)
{
    const struct table *table = row->sink->table;
    const char *id = table_id_name(table), *wrong = "table";
    for (size_t i = 0; i < row->count; i++) {
        sqlite3_stmt *stmt = NULL;
        bool same = true;
        int64_t one;
        sqlite3_str *text = sqlite3_str_new(NULL);
        sqlite3_str_appendf(text, "SELECT 1 FROM \"%w\" WHERE \"%w\" IS ?%d AND ", table->name, row->values[i].name,
                            (int)i + 1);
        if (id)
            sqlite3_str_appendf(text, "\"%w\" = ?1", id);
        else
            append_conditions(text, table, true);
        enum status st = prepare(&stmt, r, text, err);
        if (st == ST_OK)
            st = ask(&same, &one, r, stmt, row, 0, err);
        sqlite3_finalize(stmt);
        if (st != ST_OK)
            return st;
        if (!same) {
            wrong = row->values[i].name;
            break;
        }
    }
    return refuse(r, wrong, err, "\"%s\" of this row of %s is another than in %s, which has that row", wrong, table->name,
                  r->s->path);
}

/* *found: the store has this very row, as number *id. */
static enum status look_up(bool *found, int64_t *id, struct reader *r, struct row *row, struct err *err)
{
    const struct table *table = row->sink->table;
    const bool numbered = table_id_name(table) != NULL;
    int64_t last = 0, one;
    *found = false;
    if (row->fresh)
        return ST_OK;
    enum status st = table->known == KNOWN_IN_ORDER ? last_seen(&last, r, row, err) : ST_OK;
    if (st == ST_OK)
        st = ask(found, id, r, row->sink->candidate, row, last, err);
    if (st != ST_OK || !*found)
        return st;
    bool same;
    if (numbered)
        row->values[0].integer = *id;
    st = ask(&same, &one, r, row->sink->same, row, 0, err);
    return st != ST_OK ? st : same ? ST_OK : complain(r, row, err);
}

/* --- putting it there ----------------------------------------------------------------------------------- */

/* Its own number if that is free and keeps the order, else one behind all others. */
static enum status choose_id(struct reader *r, struct row *row, struct err *err)
{
    struct value *v = &row->values[0];
    const struct table *table = row->sink->table;
    bool taken = false;
    int64_t one;
    if (!table_id_name(table) || table->columns[0].type == COLUMN_ONE)
        return ST_OK;
    if (v->integer <= row->sink->last)
        v->integer = row->sink->last + 1;
    enum status st = ask(&taken, &one, r, row->sink->taken, row, 0, err);
    if (st == ST_OK && taken) {
        char *text = sqlite3_mprintf("SELECT max(\"%w\") + 1 FROM \"%w\"", table_id_name(table), table->name);
        st = text ? sql_integer(&v->integer, r->s, text, err) : sql_out_of_memory(r->s, err);
        sqlite3_free(text);
    }
    return st;
}

static enum status put(struct reader *r, struct row *row, struct err *err)
{
    bool none;
    int64_t zero;
    enum status st = choose_id(r, row, err);
    if (st == ST_OK)
        st = ask(&none, &zero, r, row->sink->insert, row, 0, err);
    r->count.added += st == ST_OK;
    return st;
}

static enum status keep(struct reader *r, struct row *row, struct err *err)
{
    const bool numbered = table_id_name(row->sink->table) != NULL;
    const int64_t old = numbered ? row->values[0].integer : 0;
    bool found = false;
    int64_t id = 0;
    enum status st = translate(r, row, err);
    if (st == ST_OK)
        st = look_up(&found, &id, r, row, err);
    r->count.known += st == ST_OK && found;
    if (st == ST_OK && !found)
        st = put(r, row, err);
    if (st != ST_OK || !numbered)
        return st;
    id = row->values[0].integer;
    if (id > row->sink->last)
        row->sink->last = id;
    if (row->sink->table->known == KNOWN_IN_ORDER && !row->fresh)
        st = see(r, row, id, err);
    return st == ST_OK ? remember(r, row, old, id, !found, err) : st;
}

/* --- lines ---------------------------------------------------------------------------------------------- */

static enum status take_header(struct reader *r, const json_t *object, struct err *err)
{
    const char *store = json_string_value(json_object_get(object, "store"));
    const json_int_t schema = json_integer_value(json_object_get(object, "schema"));
    if (!store || strcmp(store, "bench") != 0)
        return refuse(r, NULL, err, "the first line must be {\"store\":\"bench\",\"schema\":%d}: this is no export of "
                                    "bench", STORE_SCHEMA_VERSION);
    if (schema != STORE_SCHEMA_VERSION)
        return refuse(r, "schema", err, "rows of schema %lld, this program knows %d: take the other version of bench",
                      (long long)schema, STORE_SCHEMA_VERSION);
    r->begun = true;
    return ST_OK;
}

static enum status take_end(struct reader *r, const json_t *object, struct err *err)
{
    const json_int_t rows = json_integer_value(json_object_get(object, "rows"));
    if (rows != r->count.added + r->count.known)
        return refuse(r, "rows", err, "%lld rows were written, %lld are here", (long long)rows,
                      (long long)(r->count.added + r->count.known));
    r->ended = true;
    return ST_OK;
}

static enum status take_object(struct reader *r, const json_t *object, struct err *err)
{
    const char *name = json_string_value(json_object_get(object, "table"));
    if (r->ended)
        return refuse(r, NULL, err, "a line behind the last one");
    if (!r->begun)
        return take_header(r, object, err);
    if (json_object_get(object, "end"))
        return take_end(r, object, err);
    struct row row = { .sink = NULL };
    for (size_t i = 0; name && i < r->sink_count; i++)
        if (strcmp(r->sinks[i].table->name, name) == 0)
            row.sink = &r->sinks[i];
    if (!row.sink)
        return refuse(r, "table", err, "there is no table \"%.60s\"", name ? name : "");
    enum status st = take_row(r, &row, object, err);
    if (st == ST_OK)
        st = check_digest(r, &row, err);
    if (st == ST_OK)
        st = keep(r, &row, err);
    free_values(&row);
    return st;
}

static enum status take_line(struct reader *r, const char *text, size_t size, struct err *err)
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

static bool is_referred(const struct table *table)
{
    size_t count;
    const struct table *const *tables = table_list(&count);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < tables[i]->count; k++)
            if (tables[i]->columns[k].refers == table)
                return true;
    return false;
}

static enum status begin(struct reader *r, struct err *err)
{
    size_t count;
    const struct table *const *tables = table_list(&count);
    enum status st = sql_exec(r->s,
                              "CREATE TABLE temp.moved (place INTEGER, old INTEGER, id INTEGER, fresh INTEGER, PRIMARY "
                              "KEY (place, old)) WITHOUT ROWID;"
                              "CREATE TABLE temp.seen (place INTEGER, key TEXT, id INTEGER, PRIMARY KEY (place, key)) "
                              "WITHOUT ROWID;", err);
    if (st == ST_OK)
        st = sql_prepare(&r->moved, r->s, "SELECT id, fresh FROM temp.moved WHERE place = ?1 AND old = ?2", err);
    if (st == ST_OK)
        st = sql_prepare(&r->move, r->s, "INSERT OR REPLACE INTO temp.moved VALUES (?1, ?2, ?3, ?4)", err);
    if (st == ST_OK)
        st = sql_prepare(&r->seen, r->s, "SELECT id FROM temp.seen WHERE place = ?1 AND key = ?2", err);
    if (st == ST_OK)
        st = sql_prepare(&r->see, r->s, "INSERT OR REPLACE INTO temp.seen VALUES (?1, ?2, ?3)", err);
    for (size_t i = 0; i < count && i < TABLES_MAX && st == ST_OK; i++) {
        struct sink *sink = &r->sinks[r->sink_count++];
        sink->table = tables[i];
        sink->referred = is_referred(tables[i]);
        st = prepare_sink(sink, r, err);
    }
    return st;
}

static void release(struct reader *r)
{
    for (size_t i = 0; i < r->sink_count; i++) {
        sqlite3_finalize(r->sinks[i].insert);
        sqlite3_finalize(r->sinks[i].same);
        sqlite3_finalize(r->sinks[i].candidate);
        sqlite3_finalize(r->sinks[i].taken);
    }
    sqlite3_finalize(r->moved);
    sqlite3_finalize(r->move);
    sqlite3_finalize(r->seen);
    sqlite3_finalize(r->see);
    sqlite3_exec(r->s->db, "DROP TABLE IF EXISTS temp.moved; DROP TABLE IF EXISTS temp.seen;", NULL, NULL, NULL);
}

static enum status take_lines(struct reader *r, FILE *file, struct err *err)
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
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return sql_out_of_memory(s, err);
    r->s = s;
    r->name = name;
    st = begin(r, err);
    if (st == ST_OK)
        st = take_lines(r, file, err);
    *out = r->count;
    release(r);
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
