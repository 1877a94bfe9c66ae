#include "kernels/base/gpu_codes.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/len.h"

static const struct gpu_code rows[] = {
#define X(name, number, word, text, advice) \
    { .api = GPU_API_##name, .code = number, .outcome = word, .sentence = text, .remedy = advice },
    GPU_CODE_LIST(X)
#undef X
};

static const struct gpu_code unknown = {
    .code = -1,
    .outcome = "unknown",
    .sentence = "<function> returned <code> (<error>)",
    .remedy =
        "container: recreate it (a reload of the daemon takes its device rules), check /dev/nvidia-uvm; "
        "host: read the kernel log, reboot"
};

const struct gpu_code *gpu_code_find(enum gpu_api api, int code)
{
    for (size_t i = 0; i < LEN(rows); i++)
        if (rows[i].api == api && rows[i].code == code)
            return &rows[i];
    return &unknown;
}

const char *gpu_api_name(enum gpu_api api)
{
    return api == GPU_API_NVML ? "NVML" : "CUDA";
}

const struct gpu_code *gpu_code_row(size_t i)
{
    return i < LEN(rows) ? &rows[i] : i == LEN(rows) ? &unknown : NULL;
}

/* The value of the name at `name` (of `size` characters). */
static const char *value_of(const char *name, size_t size, const struct gpu_fill *fills, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(fills[i].name) == size && strncmp(fills[i].name, name, size) == 0)
            return fills[i].value ? fills[i].value : "unknown";
    return "unknown";
}

void gpu_code_text(char *out, size_t size, const char *text, const struct gpu_fill *fills, size_t count)
{
    size_t used = 0;
    *out = 0;
    while (*text && used + 1 < size) {
        const char *end = *text == '<' ? strchr(text, '>') : NULL;
        if (end)
            used += (size_t)snprintf(out + used, size - used, "%s",
                                     value_of(text + 1, (size_t)(end - text - 1), fills, count));
        else
            used += (size_t)snprintf(out + used, size - used, "%c", *text);
        text = end ? end + 1 : text + 1;
    }
}
