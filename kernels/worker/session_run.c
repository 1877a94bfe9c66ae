/* prepare, run, memory, release: what is asked of one batch size while it is measured. */
#include <string.h>

#include "kernels/base/json.h"
#include "kernels/worker/block.h"
#include "kernels/worker/session_state.h"

const struct clock *session_clock(const struct session *s)
{
    const struct clock *own = s->model && s->engine->clock ? s->engine->clock(s->model) : NULL;
    return own ? own : &s->system;
}

void session_put(json_t *answer, const char *key, uint64_t value)
{
    json_object_set_new(answer, key, json_integer((json_int_t)value));
}

enum status session_get_batch(int *out, const struct session *s, const json_t *request, const char *where,
                              bool must_be_prepared, struct err *err)
{
    int64_t batch;
    enum status st = json_get_int(&batch, request, where, "batch", 1, PROTOCOL_BATCH_MAX, err);
    if (st != ST_OK)
        return st;
    if (must_be_prepared && !s->prepared[batch])
        return err_set(err, ST_INVALID, "%s: batch %d is not prepared, prepare comes first", where,
                       (int)batch);
    *out = (int)batch;
    return ST_OK;
}

enum status session_do_PREPARE(struct session *s, const json_t *request, json_t *answer, struct err *err)
{
    int batch = 0;
    enum status st = session_get_batch(&batch, s, request, "prepare", false, err);
    if (st != ST_OK)
        return st;
    if (s->prepared[batch])
        return err_set(err, ST_INVALID, "prepare: batch %d is prepared already, release comes first", batch);
    struct prepared_info planned = { 0 };
    struct iteration first;
    const struct clock *clk = session_clock(s);
    uint64_t start_ns = clock_now_ns(clk);
    st = s->engine->prepare(s->model, batch, &planned, err);
    if (st != ST_OK)
        return st;
    uint64_t prepared_ns = clock_now_ns(clk);
    st = block_iterate(&first, batch, s->engine, s->model, err);
    if (st != ST_OK) {
        s->engine->release(s->model, batch);
        return st;
    }
    s->prepared[batch] = true;
    session_put(answer, "prepare_ns", prepared_ns - start_ns);
    session_put(answer, "first_run_ns", clock_now_ns(clk) - prepared_ns);
    json_object_set_new(answer, "planned", json_pack("{s:I, s:I, s:I}",
                                                     "weights", (json_int_t)planned.weights_bytes,
                                                     "activations", (json_int_t)planned.activations_bytes,
                                                     "workspace", (json_int_t)planned.workspace_bytes));
    return ST_OK;
}

static enum status read_ask(struct block_ask *ask, size_t *room, struct session *s, const json_t *request,
                            struct err *err)
{
    int64_t min_ns = 0, min_iterations = 0, max_iterations = 0, unmeasured = 0;
    enum status st = session_get_batch(&ask->batch, s, request, "run", true, err);
    if (st == ST_OK)
        st = json_get_int(&min_ns, request, "run", "min_ns", 0, INT64_MAX, err);
    if (st == ST_OK)
        st = json_get_int(&max_iterations, request, "run", "max_iterations", 1, PROTOCOL_ITERATIONS_MAX, err);
    if (st == ST_OK)
        st = json_get_int(&min_iterations, request, "run", "min_iterations", 1, max_iterations, err);
    if (st == ST_OK)
        st = json_find_int(&unmeasured, request, "run", "unmeasured", 0, PROTOCOL_ITERATIONS_MAX, err);
    ask->min_ns = (uint64_t)min_ns;
    ask->min_iterations = (size_t)min_iterations;
    ask->unmeasured = (size_t)unmeasured;
    *room = (size_t)max_iterations;
    return st;
}

static json_t *array_of(const uint64_t *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_integer((json_int_t)values[i]));
    return array;
}

/* What of an iteration neither a copy nor the device accounts for: launch latency, scheduling, reading events. The host's
 * clock and the device's differ by rounding, which the compute stage gives up; by more than a fiftieth they contradict
 * each other. */
static enum status put_gaps(json_t *answer, struct block *b, struct err *err)
{
    json_t *gaps = json_array();
    for (size_t i = 0; i < b->count; i++) {
        uint64_t wall_ns = b->iteration_ns[i], device_ns = b->h2d_ns[i] + b->compute_ns[i] + b->d2h_ns[i];
        if (device_ns > wall_ns + wall_ns / 50) {
            json_decref(gaps);
            return err_set(err, ST_INTERNAL, "iteration %zu took %llu ns by the host's clock and %llu ns by the "
                           "device's: one of the two is wrong", i, (unsigned long long)wall_ns,
                           (unsigned long long)device_ns);
        }
        uint64_t excess_ns = device_ns > wall_ns ? device_ns - wall_ns : 0;
        b->compute_ns[i] -= excess_ns < b->compute_ns[i] ? excess_ns : b->compute_ns[i];
        json_array_append_new(gaps, json_integer((json_int_t)(wall_ns + excess_ns - device_ns)));
    }
    json_object_set_new(answer, "gap_ns", gaps);
    json_object_set_new(answer, "launch_ns", array_of(b->launch_ns, b->count));
    return ST_OK;
}

static void put_block(json_t *answer, const struct block *b)
{
    session_put(answer, "batch", (uint64_t)b->batch);
    session_put(answer, "iterations", b->count);
    json_object_set_new(answer, "iteration_ns", array_of(b->iteration_ns, b->count));
    if (b->has_stages)
        json_object_set_new(answer, "stages", json_pack("{s:o, s:o, s:o}",
                                                        "h2d_ns", array_of(b->h2d_ns, b->count),
                                                        "compute_ns", array_of(b->compute_ns, b->count),
                                                        "d2h_ns", array_of(b->d2h_ns, b->count)));
    session_put(answer, "start_ns", b->start_ns);
    session_put(answer, "end_ns", b->end_ns);
    session_put(answer, "outputs", b->images);
}

enum status session_do_RUN(struct session *s, const json_t *request, json_t *answer, struct err *err)
{
    struct block_ask ask = { 0 };
    struct block b = { 0 };
    enum status st = read_ask(&ask, &b.room, s, request, err);
    if (st != ST_OK)
        return st;
    if (!s->samples_touched)
        memset(s->samples, 0, SESSION_ARRAYS * PROTOCOL_ITERATIONS_MAX * sizeof *s->samples);
    s->samples_touched = true;
    b.iteration_ns = s->samples;
    b.h2d_ns = b.iteration_ns + PROTOCOL_ITERATIONS_MAX;
    b.compute_ns = b.h2d_ns + PROTOCOL_ITERATIONS_MAX;
    b.d2h_ns = b.compute_ns + PROTOCOL_ITERATIONS_MAX;
    b.launch_ns = b.d2h_ns + PROTOCOL_ITERATIONS_MAX;
    st = block_run(&b, &ask, s->engine, s->model, session_clock(s), err);
    if (st == ST_OK && b.has_launch)
        st = put_gaps(answer, &b, err);
    if (st == ST_OK)
        put_block(answer, &b);
    return st;
}

enum status session_do_MEMORY(struct session *s, const json_t *request, json_t *answer, struct err *err)
{
    (void)request;
    struct memory_info info = { 0 };
    enum status st = s->engine->memory(s->model, &info, err);
    if (st != ST_OK)
        return st;
    session_put(answer, "current", info.current_bytes);
    session_put(answer, "peak", info.peak_bytes);
    return ST_OK;
}

enum status session_do_RELEASE(struct session *s, const json_t *request, json_t *answer, struct err *err)
{
    (void)answer;
    int batch = 0;
    enum status st = session_get_batch(&batch, s, request, "release", true, err);
    if (st != ST_OK)
        return st;
    s->engine->release(s->model, batch);
    s->prepared[batch] = false;
    return ST_OK;
}
