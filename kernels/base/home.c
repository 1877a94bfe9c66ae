#include "kernels/base/home.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

/* This executable as /proc tells it; without /proc as it was started, which the kernel tells every program. */
static void own_path(char *out)
{
    char *real = NULL;
    ssize_t size = readlink("/proc/self/exe", out, HOME_PATH_MAX - 1);
    out[size > 0 ? size : 0] = 0;
    if (size <= 0 && getauxval(AT_EXECFN) && (real = realpath((const char *)getauxval(AT_EXECFN), NULL)))
        snprintf(out, HOME_PATH_MAX, "%s", real);
    free(real);
}

/* Its folder, without the final slash; "." if nobody tells. */
static void own_folder(char *out)
{
    own_path(out);
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = 0;
    else
        strcpy(out, ".");
}

/* out = folder/relative if that exists. */
static int exists_under(char *out, const char *folder, const char *relative)
{
    struct stat info;
    return snprintf(out, HOME_PATH_MAX, "%s/%s", folder, relative) < HOME_PATH_MAX && stat(out, &info) == 0;
}

enum status home_path(char *out, const char *relative, struct err *err)
{
    char folder[HOME_PATH_MAX], share[HOME_PATH_MAX + 32];
    const char *home = getenv("BENCH_HOME");
    if (home) {
        if (exists_under(out, home, relative))
            return ST_OK;
        return err_set(err, ST_ENVIRONMENT, "%s: no such file: BENCH_HOME must name the folder that holds %s",
                       out, relative);
    }
    own_folder(folder);
    snprintf(share, sizeof share, "%s/../share/bench", folder);
    if (exists_under(out, share, relative))
        return ST_OK;
    for (char *slash; (slash = strrchr(folder, '/')); *slash = 0)
        if (exists_under(out, folder, relative))
            return ST_OK;
    own_folder(folder);
    return err_set(err, ST_ENVIRONMENT, "%s: not found in %s/../share/bench nor in any folder above it: "
                   "set BENCH_HOME to the folder that holds it", relative, folder);
}

static enum status check_program(const char *path, struct err *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return err_set(err, ST_ENVIRONMENT, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode) || access(path, X_OK) != 0)
        return err_set(err, ST_ENVIRONMENT, "%s: is no program that may be executed (chmod +x?)", path);
    return ST_OK;
}

enum status home_program(char *out, const char *name, struct err *err)
{
    char folder[HOME_PATH_MAX];
    if (strchr(name, '/')) {
        snprintf(out, HOME_PATH_MAX, "%s", name);
        return check_program(out, err);
    }
    own_folder(folder);
    if (exists_under(out, folder, name))
        return check_program(out, err);
    const char *path = getenv("PATH");
    for (const char *part = path; part && *part; part += strcspn(part, ":"), part += *part == ':') {
        snprintf(folder, sizeof folder, "%.*s", (int)strcspn(part, ":"), part);
        if (exists_under(out, folder, name) && check_program(out, NULL) == ST_OK)
            return ST_OK;
    }
    own_folder(folder);
    return err_set(err, ST_ENVIRONMENT, "%s: no such program beside bench (%s) nor in PATH", name, folder);
}
