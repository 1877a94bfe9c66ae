/* ask.h - what a child process of bench doctor does: one function per question, each of which says with
 * child_say what it learns as it goes. Inside of bench/doctor. */
#ifndef DOCTOR_ASK_H
#define DOCTOR_ASK_H

/* context: const struct ask_nodes. {"nodes": {PATH: {"errno": 0, "mode": "0666", "group": 0}}}, before each
 * {"calling": PATH}. */
struct ask_nodes {
    const char *const *paths;        /* ended by NULL */
};
void ask_nodes(int fd, const void *context);
/* context NULL. {"dlopen": PATH} or {"dlopen_error": TEXT}, then "init", "error_string", "driver_version",
 * "version", "devices" [..]; before each call {"calling": FUNCTION}. */
void ask_nvml(int fd, const void *context);
/* context NULL. The same with "init", "driver_version" (12080), "count", "devices" [{uuid, name, address,
 * capability}]. */
void ask_cuda(int fd, const void *context);
#define ASK_PATH_MAX 4096
/* context: the folder of --out, const char *. {"dir", "errno" (may it be written: 0), "free_bytes", "network" (name of
 * the file system, or null), "damage" (what is wrong with the store; left out: nothing)}, before each {"calling"}. */
void ask_store(int fd, const void *context);
/* context: const struct engine_config. {"engine": its hello, or {"error": {..}}}. */
void ask_engine(int fd, const void *context);

#endif
