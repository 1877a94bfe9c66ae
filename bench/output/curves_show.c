/* The curves for people: what `bench show` prints and the lines at the end of `bench tune`. */
#include "bench/output/curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/decided.h"
#include "bench/output/details.h"
#include "bench/output/side_by_side.h"
#include "kernels/base/clock.h"
#include "kernels/base/len.h"
#include "kernels/base/text.h"

/* --- heading --- */

void curves_heading(FILE *file, const struct campaign *campaign, const struct target_view *target,
                    const struct paint *paint)
{
    const struct target_row *r = &target->row;
    char caveat[160], weights[32];
    fprintf(file, "%s%s  %s  %s  %s  %d thread%s  %d instance%s  %dx%dx%d  %s%s", paint->bold, r->model,
            r->engine, r->device, r->precision, r->threads, r->threads == 1 ? "" : "s", r->instances,
            r->instances == 1 ? "" : "s", r->shape[0], r->shape[1], r->shape[2], r->mode, paint->off);
    if (r->macs_per_image)
        fprintf(file, "  %s%.3g GMAC per image%s", paint->dim, (double)r->macs_per_image / 1e9, paint->off);
    if (r->weight_bytes) {
        text_of_bytes(weights, sizeof weights, r->weight_bytes);
        fprintf(file, "  %sweights %s%s", paint->dim, weights, paint->off);
    }
    curve_caveat(caveat, sizeof caveat, campaign, target);
    fprintf(file, "\n");
    if (*caveat)
        fprintf(file, "%sNO MEASUREMENT TO RELY ON: %s%s\n", paint->warn, caveat, paint->off);
}

/* --- the curve --- */

struct shown {
    struct curve_row *rows;
    size_t count;
    int    marked;
    char   mark[RECORD_TEXT];
};

/* Only what has a number; everything else is in the table of why. */
static void collect(struct shown *out, const struct target_view *t)
{
    *out = (struct shown){ .rows = calloc(t->point_count + 1, sizeof *out->rows), .marked = -1 };
    for (size_t i = 0; out->rows && i < t->point_count; i++) {
        if (!t->points[i].has_estimate)
            continue;
        if (&t->points[i] == target_chosen(t))
            out->marked = (int)out->count;
        curve_row_of(&out->rows[out->count++], t, &t->points[i]);
    }
    snprintf(out->mark, sizeof out->mark, "<- chosen: %s", t->has_decision ? t->decision.reason : "");
}

static void write_curve(FILE *file, const struct target_view *t, bool colour)
{
    struct shown shown;
    collect(&shown, t);
    if (shown.count) {
        const struct table table = { .fields = curve_fields,
                                     .field_count = curve_field_count,
                                     .rows = shown.rows,
                                     .row_size = sizeof *shown.rows,
                                     .row_count = shown.count,
                                     .marked = shown.marked,
                                     .mark_text = shown.mark,
                                     .colour = colour };
        table_write_text(file, &table);
    }
    free(shown.rows);
}

/* --- decision and why --- */

/* The fastest size if another one was chosen: what the choice gives away. Both by the race, where they were
 * compared. */
static void write_runner_up(FILE *file, const struct target_view *t)
{
    const struct point_view *chosen = target_chosen(t), *best = target_fastest(t);
    if (best && chosen && best != chosen)
        fprintf(file, "; the fastest is batch %d with %.4g images/s (%.1f %% more)", best->batch,
                exp(best->estimate.y), 100 * (exp(best->estimate.y - chosen->estimate.y) - 1));
}

/* A label and its sentence, if there is one. */
static void write_fact(FILE *file, const char *label, const char *text)
{
    if (!*text)
        return;
    fprintf(file, "%s: ", label);
    paint_plain(file, text);
    fputc('\n', file);
}

static void write_facts(FILE *file, const struct target_view *t)
{
    const struct decision_row *d = &t->decision;
    char text[DECIDED_TEXT], fill[2048];
    if (!t->has_decision || !d->optimal)
        return;
    decided_limit(text, t);
    write_fact(file, "limit", text);
    decided_memory(text, t);
    write_fact(file, "memory", text);
    decided_max_safe(text, t);
    write_fact(file, "max_safe", text);
    fill_phrase(fill, sizeof fill, t);
    write_fact(file, "fill", fill);
    decided_first_use(text, t);
    write_fact(file, "first use", text);
    decided_queue(text, t);
    write_fact(file, "open loop", text);
}

/* Without a size: why there is none. */
static void write_no_size(FILE *file, const struct target_view *t)
{
    char text[DECIDED_TEXT];
    if (!t->has_decision && *t->row.result)
        fprintf(file, ": %s", t->row.result);
    decided_claim(text, t);
    fprintf(file, "%s", *text ? ": " : "");
    paint_plain(file, text);
}

static void write_decision(FILE *file, const struct target_view *t, const struct paint *paint)
{
    char text[DECIDED_TEXT];
    const bool good = target_served_batch(t) != 0;
    decided_word(text, t);
    fprintf(file, "%s%s%s", good ? paint->good : paint->warn, text, paint->off);
    if (good) {
        decided_rate(text, target_chosen(t));
        fprintf(file, "%s%s", *text ? "; " : "", text);
        write_runner_up(file, t);
    } else {
        write_no_size(file, t);
    }
    fprintf(file, "\n");
    write_facts(file, t);
}

struct why_text_row {
    int  batch;
    char reason[32];
    char text[RECORD_TEXT];
};
#define AT(member) .offset = offsetof(struct why_text_row, member)
static const struct field why_fields[] = {
    { .name = "batch",  .unit = "images", AT(batch),  .type = FIELD_INT },
    { .name = "reason", .unit = "",       AT(reason), .type = FIELD_TEXT, .heading = "why" },
    { .name = "text",   .unit = "",       AT(text),   .type = FIELD_TEXT, .heading = "" },
};
#undef AT

static void write_whys(FILE *file, const struct target_view *t, bool colour)
{
    size_t count = 0;
    int marked = -1;
    struct why_text_row *rows = calloc(t->point_count + 1, sizeof *rows);
    for (size_t i = 0; rows && i < t->point_count; i++) {
        if (!t->points[i].has_why)
            continue;
        if (&t->points[i] == target_chosen(t))
            marked = (int)count;
        rows[count].batch = t->points[i].batch;
        snprintf(rows[count].reason, sizeof rows->reason, "%s", t->points[i].why.reason);
        snprintf(rows[count++].text, sizeof rows->text, "%s", t->points[i].why.text);
    }
    const struct table table = { .fields = why_fields,
                                 .field_count = 3,
                                 .rows = rows,
                                 .row_size = sizeof *rows,
                                 .row_count = count,
                                 .marked = marked,
                                 .colour = colour };
    if (count)
        table_write_text(file, &table);
    free(rows);
}

static void write_accuracy(FILE *file, const struct target_view *t)
{
    for (size_t i = 0; i < t->accuracy_count; i++) {
        const struct accuracy_row *a = &t->accuracy[i];
        fprintf(file, "accuracy: %s: %s", a->check, a->outcome);
        if (isfinite(a->rel_l2))
            fprintf(file, ", relL2 %.2g (limit %.2g)", a->rel_l2, a->rel_l2_limit);
        if (isfinite(a->mask))
            fprintf(file, ", mask %.2g %% (limit %.2g %%)", 100 * a->mask, 100 * a->mask_limit);
        if (*a->detail) {
            fprintf(file, ": ");
            paint_plain(file, a->detail);
        }
        fprintf(file, "\n");
    }
}

static void write_marks(FILE *file, const struct target_view *t, const struct paint *paint)
{
    for (size_t i = 0; i < t->mark_count; i++) {
        const struct mark_row *m = &t->marks[i];
        if (strcmp(m->subject, "target") != 0 && strcmp(m->subject, "point") != 0)
            continue; /* those of blocks and executions are counted in the table */
        char text[CURVE_MARK_SIZE];
        curve_mark_text(text, m);
        fprintf(file, "%swarning%s: %s\n", paint->warn, paint->off, text);
    }
}

/* A point whose images by the wall clock are fewer than its median iteration promises: both are said. */
static void write_skewed(FILE *file, const struct target_view *t, const struct paint *paint)
{
    for (size_t i = 0; i < t->point_count; i++) {
        const struct estimate_row *e = &t->points[i].estimate;
        if (t->points[i].has_estimate && strstr(e->labels, "skewed"))
            fprintf(file,
                    "%swarning%s: batch %d: skewed: %.4g images/s by the wall clock, %.4g by the median\n",
                    paint->warn, paint->off, t->points[i].batch, e->wall_images_per_s, exp(e->y));
    }
}

/* --- the campaign --- */

static void write_environment(FILE *file, const struct campaign *campaign, const struct paint *paint)
{
    fprintf(file, "%senvironment%s\n", paint->bold, paint->off);
    for (size_t i = 0; i < campaign->environment_count; i++) {
        const struct field_row *f = &campaign->environment[i];
        fprintf(file, "  %-22s ", f->name);
        if (*f->absent)
            fprintf(file, "- (%s)", f->absent);
        else if (f->is_number)
            fprintf(file, f->number == floor(f->number) && fabs(f->number) < 1e15 ? "%.0f" : "%.6g",
                    f->number);
        else
            paint_plain(file, f->text);
        fprintf(file, "\n");
    }
}

void curves_show(FILE *file, const struct campaign *campaign, const struct show_options *options)
{
    const struct run_row *run = &campaign->run;
    const struct paint paint = paint_of(options->colour);
    char start[CLOCK_STAMP_SIZE];
    clock_stamp(start, run->start_unix_s);
    fprintf(file, "campaign %s  started %s  %s  %s build %s\nagain: ", run->name, start, run->state,
            run->variant, run->build);
    paint_plain(file, run->argv ? run->argv : "");
    if (!run->argv || !strstr(run->argv, "--seed"))
        fprintf(file, " --seed %llu", (unsigned long long)run->seed);
    fprintf(file, "\n");
    for (size_t i = 0; i < campaign->target_count; i++) {
        const struct target_view *t = &campaign->targets[i];
        if (options->model && strcmp(options->model, t->row.model) != 0)
            continue;
        fprintf(file, "\n");
        curves_heading(file, campaign, t, &paint);
        write_curve(file, t, options->colour);
        write_decision(file, t, &paint);
        write_accuracy(file, t);
        write_marks(file, t, &paint);
        write_skewed(file, t, &paint);
        write_whys(file, t, options->colour);
    }
    fprintf(file, "\n");
    if (side_by_side_applies(campaign)) {
        side_write_text(file, campaign, options->model, options->colour);
        fprintf(file, "\n");
    }
    write_environment(file, campaign, &paint);
}

/* --- summary --- */

struct summary_row {
    char   model[RECORD_NAME], engine[RECORD_NAME], device[RECORD_NAME], precision[16];
    int    threads, instances;       /* 0: the same for all targets, not shown */
    int    batch;
    double images_per_s, low, high, service_p50_ms;
    uint64_t peak_bytes;
    int    max_safe;
    char   confidence[80], output[16], caveat[160], result[RECORD_TEXT];
};
#define AT(member) .offset = offsetof(struct summary_row, member)
static const struct field summary_fields[] = {
    { .name = "model",        .unit = "",       AT(model),        .type = FIELD_TEXT },
    { .name = "engine",       .unit = "",       AT(engine),       .type = FIELD_TEXT },
    { .name = "device",       .unit = "",       AT(device),       .type = FIELD_TEXT },
    { .name = "precision",    .unit = "",       AT(precision),    .type = FIELD_TEXT },
    { .name = "threads",      .unit = "",       AT(threads),      .type = FIELD_INT, .zero_unknown = true },
    { .name = "instances",    .unit = "",       AT(instances),    .type = FIELD_INT, .zero_unknown = true },
    { .name = "batch",        .unit = "images", AT(batch),        .type = FIELD_INT,
      .zero_unknown = true },
    { .name = "images_per_s", .unit = "1/s",    AT(images_per_s), .type = FIELD_REAL, .digits = 3,
      .significant = true },
    { .name = "low",          .unit = "1/s",    AT(low),          .type = FIELD_REAL, .digits = 3,
      .significant = true },
    { .name = "high",         .unit = "1/s",    AT(high),         .type = FIELD_REAL, .digits = 3,
      .significant = true },
    { .name = "max_safe",     .unit = "images", AT(max_safe),     .type = FIELD_INT, .zero_unknown = true },
    { .name = "service_p50",  .unit = "ms",     AT(service_p50_ms), .type = FIELD_REAL, .digits = 3,
      .significant = true },
    { .name = "peak",         .unit = "bytes",  AT(peak_bytes),   .type = FIELD_BYTES },
    { .name = "confidence",   .unit = "",       AT(confidence),   .type = FIELD_TEXT },
    { .name = "output",       .unit = "",       AT(output),       .type = FIELD_TEXT },
    { .name = "caveat",       .unit = "",       AT(caveat),       .type = FIELD_TEXT },
    { .name = "result",       .unit = "",       AT(result),       .type = FIELD_TEXT },
};
#undef AT

/* The numbers of the served size, as they are published. */
static void summarize_point(struct summary_row *out, const struct target_view *t, const struct point_view *p)
{
    const struct estimate_row *e = point_published(p);
    out->images_per_s = exp(e->y);
    if (estimate_has_interval(e)) {
        out->low = exp(e->y_low);
        out->high = exp(e->y_high);
    }
    out->service_p50_ms = p->estimate.service_p50_ms;
    out->peak_bytes = p->prepared.peak_bytes;
    snprintf(out->output, sizeof out->output, "%s", curve_output_word(t));
}

static void summarize(struct summary_row *out, const struct campaign *campaign, const struct target_view *t)
{
    const double none = (double)NAN;
    const struct point_view *p = target_chosen(t);
    char text[DECIDED_TEXT];
    *out = (struct summary_row){ .images_per_s = none, .low = none, .high = none, .service_p50_ms = none };
    snprintf(out->model, sizeof out->model, "%s", t->row.model);
    snprintf(out->engine, sizeof out->engine, "%s", t->row.engine);
    snprintf(out->device, sizeof out->device, "%s", t->row.device);
    snprintf(out->precision, sizeof out->precision, "%s", t->row.precision);
    curve_caveat(out->caveat, sizeof out->caveat, campaign, t);
    out->batch = target_served_batch(t);
    out->max_safe = out->batch ? t->decision.max_safe : 0;
    const char *cause = decided_cause(&t->decision);
    if (t->has_decision && *t->decision.confidence)
        snprintf(out->confidence, sizeof out->confidence, "%s%s%s%s%s", t->decision.confidence,
                 *cause ? " (" : "", cause, *cause ? ")" : "", target_is_verified(t) ? ", verified" : "");
    if (p)
        summarize_point(out, t, p);
    if (out->batch)
        return;
    decided_claim(text, t);
    snprintf(out->result, sizeof out->result, "%s", text);
}

/* Threads and instances tell targets apart only where they differ. */
static void summarize_workers(struct summary_row *rows, const struct campaign *campaign)
{
    bool threads = false, instances = false;
    for (size_t i = 1; i < campaign->target_count; i++) {
        threads |= campaign->targets[i].row.threads != campaign->targets[0].row.threads;
        instances |= campaign->targets[i].row.instances != campaign->targets[0].row.instances;
    }
    for (size_t i = 0; i < campaign->target_count; i++) {
        rows[i].threads = threads ? campaign->targets[i].row.threads : 0;
        rows[i].instances = instances ? campaign->targets[i].row.instances : 0;
    }
}

void curves_summary(FILE *file, const struct campaign *campaign, bool colour)
{
    struct summary_row *rows = calloc(campaign->target_count + 1, sizeof *rows);
    for (size_t i = 0; rows && i < campaign->target_count; i++)
        summarize(&rows[i], campaign, &campaign->targets[i]);
    if (rows)
        summarize_workers(rows, campaign);
    const struct table table = { .fields = summary_fields,
                                 .field_count = sizeof summary_fields / sizeof *summary_fields, .rows = rows,
                                 .row_size = sizeof *rows, .row_count = rows ? campaign->target_count : 0,
                                 .marked = -1, .colour = colour };
    table_write_text(file, &table);
    free(rows);
}
