#include "bench/measure/temperature.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/warm.h"
#include "bench/telemetry/telemetry.h"
#include "tuner/stats.h"

static const uint64_t step_ns = 500000000; /* between two looks: a package cools by less than a degree */
static const char field[] = "start_temperature";

enum temperature_gate temperature_judge(double celsius, double median, uint64_t waited_ns)
{
    if (isnan(celsius) || isnan(median) || fabs(celsius - median) <= TEMPERATURE_ZONE_C)
        return TEMPERATURE_MET;
    return celsius < median || waited_ns >= TEMPERATURE_WAIT_NS ? TEMPERATURE_MISS : TEMPERATURE_WAIT;
}

/* --- the record ----------------------------------------------------------------------------------------- */

enum status temperature_record(const struct execution *x, double celsius, const char *gate, struct err *err)
{
    struct field_row rows[2] = { { .is_number = !isnan(celsius), .number = celsius, .class_name = "context" },
                                 { .number = NAN, .class_name = "context" } };
    snprintf(rows[0].name, sizeof rows[0].name, "%s", field);
    snprintf(rows[0].source, sizeof rows[0].source, x->target->gpu ? "NVML" : "hwmon or thermal zones");
    snprintf(rows[0].absent, sizeof rows[0].absent, "%s", isnan(celsius) ? "not_found" : "");
    snprintf(rows[1].name, sizeof rows[1].name, "temp_gate");
    snprintf(rows[1].text, sizeof rows[1].text, "%s", gate);
    return store_append_environment(x->campaign->store, x->campaign->run.id, x->row.id, rows, *gate ? 2 : 1, err);
}

static enum status load_one(double *celsius, struct store *store, int64_t execution, struct err *err)
{
    struct field_row *rows;
    size_t count;
    enum status st = store_load_fields(&rows, &count, store, STORE_FIELDS_EXECUTION, execution, err);
    *celsius = NAN;
    for (size_t i = 0; i < count && st == ST_OK; i++)
        if (strcmp(rows[i].name, field) == 0 && rows[i].is_number)
            *celsius = rows[i].number;
    if (st == ST_OK)
        free(rows);
    return st;
}

enum status temperature_load(double **celsius, size_t *count, const struct execution *x, struct err *err)
{
    struct execution_row *rows;
    size_t row_count;
    *count = 0;
    *celsius = NULL;
    enum status st = store_load_executions(&rows, &row_count, x->campaign->store, x->target->row.id, err);
    if (st != ST_OK)
        return st;
    *celsius = malloc((row_count + 1) * sizeof **celsius);
    if (!*celsius)
        st = err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu temperatures", row_count);
    for (size_t i = 0; i < row_count && st == ST_OK; i++) {
        if (rows[i].id == x->row.id)
            continue;
        st = load_one(&(*celsius)[*count], x->campaign->store, rows[i].id, err);
        *count += st == ST_OK && !isnan((*celsius)[*count]);
    }
    store_free_executions(rows, row_count);
    return st;
}

/* --- the gate ------------------------------------------------------------------------------------------- */

double temperature_read(const struct execution *x)
{
    double celsius = NAN;
    if (x->target->gpu)
        gpu_celsius(&celsius, x->all.gpu);
    else
        telemetry_temperature(&celsius, x->campaign->context->machine_root);
    return celsius;
}

/* Looks and waits until the answer is final; *celsius is the last look. */
static enum temperature_gate wait_for(double *celsius, const struct execution *x, double median)
{
    const struct campaign_state *c = x->campaign;
    uint64_t start_ns = campaign_now_ns(c);
    for (;;) {
        *celsius = temperature_read(x);
        enum temperature_gate gate = temperature_judge(*celsius, median, campaign_now_ns(c) - start_ns);
        if (gate != TEMPERATURE_WAIT || campaign_stopped(c))
            return gate;
        clock_sleep_ns(&c->clock, step_ns);
    }
}

static enum status mark_miss(const struct execution *x, double celsius, double median, struct err *err)
{
    struct mark_row mark = { .subject = "execution", .subject_id = x->row.id, .reason = "temp_gate=miss",
                             .value = celsius, .limit = median, .rule_version = CAMPAIGN_RULE_VERSION };
    return store_append_mark(x->campaign->store, &mark, err);
}

enum status warm_temperature_gate(struct execution *x, struct err *err)
{
    double *earlier, celsius;
    size_t count;
    if (x->campaign->virtual_time || isnan(temperature_read(x)))
        return ST_OK;
    enum status st = temperature_load(&earlier, &count, x, err);
    double median = st == ST_OK && count ? stats_median(earlier, count) : NAN;
    free(earlier);
    if (st != ST_OK || isnan(median))
        return st;
    campaign_tell(x->campaign, x->target, "warm-up", NULL, 0, 0);
    enum temperature_gate gate = wait_for(&celsius, x, median);
    if (gate == TEMPERATURE_WAIT)
        return err_set(err, ST_INTERRUPTED, "interrupted while the processor cooled: --resume goes on");
    st = temperature_record(x, celsius, gate == TEMPERATURE_MET ? "met" : "miss", err);
    return st == ST_OK && gate == TEMPERATURE_MISS ? mark_miss(x, celsius, median, err) : st;
}
