/* Where the results go, and what the kernel has noted of GPUs. */
#include "bench/doctor/checks.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/len.h"
#include "kernels/base/text.h"

#define LEAST_FREE ((json_int_t)256 << 20)

static const struct outcome store_outcomes[] = {
    { .name = "ready", LEVEL_OK, "<dir> can be written, <free> are free", NULL },
    { .name = "not_writable", LEVEL_FAIL, "<dir> cannot be written: <why>",
      "name another folder with --out, or change its owner or mode" },
    { .name = "full", LEVEL_FAIL, "<dir>: only <free> are free, a campaign needs 256 MiB",
      "make room, or name another folder with --out" },
    { .name = "damaged", LEVEL_FAIL, "<why>",
      "move the file away: the next campaign makes a new one" },
    { .name = "network", LEVEL_WARN, "<dir> is on a network file system (<system>): SQLite's locks are not sure there",
      "name a local folder with --out, and copy the results" },
    { .name = "hang", LEVEL_FAIL, "<dir>: <calling> did not return in 20 s", "look at the mount: mount | grep nfs" },
};

static void look_store(struct judge *j)
{
    const json_t *answer = json_object_get(j->facts->answers, "store"), *error = json_object_get(answer, "errno"),
                 *bytes = json_object_get(answer, "free_bytes");
    const char *dir = json_string_value(json_object_get(answer, "dir")),
               *system = json_string_value(json_object_get(answer, "network")),
               *damage = json_string_value(json_object_get(answer, "damage")),
               *calling = json_string_value(json_object_get(answer, "calling"));
    char free_text[64] = "an unknown number of bytes";
    if (json_is_integer(bytes))
        text_of_bytes(free_text, sizeof free_text, (uint64_t)json_integer_value(bytes));
    const struct gpu_fill name = { "dir", dir }, room = { "free", judge_text(j, "%s", free_text) };
    if (json_is_true(json_object_get(answer, "hang"))) {
        SAY(j, "hang", name, { "calling", calling });
        return;
    }
    if (!dir || !json_is_integer(error)) {
        judge_unread(j, "the folder of results", "not_found");
        return;
    }
    const bool full = json_is_integer(bytes) && json_integer_value(bytes) < LEAST_FREE;
    if (json_integer_value(error))
        SAY(j, "not_writable", name, { "why", strerror((int)json_integer_value(error)) });
    if (full)
        SAY(j, "full", name, room);
    if (damage)
        SAY(j, "damaged", name, { "why", damage });
    if (system)
        SAY(j, "network", name, { "system", system });
    if (!json_integer_value(error) && !full && !damage && !system)
        SAY(j, "ready", name, room);
}

static const struct outcome kernel_outcomes[] = {
    { .name = "clean", LEVEL_OK, "no Xid of the driver in the kernel log", NULL },
    { .name = "xid", LEVEL_WARN, "the kernel log has Xid <numbers> since the machine started",
      "look the numbers up in NVIDIA's list of Xid errors; 48, 63, 64, 74, 79, 94, 95 speak of the hardware" },
};

static void look_kernel_log(struct judge *j)
{
    const struct fact_text *xids = &j->facts->xids;
    if (*xids->absent)
        judge_unread(j, "/dev/kmsg", xids->absent);
    else
        SAY(j, *xids->text ? "xid" : "clean", { "numbers", xids->text });
}

#define OUTCOMES(list) .outcomes = list, .outcome_count = LEN(list)
const struct check checks_store[] = {
    { .id = "gpu.kernel_log", .needs = { "gpu.pci" }, .look = look_kernel_log, OUTCOMES(kernel_outcomes) },
    { .id = "store.dir", .parts = FACTS_STORE, .look = look_store, OUTCOMES(store_outcomes) },
};
const size_t checks_store_count = LEN(checks_store);
