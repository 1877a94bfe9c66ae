#include "kernels/cuda/library/library_find.h"

#include <cuda_runtime_api.h>
#include <cudnn_version.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/base/clock.h"
#include "kernels/base/len.h"

#define TEXT_OF(number) #number
#define NUMBER_TEXT(macro) TEXT_OF(macro)
#define PYTHON_MS 5000
#define PYTHON_TEXT_MAX 16384

extern char **environ;

/* Where a file lies under a root of Python packages; NULL ends. CUDA 13 wheels have one folder for all. */
struct place {
    const char *file;
    const char *under[4];
};
#if CUDART_VERSION >= 13000
#define CUBLASLT_FILE "libcublasLt.so.13"
static const char cublaslt_wheel[] = "nvidia/cu13/lib";
#else
#define CUBLASLT_FILE "libcublasLt.so.12"
static const char cublaslt_wheel[] = "nvidia/cu12/lib";
#endif
static const struct place places[] = {
    [LIBRARY_CUDNN]    = { "libcudnn_graph.so." NUMBER_TEXT(CUDNN_MAJOR), { "nvidia/cudnn/lib" } },
    [LIBRARY_CUBLASLT] = { CUBLASLT_FILE, { cublaslt_wheel, "nvidia/cublas/lib" } },
};

const char *library_file(enum library which)
{
    return places[which].file;
}

struct library_search library_search_usual(void)
{
    return (struct library_search){ .folders = getenv("BENCH_CUDA_LIBRARY_PATH"), .loader = true,
                                    .python = "python3", .python_ms = PYTHON_MS };
}

static void note_tried(struct library_found *found, const char *path, const char *why)
{
    size_t more = strlen(path) + strlen(why) + sizeof "; PATH ()";
    char *text = realloc(found->tried, found->tried_size + more);
    if (!text)
        return;
    found->tried = text;
    found->tried_size += (size_t)sprintf(text + found->tried_size, "%s%s (%s)", found->tried_size ? "; " : "",
                                         path, why);
}

/* The loader's reason begins with the path again, which stands before it already. */
static const char *reason_of(const char *path)
{
    const char *reason = dlerror();
    if (!reason)
        return "no reason given";
    size_t length = strlen(path);
    if (strncmp(reason, path, length) == 0 && strncmp(reason + length, ": ", 2) == 0)
        return reason + length + 2;
    return reason;
}

static bool try_file(struct library_found *found, const char *path)
{
    if (strchr(path, '/') && access(path, F_OK) != 0) { /* the usual case, in fewer words than the loader's */
        note_tried(found, path, "not there");
        return false;
    }
    found->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!found->handle) {
        note_tried(found, path, reason_of(path));
        return false;
    }
    struct link_map *map = NULL;
    bool known = dlinfo(found->handle, RTLD_DI_LINKMAP, &map) == 0 && map && map->l_name[0];
    snprintf(found->path, sizeof found->path, "%s", known ? map->l_name : path);
    return true;
}

/* The file directly in the folder (as a folder of libraries) and below it (as a root of packages). */
static bool try_folder(struct library_found *found, enum library which, const char *folder, bool directly)
{
    const struct place *place = &places[which];
    char path[2 * LIBRARY_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, place->file);
    if (directly && try_file(found, path))
        return true;
    for (const char *const *under = place->under; *under; under++) {
        snprintf(path, sizeof path, "%s/%s/%s", folder, *under, place->file);
        if (try_file(found, path))
            return true;
    }
    return false;
}

static bool try_folders(struct library_found *found, enum library which, const char *folders, bool directly)
{
    char folder[LIBRARY_PATH_MAX];
    for (const char *at = folders; *at;) {
        size_t length = strcspn(at, ":");
        if (length && length < sizeof folder) {
            memcpy(folder, at, length);
            folder[length] = 0;
            if (try_folder(found, which, folder, directly))
                return true;
        }
        at += length;
        at += *at == ':';
    }
    return false;
}

void library_find(struct library_found *found, enum library which, const struct library_search *search)
{
    memset(found, 0, sizeof *found);
    if (search->folders && try_folders(found, which, search->folders, true))
        return;
    if (search->loader && try_file(found, library_file(which)))
        return;
    if (!search->python)
        return;
    char *roots = library_python_folders(search->python, search->python_ms);
    if (roots)
        try_folders(found, which, roots, false);
    else
        note_tried(found, search->python, "did not print its site-packages");
    free(roots);
}

void library_found_close(struct library_found *found)
{
    free(found->tried);
    memset(found, 0, sizeof *found);
}

/* --- asking a Python ---------------------------------------------------------------------------------- */
/* In a process group of its own: `python3` is a shell script in some places, and all of it must end when it
 * is late. */
static pid_t start_python(const char *python, int *out)
{
    static const char code[] =
        "import site; print(*site.getsitepackages(), site.getusersitepackages(), sep=':')";
    char *arguments[] = { (char[]){ "python3" }, (char[]){ "-c" }, (char *)(uintptr_t)code, NULL };
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP);
    pid_t pid;
    int spawned = posix_spawnp(&pid, python, &files, &how, arguments, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    close(ends[1]);
    if (spawned == 0) {
        *out = ends[0];
        return pid;
    }
    close(ends[0]);
    return -1;
}

/* Reads to the end of file or until the time is over; false: late, or too much. */
static bool read_until(int file, char *text, size_t size, int limit_ms)
{
    struct clock clock = clock_system();
    uint64_t end_ns = clock_now_ns(&clock) + (uint64_t)limit_ms * 1000000;
    size_t used = 0;
    for (;;) {
        uint64_t now_ns = clock_now_ns(&clock);
        struct pollfd wait = { .fd = file, .events = POLLIN };
        if (now_ns >= end_ns || poll(&wait, 1, (int)((end_ns - now_ns) / 1000000) + 1) <= 0)
            return false;
        ssize_t got = read(file, text + used, size - 1 - used);
        if (got <= 0) {
            text[used] = 0;
            return got == 0;
        }
        used += (size_t)got;
        if (used == size - 1)
            return false;
    }
}

char *library_python_folders(const char *python, int limit_ms)
{
    int file = -1;
    pid_t pid = start_python(python, &file);
    if (pid < 0)
        return NULL;
    char *text = calloc(1, PYTHON_TEXT_MAX);
    bool whole = text && read_until(file, text, PYTHON_TEXT_MAX, limit_ms);
    close(file);
    if (!whole)
        kill(-pid, SIGKILL);
    int result = 0;
    bool ended = waitpid(pid, &result, 0) == pid && WIFEXITED(result) && WEXITSTATUS(result) == 0;
    if (whole && ended && text[0]) {
        text[strcspn(text, "\n")] = 0;
        return text;
    }
    free(text);
    return NULL;
}
