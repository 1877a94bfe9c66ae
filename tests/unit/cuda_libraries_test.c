/* Where the GPU libraries are looked for and in which order; what a Python is asked and how long; what is
 * wrong with a library that was found. A copy of any small library stands for them: its place counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/clock.h"
#include "kernels/base/len.h"
#include "kernels/cuda/library/libraries.h"

#define PATH 1024
#define TEXT 8192

/* --- a folder for fixtures ---------------------------------------------------------------------------- */
struct fixture {
    char root[PATH];
};

static void in(char *out, const struct fixture *f, const char *path)
{
    assert_true(snprintf(out, PATH, "%s/%s", f->root, path) < PATH);
}

static void make_parents(const char *path)
{
    char part[PATH];
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        assert_true(mkdir(part, 0755) == 0 || errno == EEXIST);
    }
}

static void put(const struct fixture *f, const char *path, const void *data, size_t size, mode_t mode)
{
    char name[PATH];
    in(name, f, path);
    make_parents(name);
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(name, mode), 0);
}

/* A library that loads and has none of the calls: a copy of libdl, which is small. */
static void put_library(const struct fixture *f, const char *path)
{
    char origin[PATH], small[2 * PATH];
    /* libc's place, not libdl's: copies of that are loaded already */
    void *handle = dlopen("libc.so.6", RTLD_NOW | RTLD_LOCAL);
    assert_non_null(handle);
    assert_int_equal(dlinfo(handle, RTLD_DI_ORIGIN, origin), 0);
    dlclose(handle);
    snprintf(small, sizeof small, "%s/libdl.so.2", origin);
    FILE *file = fopen(small, "rb");
    assert_non_null(file);
    char *data = malloc(1 << 20);
    size_t size = fread(data, 1, 1 << 20, file);
    assert_true(feof(file));
    fclose(file);
    put(f, path, data, size, 0755);
    free(data);
}

static void put_script(const struct fixture *f, const char *path, const char *format, const char *value)
{
    char text[TEXT];
    int size = snprintf(text, sizeof text, "#!/bin/sh\n");
    size += snprintf(text + size, sizeof text - (size_t)size, "%s%s\n", format, value);
    put(f, path, text, (size_t)size, 0755);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->root, sizeof f->root, "/tmp/bench-libraries-XXXXXX");
    *state = f;
    return mkdtemp(f->root) ? 0 : -1;
}

static void remove_tree(const char *path)
{
    DIR *folder = opendir(path);
    if (folder) {
        for (struct dirent *entry; (entry = readdir(folder));)
            if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
                char inner[2 * PATH];
                snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
                remove_tree(inner);
            }
        closedir(folder);
    }
    remove(path);
}

static int teardown(void **state)
{
    remove_tree(((struct fixture *)*state)->root);
    free(*state);
    return 0;
}

/* The file found, as a path below the fixture's root; "" if none. */
static const char *found_in(struct library_found *found, const struct fixture *f, enum library which,
                            const struct library_search *search)
{
    library_find(found, which, search);
    size_t length = strlen(f->root);
    return found->handle && strncmp(found->path, f->root, length) == 0 ? found->path + length + 1 : "";
}

/* --- order -------------------------------------------------------------------------------------------- */
#define CUDNN "libcudnn_graph.so.9"

static void folders_come_first_and_are_folders_or_roots(void **state)
{
    const struct fixture *f = *state;
    char folders[4 * PATH], direct[PATH], root[PATH], lt[PATH], wheel[PATH];
    struct library_found found;
    snprintf(lt, sizeof lt, "b/nvidia/cublas/lib/%s", library_file(LIBRARY_CUBLASLT));
    put_library(f, "a/" CUDNN);
    put_library(f, "b/nvidia/cudnn/lib/" CUDNN);
    put_library(f, lt);
    in(direct, f, "a");
    in(root, f, "b");
    struct library_search search = { .folders = folders };
    snprintf(folders, sizeof folders, "%s:%s", direct, root);
    assert_string_equal(found_in(&found, f, LIBRARY_CUDNN, &search), "a/" CUDNN);
    assert_null(found.tried); /* the first place was right */
    library_found_close(&found);
    snprintf(folders, sizeof folders, "::%s/none:%s:%s", direct, root, direct);
    assert_string_equal(found_in(&found, f, LIBRARY_CUDNN, &search), "b/nvidia/cudnn/lib/" CUDNN);
    assert_non_null(strstr(found.tried, "/a/none/" CUDNN " (not there)"));
    library_found_close(&found);
    assert_string_equal(found_in(&found, f, LIBRARY_CUBLASLT, &search), lt);
    library_found_close(&found);
    /* the wheels of CUDA 13 keep everything in one folder, looked at before the older place */
    snprintf(wheel, sizeof wheel, "b/nvidia/cu%d/lib/%s", CUBLAS_VER_MAJOR, library_file(LIBRARY_CUBLASLT));
    put_library(f, wheel);
    assert_string_equal(found_in(&found, f, LIBRARY_CUBLASLT, &search), wheel);
    library_found_close(&found);
    library_found_close(&found); /* a second time does nothing */
}

static void a_broken_file_is_passed_over(void **state)
{
    const struct fixture *f = *state;
    char folders[2 * PATH + 2], broken[PATH], good[PATH];
    struct library_found found;
    put(f, "broken/" CUDNN, "no library", 10, 0644);
    put_library(f, "good/" CUDNN);
    in(broken, f, "broken");
    in(good, f, "good");
    snprintf(folders, sizeof folders, "%s:%s", broken, good);
    const struct library_search search = { .folders = folders };
    assert_string_equal(found_in(&found, f, LIBRARY_CUDNN, &search), "good/" CUDNN);
    assert_non_null(strstr(found.tried, "/broken/" CUDNN " (file too short)"));
    library_found_close(&found);
}

static void python_is_asked_last_and_only_then(void **state)
{
    const struct fixture *f = *state;
    char python[PATH], marker[PATH], folder[PATH], roots[PATH], command[2 * PATH];
    struct library_found found;
    put_library(f, "packages/nvidia/cudnn/lib/" CUDNN);
    put_library(f, "folder/" CUDNN);
    in(python, f, "python");
    in(marker, f, "asked");
    in(folder, f, "folder");
    in(roots, f, "packages");
    snprintf(command, sizeof command, "touch %s\necho /nowhere:", marker);
    put_script(f, "python", command, roots);
    struct library_search search = { .folders = folder, .python = python, .python_ms = 5000 };
    assert_string_equal(found_in(&found, f, LIBRARY_CUDNN, &search), "folder/" CUDNN);
    assert_int_equal(access(marker, F_OK), -1);
    library_found_close(&found);
    search.folders = NULL;
    assert_string_equal(found_in(&found, f, LIBRARY_CUDNN, &search), "packages/nvidia/cudnn/lib/" CUDNN);
    assert_int_equal(access(marker, F_OK), 0);
    assert_non_null(strstr(found.tried, "/nowhere/nvidia/cudnn/lib/" CUDNN " ("));
    library_found_close(&found);
    /* the loader stands between: it finds no such file here, or one outside the fixture */
    search.loader = true;
    found_in(&found, f, LIBRARY_CUBLASLT, &search);
    assert_true(found.handle || strstr(found.tried, library_file(LIBRARY_CUBLASLT)) == found.tried);
    library_found_close(&found);
}

static void nothing_found_says_what_was_tried(void **state)
{
    const struct fixture *f = *state;
    char folder[PATH], want[4][3 * PATH];
    struct library_found found;
    in(folder, f, "empty");
    const struct library_search search = { .folders = folder, .python = "/nowhere/python3",
                                           .python_ms = 100 };
    assert_string_equal(found_in(&found, f, LIBRARY_CUDNN, &search), "");
    assert_null(found.handle);
    snprintf(want[0], sizeof want[0], "%s/" CUDNN " (", folder);
    snprintf(want[1], sizeof want[1], "; %s/nvidia/cudnn/lib/" CUDNN " (", folder);
    snprintf(want[2], sizeof want[2], "; /nowhere/python3 (did not print its site-packages)");
    const char *at = found.tried;
    for (int i = 0; i < 3; i++) {
        at = strstr(at, want[i]);
        assert_non_null(at);
    }
    assert_int_equal(strlen(found.tried), found.tried_size);
    library_found_close(&found);
}

/* --- asking a Python ---------------------------------------------------------------------------------- */
static void python_does_not_eat_our_input(void **state)
{
    const struct fixture *f = *state;
    char python[PATH], letter[2] = "";
    int ends[2], old = dup(STDIN_FILENO);
    in(python, f, "python");
    put_script(f, "python", "read line\necho \"got<$line>\"", "");
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "request\n", 8), 8);
    dup2(ends[0], STDIN_FILENO);
    char *text = library_python_folders(python, 5000);
    assert_int_equal(read(STDIN_FILENO, letter, 1), 1);
    dup2(old, STDIN_FILENO);
    close(old), close(ends[0]), close(ends[1]);
    assert_non_null(text);
    assert_string_equal(text, "got<>"); /* the end of /dev/null */
    assert_string_equal(letter, "r");
    free(text);
}

/* A process that ended may stay listed until somebody asks for its status: state Z. */
static bool runs(int pid)
{
    char name[64], state = 'Z';
    snprintf(name, sizeof name, "/proc/%d/stat", pid);
    FILE *file = fopen(name, "r");
    if (!file)
        return false;
    bool read = fscanf(file, "%*d %*s %c", &state) == 1;
    fclose(file);
    return read && state != 'Z';
}

static void a_slow_python_is_killed(void **state)
{
    const struct fixture *f = *state;
    struct clock clock = clock_system();
    char python[PATH], note[PATH];
    in(python, f, "python");
    in(note, f, "pid");
    put_script(f, "python", "sleep 60 &\necho $! > ", note);
    FILE *file = fopen(python, "a"); /* the shell waits for its child, which holds the pipe open */
    assert_non_null(file);
    fputs("wait\n", file);
    fclose(file);
    uint64_t start_ns = clock_now_ns(&clock);
    assert_null(library_python_folders(python, 300));
    assert_true(clock_now_ns(&clock) - start_ns < UINT64_C(5000000000));
    file = fopen(note, "r");
    assert_non_null(file);
    int pid = 0;
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    fclose(file);
    for (int i = 0; i < 500 && runs(pid); i++)
        usleep(10000);
    assert_false(runs(pid));
}

static void a_python_that_fails_has_no_folders(void **state)
{
    const struct fixture *f = *state;
    char python[PATH];
    in(python, f, "python");
    put_script(f, "python", "echo /somewhere\nexit 1", "");
    assert_null(library_python_folders(python, 5000));
    put_script(f, "python", "exit 0", "");
    assert_null(library_python_folders(python, 5000));
    assert_null(library_python_folders("/nowhere/python3", 5000));
    put_script(f, "python", "echo /somewhere", "");
    char *text = library_python_folders(python, 5000);
    assert_string_equal(text, "/somewhere");
    free(text);
}

/* --- what is in a library that was found -------------------------------------------------------------- */
static void a_library_without_the_calls_is_named(void **state)
{
    const struct fixture *f = *state;
    char folder[PATH];
    struct err err = { 0 };
    struct gpu_libraries *l;
    in(folder, f, "folder");
    const struct library_search search = { .folders = folder };
    assert_int_equal(gpu_libraries_open(&l, &search, &err), ST_ENVIRONMENT);
    assert_null(l);
    assert_non_null(strstr(err.text, "cuDNN was not found"));
    assert_non_null(strstr(err.text, folder));
    put_library(f, "folder/" CUDNN);
    assert_int_equal(gpu_libraries_open(&l, &search, &err), ST_ENVIRONMENT);
    assert_null(l);
    assert_non_null(strstr(err.text, "has no cudnnCreate"));
    assert_non_null(strstr(err.text, folder));
}

/* cuDNN from wherever this machine has it, cuBLASLt missing: a warning, not an error. */
static void cublaslt_is_not_needed(void **state)
{
    const struct fixture *f = *state;
    struct library_search search = library_search_usual();
    struct library_found found;
    struct err err = { 0 };
    struct gpu_libraries *l;
    char folder[PATH], lt[PATH], real[LIBRARY_PATH_MAX];
    library_find(&found, LIBRARY_CUDNN, &search);
    snprintf(real, sizeof real, "%s", found.path);
    bool there = found.handle;
    library_found_close(&found);
    if (!there)
        skip();
    snprintf(lt, sizeof lt, "only/%s", library_file(LIBRARY_CUBLASLT));
    put_library(f, lt); /* found first, and of no use */
    in(folder, f, "only");
    search.folders = folder;
    assert_int_equal(gpu_libraries_open(&l, &search, &err), ST_OK);
    assert_false(l->has_cublaslt);
    assert_non_null(strstr(l->warning, "has no cublasLtCreate"));
    assert_string_equal(l->cudnn_at.path, real);
    assert_true(l->cudnn_version >= 90800);
    assert_null(l->device);
    assert_null(l->cudnn_handle);
    gpu_libraries_close(l);
    gpu_libraries_close(NULL);
}

/* --- versions, by libraries that claim them ----------------------------------------------------------- */
static enum status open_claiming(const char *cudnn, const char *cublaslt, char *text, bool *has_cublaslt)
{
    char self[PATH], folder[2 * PATH];
    struct gpu_libraries *l;
    struct err err = { 0 };
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(size > 0);
    self[size] = 0;
    snprintf(folder, sizeof folder, "%s/../../fake", dirname(self)); /* OUT/tests/unit -> OUT/fake */
    const struct library_search search = { .folders = folder };
    cudnn ? setenv("BENCH_FAKE_CUDNN_VERSION", cudnn, 1) : unsetenv("BENCH_FAKE_CUDNN_VERSION");
    cublaslt ? setenv("BENCH_FAKE_CUBLASLT_VERSION", cublaslt, 1) : unsetenv("BENCH_FAKE_CUBLASLT_VERSION");
    enum status st = gpu_libraries_open(&l, &search, &err);
    snprintf(text, TEXT, "%s", st == ST_OK ? l->warning : err.text);
    *has_cublaslt = st == ST_OK && l->has_cublaslt;
    assert_true(st == ST_OK || strstr(err.text, "/fake/" CUDNN));
    gpu_libraries_close(l);
    unsetenv("BENCH_FAKE_CUDNN_VERSION");
    unsetenv("BENCH_FAKE_CUBLASLT_VERSION");
    return st;
}

static void versions_decide(void **state)
{
    (void)state;
    static const struct {
        const char *cudnn, *cublaslt;
        enum status st;
        bool has_cublaslt;
        const char *text;
    } rows[] = {
        { NULL, NULL, ST_OK, true, "" },
        { "90707", NULL, ST_ENVIRONMENT, false, "cuDNN 9.7.7 was found" },
        { "8907", NULL, ST_ENVIRONMENT, false, "was found" }, /* how version 8 counted */
        { "100000", NULL, ST_ENVIRONMENT, false, "cuDNN 10.0.0 was found" },
        { "90800", NULL, ST_OK, true, "is older than" },
        { "99900", NULL, ST_OK, true, "" },
        { NULL, "110000", ST_OK, false, "cuBLASLt 11.0.0 was found" },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        char text[TEXT];
        bool has_cublaslt;
        assert_int_equal(open_claiming(rows[i].cudnn, rows[i].cublaslt, text, &has_cublaslt), rows[i].st);
        assert_int_equal(has_cublaslt, rows[i].has_cublaslt);
        if (rows[i].text[0])
            assert_non_null(strstr(text, rows[i].text));
        else
            assert_string_equal(text, "");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(folders_come_first_and_are_folders_or_roots),
        TEST(a_broken_file_is_passed_over),
        TEST(python_is_asked_last_and_only_then),
        TEST(nothing_found_says_what_was_tried),
        TEST(python_does_not_eat_our_input),
        TEST(a_slow_python_is_killed),
        TEST(a_python_that_fails_has_no_folders),
        TEST(a_library_without_the_calls_is_named),
        TEST(cublaslt_is_not_needed),
        TEST(versions_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
