/* The curves as data: CSV and JSON, a line or an object per point. */
#include "bench/output/curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/document.h"
#include "bench/output/replace.h"
#include "kernels/base/clock.h"
#include "kernels/base/json.h"

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
    return (struct table){ .fields = target_fields, .field_count = sizeof target_fields / sizeof *target_fields,
                           .rows = row, .row_size = sizeof *row, .row_count = 1, .marked = -1 };
}

static struct table curve_table(const struct curve_row *rows, size_t count)
{
    return (struct table){ .fields = curve_fields, .field_count = curve_field_count, .rows = rows,
                           .row_size = sizeof *rows, .row_count = count, .marked = -1 };
}

/* --- CSV --- */

/* A table's one line without its end, with a comma behind it: two tables side by side. */
static void write_part(FILE *file, const struct table *table, bool names)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    struct table part = *table;
    if (!memory)
        return;
    part.row_count = names ? 0 : 1;
    table_write_csv(memory, &part, names);
    fclose(memory);
    fprintf(file, "%.*s,", (int)(size - 1), text);
    free(text);
}

void curves_write_csv(FILE *file, const struct campaign *campaign)
{
    const struct target_fields none = { .threads = 0 };
    const struct table names = target_table(&none), curve_names = curve_table(NULL, 0);
    write_part(file, &names, true);
    table_write_csv(file, &curve_names, true);
    for (size_t t = 0; t < campaign->target_count; t++) {
        const struct target_fields row = fields_of(campaign, &campaign->targets[t]);
        const struct table target = target_table(&row);
        for (size_t p = 0; p < campaign->targets[t].point_count; p++) {
            struct curve_row point;
            curve_row_of(&point, &campaign->targets[t], &campaign->targets[t].points[p]);
            const struct table curve = curve_table(&point, 1);
            write_part(file, &target, false);
            table_write_csv(file, &curve, false);
        }
    }
}

/* --- JSON --- */

static json_t *decision_json(struct document *d, const struct target_view *t)
{
    json_t *out = json_object();
    if (!t->has_decision) {
        json_decref(out);
        return json_null();
    }
    document_int_or_null(d, out, "batch", t->decision.batch);
    document_text(d, out, "confidence", t->decision.confidence);
    document_bool(d, out, "verified", t->decision.verified);
    document_text_or_null(d, out, "cause", t->decision.cause);
    document_text(d, out, "reason", t->decision.reason);
    document_real(d, out, "x", t->decision.x);
    document_int_or_null(d, out, "leader", t->decision.leader);
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
    struct curve_row *points = calloc(t->point_count + 1, sizeof *points);
    for (size_t p = 0; points && p < t->point_count; p++)
        curve_row_of(&points[p], t, &t->points[p]);
    const struct table curve = curve_table(points, points ? t->point_count : 0);
    document_put(d, out, "curve", points ? table_json(&curve) : NULL);
    free(points);
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

enum status curves_write_files(const struct campaign *campaign, const char *folder, struct err *err)
{
    char *csv = NULL;
    size_t size = 0;
    json_t *document = curves_json(campaign);
    char *json = json_write_text(document, JSON_INDENTED);
    FILE *memory = open_memstream(&csv, &size);
    if (memory) {
        curves_write_csv(memory, campaign);
        fclose(memory);
    }
    enum status st = put_file(folder, "curves.csv", csv, size, err);
    if (st == ST_OK)
        st = put_file(folder, "curves.json", json, json ? strlen(json) : 0, err);
    free(csv);
    free(json);
    json_decref(document);
    return st;
}
