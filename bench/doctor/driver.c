#include "bench/doctor/driver.h"

#include <stdlib.h>
#include <string.h>

int driver_compare_versions(const char *a, const char *b)
{
    while (*a || *b) {
        char *after_a, *after_b;
        const unsigned long x = strtoul(a, &after_a, 10), y = strtoul(b, &after_b, 10);
        if (x != y)
            return x < y ? -1 : 1;
        if (after_a == a && after_b == b)
            return strcmp(a, b); /* no numbers: only equal or not can be told */
        a = after_a + (*after_a == '.');
        b = after_b + (*after_b == '.');
    }
    return 0;
}

const char *driver_library_version(const struct facts *f)
{
    if (*f->nvml_library.version)
        return f->nvml_library.version;
    const char *dot = strchr(f->nvml.library_version, '.');
    return dot ? dot + 1 : "";
}

const char *driver_runtime(const struct facts *f)
{
    const struct fact_engine *engine = facts_engine(f, "cuda");
    const json_t *versions = engine ? json_object_get(engine->answer, "versions") : NULL;
    return json_string_value(json_object_get(versions, "cudart"));
}

int driver_worker_code(const struct facts *f, const char **message)
{
    const struct fact_engine *engine = facts_engine(f, "cuda");
    const json_t *error = engine ? json_object_get(engine->answer, "error") : NULL;
    const char *api = json_string_value(json_object_get(error, "api"));
    if (!api || strcmp(api, "cuda") != 0)
        return 0;
    *message = json_string_value(json_object_get(error, "message"));
    return (int)json_integer_value(json_object_get(error, "code"));
}

int driver_cuda_code(const struct facts *f)
{
    const char *message;
    return f->cuda.called && f->cuda.code ? f->cuda.code : driver_worker_code(f, &message);
}
