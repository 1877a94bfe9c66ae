/* tree.h - files below a root: of this machine (root "") or of a recorded tree. Links, absolute ones too, are
 * followed inside the root, so that a tree never shows a file of the machine that looks at it.
 * Nothing is kept; false means errno says why. */
#ifndef DOCTOR_TREE_H
#define DOCTOR_TREE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "kernels/base/procfs.h"

/* The path behind all links, as it is called inside the root ("/usr/lib/x.so.1.2"). ENOENT, ELOOP, .. */
bool tree_resolve(char out[PROCFS_PATH_MAX], const char *root, const char *path);
bool tree_exists(const char *root, const char *path);
bool tree_stat(struct stat *info, const char *root, const char *path);
/* The whole file, cut at size and without the newlines at its end. */
bool tree_read(char *text, size_t size, const char *root, const char *path);
/* Names in a folder that begin with prefix, sorted as versions are (card2 before card10); *out is freed with
 * tree_list_free. */
bool tree_list(struct dirent ***out, size_t *count, const char *root, const char *folder, const char *prefix);
void tree_list_free(struct dirent **names, size_t count);

#endif
