/* hello, load, quit: what a worker says of itself and what it holds for its life. */
#include <string.h>

#include "kernels/base/build.h"
#include "kernels/base/json.h"
#include "kernels/worker/session_state.h"

static json_t *hello_versions(const struct hello_info *info)
{
    json_t *versions = json_object();
    for (size_t i = 0; i < info->version_count; i++)
        json_object_set_new(versions, info->versions[i].name, json_string(info->versions[i].version));
    json_object_set_new(versions, "bench", json_string(build_version()));
    return versions;
}

static json_t *hello_devices(const struct hello_info *info)
{
    json_t *devices = json_array();
    for (size_t i = 0; i < info->device_count; i++) {
        const struct engine_device *d = &info->devices[i];
        json_t *device = json_pack("{s:s, s:s, s:I}", "id", d->id, "name", d->name, "memory_bytes",
                                   (json_int_t)d->memory_bytes);
        if (d->uuid[0])
            json_object_set_new(device, "uuid", json_string(d->uuid));
        json_array_append_new(devices, device);
    }
    return devices;
}

static json_t *hello_abilities(const struct hello_info *info)
{
    json_t *can = json_array();
#define X(field, word) \
    if (info->field) \
        json_array_append_new(can, json_string(word));
    PROTOCOL_ABILITIES(X)
#undef X
    return can;
}

enum status session_do_HELLO(struct session *s, const json_t *request, json_t *answer, struct err *err)
{
    int64_t protocol;
    enum status st = json_get_int(&protocol, request, "hello", "protocol", 1, INT32_MAX, err);
    if (st != ST_OK)
        return st;
    if (protocol != PROTOCOL_VERSION)
        return err_set(err, ST_UNSUPPORTED, "hello.protocol is %lld, this worker speaks only %d",
                       (long long)protocol, PROTOCOL_VERSION);
    struct hello_info info = { .context = s->engine->context };
    st = s->engine->hello(&info, err);
    if (st == ST_OK && info.more)
        json_object_update(answer, info.more);
    json_decref(info.more);
    if (st != ST_OK)
        return st;
    json_t *precisions = json_array();
    for (size_t i = 0; i < info.precision_count; i++)
        json_array_append_new(precisions, json_string(info.precisions[i]));
    json_object_set_new(answer, "protocol", json_integer(PROTOCOL_VERSION));
    json_object_set_new(answer, "engine", json_string(s->engine->name));
    json_object_set_new(answer, "versions", hello_versions(&info));
    json_object_set_new(answer, "devices", hello_devices(&info));
    json_object_set_new(answer, "precisions", precisions);
    json_object_set_new(answer, "can", hello_abilities(&info));
    return ST_OK;
}

/* load.shape, absent: the model's own. */
static enum status read_shape(int shape[3], const json_t *request, struct err *err)
{
    const json_t *given = json_object_get(request, "shape");
    if (!given || json_is_null(given))
        return ST_OK;
    bool right = json_array_size(given) == 3;
    for (size_t i = 0; right && i < 3; i++) {
        const json_t *side = json_array_get(given, i);
        json_int_t max = i ? PROTOCOL_SIDE_MAX : PROTOCOL_CHANNELS_MAX;
        right = json_is_integer(side) && json_integer_value(side) >= 1 && json_integer_value(side) <= max;
        shape[i] = right ? (int)json_integer_value(side) : 0;
    }
    if (!right)
        return err_set(err, ST_INVALID, "load.shape must be [C,H,W], C 1..%d, H and W 1..%d",
                       PROTOCOL_CHANNELS_MAX, PROTOCOL_SIDE_MAX);
    return ST_OK;
}

static enum status read_numbers(struct model_request *req, const json_t *request, struct err *err)
{
    int64_t threads = 0, seed = 0, max_batch = 0, now_ns = 0;
    enum status st = json_find_int(&threads, request, "load", "threads", 0, 65536, err);
    if (st == ST_OK)
        st = json_find_int(&seed, request, "load", "seed", 0, UINT32_MAX, err);
    if (st == ST_OK)
        st = json_find_int(&max_batch, request, "load", "max_batch", 0, PROTOCOL_BATCH_MAX, err);
    if (st == ST_OK)
        st = json_find_int(&now_ns, request, "load", PROTOCOL_NOW, 0, INT64_MAX, err);
    req->threads = (int)threads;
    req->seed = (uint32_t)seed;
    req->max_batch = (int)max_batch;
    req->now_ns = (uint64_t)now_ns;
    return st;
}

static enum status read_options(struct model_request *req, const json_t *request, struct err *err)
{
    const json_t *options = json_object_get(request, "options"), *cold;
    if (!options || json_is_null(options))
        return ST_OK;
    if (!json_is_object(options))
        return err_set(err, ST_INVALID, "load.options must be an object");
    req->options = options;
    cold = json_object_get(options, PROTOCOL_OPTION_COLD);
    if (cold && !json_is_boolean(cold))
        return err_set(err, ST_INVALID, "load.options.%s must be true or false", PROTOCOL_OPTION_COLD);
    req->cold = json_is_true(cold);
    enum status st = json_find_text(&req->mode, options, "load.options", PROTOCOL_OPTION_MODE, err);
    if (st == ST_OK)
        st = json_find_text(&req->until, options, "load.options", PROTOCOL_OPTION_UNTIL, err);
    return st;
}

static enum status read_request(struct model_request *req, const json_t *request, struct err *err)
{
    enum status st = json_get_text(&req->model, request, "load", "model", err);
    if (st == ST_OK)
        st = read_shape(req->shape, request, err);
    if (st == ST_OK)
        st = json_find_text(&req->precision, request, "load", "precision", err);
    if (st == ST_OK)
        st = json_find_text(&req->device, request, "load", "device", err);
    if (st == ST_OK)
        st = json_find_text(&req->weights, request, "load", "weights", err);
    if (st == ST_OK)
        st = read_numbers(req, request, err);
    if (st == ST_OK)
        st = read_options(req, request, err);
    return st;
}

/* load.device if the request names none: the first that the engine has. */
static enum status default_device(char device[16], const struct session *s, struct err *err)
{
    struct hello_info info = { .context = s->engine->context };
    enum status st = s->engine->hello(&info, err);
    json_decref(info.more);
    if (st == ST_OK && info.device_count == 0)
        return err_set(err, ST_ENVIRONMENT, "%s has no device", s->engine->name);
    memcpy(device, info.devices[0].id, sizeof info.devices[0].id);
    return st;
}

enum status session_do_LOAD(struct session *s, const json_t *request, json_t *answer, struct err *err)
{
    char device[16] = "";
    struct model_request req = { .precision = "f32", .device = "", .weights = "seeded", .mode = "", .until = "",
                                 .context = s->engine->context };
    if (s->model)
        return err_set(err, ST_INVALID, "load: a model is loaded already, a worker loads once in its life");
    enum status st = read_request(&req, request, err);
    if (st == ST_OK && !req.device[0]) {
        st = default_device(device, s, err);
        req.device = device;
    }
    if (st != ST_OK)
        return st;
    uint64_t start_ns = clock_now_ns(&s->system), load_ns;
    st = s->engine->open(&s->model, &s->info, &req, err);
    if (st != ST_OK) {
        s->model = NULL;
        return st;
    }
    const struct clock *clk = session_clock(s);
    load_ns = req.now_ns ? clock_now_ns(clk) - req.now_ns : clock_now_ns(&s->system) - start_ns;
    session_put(answer, "parameters", s->info.parameters);
    session_put(answer, "weight_bytes", s->info.weight_bytes);
    session_put(answer, "macs_per_image", s->info.macs_per_image);
    json_object_set_new(answer, "model_sha256", json_string(s->info.model_sha256));
    session_put(answer, "load_ns", load_ns);
    const int *k = s->info.output_shape;
    json_object_set_new(answer, "output_shape", json_pack("[i, i, i]", k[0], k[1], k[2]));
    return ST_OK;
}

enum status session_do_QUIT(struct session *s, const json_t *request, json_t *answer, struct err *err)
{
    (void)request, (void)answer, (void)err;
    s->quit = true;
    return ST_OK;
}
