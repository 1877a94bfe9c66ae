#include "bench/measure/gate_reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/execution.h"
#include "bench/measure/gate_compare.h"
#include "bench/measure/worker.h"
#include "kernels/base/host.h"

static char *const default_command[] = { (char[]){ "bench-worker-reference" }, NULL };

static struct store_output_key key_of(const struct gate_reference_ask *ask, int image)
{
    return (struct store_output_key){ GATE_REFERENCE_ORIGIN, ask->model_sha256, ask->images[image].sha256,
                                      { ask->shape[0], ask->shape[1], ask->shape[2] } };
}

static enum status count_kept(int *kept, const struct gate_reference_ask *ask, struct err *err)
{
    *kept = 0;
    for (int i = 0; i < ask->image_count; i++) {
        float *values;
        int shape[3];
        struct store_output_key key = key_of(ask, i);
        enum status st = store_find_output(&values, shape, ask->campaign->store, &key, err);
        if (st != ST_OK)
            return st;
        *kept += values != NULL;
        free(values);
    }
    return ST_OK;
}

static enum status load_reference(struct worker_load_result *loaded, struct worker *w,
                                  const struct gate_reference_ask *ask, struct err *err)
{
    const struct plan_target *p = ask->target->plan;
    struct worker_hello hello;
    struct worker_load_ask load = { .model = p->model_file ? p->model_file : p->model.name,
                                    .shape = { ask->shape[0], ask->shape[1], ask->shape[2] },
                                    .precision = "f32",
                                    .device = "cpu:0",
                                    .threads = host_threads(NULL, NULL, 0),
                                    .weights = ask->campaign->config->weights,
                                    .max_batch = 1 };
    enum status st = worker_hello(w, &hello, WORKER_HELLO_NS, err);
    return st == ST_OK ? worker_load(w, &load, loaded, WORKER_LOAD_NS, err) : st;
}

static enum status keep_outputs(struct worker *w, const struct worker_load_result *loaded,
                                const struct gate_reference_ask *ask, struct err *err)
{
    struct worker_prepare_result prepared;
    enum status st = worker_prepare(w, 1, &prepared, WORKER_PREPARE_NS, err);
    for (int i = 0; i < ask->image_count && st == ST_OK; i++) {
        float *values;
        size_t count;
        struct store_output_key key = key_of(ask, i);
        st = gate_output_ask(&values, &count, w, ask->campaign->folder, &ask->images[i], 1,
                             loaded->output_shape, WORKER_PREPARE_NS, err);
        if (st == ST_OK && !gate_is_finite(values, count))
            st = err_set(err, ST_WRONG_OUTPUT, "its output has NaN or infinity");
        if (st == ST_OK)
            st = store_append_output(ask->campaign->store, &key, loaded->output_shape, values, err);
        free(values);
    }
    return st;
}

static enum status compute(bool *available, char *why_not, const struct gate_reference_ask *ask,
                           struct err *err)
{
    struct campaign_state *c = ask->campaign;
    char *const *command = c->context->reference_command ? c->context->reference_command : default_command;
    struct worker_start start = { .command = command, .interrupt = c->context->stop };
    struct worker_load_result loaded;
    struct worker *w = NULL;
    campaign_tell(c, ask->target, "gate", NULL, 0, 0);
    enum status st = worker_open(&w, &start, err);
    if (st == ST_OK)
        st = load_reference(&loaded, w, ask, err);
    *available = st == ST_OK && strcmp(loaded.model_sha256, ask->model_sha256) == 0;
    if (st == ST_OK && !*available)
        snprintf(why_not, RECORD_TEXT,
                 "the reference engine has another %s: its SHA-256 is %.12s..., the target's %.12s...",
                 ask->target->plan->model.name, loaded.model_sha256, ask->model_sha256);
    if (*available)
        st = keep_outputs(w, &loaded, ask, err);
    if (st != ST_OK && status_is_of_worker(st, err)) {
        err_prefix(err, "the f32 reference that the accuracy gate needs does not run (gate: no skips it)");
        st = ST_ENVIRONMENT;
        if (err)
            err->status = st;
    }
    worker_close(w);
    return st;
}

enum status gate_reference_keep(bool *available, char *why_not, const struct gate_reference_ask *ask,
                                struct err *err)
{
    int kept;
    enum status st = count_kept(&kept, ask, err);
    *available = st == ST_OK && kept == ask->image_count;
    return st != ST_OK || *available ? st : compute(available, why_not, ask, err);
}
