#include "bench/store/lines_row.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- complaints ----------------------------------------------------------------------------------------- */

/* Column of a member's name in the line, from 1. Quotes within a text are escaped, so it is found only there. */
static int column_of(const struct line_reader *r, const char *member)
{
    char pattern[RECORD_NAME];
    sqlite3_snprintf(sizeof pattern, pattern, "\"%s\":", member);
    const char *at = member ? strstr(r->text, pattern) : NULL;
    return at ? (int)(at - r->text) + 1 : 1;
}

enum status lines_refuse(struct line_reader *r, const char *member, struct err *err, const char *format, ...)
{
    char sentence[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    sqlite3_vsnprintf(sizeof sentence, sentence, format, args);
    va_end(args);
    return err_set(err, ST_CONFIG, "%s:%" PRId64 ":%d: %s: nothing was imported", r->name, r->line,
                   column_of(r, member), sentence);
}

struct line_value *lines_row_value(struct line_row *row, const char *name)
{
    for (size_t i = 0; i < row->count; i++)
        if (strcmp(row->values[i].name, name) == 0)
            return &row->values[i];
    return NULL;
}

/* --- statements ----------------------------------------------------------------------------------------- */

/* Executes a statement of the row's table, whose ?1, ?2 ... are its values and the one behind them `more`.
 * *found: it gave a row, and *id its first column. */
static enum status ask(bool *found, int64_t *id, struct line_reader *r, sqlite3_stmt *stmt, const struct line_row *row,
                       int64_t more, struct err *err)
{
    for (size_t i = 0; i < row->count; i++)
        lines_value_bind(stmt, (int)i + 1, &row->values[i]);
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

static enum status prepare(sqlite3_stmt **out, struct line_reader *r, sqlite3_str *text, struct err *err)
{
    char *sql = sqlite3_str_finish(text);
    enum status st = sql_prepare(out, r->s, sql, err);
    sqlite3_free(sql);
    return st;
}

static enum status prepare_insert(struct line_sink *sink, struct line_reader *r, struct err *err)
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

static enum status prepare_sink(struct line_sink *sink, struct line_reader *r, struct err *err)
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

static size_t place_of(const struct line_reader *r, const struct table *table)
{
    size_t i = 0;
    while (i < r->sink_count && r->sinks[i].table != table)
        i++;
    return i;
}

static enum status remember(struct line_reader *r, const struct line_row *row, int64_t old, int64_t id, bool fresh,
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

static enum status find_moved(struct line_reader *r, struct line_row *row, struct line_value *v,
                              const struct table *table, struct err *err)
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
        return lines_refuse(r, v->name, err, "%s refers to %s %lld, which no line above is", row->sink->table->name,
                            table->name, (long long)old);
    return st;
}

static const struct table *subject_of(struct line_row *row)
{
    const struct line_value *subject = lines_row_value(row, "subject");
    size_t count;
    const struct table_subject *subjects = table_subjects(&count);
    for (size_t i = 0; subject->text && i < count; i++)
        if (strcmp(subjects[i].name, subject->text) == 0)
            return subjects[i].table;
    return NULL;
}

static enum status translate(struct line_reader *r, struct line_row *row, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < row->count && st == ST_OK; i++) {
        struct line_value *v = &row->values[i];
        const struct table *table = v->column ? v->column->refers : NULL;
        if (row->sink->table == &table_mark && strcmp(v->name, "subject_id") == 0 && !(table = subject_of(row)))
            return lines_refuse(r, "subject", err, "a mark must be about a target, a point, an execution or a block");
        if (table && v->integer != 0)
            st = find_moved(r, row, v, table, err);
    }
    return st;
}

/* --- is it there? --------------------------------------------------------------------------------------- */

enum { KEY_MAX = 256 };

/* What rows of one key are told by, among those told by their order. */
static void key_of(char out[KEY_MAX], struct line_row *row)
{
    const struct table *table = row->sink->table;
    size_t used = 0;
    *out = 0;
    for (size_t i = 0; i < TABLE_KNOWN_BY && table->known_by[i] && used < KEY_MAX - 1; i++) {
        const struct line_value *v = lines_row_value(row, table->known_by[i]);
        sqlite3_snprintf((int)(KEY_MAX - used), out + used, "%s/%lld/", v->text ? v->text : "", (long long)v->integer);
        used += strlen(out + used);
    }
}

static enum status last_seen(int64_t *last, struct line_reader *r, struct line_row *row, struct err *err)
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

static enum status see(struct line_reader *r, struct line_row *row, int64_t id, struct err *err)
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
static enum status complain(struct line_reader *r, struct line_row *row, struct err *err)
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
    return lines_refuse(r, wrong, err, "\"%s\" of this row of %s is another than in %s, which has that row", wrong,
                        table->name, r->s->path);
}

/* *found: the store has this very row, as number *id. */
static enum status look_up(bool *found, int64_t *id, struct line_reader *r, struct line_row *row, struct err *err)
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
static enum status choose_id(struct line_reader *r, struct line_row *row, struct err *err)
{
    struct line_value *v = &row->values[0];
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

static enum status put(struct line_reader *r, struct line_row *row, struct err *err)
{
    bool none;
    int64_t zero;
    enum status st = choose_id(r, row, err);
    if (st == ST_OK)
        st = ask(&none, &zero, r, row->sink->insert, row, 0, err);
    r->count.added += st == ST_OK;
    return st;
}

enum status lines_row_keep(struct line_reader *r, struct line_row *row, struct err *err)
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

/* --- begin and end -------------------------------------------------------------------------------------- */

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

enum status lines_reader_open(struct line_reader *r, struct err *err)
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
    for (size_t i = 0; i < count && i < LINE_SINKS_MAX && st == ST_OK; i++) {
        struct line_sink *sink = &r->sinks[r->sink_count++];
        sink->table = tables[i];
        sink->referred = is_referred(tables[i]);
        st = prepare_sink(sink, r, err);
    }
    return st;
}

void lines_reader_close(struct line_reader *r)
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
