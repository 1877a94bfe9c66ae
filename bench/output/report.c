#include "bench/output/report.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/curves.h"
#include "bench/output/html.h"
#include "bench/output/replace.h"
#include "kernels/base/clock.h"
#include "kernels/base/home.h"

struct page {
    FILE *file;
    const struct campaign *campaign;
    const struct plots *plots;      /* NULL: none */
};

/* --- verdicts --- */

static const struct point_view *chosen_point(const struct target_view *t)
{
    for (size_t i = 0; t->has_decision && i < t->point_count; i++)
        if (t->points[i].batch == t->decision.batch && t->points[i].has_estimate)
            return &t->points[i];
    return NULL;
}

/* Is this the fastest decided target of its model, and are there others? */
static bool is_fastest(const struct campaign *campaign, const struct target_view *t)
{
    const struct point_view *own = chosen_point(t);
    bool others = false;
    for (size_t i = 0; own && i < campaign->target_count; i++) {
        const struct target_view *other = &campaign->targets[i];
        const struct point_view *p = chosen_point(other);
        if (other == t || !p || strcmp(other->row.model, t->row.model) != 0)
            continue;
        others = true;
        if (p->estimate.y > own->estimate.y)
            return false;
    }
    return others;
}

/* One sentence: what to use, what it gives, how sure that is. */
static void write_verdict(const struct page *p, const struct target_view *t)
{
    const struct point_view *point = chosen_point(t);
    const struct decision_row *d = &t->decision;
    char caveat[160];
    curve_caveat(caveat, sizeof caveat, p->campaign, t);
    fprintf(p->file, "<div class=\"verdict%s\"><p class=\"faint\">", point && !*caveat ? "" : " bad");
    html_text(p->file, t->row.model);
    fprintf(p->file, " &middot; ");
    html_text(p->file, t->row.engine);
    fprintf(p->file, " ");
    html_text(p->file, t->row.device);
    fprintf(p->file, " ");
    html_text(p->file, t->row.precision);
    fprintf(p->file, "</p><p>");
    if (point) {
        struct curve_row row;
        curve_row_of(&row, t, point);
        fprintf(p->file, "<b>Batch %d</b> gives <b>%.4g images/s</b>", d->batch, row.images_per_s);
        if (isfinite(row.plus_minus_percent))
            fprintf(p->file, " (&plusmn; %.1f&nbsp;%%)", row.plus_minus_percent);
        if (isfinite(row.service_p50_ms))
            fprintf(p->file, " at %.4g&nbsp;ms per batch", row.service_p50_ms);
        fprintf(p->file, ": ");
        html_text(p->file, d->reason);
        fprintf(p->file, ".</p><p class=\"faint\">confidence ");
        html_text(p->file, d->confidence);
        fprintf(p->file, ", output %s%s</p>", curve_output_word(t),
                is_fastest(p->campaign, t) ? "; <b>the fastest target of this model</b>" : "");
    } else {
        fprintf(p->file, "<b>No batch size</b>: ");
        html_text(p->file, t->has_decision && *d->reason ? d->reason
                           : *t->row.detail              ? t->row.detail
                                                         : "no decision");
        fprintf(p->file, "</p>");
    }
    if (*caveat) {
        fprintf(p->file, "<p class=\"warn\">No measurement to rely on: ");
        html_text(p->file, caveat);
        fprintf(p->file, "</p>");
    }
    fprintf(p->file, "</div>\n");
}

static void write_verdicts(const struct page *p)
{
    for (size_t i = 0; i < p->campaign->target_count; i++)
        write_verdict(p, &p->campaign->targets[i]);
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

static void write_curve(const struct page *p, const struct target_view *t)
{
    struct curve_row *rows = calloc(t->point_count + 1, sizeof *rows);
    struct table table = { .fields = curve_fields, .field_count = curve_field_count, .rows = rows,
                           .row_size = sizeof *rows, .marked = -1 };
    for (size_t i = 0; rows && i < t->point_count; i++) {
        if (!t->points[i].has_estimate)
            continue;
        if (t->has_decision && t->decision.batch == t->points[i].batch)
            table.marked = (int)table.row_count;
        curve_row_of(&rows[table.row_count++], t, &t->points[i]);
    }
    fprintf(p->file, "<div class=\"scroll\">");
    if (table.row_count)
        html_table(p->file, &table);
    fprintf(p->file, "</div>\n");
    free(rows);
}

static void write_whys(const struct page *p, const struct target_view *t)
{
    fprintf(p->file, "<details><summary>Why this size and not another</summary><div class=\"scroll\"><table><thead><tr>"
            "<th>batch</th><th class=\"text\">why</th><th class=\"text\">in words</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < t->point_count; i++) {
        const struct why_row *why = &t->points[i].why;
        if (!t->points[i].has_why)
            continue;
        fprintf(p->file, "<tr%s><td>%d</td><td class=\"text\">",
                t->has_decision && why->batch == t->decision.batch ? " class=\"chosen\"" : "",
                t->points[i].batch);
        html_text(p->file, why->reason);
        fprintf(p->file, "</td><td class=\"text wide\">");
        html_text(p->file, why->text);
        fprintf(p->file, "</td></tr>\n");
    }
    fprintf(p->file, "</tbody></table></div></details>\n");
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
    write_curve(p, t);
    write_accuracy(p, t);
    write_whys(p, t);
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

static const struct {
    const char *name;
    void (*write)(const struct page *page);
} places[] = {
    { "title", write_title },       { "about", write_about },     { "warnings", write_warnings },
    { "verdicts", write_verdicts }, { "models", write_models },   { "command", write_command },
    { "environment", write_environment },
};
#define PLACES (sizeof places / sizeof *places)

static char *read_template(char path[HOME_PATH_MAX], struct err *err)
{
    if (home_path(path, "plots/report.html", err) != ST_OK)
        return NULL;
    FILE *file = fopen(path, "rb");
    char *text = file ? calloc(1, 65536) : NULL;
    size_t size = text ? fread(text, 1, 65535, file) : 0;
    if (file)
        fclose(file);
    if (size > 0)
        return text;
    err_set(err, ST_ENVIRONMENT, "%s: the template of the report cannot be read: %s", path, strerror(errno));
    free(text);
    return NULL;
}

static enum status check_template(const char *text, const char *path, struct err *err)
{
    for (size_t i = 0; i < PLACES; i++) {
        char mark[40];
        snprintf(mark, sizeof mark, "{{%s}}", places[i].name);
        if (!strstr(text, mark))
            return err_set(err, ST_ENVIRONMENT, "%s: the template lacks the place %s", path, mark);
    }
    return ST_OK;
}

/* The template with every place filled; what is filled in is not looked at again. */
static void fill(const struct page *p, const char *text)
{
    for (const char *open; (open = strstr(text, "{{")); ) {
        const char *close = strstr(open, "}}");
        size_t i = 0;
        if (!close)
            break;
        fwrite(text, 1, (size_t)(open - text), p->file);
        while (i < PLACES && (strlen(places[i].name) != (size_t)(close - open - 2) ||
                              strncmp(places[i].name, open + 2, (size_t)(close - open - 2)) != 0))
            i++;
        if (i < PLACES)
            places[i].write(p);
        text = close + 2;
    }
    fputs(text, p->file);
}

enum status report_write(const struct campaign *campaign, const struct plots *plots, const char *path,
                         struct err *err)
{
    char template_path[HOME_PATH_MAX], *page = NULL;
    size_t size = 0;
    enum replaced how;
    struct page p = { .campaign = campaign, .plots = plots };
    char *text = read_template(template_path, err);
    enum status st = text ? check_template(text, template_path, err) : ST_ENVIRONMENT;
    if (st != ST_OK)
        goto out;
    p.file = open_memstream(&page, &size);
    if (!p.file) {
        st = err_set(err, ST_INTERNAL, "%s: not enough memory", path);
        goto out;
    }
    fill(&p, text);
    st = fclose(p.file) == 0 && page ? replace_file(&how, path, page, size, false, &replace_system, err)
                                     : err_set(err, ST_INTERNAL, "%s: not enough memory", path);
out:
    free(page);
    free(text);
    return st;
}
