/* gpu_world.h - a campaign on a GPU that is not there: the scripted engine in virtual time says it has cuda:0, the fake
 * NVML (tests/gpu/fake/nvml.c) says what that device does. */
#ifndef TEST_GPU_WORLD_H
#define TEST_GPU_WORLD_H

#include <libgen.h>

#include "tests/unit/campaign_world.h"

#define GPU_UUID "GPU-11111111-2222-3333-4444-555555555555"

/* The fake NVML of this build, beside the folder of the tests; its script is what `nvml` says. */
static inline void fake_nvml_use(const char *folder, const char *nvml)
{
    char self[4096], library[4200], script[4200];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(size > 0);
    self[size] = 0;
    snprintf(library, sizeof library, "%s/../../fake/libnvidia-ml.so.1", dirname(self));
    snprintf(script, sizeof script, "%s/nvml", folder);
    FILE *f = fopen(script, "w");
    assert_non_null(f);
    fputs(nvml, f);
    assert_int_equal(fclose(f), 0);
    setenv("BENCH_NVML_LIBRARY", library, 1);
    setenv("BENCH_FAKE_NVML", script, 1);
}

/* A world whose one target is on cuda:0. */
static inline void gpu_world_open(struct world *w, const char *script, const char *nvml)
{
    char text[2048];
    snprintf(text, sizeof text, "%sdevices: [cuda:0]\ndevice_uuid: " GPU_UUID "\n", script);
    world_open(w, text, 1);
    fake_nvml_use(w->folder, nvml);
    struct plan_target *t = &w->target[0];
    snprintf(t->device, sizeof t->device, "cuda:0");
    snprintf(t->key, sizeof t->key, "toy|scripted|cuda:0|f32|1|1|3x32x32|e2e");
    snprintf(t->name, sizeof t->name, "toy scripted cuda:0 f32");
    w->config.devices_named = true; /* as with --device cuda:0 */
}

#endif
