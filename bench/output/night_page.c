#include "bench/output/night_page.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "bench/output/html.h"
#include "bench/output/template.h"
#include "kernels/base/len.h"
#include "tuner/sign.h"
#include "tuner/verdict.h"

#define SHOWN_MOST 90                /* nights in a picture */
#define CHANGES_MOST 30              /* nights in the list of changes */
#define GAP_MOST 7                   /* days of absence that a picture leaves room for */
#define DAY_S 86400
#define WIDE 360.0
#define HIGH 120.0
#define LEFT 46.0
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

/* Never "-0.0" when it is printed with one digit. */
static double percent(double log_ratio)
{
    double x = 100 * expm1(log_ratio);
    return fabs(x) < .05 ? 0 : x;
}

#define DATE_SIZE 12
/* "2026-03-31", UTC; into date[DATE_SIZE], which is given back. */
static const char *date_of(char *date, int64_t unix_s)
{
    struct tm when;
    time_t at = (time_t)unix_s;
    *date = 0;
    if (gmtime_r(&at, &when))
        strftime(date, DATE_SIZE, "%Y-%m-%d", &when);
    return date;
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

/* --- what changed ---------------------------------------------------------------------------------------- */

/* The series with most nights: its nights stand for all. NULL: there is none. */
static const struct history_view *longest(const struct night_page *p)
{
    const struct history_view *found = NULL;
    for (size_t i = 0; i < p->series_count; i++)
        if (!found || p->series[i].count > found->count)
            found = &p->series[i];
    return found;
}

static void write_change(FILE *file, const char *name, const char *was, const char *is)
{
    fprintf(file, "<span>");
    html_text(file, name);
    fprintf(file, " ");
    html_text(file, was);
    fprintf(file, " &rarr; ");
    html_text(file, is);
    fprintf(file, "</span>");
}

/* Series whose new level begins with this night. */
static size_t write_accepts(FILE *file, const struct night_page *p, int64_t run)
{
    size_t count = 0;
    for (size_t i = 0; i < p->series_count; i++)
        for (size_t n = 0; n < p->series[i].count; n++) {
            const struct history_night *night = &p->series[i].nights[n];
            if (!night->accepted || night->row->run != run)
                continue;
            if (file) {
                fprintf(file, "<span>new level accepted: ");
                html_text(file, p->series[i].name);
                fprintf(file, "</span>");
            }
            count++;
        }
    return count;
}

static bool has_changed(const struct night_page *p, const struct history_night *n)
{
    return n->event_count > 0 || write_accepts(NULL, p, n->row->run) > 0;
}

static void write_night_changes(FILE *file, const struct night_page *p, const struct history_night *n)
{
    char date[DATE_SIZE];
    fprintf(file, "<dt>%s</dt><dd>", date_of(date, n->start_unix_s));
    for (size_t e = 0; e < n->event_count; e++)
        write_change(file, n->events[e].name, n->events[e].was, n->events[e].is);
    write_accepts(file, p, n->row->run);
    fprintf(file, "</dd>\n");
}

/* Night by night, the newest first: what the dashed lines of the pictures are. */
static void write_changes(FILE *file, const void *context)
{
    const struct night_page *p = context;
    const struct history_view *all = longest(p);
    size_t shown = 0;
    for (size_t i = all ? all->count : 0; i-- > 0 && shown < CHANGES_MOST;) {
        if (!has_changed(p, &all->nights[i]))
            continue;
        if (shown++ == 0)
            fprintf(file, "<h2>What changed</h2>\n<dl class=\"changes\">");
        write_night_changes(file, p, &all->nights[i]);
    }
    if (shown)
        fprintf(file, "</dl>\n");
}

/* --- one picture ---------------------------------------------------------------------------------------- */

struct picture {
    FILE *file;
    const struct history_night *nights; /* [count] */
    size_t count;
    double low, high;                /* of y */
    double x[SHOWN_MOST];
};

/* Nights stand side by side in the order of measuring; days without one leave their room. */
static void place_nights(struct picture *p)
{
    double slots = 0;
    for (size_t i = 0; i < p->count; i++) {
        double days = i ? round((double)(p->nights[i].start_unix_s - p->nights[i - 1].start_unix_s) / DAY_S) : 0;
        slots += i ? fmin(fmax(days, 1), GAP_MOST) : 0;
        p->x[i] = slots;
    }
    for (size_t i = 0; i < p->count; i++)
        p->x[i] = slots > 0 ? LEFT + 6 + (RIGHT - LEFT - 12) * p->x[i] / slots : (LEFT + RIGHT) / 2;
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
        fprintf(p->file, "%.1f %.1f ", p->x[i], y_of(p, p->nights[i].row->M + allowed(p->nights[i].row)));
    for (size_t i = to; i-- > from;)
        fprintf(p->file, "%.1f %.1f ", p->x[i], y_of(p, p->nights[i].row->M - allowed(p->nights[i].row)));
    fprintf(p->file, "Z\"/><path class=\"base\" d=\"M");
    for (size_t i = from; i < to; i++)
        fprintf(p->file, "%.1f %.1f ", p->x[i], y_of(p, p->nights[i].row->M));
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
                n->accepted ? " accept" : "", p->x[i], p->x[i], TOP, BOTTOM);
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
        if (!there && !*night_row_word(n->row))
            continue; /* MACHINE before there was one */
        fprintf(p->file, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"><title>",
                there ? class_of(night_row_word(n->row)) : "none", p->x[i], there ? y_of(p, n->row->y) : BOTTOM - 3,
                p->count > 45 ? "2" : "3");
        html_text(p->file, n->night);
        fputs(": ", p->file);
        html_text(p->file, night_row_word(n->row));
        fprintf(p->file, "%s%s", *n->row->path ? " " : "", n->row->path);
        if (n->row->target && !isnan(n->row->v))
            fprintf(p->file, ", %.4g images/s", exp(n->row->v));
        fputs("</title></circle>", p->file);
    }
}

static void write_date(FILE *file, int64_t unix_s, double x, const char *anchor)
{
    char date[DATE_SIZE];
    fprintf(file, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\">%s</text>", x, HIGH - 3, anchor,
            date_of(date, unix_s));
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
                LEFT - 2, fmax(y_of(p, marks[i]) + 3, TOP + 6), percent(marks[i] - zero));
    write_date(p->file, p->nights[0].start_unix_s, LEFT + 2, "start");
    fprintf(p->file, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">%zu nights</text>", (LEFT + RIGHT) / 2, HIGH - 3,
            p->count);
    write_date(p->file, p->nights[p->count - 1].start_unix_s, RIGHT, "end");
}

static void write_picture(FILE *file, const struct history_view *series)
{
    size_t skip = series->count > SHOWN_MOST ? series->count - SHOWN_MOST : 0;
    struct picture p = { .file = file, .nights = series->nights + skip, .count = series->count - skip };
    const struct night_row *last = p.nights[p.count - 1].row;
    place_nights(&p);
    find_range(&p);
    fprintf(file, "<figure class=\"night\"><figcaption><span>");
    html_text(file, series->name);
    fprintf(file, "</span><b>");
    html_text(file, night_row_word(last));
    if (sign_text(last->path)) /* MACHINE by telemetry alone: the rate is not what it is about */
        fprintf(file, " %s", last->path);
    else if (!isnan(last->dev))
        fprintf(file, " %+.1f&nbsp;%%", percent(last->dev));
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
