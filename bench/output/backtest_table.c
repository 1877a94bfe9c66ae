#include "bench/output/backtest_table.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "bench/output/table.h"
#include "kernels/base/len.h"

struct alarm_line {
    char     histories[40];
    uint64_t alarms, gross, two_night, step, series_nights;
    double   alpha, upper, n_alpha;
};
struct found_line {
    double loss, by1, by2, by5;
    uint64_t lives;
};

static const struct field alarm_fields[] = {
    { .name = "nights", .unit = "", .offset = offsetof(struct alarm_line, histories), .type = FIELD_TEXT },
    { .name = "alarms", .unit = "", .offset = offsetof(struct alarm_line, alarms), .type = FIELD_COUNT },
    { .name = "gross", .heading = "GROSS", .unit = "",
      .offset = offsetof(struct alarm_line, gross), .type = FIELD_COUNT },
    { .name = "two_night", .heading = "TWO-NIGHT", .unit = "",
      .offset = offsetof(struct alarm_line, two_night),
      .type = FIELD_COUNT },
    { .name = "step", .heading = "STEP", .unit = "", .offset = offsetof(struct alarm_line, step),
      .type = FIELD_COUNT },
    { .name = "series_nights", .heading = "series-nights", .unit = "",
      .offset = offsetof(struct alarm_line, series_nights),
      .type = FIELD_COUNT },
    { .name = "alpha", .unit = "", .offset = offsetof(struct alarm_line, alpha),
      .type = FIELD_REAL, .digits = 6 },
    { .name = "alpha_at_most", .heading = "at most", .unit = "95 %",
      .offset = offsetof(struct alarm_line, upper),
      .type = FIELD_REAL, .digits = 6 },
    { .name = "n_alpha", .heading = "N alpha", .unit = "a night",
      .offset = offsetof(struct alarm_line, n_alpha),
      .type = FIELD_REAL, .digits = 5 },
};
static const struct field found_fields[] = {
    { .name = "loss_percent", .heading = "loss", .unit = "%", .offset = offsetof(struct found_line, loss),
      .type = FIELD_REAL, .digits = 0 },
    { .name = "by_night_1_percent", .heading = "night 1", .unit = "%",
      .offset = offsetof(struct found_line, by1),
      .type = FIELD_REAL, .digits = 0 },
    { .name = "by_night_2_percent", .heading = "night 2", .unit = "%",
      .offset = offsetof(struct found_line, by2),
      .type = FIELD_REAL, .digits = 0 },
    { .name = "by_night_5_percent", .heading = "night 5", .unit = "%",
      .offset = offsetof(struct found_line, by5),
      .type = FIELD_REAL, .digits = 0 },
    { .name = "lives", .unit = "", .offset = offsetof(struct found_line, lives), .type = FIELD_COUNT },
};

static struct alarm_line alarm_line_of(const struct backtest_alarms *a, const char *name, size_t series)
{
    struct alarm_line line = { .alarms = a->alarms, .gross = a->by_path[VERDICT_PATH_GROSS],
                               .two_night = a->by_path[VERDICT_PATH_TWO_NIGHT], .step = a->by_path[VERDICT_PATH_STEP],
                               .series_nights = a->series_nights, .alpha = a->alpha, .upper = a->upper,
                               .n_alpha = a->alpha * (double)(series + 1) };
    snprintf(line.histories, sizeof line.histories, "%s", name);
    return line;
}

static size_t alarm_lines(struct alarm_line lines[2], const struct backtest_view *v)
{
    char name[40];
    snprintf(name, sizeof name, "%zu shuffled", v->answer->histories);
    lines[0] = alarm_line_of(&v->answer->stored, "as stored", v->series);
    lines[1] = alarm_line_of(&v->answer->shuffled, name, v->series);
    return v->answer->histories ? 2 : 1;
}

static size_t found_lines(struct found_line lines[BACKTEST_LOSSES], const struct backtest_view *v)
{
    for (size_t i = 0; i < BACKTEST_LOSSES; i++) {
        const struct backtest_found *f = &v->answer->found[i];
        lines[i] = (struct found_line){ 100 * f->loss, 100 * f->by1, 100 * f->by2, 100 * f->by5, f->lives };
    }
    return v->answer->histories ? BACKTEST_LOSSES : 0;
}

static struct table table_of(const struct field *fields, size_t field_count, const void *rows, size_t size, size_t count)
{
    return (struct table){ .fields = fields, .field_count = field_count, .rows = rows, .row_size = size,
                           .row_count = count, .marked = -1 };
}

void backtest_table_write(FILE *file, const struct backtest_view *v)
{
    struct alarm_line alarms[2];
    struct found_line found[BACKTEST_LOSSES];
    struct table table = table_of(alarm_fields, LEN(alarm_fields), alarms, sizeof *alarms, alarm_lines(alarms, v));
    fprintf(file, "%s%s%s: %zu series, %zu nights\n", v->device, *v->group ? " " : "", v->group, v->series, v->nights);
    table_write_text(file, &table);
    if (!v->answer->enough) {
        fprintf(file, "shuffled histories need %d nights\n", BACKTEST_LEAST_NIGHTS);
        return;
    }
    fprintf(file, "\nLosses put into one series, told by\n");
    table = table_of(found_fields, LEN(found_fields), found, sizeof *found, found_lines(found, v));
    table_write_text(file, &table);
}

json_t *backtest_table_json(const struct backtest_view *v)
{
    struct alarm_line alarms[2];
    struct found_line found[BACKTEST_LOSSES];
    struct table table = table_of(alarm_fields, LEN(alarm_fields), alarms, sizeof *alarms, alarm_lines(alarms, v));
    json_t *a = table_json(&table);
    table = table_of(found_fields, LEN(found_fields), found, sizeof *found, found_lines(found, v));
    json_t *f = table_json(&table);
    if (!a || !f) {
        json_decref(a);
        json_decref(f);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:I, s:I, s:o, s:o}", "device", v->device, "group", v->group, "series",
                     (json_int_t)v->series, "nights", (json_int_t)v->nights, "alarms", a, "losses", f);
}
