/* What may happen to a store: a second process, an end at any moment, a full disk, files that are no store. */
#include "tests/unit/store_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static enum status try_open(const struct place *p, enum store_mode mode, struct err *err)
{
    struct store *s = NULL;
    enum status st = store_open(&s, p->path, mode, err);
    if (st != ST_OK)
        assert_null(s);
    store_close(s);
    return st;
}

static void put_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static size_t get_file(char *bytes, size_t room, const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, room, file);
    fclose(file);
    return size;
}

static void a_second_writer_is_told_the_first(void **state)
{
    const struct place *p = *state;
    struct err err = { 0 };
    char pid[32];
    int ready[2], leave[2];
    assert_int_equal(pipe(ready) | pipe(leave), 0);
    const pid_t child = fork();
    if (child == 0) {
        char byte;
        close(leave[1]);
        struct store *s = NULL;
        if (store_open(&s, p->path, STORE_WRITE, NULL) != ST_OK || write(ready[1], "x", 1) != 1)
            _exit(1);
        while (read(leave[0], &byte, 1) > 0)
            ;
        _exit(0); /* without closing it: the kernel gives the lock back */
    }
    char byte;
    close(leave[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(try_open(p, STORE_WRITE, &err), ST_BUSY);
    assert_int_equal(status_exit(err.status), 3);
    snprintf(pid, sizeof pid, "process %ld:", (long)child);
    assert_non_null(strstr(err.text, pid));
    assert_int_equal(try_open(p, STORE_READ, &err), ST_OK); /* reading beside it is fine */
    close(leave[1]);
    int end;
    assert_int_equal(waitpid(child, &end, 0), child);
    assert_int_equal(end, 0);
    assert_int_equal(try_open(p, STORE_WRITE, &err), ST_OK);
    close(ready[0]);
    close(ready[1]);
}

/* Appends blocks for ever; tells each one's number as soon as it is stored. */
static void append_until_killed(const struct place *p, int64_t execution, int out)
{
    struct store *s = NULL;
    if (store_open(&s, p->path, STORE_WRITE, NULL) != ST_OK)
        _exit(1);
    for (int i = 0;; i++)
        if (fixture_append_block(s, execution, i, 50, NULL) != ST_OK || write(out, "x", 1) != 1)
            _exit(1);
}

/* Killed at any moment: every block that was reported is there, whole, and at most the one under way besides. */
static void no_reported_block_is_lost(void **state)
{
    const struct place *p = *state;
    struct err err = { 0 };
    struct store *s = fixture_open(p, STORE_WRITE);
    struct fixture_ids ids = fixture_fill(s);
    store_close(s);
    int reported = 0;
    for (int round = 0; round < 12; round++) {
        int told[2];
        char byte;
        assert_int_equal(pipe(told), 0);
        const pid_t child = fork();
        if (child == 0)
            append_until_killed(p, ids.execution, told[1]);
        close(told[1]);
        assert_int_equal(read(told[0], &byte, 1), 1);
        usleep((useconds_t)(700 * round)); /* somewhere in a later transaction */
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        reported++;
        while (read(told[0], &byte, 1) == 1)
            reported++;
        close(told[0]);

        struct fixture_count c = { 0 };
        s = fixture_open(p, STORE_WRITE);
        assert_int_equal(store_visit_blocks(s, ids.target, true, fixture_count_block, &c, &err), ST_OK);
        store_close(s);
        assert_true(c.blocks >= reported && c.blocks <= reported + 1);
        reported = c.blocks;
    }
    assert_true(reported >= 12);
}

/* A file that may not grow stands for a full disk: one sentence, nothing half, the store opens afterwards. */
static void a_full_disk_loses_nothing(void **state)
{
    const struct place *p = *state;
    struct err err = { 0 };
    struct store *s = fixture_open(p, STORE_WRITE);
    struct fixture_ids ids = fixture_fill(s);
    store_close(s);
    int told[2];
    assert_int_equal(pipe(told), 0);
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = { 600000, 600000 };
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || store_open(&s, p->path, STORE_WRITE, &err) != ST_OK)
            _exit(9);
        int stored = 0;
        enum status st = ST_OK;
        while (st == ST_OK && stored < 1000) {
            st = fixture_append_block(s, ids.execution, 0, 2000, &err);
            stored += st == ST_OK;
        }
        const bool told_all = write(told[1], &stored, sizeof stored) == (ssize_t)sizeof stored;
        _exit(st == ST_IO && strstr(err.text, p->path) && strstr(err.text, "--resume") && told_all ? 0 : 8);
    }
    int end = -1, stored = 0;
    assert_int_equal(waitpid(child, &end, 0), child);
    assert_int_equal(end, 0);
    assert_int_equal(read(told[0], &stored, sizeof stored), (int)sizeof stored);
    assert_true(stored > 3);
    struct fixture_count c = { 0 };
    s = fixture_open(p, STORE_WRITE);
    assert_int_equal(store_visit_blocks(s, ids.target, true, fixture_count_block, &c, &err), ST_OK);
    assert_int_equal(c.blocks, stored);
    assert_int_equal(fixture_append_block(s, ids.execution, 0, 2000, &err), ST_OK);
    store_close(s);
    close(told[0]);
    close(told[1]);
}

/* SQLite would write on into a file without a name, and all would be lost without a word. */
static void a_deleted_store_is_noticed(void **state)
{
    const struct place *p = *state;
    struct err err = { 0 };
    struct store *s = fixture_open(p, STORE_WRITE);
    struct fixture_ids ids = fixture_fill(s);
    assert_int_equal(fixture_append_block(s, ids.execution, 0, 4, &err), ST_OK);
    assert_int_equal(unlink(p->path), 0);
    assert_int_equal(fixture_append_block(s, ids.execution, 1, 4, &err), ST_IO);
    assert_non_null(strstr(err.text, "deleted"));
    put_file(p->path, "", 0); /* another one under that name is not it */
    assert_int_equal(fixture_append_block(s, ids.execution, 1, 4, &err), ST_IO);
    store_close(s);
}

static void a_newer_store_is_left_alone(void **state)
{
    const struct place *p = *state;
    struct err err = { 0 };
    sqlite3 *db;
    char known[32], newer[32], pragma[64];
    snprintf(known, sizeof known, "knows %d", STORE_SCHEMA_VERSION);
    snprintf(newer, sizeof newer, "schema %d", STORE_SCHEMA_VERSION + 1);
    snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", STORE_SCHEMA_VERSION + 1);
    static char before[1 << 20], after[1 << 20];
    store_close(fixture_open(p, STORE_WRITE));
    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, pragma, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    size_t size = get_file(before, sizeof before, p->path);
    for (int mode = STORE_WRITE; mode <= STORE_READ; mode++) {
        assert_int_equal(try_open(p, (enum store_mode)mode, &err), ST_CONFIG);
        assert_non_null(strstr(err.text, newer));
        assert_non_null(strstr(err.text, known));
    }
    assert_int_equal(get_file(after, sizeof after, p->path), size);
    assert_memory_equal(before, after, size);
}

/* Files that are no store of ours: refused, with their name, and not a byte of them changed. */
static void other_files_are_left_alone(void **state)
{
    const struct place *p = *state;
    struct err err = { 0 };
    static char noise[100000], after[200000];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)(i * 2654435761u >> 24);
    put_file(p->path, noise, sizeof noise);
    for (int mode = STORE_WRITE; mode <= STORE_READ; mode++) {
        assert_int_equal(try_open(p, (enum store_mode)mode, &err), ST_IO);
        assert_non_null(strstr(err.text, p->path));
        assert_non_null(strstr(err.text, "damaged"));
    }
    assert_int_equal(get_file(after, sizeof after, p->path), sizeof noise);
    assert_memory_equal(after, noise, sizeof noise);

    sqlite3 *db;
    unlink(p->path);
    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE cats (name)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(try_open(p, STORE_WRITE, &err), ST_IO);
    assert_non_null(strstr(err.text, "another program"));
}

/* A page in the middle is overwritten, and the end is cut off. */
static void a_damaged_store_is_noticed(void **state)
{
    const struct place *p = *state;
    struct err err = { 0 };
    struct store *s = fixture_open(p, STORE_WRITE);
    struct fixture_ids ids = fixture_fill(s);
    for (int i = 0; i < 20; i++)
        assert_int_equal(fixture_append_block(s, ids.execution, i, 2000, &err), ST_OK);
    store_close(s);
    struct stat file;
    assert_int_equal(stat(p->path, &file), 0);
    assert_int_equal(try_open(p, STORE_WRITE, &err), ST_OK);
    assert_int_equal(truncate(p->path, file.st_size / 2 / 4096 * 4096), 0);
    assert_int_equal(try_open(p, STORE_WRITE, &err), ST_IO);
    assert_non_null(strstr(err.text, "damaged"));
}

static void a_folder_or_nothing_is_refused(void **state)
{
    const struct place *p = *state;
    struct err err = { 0 };
    assert_int_equal(try_open(p, STORE_READ, &err), ST_CONFIG);
    assert_non_null(strstr(err.text, "does not exist"));
    assert_int_equal(access(p->path, F_OK), -1); /* reading made nothing */
    assert_int_equal(mkdir(p->path, 0755), 0);
    assert_int_equal(try_open(p, STORE_WRITE, &err), ST_IO);
    assert_non_null(strstr(err.text, "a folder"));
    assert_int_equal(rmdir(p->path), 0);
    const struct place nowhere = { .path = "/tmp/bench-store-no-such-folder/bench.sqlite" };
    assert_int_equal(try_open(&nowhere, STORE_WRITE, &err), ST_IO);
}

/* In a folder that may not be written, reading works and writing is refused. root may write everywhere. */
static void a_read_only_folder_can_be_read(void **state)
{
    const struct place *p = *state;
    struct err err = { 0 };
    struct store *s = fixture_open(p, STORE_WRITE);
    fixture_fill(s);
    store_close(s);
    const pid_t child = fork();
    if (child == 0) {
        struct campaign *c = NULL;
        char lock[128];
        snprintf(lock, sizeof lock, "%s.lock", p->path);
        if (unlink(lock) != 0 || chmod(p->path, 0444) != 0 || chmod(p->folder, 0555) != 0)
            _exit(9);
        if (getuid() == 0 && (chown(p->folder, 0, 0) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
            _exit(8);
        s = NULL;
        if (store_open(&s, p->path, STORE_WRITE, &err) != ST_IO || !strstr(err.text, "--out"))
            _exit(1);
        if (store_open(&s, p->path, STORE_READ, &err) != ST_OK || store_load_campaign(&c, s, NULL, &err) != ST_OK)
            _exit(2);
        _exit(c->target_count == 1 ? 0 : 3);
    }
    int end = -1;
    assert_int_equal(waitpid(child, &end, 0), child);
    assert_int_equal(chmod(p->folder, 0755), 0);
    assert_int_equal(end, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_second_writer_is_told_the_first, place_make, place_drop),
        cmocka_unit_test_setup_teardown(no_reported_block_is_lost, place_make, place_drop),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing, place_make, place_drop),
        cmocka_unit_test_setup_teardown(a_deleted_store_is_noticed, place_make, place_drop),
        cmocka_unit_test_setup_teardown(a_newer_store_is_left_alone, place_make, place_drop),
        cmocka_unit_test_setup_teardown(other_files_are_left_alone, place_make, place_drop),
        cmocka_unit_test_setup_teardown(a_damaged_store_is_noticed, place_make, place_drop),
        cmocka_unit_test_setup_teardown(a_folder_or_nothing_is_refused, place_make, place_drop),
        cmocka_unit_test_setup_teardown(a_read_only_folder_can_be_read, place_make, place_drop),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
