#include "bench/measure/execution.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/comparability.h"
#include "bench/measure/device.h"
#include "bench/measure/temperature.h"
#include "bench/measure/incumbent.h"
#include "kernels/base/json.h"

bool status_is_of_worker(enum status st, const struct err *err)
{
    if (st == ST_OUT_OF_MEMORY || st == ST_INTERNAL) /* both happen to this program and its store, too */
        return !err || err->from_worker;
    return st == ST_UNSUPPORTED || st == ST_INVALID || st == ST_MODEL || st == ST_WRONG_OUTPUT ||
           st == ST_DEVICE_LOST || st == ST_ENVIRONMENT || st == ST_CRASHED || st == ST_HUNG;
}

bool status_ends_target(enum status st)
{
    return st == ST_UNSUPPORTED || st == ST_ENVIRONMENT || st == ST_MODEL || st == ST_INVALID;
}

bool execution_is_open(const struct execution *x)
{
    return x->worker != NULL;
}

bool execution_is_alive(const struct execution *x)
{
    return instances_alive(&x->all);
}

struct worker_end execution_end_of(const struct execution *x)
{
    return x->worker ? worker_end_of(x->worker) : (struct worker_end){ 0 };
}

/* --- all instances -------------------------------------------------------------------------------------- */

/* Who asks how it ended wants to know of the one that ended first. */
static enum status follow(struct execution *x, enum status st)
{
    if (x->all.ended)
        x->worker = x->all.ended;
    return st;
}

enum status execution_run(struct execution *x, const struct worker_run_ask *ask, struct worker_run_result *runs,
                          struct telemetry_block *machine, uint64_t deadline_ns, struct err *err)
{
    return follow(x, instances_run(&x->all, ask, runs, machine, deadline_ns, err));
}

static void keep_plan(struct execution *x, int batch, const char *hash)
{
    size_t i = 0;
    while (i < x->plan_count && x->plans[i].batch != batch)
        i++;
    if (i == PLAN_HASHES_MAX)
        return; /* more sizes than ever race at once: this one is not told */
    x->plan_count = i == x->plan_count ? i + 1 : x->plan_count;
    x->plans[i].batch = batch;
    snprintf(x->plans[i].hash, sizeof x->plans[i].hash, "%s", hash);
}

const char *execution_plan_hash(const struct execution *x, int batch)
{
    for (size_t i = 0; i < x->plan_count; i++)
        if (x->plans[i].batch == batch)
            return x->plans[i].hash;
    return "";
}

enum status execution_prepare(struct execution *x, int batch, struct worker_prepare_result *out,
                              struct err *err)
{
    enum status st = follow(x, instances_prepare(&x->all, batch, out, err));
    if (st == ST_OK && *out->plan_hash)
        keep_plan(x, batch, out->plan_hash);
    return st;
}

enum status execution_release(struct execution *x, int batch, struct err *err)
{
    return follow(x, instances_release(&x->all, batch, err));
}

enum status execution_memory(struct execution *x, struct worker_memory_result *out, struct err *err)
{
    *out = (struct worker_memory_result){ 0 };
    return x->hello.can_memory ? follow(x, instances_memory(&x->all, out, err)) : ST_OK;
}

/* --- start ---------------------------------------------------------------------------------------------- */

/* The command in one line, for the record. */
static void write_command(char *out, size_t size, char *const *command)
{
    size_t used = 0;
    out[0] = 0;
    for (; *command && used < size; command++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", used ? " " : "", *command);
}

static enum status start_workers(struct execution *x, const struct execution_ask *ask, struct err *err)
{
    struct campaign_state *c = x->campaign;
    const struct plan_target *plan = x->target->plan;
    const struct engine_config *engine = plan->engine;
    size_t count = ask->alone || plan->instances < 1 ? 1 : (size_t)plan->instances;
    int threads = count > 1 && !x->target->gpu ? plan->threads : 0; /* one alone is not bound */
    struct worker_start start = {
        .command = engine->command, .environment = (const char *const *)engine->environment,
        .interrupt = c->context->stop, .memory_limit_bytes = c->memory_limit_bytes,
        .give_up_ns = c->budget_ns && !c->virtual_time ? c->start_ns + c->budget_ns : 0,
        .virtual_now_ns = &c->virtual_now_ns,
    };
    char command[1024];
    enum status st = instances_open(&x->all, &start, count, threads, err);
    if (st != ST_OK)
        return st;
    x->worker = x->all.workers[0];
    x->all.root = c->context->machine_root;
    write_command(command, sizeof command, engine->command);
    x->row = (struct execution_row){ .target = x->target->row.id,
                                     .command = command,
                                     .pid = worker_pid(x->worker),
                                     .start_unix_s = clock_unix_s(),
                                     .overhead_ns = c->quality.overhead_ns,
                                     .granularity_ns = c->quality.granularity_ns,
                                     .exit_code = -1,
                                     .exit_signal = -1 };
    snprintf(x->row.label, sizeof x->row.label, "%s", ask->label);
    st = store_append_execution(c->store, &x->row, err);
    x->row.command = "";
    return st;
}

/* A worker in virtual time has no temperature. */
static enum status record_temperature(struct execution *x, struct err *err)
{
    return x->campaign->virtual_time ? ST_OK : temperature_record(x, temperature_read(x), "", err);
}

/* From the first virtual worker on the campaign lives in virtual time. */
static void take_clock(struct execution *x)
{
    struct campaign_state *c = x->campaign;
    if (c->virtual_time || !worker_is_virtual(x->worker))
        return;
    uint64_t spent_ns = campaign_elapsed_ns(c);
    c->virtual_time = true;
    c->clock = clock_virtual(&c->virtual_now_ns);
    c->start_ns = c->virtual_now_ns - spent_ns; /* may wrap around: only differences count */
    c->quality = (struct clock_quality){ .overhead_ns = 0, .granularity_ns = 1 };
}

static const struct worker_device *find_device(const struct worker_hello *hello, const char *id)
{
    for (size_t i = 0; i < hello->device_count; i++)
        if (strcmp(hello->devices[i].id, id) == 0)
            return &hello->devices[i];
    return NULL;
}

/* The GPU of the target, as NVML sees it before the worker has a context on it. */
static enum status take_device(struct execution *x, struct err *err)
{
    const struct worker_device *told = find_device(&x->hello, x->target->plan->device);
    if (!x->target->gpu || !told)
        return ST_OK;
    enum status st = device_take(&x->target->device, x->campaign, told, err);
    if (st != ST_OK)
        return st;
    x->target->memory_limit_bytes = x->target->device->limit_bytes;
    x->all.gpu = x->target->device->gpu;
    return device_record(x->target->device, x->campaign, x->row.id, err);
}

/* A virtual worker brings its own energy, if any. */
static enum status check_energy(const struct execution *x, struct err *err)
{
    const struct campaign_state *c = x->campaign;
    char why_not[160] = "energy of a GPU is not read";
    if (c->config->objective != OBJECTIVE_ENERGY || c->virtual_time ||
        (!x->target->gpu && telemetry_has_energy(why_not, sizeof why_not, c->context->machine_root)))
        return ST_OK;
    return err_set(err, ST_UNSUPPORTED,
                   "the objective energy cannot be measured: %s; use --objective throughput or latency", why_not);
}

static enum status check_abilities(const struct execution *x, struct err *err)
{
    const struct plan_target *p = x->target->plan;
    char known[256] = "";
    if (!find_device(&x->hello, p->device)) {
        for (size_t i = 0; i < x->hello.device_count; i++)
            snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "",
                     x->hello.devices[i].id);
        return err_set(err, ST_ENVIRONMENT, "engine %s finds no device %s here: it has %s", p->engine->name,
                       p->device, *known ? known : "none");
    }
    for (size_t i = 0; i < x->hello.precision_count; i++) {
        if (strcmp(x->hello.precisions[i], p->precision) == 0)
            return ST_OK;
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "",
                 x->hello.precisions[i]);
    }
    return err_set(err, ST_UNSUPPORTED, "engine %s cannot run %s on this machine: it has %s", p->engine->name,
                   p->precision, *known ? known : "no precision");
}

/* --- load ----------------------------------------------------------------------------------------------- */

static void write_versions(char *out, size_t size, const struct worker_hello *hello)
{
    json_t *versions = json_object();
    for (size_t i = 0; versions && i < hello->version_count; i++)
        json_object_set_new(versions, hello->versions[i].name, json_string(hello->versions[i].version));
    char *text = versions ? json_write_text(versions, JSON_LINE) : NULL;
    snprintf(out, size, "%s", text && strlen(text) < size ? text : "{}");
    free(text);
    json_decref(versions);
}

static enum status check_model(const struct execution *x, struct err *err)
{
    const struct target_row *row = &x->target->row;
    if (!*row->model_sha256 || strcmp(row->model_sha256, x->loaded.model_sha256) == 0)
        return ST_OK;
    return err_set(err, ST_USAGE,
                   "model_sha256 is %.12s... now, the campaign was begun with %.12s...: the weights or the "
                   "network changed, start a new campaign without --resume",
                   x->loaded.model_sha256, row->model_sha256);
}

/* The host's facts and, of a target on a GPU, the device's. */
static enum status hash_key(struct target_row *row, const struct execution *x, struct err *err)
{
    const struct campaign_state *c = x->campaign;
    const struct campaign_device *d = x->target->device;
    const size_t own = d && gpu_is_known(d->gpu) ? d->fact_count : 0;
    struct field_row *all = malloc((c->environment_count + own + 1) * sizeof *all);
    if (!all)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the facts of %s", x->target->plan->name);
    memcpy(all, c->environment, c->environment_count * sizeof *all);
    if (own)
        memcpy(all + c->environment_count, d->facts, own * sizeof *all);
    comparability_hash(row->key_sha256, all, c->environment_count + own, row->model_sha256, row->key);
    free(all);
    return ST_OK;
}

/* What the worker told goes into the target's row, once. */
static enum status record_facts(struct execution *x, struct err *err)
{
    struct target_row *row = &x->target->row;
    const struct worker_device *device = find_device(&x->hello, x->target->plan->device);
    enum status st = check_model(x, err);
    if (st != ST_OK || row->output_shape[0] > 0)
        return st;
    snprintf(row->model_sha256, sizeof row->model_sha256, "%s", x->loaded.model_sha256);
    row->scripted = x->hello.can_virtual || strcmp(x->hello.engine, "scripted") == 0;
    row->parameters = x->loaded.parameters;
    row->weight_bytes = x->loaded.weight_bytes;
    row->macs_per_image = x->loaded.macs_per_image;
    memcpy(row->output_shape, x->loaded.output_shape, sizeof row->output_shape);
    st = hash_key(row, x, err);
    if (st != ST_OK)
        return st;
    row->memory_limit_bytes = target_memory_limit(x->campaign, x->target);
    write_versions(row->engine_versions, sizeof row->engine_versions, &x->hello);
    snprintf(row->device_name, sizeof row->device_name, "%s", device->name);
    row->device_memory_bytes = device->memory_bytes;
    st = target_find_incumbent(x->campaign, x->target, err);
    return st == ST_OK ? store_append_target_state(x->campaign->store, row, err) : st;
}

/* Beside the store: what a GPU's engine found by trying is not tried again in every fresh process. */
static void write_cache_dir(char *out, size_t size, const struct campaign_state *c)
{
    const char *path = store_path(c->store), *slash = strrchr(path, '/');
    snprintf(out, size, "%.*s%stuned", slash ? (int)(slash - path) : 0, path, slash ? "/" : "");
}

static enum status load_model(struct execution *x, const struct execution_ask *ask, struct err *err)
{
    char cache_dir[4096];
    write_cache_dir(cache_dir, sizeof cache_dir, x->campaign);
    const struct plan_target *p = x->target->plan;
    const int *shape = ask->shape ? ask->shape : p->shape;
    bool pipelined = strncmp(p->mode, "pipelined", strlen("pipelined")) == 0;
    struct worker_load_ask load = {
        .model = p->model_file ? p->model_file : p->model.name,
        .shape = { shape[0], shape[1], shape[2] },
        .precision = p->precision,
        .device = p->device,
        .threads = p->threads,
        .weights = x->campaign->config->weights,
        .max_batch = ask->max_batch,
        .mode = pipelined ? "pipelined" : NULL,
        .cold = strstr(p->mode, "+cold") != NULL,
        .cache_dir = x->target->gpu ? cache_dir : NULL,
    };
    enum status st = follow(x, instances_load(&x->all, &load, &x->loaded, err));
    if (st == ST_OK)
        x->row.load_ns = x->loaded.load_ns;
    return st;
}

static enum status read_base_memory(struct execution *x, struct err *err)
{
    struct worker_memory_result memory;
    enum status st = execution_memory(x, &memory, err);
    if (st == ST_OK)
        x->base_bytes = memory.current_bytes;
    return st;
}

static enum status bring_up(struct execution *x, const struct execution_ask *ask, struct err *err)
{
    enum status st = start_workers(x, ask, err);
    if (st == ST_OK)
        st = follow(x, instances_hello(&x->all, &x->hello, err));
    if (st == ST_OK)
        take_clock(x);
    if (st == ST_OK)
        st = check_abilities(x, err);
    if (st == ST_OK)
        st = take_device(x, err);
    if (st == ST_OK)
        st = record_temperature(x, err);
    if (st == ST_OK)
        st = check_energy(x, err);
    if (st == ST_OK)
        st = load_model(x, ask, err);
    if (st == ST_OK && !ask->shape) /* at another shape output and memory are not the target's */
        st = record_facts(x, err);
    if (st == ST_OK)
        x->campaign->ran++;
    if (st == ST_OK)
        st = read_base_memory(x, err);
    return st;
}

enum status execution_open(struct execution *x, struct campaign_state *c, struct target_state *t,
                           const struct execution_ask *ask, struct err *err)
{
    *x = (struct execution){ .campaign = c, .target = t };
    campaign_tell(c, t, ask->progress, NULL, 0, 0);
    uint64_t start_ns = campaign_elapsed_ns(c);
    enum status st = bring_up(x, ask, err);
    t->open_ns = campaign_elapsed_ns(c) - start_ns;
    if (st == ST_OK)
        return ST_OK;
    err_prefix(err, "%s", t->plan->name);
    enum status closed = execution_close(x, err);
    return closed == ST_OK ? st : closed;
}

enum status execution_close(struct execution *x, struct err *err)
{
    if (!x->worker)
        return ST_OK;
    bool alive = worker_alive(x->worker);
    struct worker_end end = worker_end_of(x->worker);
    x->row.end_unix_s = clock_unix_s();
    x->row.exit_code = alive ? 0 : end.by_signal ? -1 : end.code;
    x->row.exit_signal = !alive && end.by_signal ? end.code : 0;
    x->row.stderr_tail = worker_stderr(x->worker);
    enum status st = x->row.id ? store_append_execution_state(x->campaign->store, &x->row, err) : ST_OK;
    if (st == ST_OK && x->all.gpu && x->row.id)
        st = device_record(x->target->device, x->campaign, x->row.id, err);
    x->row.stderr_tail = NULL;
    instances_close(&x->all);
    x->worker = NULL;
    return st;
}
