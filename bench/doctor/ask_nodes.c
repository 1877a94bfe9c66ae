#include "bench/doctor/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/doctor/child.h"

void ask_nodes(int fd, const void *context)
{
    const struct ask_nodes *ask = context;
    for (const char *const *path = ask->paths; *path; path++) {
        struct stat info = { 0 };
        char mode[16];
        child_say(fd, json_pack("{s:s}", "calling", *path));
        const int node = open(*path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
        const int error = node < 0 ? errno : 0;
        if (node >= 0)
            close(node);
        if (stat(*path, &info) == 0)
            snprintf(mode, sizeof mode, "%04o", info.st_mode & 07777u);
        else
            snprintf(mode, sizeof mode, "unknown");
        child_say(fd, json_pack("{s:{s:i, s:s, s:I}, s:n}", *path, "errno", error, "mode", mode, "group",
                                (json_int_t)info.st_gid, "calling"));
    }
}
