#include "kernels/cuda/hello.h"

#include <cudnn_graph.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/device.h"
#include "kernels/cuda/library/libraries.h"
#include "kernels/cuda/net.h"

static void add_version(struct hello_info *out, const char *name, const char *text)
{
    if (out->version_count == ENGINE_ITEMS_MAX || !*text)
        return;
    struct engine_version *v = &out->versions[out->version_count++];
    snprintf(v->name, sizeof v->name, "%.31s", name);
    snprintf(v->version, sizeof v->version, "%.63s", text);
}

/* CUDA counts 13020 for 13.2; cuDNN 91900 and cuBLASLt 130100 for 9.19.0 and 13.1.0. */
static void add_cuda_version(struct hello_info *out, const char *name, int version)
{
    char text[32] = "";
    if (version > 0)
        snprintf(text, sizeof text, "%d.%d", version / 1000, version % 1000 / 10);
    add_version(out, name, text);
}

static void add_library_version(struct hello_info *out, const char *name, size_t version)
{
    char text[64] = "";
    if (version > 0)
        snprintf(text, sizeof text, "%zu.%zu.%zu", version / 10000, version / 100 % 100, version % 100);
    add_version(out, name, text);
}

static void add_cards(struct hello_info *out, const struct gpu_card *cards, int count)
{
    static const char *const names[] = { "f32", "tf32", "f16", "bf16" };
    for (int i = 0; i < count && i < ENGINE_ITEMS_MAX; i++) {
        struct engine_device *d = &out->devices[out->device_count++];
        memcpy(d->id, cards[i].id, sizeof d->id);
        snprintf(d->name, sizeof d->name, "%s", cards[i].name);
        memcpy(d->uuid, cards[i].uuid, sizeof d->uuid);
        d->memory_bytes = cards[i].memory_bytes;
    }
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        enum gpu_math math;
        bool any = false;
        for (int i = 0; i < count; i++)
            any = any || net_math(&math, names[k], &cards[i], NULL) == ST_OK;
        if (any)
            out->precisions[out->precision_count++] = names[k];
    }
}

static json_t *environment(void)
{
    static const char *const names[] = { "NVIDIA_TF32_OVERRIDE", "CUBLAS_EMULATE_SINGLE_PRECISION",
                                         "CUBLAS_EMULATION_STRATEGY", "CUDA_VISIBLE_DEVICES",
                                         "CUDA_LAUNCH_BLOCKING", "CUDA_MODULE_LOADING" };
    json_t *all = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i]))
            json_object_set_new(all, names[i], json_string(getenv(names[i])));
    return all;
}

static json_t *text_or_null(const char *text)
{
    json_t *value = text && *text ? json_string(text) : NULL;
    return value ? value : json_null();
}

static void add_more(struct hello_info *out, const struct gpu_libraries *libraries, const struct gpu_driver *driver)
{
    out->more = json_object();
    json_object_set_new(out->more, "paths", json_pack("{s:o, s:o}", "cudnn", text_or_null(libraries->cudnn_at.path),
                                                      "cublaslt", text_or_null(libraries->cublaslt_at.path)));
    json_object_set_new(out->more, "archs", json_string(gpu_device_archs()));
    json_object_set_new(out->more, "scheduling", json_string("spin"));
    json_object_set_new(out->more, "environment", environment());
    json_object_set_new(out->more, "kernel_module", text_or_null(driver->module));
    json_object_set_new(out->more, "warning", text_or_null(libraries->warning));
}

enum status gpu_hello(struct hello_info *out, struct err *err)
{
    struct gpu_card cards[GPU_DEVICES_MAX];
    struct gpu_driver driver;
    struct gpu_libraries *libraries = NULL;
    const struct library_search search = library_search_usual();
    int count = 0;
    enum status st = gpu_devices_find(cards, &count, &driver, err);
    if (st == ST_OK)
        st = gpu_libraries_open(&libraries, &search, err);
    if (st != ST_OK)
        return st;
    add_cuda_version(out, "driver", driver.driver);
    add_cuda_version(out, "cudart", driver.runtime);
    add_library_version(out, "cudnn", libraries->cudnn_version);
    add_library_version(out, "cudnn_headers", CUDNN_VERSION);
    add_library_version(out, "cublaslt", libraries->cublaslt_version);
    add_cards(out, cards, count);
    add_more(out, libraries, &driver);
    out->can_stages = out->can_output = out->can_memory = out->can_profile = true;
    gpu_libraries_close(libraries);
    return ST_OK;
}
