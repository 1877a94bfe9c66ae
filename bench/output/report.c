#include "bench/output/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/curves.h"
#include "bench/output/decided.h"
#include "bench/output/details.h"
#include "bench/output/html.h"
#include "bench/output/pareto.h"
#include "bench/output/side_by_side.h"
#include "bench/output/template.h"
#include "bench/output/why_table.h"
#include "kernels/base/clock.h"

struct page {
    FILE *file;
    const struct campaign *campaign;
    const struct plots *plots;      /* NULL: none */
};

/* --- verdicts --- */

/* Is this the fastest decided target of its model, and are there others? */
static bool is_fastest(const struct campaign *campaign, const struct target_view *t)
{
    bool others = false;
    for (size_t i = 0; i < campaign->target_count; i++) {
        const struct target_view *other = &campaign->targets[i];
        if (other == t || !target_chosen(other) || strcmp(other->row.model, t->row.model) != 0)
            continue;
        others = true;
        if (target_is_faster(other, t))
            return false;
    }
    return others;
}

/* What to use, what it gives, how sure that is. */
static void write_verdict_text(const struct page *p, const struct target_view *t,
                               const struct point_view *point)
{
    char text[DECIDED_TEXT];
    decided_rate(text, point);
    const char *more = strstr(text, " (");
    const size_t size = more ? (size_t)(more - text) : strlen(text);
    fprintf(p->file, "<b>Batch %d</b> gives <b>%.*s</b>", point->batch, (int)size, text);
    html_text(p->file, text + size);
    if (isfinite(point->estimate.service_p50_ms))
        fprintf(p->file, " at %.4g&nbsp;ms per batch", point->estimate.service_p50_ms);
    fprintf(p->file, ": ");
    html_text(p->file, t->decision.reason);
    fprintf(p->file, ".</p><p class=\"faint\">");
    decided_word(text, t);
    html_text(p->file, text);
    fprintf(p->file, "; output %s%s</p>", curve_output_word(t),
            is_fastest(p->campaign, t) ? "; <b>the fastest target of this model</b>" : "");
}

static void write_verdict(const struct page *p, const struct target_view *t)
{
    const struct point_view *point = target_chosen(t);
    const bool sure =
        strcmp(t->decision.confidence, "decided") == 0 || strcmp(t->decision.confidence, "within") == 0;
    char caveat[160], text[DECIDED_TEXT];
    curve_caveat(caveat, sizeof caveat, p->campaign, t);
    fprintf(p->file, "<div class=\"verdict%s\"><p class=\"faint\">",
            !point || *caveat ? " bad"
            : sure            ? ""
                              : " open");
    html_text(p->file, t->row.model);
    fprintf(p->file, " &middot; ");
    html_text(p->file, t->row.engine);
    fprintf(p->file, " ");
    html_text(p->file, t->row.device);
    fprintf(p->file, " ");
    html_text(p->file, t->row.precision);
    fprintf(p->file, "</p><p>");
    if (point) {
        write_verdict_text(p, t, point);
    } else {
        decided_claim(text, t);
        fprintf(p->file, "<b>No batch size</b>: ");
        html_text(p->file, *text ? text : "no decision");
        fprintf(p->file, "</p>");
    }
    if (*caveat) {
        fprintf(p->file, "<p class=\"warn\">No measurement to rely on: ");
        html_text(p->file, caveat);
        fprintf(p->file, "</p>");
    }
    fprintf(p->file, "</div>\n");
}

/* CPU and GPU at the same work. */
static void write_side_by_side(const struct page *p)
{
    struct side_row *rows;
    size_t count;
    side_rows(&rows, &count, p->campaign);
    const struct table table = { .fields = side_fields, .field_count = side_field_count, .rows = rows,
                                 .row_size = sizeof *rows, .row_count = count, .marked = -1 };
    if (count) {
        fprintf(p->file,
                "<h2>GPU over CPU</h2>\n<p class=\"faint\">Images per second of the GPU over those of the CPU, "
                "measured in this campaign at the same work: model, weights, precision, input, mode. Low and "
                "high: 95&nbsp;%% interval over the rounds of both races; verified: medians over fresh "
                "executions with their range.</p>\n<div class=\"scroll\">");
        html_table(p->file, &table);
        fprintf(p->file, "</div>\n");
    }
    free(rows);
}

static void write_verdicts(const struct page *p)
{
    for (size_t i = 0; i < p->campaign->target_count; i++)
        write_verdict(p, &p->campaign->targets[i]);
    write_side_by_side(p);
}

/* --- warnings --- */

static void warn(const struct page *p, const char *who, const char *text)
{
    fprintf(p->file, "<p class=\"warn\">");
    html_text(p->file, who);
    fprintf(p->file, "%s", *who ? ": " : "");
    html_text(p->file, text);
    fprintf(p->file, "</p>\n");
}

static void write_warnings(const struct page *p)
{
    const struct run_row *run = &p->campaign->run;
    char text[RECORD_TEXT + 80];
    if (strcmp(run->variant, "release") != 0)
        warn(p, "", "Measured by a debug or sanitizer build: these numbers say nothing about speed.");
    if (strcmp(run->state, "done") != 0) {
        snprintf(text, sizeof text,
                 "The campaign did not run to its end (%s): the decisions are the best so far.", run->state);
        warn(p, "", text);
    }
    if (!p->plots || !p->plots->drawn)
        warn(p, "",
             "No plots: gnuplot was not found when this page was made (Debian, Ubuntu: apt-get install "
             "gnuplot-nox, then bench report).");
    for (size_t i = 0; i < p->campaign->target_count; i++) {
        const struct target_view *t = &p->campaign->targets[i];
        for (size_t k = 0; k < t->mark_count; k++) {
            const struct mark_row *m = &t->marks[k];
            if (strcmp(m->subject, "target") != 0 && strcmp(m->subject, "point") != 0)
                continue;
            curve_mark_text(text, m);
            warn(p, t->row.model, text);
        }
    }
}

/* --- a model --- */

static void write_plots(const struct page *p, const char *model)
{
    if (!p->plots || !p->plots->drawn)
        return;
    fprintf(p->file, "<div class=\"plots\">\n");
    for (size_t i = 0; i < p->plots->count; i++) {
        const struct plot_file *f = &p->plots->files[i];
        if (strcmp(f->model, model) != 0)
            continue;
        fprintf(p->file, "<figure>");
        if (html_svg(p->file, f->svg, f->title) != 0) {
            fprintf(p->file, "<p class=\"faint\">");
            html_text(p->file, f->title);
            fprintf(p->file, ": the picture could not be read</p>");
        }
        fprintf(p->file, "</figure>\n");
    }
    fprintf(p->file, "</div>\n");
}

static void write_table(const struct page *p, const struct field *fields, size_t field_count,
                        const void *rows, size_t row_size, size_t count, int marked)
{
    const struct table table = { .fields = fields,
                                 .field_count = field_count,
                                 .rows = rows,
                                 .row_size = row_size,
                                 .row_count = count,
                                 .marked = marked };
    fprintf(p->file, "<div class=\"scroll\">");
    if (count)
        html_table(p->file, &table);
    fprintf(p->file, "</div>\n");
}

static void write_curve(const struct page *p, const struct target_view *t)
{
    struct curve_row *rows = calloc(t->point_count + 1, sizeof *rows);
    size_t count = 0;
    int marked = -1;
    for (size_t i = 0; rows && i < t->point_count; i++) {
        if (!t->points[i].has_estimate)
            continue;
        if (&t->points[i] == target_chosen(t))
            marked = (int)count;
        curve_row_of(&rows[count++], t, &t->points[i]);
    }
    write_table(p, curve_fields, curve_field_count, rows, sizeof *rows, count, marked);
    free(rows);
}

static void begin_details(const struct page *p, const char *summary, bool open)
{
    fprintf(p->file, "<details%s><summary>%s</summary>\n", open ? " open" : "", summary);
}

static void end_details(const struct page *p)
{
    fprintf(p->file, "</details>\n");
}

/* What the decision rests on, as pairs of a word and a sentence. */
static void write_facts(const struct page *p, const struct target_view *t)
{
    struct why_facts facts;
    char text[DECIDED_TEXT];
    decided_claim(text, t);
    fprintf(p->file, "<p class=\"claim\">");
    html_text(p->file, text);
    fprintf(p->file, "</p>\n<dl>");
    why_facts_of(&facts, t);
    for (size_t i = 0; i < facts.count; i++) {
        fprintf(p->file, "<dt>%s</dt><dd>", facts.items[i].label);
        html_text(p->file, facts.items[i].text);
        fprintf(p->file, "</dd>");
    }
    decided_next_step(text, t);
    if (*text) {
        fprintf(p->file, "<dt>next</dt><dd>");
        html_text(p->file, text);
        fprintf(p->file, "</dd>");
    }
    fprintf(p->file, "</dl>\n");
}

static void write_whys(const struct page *p, const struct target_view *t)
{
    size_t count;
    int marked;
    struct why_line *lines = why_lines(t, &count, &marked);
    begin_details(p, "Why this size and not another", true);
    write_table(p, why_line_fields, why_line_field_count, lines, sizeof *lines, count, marked);
    end_details(p);
    free(lines);
}

static void write_looks(const struct page *p, const struct target_view *t)
{
    size_t count;
    struct look_line *lines = look_lines(t, &count);
    if (count) {
        begin_details(p, "How the race went", false);
        write_table(p, look_line_fields, look_line_field_count, lines, sizeof *lines, count, -1);
        end_details(p);
    }
    free(lines);
}

static void write_verification(const struct page *p, const struct target_view *t)
{
    size_t count;
    struct verify_line *lines = verify_lines(t, &count);
    if (count) {
        begin_details(p, "Verification in fresh executions", false);
        write_table(p, verify_line_fields, verify_line_field_count, lines, sizeof *lines, count, -1);
        end_details(p);
    }
    free(lines);
}

static void write_pareto(const struct page *p, const struct target_view *t)
{
    size_t count;
    int marked;
    struct pareto_line *lines = pareto_lines(t, &count, &marked);
    if (count) {
        begin_details(p, "Throughput against latency: what is never worth taking", false);
        write_table(p, pareto_fields, pareto_field_count, lines, sizeof *lines, count, marked);
        end_details(p);
    }
    free(lines);
}

static void write_fill(const struct page *p, const struct target_view *t)
{
    struct fill_line *lines = fill_lines(t);
    char text[2048];
    fill_phrase(text, sizeof text, t);
    if (t->fill_count && lines) {
        begin_details(p, "What a part-filled batch costs", false);
        fprintf(p->file, "<p>");
        html_text(p->file, text);
        fprintf(p->file, ".</p>\n");
        write_table(p, fill_line_fields, fill_line_field_count, lines, sizeof *lines, t->fill_count, -1);
        end_details(p);
    }
    free(lines);
}

static void write_accuracy(const struct page *p, const struct target_view *t)
{
    if (!t->accuracy_count)
        fprintf(p->file, "<p class=\"warn\">Accuracy was not checked.</p>\n");
    for (size_t i = 0; i < t->accuracy_count; i++) {
        const struct accuracy_row *a = &t->accuracy[i];
        fprintf(p->file, "<p class=\"%s\">accuracy, ", strcmp(a->outcome, "failed") == 0 ? "warn" : "faint");
        html_text(p->file, a->check);
        fprintf(p->file, ": ");
        html_text(p->file, a->outcome);
        if (isfinite(a->rel_l2))
            fprintf(p->file, ", relative error %.2g (limit %.2g)", a->rel_l2, a->rel_l2_limit);
        if (isfinite(a->mask))
            fprintf(p->file, ", mask pixels that differ %.2g&nbsp;%% (limit %.2g&nbsp;%%)", 100 * a->mask,
                    100 * a->mask_limit);
        fprintf(p->file, "%s", *a->detail ? ": " : "");
        html_text(p->file, a->detail);
        fprintf(p->file, "</p>\n");
    }
}

static void write_target(const struct page *p, const struct target_view *t)
{
    const struct target_row *r = &t->row;
    fprintf(p->file, "<h3>");
    html_text(p->file, r->engine);
    fprintf(p->file, " &middot; ");
    html_text(p->file, r->device);
    fprintf(p->file, " &middot; ");
    html_text(p->file, r->precision);
    fprintf(p->file, " &middot; %d thread%s &middot; %d instance%s &middot; %d&times;%d&times;%d &middot; ",
            r->threads, r->threads == 1 ? "" : "s", r->instances, r->instances == 1 ? "" : "s", r->shape[0],
            r->shape[1], r->shape[2]);
    html_text(p->file, r->mode);
    fprintf(p->file, "</h3>\n");
    write_facts(p, t);
    write_curve(p, t);
    write_accuracy(p, t);
    write_whys(p, t);
    write_looks(p, t);
    write_verification(p, t);
    write_pareto(p, t);
    write_fill(p, t);
}

static void write_models(const struct page *p)
{
    const struct campaign *c = p->campaign;
    for (size_t i = 0; i < c->target_count; i++) {
        if (!curve_is_first_of_model(c, i))
            continue;
        fprintf(p->file, "<h2>");
        html_text(p->file, c->targets[i].row.model);
        fprintf(p->file, "</h2>\n");
        write_plots(p, c->targets[i].row.model);
        for (size_t k = i; k < c->target_count; k++)
            if (strcmp(c->targets[k].row.model, c->targets[i].row.model) == 0)
                write_target(p, &c->targets[k]);
    }
}

/* --- the rest --- */

static void write_title(const struct page *p)
{
    fprintf(p->file, "bench, campaign ");
    html_text(p->file, p->campaign->run.name);
}

static void write_about(const struct page *p)
{
    const struct run_row *run = &p->campaign->run;
    char stamp[CLOCK_STAMP_SIZE];
    clock_stamp(stamp, run->start_unix_s);
    fprintf(p->file, "started %s", stamp);
    if (run->end_unix_s) {
        clock_stamp(stamp, run->end_unix_s);
        fprintf(p->file, ", ended %s", stamp);
    }
    fprintf(p->file, ", ");
    html_text(p->file, run->state);
    fprintf(p->file, ", build ");
    html_text(p->file, run->build);
    fprintf(p->file, " (");
    html_text(p->file, run->variant);
    fprintf(p->file, ")");
}

static void write_command(const struct page *p)
{
    const struct run_row *run = &p->campaign->run;
    html_text(p->file, run->argv ? run->argv : "");
    if (!run->argv || !strstr(run->argv, "--seed"))
        fprintf(p->file, " --seed %llu", (unsigned long long)run->seed);
    if (run->config_text && *run->config_text) {
        fprintf(p->file, "\n\n# the settings it ran with\n");
        html_text(p->file, run->config_text);
    }
}

static void write_environment(const struct page *p)
{
    fprintf(p->file, "<table><tbody>\n");
    for (size_t i = 0; i < p->campaign->environment_count; i++) {
        const struct field_row *f = &p->campaign->environment[i];
        fprintf(p->file, "<tr><td class=\"text\">");
        html_text(p->file, f->name);
        fprintf(p->file, "</td><td class=\"text wide\">");
        if (*f->absent) {
            fprintf(p->file, "- (");
            html_text(p->file, f->absent);
            fprintf(p->file, ")");
        } else if (f->is_number) {
            fprintf(p->file, f->number == floor(f->number) && fabs(f->number) < 1e15 ? "%.0f" : "%.6g",
                    f->number);
        } else {
            html_text(p->file, f->text);
        }
        fprintf(p->file, "</td></tr>\n");
    }
    fprintf(p->file, "</tbody></table>\n");
}

/* --- the template --- */

#define PLACES(X) X(title) X(about) X(warnings) X(verdicts) X(models) X(command) X(environment)
#define X(name) \
    static void place_##name(FILE *file, const void *context) \
    { \
        struct page page = *(const struct page *)context; \
        page.file = file; \
        write_##name(&page); \
    }
PLACES(X)
#undef X

enum status report_write(const struct campaign *campaign, const struct plots *plots, const char *path,
                         struct err *err)
{
    static const struct template_place places[] = {
#define X(name) { #name, place_##name },
        PLACES(X)
#undef X
    };
    const struct page page = { .campaign = campaign, .plots = plots };
    return template_write(path, "report.html", places, sizeof places / sizeof *places, &page, err);
}
