/* lock.h - one writer for each store: a lock on a file beside it that the kernel takes back
 * when the process ends. */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include "kernels/base/err.h"

/* Locks `path.lock` and writes our pid into it; *fd holds the lock until store_lock_release.
 * ST_BUSY: another process has it (its pid is in the sentence); ST_IO: the file cannot be made. */
enum status store_lock_take(int *fd, const char *path, struct err *err);
/* fd -1 is allowed. */
void store_lock_release(int fd);

#endif
