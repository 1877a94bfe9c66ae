/* cgroup.h - the control groups of a process, version 2 or 1, from its own up to the root.
 * `root` stands before every path ("" or NULL: the machine itself). Nothing is kept. */
#ifndef BASE_CGROUP_H
#define BASE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_PATH_MAX 2048
#define CGROUP_LEVELS_MAX 32

struct cgroup {
    bool v2;
    char mount[CGROUP_PATH_MAX]; /* where the hierarchy is mounted */
    char path[CGROUP_PATH_MAX];  /* below it: "/a/b", or "" at the root */
};

/* The group of the process (0: this one) in the hierarchy of a controller: the version 1 one if that has it,
 * else version 2. false: there is none. */
bool cgroup_find(struct cgroup *out, const char *root, pid_t pid, const char *controller);
/* Moves to the parent; false at the root. */
bool cgroup_up(struct cgroup *group);
/* Path of a file of the group. */
void cgroup_file(char path[2 * CGROUP_PATH_MAX], const struct cgroup *group, const char *name);

/* CPUs that this level alone allows; false: no limit here. */
bool cgroup_quota(double *cpus, const char *root, const struct cgroup *level);
/* Bytes that this level alone allows; false: no limit here. */
bool cgroup_memory_limit(uint64_t *bytes, const char *root, const struct cgroup *level);
/* limit - used of this level alone (0 if more is used); false: no limit here. */
bool cgroup_memory_left(uint64_t *bytes, const char *root, const struct cgroup *level);
/* From the text of cpu.stat. */
bool cgroup_throttled(uint64_t *periods, uint64_t *usec, const struct cgroup *level, const char *stat_text);

#endif
