#include "kernels/base/procfs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void procfs_reason(char reason[PROCFS_REASON], int error)
{
    if (error == ENOENT || error == ESRCH || error == ENOTDIR)
        snprintf(reason, PROCFS_REASON, "not_found");
    else if (error == EACCES || error == EPERM)
        snprintf(reason, PROCFS_REASON, "no_permission");
    else if (error == EOPNOTSUPP || error == ENODEV || error == ENOSYS)
        snprintf(reason, PROCFS_REASON, "not_supported");
    else
        snprintf(reason, PROCFS_REASON, "error %d", error);
}

int procfs_open(const char *root, const char *path)
{
    char full[PROCFS_PATH_MAX];
    if ((size_t)snprintf(full, sizeof full, "%s%s", root ? root : "", path) >= sizeof full) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(full, O_RDONLY | O_CLOEXEC);
}

bool procfs_read_fd(char *text, size_t size, int fd)
{
    size_t used = 0;
    while (used < size - 1) {
        const ssize_t got = pread(fd, text + used, size - 1 - used, (off_t)used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    text[used] = 0;
    return true;
}

bool procfs_read(char *text, size_t size, const char *root, const char *path)
{
    const int fd = procfs_open(root, path);
    if (fd < 0)
        return false;
    const bool done = procfs_read_fd(text, size, fd);
    const int error = errno;
    close(fd);
    errno = error;
    return done;
}

bool procfs_read_line(char *text, size_t size, const char *root, const char *path)
{
    if (!procfs_read(text, size, root, path))
        return false;
    for (size_t end = strlen(text); end > 0 && text[end - 1] == '\n'; end--)
        text[end - 1] = 0;
    return true;
}

/* Where the rest of the line after key begins; NULL if no line begins with it. */
static const char *after_key(const char *text, const char *key)
{
    const size_t size = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, size) == 0 && !isalnum((unsigned char)line[size]) && line[size] != '_')
            return line + size;
    return NULL;
}

bool procfs_find_number(uint64_t *out, const char *text, const char *key)
{
    const char *at = after_key(text, key);
    char *end;
    if (!at)
        return false;
    at += strspn(at, ": \t");
    if (!isdigit((unsigned char)*at))
        return false;
    *out = strtoull(at, &end, 10);
    return true;
}

bool procfs_find_text(char *out, size_t size, const char *text, const char *key)
{
    const char *at = after_key(text, key);
    if (!at)
        return false;
    at += strspn(at, ": \t");
    size_t length = strcspn(at, "\n");
    while (length > 0 && isspace((unsigned char)at[length - 1]))
        length--;
    snprintf(out, size, "%.*s", (int)length, at);
    return true;
}

size_t procfs_cpu_list(bool *cpus, size_t room, const char *list)
{
    size_t count = 0;
    while (isdigit((unsigned char)*list)) {
        char *end;
        const unsigned long first = strtoul(list, &end, 10);
        const unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
        for (unsigned long i = first; i <= last && i < room; i++) {
            count += !cpus[i];
            cpus[i] = true;
        }
        list = *end == ',' ? end + 1 : end;
    }
    return count;
}
