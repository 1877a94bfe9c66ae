/* folder.h - where the fake libraries of this build lie, for a test program of the same build. */
#ifndef FAKE_FOLDER_H
#define FAKE_FOLDER_H

#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

#include "kernels/cuda/library/library_find.h"

/* OUT/fake of the program OUT/tests/unit/NAME_test, into out[size]. */
static inline const char *fake_folder(char *out, size_t size)
{
    char self[LIBRARY_PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    snprintf(out, size, "%s/../../fake", dirname(self));
    return out;
}

/* Only there: a real library on the loader's path would hide a fake that was not built. */
static inline struct library_search fake_search(const char *folder)
{
    return (struct library_search){ .folders = folder };
}

#endif
