#include "kernels/worker/scripted.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/base/build.h"
#include "kernels/base/json.h"
#include "kernels/worker/scripted_model.h"

#define NS_PER_S UINT64_C(1000000000)
#define SPIN_NS 100000 /* a sleep may end late by about so much: the rest is waited for in a loop */

/* --- time --- */

static uint64_t measuring_now_ns(void *context)
{
    const struct model *m = context;
    uint64_t now_ns = clock_now_ns(&m->time);
    return m->anchor_ns + (uint64_t)llround((double)(now_ns - m->anchor_ns) * m->script.clock_skew);
}

static void measuring_sleep_ns(void *context, uint64_t ns)
{
    const struct model *m = context;
    clock_sleep_ns(&m->time, ns);
}

static void wait_until(const struct clock *clk, uint64_t end_ns)
{
    for (uint64_t now_ns; (now_ns = clock_now_ns(clk)) < end_ns;)
        if (end_ns - now_ns > SPIN_NS)
            clock_sleep_ns(clk, end_ns - now_ns - SPIN_NS);
}

static uint64_t processor_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

static void compute_for(uint64_t ns)
{
    for (uint64_t end_ns = processor_ns() + ns; processor_ns() < end_ns;)
        ;
}

void scripted_wait(struct model *m, uint64_t ns)
{
    if (m->script.time == TIME_VIRTUAL)
        m->now_ns += ns;
    else if (m->script.time == TIME_BUSY)
        compute_for(ns);
    else
        wait_until(&m->time, clock_now_ns(&m->time) + ns);
}

static const struct clock *engine_clock(struct model *m)
{
    return &m->measuring;
}

/* --- hello --- */

static bool has_word(const struct script_words *words, const char *word)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->items[i], word) == 0)
            return true;
    return false;
}

/* The script of the command line, or without one that of an empty file. */
static enum status read_script(struct script *out, const struct scripted_context *context, const char *path,
                               struct err *err)
{
    if (!path && context)
        path = context->script_path;
    return path ? script_read(out, path, err) : script_read_text(out, "no script", "{}", 2, err);
}

static void fill_abilities(struct hello_info *out, const struct script *s)
{
    bool all = s->can.count == 0;
    out->can_output = all || has_word(&s->can, "output");
    out->can_memory = all || has_word(&s->can, "memory");
    out->can_stages = s->stages.given;
    out->can_profile = s->layer_count > 0 && (all || has_word(&s->can, "profile"));
    out->can_virtual = s->time == TIME_VIRTUAL;
}

static const char *known_precision(const char *name)
{
    static const char *const known[] = { "f32", "tf32", "bf16", "f16", "int8" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], name) == 0)
            return known[i];
    return NULL;
}

static enum status engine_hello(struct hello_info *out, struct err *err)
{
    struct script *s = malloc(sizeof *s);
    if (!s)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the script");
    enum status st = read_script(s, out->context, NULL, err);
    for (size_t i = 0; st == ST_OK && i < s->precisions.count; i++) {
        out->precisions[i] = known_precision(s->precisions.items[i]);
        if (!out->precisions[i])
            st = err_set(err, ST_CONFIG, "precisions: %s must be one of f32 tf32 bf16 f16 int8",
                         s->precisions.items[i]);
    }
    if (st == ST_OK) {
        out->precision_count = s->precisions.count;
        out->device_count = s->devices.count;
        for (size_t i = 0; i < s->devices.count; i++) {
            struct engine_device *d = &out->devices[i];
            snprintf(d->id, sizeof d->id, "%.15s", s->devices.items[i]);
            snprintf(d->name, sizeof d->name, "scripted device %.15s", s->devices.items[i]);
            d->memory_bytes = s->device_memory_bytes;
            snprintf(d->uuid, sizeof d->uuid, "%.47s", i == 0 ? s->device_uuid : "");
        }
        out->version_count = 1;
        strcpy(out->versions[0].name, "scripted");
        snprintf(out->versions[0].version, sizeof out->versions[0].version, "%s", build_version());
        fill_abilities(out, s);
    }
    free(s);
    return st;
}

/* --- open, close --- */

static enum status check_request(const struct script *s, const struct model_request *req, struct err *err)
{
    if (!has_word(&s->precisions, req->precision))
        return err_set(err, ST_UNSUPPORTED, "precision %s: the script does not list it", req->precision);
    if (!has_word(&s->devices, req->device))
        return err_set(err, ST_UNSUPPORTED, "device %s: the script does not list it", req->device);
    return ST_OK;
}

static void fill_info(struct model_info *info, struct model *m, const struct model_request *req)
{
    char text[600];
    info->parameters = m->script.memory.fixed_bytes / 4;
    info->weight_bytes = m->script.memory.fixed_bytes;
    info->macs_per_image = 0; /* nothing is computed */
    snprintf(text, sizeof text, "scripted/%.500s", req->model);
    sha256_of(info->model_sha256, text, strlen(text));
    memcpy(info->input_shape, m->shape, sizeof m->shape);
    info->output_shape[0] = (int)m->script.output.channels;
    info->output_shape[1] = m->shape[1];
    info->output_shape[2] = m->shape[2];
}

static void start_time(struct model *m, uint64_t now_ns)
{
    bool is_virtual = m->script.time == TIME_VIRTUAL;
    m->now_ns = now_ns;
    m->time = is_virtual ? clock_virtual(&m->now_ns) : clock_system();
    m->anchor_ns = clock_now_ns(&m->time);
    m->measuring = (struct clock){ measuring_now_ns, measuring_sleep_ns, m };
}

static enum status engine_open(struct model **out, struct model_info *info, const struct model_request *req,
                               struct err *err)
{
    const struct scripted_context *context = req->context;
    const char *path = json_string_value(json_object_get(req->options, "script"));
    struct model *m = calloc(1, sizeof *m);
    if (!m)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the script");
    enum status st = read_script(&m->script, context, path, err);
    if (st == ST_OK)
        st = check_request(&m->script, req, err);
    if (st != ST_OK) {
        free(m);
        return st;
    }
    const struct script_fields *speed = &m->script.speed;
    m->answer_fd = context ? context->answer_fd : -1;
    memcpy(m->shape, req->shape[0] ? req->shape : (const int[]){ 3, 64, 64 }, sizeof m->shape);
    m->output_error = script_number(&m->script.output.error, req->precision, 0);
    start_time(m, req->now_ns);
    pace_open(&m->pace, &m->script,
              script_number(speed, req->precision, 1) * script_number(speed, req->model, 1) *
                  script_number(speed, req->device, 1), m->script.time == TIME_VIRTUAL ? req->now_ns : 0);
    m->pace.start_ns = m->anchor_ns;
    fill_info(info, m, req);
    st = scripted_fault(m, AT_LOAD, 0, err);
    if (st != ST_OK) {
        free(m);
        return st;
    }
    scripted_wait(m, m->script.load_ns);
    m->peak_bytes = m->script.memory.fixed_bytes;
    *out = m;
    return ST_OK;
}

static void engine_close(struct model *m)
{
    free(m);
}

/* --- prepare, release, memory --- */

static uint64_t needed_bytes(const struct model *m, uint64_t planned_bytes)
{
    return m->script.memory.fixed_bytes +
           (uint64_t)llround((double)planned_bytes * m->script.memory.peak_factor);
}

static enum status check_memory(struct model *m, int batch, struct err *err)
{
    const struct script_memory *memory = &m->script.memory;
    uint64_t need = needed_bytes(m, m->held_bytes + (uint64_t)batch * memory->per_image_bytes);
    bool fails = memory->limit_bytes && need > memory->limit_bytes;
    for (size_t i = 0; i < memory->fails.count; i++)
        fails = fails || memory->fails.items[i] == batch;
    if (!fails)
        return ST_OK;
    if (memory->on_limit == ON_LIMIT_KILL)
        scripted_kill(memory->hold_bytes);
    return err_set(err, ST_OUT_OF_MEMORY, "batch %d needs %llu bytes, more than the script allows", batch,
                   (unsigned long long)need);
}

static enum status engine_prepare(struct model *m, int batch, struct prepared_info *out, struct err *err)
{
    memset(m->active, 0, sizeof m->active);
    enum status st = scripted_fault(m, AT_PREPARE, batch, err);
    if (st == ST_OK)
        st = check_memory(m, batch, err);
    if (st != ST_OK)
        return st;
    scripted_wait(m, m->script.prepare_ns);
    out->weights_bytes = m->script.memory.fixed_bytes;
    out->activations_bytes = (uint64_t)batch * m->script.memory.per_image_bytes;
    m->held_bytes += out->activations_bytes;
    m->prepared[batch] = true;
    m->preparing = true;
    m->in_block = false;
    return ST_OK;
}

static void engine_release(struct model *m, int batch)
{
    if (m->prepared[batch])
        m->held_bytes -= (uint64_t)batch * m->script.memory.per_image_bytes;
    m->prepared[batch] = false;
    m->preparing = m->in_block = false;
}

static enum status engine_memory(struct model *m, struct memory_info *out, struct err *err)
{
    enum status st = scripted_fault(m, AT_MEMORY, 0, err);
    if (st != ST_OK)
        return st;
    out->current_bytes = needed_bytes(m, m->held_bytes);
    out->peak_bytes = m->peak_bytes > out->current_bytes ? m->peak_bytes : out->current_bytes;
    m->peak_bytes = out->current_bytes;
    return ST_OK;
}

/* --- run --- */

static enum status begin_block(struct model *m, int batch, struct err *err)
{
    m->in_block = true;
    pace_block(&m->pace, batch, !m->preparing);
    if (m->preparing)
        return ST_OK;
    memset(m->active, 0, sizeof m->active);
    return scripted_fault(m, AT_RUN, batch, err);
}

static void fill_iteration(struct iteration *out, const struct model *m, int batch, uint64_t ns)
{
    const struct script_stages *stages = &m->script.stages;
    double seen_ns = (double)ns * m->script.clock_skew * (1 - 1e-9); /* rounding must not exceed the iteration */
    out->batch = batch + m->active[DO_OTHER_BATCH];
    out->images = batch - m->active[DO_SHORT];
    out->has_stages = stages->given;
    out->h2d_ns = (uint64_t)(seen_ns * stages->h2d);
    out->d2h_ns = (uint64_t)(seen_ns * stages->d2h);
    out->compute_ns = (uint64_t)(seen_ns * (1 - stages->h2d - stages->d2h));
}

static enum status engine_run(struct model *m, int batch, struct iteration *out, struct err *err)
{
    enum status st = m->in_block ? ST_OK : begin_block(m, batch, err);
    if (st == ST_OK && !m->preparing)
        st = scripted_fault(m, AT_ITERATION, batch, err);
    if (st != ST_OK) {
        m->in_block = false; /* a failed request is not annotated: the block ends here */
        return st;
    }
    uint64_t ns = pace_iteration_ns(&m->pace, batch, clock_now_ns(&m->time));
    if (m->preparing)
        ns = (uint64_t)llround((double)ns * m->script.first);
    scripted_wait(m, ns);
    uint64_t used = needed_bytes(m, m->held_bytes);
    m->peak_bytes = used > m->peak_bytes ? used : m->peak_bytes;
    fill_iteration(out, m, batch, ns);
    if (out->batch != batch || out->images != batch)
        m->in_block = false;
    return ST_OK;
}

/* --- annotations --- */

static void put_fields(json_t *object, const struct script_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct script_field *f = &fields->items[i];
        json_t *value = f->is_text ? json_string(f->text)
                        : f->number == floor(f->number) && fabs(f->number) < 1e15
                            ? json_integer((json_int_t)f->number) : json_real(f->number);
        json_object_set_new(object, f->name, value);
    }
}

static void add_telemetry(const struct model *m, json_t *answer)
{
    const struct script_throttle *throttle = pace_throttle(&m->pace);
    if (!m->script.telemetry.count && !(throttle && throttle->telemetry.count))
        return;
    json_t *telemetry = json_object();
    put_fields(telemetry, &m->script.telemetry);
    if (throttle)
        put_fields(telemetry, &throttle->telemetry);
    json_object_set_new(answer, "telemetry", telemetry);
}

static void claim(json_t *answer, const char *key, json_int_t more)
{
    json_object_set_new(answer, key, json_integer(json_integer_value(json_object_get(answer, key)) + more));
}

static void add_claims(const struct model *m, json_t *answer)
{
    json_t *times = json_object_get(answer, "iteration_ns");
    json_int_t span = json_integer_value(json_object_get(answer, "end_ns")) -
                      json_integer_value(json_object_get(answer, "start_ns"));
    if (m->active[DO_CLAIM_OUTPUTS])
        claim(answer, "outputs", -1);
    if (m->active[DO_CLAIM_BATCH])
        claim(answer, "batch", 1);
    if (m->active[DO_CLAIM_COUNT])
        claim(answer, "iterations", 1);
    if (m->active[DO_CLAIM_TIME])
        json_array_set_new(times, 0, json_integer(2 * span + 1));
}

static void engine_annotate(struct model *m, const char *op, json_t *answer)
{
    m->in_block = m->preparing = false;
    m->anchor_ns = clock_now_ns(&m->time);
    if (strcmp(op, "run") == 0) {
        add_telemetry(m, answer);
        add_claims(m, answer);
    }
    if (m->script.time == TIME_VIRTUAL)
        json_object_set_new(answer, PROTOCOL_NOW, json_integer((json_int_t)m->now_ns));
}

/* --- output, profile --- */

/* dst (N,K,H,W): every pixel from the same pixel of src (N,C,H,W), so that a batch equals its single images.
 * The error has the sign of a checkerboard: its relative L2 is exactly output_error. */
static void fill_output(const struct model *m, int batch, const float *src, float *dst)
{
    int channels = m->shape[0], results = (int)m->script.output.channels;
    size_t pixels = (size_t)m->shape[1] * (size_t)m->shape[2];
    for (int n = 0; n < batch; n++, src += pixels * (size_t)channels)
        for (int k = 0; k < results; k++, dst += pixels)
            for (size_t i = 0; i < pixels; i++) {
                double sum = 0;
                for (int c = 0; c < channels; c++)
                    sum += (double)src[(size_t)c * pixels + i];
                double logit = 4 * sum / channels - 2 + 0.1 * k;
                dst[i] = (float)(logit * (1 + (i % 2 ? m->output_error : -m->output_error)));
            }
}

static void swap_images(const struct model *m, float *dst)
{
    size_t values = (size_t)m->script.output.channels * (size_t)m->shape[1] * (size_t)m->shape[2];
    for (size_t i = 0; i < values; i++) {
        float first = dst[i];
        dst[i] = dst[values + i];
        dst[values + i] = first;
    }
}

static enum status engine_output(struct model *m, int batch, const float *src, float *dst, struct err *err)
{
    size_t values = (size_t)m->script.output.channels * (size_t)m->shape[1] * (size_t)m->shape[2];
    memset(m->active, 0, sizeof m->active);
    enum status st = scripted_fault(m, AT_OUTPUT, batch, err);
    if (st != ST_OK)
        return st;
    if (m->script.can.count && !has_word(&m->script.can, "output"))
        return err_set(err, ST_UNSUPPORTED, "output: the script does not list it under can");
    fill_output(m, batch, src, dst);
    if (m->active[DO_NAN])
        dst[values / 2] = NAN;
    if (m->active[DO_ZERO])
        memset(dst, 0, (size_t)batch * values * sizeof *dst);
    if (m->active[DO_SWAP] && batch > 1)
        swap_images(m, dst);
    scripted_wait(m, (uint64_t)llround(pace_curve_ns(&m->script.curve, batch) / m->pace.speed));
    return ST_OK;
}

static enum status engine_profile(struct model *m, int batch, int iterations, struct profile *out,
                                  struct err *err)
{
    size_t count = m->script.layer_count;
    enum status st = scripted_fault(m, AT_PROFILE, batch, err);
    if (st != ST_OK)
        return st;
    if (!count)
        return err_set(err, ST_UNSUPPORTED, "profile: the script has no layers");
    out->layers = calloc(count, sizeof *out->layers);
    if (!out->layers)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu layers", count);
    double iteration_ns = pace_curve_ns(&m->script.curve, batch) / m->pace.speed;
    for (size_t i = 0; i < count; i++) {
        const struct script_layer *from = &m->script.layers[i];
        struct profile_layer *to = &out->layers[i];
        snprintf(to->name, sizeof to->name, "%s", from->name);
        snprintf(to->op, sizeof to->op, "%.23s", from->op);
        snprintf(to->implementation, sizeof to->implementation, "%.63s", from->implementation);
        to->ns = (uint64_t)llround(from->share * iteration_ns);
        to->flops = (uint64_t)from->flops * (uint64_t)batch;
        to->bytes = (uint64_t)from->bytes * (uint64_t)batch;
    }
    out->count = count;
    out->iteration_ns = (uint64_t)llround(iteration_ns);
    scripted_wait(m, (uint64_t)llround(2 * iterations * iteration_ns));
    return ST_OK;
}

const struct engine scripted_engine = {
    .name = "scripted",
    .hello = engine_hello,
    .open = engine_open,
    .prepare = engine_prepare,
    .run = engine_run,
    .output = engine_output,
    .memory = engine_memory,
    .profile = engine_profile,
    .release = engine_release,
    .close = engine_close,
    .clock = engine_clock,
    .annotate = engine_annotate,
    .context = NULL,
};
