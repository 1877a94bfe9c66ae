/* The folder of results: may it be written, is there room, is the store whole? Nothing is written. */
#include "bench/doctor/ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "bench/doctor/child.h"
#include "bench/store/store.h"
#include "kernels/base/len.h"

/* statfs(2), and linux/magic.h; what FUSE stands for is not told. */
static const struct { unsigned long type; const char *name; } network[] = {
    { 0x6969, "NFS" }, { 0xff534d42, "CIFS" }, { 0xfe534d42, "SMB2" }, { 0x517b, "SMB" }, { 0x5346414f, "AFS" },
    { 0x00c36400, "Ceph" }, { 0x0bd00bd0, "Lustre" }, { 0x47504653, "GPFS" },
};

static const char *network_of(const struct statfs *info)
{
    for (size_t i = 0; i < LEN(network); i++)
        if (((unsigned long)info->f_type & 0xffffffffUL) == network[i].type)
            return network[i].name;
    return NULL;
}

/* Where the folder would be made, if it is not there: the nearest folder above that is. */
static void find_folder(char out[ASK_PATH_MAX], const char *dir)
{
    snprintf(out, ASK_PATH_MAX, "%s", dir);
    while (access(out, F_OK) != 0 && errno == ENOENT) {
        char *slash = strrchr(out, '/');
        if (slash && slash > out)
            *slash = 0;
        else {
            strcpy(out, slash ? "/" : ".");
            return;
        }
    }
}

void ask_store(int fd, const void *context)
{
    const char *dir = context;
    char folder[ASK_PATH_MAX], path[ASK_PATH_MAX + sizeof STORE_FILE + 1];
    struct statfs info;
    struct err err = { .status = ST_OK };
    child_say(fd, json_pack("{s:s, s:s}", "dir", dir, "calling", "access"));
    find_folder(folder, dir);
    child_say(fd, json_pack("{s:i, s:s}", "errno", access(folder, W_OK | X_OK) == 0 ? 0 : errno, "calling", "statfs"));
    if (statfs(folder, &info) == 0)
        child_say(fd, json_pack("{s:I, s:s?}", "free_bytes", (json_int_t)((long long)info.f_bavail * info.f_bsize),
                                "network", network_of(&info)));
    snprintf(path, sizeof path, "%s/" STORE_FILE, dir);
    child_say(fd, json_pack("{s:s}", "calling", "SQLite"));
    if (access(path, F_OK) == 0 && store_check(path, &err) != ST_OK)
        child_say(fd, json_pack("{s:s}", "damage", err.text));
    child_say(fd, json_pack("{s:n}", "calling"));
}
