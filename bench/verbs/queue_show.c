#include "bench/verbs/queue_show.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/document.h"
#include "bench/output/table.h"
#include "kernels/base/json.h"
#include "kernels/base/len.h"

/* --- rows ----------------------------------------------------------------------------------------------- */

struct row {                         /* one queue delay at one rate */
    char   model[RECORD_NAME], engine[RECORD_NAME], device[RECORD_NAME], precision[16];
    int    threads, instances, batch;
    double capacity, rate, load_percent, delay_ms;
    int    recommended, saturated;
    double images, mean_ms, p50_ms, p90_ms, p95_ms, p95_low_ms, p95_high_ms, p99_ms, limited_ms;
    char   note[96];
};

#define AT(field) .offset = offsetof(struct row, field)
#define TIME(key, title, field) \
    { .name = key, .heading = title, .unit = "ms", AT(field), .type = FIELD_REAL, .digits = 3, \
      .significant = true }
static const struct field row_fields[] = {
    { .name = "model", AT(model), .type = FIELD_TEXT, .unit = "", .data_only = true },
    { .name = "engine", AT(engine), .type = FIELD_TEXT, .unit = "", .data_only = true },
    { .name = "device", AT(device), .type = FIELD_TEXT, .unit = "", .data_only = true },
    { .name = "precision", AT(precision), .type = FIELD_TEXT, .unit = "", .data_only = true },
    { .name = "threads", AT(threads), .type = FIELD_INT, .unit = "", .data_only = true },
    { .name = "instances", AT(instances), .type = FIELD_INT, .unit = "", .data_only = true },
    { .name = "batch", AT(batch), .type = FIELD_INT, .unit = "", .data_only = true },
    { .name = "capacity_images_per_s", AT(capacity), .type = FIELD_REAL, .unit = "", .data_only = true },
    { .name = "rate_images_per_s", .heading = "rate", .unit = "1/s", AT(rate), .type = FIELD_REAL,
      .digits = 3, .significant = true },
    { .name = "load_percent", .heading = "load", .unit = "%", AT(load_percent), .type = FIELD_REAL },
    { .name = "queue_delay_ms", .heading = "queue_delay", .unit = "ms", AT(delay_ms), .type = FIELD_REAL },
    { .name = "recommended", AT(recommended), .type = FIELD_INT, .unit = "", .data_only = true },
    { .name = "saturated", AT(saturated), .type = FIELD_INT, .unit = "", .data_only = true },
    { .name = "images_per_batch", .heading = "images", .unit = "per batch", AT(images),
      .type = FIELD_REAL, .digits = 2 },
    TIME("response_mean_ms", "mean", mean_ms),
    TIME("response_p50_ms", "response_p50", p50_ms),
    TIME("response_p90_ms", "p90", p90_ms),
    TIME("response_p95_ms", "p95", p95_ms),
    TIME("response_p95_low_ms", "p95_from", p95_low_ms),
    TIME("response_p95_high_ms", "p95_to", p95_high_ms),
    TIME("response_p99_ms", "p99", p99_ms),
    { .name = "response_limited_ms", .unit = "ms", AT(limited_ms), .type = FIELD_REAL, .data_only = true },
    { .name = "note", .heading = "", .unit = "", AT(note), .type = FIELD_TEXT, .text_only = true },
};
/* in JSON the target, batch and rate stand above the rows */
enum { FIRST_OF_DELAY = 10 };
#undef TIME
#undef AT

static double ms(double s)
{
    return 1e3 * s;
}

static struct row row_of(const struct queue_result *r, const struct scan *s, size_t point)
{
    const struct target_row *t = &r->target->row;
    const struct scan_point *p = &s->points[point];
    struct row row = { .threads = t->threads,
                       .instances = t->instances,
                       .batch = s->batch,
                       .capacity = s->capacity,
                       .rate = s->rate,
                       .load_percent = 100 * s->load,
                       .delay_ms = ms(p->delay_s),
                       .recommended = point == s->recommended,
                       .saturated = p->saturated,
                       .images = p->mean_images,
                       .mean_ms = ms(p->mean_s.value),
                       .p50_ms = ms(p->p50_s.value),
                       .p90_ms = ms(p->p90_s.value),
                       .p95_ms = ms(p->p95_s.value),
                       .p95_low_ms = ms(p->p95_s.low),
                       .p95_high_ms = ms(p->p95_s.high),
                       .p99_ms = ms(p->p99_s.value),
                       .limited_ms = ms(p->limited_s) };
    snprintf(row.model, sizeof row.model, "%s", t->model);
    snprintf(row.engine, sizeof row.engine, "%s", t->engine);
    snprintf(row.device, sizeof row.device, "%s", t->device);
    snprintf(row.precision, sizeof row.precision, "%s", t->precision);
    if (p->saturated)
        snprintf(row.note, sizeof row.note, "saturated");
    return row;
}

static struct table table_of(const struct row *rows, size_t count)
{
    return (struct table){ .fields = row_fields, .field_count = LEN(row_fields), .rows = rows,
                           .row_size = sizeof *rows, .row_count = count, .marked = -1 };
}

/* --- for people ----------------------------------------------------------------------------------------- */

static void write_heading(FILE *file, const struct queue_result *r)
{
    const struct target_row *t = &r->target->row;
    fprintf(file, "%s  %s  %s  %s  %d thread%s  %d instance%s  %dx%dx%d\n", t->model, t->engine, t->device,
            t->precision, t->threads, t->threads == 1 ? "" : "s", t->instances, t->instances == 1 ? "" : "s",
            t->shape[0], t->shape[1], t->shape[2]);
    fprintf(file, "batches of at most %d image%s%s: %.4g images/s at most\n", r->batch,
            r->batch == 1 ? "" : "s", r->chosen ? " (the decision)" : "", r->capacity);
}

/* All delays of the one rate that was asked for. */
static void write_delays(FILE *file, const struct queue_result *r, const struct scan *s)
{
    struct row rows[QUEUE_DELAYS];
    for (size_t i = 0; i < s->count; i++)
        rows[i] = row_of(r, s, i);
    struct table table = table_of(rows, s->count);
    table.marked = s->recommended == QUEUE_NONE ? -1 : (int)s->recommended;
    table.mark_text = "<- recommended";
    table.colour = table_colour(file);
    table_write_text(file, &table);
}

/* The recommended delay of every rate. */
static void write_rates(FILE *file, const struct queue_result *r)
{
    struct row rows[QUEUE_RATES_MAX];
    for (size_t i = 0; i < r->rate_count; i++) {
        const struct scan *s = &r->rates[i].scan;
        bool none = s->recommended == QUEUE_NONE;
        rows[i] = row_of(r, s, none ? 0 : s->recommended);
        if (!none)
            continue;
        rows[i].delay_ms = rows[i].images = rows[i].mean_ms = rows[i].p50_ms = rows[i].p90_ms = NAN;
        rows[i].p95_ms = rows[i].p95_low_ms = rows[i].p95_high_ms = rows[i].p99_ms = NAN;
        snprintf(rows[i].note, sizeof rows[i].note, "%s",
                 rows[i].saturated ? "saturated" : "no delay keeps the limit");
    }
    struct table table = table_of(rows, r->rate_count);
    table.colour = table_colour(file);
    table_write_text(file, &table);
}

static void write_none(FILE *file, const struct queue_rate *q, const struct config *c)
{
    fprintf(file, "at %.4g images/s no queue delay ", q->scan.rate);
    if (c->limit.percentile > 0)
        fprintf(file, "keeps p%.6g <= %.6g ms", 100 * c->limit.percentile, c->limit.limit_ms);
    else
        fputs("keeps the queue from growing", file);
    if (q->fits > 0)
        fprintf(file, "; %.3g images/s would fit\n", q->fits);
    else
        fputs("; not even a hundredth of it would fit\n", file);
}

static void write_recommendation(FILE *file, const struct queue_rate *q, const struct config *c)
{
    const struct scan *s = &q->scan;
    const struct scan_point *p = &s->points[s->recommended];
    fprintf(file, "recommended at %.4g images/s (%.0f %% of what it can do)", s->rate, 100 * s->load);
    if (c->limit.percentile > 0)
        fprintf(file, " under the limit p%.6g <= %.6g ms", 100 * c->limit.percentile, c->limit.limit_ms);
    fprintf(file, ": a queue delay of %.4g ms", ms(p->delay_s));
    if (isfinite(p->p95_s.value))
        fprintf(file, ", p95 response %.4g ms", ms(p->p95_s.value));
    fputs("\n", file);
}

static void write_better(FILE *file, const struct queue_rate *q)
{
    const struct scan_point *p = &q->better.points[q->better.recommended];
    fprintf(file, "at %.4g images/s batches of at most %d with a queue delay of %.4g ms answer sooner: ",
            q->scan.rate, q->better.batch, ms(p->delay_s));
    fprintf(file, "p95 %.4g ms\n", ms(p->p95_s.value));
}

/* In words what the table of one rate marks, and what the table of several rates cannot show. */
static void write_words(FILE *file, const struct queue_result *r, const struct config *c)
{
    for (size_t i = 0; i < r->rate_count; i++) {
        const struct queue_rate *q = &r->rates[i];
        if (q->scan.recommended == QUEUE_NONE)
            write_none(file, q, c);
        else if (r->rate_count == 1)
            write_recommendation(file, q, c);
        if (q->better.batch)
            write_better(file, q);
    }
}

static void write_open_loop(FILE *file, const struct queue_result *r)
{
    const struct open_loop_answer *m = &r->measured;
    const struct scan_point *p = &r->simulated.points[0];
    if (!r->has_open_loop)
        return;
    fprintf(file, "measured in the open loop: %.4g images/s, queue delay %.4g ms, %zu responses",
            r->measured_rate, r->measured_delay_ms, m->counted);
    if (isfinite(m->p95_s))
        fprintf(file, ": p95 %.4g ms, simulated with the same requests %.4g ms (%+.1f %%)", ms(m->p95_s),
                ms(p->p95_s.value), 100 * (p->p95_s.value / m->p95_s - 1));
    fputs("\n", file);
}

static void write_arrivals(FILE *file, const struct queue_shown *s)
{
    const struct arrivals *a = &s->config->arrivals;
    fprintf(file, "campaign %s; ", s->campaign->run.name);
    if (a->trace)
        fprintf(file, "%zu requests of %s", s->arrivals->count, a->trace);
    else
        fprintf(file, "%zu requests at random times (Poisson)", s->arrivals->count);
    fprintf(file, ", medians over %d seeds of the %s times of every size; the first tenth does not count\n",
            ARRIVALS_SEEDS, s->config->median ? "median" : "measured");
}

/* Where nobody named a rate, three are shown, and what is between them is easily misread. */
static void write_meaning(FILE *file)
{
    fputs("\nWaiting grows as 1/(1 - load): 2 at 50 %, 3.3 at 70 %, 6.7 at 85 %. There chance decides more\n"
          "(p95_from and p95_to are those of single seeds), and a burst, or a model 10 % slower for a\n"
          "while, takes long to work off. A service that must keep a limit is planned for 50 to 70 %.\n",
          file);
}

void queue_show_text(FILE *file, const struct queue_shown *s)
{
    bool rates = false;
    write_arrivals(file, s);
    for (size_t i = 0; i < s->count; i++) {
        const struct queue_result *r = &s->results[i];
        fputs("\n", file);
        write_heading(file, r);
        if (r->rate_count == 1)
            write_delays(file, r, &r->rates[0].scan);
        else
            write_rates(file, r);
        write_words(file, r, s->config);
        write_open_loop(file, r);
        rates = rates || r->rate_count > 1;
    }
    if (rates)
        write_meaning(file);
}

/* --- for programs --------------------------------------------------------------------------------------- */

void queue_show_csv(FILE *file, const struct queue_shown *s)
{
    bool heading = true;
    for (size_t i = 0; i < s->count; i++)
        for (size_t k = 0; k < s->results[i].rate_count; k++) {
            const struct scan *scan = &s->results[i].rates[k].scan;
            struct row rows[QUEUE_DELAYS];
            for (size_t d = 0; d < scan->count; d++)
                rows[d] = row_of(&s->results[i], scan, d);
            struct table table = table_of(rows, scan->count);
            table_write_csv(file, &table, heading);
            heading = false;
        }
}

static json_t *delays_json(const struct queue_result *r, const struct scan *s)
{
    struct row rows[QUEUE_DELAYS];
    for (size_t i = 0; i < s->count; i++)
        rows[i] = row_of(r, s, i);
    struct table table = table_of(rows, s->count);
    table.fields += FIRST_OF_DELAY;
    table.field_count -= FIRST_OF_DELAY;
    json_t *out = table_json(&table);
    for (size_t i = 0; i < s->count; i++) {
        json_t *delay = json_array_get(out, i);
        json_object_set_new(delay, "recommended", json_boolean(rows[i].recommended));
        json_object_set_new(delay, "saturated", json_boolean(rows[i].saturated));
    }
    return out;
}

/* null, or what is recommended by a scan. */
static void put_recommended(struct document *d, json_t *out, const char *key, const struct scan *s)
{
    if (!s->batch || s->recommended == QUEUE_NONE) {
        document_put(d, out, key, json_null());
        return;
    }
    json_t *to = document_object(d, out, key);
    const struct scan_point *p = &s->points[s->recommended];
    document_int(d, to, "batch", s->batch);
    document_real(d, to, "queue_delay_ms", ms(p->delay_s));
    document_real_or_null(d, to, "response_p95_ms", ms(p->p95_s.value));
    document_real_or_null(d, to, "response_limited_ms", ms(p->limited_s));
}

static json_t *rate_json(struct document *d, const struct queue_result *r, const struct queue_rate *q)
{
    json_t *out = json_object();
    document_real(d, out, "rate_images_per_s", q->scan.rate);
    document_real(d, out, "load", q->scan.load);
    put_recommended(d, out, "recommended", &q->scan);
    document_real_or_null(d, out, "rate_that_fits", q->fits);
    put_recommended(d, out, "better_batch", &q->better);
    document_put(d, out, "delays", delays_json(r, &q->scan));
    return out;
}

static void put_open_loop(struct document *d, json_t *out, const struct queue_result *r)
{
    if (!r->has_open_loop) {
        document_put(d, out, "open_loop", json_null());
        return;
    }
    json_t *to = document_object(d, out, "open_loop");
    document_text(d, to, "outcome", open_loop_outcome_name(r->measured.outcome));
    document_real(d, to, "rate_images_per_s", r->measured_rate);
    document_real(d, to, "queue_delay_ms", r->measured_delay_ms);
    document_int(d, to, "responses", (int64_t)r->measured.counted);
    document_int(d, to, "late", (int64_t)r->measured.late);
    document_real_or_null(d, to, "response_p95_ms", ms(r->measured.p95_s));
    document_real_or_null(d, to, "response_p99_ms", ms(r->measured.p99_s));
    document_real_or_null(d, to, "service_p95_ms", ms(r->measured.service_p95_s));
    document_real_or_null(d, to, "call_ms", r->measured.call_ms);
    document_real_or_null(d, to, "simulated_response_p95_ms", ms(r->simulated.points[0].p95_s.value));
}

static json_t *result_json(struct document *d, const struct queue_result *r)
{
    const struct target_row *t = &r->target->row;
    json_t *out = json_object();
    document_text(d, out, "model", t->model);
    document_text(d, out, "engine", t->engine);
    document_text(d, out, "device", t->device);
    document_text(d, out, "precision", t->precision);
    document_int(d, out, "threads", t->threads);
    document_int(d, out, "instances", t->instances);
    document_int(d, out, "batch", r->batch);
    document_bool(d, out, "chosen", r->chosen);
    document_real(d, out, "capacity_images_per_s", r->capacity);
    json_t *rates = document_array(d, out, "rates");
    for (size_t i = 0; i < r->rate_count; i++)
        document_append(d, rates, rate_json(d, r, &r->rates[i]));
    put_open_loop(d, out, r);
    return out;
}

static void put_arrivals(struct document *d, json_t *out, const struct queue_shown *s)
{
    json_t *to = document_object(d, out, "arrivals");
    document_text(d, to, "kind", s->config->arrivals.trace ? "trace" : "poisson");
    document_text_or_null(d, to, "trace", s->config->arrivals.trace);
    document_int(d, to, "requests", (int64_t)s->arrivals->count);
    document_int(d, to, "seeds", ARRIVALS_SEEDS);
    document_bool(d, to, "median_times", s->config->median);
    if (s->config->limit.percentile <= 0) {
        document_put(d, out, "limit", json_null());
        return;
    }
    json_t *limit = document_object(d, out, "limit");
    document_text(d, limit, "name", "response_ms");
    document_real(d, limit, "percentile", s->config->limit.percentile);
    document_real(d, limit, "limit_ms", s->config->limit.limit_ms);
}

enum status queue_show_json(FILE *file, const struct queue_shown *s, struct err *err)
{
    struct document d = { 0 };
    json_t *out = json_object();
    document_text(&d, out, "campaign", s->campaign->run.name);
    put_arrivals(&d, out, s);
    json_t *targets = document_array(&d, out, "targets");
    for (size_t i = 0; i < s->count; i++)
        document_append(&d, targets, result_json(&d, &s->results[i]));
    char *text = d.failed ? NULL : json_write_text(out, JSON_INDENTED);
    json_decref(out);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the queues");
    fputs(text, file);
    free(text);
    return ST_OK;
}
