#include "bench/output/night_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/html.h"
#include "bench/output/paint.h"
#include "bench/output/table.h"
#include "kernels/base/len.h"

struct line {
    char   name[RECORD_TEXT], verdict[32], path[16], moved[16];
    double images_per_s, change_percent, scale_percent, again_percent;
    int    base, executions;
};

static const struct field fields[] = {
    { .name = "series", .unit = "", .offset = offsetof(struct line, name), .type = FIELD_TEXT },
    { .name = "verdict", .unit = "", .offset = offsetof(struct line, verdict), .type = FIELD_TEXT },
    { .name = "path", .unit = "", .offset = offsetof(struct line, path), .type = FIELD_TEXT },
    { .name = "images_per_s", .heading = "rate", .unit = "images/s",
      .offset = offsetof(struct line, images_per_s),
      .type = FIELD_REAL, .digits = 4, .significant = true },
    { .name = "change_percent", .heading = "change", .unit = "%",
      .offset = offsetof(struct line, change_percent),
      .type = FIELD_REAL, .digits = 1 },
    { .name = "again_percent", .heading = "confirmed", .unit = "%",
      .offset = offsetof(struct line, again_percent),
      .type = FIELD_REAL, .digits = 1 },
    { .name = "scale_percent", .heading = "usual +-", .unit = "%",
      .offset = offsetof(struct line, scale_percent),
      .type = FIELD_REAL, .digits = 1 },
    { .name = "base_nights", .heading = "nights", .unit = "",
      .offset = offsetof(struct line, base), .type = FIELD_INT },
    { .name = "executions", .unit = "", .offset = offsetof(struct line, executions), .type = FIELD_INT },
    { .name = "moved", .heading = "optimum", .unit = "", .offset = offsetof(struct line, moved),
      .type = FIELD_TEXT },
};

const char *night_row_word(const struct night_row *row)
{
    return *row->validity ? row->validity : row->verdict;
}

bool night_row_is_shown(const struct night_row *row)
{
    return row->target || *row->verdict;
}

double night_percent(double log_ratio)
{
    return 100 * expm1(log_ratio);
}

static struct line line_of(const struct night_row *row)
{
    struct line line = { .images_per_s = row->target ? exp(row->v) : NAN, .change_percent = night_percent(row->dev),
                         .again_percent = night_percent(row->dev_again), .scale_percent = 100 * row->S, .base = row->W,
                         .executions = row->executions };
    memcpy(line.name, row->name, sizeof line.name);
    snprintf(line.verdict, sizeof line.verdict, "%s", night_row_word(row));
    memcpy(line.path, row->path, sizeof line.path);
    memcpy(line.moved, row->moved, sizeof line.moved);
    return line;
}

/* "batch 4" before "batch 16". */
static int compare_lines(const void *a, const void *b)
{
    return strverscmp(((const struct line *)a)->name, ((const struct line *)b)->name);
}

/* free(); NULL: no memory. */
static struct line *lines_of(const struct night_view *night, size_t *count)
{
    struct line *lines = calloc(night->count + 1, sizeof *lines);
    *count = 0;
    for (size_t i = 0; lines && i < night->count; i++)
        if (night_row_is_shown(&night->rows[i]))
            lines[(*count)++] = line_of(&night->rows[i]);
    if (lines)
        qsort(lines, *count, sizeof *lines, compare_lines);
    return lines;
}

static const char *colour_of(const struct paint *paint, const char *verdict)
{
    static const char *const calm[] = { "OK", "LEARNING", "NOISE", "IMPROVED" };
    for (size_t i = 0; i < LEN(calm); i++)
        if (strcmp(verdict, calm[i]) == 0)
            return paint->good;
    return paint->warn;
}

const char *night_changes_since(const struct night_view *night)
{
    return night->events_of_base ? "as on no night of the base" : "changed since the night before";
}

void night_table_write(FILE *file, const struct night_view *night, bool colour)
{
    const struct paint paint = paint_of(colour);
    size_t count;
    struct line *lines = lines_of(night, &count);
    fprintf(file, "%s%s%s  ", colour_of(&paint, night->verdict), night->verdict, paint.off);
    paint_plain(file, night->sentence);
    fprintf(file, "\nnight %s, number %zu", night->name, night->nights);
    if (night->tune)
        fprintf(file, "; watches what campaign %s decided", night->tune);
    fputc('\n', file);
    if (*night->gap && strcmp(night->gap, night->sentence) != 0)
        fprintf(file, "%s\n", night->gap);
    if (*night->advice)
        fprintf(file, "%s\n", night->advice);
    for (size_t i = 0; i < night->event_count; i++) {
        fprintf(file, "%s: %s: ", night_changes_since(night), night->events[i].name);
        paint_plain(file, night->events[i].was);
        fputs(" -> ", file);
        paint_plain(file, night->events[i].is);
        fputc('\n', file);
    }
    if (!lines)
        return;
    fputc('\n', file);
    table_write_text(file, &(struct table){ .fields = fields, .field_count = LEN(fields), .rows = lines,
                                            .row_size = sizeof *lines, .row_count = count, .marked = -1,
                                            .colour = colour });
    fprintf(file, "\n%zu series at %.2g false alarms each a night (%s): one in %.0f nights, the limit is one in 365%s\n",
            night->count, night->alpha, night->alpha_tested ? "bench backtest" : "published table",
            1 / night->alpha_budget, night->alpha_budget > 1 / 365.0 ? ": too many series" : "");
    free(lines);
}

void night_table_html(FILE *file, const struct night_view *night)
{
    size_t count;
    struct line *lines = lines_of(night, &count);
    if (lines)
        html_table(file, &(struct table){ .fields = fields, .field_count = LEN(fields), .rows = lines,
                                          .row_size = sizeof *lines, .row_count = count, .marked = -1 });
    free(lines);
}

void night_table_csv(FILE *file, const struct night_view *night)
{
    size_t count;
    struct line *lines = lines_of(night, &count);
    if (lines)
        table_write_csv(file, &(struct table){ .fields = fields, .field_count = LEN(fields), .rows = lines,
                                               .row_size = sizeof *lines, .row_count = count, .marked = -1 }, true);
    free(lines);
}

static json_t *events_json(const struct night_view *night)
{
    json_t *all = json_array();
    for (size_t i = 0; all && i < night->event_count; i++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:s}", "name", night->events[i].name, "was",
                                             night->events[i].was, "is", night->events[i].is));
    return all;
}

json_t *night_table_json(const struct night_view *night)
{
    size_t count;
    struct line *lines = lines_of(night, &count);
    json_t *rows = lines ? table_json(&(struct table){ .fields = fields, .field_count = LEN(fields), .rows = lines,
                                                       .row_size = sizeof *lines, .row_count = count, .marked = -1 })
                         : NULL;
    free(lines);
    if (!rows)
        return NULL;
    return json_pack("{s:i, s:s, s:s?, s:s, s:s, s:s?, s:s?, s:I, s:f, s:s, s:f, s:s, s:o, s:o}", "schema", 1, "night",
                     night->name, "campaign", night->tune, "verdict", night->verdict, "sentence", night->sentence,
                     "gap", *night->gap ? night->gap : NULL, "advice", *night->advice ? night->advice : NULL,
                     "nights", (json_int_t)night->nights, "alpha", night->alpha, "alpha_source",
                     night->alpha_tested ? "backtest" : "published", "n_alpha", night->alpha_budget, "changes_since",
                     night->events_of_base ? "base" : "night before", "changes", events_json(night), "series", rows);
}
