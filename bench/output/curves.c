/* The curves as data: CSV and JSON, a line or an object per point. */
#include "bench/output/curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/details.h"
#include "bench/output/document.h"
#include "bench/output/replace.h"
#include "bench/output/side_by_side.h"
#include "kernels/base/clock.h"
#include "kernels/base/json.h"
#include "kernels/base/len.h"

/* --- the target as a row --- */

struct target_fields {
    char campaign[32], model[RECORD_NAME], engine[RECORD_NAME], device[RECORD_NAME], precision[16], mode[32];
    int  threads, instances, channels, height, width;
    char caveat[64];
};
#define AT(member) .offset = offsetof(struct target_fields, member)
static const struct field target_fields[] = {
    { .name = "campaign",  .unit = "", AT(campaign),  .type = FIELD_TEXT },
    { .name = "model",     .unit = "", AT(model),     .type = FIELD_TEXT },
    { .name = "engine",    .unit = "", AT(engine),    .type = FIELD_TEXT },
    { .name = "device",    .unit = "", AT(device),    .type = FIELD_TEXT },
    { .name = "precision", .unit = "", AT(precision), .type = FIELD_TEXT },
    { .name = "mode",      .unit = "", AT(mode),      .type = FIELD_TEXT },
    { .name = "threads",   .unit = "", AT(threads),   .type = FIELD_INT },
    { .name = "instances", .unit = "", AT(instances), .type = FIELD_INT },
    { .name = "channels",  .unit = "", AT(channels),  .type = FIELD_INT },
    { .name = "height",    .unit = "", AT(height),    .type = FIELD_INT },
    { .name = "width",     .unit = "", AT(width),     .type = FIELD_INT },
    { .name = "caveat",    .unit = "", AT(caveat),    .type = FIELD_TEXT },
};
#undef AT

static struct target_fields fields_of(const struct campaign *campaign, const struct target_view *target)
{
    const struct target_row *t = &target->row;
    struct target_fields out = { .threads = t->threads, .instances = t->instances, .channels = t->shape[0],
                                 .height = t->shape[1], .width = t->shape[2] };
    snprintf(out.campaign, sizeof out.campaign, "%s", campaign->run.name);
    snprintf(out.model, sizeof out.model, "%s", t->model);
    snprintf(out.engine, sizeof out.engine, "%s", t->engine);
    snprintf(out.device, sizeof out.device, "%s", t->device);
    snprintf(out.precision, sizeof out.precision, "%s", t->precision);
    snprintf(out.mode, sizeof out.mode, "%s", t->mode);
    curve_caveat(out.caveat, sizeof out.caveat, campaign, target);
    return out;
}

static struct table target_table(const struct target_fields *row)
{
    return (struct table){ .fields = target_fields,
                           .field_count = sizeof target_fields / sizeof *target_fields,
                           .rows = row,
                           .row_size = sizeof *row,
                           .row_count = 1,
                           .marked = -1 };
}

static struct table curve_table(const struct curve_row *rows, size_t count)
{
    return (struct table){ .fields = curve_fields, .field_count = curve_field_count, .rows = rows,
                           .row_size = sizeof *rows, .row_count = count, .marked = -1 };
}

/* --- CSV --- */

void curves_write_csv(FILE *file, const struct campaign *campaign)
{
    const struct target_fields none = { .threads = 0 };
    const struct table names = target_table(&none), no_points = curve_table(NULL, 0);
    table_write_csv_beside(file, &names, &no_points, true);
    for (size_t t = 0; t < campaign->target_count; t++) {
        const struct target_fields row = fields_of(campaign, &campaign->targets[t]);
        const struct table target = target_table(&row);
        struct curve_row *points = curve_rows(&campaign->targets[t]);
        const struct table curve = curve_table(points, points ? campaign->targets[t].point_count : 0);
        table_write_csv_beside(file, &target, &curve, false);
        free(points);
    }
}

/* --- JSON --- */

static void put_incumbent(struct document *d, json_t *out, const struct decision_row *row)
{
    json_t *incumbent = document_object(d, out, "incumbent");
    document_int_or_null(d, incumbent, "batch", row->incumbent);
    document_text_or_null(d, incumbent, "source", row->incumbent_source);
    document_text_or_null(d, incumbent, "outcome", row->incumbent_outcome);
}

static json_t *limit_json(struct document *d, const struct decision_row *row)
{
    if (!*row->slo_kind)
        return json_null();
    json_t *out = json_object();
    document_text(d, out, "kind", row->slo_kind);
    document_real_or_null(d, out, "percentile", row->slo_percentile);
    document_real_or_null(d, out, "limit_ms", row->slo_limit_ms);
    return out;
}

static json_t *memory_json(struct document *d, const struct decision_row *row)
{
    json_t *out = json_object();
    document_int_or_null(d, out, "ceiling_batch", row->ceiling_batch);
    document_bool(d, out, "ceiling_is_lower_bound", row->ceiling_is_lower_bound);
    document_int_or_null(d, out, "first_failed_batch", row->first_failed_batch);
    document_text_or_null(d, out, "first_failed_why", row->first_failed_why);
    return out;
}

static json_t *break_even_json(struct document *d, const struct decision_row *row)
{
    if (!row->break_even_against)
        return json_null();
    json_t *out = json_object();
    document_int(d, out, "against", row->break_even_against);
    document_int_or_null(d, out, "images", row->break_even_images < 0 ? 0 : row->break_even_images);
    document_int_or_null(d, out, "calls", row->break_even_calls < 0 ? 0 : row->break_even_calls);
    return out;
}

static json_t *queue_json(struct document *d, const struct decision_row *row)
{
    if (!(row->queue_rate > 0))
        return json_null();
    json_t *out = json_object();
    document_real(d, out, "images_per_s", row->queue_rate);
    document_int_or_null(d, out, "batch", row->queue_batch);
    document_int_or_null(d, out, "instances", row->queue_instances);
    document_real_or_null(d, out, "delay_ms", row->queue_delay_ms);
    document_real_or_null(d, out, "response_p95_ms", row->queue_p95_ms);
    document_real_or_null(d, out, "limit_ms", row->queue_limit_ms);
    return out;
}

static json_t *decision_json(struct document *d, const struct target_view *t)
{
    const struct decision_row *row = &t->decision;
    if (!t->has_decision)
        return json_null();
    json_t *out = json_object();
    document_int_or_null(d, out, "batch", row->batch);
    document_int_or_null(d, out, "optimal", row->optimal);
    document_int_or_null(d, out, "max_safe", row->max_safe);
    document_text(d, out, "confidence", row->confidence);
    document_bool(d, out, "verified", row->verified);
    document_text_or_null(d, out, "cause", row->cause);
    document_text(d, out, "reason", row->reason);
    document_text_or_null(d, out, "objective", row->objective);
    document_real(d, out, "x", row->x);
    document_real(d, out, "alpha", row->alpha);
    document_put(d, out, "limit", limit_json(d, row));
    document_int_or_null(d, out, "leader", row->leader);
    document_int_or_null(d, out, "candidates", row->candidates);
    document_real_or_null(d, out, "noise_floor", row->noise_floor);
    document_real_or_null(d, out, "control_m", row->control_m);
    document_real_or_null(d, out, "control_c", row->control_c);
    document_int_or_null(d, out, "pending", row->pending);
    put_incumbent(d, out, row);
    document_put(d, out, "memory", memory_json(d, row));
    document_put(d, out, "break_even", break_even_json(d, row));
    document_put(d, out, "open_loop", queue_json(d, row));
    return out;
}

static json_t *target_json(struct document *d, const struct campaign *campaign, const struct target_view *t)
{
    const struct target_fields row = fields_of(campaign, t);
    const struct table table = target_table(&row);
    json_t *rows = table_json(&table), *out = rows ? json_incref(json_array_get(rows, 0)) : json_object();
    json_decref(rows);
    document_text(d, out, "output", curve_output_word(t));
    document_text_or_null(d, out, "result", t->row.result);
    document_text_or_null(d, out, "detail", t->row.detail);
    document_put(d, out, "decision", decision_json(d, t));
    struct curve_row *points = curve_rows(t);
    const struct table curve = curve_table(points, points ? t->point_count : 0);
    document_put(d, out, "curve", points ? table_json(&curve) : NULL);
    free(points);
    for (enum detail detail = 0; detail < DETAIL_OF_COUNT; detail++)
        document_put(d, out, detail_name(detail), detail_json(t, detail));
    return out;
}

static void put_environment(struct document *d, json_t *out, const struct campaign *campaign)
{
    for (size_t i = 0; i < campaign->environment_count; i++) {
        const struct field_row *f = &campaign->environment[i];
        if (*f->absent)
            document_put(d, out, f->name, json_null());
        else if (f->is_number)
            document_real_or_null(d, out, f->name, f->number);
        else
            document_text(d, out, f->name, f->text);
    }
}

json_t *curves_json(const struct campaign *campaign)
{
    struct document d = { false };
    json_t *out = json_object(), *about = document_object(&d, out, "campaign");
    char stamp[CLOCK_STAMP_SIZE];
    document_text(&d, about, "id", campaign->run.name);
    clock_stamp(stamp, campaign->run.start_unix_s);
    document_text(&d, about, "started_at", stamp);
    clock_stamp(stamp, campaign->run.end_unix_s);
    document_text_or_null(&d, about, "ended_at", campaign->run.end_unix_s ? stamp : "");
    document_text(&d, about, "state", campaign->run.state);
    document_text(&d, about, "command", campaign->run.argv ? campaign->run.argv : "");
    document_text(&d, about, "build", campaign->run.build);
    document_text(&d, about, "variant", campaign->run.variant);
    put_environment(&d, document_object(&d, out, "environment"), campaign);
    json_t *targets = document_array(&d, out, "targets");
    for (size_t t = 0; t < campaign->target_count; t++)
        document_append(&d, targets, target_json(&d, campaign, &campaign->targets[t]));
    if (side_by_side_applies(campaign))
        document_put(&d, out, "side_by_side", side_json(campaign));
    if (d.failed) {
        json_decref(out);
        return NULL;
    }
    return out;
}

/* --- files --- */

static enum status put_file(const char *folder, const char *name, const char *text, size_t size,
                            struct err *err)
{
    char path[4096];
    enum replaced how;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return text ? replace_file(&how, path, text, size, false, &replace_system, err)
                : err_set(err, ST_INTERNAL, "%s: not enough memory", path);
}

/* What `write` prints, as a file. */
static enum status put_csv(const char *folder, const char *name, const struct campaign *campaign,
                           void (*write)(FILE *file, const struct campaign *campaign), struct err *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (memory) {
        write(memory, campaign);
        fclose(memory);
    }
    enum status st = put_file(folder, name, text, size, err);
    free(text);
    return st;
}

static void write_fill(FILE *file, const struct campaign *campaign)
{
    detail_write_csv(file, campaign, DETAIL_OF_FILL);
}

static void write_looks(FILE *file, const struct campaign *campaign)
{
    detail_write_csv(file, campaign, DETAIL_OF_LOOKS);
}

static void write_verification(FILE *file, const struct campaign *campaign)
{
    detail_write_csv(file, campaign, DETAIL_OF_VERIFICATION);
}

enum status curves_write_files(const struct campaign *campaign, const char *folder, struct err *err)
{
    static const struct {
        const char *name;
        void (*write)(FILE *file, const struct campaign *campaign);
    } files[] = {
        { "curves.csv", curves_write_csv },
        { "fill.csv", write_fill },
        { "looks.csv", write_looks },
        { "verification.csv", write_verification },
    };
    json_t *document = curves_json(campaign);
    char *json = json_write_text(document, JSON_INDENTED);
    enum status st = put_file(folder, "curves.json", json, json ? strlen(json) : 0, err);
    for (size_t i = 0; st == ST_OK && i < LEN(files); i++)
        st = put_csv(folder, files[i].name, campaign, files[i].write, err);
    free(json);
    json_decref(document);
    return st;
}
