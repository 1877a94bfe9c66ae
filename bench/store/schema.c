#include "bench/store/schema.h"

enum status schema_check(bool *empty, struct store *s, struct err *err)
{
    int64_t application = 0, version = 0, things = 0;
    enum status st = sql_integer(&application, s, "PRAGMA application_id", err);
    if (st == ST_OK)
        st = sql_integer(&version, s, "PRAGMA user_version", err);
    if (st == ST_OK)
        st = sql_integer(&things, s, "SELECT count(*) FROM sqlite_master", err);
    if (st != ST_OK)
        return st;
    *empty = things == 0 && application == 0 && version == 0;
    if (*empty)
        return ST_OK;
    if (application != SCHEMA_APPLICATION)
        return err_set(err, ST_IO,
                       "%s is the SQLite database of another program: name another folder with --out",
                       s->path);
    if (version > STORE_SCHEMA_VERSION)
        return err_set(err, ST_CONFIG,
                       "%s was written by a newer version (schema %lld, this program knows %d): use "
                       "that version, or another folder with --out",
                       s->path, (long long)version, STORE_SCHEMA_VERSION);
    if (version < 1)
        return err_set(err, ST_IO, "%s is damaged: its schema version is %lld: move it away", s->path,
                       (long long)version);
    return ST_OK;
}

static const char *column_sql(enum column_type type)
{
    switch (type) {
    case COLUMN_ID: return "INTEGER PRIMARY KEY";
    case COLUMN_REAL: return "REAL";
    case COLUMN_CHARS:
    case COLUMN_TEXT:
    case COLUMN_SHAPE:
    case COLUMN_KIND: return "TEXT";
    default: return "INTEGER NOT NULL";
    }
}

/* Raw tables get an id of their own even where the row struct has none: it is their order. Derived ones must
 * come out byte for byte alike when they are made again, so their key is what they are about. */
static void append_table(sqlite3_str *text, const struct table *table)
{
    const bool own_id = table->class == TABLE_RAW && table->columns[0].type != COLUMN_ID;
    sqlite3_str_appendf(text, "CREATE TABLE \"%w\" (%s", table->name, own_id ? "id INTEGER PRIMARY KEY" : "");
    for (size_t i = 0; i < table->count; i++)
        sqlite3_str_appendf(text, "%s\"%w\" %s", own_id || i > 0 ? ", " : "", table->columns[i].name,
                            column_sql(table->columns[i].type));
    if (table->constraints)
        sqlite3_str_appendf(text, ", %s", table->constraints);
    sqlite3_str_appendall(text, table->class == TABLE_DERIVED ? ") WITHOUT ROWID;\n" : ");\n");
    if (table->index)
        sqlite3_str_appendf(text, "CREATE INDEX \"%w_index\" ON \"%w\" (%s);\n", table->name, table->name,
                            table->index);
}

static void append_triggers(sqlite3_str *text, const struct table *table)
{
    static const char *const refused[] = { "UPDATE", "DELETE" };
    for (size_t i = 0; i < 2 && table->class == TABLE_RAW; i++)
        sqlite3_str_appendf(text,
                            "CREATE TRIGGER \"%w_no_%w\" BEFORE %s ON \"%w\" BEGIN SELECT RAISE(ABORT, "
                            "'%w holds what was measured: it is never changed'); END;\n",
                            table->name, refused[i], refused[i], table->name, table->name);
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
    sqlite3_str_appendf(text, "PRAGMA application_id = %d; PRAGMA user_version = %d;", SCHEMA_APPLICATION,
                        STORE_SCHEMA_VERSION);
    char *sql = sqlite3_str_finish(text);
    enum status st = sql ? sql_begin(s, err) : sql_out_of_memory(s, err);
    if (st == ST_OK)
        st = sql_end(s, sql_exec(s, sql, err), err);
    sqlite3_free(sql);
    return st;
}
