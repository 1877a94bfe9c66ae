/* How the files get into place: unchanged, backup, mode, symlink, lock, and every system call failing once. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "bench/output/batch_sizes_write.h"
#include "bench/output/replace.h"
#include "tests/unit/batch_sizes_fixture.h"
#include "tests/unit/campaign_fixture.h"

static enum status write_into(const char *folder, struct fixture *f, char *said, struct err *err)
{
    struct notes notes = { 0 };
    enum status st = batch_sizes_write(&f->campaign, &f->config, folder, &notes, err);
    said[0] = 0;
    for (size_t i = 0; i < notes.count; i++)
        strcat(strcat(said, notes.lines[i]), "\n");
    notes_free(&notes);
    return st;
}

static int files_in(const char *folder)
{
    char command[4300], text[32] = "";
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
    FILE *pipe = popen(command, "r");
    assert_non_null(fgets(text, sizeof text, pipe));
    pclose(pipe);
    return atoi(text);
}

static void written_then_unchanged_then_replaced(void **state)
{
    (void)state;
    char *folder = scratch_open(), said[8192], path[4200];
    struct fixture *f = fixture_open();
    struct err err = { 0 };
    struct stat first, second;
    fixture_hrnet(f, "f32", 1);
    spill(folder, BATCH_SIZES_FILE, historic_file);
    chmod(in_folder(path, sizeof path, folder, BATCH_SIZES_FILE), 0600);
    assert_int_equal(write_into(folder, f, said, &err), ST_OK);
    assert_non_null(strstr(said, "batch_sizes.json: written, the old one is .bak"));
    stat(path, &first);
    assert_int_equal(first.st_mode & 0777, 0600); /* the mode of the old file */
    char *backup = slurp(folder, BATCH_SIZES_FILE ".bak");
    assert_string_equal(backup, historic_file);
    assert_int_equal(write_into(folder, f, said, &err), ST_OK);
    assert_non_null(strstr(said, "batch_sizes.json: unchanged"));
    assert_non_null(strstr(said, "production_batch_config.json: unchanged"));
    stat(path, &second);
    assert_int_equal(first.st_ino, second.st_ino);
    assert_int_equal(files_in(folder), 4); /* both, the backup, the lock; no temporary */
    free(backup);
    fixture_close(f);
    scratch_close(folder);
}

static void the_base_is_chosen(void **state)
{
    (void)state;
    char *folder = scratch_open(), said[8192], other[4200];
    struct fixture *f = fixture_open();
    struct err err = { 0 };
    fixture_hrnet(f, "f32", 1);
    in_folder(other, sizeof other, folder, "other.json");
    spill(folder, "other.json", historic_file);
    assert_int_equal(write_into(folder, f, said, &err), ST_OK);
    assert_non_null(strstr(said, "carried over from it): none"));
    f->config.base = other;
    assert_int_equal(write_into(folder, f, said, &err), ST_OK);
    assert_non_null(strstr(said, "other.json"));
    char *text = slurp(folder, BATCH_SIZES_FILE);
    assert_non_null(strstr(text, "\"sperm\""));
    free(text);
    f->config.base = (char[]){ "none" };
    assert_int_equal(write_into(folder, f, said, &err), ST_OK);
    text = slurp(folder, BATCH_SIZES_FILE);
    assert_null(strstr(text, "\"sperm\""));
    free(text);
    f->config.base = (char[]){ "/nowhere/base.json" }; /* asked for and missing is never "none" */
    assert_int_equal(status_exit(write_into(folder, f, said, &err)), 2);
    fixture_close(f);
    scratch_close(folder);
}

static void refused_and_left_alone(void **state)
{
    (void)state;
    static const struct { const char *text, *says; } rows[] = {
        { "{\"batch_configurations\": {", "broken" },
        { "{\"batch_configurations\": {}, \"batch_configurations\": {}}", "duplicate" },
        { "[1]", "batch_configurations" },
        { "{\"batch_configurations\": {}, \"autotune\": {\"schema\": 2}}", "autotune.schema 2, this bench knows 1" },
        { "", "broken" },
    };
    char *folder = scratch_open(), said[8192];
    struct fixture *f = fixture_open();
    fixture_hrnet(f, "f32", 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = { 0 };
        spill(folder, BATCH_SIZES_FILE, rows[i].text);
        assert_int_equal(status_exit(write_into(folder, f, said, &err)), 2);
        if (!strstr(err.text, rows[i].says))
            fail_msg("%s", err.text);
        char *now = slurp(folder, BATCH_SIZES_FILE);
        assert_string_equal(now, rows[i].text);
        free(now);
    }
    struct err err = { 0 };
    spill(folder, BATCH_SIZES_FILE, rows[3].text); /* a newer file in place stays, whatever the base is */
    f->config.base = (char[]){ "none" };
    assert_int_equal(status_exit(write_into(folder, f, said, &err)), 2);
    fixture_close(f);
    scratch_close(folder);
}

static void a_link_is_followed(void **state)
{
    (void)state;
    char *folder = scratch_open(), *real = scratch_open(), said[8192], from[4200], to[4200];
    struct fixture *f = fixture_open();
    struct stat info;
    struct err err = { 0 };
    fixture_hrnet(f, "f32", 1);
    in_folder(from, sizeof from, folder, BATCH_SIZES_FILE);
    in_folder(to, sizeof to, real, "served.json");
    assert_int_equal(symlink(to, from), 0);
    assert_int_equal(write_into(folder, f, said, &err), ST_OK);
    assert_int_equal(lstat(from, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    char *text = slurp(real, "served.json");
    assert_non_null(text);
    free(text);
    fixture_close(f);
    scratch_close(folder);
    scratch_close(real);
}

static void the_lock_is_waited_for(void **state)
{
    (void)state;
    char *folder = scratch_open(), path[4200];
    struct err err = { 0 };
    int first = -1, second = -1;
    assert_int_equal(replace_lock(&first, folder, ".lock", 0, &replace_system, &err), ST_OK);
    assert_int_equal(replace_lock(&second, folder, ".lock", 30000000, &replace_system, &err), ST_BUSY);
    assert_int_equal(status_exit(err.status), 3);
    close(first);
    assert_int_equal(replace_lock(&second, folder, ".lock", 0, &replace_system, &err), ST_OK);
    close(second);
    in_folder(path, sizeof path, folder, "missing");
    assert_int_equal(replace_lock(&second, path, ".lock", 0, &replace_system, &err), ST_IO);
    scratch_close(folder);
}

/* --- the n-th system call fails --- */

static struct { int calls, fail_at, error; } fault; /* of this test program: system calls carry no context */

static int fails(void)
{
    if (++fault.calls != fault.fail_at)
        return 0;
    errno = fault.error;
    return 1;
}
static int bad_open(const char *path, int flags, mode_t mode) { return fails() ? -1 : open(path, flags, mode); }
static ssize_t bad_write(int fd, const void *bytes, size_t size)
{
    return fails() ? -1 : write(fd, bytes, size > 3 ? 3 : size); /* short writes too */
}
static int bad_fsync(int fd) { return fails() ? -1 : fsync(fd); }
static int bad_link(const char *from, const char *to) { return fails() ? -1 : link(from, to); }
static int bad_rename(const char *from, const char *to) { return fails() ? -1 : rename(from, to); }
static int bad_fchmod(int fd, mode_t mode) { return fails() ? -1 : fchmod(fd, mode); }
static const struct replace_calls faulty = { .open = bad_open, .write = bad_write, .fsync = bad_fsync,
    .link = bad_link, .rename = bad_rename, .flock = flock, .fchmod = bad_fchmod };

static void every_call_fails_once(void **state)
{
    (void)state;
    static const int errors[] = { ENOSPC, EIO, EBUSY };
    for (size_t e = 0; e < 3; e++) {
        int steps = 0;
        enum status st = ST_IO;
        for (fault.fail_at = 1; fault.fail_at < 100 && st != ST_OK; fault.fail_at++) {
            char *folder = scratch_open(), path[4200];
            struct err err = { 0 };
            enum replaced how;
            spill(folder, "f", "old");
            fault.calls = 0;
            fault.error = errors[e];
            st = replace_file(&how, in_folder(path, sizeof path, folder, "f"), "new bytes", 9, true, &faulty, &err);
            char *now = slurp(folder, "f"), *backup = slurp(folder, "f.bak");
            const int is_new = strcmp(now, "new bytes") == 0;
            assert_true(is_new || strcmp(now, "old") == 0);  /* always one of the two, whole */
            if (st == ST_OK)
                assert_true(is_new && strcmp(backup, "old") == 0);
            else if (is_new)                                 /* only the fsync of the folder comes later */
                assert_non_null(strstr(err.text, "fsync of the folder"));
            else
                assert_int_equal(files_in(folder), backup ? 2 : 1); /* no temporary is left */
            if (st != ST_OK && errors[e] == EBUSY && !is_new)
                assert_string_equal(err.text, "f is itself a mount point: mount its directory");
            steps++;
            free(now);
            free(backup);
            scratch_close(folder);
            /* a link that fails is no failure: the old file is copied instead */
            if (st == ST_OK && fault.calls >= fault.fail_at)
                st = ST_IO;
        }
        assert_in_range(steps, 8, 40);
    }
}

static void a_dead_ones_temporary_is_no_obstacle(void **state)
{
    (void)state;
    char *folder = scratch_open(), name[64], path[4200];
    enum replaced how;
    struct err err = { 0 };
    snprintf(name, sizeof name, ".f.%ld", (long)getpid());
    spill(folder, name, "left over");
    assert_int_equal(replace_file(&how, in_folder(path, sizeof path, folder, "f"), "x", 1, true, &replace_system, &err),
                     ST_OK);
    assert_int_equal(how, REPLACED_NEW);
    assert_int_equal(files_in(folder), 1);
    scratch_close(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_then_unchanged_then_replaced),
        cmocka_unit_test(the_base_is_chosen),
        cmocka_unit_test(refused_and_left_alone),
        cmocka_unit_test(a_link_is_followed),
        cmocka_unit_test(the_lock_is_waited_for),
        cmocka_unit_test(every_call_fails_once),
        cmocka_unit_test(a_dead_ones_temporary_is_no_obstacle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
