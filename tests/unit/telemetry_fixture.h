/* A tree of files that looks like a machine, in a folder of its own. */
#ifndef TELEMETRY_FIXTURE_H
#define TELEMETRY_FIXTURE_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct tree { char root[64]; };

static inline int tree_make(void **state)
{
    struct tree *t = calloc(1, sizeof *t);
    strcpy(t->root, "/tmp/bench-machine-XXXXXX");
    if (!mkdtemp(t->root))
        return -1;
    *state = t;
    return 0;
}

static inline int tree_drop_one(const char *path, const struct stat *file, int type, struct FTW *where)
{
    (void)file, (void)type, (void)where;
    return remove(path);
}

static inline int tree_drop(void **state)
{
    struct tree *t = *state;
    int left = nftw(t->root, tree_drop_one, 16, FTW_DEPTH | FTW_PHYS);
    free(t);
    return left;
}

/* Writes a file in place (one that is open sees the new text), with the folders above it. */
static inline void tree_put(const struct tree *t, const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", t->root, path);
    for (char *slash = full + strlen(t->root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(full, 0755);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* A process in group /a/b of cgroup version 2, whose mount shows everything. */
static inline void tree_put_v2(const struct tree *t)
{
    tree_put(t, "/proc/42/cgroup", "0::/a/b\n");
    tree_put(t, "/proc/42/mountinfo", "22 1 0:20 / /proc rw - proc proc rw\n"
                                      "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
}

/* The same in version 1, as a container sees it: its own part of the hierarchy is what is mounted. */
static inline void tree_put_v1(const struct tree *t)
{
    tree_put(t, "/proc/42/cgroup", "5:cpu,cpuacct:/docker/f00/a\n4:memory:/docker/f00/a\n3:cpuset:/docker/f00\n0::/x\n");
    tree_put(t, "/proc/42/mountinfo",
             "32 31 0:29 /docker/f00 /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
             "35 31 0:32 /docker/f00 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
             "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n");
}

#endif
