#include "kernels/cuda/tune/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernels/base/json.h"

#define PATH_MAX_BYTES 4096
#define FILE_MAX_BYTES ((size_t)256 << 20)
#define LEVEL_MAX 7
#define LOCK_TRIES 100
#define LOCK_WAIT_NS 20000000L          /* times LOCK_TRIES: 2 s */

struct stored {
    struct cache_entry entry;
    bool added, dropped;                /* since the file was read */
};

/* What a file holds: entries of this build, lines of others as they are. */
struct table {
    struct stored *entries;
    size_t count, room;
    char **foreign;
    size_t foreign_count, foreign_room;
};

struct cache {
    char dir[PATH_MAX_BYTES], path[PATH_MAX_BYTES];
    char kernels[128];
    long cublaslt;
    struct table table;
    bool changed;
    char warning[512];
};

static void warn(struct cache *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warn(struct cache *c, const char *format, ...)
{
    if (c->warning[0])
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(c->warning, sizeof c->warning, format, args);
    va_end(args);
}

const char *cache_warning(const struct cache *c)
{
    return c->warning;
}
const char *cache_path(const struct cache *c)
{
    return c->path;
}

/* --- one entry as JSON ---------------------------------------------------------------------------------- */

static json_t *shapes_json(const struct gpu_shapes *shapes)
{
    json_t *object = json_object();
    for (int i = 0; i < GPU_SHAPED_KERNELS; i++)
        json_object_set_new(object, gpu_shaped_name((enum gpu_shaped)i),
                            json_string(gpu_shape_name(shapes->of[i])));
    return object;
}

static json_t *part_json(const struct cache_part *p)
{
    return json_pack("{s:i, s:s, s:I, s:s}", "level", p->level, "name", p->name, "workspace",
                     (json_int_t)p->workspace, "plan", p->plan);
}

static json_t *choice_json(const struct cache_choice *choice)
{
    json_t *parts = json_array();
    for (int i = 0; i < choice->parts; i++) {
        json_t *part = part_json(&choice->part[i]);
        if (choice->norm[i].plan[0])
            json_object_set_new(part, "norm", part_json(&choice->norm[i]));
        json_array_append_new(parts, part);
    }
    return json_pack("{s:i, s:f, s:i, s:o, s:o}", "level", choice->level, "median_ns", choice->median_ns,
                     "samples", choice->samples, "shapes", shapes_json(&choice->shapes), "parts", parts);
}

/* First half of the SHA-256 over the line without it: a changed digit would be a wrong plan, not a broken
 * line. */
static void sum_of(char sum[33], const json_t *object)
{
    char *text = json_write_text(object, JSON_LINE), hex[SHA256_HEX_SIZE] = "";
    if (text)
        sha256_of(hex, text, strlen(text));
    free(text);
    snprintf(sum, 33, "%.32s", hex);
}

static bool is_plan_name(const char *text)
{
    size_t size = strspn(text, "0123456789abcdef");
    return text[size] == 0 && size == SHA256_HEX_SIZE - 1;
}

static bool all_named(const struct cache_choice *choice)
{
    bool named = isfinite(choice->median_ns);
    for (int i = 0; i < choice->parts; i++)
        named = named && is_plan_name(choice->part[i].plan) &&
                (!choice->norm[i].plan[0] || is_plan_name(choice->norm[i].plan));
    return named;
}

static char *entry_line(const struct cache *c, const struct cache_entry *e)
{
    json_t *object =
        json_pack("{s:s, s:i, s:I, s:s, s:o}", "signature", e->signature, "batch", e->batch, "cublaslt",
                  (json_int_t)c->cublaslt, "kernels", c->kernels, "winner", choice_json(&e->winner));
    if (object && e->runner_up.level >= 0 && all_named(&e->runner_up))
        json_object_set_new(object, "runner_up", choice_json(&e->runner_up));
    char sum[33];
    sum_of(sum, object);
    if (object)
        json_object_set_new(object, "sum", json_string(sum));
    char *line = object ? json_write_text(object, JSON_LINE) : NULL;
    json_decref(object);
    return line;
}

static bool copy_text(char *out, size_t size, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text && strlen(text) < size && snprintf(out, size, "%s", text) >= 0;
}

static bool read_part(struct cache_part *p, const json_t *object)
{
    int64_t workspace = 0, level = 0;
    if (!copy_text(p->name, sizeof p->name, object, "name") ||
        !copy_text(p->plan, sizeof p->plan, object, "plan") || !is_plan_name(p->plan) ||
        json_get_int(&level, object, "part", "level", 0, LEVEL_MAX, NULL) != ST_OK ||
        json_get_int(&workspace, object, "part", "workspace", 0, INT64_MAX, NULL) != ST_OK)
        return false;
    p->level = (int)level;
    p->workspace = (size_t)workspace;
    return true;
}

static bool read_shapes(struct gpu_shapes *shapes, const json_t *choice)
{
    const json_t *object = json_object_get(choice, "shapes");
    for (int i = 0; i < GPU_SHAPED_KERNELS; i++) {
        const char *name = json_string_value(json_object_get(object, gpu_shaped_name((enum gpu_shaped)i)));
        int shape = name ? gpu_shape_of(name) : -1;
        if (shape < 0)
            return false;
        shapes->of[i] = (enum gpu_shape)shape;
    }
    return true;
}

/* All but its shapes. */
static bool read_choice(struct cache_choice *choice, const json_t *object)
{
    int64_t level = 0, samples = 0;
    const json_t *parts = json_object_get(object, "parts"), *median = json_object_get(object, "median_ns");
    size_t count = json_array_size(parts);
    if (!json_is_object(object) || !json_is_array(parts) || count > SEGMENT_SLOTS || !json_is_number(median) ||
        json_get_int(&level, object, "choice", "level", 0, LEVEL_MAX, NULL) != ST_OK ||
        json_get_int(&samples, object, "choice", "samples", 0, 1000000, NULL) != ST_OK)
        return false;
    *choice = (struct cache_choice){ .level = (int)level, .median_ns = json_number_value(median),
                                     .samples = (int)samples, .parts = (int)count };
    for (size_t i = 0; i < count; i++) {
        const json_t *part = json_array_get(parts, i), *norm = json_object_get(part, "norm");
        if (!read_part(&choice->part[i], part) || (norm && !read_part(&choice->norm[i], norm)))
            return false;
    }
    return isfinite(choice->median_ns) && choice->median_ns >= 0;
}

enum line_is { LINE_BROKEN, LINE_FOREIGN, LINE_OURS };

/* `object` loses its sum. */
static enum line_is read_entry(struct cache_entry *e, const struct cache *c, json_t *object)
{
    char sum[33], want[33];
    int64_t batch = 0, cublaslt = 0;
    memset(e, 0, sizeof *e);
    if (!json_is_object(object) || !copy_text(sum, sizeof sum, object, "sum"))
        return LINE_BROKEN;
    json_object_del(object, "sum");
    sum_of(want, object);
    const char *kernels = json_string_value(json_object_get(object, "kernels"));
    const json_t *runner_up = json_object_get(object, "runner_up");
    if (!want[0] || strcmp(sum, want) != 0 || !kernels ||
        !copy_text(e->signature, sizeof e->signature, object, "signature") ||
        json_get_int(&batch, object, "entry", "batch", 1, 1 << 20, NULL) != ST_OK ||
        json_get_int(&cublaslt, object, "entry", "cublaslt", 0, INT64_MAX, NULL) != ST_OK ||
        !read_choice(&e->winner, json_object_get(object, "winner")) ||
        (runner_up && !read_choice(&e->runner_up, runner_up)))
        return LINE_BROKEN;
    if (!runner_up)
        e->runner_up.level = -1;
    e->batch = (int)batch;
    bool known = read_shapes(&e->winner.shapes, json_object_get(object, "winner")) &&
                 (!runner_up || read_shapes(&e->runner_up.shapes, runner_up)); /* else of another version of us */
    return known && cublaslt == c->cublaslt && strcmp(kernels, c->kernels) == 0 ? LINE_OURS : LINE_FOREIGN;
}

/* --- the table ------------------------------------------------------------------------------------------ */

static void table_free(struct table *t)
{
    for (size_t i = 0; i < t->foreign_count; i++)
        free(t->foreign[i]);
    free(t->foreign);
    free(t->entries);
    *t = (struct table){ .count = 0 };
}

static struct stored *table_find(const struct table *t, const char *signature, int batch)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->entries[i].entry.batch == batch && strcmp(t->entries[i].entry.signature, signature) == 0)
            return &t->entries[i];
    return NULL;
}

static struct stored *table_put(struct table *t, const struct cache_entry *e)
{
    struct stored *s = table_find(t, e->signature, e->batch);
    if (!s) {
        if (t->count == t->room) {
            size_t room = t->room ? 2 * t->room : 64;
            struct stored *entries = realloc(t->entries, room * sizeof *entries);
            if (!entries)
                return NULL;
            t->entries = entries;
            t->room = room;
        }
        s = &t->entries[t->count++];
    }
    *s = (struct stored){ .entry = *e };
    return s;
}

static bool table_put_foreign(struct table *t, const char *line, size_t size)
{
    if (t->foreign_count == t->foreign_room) {
        size_t room = t->foreign_room ? 2 * t->foreign_room : 64;
        char **foreign = realloc(t->foreign, room * sizeof *foreign);
        if (!foreign)
            return false;
        t->foreign = foreign;
        t->foreign_room = room;
    }
    char *copy = strndup(line, size);
    if (copy)
        t->foreign[t->foreign_count++] = copy;
    return copy != NULL;
}

static void table_read_line(struct table *t, struct cache *c, const char *line, size_t size, size_t *broken)
{
    struct cache_entry e;
    json_t *object = json_read_text("cache", line, size, NULL);
    enum line_is kind = object ? read_entry(&e, c, object) : LINE_BROKEN;
    json_decref(object);
    *broken += kind == LINE_BROKEN;
    if (kind == LINE_FOREIGN)
        table_put_foreign(t, line, size);
    if (kind == LINE_OURS)
        table_put(t, &e);
}

static void table_read_text(struct table *t, struct cache *c, const char *text, size_t size)
{
    size_t broken = 0;
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t line = end ? (size_t)(end - text) : size;
        if (line > 0)
            table_read_line(t, c, text, line, &broken);
        size_t step = end ? line + 1 : line;
        text += step;
        size -= step;
    }
    if (broken)
        warn(c, "%s: %zu of its lines are broken and were left out; these layers are tuned again", c->path,
             broken);
}

/* --- files ---------------------------------------------------------------------------------------------- */

/* NULL with errno: ENOENT is no accident. */
static void *read_whole(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* nobody writes a pipe: no waiting */
    struct stat st;
    char *bytes = NULL;
    size_t used = 0;
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size <= FILE_MAX_BYTES)
        bytes = malloc((size_t)st.st_size + 1);
    else
        errno = EFBIG;
    while (bytes && used < (size_t)st.st_size) {
        ssize_t n = read(fd, bytes + used, (size_t)st.st_size - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            free(bytes);
            bytes = NULL;
        }
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    int code = errno;
    close(fd);
    errno = code;
    *size = used;
    return bytes;
}

static bool write_all(int fd, const void *bytes, size_t size)
{
    const char *p = bytes;
    while (size > 0) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        size -= (size_t)n;
    }
    return true;
}

/* In one step: afterwards there is the old content or the new one. Nothing waits for the disk: what a power
 * cut leaves is checked when it is read. */
static bool replace_file(struct cache *c, const char *path, const void *bytes, size_t size)
{
    char temporary[PATH_MAX_BYTES + 64];
    snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write_all(fd, bytes, size);
    int code = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        code = errno;
    }
    if (ok && rename(temporary, path) != 0) {
        ok = false;
        code = errno;
    }
    if (!ok) {
        warn(c, "%s: what tuning found could not be kept (%s); the next run tunes again", path,
             strerror(code));
        if (fd >= 0)
            unlink(temporary);
    }
    return ok;
}

/* Every parent that is missing. */
static void make_folder(const char *dir)
{
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof path, "%s", dir);
    for (char *p = path + 1; *p; p++)
        if (*p == '/') {
            *p = 0;
            mkdir(path, 0755);
            *p = '/';
        }
    mkdir(path, 0755);
}

/* -1: somebody holds it for longer than we wait, or the folder cannot be written. */
static int lock_folder(struct cache *c)
{
    char path[PATH_MAX_BYTES + 8];
    snprintf(path, sizeof path, "%s.lock", c->path);
    make_folder(c->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        warn(c, "%s: what tuning found could not be kept (%s); the next run tunes again", path,
             strerror(errno));
        return -1;
    }
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        nanosleep(&(struct timespec){ .tv_nsec = LOCK_WAIT_NS }, NULL);
    }
    warn(c, "%s: another process held the lock for 2 s; the next run tunes again", path);
    close(fd);
    return -1;
}

static void read_table(struct table *t, struct cache *c)
{
    size_t size = 0;
    char *text = read_whole(c->path, &size);
    if (text)
        table_read_text(t, c, text, size);
    else if (errno != ENOENT && errno != ENOTDIR)
        warn(c, "%s: cannot be read (%s); every layer is tuned again", c->path, strerror(errno));
    free(text);
}

/* --- the whole ------------------------------------------------------------------------------------------ */

/* Letters, digits, point and minus; everything else becomes a minus. */
static void put_safe(char *out, size_t size, const char *text)
{
    size_t used = 0;
    for (; *text && used + 1 < size; text++) {
        bool plain = (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
                     (*text >= 'A' && *text <= 'Z') || *text == '.';
        out[used++] = plain ? *text : '-';
    }
    out[used] = 0;
}

struct cache *cache_open(const char *dir, const struct cache_device *device, const struct cache_build *build)
{
    struct cache *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->cublaslt = build->cublaslt;
    snprintf(c->kernels, sizeof c->kernels, "%s", build->kernels);
    if (!dir || !dir[0])
        return c;
    char gpu[128];
    put_safe(gpu, sizeof gpu, device->gpu);
    int n = snprintf(c->path, sizeof c->path, "%s/%s_sm%d_cudnn%ld_driver%d.jsonl", dir, gpu, device->sm,
                     device->cudnn, device->driver);
    if (n < 0 || (size_t)n >= sizeof c->path - 128) {
        c->path[0] = 0;
        warn(c, "the name of the cache folder is too long; nothing is kept");
        return c;
    }
    snprintf(c->dir, sizeof c->dir, "%s", dir);
    read_table(&c->table, c);
    return c;
}

void cache_close(struct cache *c)
{
    if (!c)
        return;
    table_free(&c->table);
    free(c);
}

const struct cache_entry *cache_find(const struct cache *c, const char *signature, int batch)
{
    const struct stored *s = table_find(&c->table, signature, batch);
    return s && !s->dropped ? &s->entry : NULL;
}

static void plan_path(char path[PATH_MAX_BYTES + 80], const struct cache *c, const char *sha256)
{
    snprintf(path, PATH_MAX_BYTES + 80, "%s/%s.plan", c->dir, sha256);
}

bool cache_plan(const struct cache *c, const char sha256[SHA256_HEX_SIZE], void **bytes, size_t *size)
{
    char path[PATH_MAX_BYTES + 80], found[SHA256_HEX_SIZE];
    *bytes = NULL;
    *size = 0;
    if (!c->path[0] || !is_plan_name(sha256))
        return false;
    plan_path(path, c, sha256);
    *bytes = read_whole(path, size);
    if (!*bytes)
        return false;
    sha256_of(found, *bytes, *size);
    if (strcmp(found, sha256) == 0)
        return true;
    free(*bytes);
    *bytes = NULL;
    return false;
}

void cache_keep_plan(struct cache *c, char sha256[SHA256_HEX_SIZE], const void *bytes, size_t size)
{
    char path[PATH_MAX_BYTES + 80];
    void *there = NULL;
    size_t there_size = 0;
    sha256[0] = 0;
    if (!c->path[0])
        return;
    sha256_of(sha256, bytes, size);
    bool kept = cache_plan(c, sha256, &there, &there_size);
    free(there);
    if (kept || !sha256[0])
        return;
    make_folder(c->dir);
    plan_path(path, c, sha256);
    if (!replace_file(c, path, bytes, size))
        sha256[0] = 0;
}

bool cache_add(struct cache *c, const struct cache_entry *entry)
{
    if (!c->path[0] || !all_named(&entry->winner))
        return false;
    struct stored *s = table_put(&c->table, entry);
    if (s)
        s->added = c->changed = true;
    return s != NULL;
}

void cache_drop(struct cache *c, const char *signature, int batch)
{
    struct stored *s = table_find(&c->table, signature, batch);
    if (s)
        s->dropped = c->changed = true;
}

static bool same_winner(const struct cache_entry *a, const struct cache_entry *b)
{
    return strcmp(a->winner.part[0].plan, b->winner.part[0].plan) == 0 &&
           a->winner.samples == b->winner.samples && fabs(a->winner.median_ns - b->winner.median_ns) <= 0;
}

/* Ours over theirs: what we added replaces, what we dropped goes, unless somebody tuned it anew meanwhile. */
static bool merge(struct table *now, const struct table *ours)
{
    for (size_t i = 0; i < ours->count; i++) {
        const struct stored *s = &ours->entries[i];
        struct stored *theirs = table_find(now, s->entry.signature, s->entry.batch);
        if (s->added && !s->dropped && !table_put(now, &s->entry))
            return false;
        if (s->dropped && theirs && same_winner(&theirs->entry, &s->entry))
            theirs->dropped = true;
    }
    return true;
}

static bool write_table(FILE *out, const struct cache *c, const struct table *t)
{
    for (size_t i = 0; i < t->foreign_count; i++)
        fprintf(out, "%s\n", t->foreign[i]);
    for (size_t i = 0; i < t->count; i++) {
        if (t->entries[i].dropped)
            continue;
        char *line = entry_line(c, &t->entries[i].entry);
        if (!line)
            return false;
        fprintf(out, "%s\n", line);
        free(line);
    }
    return !ferror(out);
}

void cache_save(struct cache *c)
{
    if (!c->path[0] || !c->changed)
        return;
    int lock = lock_folder(c);
    if (lock < 0)
        return;
    struct table now = { .count = 0 };
    char *text = NULL;
    size_t size = 0;
    read_table(&now, c);
    FILE *out = merge(&now, &c->table) ? open_memstream(&text, &size) : NULL;
    bool whole = out && write_table(out, c, &now);
    if (out)
        whole = fclose(out) == 0 && whole;
    if (!whole)
        warn(c, "%s: no memory to write what tuning found; the next run tunes again", c->path);
    else if (replace_file(c, c->path, text, size))
        c->changed = false;
    free(text);
    table_free(&now);
    close(lock);
}
