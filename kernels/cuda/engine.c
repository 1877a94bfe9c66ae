#include "kernels/cuda/engine.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/build.h"
#include "kernels/cuda/library/conv_plan.h"
#include "kernels/cuda/hello.h"
#include "kernels/cuda/library/libraries.h"
#include "kernels/cuda/net.h"
#include "kernels/cuda/passes/wild.h"
#include "kernels/cuda/profile.h"

struct model {
    struct gpu_device device;
    struct gpu_libraries *libraries;
    struct gpu_memory memory;
    struct gpu_options options;
    struct net net;
    struct images images;
    struct ready ready;
    struct iterate iterate;
    struct gpu_block occupied;      /* option leave_bytes */
    uint64_t iterations;            /* of all sizes, for the option fail_at */
    bool nvrtc;
    const char *source;             /* of the last memory reading */
    const struct prepared *latest;  /* of the last prepare */
};

/* --- open, close ------------------------------------------------------------------------------------------------- */

static enum status check_request(bool *pipelined, const struct model_request *req, struct err *err)
{
    *pipelined = strcmp(req->mode, "pipelined") == 0;
    if (*req->mode && !*pipelined && strcmp(req->mode, "e2e") != 0 && strcmp(req->mode, "compute") != 0)
        return err_set(err, ST_UNSUPPORTED, "cuda has the modes e2e, compute and pipelined, got %.40s", req->mode);
    if (req->cold)
        return err_set(err, ST_UNSUPPORTED, "cuda has no cold mode");
    return ST_OK;
}

static enum status open_device(struct model *m, const struct model_request *req, struct err *err)
{
    struct gpu_card cards[GPU_DEVICES_MAX];
    struct gpu_driver driver;
    int count = 0;
    enum status st = gpu_devices_find(cards, &count, &driver, err);
    if (st != ST_OK)
        return st;
    for (int i = 0; i < count; i++)
        if (strcmp(cards[i].id, req->device) == 0) {
            st = net_math(&m->net.net.math, req->precision, &cards[i], err);
            return st == ST_OK ? gpu_device_open(&m->device, &cards[i], &driver, err) : st;
        }
    return err_set(err, ST_UNSUPPORTED, "cuda has the devices cuda:0 .. cuda:%d, got %.40s", count - 1, req->device);
}

static enum status open_libraries(struct model *m, struct err *err)
{
    const struct library_search search = library_search_usual();
    struct err why = { .status = ST_OK };
    enum status st = gpu_libraries_open(&m->libraries, &search, err);
    if (st == ST_OK)
        st = gpu_libraries_use_device(m->libraries, m->device.card.index, err);
    if (st == ST_OK)
        m->nvrtc = conv_plan_runtime_works(m->libraries, &why);
    return st;
}

/* A test of out of memory where there is plenty. */
static enum status occupy(struct model *m, struct err *err)
{
    uint64_t free_bytes = 0;
    if (m->options.leave_bytes == 0)
        return ST_OK;
    enum status st = gpu_memory_free_bytes(&free_bytes, &m->memory, err);
    if (st == ST_OK && free_bytes > m->options.leave_bytes)
        st = gpu_block_new(&m->occupied, &m->memory, free_bytes - m->options.leave_bytes, "the option leave_bytes", err);
    return st;
}

static struct cache *open_cache(const struct model *m)
{
    const struct cache_device device = { m->device.card.name, m->device.card.limits.sm,
                                         (long)m->libraries->cudnn_version, m->device.driver.driver };
    const struct cache_build build = { (long)m->libraries->cublaslt_version, build_commit() };
    return cache_open(m->options.cache_dir, &device, &build);
}

static enum status load(struct model *m, struct model_info *info, const struct model_request *req, bool pipelined,
                        struct err *err)
{
    m->net.net.device = &m->device;
    m->net.net.libraries = m->libraries;
    m->net.net.workspace_cap = m->options.workspace_cap;
    enum status st = net_load(&m->net, info, req, &m->memory, err);
    gpu_memory_note(&m->memory);
    if (st == ST_OK)
        st = images_new(&m->images, info->input_shape, req->seed, err);
    if (st == ST_OK)
        st = iterate_new(&m->iterate, &m->device, pipelined, err);
    if (st == ST_OK)
        st = occupy(m, err);
    if (st != ST_OK)
        return st;
    m->ready = (struct ready){ .net = &m->net.net, .options = &m->options, .memory = &m->memory,
                               .images = &m->images, .cache = open_cache(m), .slots = pipelined ? 2 : 1 };
    return m->ready.cache ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "no memory for the cache of choices");
}

/* Of a lost device nothing is touched: the process is about to end. */
static void close_model(struct model *m)
{
    struct err why = { .status = ST_OK };
    if (!m)
        return;
    if (m->iterate.device && !m->device.lost)
        iterate_drain(&m->iterate, &why);
    if (m->ready.net)
        ready_remove_all(&m->ready);
    iterate_free(&m->iterate);
    cache_close(m->ready.cache);
    images_free(&m->images);
    net_free(&m->net, &m->memory);
    gpu_block_free(&m->occupied, &m->memory);
    if (!m->device.lost)
        gpu_libraries_close(m->libraries);
    gpu_device_close(&m->device);
    free(m);
}

static enum status open_model(struct model **out, struct model_info *info, const struct model_request *req,
                              struct err *err)
{
    bool pipelined = false;
    struct model *m = calloc(1, sizeof *m);
    if (!m)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for a model");
    m->memory.device = &m->device;
    enum status st = check_request(&pipelined, req, err);
    if (st == ST_OK)
        st = gpu_options_read(&m->options, req->options, err);
    if (st == ST_OK)
        st = open_device(m, req, err);
    if (st == ST_OK)
        st = open_libraries(m, err);
    if (st == ST_OK)
        st = load(m, info, req, pipelined, err);
    if (st != ST_OK) {
        if (m->device.has_context)
            st = gpu_settle(&m->device, st, err);
        close_model(m);
        return st;
    }
    *out = m;
    return ST_OK;
}

/* --- batch sizes ------------------------------------------------------------------------------------------------- */

static enum status prepare(struct model *m, int batch, struct prepared_info *out, struct err *err)
{
    struct prepared *p = ready_find(&m->ready, batch);
    enum status st = iterate_drain(&m->iterate, err);
    if (st == ST_OK && !p)
        st = ready_add(&p, &m->ready, batch, err);
    if (st != ST_OK)
        return st;
    const struct pool_need need = exec_need(p->exec, &p->fixed);
    m->latest = p;
    out->weights_bytes = uploads_bytes(m->net.net.uploads);
    out->activations_bytes = need.arena;
    out->workspace_bytes = need.workspace;
    return ST_OK;
}

static enum status find(struct prepared **out, const struct model *m, int batch, struct err *err)
{
    *out = ready_find(&m->ready, batch);
    return *out ? ST_OK : err_set(err, ST_INVALID, "batch %d is not prepared", batch);
}

static enum status run(struct model *m, int batch, struct iteration *out, struct err *err)
{
    struct prepared *p;
    enum status st = find(&p, m, batch, err);
    if (st == ST_OK && ++m->iterations == m->options.fail_at)
        st = gpu_check(&m->device, (cudaError_t)gpu_wild_write(m->device.stream), "the option fail_at", NULL, err);
    return st == ST_OK ? iterate_run(out, &m->iterate, &m->ready, p, err) : st;
}

static enum status output(struct model *m, int batch, const float *src, float *dst, struct err *err)
{
    struct prepared *p;
    enum status st = find(&p, m, batch, err);
    return st == ST_OK ? iterate_output(&m->iterate, &m->ready, p, src, dst, err) : st;
}

static enum status profile(struct model *m, int batch, int iterations, struct profile *out, struct err *err)
{
    struct prepared *p;
    enum status st = find(&p, m, batch, err);
    return st == ST_OK ? profile_run(out, &m->iterate, &m->ready, p, m->net.graph, iterations, err) : st;
}

static void release(struct model *m, int batch)
{
    struct err why = { .status = ST_OK };
    if (!m->device.lost)
        iterate_drain(&m->iterate, &why);
    m->latest = NULL;
    ready_remove(&m->ready, batch);
}

static enum status memory(struct model *m, struct memory_info *out, struct err *err)
{
    enum status st = gpu_memory_read(&out->current_bytes, &m->source, &m->memory, err);
    out->peak_bytes = m->memory.peak;
    m->memory.peak = out->current_bytes;
    return st;
}

/* --- what the answers have besides ------------------------------------------------------------------------------- */

static void put_bytes(json_t *object, const char *key, uint64_t bytes)
{
    json_object_set_new(object, key, bytes ? json_integer((json_int_t)bytes) : json_null());
}

static void annotate_load(const struct model *m, json_t *answer)
{
    put_bytes(answer, "context_bytes", m->device.context_bytes);
    json_object_set_new(answer, "nvrtc", json_boolean(m->nvrtc));
    json_object_set_new(answer, "uuid", json_string(m->device.card.uuid));
    json_object_set_new(answer, "launch", json_string(m->options.stream ? "stream" : "graph"));
}

static void annotate_prepare(const struct model *m, json_t *answer)
{
    const struct prepared *p = m->latest;
    json_t *planned = json_object_get(answer, "planned");
    if (!p)
        return;
    const struct pool_need need = exec_need(p->exec, &p->fixed);
    put_bytes(planned, "io", (uint64_t)need.slots * (need.input + need.output));
    put_bytes(planned, "context", m->device.context_bytes);
    const struct tune_result *t = &p->tuned;
    json_t *tune = json_pack("{s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:s, s:i}", "segments", t->segments, "cached",
                             t->cached, "measured", t->measured, "heuristic", t->heuristic, "rejected", t->rejected,
                             "build_ns", (json_int_t)t->build_ns, "measure_ns", (json_int_t)t->measure_ns,
                             "capture_ns", (json_int_t)p->capture_ns, "plan_hash", t->plan_hash, "back_to_f0",
                             p->exec->fallen_back);
    if (t->whole_checked)
        json_object_set_new(tune, "winners_used", json_boolean(t->winners_used));
    if (p->branching.lanes)
        json_object_set_new(tune, "branches", json_pack("{s:i, s:f, s:f, s:b}", "lanes", p->branching.lanes, "one_ns",
                                                        p->branching.one_ns, "lanes_ns", p->branching.lanes_ns,
                                                        "wrong", p->branching.wrong));
    if (t->first_rejected[0])
        json_object_set_new(tune, "first_rejected", json_string(t->first_rejected));
    if (*cache_warning(m->ready.cache))
        json_object_set_new(tune, "cache_warning", json_string(cache_warning(m->ready.cache)));
    json_object_set_new(answer, "tune", tune);
}

static void annotate_memory(const struct model *m, json_t *answer)
{
    json_object_set_new(answer, "allocated", json_integer((json_int_t)m->memory.allocated));
    json_object_set_new(answer, "source", json_string(m->source));
    json_object_set_new(answer, "foreign", json_boolean(m->memory.foreign));
}

static void annotate(struct model *m, const char *op, json_t *answer)
{
    if (strcmp(op, "load") == 0)
        annotate_load(m, answer);
    else if (strcmp(op, "prepare") == 0)
        annotate_prepare(m, answer);
    else if (strcmp(op, "memory") == 0)
        annotate_memory(m, answer);
}

static const struct clock *system_clock(struct model *m)
{
    (void)m;
    return NULL;
}

const struct engine *cuda_engine(void)
{
    static const struct engine engine = {
        .name = "cuda", .hello = gpu_hello, .open = open_model, .prepare = prepare, .run = run, .output = output,
        .memory = memory, .profile = profile, .release = release, .close = close_model, .clock = system_clock,
        .annotate = annotate,
    };
    return &engine;
}
