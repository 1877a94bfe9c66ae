#include "bench/output/night_page.h"

#include <math.h>
#include <string.h>

#include "bench/output/html.h"
#include "bench/output/template.h"
#include "kernels/base/len.h"
#include "tuner/verdict.h"

#define SHOWN_MOST 90                /* nights in a picture */
#define WIDE 360.0
#define HIGH 120.0
#define LEFT 40.0
#define RIGHT 352.0
#define TOP 8.0
#define BOTTOM 104.0

/* --- words ---------------------------------------------------------------------------------------------- */

/* How grave a word is, as a class of page.css. */
static const char *class_of(const char *word)
{
    static const struct { const char *word, *name; } classes[] = {
        { "OK", "" },            { "LEARNING", "" },      { "IMPROVED", "good" },     { "NOISE", "open" },
        { "SUSPECT", "open" },   { "INVALID", "open" },   { "INCONCLUSIVE", "open" }, { "THROTTLED", "open" },
        { "REGRESSED", "bad" },  { "MACHINE", "bad" },    { "BLIND", "bad" },         { "ENV_BROKEN", "bad" },
    };
    for (size_t i = 0; i < LEN(classes); i++)
        if (strcmp(classes[i].word, word) == 0)
            return classes[i].name;
    return "";
}

static void write_title(FILE *file, const void *context)
{
    const struct night_page *p = context;
    fprintf(file, "bench nightly: ");
    html_text(file, p->tonight.verdict);
}

static void write_verdict(FILE *file, const void *context)
{
    const struct night_view *n = &((const struct night_page *)context)->tonight;
    const char *class = class_of(n->verdict);
    fprintf(file, "<div class=\"verdict %s\"><p><b>", strcmp(class, "good") == 0 ? "" : class);
    html_text(file, n->verdict);
    fprintf(file, "</b> ");
    html_text(file, n->sentence);
    fprintf(file, "</p><p class=\"faint\">night ");
    html_text(file, n->name);
    fprintf(file, ", number %zu; %zu series, one false alarm in %.0f nights</p>", n->nights, n->count,
            1 / n->alpha_budget);
    if (*n->gap && strcmp(n->gap, n->sentence) != 0) {
        fprintf(file, "<p class=\"warn\">");
        html_text(file, n->gap);
        fprintf(file, "</p>");
    }
    if (*n->advice) {
        fprintf(file, "<p class=\"warn\">");
        html_text(file, n->advice);
        fprintf(file, "</p>");
    }
    fprintf(file, "</div>\n");
}

static void write_changes(FILE *file, const void *context)
{
    const struct night_view *n = &((const struct night_page *)context)->tonight;
    if (n->event_count == 0)
        return;
    fprintf(file, "<h2>Changed since the night before</h2>\n<dl>");
    for (size_t i = 0; i < n->event_count; i++) {
        fprintf(file, "<dt>");
        html_text(file, n->events[i].name);
        fprintf(file, "</dt><dd>");
        html_text(file, n->events[i].was);
        fprintf(file, " &rarr; ");
        html_text(file, n->events[i].is);
        fprintf(file, "</dd>\n");
    }
    fprintf(file, "</dl>\n");
}

/* --- one picture ---------------------------------------------------------------------------------------- */

struct picture {
    FILE *file;
    const struct history_night *nights; /* [count] */
    size_t count;
    double low, high;                /* of y */
};

static double x_of(const struct picture *p, size_t i)
{
    return p->count > 1 ? LEFT + 6 + (RIGHT - LEFT - 12) * (double)i / (double)(p->count - 1) : (LEFT + RIGHT) / 2;
}

static double y_of(const struct picture *p, double y)
{
    double at = BOTTOM - (BOTTOM - TOP) * (y - p->low) / (p->high - p->low);
    return fmin(fmax(at, TOP), BOTTOM);
}

/* Half the width of what the night was allowed. */
static double allowed(const struct night_row *row)
{
    return fmax(VERDICT_DELTA, 5 * row->S);
}

static void include(struct picture *p, double y)
{
    if (isnan(y))
        return;
    p->low = fmin(p->low, y);
    p->high = fmax(p->high, y);
}

static void find_range(struct picture *p)
{
    p->low = INFINITY;
    p->high = -INFINITY;
    for (size_t i = 0; i < p->count; i++) {
        const struct night_row *row = p->nights[i].row;
        include(p, row->y);
        include(p, row->M + allowed(row));
        include(p, row->M - allowed(row));
    }
    double rest = p->high > p->low ? .05 * (p->high - p->low) : .01;
    p->low -= rest;
    p->high += rest;
}

/* One stretch of nights that have a base: the band along its upper edge and back along the lower one. */
static void write_stretch(const struct picture *p, size_t from, size_t to)
{
    fprintf(p->file, "<path class=\"band\" d=\"M");
    for (size_t i = from; i < to; i++)
        fprintf(p->file, "%.1f %.1f ", x_of(p, i), y_of(p, p->nights[i].row->M + allowed(p->nights[i].row)));
    for (size_t i = to; i-- > from;)
        fprintf(p->file, "%.1f %.1f ", x_of(p, i), y_of(p, p->nights[i].row->M - allowed(p->nights[i].row)));
    fprintf(p->file, "Z\"/><path class=\"base\" d=\"M");
    for (size_t i = from; i < to; i++)
        fprintf(p->file, "%.1f %.1f ", x_of(p, i), y_of(p, p->nights[i].row->M));
    fprintf(p->file, "\"/>");
}

static void write_band(const struct picture *p)
{
    for (size_t i = 0; i < p->count;) {
        size_t from = i;
        while (i < p->count && !isnan(p->nights[i].row->M))
            i++;
        if (i > from + 1)
            write_stretch(p, from, i);
        i += i == from;
    }
}

static void write_events(const struct picture *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct history_night *n = &p->nights[i];
        if (n->event_count == 0 && !n->accepted)
            continue;
        fprintf(p->file, "<line class=\"event%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.0f\" y2=\"%.0f\"><title>",
                n->accepted ? " accept" : "", x_of(p, i), x_of(p, i), TOP, BOTTOM);
        fputs(n->accepted ? "accepted " : "", p->file);
        for (size_t e = 0; e < n->event_count; e++) {
            html_text(p->file, n->events[e].name);
            fputs(": ", p->file);
            html_text(p->file, n->events[e].was);
            fputs(" to ", p->file);
            html_text(p->file, n->events[e].is);
            fputs(e + 1 < n->event_count ? "; " : "", p->file);
        }
        fputs("</title></line>", p->file);
    }
}

static void write_dots(const struct picture *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct history_night *n = &p->nights[i];
        bool there = !isnan(n->row->y);
        fprintf(p->file, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"><title>",
                there ? class_of(night_row_word(n->row)) : "none", x_of(p, i), there ? y_of(p, n->row->y) : BOTTOM,
                p->count > 45 ? "2" : "3");
        html_text(p->file, n->night);
        fputs(": ", p->file);
        html_text(p->file, night_row_word(n->row));
        if (n->row->target && !isnan(n->row->v))
            fprintf(p->file, ", %.4g images/s", exp(n->row->v));
        fputs("</title></circle>", p->file);
    }
}

/* Percent against tonight's median, or against the last value where there is none. */
static void write_axis(const struct picture *p)
{
    double zero = NAN;
    for (size_t i = p->count; i-- > 0 && isnan(zero);)
        zero = isnan(p->nights[i].row->M) ? p->nights[i].row->y : p->nights[i].row->M;
    const double marks[] = { p->high, zero, p->low };
    for (size_t i = 0; i < LEN(marks) && !isnan(zero); i++)
        fprintf(p->file, marks[i] == zero ? "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%.0f&#160;%%</text>"
                                          : "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%+.1f&#160;%%</text>",
                LEFT - 2, fmax(y_of(p, marks[i]) + 3, TOP + 6), 100 * expm1(marks[i] - zero));
    fprintf(p->file, "<text x=\"%.0f\" y=\"%.0f\">%zu nights</text>", LEFT + 4, HIGH - 3, p->count);
}

static void write_picture(FILE *file, const struct history_view *series)
{
    size_t skip = series->count > SHOWN_MOST ? series->count - SHOWN_MOST : 0;
    struct picture p = { .file = file, .nights = series->nights + skip, .count = series->count - skip };
    const struct night_row *last = p.nights[p.count - 1].row;
    find_range(&p);
    fprintf(file, "<figure class=\"night\"><figcaption><span>");
    html_text(file, series->name);
    fprintf(file, "</span><b>");
    html_text(file, night_row_word(last));
    if (!isnan(last->dev))
        fprintf(file, " %+.1f&nbsp;%%", 100 * expm1(last->dev));
    fprintf(file, "</b></figcaption><svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", WIDE, HIGH);
    html_text(file, series->name);
    fprintf(file, "\">");
    if (isfinite(p.low)) {
        write_band(&p);
        write_events(&p);
        write_dots(&p);
        write_axis(&p);
    }
    fprintf(file, "</svg></figure>\n");
}

static bool has_values(const struct history_view *series)
{
    for (size_t i = 0; i < series->count; i++)
        if (!isnan(series->nights[i].row->y))
            return true;
    return false;
}

/* The grave ones first, else by name. */
static void write_series(FILE *file, const void *context)
{
    static const char *const order[] = { "bad", "open", "good", "" };
    const struct night_page *p = context;
    for (size_t o = 0; o < LEN(order); o++)
        for (size_t i = 0; i < p->series_count; i++) {
            const struct history_view *series = &p->series[i];
            const char *word = night_row_word(series->nights[series->count - 1].row);
            if (has_values(series) && strcmp(class_of(word), order[o]) == 0)
                write_picture(file, series);
        }
}

static void write_tonight(FILE *file, const void *context)
{
    night_table_html(file, &((const struct night_page *)context)->tonight);
}

static void write_command(FILE *file, const void *context)
{
    html_text(file, ((const struct night_page *)context)->command);
}

enum status night_page_write(const struct night_page *page, const char *path, struct err *err)
{
    static const struct template_place places[] = {
        { "title", write_title },   { "verdict", write_verdict }, { "changes", write_changes },
        { "series", write_series }, { "tonight", write_tonight }, { "command", write_command },
    };
    return template_write(path, "night.html", places, LEN(places), page, err);
}
