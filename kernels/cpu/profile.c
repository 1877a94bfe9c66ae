#include "kernels/cpu/profile.h"

#include <stdio.h>
#include <stdlib.h>

static void describe(struct profile_layer *layer, const struct exec *e, const struct step *s,
                     const struct graph *g, int index, uint64_t ns)
{
    uint64_t batch = (uint64_t)exec_batch(e);
    snprintf(layer->name, sizeof layer->name, "%s", g->nodes[s->node].name);
    snprintf(layer->op, sizeof layer->op, "%s", step_kind_name(s->kind));
    exec_implementation(e, index, layer->implementation, sizeof layer->implementation);
    layer->ns = ns;
    layer->flops = s->flops * batch;
    layer->bytes = s->bytes * batch + s->weight_bytes;
}

static enum status time_both(struct exec *e, struct inputs *inputs, const float **images, int iterations,
                             uint64_t *step_ns, uint64_t *plain_ns, struct err *err)
{
    const struct clock clk = clock_system();
    enum status st = ST_OK;
    for (int i = 0; i < iterations && st == ST_OK; i++) {
        inputs_next(inputs, exec_batch(e), images);
        st = exec_run_timed(e, images, &clk, step_ns, NULL, err);
        inputs_next(inputs, exec_batch(e), images);
        uint64_t before = clock_now_ns(&clk);
        if (st == ST_OK)
            st = exec_run(e, images, err);
        *plain_ns += clock_now_ns(&clk) - before;
    }
    return st;
}

enum status profile_run(struct profile *out, struct exec *e, const struct plan *p, const struct graph *g,
                        struct inputs *inputs, const float **images, int iterations,
                        const struct roofs *roofs, struct err *err)
{
    size_t count = (size_t)p->step_count;
    uint64_t *step_ns = calloc(count, sizeof *step_ns), plain_ns = 0;
    *out = (struct profile){ .layers = calloc(count, sizeof *out->layers), .count = count,
                             .roof_flops_per_s = roofs->flops_per_s, .roof_bytes_per_s = roofs->bytes_per_s };
    enum status st = step_ns && out->layers
                         ? time_both(e, inputs, images, iterations, step_ns, &plain_ns, err)
                         : err_set(err, ST_OUT_OF_MEMORY, "no memory for a profile");
    for (size_t i = 0; i < count && st == ST_OK; i++)
        describe(&out->layers[i], e, &p->steps[i], g, (int)i, step_ns[i] / (uint64_t)iterations);
    out->iteration_ns = plain_ns / (uint64_t)iterations;
    free(step_ns);
    if (st != ST_OK) {
        free(out->layers);
        *out = (struct profile){ .layers = NULL };
    }
    return st;
}
