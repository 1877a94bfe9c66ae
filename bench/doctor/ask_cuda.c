#include "bench/doctor/ask.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "bench/doctor/child.h"
#include "kernels/base/symbols.h"

#define LIBRARY "libcuda.so.1"
#define CAPABILITY_MAJOR 75 /* CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR */
#define CAPABILITY_MINOR 76
#define NOT_FOUND 500       /* CUDA_ERROR_NOT_FOUND: the library lacks the function */

/* The few functions of the driver interface that tell about devices without making a context. */
#define CUDA_CALLS(X) \
    X(cuInit, (unsigned flags)) \
    X(cuDriverGetVersion, (int *version)) \
    X(cuDeviceGetCount, (int *count)) \
    X(cuDeviceGet, (int *device, int ordinal)) \
    X(cuDeviceGetName, (char *name, int size, int device)) \
    X(cuDeviceGetPCIBusId, (char *address, int size, int device)) \
    X(cuDeviceGetUuid, (unsigned char uuid[16], int device)) \
    X(cuDeviceGetAttribute, (int *value, int attribute, int device)) \
    X(cuGetErrorString, (int code, const char **text))

struct cuda {
#define X(name, parameters) int (*name) parameters;
    CUDA_CALLS(X)
#undef X
};

#define cuda_call(c, name, ...) ((c)->name ? (c)->name(__VA_ARGS__) : NOT_FOUND)

static void find_functions(struct cuda *c, void *library)
{
#define X(name, parameters) symbol_find(&c->name, library, #name);
    CUDA_CALLS(X)
#undef X
}

static void say_path(int fd, void *library)
{
    struct link_map *map = NULL;
    const bool told = dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map && *map->l_name;
    child_say(fd, json_pack("{s:s}", "dlopen", told ? map->l_name : LIBRARY));
}

/* The result of a call that everything else rests on; true if it was good. */
static bool say_result(int fd, const struct cuda *c, int code)
{
    const char *text = NULL;
    if (cuda_call(c, cuGetErrorString, code, &text) != 0 || !text)
        text = "no text";
    child_say(fd, json_pack("{s:i, s:s}", "init", code, "error_string", code ? text : "done"));
    return code == 0;
}

/* "GPU-01234567-89ab-..." as NVML writes it. */
static void uuid_text(char out[48], const unsigned char uuid[16])
{
    size_t used = (size_t)snprintf(out, 48, "GPU-");
    for (int i = 0; i < 16; i++)
        used += (size_t)snprintf(out + used, 48 - used, "%s%02x",
                                 i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

static json_t *device_json(const struct cuda *c, int ordinal)
{
    char name[96] = "", address[32] = "", uuid[48] = "", capability[32];
    unsigned char bytes[16];
    int device, major = 0, minor = 0;
    json_t *out = json_object();
    if (cuda_call(c, cuDeviceGet, &device, ordinal) != 0)
        return out;
    if (cuda_call(c, cuDeviceGetName, name, (int)sizeof name, device) == 0)
        json_object_set_new(out, "name", json_string(name));
    if (cuda_call(c, cuDeviceGetPCIBusId, address, (int)sizeof address, device) == 0)
        json_object_set_new(out, "address", json_string(address));
    if (cuda_call(c, cuDeviceGetUuid, bytes, device) == 0) {
        uuid_text(uuid, bytes);
        json_object_set_new(out, "uuid", json_string(uuid));
    }
    if (cuda_call(c, cuDeviceGetAttribute, &major, CAPABILITY_MAJOR, device) == 0 &&
        cuda_call(c, cuDeviceGetAttribute, &minor, CAPABILITY_MINOR, device) == 0) {
        snprintf(capability, sizeof capability, "%d.%d", major, minor);
        json_object_set_new(out, "capability", json_string(capability));
    }
    return out;
}

void ask_cuda(int fd, const void *context)
{
    struct cuda c;
    int version = 0, count = 0;
    (void)context;
    child_say(fd, json_pack("{s:s}", "calling", "dlopen"));
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        child_say(fd, json_pack("{s:s, s:n}", "dlopen_error", dlerror(), "calling"));
        return;
    }
    say_path(fd, library);
    find_functions(&c, library);
    if (cuda_call(&c, cuDriverGetVersion, &version) == 0) /* allowed before cuInit, and touches no device */
        child_say(fd, json_pack("{s:i}", "driver_version", version));
    child_say(fd, json_pack("{s:s}", "calling", "cuInit"));
    if (!say_result(fd, &c, cuda_call(&c, cuInit, 0)))
        return;
    child_say(fd, json_pack("{s:s}", "calling", "cuDeviceGetCount"));
    if (!say_result(fd, &c, cuda_call(&c, cuDeviceGetCount, &count)))
        return;
    json_t *devices = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(devices, device_json(&c, i));
    child_say(fd, json_pack("{s:i, s:o, s:n}", "count", count, "devices", devices, "calling"));
}
