#include "bench/output/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "kernels/base/clock.h"

#define PATH_SIZE 4096

static int system_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

const struct replace_calls replace_system = {
    .open = system_open, .write = write, .fsync = fsync, .link = link, .rename = rename, .flock = flock,
    .fchmod = fchmod,
};

enum status replace_lock(int *fd, const char *folder, const char *name, uint64_t wait_ns,
                         const struct replace_calls *calls, struct err *err)
{
    const struct clock clk = clock_system();
    const uint64_t start_ns = clock_now_ns(&clk);
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    *fd = calls->open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (*fd < 0)
        return err_set(err, ST_IO, "%s: %s: the folder must be writable", path, strerror(errno));
    while (calls->flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        const int error = errno;
        if ((error == EWOULDBLOCK || error == EINTR) && clock_now_ns(&clk) - start_ns < wait_ns) {
            clock_sleep_ns(&clk, 20000000);
            continue;
        }
        close(*fd);
        *fd = -1;
        if (error == EWOULDBLOCK)
            return err_set(err, ST_BUSY, "%s: another bench has held it for %.0f s: wait for it to end", path,
                           (double)wait_ns / 1e9);
        return err_set(err, ST_IO, "%s: cannot be locked: %s", path, strerror(error));
    }
    return ST_OK;
}

enum status replace_resolve(char out[4096], const char *path, struct err *err)
{
    char target[PATH_SIZE], folder[PATH_SIZE];
    snprintf(out, PATH_SIZE, "%s", path);
    for (int hops = 0; hops < 40; hops++) {
        ssize_t size = readlink(out, target, sizeof target - 1);
        if (size < 0)
            return ST_OK; /* no link: a file, or nothing yet */
        target[size] = 0;
        snprintf(folder, sizeof folder, "%s", out);
        const char *parent = dirname(folder);
        if (*target == '/')
            snprintf(out, PATH_SIZE, "%s", target);
        else if (snprintf(out, PATH_SIZE, "%s/%s", parent, target) >= PATH_SIZE)
            break;
    }
    return err_set(err, ST_IO, "%s: too many links, or the path is too long", path);
}

/* --- one replacement --- */

struct replacing {
    const struct replace_calls *calls;
    char folder[PATH_SIZE], name[NAME_MAX + 1];
    char path[PATH_SIZE], temporary[2 * PATH_SIZE], spare[2 * PATH_SIZE], backup[2 * PATH_SIZE];
    bool has_old, has_temporary, has_spare;
    mode_t mode;
};

static enum status failed(const struct replacing *r, const char *what, const char *path, struct err *err)
{
    const int error = errno;
    if (error == EBUSY)
        return err_set(err, ST_IO, "%s is itself a mount point: mount its directory", r->name);
    return err_set(err, ST_IO, "%s: %s failed: %s; the old file is as it was", path, what, strerror(error));
}

static enum status name_paths(struct replacing *r, const char *path, struct err *err)
{
    char copy[PATH_SIZE];
    enum status st = replace_resolve(r->path, path, err);
    if (st != ST_OK)
        return st;
    memcpy(copy, r->path, sizeof copy);
    snprintf(r->name, sizeof r->name, "%s", basename(copy));
    memcpy(copy, r->path, sizeof copy);
    snprintf(r->folder, sizeof r->folder, "%s", dirname(copy));
    snprintf(r->temporary, sizeof r->temporary, "%s/.%s.%ld", r->folder, r->name, (long)getpid());
    snprintf(r->spare, sizeof r->spare, "%s/.%s.bak.%ld", r->folder, r->name, (long)getpid());
    snprintf(r->backup, sizeof r->backup, "%s/%s.bak", r->folder, r->name);
    return ST_OK;
}

static char *read_old(const struct replacing *r, size_t *size)
{
    struct stat info;
    char *bytes = NULL;
    *size = 0;
    FILE *file = fopen(r->path, "rb");
    if (file && fstat(fileno(file), &info) == 0 && (bytes = malloc((size_t)info.st_size + 1)))
        *size = fread(bytes, 1, (size_t)info.st_size + 1, file);
    if (file)
        fclose(file);
    return bytes;
}

static bool is_unchanged(const struct replacing *r, const char *bytes, size_t size)
{
    size_t old_size;
    char *old = read_old(r, &old_size);
    bool same = old && old_size == size && memcmp(old, bytes, size) == 0;
    free(old);
    return same;
}

/* The lock is held, so a temporary with our pid is left of a dead process: it is removed, once. */
static int open_new(const struct replacing *r, const char *path)
{
    int fd = r->calls->open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST && unlink(path) == 0)
        fd = r->calls->open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd;
}

static enum status write_new(struct replacing *r, const char *path, bool *exists, const char *bytes,
                             size_t size, struct err *err)
{
    enum status st = ST_OK;
    size_t done = 0;
    int fd = open_new(r, path);
    if (fd < 0)
        return failed(r, "making it", path, err);
    *exists = true;
    while (st == ST_OK && done < size) {
        ssize_t n = r->calls->write(fd, bytes + done, size - done);
        if (n < 0 && errno != EINTR)
            st = failed(r, "writing", path, err);
        else if (n > 0)
            done += (size_t)n;
    }
    if (st == ST_OK && r->calls->fchmod(fd, r->mode) != 0)
        st = failed(r, "setting its mode", path, err);
    if (st == ST_OK && r->calls->fsync(fd) != 0)
        st = failed(r, "fsync", path, err);
    if (close(fd) != 0 && st == ST_OK)
        st = failed(r, "closing", path, err);
    return st;
}

/* The old file under a second name: a hard link, or a copy where links fail. */
static enum status save_old(struct replacing *r, struct err *err)
{
    enum status st = ST_OK;
    if (r->calls->link(r->path, r->spare) != 0 &&
        (errno != EEXIST || unlink(r->spare) != 0 || r->calls->link(r->path, r->spare) != 0)) {
        size_t size;
        char *old = read_old(r, &size);
        st = old ? write_new(r, r->spare, &r->has_spare, old, size, err) : failed(r, "reading", r->path, err);
        free(old);
    }
    if (st != ST_OK)
        return st;
    r->has_spare = true;
    if (r->calls->rename(r->spare, r->backup) != 0)
        return failed(r, "renaming the backup to", r->backup, err);
    /* rename does nothing if both names are the same file already: then the spare name is still there */
    unlink(r->spare);
    r->has_spare = false;
    return ST_OK;
}

static enum status sync_folder(const struct replacing *r, struct err *err)
{
    int fd = r->calls->open(r->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    enum status st =
        fd < 0 || r->calls->fsync(fd) != 0
            ? err_set(err, ST_IO,
                      "%s: fsync of the folder failed: %s; %s is new, but may not survive a power cut",
                      r->folder, strerror(errno), r->name)
            : ST_OK;
    if (fd >= 0)
        close(fd);
    return st;
}

enum status replace_file(enum replaced *out, const char *path, const char *bytes, size_t size,
                         bool keep_backup, const struct replace_calls *calls, struct err *err)
{
    struct replacing *r = calloc(1, sizeof *r);
    struct stat info;
    enum status st = r ? ST_OK : err_set(err, ST_INTERNAL, "%s: not enough memory", path);
    if (!r)
        return st;
    r->calls = calls;
    if ((st = name_paths(r, path, err)) != ST_OK)
        goto out;
    r->has_old = stat(r->path, &info) == 0;
    r->mode = r->has_old ? info.st_mode & 0777 : 0644;
    *out = REPLACED_NOTHING;
    if (r->has_old && is_unchanged(r, bytes, size))
        goto out;
    if ((st = write_new(r, r->temporary, &r->has_temporary, bytes, size, err)) != ST_OK)
        goto out;
    if (r->has_old && keep_backup && (st = save_old(r, err)) != ST_OK)
        goto out;
    if (calls->rename(r->temporary, r->path) != 0) {
        st = failed(r, "rename", r->path, err);
        goto out;
    }
    r->has_temporary = false;
    *out = r->has_old ? REPLACED_OLD : REPLACED_NEW;
    st = sync_folder(r, err);
out:
    if (r->has_temporary)
        unlink(r->temporary);
    if (r->has_spare)
        unlink(r->spare);
    free(r);
    return st;
}
