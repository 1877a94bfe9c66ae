#include "kernels/reference/engine.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/build.h"
#include "kernels/base/clock.h"
#include "kernels/base/host.h"
#include "kernels/base/image.h"
#include "kernels/models/native.h"
#include "kernels/reference/reference.h"

enum { IMAGES = 3 }; /* that `run` rotates over */

struct model {
    struct graph *graph;
    struct weights weights;
    float *images;     /* [IMAGES] inputs */
    double *result;    /* one image's */
    size_t input_values, output_values;
    unsigned next;     /* image of the next iteration */
};

static enum status hello(struct hello_info *out, struct err *err)
{
    (void)err;
    out->version_count = 1;
    snprintf(out->versions[0].name, sizeof out->versions[0].name, "bench");
    snprintf(out->versions[0].version, sizeof out->versions[0].version, "%s", build_version());
    native_hello(out);
    out->precisions[0] = "f32";
    out->precision_count = 1;
    return ST_OK;
}

static enum status check_request(const struct model_request *req, struct err *err)
{
    if (strcmp(req->precision, "f32") != 0)
        return err_set(err, ST_UNSUPPORTED, "the reference has the precision f32 only, got %.40s",
                       req->precision);
    return native_check(req, "the reference", err);
}

static size_t values_of(const struct node *n) { return (size_t)n->c * (size_t)n->h * (size_t)n->w; }

static enum status make_images(struct model *m, uint32_t seed, struct err *err)
{
    const struct node *in = &m->graph->nodes[0];
    m->input_values = values_of(in);
    m->output_values = values_of(&m->graph->nodes[m->graph->output]);
    m->images = calloc(IMAGES * m->input_values, sizeof *m->images); /* calloc checks the product */
    m->result = calloc(m->output_values, sizeof *m->result);
    if (!m->images || !m->result)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for images of %dx%dx%d", in->c, in->h, in->w);
    for (uint32_t i = 0; i < IMAGES; i++)
        image_make(m->images + i * m->input_values, seed + i, in->c, in->h, in->w);
    return ST_OK;
}

static void close_model(struct model *m)
{
    if (!m)
        return;
    free(m->result);
    free(m->images);
    weights_free(&m->weights);
    graph_free(m->graph);
    free(m);
}

static enum status open_model(struct model **out, struct model_info *info, const struct model_request *req,
                              struct err *err)
{
    enum status st = check_request(req, err);
    if (st != ST_OK)
        return st;
    struct model *m = calloc(1, sizeof *m);
    if (!m)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for a model");
    omp_set_num_threads(req->threads > 0 ? req->threads : host_threads(NULL, NULL, 0));
    st = native_load(&m->graph, &m->weights, info, req, err);
    if (st == ST_OK)
        st = make_images(m, req->seed, err);
    if (st != ST_OK) {
        close_model(m);
        return st;
    }
    info->weight_bytes = info->parameters * sizeof(float);
    *out = m;
    return ST_OK;
}

static enum status prepare(struct model *m, int batch, struct prepared_info *out, struct err *err)
{
    (void)batch, (void)err; /* images go through one after another: no size needs anything of its own */
    *out = (struct prepared_info){ .weights_bytes = m->weights.storage_bytes };
    return ST_OK;
}

static enum status run_batch(struct model *m, int batch, uint64_t *node_ns, struct err *err)
{
    for (int i = 0; i < batch; i++) {
        const float *image = m->images + m->next * m->input_values;
        enum status st = reference_run_timed(m->result, m->graph, &m->weights, image, 1, node_ns, err);
        if (st != ST_OK)
            return st;
        m->next = (m->next + 1) % IMAGES;
    }
    return ST_OK;
}

static enum status run(struct model *m, int batch, struct iteration *out, struct err *err)
{
    *out = (struct iteration){ 0 };
    for (int i = 0; i < batch; i++) {
        enum status st = run_batch(m, 1, NULL, err);
        if (st != ST_OK)
            return st;
        out->images++;
    }
    out->batch = out->images;
    return ST_OK;
}

static enum status output(struct model *m, int batch, const float *src, float *dst, struct err *err)
{
    for (int i = 0; i < batch; i++, src += m->input_values, dst += m->output_values) {
        enum status st = reference_run(m->result, m->graph, &m->weights, src, 1, err);
        if (st != ST_OK)
            return st;
        for (size_t k = 0; k < m->output_values; k++)
            dst[k] = (float)m->result[k];
    }
    return ST_OK;
}

static void describe_layer(struct profile_layer *layer, const struct graph *g, int node, int batch,
                           uint64_t ns)
{
    const struct node *n = &g->nodes[node];
    snprintf(layer->name, sizeof layer->name, "%s", n->name);
    snprintf(layer->op, sizeof layer->op, "%s", graph_op_name(n->op));
    snprintf(layer->implementation, sizeof layer->implementation, "reference");
    layer->ns = ns;
    layer->flops = 2 * graph_node_macs(g, node) * (uint64_t)batch;
    layer->bytes = graph_node_bytes(g, node, sizeof(double)) * (uint64_t)batch;
}

/* Profiled and unprofiled iterations in turn; the input is no layer. */
static enum status time_nodes(struct model *m, int batch, int iterations, uint64_t *node_ns,
                              uint64_t *plain_ns, struct err *err)
{
    const struct clock clk = clock_system();
    for (int i = 0; i < iterations; i++) {
        enum status st = run_batch(m, batch, node_ns, err);
        const uint64_t start_ns = clock_now_ns(&clk);
        if (st == ST_OK)
            st = run_batch(m, batch, NULL, err);
        if (st != ST_OK)
            return st;
        *plain_ns += clock_now_ns(&clk) - start_ns;
    }
    return ST_OK;
}

static enum status profile(struct model *m, int batch, int iterations, struct profile *out, struct err *err)
{
    const struct graph *g = m->graph;
    const uint64_t times = (uint64_t)iterations;
    uint64_t *node_ns = calloc((size_t)g->node_count, sizeof *node_ns), plain_ns = 0;
    *out = (struct profile){ .layers = calloc((size_t)g->node_count, sizeof *out->layers) };
    enum status st = node_ns && out->layers ? time_nodes(m, batch, iterations, node_ns, &plain_ns, err)
                                            : err_set(err, ST_OUT_OF_MEMORY, "no memory for a profile");
    for (int i = 0; i < g->node_count && st == ST_OK; i++)
        if (g->nodes[i].op != GRAPH_INPUT)
            describe_layer(&out->layers[out->count++], g, i, batch, node_ns[i] / times);
    out->iteration_ns = plain_ns / times;
    free(node_ns);
    if (st != ST_OK) {
        free(out->layers);
        *out = (struct profile){ 0 };
    }
    return st;
}

static void release(struct model *m, int batch) { (void)m, (void)batch; }

const struct engine *reference_engine(void)
{
    static const struct engine engine = {
        .name = "reference", .hello = hello, .open = open_model, .prepare = prepare, .run = run,
        .output = output, .memory = native_memory, .profile = profile, .release = release,
        .close = close_model, .clock = native_clock,
    };
    return &engine;
}
