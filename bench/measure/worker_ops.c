/* The operations: what is sent, and how every member of an answer is checked before anybody uses it. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/worker_state.h"
#include "kernels/base/json.h"
#include "kernels/worker/protocol.h"

#define CLOCK_SLACK_NS 1000000 /* what sending, waking up and answering may take */

/* The members of one answer; the first that is wrong is kept in `why`, reading goes on without effect. */
struct answer {
    const json_t *object;
    const char *op;
    struct err why;
};

static int64_t get_int(struct answer *a, const json_t *object, const char *key, int64_t min, int64_t max)
{
    int64_t value = 0;
    if (!a->why.status)
        json_get_int(&value, object, a->op, key, min, max, &a->why);
    return value;
}

static uint64_t get_count(struct answer *a, const char *key)
{
    return (uint64_t)get_int(a, a->object, key, 0, INT64_MAX);
}

static void get_text(struct answer *a, const json_t *object, const char *key, char *out, size_t size)
{
    const char *text = "";
    if (!a->why.status)
        json_get_text(&text, object, a->op, key, &a->why);
    snprintf(out, size, "%s", text);
}

static const json_t *get_array(struct answer *a, const json_t *object, const char *key)
{
    const json_t *array = json_object_get(object, key);
    if (!a->why.status && !json_is_array(array))
        err_set(&a->why, ST_INVALID, "%s.%s must be an array", a->op, key);
    return array;
}

/* Ends the reading of an answer: what is wrong with it kills the worker. */
static enum status finish(struct worker *w, struct answer *a, struct err *err)
{
    return a->why.status ? worker_broken_answer(w, a->op, a->why.text, err) : ST_OK;
}

/* --- hello --- */

static void read_versions(struct answer *a, struct worker_hello *out)
{
    json_t *versions = json_object_get(a->object, "versions"), *value;
    const char *name;
    if (!json_is_object(versions) && !a->why.status)
        err_set(&a->why, ST_INVALID, "hello.versions must be an object");
    json_object_foreach(versions, name, value) {
        struct worker_version *v = &out->versions[out->version_count];
        if (out->version_count == WORKER_ITEMS_MAX)
            return;
        snprintf(v->name, sizeof v->name, "%s", name);
        get_text(a, versions, name, v->version, sizeof v->version);
        out->version_count++;
    }
}

static void read_devices(struct answer *a, struct worker_hello *out)
{
    const json_t *devices = get_array(a, a->object, "devices");
    for (size_t i = 0; i < json_array_size(devices) && i < WORKER_ITEMS_MAX; i++) {
        struct worker_device *d = &out->devices[out->device_count++];
        const json_t *from = json_array_get(devices, i);
        get_text(a, from, "id", d->id, sizeof d->id);
        get_text(a, from, "name", d->name, sizeof d->name);
        d->memory_bytes = (uint64_t)get_int(a, from, "memory_bytes", 0, INT64_MAX);
        if (json_object_get(from, "uuid"))
            get_text(a, from, "uuid", d->uuid, sizeof d->uuid);
    }
}

static const char *word_at(struct answer *a, const json_t *array, size_t i, const char *key)
{
    const char *word = json_string_value(json_array_get(array, i));
    if (!word && !a->why.status)
        err_set(&a->why, ST_INVALID, "%s.%s must hold texts", a->op, key);
    return word ? word : "";
}

static void read_words(struct answer *a, struct worker_hello *out)
{
    const json_t *precisions = get_array(a, a->object, "precisions"), *can = get_array(a, a->object, "can");
    for (size_t i = 0; i < json_array_size(precisions) && i < WORKER_ITEMS_MAX; i++)
        snprintf(out->precisions[out->precision_count++], sizeof out->precisions[0], "%s",
                 word_at(a, precisions, i, "precisions"));
    for (size_t i = 0; i < json_array_size(can); i++) {
        const char *ability = word_at(a, can, i, "can");
#define X(field, word) out->field = out->field || strcmp(ability, word) == 0;
        PROTOCOL_ABILITIES(X)
#undef X
    }
}

enum status worker_hello(struct worker *w, struct worker_hello *out, uint64_t deadline_ns, struct err *err)
{
    json_t *answer;
    *out = (struct worker_hello){ 0 };
    enum status st = worker_ask(w, protocol_op_name(OP_HELLO),
                                json_pack("{s:i}", "protocol", PROTOCOL_VERSION), deadline_ns, &answer, err);
    if (st != ST_OK)
        return st;
    struct answer a = { .object = answer, .op = "hello" };
    get_int(&a, answer, "protocol", PROTOCOL_VERSION, PROTOCOL_VERSION);
    get_text(&a, answer, "engine", out->engine, sizeof out->engine);
    read_versions(&a, out);
    read_devices(&a, out);
    read_words(&a, out);
    json_decref(answer);
    st = finish(w, &a, err);
    if (st != ST_OK)
        *out = (struct worker_hello){ 0 };
    w->is_virtual = out->can_virtual;
    return st;
}

/* --- load --- */

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string(text));
}

static json_t *load_members(struct worker *w, const struct worker_load_ask *ask)
{
    json_t *members = json_object(), *options = json_object();
    set_text(members, "model", ask->model);
    if (ask->shape[0])
        json_object_set_new(members, "shape",
                            json_pack("[i, i, i]", ask->shape[0], ask->shape[1], ask->shape[2]));
    set_text(members, "precision", ask->precision);
    set_text(members, "device", ask->device);
    json_object_set_new(members, "threads", json_integer(ask->threads));
    set_text(members, "weights", ask->weights ? ask->weights : "seeded");
    json_object_set_new(members, "seed", json_integer((json_int_t)ask->seed));
    json_object_set_new(members, "max_batch", json_integer(ask->max_batch));
    if (ask->options)
        json_object_update(options, (json_t *)(uintptr_t)ask->options); /* only read */
    set_text(options, PROTOCOL_OPTION_MODE, ask->mode);
    set_text(options, PROTOCOL_OPTION_UNTIL, ask->until);
    set_text(options, "cache_dir", ask->cache_dir);
    if (ask->cold)
        json_object_set_new(options, PROTOCOL_OPTION_COLD, json_true());
    json_object_set_new(members, "options", options);
    if (w->is_virtual) {
        w->told_now_ns = *w->now_ns;
        json_object_set_new(members, PROTOCOL_NOW, json_integer((json_int_t)*w->now_ns));
    }
    return members;
}

static void read_sha256(struct answer *a, char out[SHA256_HEX_SIZE])
{
    get_text(a, a->object, "model_sha256", out, SHA256_HEX_SIZE);
    const char *whole = json_string_value(json_object_get(a->object, "model_sha256"));
    size_t size = whole ? strlen(whole) : 0;
    if (!a->why.status && size && (size != SHA256_HEX_SIZE - 1 || strspn(out, "0123456789abcdef") != size))
        err_set(&a->why, ST_INVALID, "load.model_sha256 must be 64 lower-case hex digits or empty");
}

enum status worker_load(struct worker *w, const struct worker_load_ask *ask, struct worker_load_result *out,
                        uint64_t deadline_ns, struct err *err)
{
    json_t *answer;
    *out = (struct worker_load_result){ 0 };
    enum status st = worker_ask(w, protocol_op_name(OP_LOAD), load_members(w, ask), deadline_ns, &answer,
                                err);
    if (st != ST_OK)
        return st;
    struct answer a = { .object = answer, .op = "load" };
    out->parameters = get_count(&a, "parameters");
    out->weight_bytes = get_count(&a, "weight_bytes");
    out->macs_per_image = get_count(&a, "macs_per_image");
    out->load_ns = get_count(&a, "load_ns");
    read_sha256(&a, out->model_sha256);
    const json_t *shape = get_array(&a, answer, "output_shape");
    for (size_t i = 0; i < 3; i++) {
        json_int_t side = json_integer_value(json_array_get(shape, i));
        if (!a.why.status && (json_array_size(shape) != 3 || side < 1 || side > INT_MAX))
            err_set(&a.why, ST_INVALID, "load.output_shape must be three positive integers");
        out->output_shape[i] = (int)side;
    }
    json_decref(answer);
    st = finish(w, &a, err);
    if (st != ST_OK)
        *out = (struct worker_load_result){ 0 };
    return st;
}

/* --- prepare, release, memory --- */

static json_t *batch_member(int batch)
{
    return json_pack("{s:i}", "batch", batch);
}

enum status worker_prepare_send(struct worker *w, int batch, uint64_t deadline_ns, struct err *err)
{
    return worker_send(w, protocol_op_name(OP_PREPARE), batch_member(batch), deadline_ns, err);
}

enum status worker_prepare_receive(struct worker *w, struct worker_prepare_result *out, struct err *err)
{
    json_t *answer;
    *out = (struct worker_prepare_result){ 0 };
    enum status st = worker_receive(w, &answer, err);
    if (st != ST_OK)
        return st;
    struct answer a = { .object = answer, .op = "prepare" };
    const json_t *planned = json_object_get(answer, "planned");
    out->prepare_ns = get_count(&a, "prepare_ns");
    out->first_run_ns = get_count(&a, "first_run_ns");
    out->planned_weights_bytes = (uint64_t)get_int(&a, planned, "weights", 0, INT64_MAX);
    out->planned_activations_bytes = (uint64_t)get_int(&a, planned, "activations", 0, INT64_MAX);
    out->planned_workspace_bytes = (uint64_t)get_int(&a, planned, "workspace", 0, INT64_MAX);
    const json_t *tune = json_object_get(answer, "tune");
    if (json_object_get(tune, "plan_hash"))
        get_text(&a, tune, "plan_hash", out->plan_hash, sizeof out->plan_hash);
    json_decref(answer);
    st = finish(w, &a, err);
    if (st != ST_OK)
        *out = (struct worker_prepare_result){ 0 };
    return st;
}

enum status worker_prepare(struct worker *w, int batch, struct worker_prepare_result *out,
                           uint64_t deadline_ns, struct err *err)
{
    *out = (struct worker_prepare_result){ 0 };
    enum status st = worker_prepare_send(w, batch, deadline_ns, err);
    return st == ST_OK ? worker_prepare_receive(w, out, err) : st;
}

enum status worker_release(struct worker *w, int batch, uint64_t deadline_ns, struct err *err)
{
    json_t *answer;
    enum status st = worker_ask(w, protocol_op_name(OP_RELEASE), batch_member(batch), deadline_ns, &answer,
                                err);
    json_decref(answer);
    return st;
}

enum status worker_memory(struct worker *w, struct worker_memory_result *out, uint64_t deadline_ns,
                          struct err *err)
{
    json_t *answer;
    *out = (struct worker_memory_result){ 0 };
    enum status st = worker_ask(w, protocol_op_name(OP_MEMORY), NULL, deadline_ns, &answer, err);
    if (st != ST_OK)
        return st;
    struct answer a = { .object = answer, .op = "memory" };
    out->current_bytes = get_count(&a, "current");
    out->peak_bytes = get_count(&a, "peak");
    out->foreign = json_is_true(json_object_get(answer, "foreign"));
    json_decref(answer);
    st = finish(w, &a, err);
    if (st != ST_OK)
        *out = (struct worker_memory_result){ 0 };
    return st;
}

/* --- run --- */

/* Room for `count` values of up to four arrays in one allocation. */
static bool make_room(struct worker_run_result *r, size_t count, bool with_stages)
{
    r->room = malloc((with_stages ? 4 : 1) * count * sizeof *r->room);
    if (!r->room)
        return false;
    r->iteration_ns = r->room;
    r->h2d_ns = with_stages ? r->room + count : NULL;
    r->compute_ns = with_stages ? r->room + 2 * count : NULL;
    r->d2h_ns = with_stages ? r->room + 3 * count : NULL;
    return true;
}

static void read_times(struct answer *a, const json_t *object, const char *key, uint64_t *out, size_t count,
                       int64_t min)
{
    const json_t *array = get_array(a, object, key);
    if (!a->why.status && json_array_size(array) != count)
        err_set(&a->why, ST_INVALID, "run.%s has %zu entries, run.iterations is %zu", key,
                json_array_size(array), count);
    for (size_t i = 0; !a->why.status && i < count; i++) {
        const json_t *time = json_array_get(array, i);
        json_int_t ns = json_integer_value(time);
        if (!json_is_integer(time) || ns < min || ns > INT64_MAX / (2 * PROTOCOL_ITERATIONS_MAX))
            err_set(&a->why, ST_INVALID, "run.%s[%zu] must be a plausible integer of ns, at least %lld", key,
                    i, (long long)min);
        out[i] = (uint64_t)ns;
    }
}

/* True if the iterations fit into the block and the stages into their iterations. */
static bool times_add_up(const struct worker_run_result *r)
{
    uint64_t sum_ns = 0;
    bool stages_fit = true;
    for (size_t i = 0; i < r->iterations; i++) {
        sum_ns += r->iteration_ns[i];
        if (r->h2d_ns)
            stages_fit = stages_fit && r->h2d_ns[i] + r->compute_ns[i] + r->d2h_ns[i] <= r->iteration_ns[i];
    }
    return stages_fit && sum_ns <= r->end_ns - r->start_ns;
}

static enum status check_amount(struct worker *w, const struct worker_run_ask *ask,
                                const struct worker_run_result *r, struct err *err)
{
    int64_t wanted = (int64_t)ask->batch * (int64_t)r->iterations;
    if (r->batch != ask->batch)
        return err_set(err, ST_WRONG_OUTPUT, "%s: asked for batch %d, it ran batch %d", w->name, ask->batch,
                       r->batch);
    if (r->outputs != wanted)
        return err_set(err, ST_WRONG_OUTPUT, "%s: %zu iterations of batch %d give %lld images, it says %d",
                       w->name, r->iterations, ask->batch, (long long)wanted, r->outputs);
    return ST_OK;
}

static void read_run(struct answer *a, const struct worker_run_ask *ask, struct worker_run_result *r)
{
    const json_t *stages = json_object_get(a->object, "stages");
    json_t *telemetry = json_object_get(a->object, "telemetry");
    r->batch = (int)get_int(a, a->object, "batch", 0, INT_MAX);
    r->outputs = (int)get_int(a, a->object, "outputs", 0, INT_MAX);
    r->iterations = (size_t)get_int(a, a->object, "iterations", ask->min_iterations, ask->max_iterations);
    r->start_ns = get_count(a, "start_ns");
    r->end_ns = (uint64_t)get_int(a, a->object, "end_ns", (int64_t)r->start_ns, INT64_MAX);
    if (!a->why.status && !make_room(r, r->iterations, json_is_object(stages)))
        err_set(&a->why, ST_OUT_OF_MEMORY, "there is no memory for its times");
    if (a->why.status)
        return;
    read_times(a, a->object, "iteration_ns", r->iteration_ns, r->iterations, 1);
    if (r->h2d_ns) {
        read_times(a, stages, "h2d_ns", r->h2d_ns, r->iterations, 0);
        read_times(a, stages, "compute_ns", r->compute_ns, r->iterations, 0);
        read_times(a, stages, "d2h_ns", r->d2h_ns, r->iterations, 0);
    }
    if (json_is_object(telemetry))
        r->telemetry = json_incref(telemetry);
    r->times_add_up = !a->why.status && times_add_up(r);
}

/* When the first measured iteration began, by bench's clock. */
static uint64_t began_ns(const struct worker *w, const struct worker_run_result *r)
{
    if (w->is_virtual) /* its clock stood still while the caller waited */
        return r->sent_ns + (r->start_ns - w->request.told_before_ns);
    bool same_clock = r->start_ns + CLOCK_SLACK_NS >= r->sent_ns && r->end_ns <= r->answered_ns + CLOCK_SLACK_NS;
    return same_clock ? r->start_ns : r->answered_ns - (r->end_ns - r->start_ns);
}

/* Without unmeasured iterations its time and ours are the same time. */
static bool clocks_agree(const struct worker_run_result *r, int unmeasured)
{
    double ours = (double)(r->answered_ns - r->sent_ns), theirs = (double)(r->end_ns - r->start_ns);
    return unmeasured > 0 || fabs(ours - theirs) <= WORKER_CLOCK_SHARE * ours + CLOCK_SLACK_NS;
}

enum status worker_run_send(struct worker *w, const struct worker_run_ask *ask, uint64_t deadline_ns,
                            struct err *err)
{
    json_t *members = json_pack("{s:i, s:I, s:i, s:i, s:i}", "batch", ask->batch, "min_ns",
                                (json_int_t)ask->min_ns, "min_iterations", ask->min_iterations,
                                "max_iterations", ask->max_iterations, "unmeasured", ask->unmeasured);
    return worker_send(w, protocol_op_name(OP_RUN), members, deadline_ns, err);
}

enum status worker_run_receive(struct worker *w, const struct worker_run_ask *ask,
                               struct worker_run_result *out, struct err *err)
{
    json_t *answer;
    *out = (struct worker_run_result){ 0 };
    enum status st = worker_receive(w, &answer, err);
    if (st != ST_OK)
        return st;
    out->sent_ns = w->request.sent_ns;
    out->answered_ns = w->request.answered_ns;
    struct answer a = { .object = answer, .op = "run" };
    read_run(&a, ask, out);
    json_decref(answer);
    st = finish(w, &a, err);
    if (st == ST_OK)
        st = check_amount(w, ask, out, err);
    if (st != ST_OK) {
        struct worker_run_result kept = { .batch = st == ST_WRONG_OUTPUT ? out->batch : 0,
                                          .outputs = st == ST_WRONG_OUTPUT ? out->outputs : 0 };
        worker_run_free(out);
        *out = kept;
        return st;
    }
    out->began_ns = began_ns(w, out);
    out->clocks_agree = clocks_agree(out, ask->unmeasured);
    return ST_OK;
}

enum status worker_run(struct worker *w, const struct worker_run_ask *ask, struct worker_run_result *out,
                       uint64_t deadline_ns, struct err *err)
{
    *out = (struct worker_run_result){ 0 };
    enum status st = worker_run_send(w, ask, deadline_ns, err);
    return st == ST_OK ? worker_run_receive(w, ask, out, err) : st;
}

void worker_run_free(struct worker_run_result *r)
{
    free(r->room);
    json_decref(r->telemetry);
    *r = (struct worker_run_result){ 0 };
}

/* --- output, profile --- */

enum status worker_output(struct worker *w, int batch, const struct worker_image *images, const char *path,
                          uint64_t deadline_ns, struct err *err)
{
    json_t *answer, *members = batch_member(batch), *list = json_array();
    for (int i = 0; i < batch; i++)
        json_array_append_new(list, images[i].path ? json_string(images[i].path)
                                                   : json_integer((json_int_t)images[i].seed));
    json_object_set_new(members, "images", list);
    json_object_set_new(members, "path", json_string(path));
    enum status st = worker_ask(w, protocol_op_name(OP_OUTPUT), members, deadline_ns, &answer, err);
    json_decref(answer);
    return st;
}

static double get_roof(struct answer *a, const char *key)
{
    const json_t *value = json_object_get(json_object_get(a->object, "roofs"), key);
    if (value && !a->why.status && (!json_is_number(value) || json_number_value(value) < 0))
        err_set(&a->why, ST_INVALID, "profile.roofs.%s must be a number >= 0", key);
    return json_number_value(value);
}

static void read_layers(struct answer *a, struct worker_profile_result *out)
{
    const json_t *layers = get_array(a, a->object, "layers");
    size_t count = json_array_size(layers);
    out->layers = count ? calloc(count, sizeof *out->layers) : NULL;
    if (count && !out->layers) {
        err_set(&a->why, ST_OUT_OF_MEMORY, "there is no memory for its layers");
        return;
    }
    for (size_t i = 0; i < count && !a->why.status; i++) {
        struct worker_layer *l = &out->layers[out->count++];
        const json_t *from = json_array_get(layers, i);
        get_text(a, from, "name", l->name, sizeof l->name);
        get_text(a, from, "op", l->op, sizeof l->op);
        get_text(a, from, "implementation", l->implementation, sizeof l->implementation);
        l->ns = (uint64_t)get_int(a, from, "ns", 0, INT64_MAX);
        l->flops = (uint64_t)get_int(a, from, "flops", 0, INT64_MAX);
        l->bytes = (uint64_t)get_int(a, from, "bytes", 0, INT64_MAX);
    }
}

enum status worker_profile(struct worker *w, int batch, int iterations, struct worker_profile_result *out,
                           uint64_t deadline_ns, struct err *err)
{
    json_t *answer;
    *out = (struct worker_profile_result){ 0 };
    enum status st = worker_ask(w, protocol_op_name(OP_PROFILE),
                                json_pack("{s:i, s:i}", "batch", batch, "iterations", iterations),
                                deadline_ns, &answer, err);
    if (st != ST_OK)
        return st;
    struct answer a = { .object = answer, .op = "profile" };
    read_layers(&a, out);
    if (json_object_get(answer, "iteration_ns"))
        out->iteration_ns = get_count(&a, "iteration_ns");
    out->roof_flops_per_s = get_roof(&a, "flops_per_s");
    out->roof_bytes_per_s = get_roof(&a, "bytes_per_s");
    json_decref(answer);
    st = finish(w, &a, err);
    if (st != ST_OK)
        worker_profile_free(out);
    return st;
}

void worker_profile_free(struct worker_profile_result *r)
{
    free(r->layers);
    *r = (struct worker_profile_result){ 0 };
}
