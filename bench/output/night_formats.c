#include "bench/output/night_formats.h"

#include <math.h>
#include <string.h>

#include "bench/output/html.h"
#include "tuner/sign.h"
#include "tuner/verdict.h"

/* --- what a row says ------------------------------------------------------------------------------------- */

static bool is_red(const struct night_row *row)
{
    return strcmp(row->verdict, verdict_name(VERDICT_REGRESSED)) == 0 && !*row->validity;
}

/* --- csv ------------------------------------------------------------------------------------------------- */

void night_format_csv(FILE *file, const struct night_view *night)
{
    night_table_csv(file, night);
}

/* --- markdown -------------------------------------------------------------------------------------------- */

/* A cell: bars and line ends would end it. */
static void write_cell(FILE *file, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputc('\\', file);
        fputc((unsigned char)*text < 32 ? ' ' : *text, file);
    }
}

static void write_percent_cell(FILE *file, double log_ratio)
{
    if (isnan(log_ratio))
        fprintf(file, " - |");
    else
        fprintf(file, " %+.1f %% |", night_percent(log_ratio));
}

void night_format_markdown(FILE *file, const struct night_view *night)
{
    fprintf(file, "**%s** ", night->verdict);
    write_cell(file, night->sentence);
    fprintf(file, " (night %s)\n\n| series | verdict | images/s | change | confirmed |\n|---|---|--:|--:|--:|\n", night->name);
    for (size_t i = 0; i < night->count; i++) {
        const struct night_row *row = &night->rows[i];
        if (!night_row_is_shown(row))
            continue;
        fprintf(file, "| ");
        write_cell(file, row->name);
        fprintf(file, " | %s%s%s |", night_row_word(row), *row->path ? " " : "", row->path);
        if (row->target && !isnan(row->v))
            fprintf(file, " %.4g |", exp(row->v));
        else
            fprintf(file, " - |");
        write_percent_cell(file, row->dev);
        write_percent_cell(file, row->dev_again);
        fputc('\n', file);
    }
    for (size_t i = 0; i < night->event_count; i++) {
        fprintf(file, "%s* %s: ", i == 0 ? "\n" : "", night_changes_since(night));
        write_cell(file, night->events[i].name);
        fprintf(file, ": ");
        write_cell(file, night->events[i].was);
        fprintf(file, " -> ");
        write_cell(file, night->events[i].is);
        fputc('\n', file);
    }
}

/* --- junit ----------------------------------------------------------------------------------------------- */

static bool is_skipped(const struct night_row *row)
{
    return *row->validity || !*row->verdict || strcmp(row->verdict, verdict_name(VERDICT_LEARNING)) == 0 ||
           strcmp(row->verdict, verdict_name(VERDICT_INCONCLUSIVE)) == 0;
}

static void write_failure(FILE *file, const struct night_row *row)
{
    const char *sign = sign_text(row->path); /* MACHINE by telemetry alone has no percentages */
    fprintf(file, "      <failure type=\"%s\" message=\"%s %s: ", row->target ? "REGRESSED" : "MACHINE", night_row_word(row),
            row->path);
    if (sign)
        html_text(file, sign);
    else
        fprintf(file, "%+.1f %%", night_percent(row->dev));
    if (!sign && !isnan(row->dev_again)) /* a step is told without a confirmation */
        fprintf(file, ", confirmed %+.1f %%", night_percent(row->dev_again));
    fprintf(file, "\"/>\n");
}

static void write_case(FILE *file, const struct night_row *row)
{
    fprintf(file, "    <testcase classname=\"bench.nightly\" name=\"");
    html_text(file, row->name);
    fprintf(file, "\">\n");
    if (is_red(row))
        write_failure(file, row);
    else if (is_skipped(row))
        fprintf(file, "      <skipped message=\"%s\"/>\n", *night_row_word(row) ? night_row_word(row) : "INVALID");
    fprintf(file, "    </testcase>\n");
}

void night_format_junit(FILE *file, const struct night_view *night)
{
    size_t tests = 0, red = 0, skipped = 0;
    for (size_t i = 0; i < night->count; i++) {
        tests += night_row_is_shown(&night->rows[i]);
        red += night_row_is_shown(&night->rows[i]) && is_red(&night->rows[i]);
        skipped += night_row_is_shown(&night->rows[i]) && is_skipped(&night->rows[i]);
    }
    fprintf(file, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
                  "  <testsuite name=\"bench nightly %s\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\" errors=\"0\">\n",
            night->name, tests, red, skipped);
    for (size_t i = 0; i < night->count; i++)
        if (night_row_is_shown(&night->rows[i]))
            write_case(file, &night->rows[i]);
    fprintf(file, "  </testsuite>\n</testsuites>\n");
}

/* --- openmetrics ----------------------------------------------------------------------------------------- */

/* A label's value: backslash, quote and newline are escaped, as the format asks. */
static void write_label(FILE *file, const char *text)
{
    for (; *text; text++)
        if (*text == '\n')
            fputs("\\n", file);
        else
            fprintf(file, *text == '\\' || *text == '"' ? "\\%c" : "%c", *text);
}

static double rate_of(const struct night_row *row)
{
    return row->target ? exp(row->v) : NAN;
}
static double change_of(const struct night_row *row)
{
    return expm1(row->dev);
}
static double red_of(const struct night_row *row)
{
    return is_skipped(row) ? NAN : is_red(row) ? 1 : 0;
}

void night_format_openmetrics(FILE *file, const struct night_view *night)
{
    static const struct {
        const char *name, *help;
        double (*value)(const struct night_row *row);
    } metrics[] = {
        { "bench_night_images_per_second", "Rate of the night, median over fresh processes.", rate_of },
        { "bench_night_change_ratio", "Change against the median of the nights before; -0.05 is 5 % slower.", change_of },
        { "bench_night_regressed", "1: REGRESSED (MACHINE: all series together), 0: not.", red_of },
    };
    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        fprintf(file, "# TYPE %s gauge\n# HELP %s %s\n", metrics[m].name, metrics[m].name, metrics[m].help);
        for (size_t i = 0; i < night->count; i++) {
            double value = night_row_is_shown(&night->rows[i]) ? metrics[m].value(&night->rows[i]) : NAN;
            if (isnan(value))
                continue;
            fprintf(file, "%s{series=\"", metrics[m].name);
            write_label(file, night->rows[i].name);
            fprintf(file, "\",device=\"");
            write_label(file, night->rows[i].device);
            fprintf(file, "\"} %.9g\n", value);
        }
    }
    fprintf(file, "# EOF\n");
}
