/* The cache's file: what comes back, what is a miss, and that nothing that happens to a file or a folder is
 * an error of the run: cut at every byte, changed at every byte, written by several at once, read-only, a
 * full disk. */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernels/base/json.h"
#include "kernels/base/rng.h"
#include "kernels/cuda/tune/cache.h"

#define LEN(rows) (sizeof(rows) / sizeof *(rows))

static const struct cache_device h100 = { "NVIDIA H100 80GB HBM3", 90, 91900, 13000 };
static const struct cache_build today = { 130100, "kernels-1" };

static struct cache *open_as(const char *dir, const struct cache_device *device,
                             const struct cache_build *build)
{
    struct cache *c = cache_open(dir, device, build);
    assert_non_null(c);
    return c;
}
static struct cache *open_here(const char *dir)
{
    return open_as(dir, &h100, &today);
}

static void remove_folder(const char *dir)
{
    DIR *d = opendir(dir);
    char path[600];
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

static int files_ending_in(const char *dir, const char *ending)
{
    DIR *d = opendir(dir);
    int count = 0;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        size_t size = strlen(e->d_name), tail = strlen(ending);
        count += size > tail && strcmp(e->d_name + size - tail, ending) == 0;
    }
    if (d)
        closedir(d);
    return count;
}

/* Entry number i: everything in it follows from i. */
static struct cache_entry entry_of(struct cache *c, int i)
{
    struct cache_entry e = { .batch = 1 + i % 3, .runner_up = { .level = -1 } };
    char plan[64];
    snprintf(e.signature, sizeof e.signature, "conv3x3s1p1 g1 c%d k48 \"quoted\" post=in+relu", 8 * i);
    e.winner =
        (struct cache_choice){ .level = i % 3, .median_ns = 1234.5 + i, .samples = 12, .parts = 1 + i % 2 };
    for (int k = 0; k < GPU_SHAPED_KERNELS; k++)
        e.winner.shapes.of[k] = (enum gpu_shape)((i + k) % GPU_SHAPES);
    for (int slot = 0; slot < e.winner.parts; slot++) {
        struct cache_part *p = &e.winner.part[slot];
        p->level = slot;
        p->workspace = (size_t)i << 33;
        snprintf(p->name, sizeof p->name, "cudnn:%d", i + slot);
        snprintf(plan, sizeof plan, "plan %d of %d", slot, i);
        cache_keep_plan(c, p->plan, plan, strlen(plan));
    }
    if (i % 4 == 2) { /* its last part at F3 */
        struct cache_part *norm = &e.winner.norm[e.winner.parts - 1];
        *norm = (struct cache_part){ .level = 3, .name = "cudnn:3", .workspace = (size_t)i };
        snprintf(plan, sizeof plan, "norm of %d", i);
        cache_keep_plan(c, norm->plan, plan, strlen(plan));
    }
    if (i % 2) {
        e.runner_up = e.winner;
        e.runner_up.median_ns += 100;
    }
    return e;
}

static void same_part(const struct cache_part *a, const struct cache_part *b)
{
    assert_int_equal(a->level, b->level);
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->plan, b->plan);
    assert_true(a->workspace == b->workspace);
}

static void same_choice(const struct cache_choice *a, const struct cache_choice *b)
{
    assert_int_equal(a->level, b->level);
    if (a->level < 0)
        return;
    assert_true(fabs(a->median_ns - b->median_ns) < 1e-9);
    assert_int_equal(a->samples, b->samples);
    assert_int_equal(a->parts, b->parts);
    assert_memory_equal(&a->shapes, &b->shapes, sizeof a->shapes);
    for (int i = 0; i < a->parts; i++) {
        same_part(&a->part[i], &b->part[i]);
        same_part(&a->norm[i], &b->norm[i]);
    }
}

/* How many of the entries 0 .. count-1 are there; each that is must be what was written. */
static int entries_right(struct cache *c, int count)
{
    int found = 0;
    for (int i = 0; i < count; i++) {
        struct cache_entry want = entry_of(c, i);
        const struct cache_entry *e = cache_find(c, want.signature, want.batch);
        if (!e)
            continue;
        found++;
        same_choice(&e->winner, &want.winner);
        same_choice(&e->runner_up, &want.runner_up);
    }
    return found;
}

static void write_entries(const char *dir, int from, int to)
{
    struct cache *c = open_here(dir);
    for (int i = from; i < to; i++) {
        struct cache_entry e = entry_of(c, i);
        assert_true(cache_add(c, &e));
    }
    cache_save(c);
    assert_string_equal(cache_warning(c), "");
    cache_close(c);
}

static char *slurp(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    *size = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

static void spill(const char *path, const char *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    fclose(f);
}

/* --- what comes back ------------------------------------------------------------------------------------ */

static void what_was_added_comes_back(void **state)
{
    (void)state;
    char dir[] = "/tmp/cache_test_XXXXXX";
    assert_non_null(mkdtemp(dir));
    write_entries(dir, 0, 20);
    struct cache *c = open_here(dir);
    assert_int_equal(entries_right(c, 20), 20);
    assert_null(cache_find(c, entry_of(c, 20).signature, 1));
    assert_null(cache_find(c, entry_of(c, 3).signature, 2));   /* another batch size */
    void *bytes;
    size_t size;
    assert_true(cache_plan(c, entry_of(c, 7).winner.part[1].plan, &bytes, &size));
    assert_int_equal(size, strlen("plan 1 of 7"));
    assert_memory_equal(bytes, "plan 1 of 7", size);
    free(bytes);
    assert_int_equal(files_ending_in(dir, ".tmp"), 0);
    cache_close(c);
    remove_folder(dir);
}

static void other_keys_are_misses(void **state)
{
    (void)state;
    char dir[] = "/tmp/cache_test_XXXXXX";
    assert_non_null(mkdtemp(dir));
    write_entries(dir, 0, 4);
    const struct { struct cache_device device; struct cache_build build; bool other_file; } rows[] = {
        { { "NVIDIA H100 PCIe", 90, 91900, 13000 }, today, true },
        { { h100.gpu, 80, 91900, 13000 }, today, true },
        { { h100.gpu, 90, 91901, 13000 }, today, true },
        { { h100.gpu, 90, 91900, 12080 }, today, true },
        { h100, { 130101, "kernels-1" }, false },
        { h100, { 130100, "kernels-2" }, false },
    };
    struct cache *here = open_here(dir);
    for (size_t i = 0; i < LEN(rows); i++) {
        struct cache *c = open_as(dir, &rows[i].device, &rows[i].build);
        assert_int_equal(entries_right(c, 4), 0);
        assert_int_equal(strcmp(cache_path(c), cache_path(here)) != 0, rows[i].other_file);
        assert_string_equal(cache_warning(c), "");
        struct cache_entry e = entry_of(c, 0);
        assert_true(cache_add(c, &e));
        cache_save(c);
        cache_close(c);
    }
    cache_close(here);
    here = open_here(dir); /* the others' entries in the same file took nothing away */
    assert_int_equal(entries_right(here, 4), 4);
    cache_close(here);
    struct cache *c = open_as(dir, &h100, &rows[5].build);
    assert_int_equal(entries_right(c, 4), 1);
    cache_close(c);
    remove_folder(dir);
}

/* The line with its sum made anew, as another version of us would have written it. */
static char *signed_line(json_t *object)
{
    char hex[SHA256_HEX_SIZE], sum[33];
    json_object_del(object, "sum");
    char *text = json_write_text(object, JSON_LINE);
    assert_non_null(text);
    sha256_of(hex, text, strlen(text));
    free(text);
    snprintf(sum, sizeof sum, "%.32s", hex);
    json_object_set_new(object, "sum", json_string(sum));
    return json_write_text(object, JSON_LINE);
}

/* Shapes that are not there, not all there, not known, or no shapes at all: a miss without a warning, left for who
 * knows them. Unchanged shapes signed anew are found: it is not the signing that misses. */
static void lines_without_known_shapes_are_misses(void **state)
{
    (void)state;
    static const struct { const char *shapes; int found; } rows[] = {
        { "{\"stats\": \"long\", \"apply\": \"even\", \"survey\": \"small\"}", 1 },
        { NULL, 0 }, { "{}", 0 }, { "[]", 0 }, { "7", 0 }, { "{\"stats\": \"even\", \"apply\": \"even\"}", 0 },
        { "{\"stats\": \"square\", \"apply\": \"even\", \"survey\": \"even\"}", 0 },
        { "{\"stats\": 1, \"apply\": \"even\", \"survey\": \"even\"}", 0 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        char dir[] = "/tmp/cache_test_XXXXXX", path[256];
        assert_non_null(mkdtemp(dir));
        write_entries(dir, 0, 1);
        struct cache *c = open_here(dir);
        snprintf(path, sizeof path, "%s", cache_path(c));
        const struct cache_entry e = entry_of(c, 0), added = entry_of(c, 5);
        cache_close(c);
        size_t size;
        char *bytes = slurp(path, &size);
        json_t *line = json_read_text("line", bytes, size - 1, NULL), *winner = json_object_get(line, "winner");
        assert_non_null(winner);
        if (rows[i].shapes)
            json_object_set_new(winner, "shapes", json_loads(rows[i].shapes, JSON_DECODE_ANY, NULL));
        else
            json_object_del(winner, "shapes");
        char *text = signed_line(line);
        spill(path, text, strlen(text));
        c = open_here(dir);
        assert_int_equal(cache_find(c, e.signature, e.batch) != NULL, rows[i].found);
        if (rows[i].found)
            assert_int_equal(cache_find(c, e.signature, e.batch)->winner.shapes.of[GPU_SHAPED_STATS], GPU_SHAPE_LONG);
        assert_string_equal(cache_warning(c), "");
        assert_true(cache_add(c, &added));
        cache_save(c);
        cache_close(c);
        char *after = slurp(path, &size);
        after[size] = 0;
        assert_non_null(strstr(after, text));
        json_decref(line);
        free(after);
        free(text);
        free(bytes);
        remove_folder(dir);
    }
}

static void replacing_and_dropping(void **state)
{
    (void)state;
    char dir[] = "/tmp/cache_test_XXXXXX";
    assert_non_null(mkdtemp(dir));
    write_entries(dir, 0, 4);
    struct cache *c = open_here(dir);
    struct cache_entry e = entry_of(c, 1);
    char gone[SIGNATURE_MAX];
    snprintf(gone, sizeof gone, "%s", entry_of(c, 2).signature);
    e.winner.median_ns = 77;
    assert_true(cache_add(c, &e));
    cache_drop(c, gone, 3);
    assert_null(cache_find(c, gone, 3));
    cache_save(c);
    cache_close(c);
    c = open_here(dir);
    assert_true(fabs(cache_find(c, e.signature, e.batch)->winner.median_ns - 77) < 1e-9);
    assert_null(cache_find(c, gone, 3));
    assert_non_null(cache_find(c, entry_of(c, 3).signature, 1));
    /* no plan, no time: not kept */
    e = entry_of(c, 5);
    e.winner.part[0].plan[0] = 0;
    assert_false(cache_add(c, &e));
    e = entry_of(c, 5);
    e.winner.median_ns = NAN;
    assert_false(cache_add(c, &e));
    cache_close(c);
    remove_folder(dir);
}

static void without_a_folder_nothing_is_stored(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct cache *c = open_as(i ? "" : NULL, &h100, &today);
        struct cache_entry e = entry_of(c, 1);
        assert_string_equal(e.winner.part[0].plan, "");
        assert_false(cache_add(c, &e));
        assert_null(cache_find(c, e.signature, e.batch));
        cache_save(c);
        assert_string_equal(cache_path(c), "");
        assert_string_equal(cache_warning(c), "");
        cache_close(c);
    }
    cache_close(NULL);
}

static void names_are_safe(void **state)
{
    (void)state;
    const struct cache_device odd = { "../../GPU \"x\" (1/2)", 75, 90800, 12040 };
    struct cache *c = open_as("/nonexistent/dir", &odd, &today);
    assert_string_equal(cache_path(c),
                        "/nonexistent/dir/..-..-GPU--x---1-2-_sm75_cudnn90800_driver12040.jsonl");
    void *bytes;
    size_t size;
    static const char outside[SHA256_HEX_SIZE] =
        "../../../../../../../../../../../../../../../../../etc/hostname_";
    assert_int_equal(strlen(outside), SHA256_HEX_SIZE - 1);
    assert_false(cache_plan(c, outside, &bytes, &size));
    cache_close(c);
}

/* --- broken files --------------------------------------------------------------------------------------- */

/* A line that was cut is gone, those before it are there; the next save mends the file. */
static void cut_at_every_byte(void **state)
{
    (void)state;
    enum { ENTRIES = 4 };
    char dir[] = "/tmp/cache_test_XXXXXX", path[256];
    assert_non_null(mkdtemp(dir));
    write_entries(dir, 0, ENTRIES);
    struct cache *c = open_here(dir);
    snprintf(path, sizeof path, "%s", cache_path(c));
    cache_close(c);
    size_t size, warned = 0;
    char *bytes = slurp(path, &size);
    for (size_t cut = size; cut != SIZE_MAX; cut--) {
        int whole = 0;
        for (size_t i = 0; i < cut; i++)
            whole += bytes[i] == '\n';
        bool last_complete = cut > 0 && cut < size && bytes[cut] == '\n';   /* all but its newline */
        assert_int_equal(truncate(path, (off_t)cut), 0);
        c = open_here(dir);
        assert_int_equal(entries_right(c, ENTRIES), whole + last_complete);
        bool on_edge = cut == 0 || bytes[cut - 1] == '\n' || last_complete;
        assert_int_equal(cache_warning(c)[0] != 0, !on_edge);
        warned += cache_warning(c)[0] != 0;
        cache_close(c);
    }
    assert_true(warned > size / 2);
    spill(path, bytes, size / 2);
    c = open_here(dir);
    struct cache_entry e = entry_of(c, 9);
    assert_true(cache_add(c, &e));
    cache_save(c);
    cache_close(c);
    c = open_here(dir);
    assert_string_equal(cache_warning(c), "");
    cache_close(c);
    free(bytes);
    remove_folder(dir);
}

/* One byte changed: the entry is gone or as it was, never another one. */
static void changed_at_every_byte(void **state)
{
    (void)state;
    char dir[] = "/tmp/cache_test_XXXXXX", path[256];
    assert_non_null(mkdtemp(dir));
    write_entries(dir, 1, 2);
    struct cache *c = open_here(dir);
    snprintf(path, sizeof path, "%s", cache_path(c));
    cache_close(c);
    size_t size;
    char *bytes = slurp(path, &size);
    static const char values[] = { '0', '9', '"', '}', 0, (char)0xff };
    int kept = 0, fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t i = 0; i < size; i++) {
        for (size_t k = 0; k < sizeof values; k++) {
            if (bytes[i] == values[k])
                continue;
            assert_int_equal(pwrite(fd, &values[k], 1, (off_t)i), 1);
            c = open_here(dir);
            kept += entries_right(c, 3);        /* asserts that what is found is right */
            cache_close(c);
        }
        assert_int_equal(pwrite(fd, &bytes[i], 1, (off_t)i), 1);
    }
    assert_int_equal(kept, 0);
    c = open_here(dir);
    assert_int_equal(entries_right(c, 3), 1);
    cache_close(c);
    close(fd);
    free(bytes);
    remove_folder(dir);
}

static void rubbish_is_left_out(void **state)
{
    (void)state;
    static const char *const rubbish[] = {
        "null", "[]", "{}", "\"text\"", "{\"sum\":\"\"}", "{\"sum\":\"0123\",\"signature\":\"x\"}",
        "{\"signature\":1}", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nul", "\x01\x02", "{\"a\":1,\"a\":2}",
    };
    char dir[] = "/tmp/cache_test_XXXXXX", path[256];
    assert_non_null(mkdtemp(dir));
    write_entries(dir, 0, 3);
    struct cache *c = open_here(dir);
    snprintf(path, sizeof path, "%s", cache_path(c));
    cache_close(c);
    FILE *f = fopen(path, "ab");
    assert_non_null(f);
    for (size_t i = 0; i < LEN(rubbish); i++)
        fprintf(f, "%s\n\n", rubbish[i]);
    fclose(f);
    c = open_here(dir);
    assert_int_equal(entries_right(c, 3), 3);
    assert_non_null(strstr(cache_warning(c), "11 of its lines are broken"));
    cache_close(c);
    /* a folder in the file's place, and a file that nobody writes */
    unlink(path);
    assert_int_equal(mkdir(path, 0755), 0);
    c = open_here(dir);
    assert_int_equal(entries_right(c, 3), 0);
    assert_non_null(strstr(cache_warning(c), "cannot be read"));
    cache_close(c);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0644), 0);
    c = open_here(dir);
    assert_int_equal(entries_right(c, 3), 0);
    cache_close(c);
    remove_folder(dir);
}

static void a_plan_that_changed_is_none(void **state)
{
    (void)state;
    char dir[] = "/tmp/cache_test_XXXXXX", path[400];
    assert_non_null(mkdtemp(dir));
    write_entries(dir, 0, 2);
    struct cache *c = open_here(dir);
    struct cache_entry e = entry_of(c, 1);
    void *bytes;
    size_t size;
    assert_true(cache_plan(c, e.winner.part[0].plan, &bytes, &size));
    free(bytes);
    snprintf(path, sizeof path, "%s/%s.plan", dir, e.winner.part[0].plan);
    static const char *const contents[] = { "", "plan 0 of ", "plan 0 of 2", "plan 0 of 1 " };
    for (size_t i = 0; i < LEN(contents); i++) {
        spill(path, contents[i], strlen(contents[i]));
        assert_false(cache_plan(c, e.winner.part[0].plan, &bytes, &size));
        assert_null(bytes);
    }
    unlink(path);
    assert_false(cache_plan(c, e.winner.part[0].plan, &bytes, &size));
    spill(path, "broken", 6);           /* keeping it again mends it */
    char name[SHA256_HEX_SIZE];
    cache_keep_plan(c, name, "plan 0 of 1", strlen("plan 0 of 1"));
    assert_string_equal(name, e.winner.part[0].plan);
    assert_true(cache_plan(c, name, &bytes, &size));
    free(bytes);
    cache_close(c);
    remove_folder(dir);
}

/* --- others, and folders that do not want --------------------------------------------------------------- */

/* Eight processes add ten entries each at the same time: all eighty are there. */
static void writers_do_not_lose_entries(void **state)
{
    (void)state;
    enum { WRITERS = 8, EACH = 10 };
    char dir[] = "/tmp/cache_test_XXXXXX";
    assert_non_null(mkdtemp(dir));
    pid_t writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = fork();
        assert_true(writers[i] >= 0);
        if (writers[i] == 0) {
            struct cache *c = open_here(dir);
            for (int k = 0; k < EACH; k++) {
                struct cache_entry e = entry_of(c, i * EACH + k);
                cache_add(c, &e);
                for (int tries = 0; k % 5 == 4 && tries < 10; tries++)
                    cache_save(c);      /* again only if the lock was not to be had, as on a very busy machine */
            }
            cache_close(c);
            _exit(0);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int code = 0;
        waitpid(writers[i], &code, 0);
        assert_int_equal(code, 0);
    }
    struct cache *c = open_here(dir);
    assert_int_equal(entries_right(c, WRITERS * EACH), WRITERS * EACH);
    assert_int_equal(files_ending_in(dir, ".tmp"), 0);
    cache_close(c);
    remove_folder(dir);
}

/* What another process tuned anew meanwhile is not dropped for being broken before. */
static void dropping_spares_newer_entries(void **state)
{
    (void)state;
    char dir[] = "/tmp/cache_test_XXXXXX";
    assert_non_null(mkdtemp(dir));
    write_entries(dir, 0, 2);
    struct cache *ours = open_here(dir), *theirs = open_here(dir);
    struct cache_entry e = entry_of(theirs, 1);
    e.winner.median_ns = 55;
    assert_true(cache_add(theirs, &e));
    cache_save(theirs);
    cache_drop(ours, e.signature, e.batch);
    cache_save(ours);
    cache_close(ours);
    cache_close(theirs);
    ours = open_here(dir);
    assert_true(fabs(cache_find(ours, e.signature, e.batch)->winner.median_ns - 55) < 1e-9);
    cache_close(ours);
    remove_folder(dir);
}

static void save_one(const char *dir, const char *words, bool twice)
{
    struct cache *c = open_here(dir);
    struct cache_entry e = { .batch = 1, .runner_up = { .level = -1 }, .signature = "conv" };
    e.winner = (struct cache_choice){ .median_ns = 1, .samples = 3, .parts = 1 };
    snprintf(e.winner.part[0].name, sizeof e.winner.part[0].name, "cudnn:1");
    memset(e.winner.part[0].plan, 'a', SHA256_HEX_SIZE - 1);
    assert_true(cache_add(c, &e));
    cache_save(c);
    assert_non_null(strstr(cache_warning(c), words));
    assert_non_null(strstr(cache_warning(c), "the next run tunes again"));
    assert_non_null(cache_find(c, "conv", 1));      /* this run goes on with it */
    if (twice)
        cache_save(c);                               /* no new sentence, no harm */
    assert_non_null(strstr(cache_warning(c), words));
    cache_close(c);
}

static void folders_that_do_not_want(void **state)
{
    (void)state;
    char dir[] = "/tmp/cache_test_XXXXXX", path[128];
    assert_non_null(mkdtemp(dir));
    save_one("/proc/nowhere", "could not be kept", true);
    snprintf(path, sizeof path, "%s/file", dir);
    spill(path, "x", 1);
    save_one(path, "could not be kept", true);
    if (geteuid() != 0) {                            /* root writes everywhere */
        assert_int_equal(chmod(dir, 0555), 0);
        save_one(dir, "could not be kept", true);
        assert_int_equal(chmod(dir, 0755), 0);
    }
    snprintf(path, sizeof path, "%s/made/in/depth", dir);
    struct cache *c = open_here(path);
    struct cache_entry e = entry_of(c, 1);
    assert_true(cache_add(c, &e));
    cache_save(c);
    assert_string_equal(cache_warning(c), "");
    cache_close(c);
    assert_int_equal(files_ending_in(path, ".jsonl"), 1);
    remove_folder(path);
    snprintf(path, sizeof path, "%s/made/in", dir);
    rmdir(path);
    snprintf(path, sizeof path, "%s/made", dir);
    rmdir(path);
    remove_folder(dir);
}

/* A file size limit is what a full disk is: writing ends in the middle. The old file stays, no piece is left
 * behind. */
static void a_full_disk_keeps_the_old_file(void **state)
{
    (void)state;
    char dir[] = "/tmp/cache_test_XXXXXX";
    assert_non_null(mkdtemp(dir));
    write_entries(dir, 0, 3);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        const struct rlimit small = { 700, 700 };
        struct cache *c = open_here(dir);
        for (int i = 3; i < 30; i++) {
            struct cache_entry e = entry_of(c, i);
            cache_add(c, &e);
        }
        setrlimit(RLIMIT_FSIZE, &small);
        cache_save(c);
        bool told = strstr(cache_warning(c), "could not be kept") != NULL;
        cache_close(c);
        _exit(told ? 0 : 1);
    }
    int code = 0;
    waitpid(child, &code, 0);
    assert_int_equal(code, 0);
    struct cache *c = open_here(dir);
    assert_string_equal(cache_warning(c), "");
    assert_int_equal(entries_right(c, 30), 3);
    assert_int_equal(files_ending_in(dir, ".tmp"), 0);
    cache_close(c);
    remove_folder(dir);
}

static void a_lock_held_for_long_is_a_warning(void **state)
{
    (void)state;
    char dir[] = "/tmp/cache_test_XXXXXX", path[300];
    assert_non_null(mkdtemp(dir));
    struct cache *c = open_here(dir);
    snprintf(path, sizeof path, "%s.lock", cache_path(c));
    cache_close(c);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    save_one(dir, "held the lock", false);
    close(fd);
    remove_folder(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_comes_back),
        cmocka_unit_test(other_keys_are_misses),
        cmocka_unit_test(lines_without_known_shapes_are_misses),
        cmocka_unit_test(replacing_and_dropping),
        cmocka_unit_test(without_a_folder_nothing_is_stored),
        cmocka_unit_test(names_are_safe),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(changed_at_every_byte),
        cmocka_unit_test(rubbish_is_left_out),
        cmocka_unit_test(a_plan_that_changed_is_none),
        cmocka_unit_test(writers_do_not_lose_entries),
        cmocka_unit_test(dropping_spares_newer_entries),
        cmocka_unit_test(folders_that_do_not_want),
        cmocka_unit_test(a_full_disk_keeps_the_old_file),
        cmocka_unit_test(a_lock_held_for_long_is_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
