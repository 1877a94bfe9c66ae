/* Blocks with their samples: packed 64-bit integers, least significant byte first, and a
 * digest over all of them. */
#include <stdlib.h>
#include <string.h>

#include "bench/store/sql.h"
#include "bench/store/telemetry.h"
#include "kernels/base/sha256.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "samples are stored as they lie in memory");

enum { STAGES = 4 }; /* iteration, h2d, compute, d2h */

struct packed {
    const uint64_t *stage[STAGES]; /* NULL: not reported */
    size_t count;
};

static struct packed pack(const struct samples *samples, size_t count)
{
    return (struct packed){ .count = count,
                             .stage = { samples->iteration_ns, samples->h2d_ns, samples->compute_ns,
                                        samples->d2h_ns } };
}

static bool digest_of(char hex[SHA256_HEX_SIZE], const struct packed *p)
{
    struct sha256 *sha = sha256_open();
    if (!sha)
        return false;
    for (size_t i = 0; i < STAGES; i++)
        if (p->stage[i])
            sha256_add(sha, p->stage[i], p->count * sizeof(uint64_t));
    sha256_close(sha, hex);
    return true;
}

/* --- in ------------------------------------------------------------------------------------------------- */

static enum status insert_samples(struct store *s, int64_t block, const struct packed *p, struct err *err)
{
    char digest[SHA256_HEX_SIZE];
    const struct samples_entry entry = { .block = block, .digest = digest };
    sqlite3_stmt *stmt = NULL;
    if (!digest_of(digest, p))
        return sql_out_of_memory(s, err);
    enum status st = sql_prepare_insert(&stmt, s, &table_samples, err);
    if (st == ST_OK) {
        const int first = sql_place_of(&table_samples, "iteration_ns");
        sql_bind_row(stmt, &table_samples, &entry);
        for (int i = 0; i < STAGES; i++)
            sqlite3_bind_blob64(stmt, first + i, p->stage[i], p->count * sizeof(uint64_t), SQLITE_STATIC);
        st = sql_run(s, stmt, err);
    }
    sqlite3_finalize(stmt);
    return st;
}

static enum status insert_marks(struct store *s, int64_t block, const struct mark_row *marks, size_t count,
                                struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        struct mark_row mark = marks[i];
        if (strcmp(mark.subject, "block") == 0 && mark.subject_id == 0)
            mark.subject_id = block;
        st = sql_insert(NULL, s, &table_mark, &mark, err);
    }
    return st;
}

enum status store_append_block(struct store *s, struct block_row *row, const struct store_block_parts *parts,
                               struct err *err)
{
    const struct packed p = pack(&parts->samples, (size_t)row->iterations);
    enum status st = sql_begin(s, err);
    if (st != ST_OK)
        return st;
    st = sql_insert(&row->id, s, &table_block, row, err);
    if (st == ST_OK)
        st = insert_samples(s, row->id, &p, err);
    if (st == ST_OK)
        st = telemetry_insert(s, row->id, parts->telemetry, parts->telemetry_count, err);
    if (st == ST_OK)
        st = insert_marks(s, row->id, parts->marks, parts->mark_count, err);
    return sql_end(s, st, err);
}

/* --- out ------------------------------------------------------------------------------------------------ */

static enum status damaged(struct store *s, int64_t block, struct err *err)
{
    return err_set(err, ST_IO,
                   "%s is damaged: the samples of block %lld do not match their digest; move the file away, "
                   "or go back to a copy of it",
                   s->path, (long long)block);
}

/* The blobs of stmt from column `first` on as arrays of one allocation, *room. */
static enum status read_samples(struct samples *out, uint64_t **room, struct store *s, sqlite3_stmt *stmt,
                                int first, const struct block_row *row, struct err *err)
{
    const size_t count = (size_t)row->iterations, bytes = count * sizeof(uint64_t);
    struct packed p = { .count = count };
    char digest[SHA256_HEX_SIZE];
    *room = row->iterations > 0 ? malloc(STAGES * bytes) : NULL;
    if (row->iterations <= 0)
        return damaged(s, row->id, err);
    if (!*room)
        return sql_out_of_memory(s, err);
    for (int i = 0; i < STAGES; i++) {
        const void *blob = sqlite3_column_blob(stmt, first + i);
        if (!blob)
            continue;
        if ((size_t)sqlite3_column_bytes(stmt, first + i) != bytes)
            return damaged(s, row->id, err);
        p.stage[i] = memcpy(*room + (size_t)i * count, blob, bytes);
    }
    if (!digest_of(digest, &p))
        return sql_out_of_memory(s, err);
    const char *stored = (const char *)sqlite3_column_text(stmt, first + STAGES);
    if (!p.stage[0] || !stored || strcmp(stored, digest) != 0)
        return damaged(s, row->id, err);
    *out = (struct samples){ .iteration_ns = p.stage[0], .h2d_ns = p.stage[1], .compute_ns = p.stage[2],
                             .d2h_ns = p.stage[3] };
    return ST_OK;
}

struct walk {
    bool with_samples;
    enum status (*visit)(void *context, const struct store_block *block, struct err *err);
    void *context;
};

static enum status visit_row(struct store *s, sqlite3_stmt *stmt, const struct walk *walk, struct err *err)
{
    struct store_block block = { 0 };
    uint64_t *room = NULL;
    char label[16];
    int next = 0;
    enum status st = ST_OK;
    const char *stored = (const char *)sqlite3_column_text(stmt, next++);
    sqlite3_snprintf(sizeof label, label, "%s", stored ? stored : "");
    block.label = label;
    int first = next;
    if (walk->with_samples)
        first += STAGES + 1;
    sql_read_row(&block.row, stmt, &first, &table_block);
    if (walk->with_samples)
        st = read_samples(&block.samples, &room, s, stmt, next, &block.row, err);
    if (st == ST_OK)
        st = walk->visit(walk->context, &block, err);
    free(room);
    return st;
}

static char *walk_text(bool with_samples)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendall(text, "SELECT e.label");
    if (with_samples)
        sqlite3_str_appendall(text, ", p.iteration_ns, p.h2d_ns, p.compute_ns, p.d2h_ns, p.digest");
    for (size_t i = 0; i < table_block.count; i++)
        sqlite3_str_appendf(text, ", t.\"%w\"", table_block.columns[i].name);
    sqlite3_str_appendall(text, " FROM block AS t JOIN execution AS e ON e.id = t.execution");
    if (with_samples)
        sqlite3_str_appendall(text, " LEFT JOIN samples AS p ON p.block = t.id");
    sqlite3_str_appendall(text, " WHERE e.target = ?1 ORDER BY t.id");
    return sqlite3_str_finish(text);
}

enum status store_visit_blocks(struct store *s, int64_t target, bool with_samples,
                               enum status (*visit)(void *context, const struct store_block *block,
                                                    struct err *err),
                               void *context, struct err *err)
{
    const struct walk walk = { .with_samples = with_samples, .visit = visit, .context = context };
    sqlite3_stmt *stmt = NULL;
    char *text = walk_text(with_samples);
    bool more = true;
    enum status st = sql_prepare(&stmt, s, text, err);
    if (st == ST_OK)
        sqlite3_bind_int64(stmt, 1, target);
    while (st == ST_OK && more) {
        st = sql_step(&more, s, stmt, err);
        if (st == ST_OK && more)
            st = visit_row(s, stmt, &walk, err);
    }
    sqlite3_finalize(stmt);
    sqlite3_free(text);
    return st;
}
