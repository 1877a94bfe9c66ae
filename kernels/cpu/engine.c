#include "kernels/cpu/engine.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/host.h"
#include "kernels/cpu/exec.h"
#include "kernels/cpu/inputs.h"
#include "kernels/lower/lower.h"
#include "kernels/cpu/profile.h"
#include "kernels/cpu/roofs.h"
#include "kernels/graph/rewrite.h"
#include "kernels/models/native.h"

struct model {
    struct graph *graph;           /* rewritten: its nodes name the steps */
    struct compat *compat;
    struct plan *plan;
    struct packing *packing;
    const struct fused_kernels *kernels;
    struct inputs inputs;
    struct roofs roofs;            /* measured by the first profile; flops_per_s 0 before */
    enum fused_type type;
    struct prepared {
        struct exec *exec;
        const float **images;      /* [batch]: those of the next iteration */
        size_t library_bytes;      /* what oneDNN took for itself to build the kernels */
        struct prepared *next;
    } *prepared;                   /* one per batch size */
};

static enum status hello(struct hello_info *out, struct err *err)
{
    (void)err;
    snprintf(out->versions[0].name, sizeof out->versions[0].name, "onednn");
    compat_version(out->versions[0].version, sizeof out->versions[0].version);
    out->version_count = 1;
    native_hello(out);
    out->precisions[out->precision_count++] = "f32";
    if (compat_has_bf16())
        out->precisions[out->precision_count++] = "bf16";
    return ST_OK;
}

static enum status choose_type(enum fused_type *out, const char *precision, struct err *err)
{
    *out = FUSED_F32;
    if (strcmp(precision, "f32") == 0)
        return ST_OK;
    *out = FUSED_BF16;
    if (strcmp(precision, "bf16") != 0)
        return err_set(err, ST_UNSUPPORTED, "onednn has the precisions f32 and bf16, got %.40s", precision);
    if (!compat_has_bf16())
        return err_set(err, ST_UNSUPPORTED,
                       "bf16: oneDNN finds no AVX-512 bf16 and no AMX (DNNL_MAX_CPU_ISA?): use f32");
    return ST_OK;
}

/* From the graph as the model defines it and its f32 weights to the plan; both are only needed here. */
static enum status make_plan(struct model *m, const struct graph *g, const struct weights *w, struct err *err)
{
    struct weights rewritten = { .data = NULL };
    m->packing = packing_new(m->compat);
    if (!m->packing)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the weights");
    const struct lower_target target = packing_target(m->packing, m->type);
    enum status st = rewrite_all(&m->graph, &rewritten, g, w, err);
    if (st == ST_OK)
        st = lower_graph(&m->plan, m->graph, &rewritten, &target, err);
    weights_free(&rewritten);
    return st;
}

static enum status load(struct model *m, struct model_info *info, const struct model_request *req,
                        struct err *err)
{
    struct graph *g = NULL;
    struct weights w = { .data = NULL };
    enum status st = native_load(&g, &w, info, req, err);
    if (st == ST_OK)
        st = make_plan(m, g, &w, err);
    weights_free(&w);
    graph_free(g);
    if (st != ST_OK)
        return st;
    info->weight_bytes = m->packing->bytes + m->plan->constant_bytes;
    return inputs_new(&m->inputs, info->input_shape, req->seed, inputs_cache_bytes(), err);
}

static void release(struct model *m, int batch)
{
    for (struct prepared **at = &m->prepared; *at; at = &(*at)->next) {
        struct prepared *p = *at;
        if (exec_batch(p->exec) != batch)
            continue;
        *at = p->next;
        exec_free(p->exec);
        free(p->images);
        free(p);
        compat_forget();
        return;
    }
}

static void close_model(struct model *m)
{
    if (!m)
        return;
    while (m->prepared)
        release(m, exec_batch(m->prepared->exec));
    inputs_free(&m->inputs);
    plan_free(m->plan);
    packing_free(m->packing);
    compat_close(m->compat);
    graph_free(m->graph);
    free(m);
}

static enum status open_model(struct model **out, struct model_info *info, const struct model_request *req,
                              struct err *err)
{
    enum cpu_isa isa;
    struct model *m = calloc(1, sizeof *m);
    if (!m)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for a model");
    omp_set_num_threads(req->threads > 0 ? req->threads : host_threads(NULL, NULL, 0));
    cpu_flush_subnormals(true);
    enum status st = native_check(req, "onednn", err);
    if (st == ST_OK)
        st = choose_type(&m->type, req->precision, err);
    if (st == ST_OK)
        st = cpu_isa_choose(&isa, NULL, err);
    if (st == ST_OK)
        st = compat_open(&m->compat, err);
    if (st == ST_OK) {
        m->kernels = fused_kernels(isa);
        st = load(m, info, req, err);
    }
    if (st != ST_OK) {
        close_model(m);
        return st;
    }
    *out = m;
    return ST_OK;
}

static struct prepared *find(const struct model *m, int batch)
{
    struct prepared *p = m->prepared;
    while (p && exec_batch(p->exec) != batch)
        p = p->next;
    return p;
}

static uint64_t resident(void)
{
    uint64_t current = 0, peak = 0;
    return host_resident(&current, &peak, NULL) == ST_OK ? current : 0;
}

/* Machine code and descriptions of primitives: the library tells no number (25 MB of 200 for a small network in bf16),
 * so it is what the process grew by beyond our own memory. 0 if the system does not tell. */
static size_t grown_beyond(uint64_t before, const struct exec *e)
{
    uint64_t now = resident(), own = exec_arena_bytes(e) + exec_scratch_bytes(e) + exec_weight_bytes(e);
    return before && now > before + own ? (size_t)(now - before - own) : 0;
}

static enum status prepare(struct model *m, int batch, struct prepared_info *out, struct err *err)
{
    struct prepared *p = find(m, batch);
    if (!p) {
        p = calloc(1, sizeof *p);
        const float **images = calloc((size_t)batch, sizeof *images);
        uint64_t before = resident();
        enum status st = p && images ? exec_new(&p->exec, m->plan, m->packing, batch, m->kernels, err)
                                     : err_set(err, ST_OUT_OF_MEMORY, "no memory for batch %d", batch);
        if (st != ST_OK) {
            free(images);
            free(p);
            return st;
        }
        p->images = images;
        p->library_bytes = grown_beyond(before, p->exec);
        p->next = m->prepared;
        m->prepared = p;
    }
    out->weights_bytes = m->packing->bytes + m->plan->constant_bytes + exec_weight_bytes(p->exec);
    out->activations_bytes = exec_arena_bytes(p->exec);
    out->workspace_bytes = exec_scratch_bytes(p->exec) + p->library_bytes;
    return ST_OK;
}

static enum status not_prepared(int batch, struct err *err)
{
    return err_set(err, ST_INVALID, "batch %d is not prepared", batch);
}

static enum status run(struct model *m, int batch, struct iteration *out, struct err *err)
{
    struct prepared *p = find(m, batch);
    if (!p)
        return not_prepared(batch, err);
    inputs_next(&m->inputs, batch, p->images);
    enum status st = exec_run(p->exec, p->images, err);
    *out = (struct iteration){ .batch = exec_batch(p->exec), .images = exec_batch(p->exec) };
    return st;
}

static enum status output(struct model *m, int batch, const float *src, float *dst, struct err *err)
{
    struct prepared *p = find(m, batch);
    if (!p)
        return not_prepared(batch, err);
    for (int i = 0; i < batch; i++)
        p->images[i] = src + (size_t)i * m->inputs.image_floats;
    enum status st = exec_run(p->exec, p->images, err);
    const int *shape = m->plan->output;
    if (st == ST_OK)
        memcpy(dst, exec_output(p->exec),
               (size_t)batch * (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] * sizeof *dst);
    return st;
}

static enum status profile(struct model *m, int batch, int iterations, struct profile *out, struct err *err)
{
    struct prepared *p = find(m, batch);
    if (!p)
        return not_prepared(batch, err);
    const struct clock clk = clock_system();
    enum status st = ST_OK;
    if (m->roofs.flops_per_s <= 0)
        st = roofs_measure(&m->roofs, m->compat, m->type, &clk, err);
    if (st != ST_OK)
        return st;
    return profile_run(out, p->exec, m->plan, m->graph, &m->inputs, p->images, iterations, &m->roofs, err);
}

const struct engine *onednn_engine(void)
{
    static const struct engine engine = {
        .name = "onednn", .hello = hello, .open = open_model, .prepare = prepare, .run = run,
        .output = output, .memory = native_memory, .profile = profile, .release = release,
        .close = close_model, .clock = native_clock,
    };
    return &engine;
}
