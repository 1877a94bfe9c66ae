#include "bench/doctor/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40

/* root + path in out; false if that is too long. */
static bool join(char out[2 * PROCFS_PATH_MAX], const char *root, const char *path)
{
    if (snprintf(out, 2 * PROCFS_PATH_MAX, "%s%s", root, path) < 2 * PROCFS_PATH_MAX)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

/* Puts `first` and the unread rest of the path together as what is still to be walked. */
static bool walk_next(char rest[PROCFS_PATH_MAX], const char *first, const char *after)
{
    char joined[PROCFS_PATH_MAX];
    if (snprintf(joined, sizeof joined, "%s/%s", first, after) >= (int)sizeof joined) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(rest, joined, strlen(joined) + 1);
    return true;
}

/* Appends the name at `name` (size characters) to the path; ".." goes up, and not above the root. */
static bool step(char out[PROCFS_PATH_MAX], const char *name, size_t size)
{
    const size_t used = strlen(out);
    if (size == 0 || (size == 1 && *name == '.'))
        return true;
    if (size == 2 && name[0] == '.' && name[1] == '.') {
        char *slash = strrchr(out, '/');
        if (slash)
            *slash = 0;
        return true;
    }
    if (used + size + 2 > PROCFS_PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    snprintf(out + used, PROCFS_PATH_MAX - used, "/%.*s", (int)size, name);
    return true;
}

bool tree_resolve(char out[PROCFS_PATH_MAX], const char *root, const char *path)
{
    char rest[PROCFS_PATH_MAX], full[2 * PROCFS_PATH_MAX], target[PROCFS_PATH_MAX];
    int links = 0;
    *out = 0;
    if (!walk_next(rest, "", path))
        return false;
    for (char *at = rest; *at;) {
        const size_t size = strcspn(at, "/");
        const size_t before = strlen(out);
        struct stat info;
        if (!step(out, at, size) || !join(full, root, out))
            return false;
        at += size + (at[size] == '/');
        if (strlen(out) <= before)
            continue;
        if (lstat(full, &info) != 0)
            return false;
        if (!S_ISLNK(info.st_mode))
            continue;
        const ssize_t length = readlink(full, target, sizeof target - 1);
        if (length < 0 || ++links > LINKS_MAX) {
            errno = length < 0 ? errno : ELOOP;
            return false;
        }
        target[length] = 0;
        out[*target == '/' ? 0 : before] = 0; /* an absolute target begins at the root again */
        char after[PROCFS_PATH_MAX];
        snprintf(after, sizeof after, "%s", at);
        if (!walk_next(rest, target, after))
            return false;
        at = rest;
    }
    if (!*out)
        strcpy(out, "/");
    return true;
}

bool tree_stat(struct stat *info, const char *root, const char *path)
{
    char inside[PROCFS_PATH_MAX], full[2 * PROCFS_PATH_MAX];
    return tree_resolve(inside, root, path) && join(full, root, inside) && stat(full, info) == 0;
}

bool tree_exists(const char *root, const char *path)
{
    struct stat info;
    return tree_stat(&info, root, path);
}

bool tree_read(char *text, size_t size, const char *root, const char *path)
{
    char inside[PROCFS_PATH_MAX];
    return tree_resolve(inside, root, path) && procfs_read_line(text, size, root, inside);
}

bool tree_list(struct dirent ***out, size_t *count, const char *root, const char *folder, const char *prefix)
{
    char inside[PROCFS_PATH_MAX], full[2 * PROCFS_PATH_MAX];
    *out = NULL;
    *count = 0;
    if (!tree_resolve(inside, root, folder) || !join(full, root, inside))
        return false;
    const int found = scandir(full, out, NULL, versionsort);
    if (found < 0)
        return false;
    for (int i = 0; i < found; i++) {
        struct dirent *entry = (*out)[i];
        if (entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            (*out)[(*count)++] = entry;
        else
            free(entry);
    }
    return true;
}

void tree_list_free(struct dirent **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}
