/* replace.h - puts new bytes in the place of a file so that the old file is whole until the new one is on
 * disk, and stays as NAME.bak. The system calls are a table, so that a test can make each of them fail. */
#ifndef OUTPUT_REPLACE_H
#define OUTPUT_REPLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "kernels/base/err.h"

struct replace_calls {
    int     (*open)(const char *path, int flags, mode_t mode);
    ssize_t (*write)(int fd, const void *bytes, size_t size);
    int     (*fsync)(int fd);
    int     (*link)(const char *from, const char *to);
    int     (*rename)(const char *from, const char *to);
    int     (*flock)(int fd, int operation);
    int     (*fchmod)(int fd, mode_t mode);
};
extern const struct replace_calls replace_system;

#define REPLACE_LOCK_NS 10000000000u

/* Takes the lock `folder/name` (made if missing), waiting wait_ns at most. ST_BUSY: another process holds it;
 * ST_IO: it cannot be made. close(*fd) gives it back. */
enum status replace_lock(int *fd, const char *folder, const char *name, uint64_t wait_ns,
                         const struct replace_calls *calls, struct err *err);

/* The file that path means, symlinks followed (the last one may point to nothing yet).
 * ST_IO: a loop, too long. */
enum status replace_resolve(char out[4096], const char *path, struct err *err);

enum replaced { REPLACED_NEW, REPLACED_OLD, REPLACED_NOTHING };
/* Makes `path` have these bytes: temporary FOLDER/.NAME.PID, fsync, the old file as NAME.bak if keep_backup,
 * rename, fsync of the folder. REPLACED_NOTHING: it had them already and was not touched. ST_IO: the old file
 * is as it was and no temporary is left. Mode of the old file, else 0644. */
enum status replace_file(enum replaced *out, const char *path, const char *bytes, size_t size,
                         bool keep_backup, const struct replace_calls *calls, struct err *err);

#endif
