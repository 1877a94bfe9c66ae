/* The curves for people: what `bench show` prints and the lines at the end of `bench tune`. */
#include "bench/output/curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "kernels/base/text.h"

struct paint {
    const char *bold, *dim, *good, *warn, *off;
};

static struct paint paint_of(bool colour)
{
    return colour ? (struct paint){ "\033[1m", "\033[2m", "\033[1;32m", "\033[1;33m", "\033[0m" }
                  : (struct paint){ "", "", "", "", "" };
}

/* Control characters of stored texts must not reach a terminal. */
static void write_plain(FILE *file, const char *text)
{
    for (; *text; text++)
        fputc((unsigned char)*text < 32 || *text == 127 ? '?' : *text, file);
}

/* --- heading --- */

static void write_heading(FILE *file, const struct campaign *campaign, const struct target_view *t,
                          const struct paint *paint)
{
    const struct target_row *r = &t->row;
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
    curve_caveat(caveat, sizeof caveat, campaign, t);
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
        if (t->has_decision && t->decision.batch == t->points[i].batch)
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
        const struct table table = { .fields = curve_fields, .field_count = curve_field_count, .rows = shown.rows,
                                     .row_size = sizeof *shown.rows, .row_count = shown.count,
                                     .marked = shown.marked, .mark_text = shown.mark, .colour = colour };
        table_write_text(file, &table);
    }
    free(shown.rows);
}

/* --- decision and why --- */

/* The fastest size if another one was chosen: what the choice gives away. */
static void write_runner_up(FILE *file, const struct target_view *t)
{
    const struct point_view *chosen = NULL, *best = NULL;
    for (size_t i = 0; i < t->point_count; i++) {
        const struct point_view *p = &t->points[i];
        if (p->batch == t->decision.batch)
            chosen = p;
        if (curve_point_is_valid(p) && (!best || p->estimate.y > best->estimate.y))
            best = p;
    }
    if (best && chosen && best != chosen)
        fprintf(file, "; the fastest is batch %d with %.4g images/s (%.1f %% more)", best->batch,
                exp(best->estimate.y), 100 * (exp(best->estimate.y - chosen->estimate.y) - 1));
}

static void write_decision(FILE *file, const struct target_view *t, const struct paint *paint)
{
    const struct decision_row *d = &t->decision;
    if (!t->has_decision) {
        fprintf(file, "%sno decision%s", paint->warn, paint->off);
        if (*t->row.result || *t->row.detail) {
            fprintf(file, ": %s%s", t->row.result, *t->row.detail ? ": " : "");
            write_plain(file, t->row.detail);
        }
        fprintf(file, "\n");
        return;
    }
    if (d->batch) {
        fprintf(file, "%sbatch %d%s: %s%s%s, %s", paint->good, d->batch, paint->off, d->confidence,
                *d->cause ? " because of " : "", d->cause, d->verified ? "verified in fresh executions" : "not verified in fresh executions");
        write_runner_up(file, t);
    } else {
        fprintf(file, "%sno usable batch size%s: ", paint->warn, paint->off);
        write_plain(file, d->reason);
    }
    fprintf(file, "\n");
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
        if (t->has_decision && t->points[i].batch == t->decision.batch)
            marked = (int)count;
        rows[count].batch = t->points[i].batch;
        snprintf(rows[count].reason, sizeof rows->reason, "%s", t->points[i].why.reason);
        snprintf(rows[count++].text, sizeof rows->text, "%s", t->points[i].why.text);
    }
    const struct table table = { .fields = why_fields, .field_count = 3, .rows = rows, .row_size = sizeof *rows,
                                 .row_count = count, .marked = marked, .colour = colour };
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
            write_plain(file, a->detail);
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
            write_plain(file, f->text);
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
    write_plain(file, run->argv ? run->argv : "");
    if (!run->argv || !strstr(run->argv, "--seed"))
        fprintf(file, " --seed %llu", (unsigned long long)run->seed);
    fprintf(file, "\n");
    for (size_t i = 0; i < campaign->target_count; i++) {
        const struct target_view *t = &campaign->targets[i];
        if (options->model && strcmp(options->model, t->row.model) != 0)
            continue;
        fprintf(file, "\n");
        write_heading(file, campaign, t, &paint);
        write_curve(file, t, options->colour);
        write_decision(file, t, &paint);
        write_accuracy(file, t);
        write_marks(file, t, &paint);
        write_skewed(file, t, &paint);
        write_whys(file, t, options->colour);
    }
    fprintf(file, "\n");
    write_environment(file, campaign, &paint);
}

/* --- summary --- */

struct summary_row {
    char   model[RECORD_NAME], engine[RECORD_NAME], device[RECORD_NAME], precision[16];
    int    batch;
    double images_per_s, plus_minus_percent, service_p50_ms;
    uint64_t peak_bytes;
    char   confidence[16], output[16], caveat[160], result[RECORD_TEXT];
};
#define AT(member) .offset = offsetof(struct summary_row, member)
static const struct field summary_fields[] = {
    { .name = "model",        .unit = "",       AT(model),        .type = FIELD_TEXT },
    { .name = "engine",       .unit = "",       AT(engine),       .type = FIELD_TEXT },
    { .name = "device",       .unit = "",       AT(device),       .type = FIELD_TEXT },
    { .name = "precision",    .unit = "",       AT(precision),    .type = FIELD_TEXT },
    { .name = "batch",        .unit = "images", AT(batch),        .type = FIELD_INT,
      .zero_unknown = true },
    { .name = "images_per_s", .unit = "1/s",    AT(images_per_s), .type = FIELD_REAL, .digits = 3,
      .significant = true },
    { .name = "+-95%",        .unit = "%",      AT(plus_minus_percent), .type = FIELD_REAL, .digits = 1 },
    { .name = "service_p50",  .unit = "ms",     AT(service_p50_ms), .type = FIELD_REAL, .digits = 3,
      .significant = true },
    { .name = "peak",         .unit = "bytes",  AT(peak_bytes),   .type = FIELD_BYTES },
    { .name = "confidence",   .unit = "",       AT(confidence),   .type = FIELD_TEXT },
    { .name = "output",       .unit = "",       AT(output),       .type = FIELD_TEXT },
    { .name = "caveat",       .unit = "",       AT(caveat),       .type = FIELD_TEXT },
    { .name = "result",       .unit = "",       AT(result),       .type = FIELD_TEXT },
};
#undef AT

static void summarize(struct summary_row *out, const struct campaign *campaign, const struct target_view *t)
{
    const double none = (double)NAN;
    *out = (struct summary_row){ .images_per_s = none, .plus_minus_percent = none, .service_p50_ms = none };
    snprintf(out->model, sizeof out->model, "%s", t->row.model);
    snprintf(out->engine, sizeof out->engine, "%s", t->row.engine);
    snprintf(out->device, sizeof out->device, "%s", t->row.device);
    snprintf(out->precision, sizeof out->precision, "%s", t->row.precision);
    snprintf(out->confidence, sizeof out->confidence, "%s", t->has_decision ? t->decision.confidence : "");
    curve_caveat(out->caveat, sizeof out->caveat, campaign, t);
    out->batch = t->has_decision ? t->decision.batch : 0;
    if (!out->batch)
        snprintf(out->result, sizeof out->result, "%s",
                 t->has_decision ? t->decision.reason : *t->row.detail ? t->row.detail : "no decision");
    for (size_t i = 0; out->batch && i < t->point_count; i++) {
        struct curve_row row;
        if (t->points[i].batch != out->batch)
            continue;
        curve_row_of(&row, t, &t->points[i]);
        out->images_per_s = row.images_per_s;
        out->plus_minus_percent = row.plus_minus_percent;
        out->service_p50_ms = row.service_p50_ms;
        out->peak_bytes = row.peak_bytes;
        snprintf(out->output, sizeof out->output, "%s", row.output);
    }
}

void curves_summary(FILE *file, const struct campaign *campaign, bool colour)
{
    struct summary_row *rows = calloc(campaign->target_count + 1, sizeof *rows);
    for (size_t i = 0; rows && i < campaign->target_count; i++)
        summarize(&rows[i], campaign, &campaign->targets[i]);
    const struct table table = { .fields = summary_fields,
                                 .field_count = sizeof summary_fields / sizeof *summary_fields, .rows = rows,
                                 .row_size = sizeof *rows, .row_count = rows ? campaign->target_count : 0,
                                 .marked = -1, .colour = colour };
    table_write_text(file, &table);
    free(rows);
}
