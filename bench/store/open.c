#include "bench/store/store.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/store/lock.h"
#include "bench/store/schema.h"
#include "bench/store/sql.h"

#define CHECK_BYTES (64 << 20) /* a file up to this size is looked through when it is opened for writing: < 0.3 s */
#define BUSY_MS 10000          /* patience with somebody who looks into the file with another program */

const char *store_path(const struct store *s)
{
    return s->path;
}

/* What SQLite would only say in its own words, or make a file for. */
static enum status look_at_file(struct store *s, enum store_mode mode, int64_t *size, struct err *err)
{
    struct stat file;
    *size = 0;
    if (stat(s->path, &file) != 0) {
        if (errno == ENOENT && mode == STORE_WRITE)
            return ST_OK;
        if (errno == ENOENT)
            return err_set(err, ST_CONFIG,
                           "%s does not exist: measure first (bench --all-models), or name the folder "
                           "with --out",
                           s->path);
        return err_set(err, ST_IO, "%s cannot be read: %s", s->path, strerror(errno));
    }
    if (!S_ISREG(file.st_mode))
        return err_set(err, ST_IO, "%s is %s, not a file: move it away, or name another folder with --out",
                       s->path, S_ISDIR(file.st_mode) ? "a folder" : "something special");
    *size = file.st_size;
    return ST_OK;
}

static enum status connect_to(struct store *s, const char *name, int flags, struct err *err)
{
    int rc = sqlite3_open_v2(name, &s->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    return rc == SQLITE_OK ? ST_OK : sql_fail(s, rc, err);
}

static enum status quick_check(struct store *s, struct err *err)
{
    int64_t wrong = 0;
    const enum status st =
        sql_integer(&wrong, s, "SELECT count(*) FROM pragma_quick_check(1) WHERE quick_check <> 'ok'", err);
    return st == ST_OK && wrong ? sql_fail(s, SQLITE_CORRUPT, err) : st;
}

static enum status open_for_writing(struct store *s, int64_t size, struct err *err)
{
    enum status st = connect_to(s, s->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    if (st != ST_OK)
        return st;
    sqlite3_busy_timeout(s->db, BUSY_MS);
    st = schema_check(s, err);
    if (st == ST_OK)
        st = sql_exec(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;", err);
    if (st == ST_OK && s->version == 0)
        st = schema_create(s, err);
    else if (st == ST_OK && size <= CHECK_BYTES)
        st = quick_check(s, err);
    if (st == ST_OK && s->version > 0 && s->version < STORE_SCHEMA_VERSION)
        st = schema_upgrade(s, err);
    return st;
}

/* Percent signs, question marks and hashes have a meaning in a file: URI. */
static char *immutable_uri(const char *path)
{
    sqlite3_str *uri = sqlite3_str_new(NULL);
    sqlite3_str_appendall(uri, "file:");
    for (const char *c = path; *c; c++)
        if (strchr("%?#", *c))
            sqlite3_str_appendf(uri, "%%%02X", *c);
        else
            sqlite3_str_appendchar(uri, 1, *c); /* a byte: %c would take one of a longer letter for a letter */
    sqlite3_str_appendall(uri, "?immutable=1");
    return sqlite3_str_finish(uri);
}

static bool has_wal(const struct store *s)
{
    struct stat file;
    char name[4096];
    snprintf(name, sizeof name, "%s-wal", s->path);
    return stat(name, &file) == 0 && file.st_size > 0;
}

/* As the file lies: SQLite makes no files of its own beside it. Only where nobody writes. */
static enum status open_as_it_lies(struct store *s, struct err *err)
{
    char *uri = immutable_uri(s->path);
    const enum status st = uri ? connect_to(s, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err)
                               : sql_out_of_memory(s, err);
    sqlite3_free(uri);
    return st;
}

static enum status open_for_reading(struct store *s, struct err *err)
{
    enum status st = connect_to(s, s->path, SQLITE_OPEN_READONLY, err);
    if (st == ST_OK) {
        sqlite3_busy_timeout(s->db, BUSY_MS);
        st = schema_check(s, err);
    }
    const int rc = s->db ? sqlite3_errcode(s->db) & 0xff : SQLITE_OK;
    if (st == ST_IO && (rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY) && !has_wal(s)) {
        /* A folder where SQLite cannot make its shared memory: nobody writes there, so
         * read the file as it lies. */
        sqlite3_close(s->db);
        s->db = NULL;
        st = open_as_it_lies(s, err);
        if (st == ST_OK)
            st = schema_check(s, err);
    }
    if (st == ST_OK && s->version > 0 && s->version < STORE_SCHEMA_VERSION)
        st = schema_cover(s, err);
    if (st == ST_OK && s->version == 0)
        st = err_set(err, ST_CONFIG, "%s holds no campaign: measure first (bench --all-models)", s->path);
    return st;
}

enum status store_check(const char *path, struct err *err)
{
    struct store s = { .lock_fd = -1 };
    int64_t size = 0;
    s.path = strdup(path);
    if (!s.path)
        return err_set(err, ST_INTERNAL, "%s: out of memory", path);
    enum status st = look_at_file(&s, STORE_READ, &size, err);
    if (st == ST_OK)
        st = has_wal(&s) ? connect_to(&s, path, SQLITE_OPEN_READONLY, err) : open_as_it_lies(&s, err);
    if (st == ST_OK)
        st = schema_check(&s, err);
    if (st == ST_OK)
        st = quick_check(&s, err);
    sqlite3_close(s.db);
    free(s.path);
    return st;
}

static void remember_file(struct store *s)
{
    struct stat file;
    if (stat(s->path, &file) == 0) {
        s->device = file.st_dev;
        s->inode = file.st_ino;
    }
}

enum status store_open(struct store **out, const char *path, enum store_mode mode, struct err *err)
{
    int64_t size = 0;
    *out = NULL;
    struct store *s = calloc(1, sizeof *s);
    if (!s || !(s->path = strdup(path))) {
        free(s);
        return err_set(err, ST_INTERNAL, "%s: out of memory", path);
    }
    s->lock_fd = -1;
    enum status st = look_at_file(s, mode, &size, err);
    if (st == ST_OK && mode == STORE_WRITE) {
        signal(SIGXFSZ, SIG_IGN);
        st = store_lock_take(&s->lock_fd, path, err);
    }
    if (st == ST_OK)
        st = mode == STORE_WRITE ? open_for_writing(s, size, err) : open_for_reading(s, err);
    if (st == ST_OK && mode == STORE_WRITE)
        remember_file(s);
    if (st == ST_OK)
        *out = s;
    else
        store_close(s);
    return st;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    sqlite3_close(s->db);
    store_lock_release(s->lock_fd);
    free(s->path);
    free(s);
}
