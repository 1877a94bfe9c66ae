#include "kernels/models/models.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/home.h"
#include "kernels/models/builders.h"

static const struct architecture {
    const char *name;
    int (*build)(struct graph *g, const struct model_config *config, const int shape[3]);
} architectures[] = {
    { "hrnet", build_hrnet },
    { "resunet_small", build_resunet_small },
    { "resunet_advanced", build_resunet_advanced },
    { "smoke", build_smoke },
};

struct graph_name name_of(const char *format, ...)
{
    struct graph_name name;
    va_list args;
    va_start(args, format);
    vsnprintf(name.text, sizeof name.text, format, args);
    va_end(args);
    return name;
}

int build_conv(struct graph *g, const char *name, int src, int out, int kernel, int stride)
{
    return graph_conv(g, name, src, (struct conv_spec){ out, kernel, stride, (kernel - 1) / 2, 1, false });
}

int build_conv_norm(struct graph *g, const char *conv, const char *norm, int src, int out, int kernel,
                    int stride, bool damped)
{
    return graph_norm(g, norm, build_conv(g, conv, src, out, kernel, stride), damped);
}

static const struct architecture *find_architecture(const char *name)
{
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
        if (strcmp(architectures[i].name, name) == 0)
            return &architectures[i];
    return NULL;
}

enum status model_build(struct graph **out, const struct model_config *config, const int shape[3],
                        struct err *err)
{
    *out = NULL;
    const struct architecture *arch = find_architecture(config->architecture);
    if (!arch)
        return err_set(err, ST_MODEL, "%s: there is no builder for the architecture \"%s\"", config->name,
                       config->architecture);
    const bool own = shape[0] == 0 && shape[1] == 0 && shape[2] == 0;
    const int *size = own ? config->input : shape;
    enum status st = model_config_check_size(config, size, err);
    if (st != ST_OK)
        return st;
    struct graph *g = graph_new(config->name);
    if (!g)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory to build %s", config->name);
    st = graph_finish(g, arch->build(g, config, size), err);
    if (st != ST_OK) {
        graph_free(g);
        return st;
    }
    *out = g;
    return ST_OK;
}

enum status model_build_named(struct graph **out, const char *model, const int shape[3], const char *until,
                              struct err *err)
{
    char folder[HOME_PATH_MAX];
    struct model_config config;
    *out = NULL;
    enum status st = home_path(folder, "configs/models", err);
    if (st == ST_OK)
        st = model_config_read(&config, folder, model, err);
    if (st == ST_OK)
        st = model_build(out, &config, shape, err);
    if (st == ST_OK && *until)
        st = graph_cut(*out, until, err);
    if (st != ST_OK) {
        graph_free(*out);
        *out = NULL;
    }
    return st;
}
