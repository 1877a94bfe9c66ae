#include "kernels/base/nvml.h"

#include <ctype.h>
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kernels/base/len.h"
#include "kernels/base/procfs.h"
#include "kernels/base/symbols.h"

/* --- codes ----------------------------------------------------------------------------------------------- */

static const struct {
    int code;
    enum status status;
    const char *text;
} codes[] = {
#define X(name, number, st, sentence) { number, ST_##st, sentence },
    NVML_CODE_LIST(X)
#undef X
};

const char *nvml_code_text(int code)
{
    for (size_t i = 0; i < LEN(codes); i++)
        if (codes[i].code == code)
            return codes[i].text;
    return "NVML failed";
}

enum status nvml_status(int code)
{
    for (size_t i = 0; i < LEN(codes); i++)
        if (codes[i].code == code)
            return codes[i].status;
    return ST_INTERNAL;
}

static enum status set_code(struct err *err, int code)
{
    if (err) {
        snprintf(err->api, sizeof err->api, "nvml");
        err->code = code;
    }
    return nvml_status(code);
}

enum status nvml_err(struct err *err, int code, const char *what)
{
    err_set(err, nvml_status(code), "%s: %s (NVML %d)", what, nvml_code_text(code), code);
    return set_code(err, code);
}

void nvml_absent(char reason[32], int code)
{
    if (code == NVML_NOT_SUPPORTED || code == NVML_FUNCTION_NOT_FOUND)
        snprintf(reason, 32, "not_supported");
    else if (code == NVML_NO_PERMISSION)
        snprintf(reason, 32, "no_permission");
    else if (code == NVML_NOT_FOUND || code == NVML_LIBRARY_NOT_FOUND || code == NVML_DRIVER_NOT_LOADED)
        snprintf(reason, 32, "not_found");
    else
        snprintf(reason, 32, "error %d", code);
}

/* --- the library ----------------------------------------------------------------------------------------- */

static void find_functions(struct nvml *n)
{
#define X(name, parameters) symbol_find(&n->name, n->library, #name);
    NVML_CALLS(X)
#undef X
}

enum status nvml_load(struct nvml *n, struct err *err)
{
    const char *named = getenv(NVML_LIBRARY_VARIABLE), *name = named && *named ? named : NVML_LIBRARY;
    struct link_map *map = NULL;
    *n = (struct nvml){ .library = dlopen(name, RTLD_NOW | RTLD_LOCAL) };
    if (!n->library) {
        err_set(err, ST_ENVIRONMENT, "%s: %s (NVML %d)", name, nvml_code_text(NVML_LIBRARY_NOT_FOUND),
                NVML_LIBRARY_NOT_FOUND);
        return set_code(err, NVML_LIBRARY_NOT_FOUND);
    }
    const bool told = dlinfo(n->library, RTLD_DI_LINKMAP, &map) == 0 && map && *map->l_name;
    snprintf(n->path, sizeof n->path, "%s", told ? map->l_name : name);
    find_functions(n);
    return ST_OK;
}

static enum status refuse(struct err *err, const struct nvml *n, const char *root, int code)
{
    char module[NVML_TEXT_MAX], library[NVML_TEXT_MAX];
    if (code != NVML_VERSION_MISMATCH)
        return nvml_err(err, code, n->path);
    nvml_module_version(module, root);
    nvml_library_version(library, n);
    err_set(err, ST_ENVIRONMENT,
            "the loaded kernel module is %s, %s is %s (NVML 18): reboot, or stop all GPU processes and reload "
            "the module; in a container recreate it",
            *module ? module : "unknown", n->path, *library ? library : "unknown");
    return set_code(err, code);
}

enum status nvml_init(struct nvml *n, const char *root, struct err *err)
{
    char version[NVML_TEXT_MAX] = "";
    const int code = n->nvmlInit_v2 ? n->nvmlInit_v2() : NVML_FUNCTION_NOT_FOUND;
    if (code != NVML_SUCCESS)
        return refuse(err, n, root, code);
    n->initialized = true;
    if (nvml_call(n, nvmlSystemGetDriverVersion, version, sizeof version) == NVML_SUCCESS)
        n->driver_major = atoi(version);
    return ST_OK;
}

enum status nvml_open(struct nvml *n, const char *root, struct err *err)
{
    const enum status st = nvml_load(n, err);
    return st == ST_OK ? nvml_init(n, root, err) : st;
}

void nvml_close(struct nvml *n)
{
    if (n->initialized && n->nvmlShutdown)
        n->nvmlShutdown();
    if (n->library)
        dlclose(n->library);
    *n = (struct nvml){ 0 };
}

/* --- versions -------------------------------------------------------------------------------------------- */

/* "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  ..." or "... UNIX Open Kernel Module for x86_64
 * 580.65.06 ...": the first word that begins with a digit and has a dot. */
static void first_dotted(char version[NVML_TEXT_MAX], const char *line)
{
    while (*line && *line != '\n') {
        const size_t size = strcspn(line, " \t\n");
        if (isdigit((unsigned char)*line) && memchr(line, '.', size)) {
            snprintf(version, NVML_TEXT_MAX, "%.*s", (int)size, line);
            return;
        }
        line += size;
        line += strspn(line, " \t");
    }
}

void nvml_module_version(char version[NVML_TEXT_MAX], const char *root)
{
    char text[1024];
    *version = 0;
    root = root ? root : "";
    if (procfs_read_line(version, NVML_TEXT_MAX, root, "/sys/module/nvidia/version"))
        return;
    *version = 0;
    if (!procfs_read(text, sizeof text, root, "/proc/driver/nvidia/version"))
        return;
    const char *line = strstr(text, "NVRM");
    if (line)
        first_dotted(version, line);
}

void nvml_library_version(char version[NVML_TEXT_MAX], const struct nvml *n)
{
    char whole[NVML_TEXT_MAX] = "";
    *version = 0;
    if (nvml_call(n, nvmlSystemGetNVMLVersion, whole, sizeof whole) != NVML_SUCCESS)
        return;
    const char *dot = strchr(whole, '.');
    snprintf(version, NVML_TEXT_MAX, "%s", dot ? dot + 1 : whole);
}

/* --- devices --------------------------------------------------------------------------------------------- */

/* "GPU-1234" and "1234" are the same. */
static const char *bare(const char *uuid)
{
    return strncmp(uuid, "GPU-", 4) == 0 || strncmp(uuid, "MIG-", 4) == 0 ? uuid + 4 : uuid;
}

static bool is_uuid(const struct nvml *n, struct nvmlDevice_st *device, const char *uuid)
{
    char own[NVML_TEXT_MAX] = "";
    return nvml_call(n, nvmlDeviceGetUUID, device, own, sizeof own) == NVML_SUCCESS &&
           strcasecmp(bare(own), bare(uuid)) == 0;
}

static struct nvmlDevice_st *find_instance(const struct nvml *n, struct nvmlDevice_st *gpu, const char *uuid)
{
    unsigned count = 0;
    struct nvmlDevice_st *one;
    if (nvml_call(n, nvmlDeviceGetMaxMigDeviceCount, gpu, &count) != NVML_SUCCESS)
        return NULL;
    for (unsigned i = 0; i < count; i++)
        if (nvml_call(n, nvmlDeviceGetMigDeviceHandleByIndex, gpu, i, &one) == NVML_SUCCESS &&
            is_uuid(n, one, uuid))
            return one;
    return NULL;
}

enum status nvml_find(struct nvmlDevice_st **out, const struct nvml *n, const char *uuid, struct err *err)
{
    unsigned count = 0;
    int code = nvml_call(n, nvmlDeviceGetCount_v2, &count), lost = NVML_NOT_FOUND;
    *out = NULL;
    for (unsigned i = 0; i < count && code == NVML_SUCCESS; i++) {
        struct nvmlDevice_st *gpu;
        const int got = nvml_call(n, nvmlDeviceGetHandleByIndex_v2, i, &gpu);
        if (got != NVML_SUCCESS) {
            lost = got; /* perhaps the very one that is looked for */
            continue;
        }
        *out = is_uuid(n, gpu, uuid) ? gpu : find_instance(n, gpu, uuid);
        if (*out)
            return ST_OK;
    }
    return nvml_err(err, code != NVML_SUCCESS ? code : lost, uuid);
}

struct nvmlDevice_st *nvml_whole_gpu(const struct nvml *n, struct nvmlDevice_st *device)
{
    struct nvmlDevice_st *gpu = NULL;
    const int code = nvml_call(n, nvmlDeviceGetDeviceHandleFromMigDeviceHandle, device, &gpu);
    return code == NVML_SUCCESS && gpu ? gpu : device;
}

/* --- values ---------------------------------------------------------------------------------------------- */

double nvml_field_number(const struct nvml_field *f)
{
    switch (f->type) {
    case NVML_TYPE_DOUBLE: return f->value.d;
    case NVML_TYPE_UINT: return f->value.u;
    case NVML_TYPE_ULONG: return (double)f->value.ul;
    case NVML_TYPE_LONGLONG: return (double)f->value.ll;
    case NVML_TYPE_INT: return f->value.i;
    case NVML_TYPE_USHORT: return f->value.us;
    default: return (double)f->value.ull;
    }
}

unsigned nvml_throttle_field(unsigned id, int driver_major)
{
    if (id < NVML_FIELD_SW_THERMAL || id > NVML_FIELD_POWER_BRAKE || driver_major >= 580)
        return id;
    return driver_major >= 575 ? id - NVML_FIELD_SW_THERMAL + 251 : 0;
}

int nvml_field(double *out, const struct nvml *n, struct nvmlDevice_st *device, unsigned id)
{
    struct nvml_field f = { .id = nvml_throttle_field(id, n->driver_major) };
    if (!f.id)
        return NVML_NOT_SUPPORTED;
    int code = nvml_call(n, nvmlDeviceGetFieldValues, device, 1, &f);
    code = code == NVML_SUCCESS ? f.code : code;
    if (code == NVML_SUCCESS)
        *out = nvml_field_number(&f);
    return code;
}

int nvml_celsius(double *out, const struct nvml *n, struct nvmlDevice_st *device)
{
    struct nvml_temperature t = { .version = NVML_TEMPERATURE_V1 };
    unsigned celsius = 0;
    int code = nvml_call(n, nvmlDeviceGetTemperatureV, device, &t);
    *out = t.celsius;
    if (code == NVML_SUCCESS)
        return code;
    code = nvml_call(n, nvmlDeviceGetTemperature, device, 0, &celsius);
    *out = celsius;
    return code;
}

int nvml_reasons(unsigned long long *out, const struct nvml *n, struct nvmlDevice_st *device)
{
    const int code = nvml_call(n, nvmlDeviceGetCurrentClocksEventReasons, device, out);
    return code == NVML_FUNCTION_NOT_FOUND
               ? nvml_call(n, nvmlDeviceGetCurrentClocksThrottleReasons, device, out) : code;
}

/* --- processes ------------------------------------------------------------------------------------------- */

enum { PROCESSES_MAX = 256 };

static void add_process(struct nvml_process *list, size_t room, size_t *count, const struct nvml_process *p)
{
    for (size_t i = 0; i < *count && i < room; i++)
        if (list[i].pid == p->pid)
            return;
    if (*count < room)
        list[*count] = *p;
    ++*count;
}

int nvml_processes(struct nvml_process *list, size_t room, size_t *count, const struct nvml *n,
                   struct nvmlDevice_st *device)
{
    struct nvml_process all[PROCESSES_MAX];
    unsigned compute = PROCESSES_MAX, graphics = PROCESSES_MAX;
    const int code = nvml_call(n, nvmlDeviceGetComputeRunningProcesses_v3, device, &compute, all);
    *count = 0;
    if (code != NVML_SUCCESS)
        return code;
    for (unsigned i = 0; i < compute; i++)
        add_process(list, room, count, &all[i]);
    if (nvml_call(n, nvmlDeviceGetGraphicsRunningProcesses_v3, device, &graphics, all) != NVML_SUCCESS)
        return NVML_SUCCESS; /* a server's GPU has no graphics */
    for (unsigned i = 0; i < graphics; i++)
        add_process(list, room, count, &all[i]);
    return NVML_SUCCESS;
}

int nvml_process_bytes(uint64_t *bytes, const struct nvml *n, struct nvmlDevice_st *device, pid_t pid)
{
    struct nvml_process list[PROCESSES_MAX];
    size_t count;
    const int code = nvml_processes(list, PROCESSES_MAX, &count, n, device);
    if (code != NVML_SUCCESS)
        return code;
    for (size_t i = 0; i < count && i < PROCESSES_MAX; i++)
        if (list[i].pid == (unsigned)pid) {
            *bytes = list[i].used_bytes;
            return list[i].used_bytes == ~0ULL ? NVML_NOT_SUPPORTED : NVML_SUCCESS;
        }
    return NVML_NOT_FOUND;
}
