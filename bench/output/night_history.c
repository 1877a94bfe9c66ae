#include "bench/output/night_history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/output/night_table.h"
#include "bench/output/paint.h"
#include "bench/output/table.h"
#include "kernels/base/clock.h"
#include "kernels/base/len.h"
#include "tuner/common_mode.h"

struct line {
    char   series[RECORD_TEXT], night[40], date[24], verdict[32], path[16], events[RECORD_TEXT];
    double images_per_s, change_percent, again_percent, scale_percent;
    int    base;
};

#define TEXT(member_name, member, only_data) \
    { .name = member_name, .unit = "", .offset = offsetof(struct line, member), .type = FIELD_TEXT, \
      .data_only = only_data }
#define REAL(member_name, member, shown, in, places, of_least) \
    { .name = member_name, .heading = shown, .unit = in, .offset = offsetof(struct line, member), \
      .type = FIELD_REAL, .digits = places, .significant = of_least }

static const struct field fields[] = {
    TEXT("series", series, true),
    TEXT("night", night, true),
    TEXT("date", date, false),
    REAL("images_per_s", images_per_s, "rate", "images/s", 4, true),
    REAL("change_percent", change_percent, "change", "%", 1, false),
    REAL("again_percent", again_percent, "confirmed", "%", 1, false),
    REAL("scale_percent", scale_percent, "usual +-", "%", 1, false),
    { .name = "base_nights", .heading = "nights", .unit = "",
      .offset = offsetof(struct line, base), .type = FIELD_INT },
    TEXT("verdict", verdict, false),
    TEXT("path", path, false),
    TEXT("events", events, false),
};

static void list_events(char out[RECORD_TEXT], const struct history_night *n, int absent)
{
    size_t used = 0;
    *out = 0;
    if (n->accepted)
        used = (size_t)snprintf(out, RECORD_TEXT, "accepted");
    if (absent > 0)
        used += (size_t)snprintf(out + used, RECORD_TEXT - used, "%s%d night%s absent before", used ? "; " : "", absent,
                                 absent > 1 ? "s" : "");
    for (size_t i = 0; i < n->event_count && used < RECORD_TEXT; i++)
        used += (size_t)snprintf(out + used, RECORD_TEXT - used, "%s%s: %.60s -> %.60s", used ? "; " : "",
                                 n->events[i].name, n->events[i].was, n->events[i].is);
}

/* Nights that were due before this one and did not come; half of the time between two may be late. */
static int absent_before(const struct history_view *series, const struct history_night *n)
{
    const double every_s = series->every_s > 0 ? series->every_s : CLOCK_DAY_S;
    double s = n == series->nights ? 0 : (double)(n->start_unix_s - n[-1].start_unix_s);
    return s > every_s ? (int)(s / every_s + .5) - 1 : 0;
}

static struct line line_of(const struct history_view *series, const struct history_night *n)
{
    const struct night_row *row = n->row;
    struct tm when;
    time_t start = (time_t)n->start_unix_s;
    struct line line = { .images_per_s = row->target ? exp(row->v) : NAN, .change_percent = night_percent(row->dev),
                         .again_percent = night_percent(row->dev_again), .scale_percent = 100 * row->S, .base = row->W };
    snprintf(line.series, sizeof line.series, "%s", series->name);
    snprintf(line.night, sizeof line.night, "%s", n->night);
    if (gmtime_r(&start, &when))
        strftime(line.date, sizeof line.date, "%Y-%m-%d %H:%M", &when);
    snprintf(line.verdict, sizeof line.verdict, "%s", night_row_word(row));
    memcpy(line.path, row->path, sizeof line.path);
    list_events(line.events, n, absent_before(series, n));
    return line;
}

static struct line *lines_of(const struct history_view *series)
{
    struct line *lines = calloc(series->count + 1, sizeof *lines);
    for (size_t i = 0; lines && i < series->count; i++)
        lines[i] = line_of(series, &series->nights[i]);
    return lines;
}

static struct table table_of(const struct history_view *series, const struct line *lines, bool colour)
{
    return (struct table){ .fields = fields, .field_count = LEN(fields), .rows = lines, .row_size = sizeof *lines,
                           .row_count = series->count, .marked = -1, .colour = colour };
}

static bool says_nothing(const struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (lines[i].verdict[0] || lines[i].events[0] || !isnan(lines[i].images_per_s))
            return false;
    return true;
}

void night_history_write(FILE *file, const struct history_view *series, bool colour)
{
    const struct paint paint = paint_of(colour);
    struct line *lines = lines_of(series);
    if (!lines)
        return;
    const struct table table = table_of(series, lines, colour);
    fputs(paint.bold, file);
    paint_plain(file, series->name);
    fprintf(file, "%s\n", paint.off);
    if (says_nothing(lines, series->count))
        fprintf(file, "%zu night%s without a word: what is common to the series of a device is told from %d of them on\n",
                series->count, series->count == 1 ? "" : "s", COMMON_SERIES);
    else
        table_write_text(file, &table);
    free(lines);
}

void night_history_csv(FILE *file, const struct history_view *series, bool heading)
{
    struct line *lines = lines_of(series);
    if (!lines)
        return;
    const struct table table = table_of(series, lines, false);
    table_write_csv(file, &table, heading);
    free(lines);
}

json_t *night_history_json(const struct history_view *series)
{
    struct line *lines = lines_of(series);
    if (!lines)
        return NULL;
    const struct table table = table_of(series, lines, false);
    json_t *nights = table_json(&table);
    free(lines);
    return nights ? json_pack("{s:s, s:o}", "series", series->name, "nights", nights) : NULL;
}
