#include "bench/store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static enum status busy(int fd, const char *path, struct err *err)
{
    char text[24] = "";
    const ssize_t size = pread(fd, text, sizeof text - 1, 0);
    const long pid = size > 0 ? strtol(text, NULL, 10) : 0;
    if (pid > 0)
        return err_set(err, ST_BUSY,
                       "%s is in use by another bench, process %ld: wait for it, or name another folder "
                       "with --out",
                       path, pid);
    return err_set(err, ST_BUSY,
                   "%s is in use by another bench: wait for it, or name another folder with --out", path);
}

enum status store_lock_take(int *fd, const char *path, struct err *err)
{
    char name[4096], pid[24];
    if ((size_t)snprintf(name, sizeof name, "%s.lock", path) >= sizeof name)
        return err_set(err, ST_IO, "%s: the path is too long", path);
    *fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (*fd < 0)
        return err_set(err, ST_IO,
                       "%s cannot be made (%s): make its folder writable, or name another one with --out",
                       name, strerror(errno));
    enum status st = ST_OK;
    const int size = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
        st = errno == EWOULDBLOCK ? busy(*fd, path, err)
                                  : err_set(err, ST_IO, "%s cannot be locked: %s", name, strerror(errno));
    else if (ftruncate(*fd, 0) != 0 || pwrite(*fd, pid, (size_t)size, 0) != size)
        st = err_set(err, ST_IO, "%s cannot be written (%s): free some space", name, strerror(errno));
    if (st != ST_OK) {
        close(*fd);
        *fd = -1;
    }
    return st;
}

void store_lock_release(int fd)
{
    if (fd < 0)
        return;
    close(fd); /* the file stays: who has it open may just be waiting to lock it */
}
