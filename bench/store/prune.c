#include "bench/store/prune.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/store/lines_parts.h"
#include "bench/store/schema.h"
#include "kernels/base/clock.h"
#include "kernels/base/len.h"
#include "kernels/base/sha256.h"

/* --- what ----------------------------------------------------------------------------------------------- */

#define WITH_BLOCKS \
    "r.kind = 'night' AND r.start_unix_s < ?1 AND EXISTS (SELECT 1 FROM target AS t JOIN execution AS e ON " \
    "e.target = t.id JOIN block AS b ON b.execution = e.id WHERE t.run = r.id)"
#define FLAGGED "EXISTS (SELECT 1 FROM night AS n WHERE n.run = r.id AND n.flagged)"

static enum status choose(struct store *s, int64_t before_unix_s, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    enum status st = lines_choose_none(s, err);
    if (st == ST_OK)
        st = sql_prepare(&stmt, s, "INSERT INTO " LINES_CHOSEN " SELECT r.id FROM run AS r WHERE " WITH_BLOCKS
                                   " AND NOT " FLAGGED, err);
    if (st == ST_OK) {
        sqlite3_bind_int64(stmt, 1, before_unix_s);
        st = sql_run(s, stmt, err);
    }
    sqlite3_finalize(stmt);
    return st;
}

/* Bytes of the store: its pages, wherever they lie. */
static enum status bytes_of(int64_t *out, struct store *s, struct err *err)
{
    int64_t pages = 0, size = 0;
    enum status st = sql_integer(&pages, s, "PRAGMA page_count", err);
    if (st == ST_OK)
        st = sql_integer(&size, s, "PRAGMA page_size", err);
    *out = pages * size;
    return st;
}

static enum status count_kept(int64_t *out, struct store *s, int64_t before_unix_s, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    bool more = false;
    enum status st = sql_prepare(&stmt, s, "SELECT count(*) FROM run AS r WHERE " WITH_BLOCKS " AND " FLAGGED, err);
    if (st == ST_OK) {
        sqlite3_bind_int64(stmt, 1, before_unix_s);
        st = sql_step(&more, s, stmt, err);
    }
    *out = more ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return st;
}

/* SELECT `what` FROM a table of the chosen nights. */
static enum status measure(int64_t *out, struct store *s, const char *what, const struct table *table,
                           struct err *err)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendf(text, "SELECT coalesce(%s, 0) FROM \"%w\" WHERE ", what, table->name);
    lines_of_runs(text, table);
    char *sql = sqlite3_str_finish(text);
    enum status st = sql_integer(out, s, sql, err);
    sqlite3_free(sql);
    return st;
}

static enum status look(struct store_pruned *out, struct store *s, int64_t before_unix_s, struct err *err)
{
    enum status st = choose(s, before_unix_s, err);
    if (st == ST_OK)
        st = count_kept(&out->flagged, s, before_unix_s, err);
    if (st == ST_OK)
        st = measure(&out->nights, s, "count(*)", &table_run, err);
    if (st == ST_OK)
        st = measure(&out->oldest_unix_s, s, "min(start_unix_s)", &table_run, err);
    if (st == ST_OK)
        st = measure(&out->newest_unix_s, s, "max(start_unix_s)", &table_run, err);
    if (st == ST_OK)
        st = measure(&out->blocks, s, "count(*)", &table_block, err);
    if (st == ST_OK)
        st = measure(&out->iterations, s, "sum(iterations)", &table_block, err);
    if (st == ST_OK)
        st = bytes_of(&out->bytes_before, s, err);
    out->bytes_after = out->bytes_before;
    return st;
}

/* --- the archive ---------------------------------------------------------------------------------------- */

static enum status cannot(const char *path, const char *what, struct err *err)
{
    return err_set(err, ST_IO, "%s: %s: %s; nothing was taken out of the store", path, what, strerror(errno));
}

/* What is in the file, as the system gives it back: the first 8 digits tell two archives of one day apart. */
static enum status name_archive(struct store_pruned *out, const char *folder, FILE *file, struct err *err)
{
    char bytes[1 << 16], hex[SHA256_HEX_SIZE], stamp[CLOCK_STAMP_SIZE];
    struct sha256 *sha = sha256_open();
    size_t size;
    if (!sha)
        return err_set(err, ST_INTERNAL, "%s: out of memory", folder);
    rewind(file);
    while ((size = fread(bytes, 1, sizeof bytes, file)) > 0) {
        sha256_add(sha, bytes, size);
        out->archive_bytes += (int64_t)size;
    }
    sha256_close(sha, hex);
    if (ferror(file))
        return cannot(folder, "the archive cannot be read back", err);
    clock_stamp(stamp, out->newest_unix_s);
    snprintf(out->archive, sizeof out->archive, "%.4000s/archive-%.10s-%.8s.jsonl", folder, stamp, hex);
    return ST_OK;
}

static bool sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return done;
}

/* The rows into a temporary file of another name, onto the disk, then under its own name. Its pages are given
 * up, so that whoever reads it next reads the disk. */
static enum status write_archive(struct store_pruned *out, struct store *s, const char *folder, const char *temporary,
                                 FILE *file, struct err *err)
{
    enum status st = lines_write(file, s, LINES_RUNS_RAW, err);
    if (st != ST_OK)
        return st;
    if (fsync(fileno(file)) != 0)
        return cannot(temporary, "the archive does not reach the disk", err);
    posix_fadvise(fileno(file), 0, 0, POSIX_FADV_DONTNEED);
    st = name_archive(out, folder, file, err);
    if (st == ST_OK && rename(temporary, out->archive) != 0)
        return cannot(out->archive, "the archive cannot get its name", err);
    if (st == ST_OK && !sync_folder(folder))
        return cannot(folder, "the archive's name does not reach the disk", err);
    return st;
}

static enum status make_archive(struct store_pruned *out, struct store *s, const char *folder, struct err *err)
{
    char temporary[4096];
    snprintf(temporary, sizeof temporary, "%.4000s/.archive-%ld", folder, (long)getpid());
    FILE *file = fopen(temporary, "w+be");
    if (!file)
        return cannot(temporary, "the archive cannot be made", err);
    enum status st = write_archive(out, s, folder, temporary, file, err);
    if (fclose(file) != 0 && st == ST_OK)
        st = cannot(temporary, "the archive cannot be written", err);
    if (st != ST_OK)
        unlink(temporary);
    return st;
}

/* Every row of it must be one that the store has. */
static enum status check_archive(const struct store_pruned *out, struct store *s, struct err *err)
{
    struct store_lines_read read = { 0 };
    FILE *file = fopen(out->archive, "rbe");
    if (!file)
        return cannot(out->archive, "the archive cannot be read back", err);
    enum status st = lines_read(&read, s, file, out->archive, err);
    fclose(file);
    if (st == ST_OK && read.added)
        st = err_set(err, ST_IO, "%s: holds %lld rows that are not in the store: nothing was taken out", out->archive,
                     (long long)read.added);
    return st;
}

/* --- out of the store ----------------------------------------------------------------------------------- */

static enum status delete_rows(struct store *s, const struct table *table, struct err *err)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendf(text, "DELETE FROM \"%w\" WHERE ", table->name);
    if (table == &table_mark)
        sqlite3_str_appendall(text, "subject = 'block' AND subject_id IN (SELECT id FROM block WHERE ");
    lines_of_runs(text, table == &table_mark ? &table_block : table);
    sqlite3_str_appendall(text, table == &table_mark ? ")" : "");
    char *sql = sqlite3_str_finish(text);
    enum status st = schema_lift(s, table, err);
    if (st == ST_OK)
        st = sql ? sql_exec(s, sql, err) : sql_out_of_memory(s, err);
    sqlite3_free(sql);
    return st == ST_OK ? schema_lower(s, table, err) : st;
}

/* Blocks last: what belongs to them is found by them. */
static enum status take_out(const struct store_pruned *out, struct store *s, struct err *err)
{
    const struct table *const tables[] = { &table_mark, &table_telemetry, &table_samples, &table_block };
    enum status st = sql_begin(s, err);
    if (st != ST_OK)
        return st;
    st = check_archive(out, s, err);
    for (size_t i = 0; i < LEN(tables) && st == ST_OK; i++)
        st = delete_rows(s, tables[i], err);
    return sql_end(s, st, err);
}

/* The pages that became free go back to the disk. That needs room for a copy; without it the next nights use
 * them. */
static void shrink(struct store_pruned *out, struct store *s)
{
    struct err why = { .status = ST_OK };
    if (sql_exec(s, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE);", &why) != ST_OK)
        snprintf(out->note, sizeof out->note, "%.200s", why.text);
    bytes_of(&out->bytes_after, s, &why);
}

enum status store_prune(struct store_pruned *out, struct store *s, int64_t before_unix_s, bool only_tell,
                        struct err *err)
{
    char path[4096];
    *out = (struct store_pruned){ 0 };
    snprintf(path, sizeof path, "%s", s->path);
    enum status st = look(out, s, before_unix_s, err);
    if (st != ST_OK || out->blocks == 0 || only_tell)
        return st;
    st = make_archive(out, s, dirname(path), err);
    if (st == ST_OK)
        st = take_out(out, s, err);
    if (st == ST_OK)
        shrink(out, s);
    return st;
}
