#include "kernels/models/native.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/host.h"
#include "kernels/models/models.h"

#define DEVICE "cpu:0"

void native_hello(struct hello_info *out)
{
    snprintf(out->devices[0].id, sizeof out->devices[0].id, DEVICE);
    host_cpu_name(out->devices[0].name, sizeof out->devices[0].name);
    out->devices[0].memory_bytes = host_memory_bytes();
    out->device_count = 1;
    out->can_output = out->can_memory = out->can_profile = true;
}

enum status native_check(const struct model_request *req, const char *engine, struct err *err)
{
    if (strcmp(req->device, DEVICE) != 0)
        return err_set(err, ST_UNSUPPORTED, "%s runs on " DEVICE " only, got %.40s", engine, req->device);
    if (*req->mode && strcmp(req->mode, "e2e") != 0)
        return err_set(err, ST_UNSUPPORTED, "%s has the mode e2e only, got %.40s", engine, req->mode);
    if (req->cold)
        return err_set(err, ST_UNSUPPORTED, "%s has no cold mode", engine);
    return ST_OK;
}

static void describe(struct model_info *info, const struct graph *g, const struct weights *w)
{
    const struct node *in = &g->nodes[0], *out = &g->nodes[g->output];
    info->parameters = graph_parameters(g);
    info->macs_per_image = graph_macs(g);
    graph_sha256(info->model_sha256, g, (const float *const *)w->data);
    memcpy(info->input_shape, (int[]){ in->c, in->h, in->w }, sizeof info->input_shape);
    memcpy(info->output_shape, (int[]){ out->c, out->h, out->w }, sizeof info->output_shape);
}

enum status native_load(struct graph **graph, struct weights *weights, struct model_info *info,
                        const struct model_request *req, struct err *err)
{
    enum status st = model_build_named(graph, req->model, req->shape, req->until, err);
    if (st != ST_OK)
        return st;
    st = weights_load(weights, *graph, req->weights, err);
    if (st == ST_OK) {
        describe(info, *graph, weights);
        return ST_OK;
    }
    graph_free(*graph);
    *graph = NULL;
    return st;
}

enum status native_memory(struct model *m, struct memory_info *out, struct err *err)
{
    (void)m;
    enum status st = host_resident(&out->current_bytes, &out->peak_bytes, err);
    host_reset_peak();
    return st;
}

const struct clock *native_clock(struct model *m)
{
    (void)m;
    return NULL;
}
