#include "bench/measure/attempt.h"

#include <math.h>
#include <stdio.h>

#include "bench/measure/ascent.h"
#include "bench/measure/device.h"
#include "kernels/base/text.h"
#include "tuner/why.h"

struct prepared_row attempt_begin(const struct execution *x, int batch)
{
    return (struct prepared_row){ .execution = x->row.id, .batch = batch };
}

static void set_result(struct prepared_row *row, const char *result, const char *detail)
{
    snprintf(row->result, sizeof row->result, "%s", result);
    snprintf(row->detail, sizeof row->detail, "%.*s", (int)sizeof row->detail - 1, detail);
}

void attempt_succeed(struct prepared_row *row)
{
    set_result(row, ASCENT_FEASIBLE, "");
}

void attempt_fail(struct prepared_row *row, const struct execution *x, enum status st,
                  const struct err *failure)
{
    struct worker_end end = execution_end_of(x);
    char detail[RECORD_TEXT];
    if (st == ST_OUT_OF_MEMORY || end.out_of_memory_killer) {
        snprintf(detail, sizeof detail, "%s: %.400s", st == ST_OUT_OF_MEMORY ? "allocator" : "killed",
                 failure->text);
        set_result(row, why_name(WHY_OUT_OF_MEMORY), detail);
    } else if (st == ST_HUNG || st == ST_UNSUPPORTED || st == ST_WRONG_OUTPUT) {
        set_result(row, status_kind(st), failure->text);
    } else { /* crashed, internal, device_lost; a worker that cannot go on with this size */
        set_result(row, why_name(WHY_CRASHED), failure->text);
    }
}

bool attempt_over_limit(struct prepared_row *row, const struct execution *x, const char *how, uint64_t bytes)
{
    uint64_t limit_bytes = target_memory_limit(x->campaign, x->target);
    char detail[RECORD_TEXT], wanted[32], allowed[32];
    if (!limit_bytes || bytes <= limit_bytes)
        return false;
    text_of_bytes(wanted, sizeof wanted, bytes);
    text_of_bytes(allowed, sizeof allowed, limit_bytes);
    snprintf(detail, sizeof detail, "%s: %s wanted, the limit is %s", how, wanted, allowed);
    set_result(row, why_name(WHY_OVER_MEMORY), detail);
    return true;
}

enum status attempt_prepare(struct prepared_row *row, struct execution *x, struct err *err)
{
    struct worker_prepare_result prepared;
    struct worker_memory_result before;
    enum status st = execution_memory(x, &before, err);
    row->before_bytes = before.current_bytes;
    x->device_used_bytes = 0;
    if (st == ST_OK)
        st = execution_prepare(x, row->batch, &prepared, err);
    if (st != ST_OK)
        return st;
    row->prepare_ns = prepared.prepare_ns;
    row->first_run_ns = prepared.first_run_ns;
    row->planned_weights_bytes = prepared.planned_weights_bytes;
    row->planned_activations_bytes = prepared.planned_activations_bytes;
    row->planned_workspace_bytes = prepared.planned_workspace_bytes;
    return ST_OK;
}

/* The worker's peak, or what the driver saw: in use now less in use before any worker of ours. */
static uint64_t larger_peak(uint64_t peak_bytes, const struct execution *x)
{
    const struct campaign_device *d = x->target->device;
    const uint64_t before = d ? d->used_bytes : 0;
    const uint64_t seen = before && x->device_used_bytes > before ? x->device_used_bytes - before : 0;
    return seen > peak_bytes ? seen : peak_bytes;
}

/* What others held was in the way, or in the numbers. */
static enum status mark_foreign(const struct execution *x, int batch, struct err *err)
{
    struct mark_row mark = { .subject = "point", .subject_id = x->target->row.id, .batch = batch, .reason = "foreign",
                             .value = NAN, .limit = NAN, .rule_version = CAMPAIGN_RULE_VERSION };
    return store_append_mark(x->campaign->store, &mark, err);
}

enum status attempt_memory(struct prepared_row *row, struct execution *x, struct err *err)
{
    struct worker_memory_result memory;
    enum status st = execution_memory(x, &memory, err);
    row->peak_bytes = larger_peak(memory.peak_bytes, x);
    row->after_bytes = memory.current_bytes;
    return st == ST_OK && memory.foreign ? mark_foreign(x, row->batch, err) : st;
}

enum status attempt_store_trial(struct execution *x, const struct prepared_row *row, struct err *err)
{
    enum status st = store_append_prepared(x->campaign->store, row, err);
    return st == ST_OK ? history_add_trial(&x->target->history, x->row.label, row, err) : st;
}
