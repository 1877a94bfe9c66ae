#include "bench/output/night_picture.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "bench/output/html.h"
#include "bench/output/night_table.h"
#include "kernels/base/clock.h"
#include "kernels/base/len.h"
#include "tuner/sign.h"
#include "tuner/verdict.h"

#define GAP_MOST 7                   /* absent nights that a picture leaves room for */
#define WIDE 360.0
#define HIGH 120.0
#define LEFT 46.0
#define RIGHT 352.0
#define TOP 8.0
#define BOTTOM 104.0

const char *night_class(const char *word)
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
    double x = night_percent(log_ratio);
    return fabs(x) < .05 ? 0 : x;
}

const char *night_date(char *date, int64_t unix_s)
{
    struct tm when;
    time_t at = (time_t)unix_s;
    *date = 0;
    if (gmtime_r(&at, &when))
        strftime(date, NIGHT_DATE_SIZE, "%Y-%m-%d", &when);
    return date;
}

/* --- one picture ---------------------------------------------------------------------------------------- */

struct picture {
    FILE *file;
    const struct history_night *nights; /* [count] */
    size_t count;
    double every_s;                  /* a night is due */
    double low, high;                /* of y */
    double x[NIGHT_PICTURE_MOST];
};

/* Nights stand side by side in the order of measuring; those that were due and did not come leave their room. */
static void place_nights(struct picture *p)
{
    double slots = 0;
    for (size_t i = 0; i < p->count; i++) {
        double s = i ? (double)(p->nights[i].start_unix_s - p->nights[i - 1].start_unix_s) : 0;
        slots += i ? fmin(fmax(round(s / p->every_s), 1), GAP_MOST) : 0;
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

/* A night that learns is held against nothing yet. */
static bool has_band(const struct night_row *row)
{
    return !isnan(row->M) && strcmp(row->verdict, verdict_name(VERDICT_LEARNING)) != 0;
}

/* Half the width of what the night was allowed. */
static double allowed(const struct night_row *row)
{
    return fmax(row->delta > 0 ? row->delta : VERDICT_DELTA, 5 * row->S);
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
        include(p, has_band(row) ? row->M + allowed(row) : NAN);
        include(p, has_band(row) ? row->M - allowed(row) : NAN);
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
        while (i < p->count && has_band(p->nights[i].row))
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
                there ? night_class(night_row_word(n->row)) : "none", p->x[i], there ? y_of(p, n->row->y) : BOTTOM - 3,
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
    char date[NIGHT_DATE_SIZE];
    fprintf(file, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\">%s</text>", x, HIGH - 3, anchor,
            night_date(date, unix_s));
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

void night_picture_write(FILE *file, const struct history_view *series, size_t most)
{
    size_t skip = series->count > most ? series->count - most : 0;
    struct picture p = { .file = file, .nights = series->nights + skip, .count = series->count - skip,
                         .every_s = series->every_s > 0 ? series->every_s : CLOCK_DAY_S };
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

bool night_picture_has_values(const struct history_view *series)
{
    for (size_t i = 0; i < series->count; i++)
        if (!isnan(series->nights[i].row->y))
            return true;
    return false;
}
