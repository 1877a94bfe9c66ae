/* procfs.h - small files of procfs, sysfs and cgroups: read whole, with a reason where that is not possible.
 * `root` stands before every path ("" or NULL: the machine itself). Nothing is allocated or kept. */
#ifndef BASE_PROCFS_H
#define BASE_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCFS_PATH_MAX 4096
#define PROCFS_REASON 32

/* not_found, no_permission, not_supported or "error N". */
void procfs_reason(char reason[PROCFS_REASON], int error);
/* Opens root + path for reading (O_CLOEXEC); -1 and errno. */
int procfs_open(const char *root, const char *path);
/* The file from its start into text[size], zero-terminated and cut if longer; false and errno. */
bool procfs_read_fd(char *text, size_t size, int fd);
bool procfs_read(char *text, size_t size, const char *root, const char *path);
/* The same without the newlines at the end. */
bool procfs_read_line(char *text, size_t size, const char *root, const char *path);

/* Number after `key` at the start of a line ("VmRSS:", "nr_throttled"). */
bool procfs_find_number(uint64_t *out, const char *text, const char *key);
/* Text after `key` at the start of a line, up to its end, blanks and tabs around it (and a ':') left out. */
bool procfs_find_text(char *out, size_t size, const char *text, const char *key);
/* CPUs of a list like "0-3,8": each one sets cpus[i]; numbers >= room are left out.
 * Returns how many were set. */
size_t procfs_cpu_list(bool *cpus, size_t room, const char *list);

#endif
