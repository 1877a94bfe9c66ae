#include "bench/store/schema.h"

#include <string.h>

#include "bench/store/telemetry.h"

enum status schema_check(struct store *s, struct err *err)
{
    int64_t application = 0, found = 0, things = 0;
    s->version = 0;
    enum status st = sql_integer(&application, s, "PRAGMA application_id", err);
    if (st == ST_OK)
        st = sql_integer(&found, s, "PRAGMA user_version", err);
    if (st == ST_OK)
        st = sql_integer(&things, s, "SELECT count(*) FROM sqlite_master", err);
    if (st != ST_OK || (things == 0 && application == 0 && found == 0))
        return st;
    if (application != SCHEMA_APPLICATION)
        return err_set(err, ST_IO,
                       "%s is the SQLite database of another program: name another folder with --out",
                       s->path);
    if (found > STORE_SCHEMA_VERSION)
        return err_set(err, ST_CONFIG,
                       "%s was written by a newer version (schema %lld, this program knows %d): use "
                       "that version, or another folder with --out",
                       s->path, (long long)found, STORE_SCHEMA_VERSION);
    if (found < 1)
        return err_set(err, ST_IO, "%s is damaged: its schema version is %lld: move it away", s->path,
                       (long long)found);
    s->version = (int)found;
    return ST_OK;
}

static const char *column_sql(enum column_type type)
{
    switch (type) {
    case COLUMN_ID:
    case COLUMN_ONE: return "INTEGER PRIMARY KEY";
    case COLUMN_REAL: return "REAL";
    case COLUMN_CHARS:
    case COLUMN_TEXT:
    case COLUMN_SHAPE:
    case COLUMN_KIND: return "TEXT";
    case COLUMN_U64S:
    case COLUMN_F32S: return "BLOB";
    default: return "INTEGER NOT NULL";
    }
}

static void append_key(sqlite3_str *text, const struct table *table)
{
    for (size_t i = 0; i < TABLE_KNOWN_BY && table->known_by[i]; i++)
        sqlite3_str_appendf(text, "%s\"%w\"", i ? ", " : "(", table->known_by[i]);
    sqlite3_str_appendall(text, ")");
}

/* Raw tables get an id of their own even where the row struct has none: it is their order. Derived ones must
 * come out byte for byte alike when they are made again, so their key is what they are about. */
static void append_table(sqlite3_str *text, const struct table *table)
{
    const bool own_id = table_id_is_hidden(table), derived = table->class == TABLE_DERIVED;
    sqlite3_str_appendf(text, "CREATE TABLE \"%w\" (%s", table->name, own_id ? "id INTEGER PRIMARY KEY" : "");
    for (size_t i = 0; i < table->count; i++)
        sqlite3_str_appendf(text, "%s\"%w\" %s", own_id || i > 0 ? ", " : "", table->columns[i].name,
                            column_sql(table->columns[i].type));
    if (derived || (table->known == KNOWN_ONCE && table->columns[0].type != COLUMN_ONE)) {
        sqlite3_str_appendall(text, derived ? ", PRIMARY KEY" : ", UNIQUE");
        append_key(text, table);
    }
    sqlite3_str_appendall(text, derived ? ") WITHOUT ROWID;\n" : ");\n");
    if (table->known == KNOWN_IN_ORDER) {
        sqlite3_str_appendf(text, "CREATE INDEX \"%w_index\" ON \"%w\" ", table->name, table->name);
        append_key(text, table);
        sqlite3_str_appendall(text, ";\n");
    }
}

static void append_trigger(sqlite3_str *text, const struct table *table, const char *refused)
{
    sqlite3_str_appendf(text,
                        "CREATE TRIGGER \"%w_no_%w\" BEFORE %s ON \"%w\" BEGIN SELECT RAISE(ABORT, "
                        "'%w holds what was measured: it is never changed'); END;\n",
                        table->name, refused, refused, table->name, table->name);
}

static void append_triggers(sqlite3_str *text, const struct table *table)
{
    if (table->class != TABLE_RAW)
        return;
    append_trigger(text, table, "UPDATE");
    append_trigger(text, table, "DELETE");
}

static void append_version(sqlite3_str *text)
{
    sqlite3_str_appendf(text, "PRAGMA application_id = %d; PRAGMA user_version = %d;", SCHEMA_APPLICATION,
                        STORE_SCHEMA_VERSION);
}

/* Executes and frees a text of statements as one transaction. */
static enum status run_text(struct store *s, sqlite3_str *text, struct err *err)
{
    char *sql = sqlite3_str_finish(text);
    enum status st = sql ? sql_begin(s, err) : sql_out_of_memory(s, err);
    if (st == ST_OK)
        st = sql_end(s, sql_exec(s, sql, err), err);
    sqlite3_free(sql);
    return st;
}

enum status schema_create(struct store *s, struct err *err)
{
    size_t count;
    const struct table *const *tables = table_list(&count);
    sqlite3_str *text = sqlite3_str_new(s->db);
    for (size_t i = 0; i < count; i++) {
        append_table(text, tables[i]);
        append_triggers(text, tables[i]);
    }
    append_version(text);
    enum status st = run_text(s, text, err);
    if (st == ST_OK)
        s->version = STORE_SCHEMA_VERSION;
    return st;
}

/* --- older versions ------------------------------------------------------------------------------------- */

/* Which columns of a table are in the file? present[table->count]; *exists: the table is. */
static enum status look_at_table(bool *exists, bool *present, struct store *s, const struct table *table,
                                 struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    bool more = true;
    *exists = false;
    memset(present, 0, table->count * sizeof *present);
    enum status st = sql_prepare(&stmt, s, "SELECT name FROM pragma_table_info(?1)", err);
    if (st == ST_OK)
        sqlite3_bind_text(stmt, 1, table->name, -1, SQLITE_STATIC);
    while (st == ST_OK && more) {
        st = sql_step(&more, s, stmt, err);
        const char *name = st == ST_OK && more ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
        for (size_t i = 0; name && i < table->count; i++)
            present[i] |= strcmp(table->columns[i].name, name) == 0;
        *exists |= name != NULL;
    }
    sqlite3_finalize(stmt);
    return st;
}

/* What stands in place of a value that was never stored. */
static const char *unknown_sql(const struct column *column)
{
    return column->before                                                      ? column->before
           : strncmp(column_sql(column->type), "INTEGER", strlen("INTEGER")) == 0 ? "0"
                                                                               : "NULL";
}

static void append_missing_columns(sqlite3_str *text, const struct table *table, const bool *present)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct column *column = &table->columns[i];
        const char *type = column_sql(column->type);
        if (present[i])
            continue;
        sqlite3_str_appendf(text, "ALTER TABLE \"%w\" ADD COLUMN \"%w\" %s%s;\n", table->name,
                            column->name, type, strstr(type, "NOT NULL") ? " DEFAULT 0" : "");
        if (column->before)
            sqlite3_str_appendf(text, "UPDATE \"%w\" SET \"%w\" = %s;\n", table->name, column->name,
                                column->before);
    }
}

/* A view with the name of the table goes before the table itself. */
static void append_cover(sqlite3_str *text, const struct table *table, bool exists, const bool *present)
{
    size_t missing = 0;
    for (size_t i = 0; i < table->count; i++)
        missing += !present[i];
    if (missing == 0)
        return;
    sqlite3_str_appendf(text, "CREATE TEMP VIEW \"%w\" AS SELECT ", table->name);
    if (exists)
        sqlite3_str_appendall(text, "*");
    for (size_t i = 0, written = exists; i < table->count; i++)
        if (!present[i])
            sqlite3_str_appendf(text, "%s%s AS \"%w\"", written++ ? ", " : "",
                                exists ? unknown_sql(&table->columns[i]) : "NULL", table->columns[i].name);
    if (exists)
        sqlite3_str_appendf(text, " FROM main.\"%w\";\n", table->name);
    else
        sqlite3_str_appendall(text, " WHERE 0;\n");
}

#define COLUMNS_MAX 64

/* What every table lacks that an older version has not. */
static enum status append_missing(sqlite3_str *text, struct store *s, struct err *err)
{
    size_t count;
    bool exists, present[COLUMNS_MAX];
    const struct table *const *tables = table_list(&count);
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        st = look_at_table(&exists, present, s, tables[i], err);
        if (st == ST_OK && exists) {
            append_missing_columns(text, tables[i], present);
        } else if (st == ST_OK) {
            append_table(text, tables[i]);
            append_triggers(text, tables[i]);
        }
    }
    append_version(text);
    return st;
}

/* Tables whose rows lie another way now are moved aside, so that they are made anew. */
static enum status move_aside(struct store *s, struct err *err)
{
    return sql_exec(s,
                    "DROP TRIGGER IF EXISTS samples_no_UPDATE; DROP TRIGGER IF EXISTS samples_no_DELETE;"
                    "DROP INDEX IF EXISTS samples_index;"
                    "DROP TRIGGER IF EXISTS telemetry_no_UPDATE; DROP TRIGGER IF EXISTS telemetry_no_DELETE;"
                    "ALTER TABLE samples RENAME TO samples_v3; ALTER TABLE telemetry RENAME TO telemetry_v3;", err);
}

static enum status take_over(struct store *s, struct err *err)
{
    enum status st = sql_exec(s,
                              "INSERT INTO samples (block, iteration_ns, h2d_ns, compute_ns, d2h_ns, digest) SELECT "
                              "block, iteration_ns, h2d_ns, compute_ns, d2h_ns, digest FROM samples_v3;"
                              "DROP TABLE samples_v3;", err);
    if (st == ST_OK)
        st = telemetry_pack_v3(s, err);
    return st == ST_OK ? sql_exec(s, "DROP TABLE telemetry_v3;", err) : st;
}

static enum status upgrade(struct store *s, struct err *err)
{
    enum status st = s->version < 4 ? move_aside(s, err) : ST_OK;
    if (st != ST_OK)
        return st;
    sqlite3_str *text = sqlite3_str_new(s->db);
    st = append_missing(text, s, err);
    char *sql = sqlite3_str_finish(text);
    if (st == ST_OK)
        st = sql ? sql_exec(s, sql, err) : sql_out_of_memory(s, err);
    sqlite3_free(sql);
    return st == ST_OK && s->version < 4 ? take_over(s, err) : st;
}

enum status schema_upgrade(struct store *s, struct err *err)
{
    enum status st = sql_begin(s, err);
    if (st == ST_OK)
        st = sql_end(s, upgrade(s, err), err);
    if (st == ST_OK && s->version < 4)
        sql_exec(s, "VACUUM", NULL); /* gives room back to the disk; without room for a copy it stays as it is */
    if (st == ST_OK)
        s->version = STORE_SCHEMA_VERSION;
    return st;
}

/* --- triggers ------------------------------------------------------------------------------------------- */

enum status schema_lift(struct store *s, const struct table *table, struct err *err)
{
    char *sql = sqlite3_mprintf("DROP TRIGGER \"%w_no_DELETE\"", table->name);
    enum status st = sql ? sql_exec(s, sql, err) : sql_out_of_memory(s, err);
    sqlite3_free(sql);
    return st;
}

enum status schema_lower(struct store *s, const struct table *table, struct err *err)
{
    sqlite3_str *text = sqlite3_str_new(s->db);
    append_trigger(text, table, "DELETE");
    char *sql = sqlite3_str_finish(text);
    enum status st = sql ? sql_exec(s, sql, err) : sql_out_of_memory(s, err);
    sqlite3_free(sql);
    return st;
}

/* --- older versions that are only read ------------------------------------------------------------------ */

enum status schema_cover(struct store *s, struct err *err)
{
    size_t count;
    bool exists, present[COLUMNS_MAX];
    const struct table *const *tables = table_list(&count);
    sqlite3_str *text = sqlite3_str_new(s->db);
    sqlite3_str_appendall(text, "PRAGMA temp_store = MEMORY;\n"); /* the folder may be read-only */
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        st = look_at_table(&exists, present, s, tables[i], err);
        if (st == ST_OK)
            append_cover(text, tables[i], exists, present);
    }
    char *sql = sqlite3_str_finish(text);
    if (st == ST_OK)
        st = sql ? sql_exec(s, sql, err) : sql_out_of_memory(s, err);
    sqlite3_free(sql);
    return st;
}
