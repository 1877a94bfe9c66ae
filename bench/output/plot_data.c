/* The numbers of the pictures as files. */
#include "bench/output/plot_sheet.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/curves.h"
#include "bench/output/decided.h"
#include "bench/output/details.h"
#include "kernels/base/len.h"

FILE *sheet_open(const struct sheet *s, const char *suffix, struct err *err)
{
    char path[SHEET_PATH + 64];
    snprintf(path, sizeof path, "%s%s", s->base, suffix);
    FILE *file = fopen(path, "w");
    if (!file)
        err_set(err, ST_IO, "%s: cannot be written: %s", path, strerror(errno));
    return file;
}

enum status sheet_close(FILE *file, const struct sheet *s, const char *suffix, struct err *err)
{
    const bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad)
        return err_set(err, ST_IO, "%s%s: writing failed: %s", s->base, suffix, strerror(errno));
    return ST_OK;
}

static void put_number(FILE *file, double x, const char *end)
{
    if (isfinite(x))
        fprintf(file, "%.9g%s", x, end);
    else
        fprintf(file, "NaN%s", end);
}

static void write_point(FILE *file, const struct target_view *t, const struct curve_row *r)
{
    fprintf(file, "%d\t", r->batch);
    put_number(file, r->images_per_s, "\t");
    put_number(file, r->images_per_s_low, "\t");
    put_number(file, r->images_per_s_high, "\t");
    put_number(file, r->service_p50_ms, "\t");
    put_number(file, r->service_p95_ms, "\t");
    put_number(file, r->service_p99_ms, "\t");
    put_number(file, r->peak_bytes ? (double)r->peak_bytes / 1048576 : (double)NAN, "\t");
    put_number(file, r->predicted_bytes ? (double)r->predicted_bytes / 1048576 : (double)NAN, "\t");
    fprintf(file, "%d\t", target_served_batch(t) == r->batch);
    put_number(file, 1000 * r->batch / r->images_per_s, "\t");
    put_number(file, r->verified_images_per_s, "\t");
    put_number(file, r->verified_images_per_s_low, "\t");
    put_number(file, r->verified_images_per_s_high, "\t");
    fprintf(file, "%d\n", r->dominated_by);
}

static void write_curve(FILE *file, const struct target_view *t)
{
    struct curve_row *rows = curve_rows(t);
    for (size_t i = 0; rows && i < t->point_count; i++)
        if (curve_point_is_valid(&t->points[i]))
            write_point(file, t, &rows[i]);
    free(rows);
}

/* A target without a table has one line of nothing, so that the blocks keep their numbers. */
static void write_fill(FILE *file, const struct target_view *t)
{
    struct fill_line *lines = fill_lines(t);
    if (!t->fill_count || !lines)
        fprintf(file, "NaN\tNaN\tNaN\t-\n");
    for (size_t i = 0; lines && i < t->fill_count; i++) {
        fprintf(file, "%d\t", lines[i].images);
        put_number(file, lines[i].service_p50_ms, "\t");
        put_number(file, lines[i].as_ms, "\t");
        fprintf(file, "%s\n", *lines[i].advice ? lines[i].advice : "-");
    }
    free(lines);
}

/* What a bar of a chosen size shows: the published rate. */
static void write_bar(FILE *file, size_t place, const struct target_view *t)
{
    const struct estimate_row *e = point_published(target_chosen(t));
    fprintf(file, "%zu\t", place);
    put_number(file, e ? exp(e->y) : (double)NAN, "\t");
    put_number(file, e ? exp(e->y_low) : (double)NAN, "\t");
    put_number(file, e ? exp(e->y_high) : (double)NAN, "\n");
}

static void write_curves(FILE *file, const struct sheet *s)
{
    fprintf(file,
            "# batch\timages/s\tlow\thigh\tp50 ms\tp95 ms\tp99 ms\tmeasured MiB\tpredicted MiB\tchosen\t"
            "batch / throughput ms\tverified images/s\tlow\thigh\tdominated by\n");
    for (size_t i = 0; i < s->count; i++) {
        fprintf(file, "%s", i ? "\n\n" : "");
        write_curve(file, s->targets[i]);
    }
}

static void write_bars(FILE *file, const struct sheet *s)
{
    fprintf(file, "# place\timages/s\tlow\thigh\n");
    for (size_t i = 0; i < s->count; i++)
        write_bar(file, i + 1, s->targets[i]);
}

static void write_fills(FILE *file, const struct sheet *s)
{
    fprintf(file, "# images\tp50 ms\tms as advised\tadvice\n");
    for (size_t i = 0; i < s->count; i++) {
        fprintf(file, "%s", i ? "\n\n" : "");
        write_fill(file, s->targets[i]);
    }
}

static const struct {
    struct plot_data file;
    void (*write)(FILE *file, const struct sheet *s);
} data_files[] = {
    { { ".tsv", "data" }, write_curves }, { { "-targets.tsv", "bars" }, write_bars },
    { { "-fill.tsv", "fills" }, write_fills },
};

const struct plot_data *plot_data_file(size_t place)
{
    return place < LEN(data_files) ? &data_files[place].file : NULL;
}

enum status plot_data_write(const struct sheet *s, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; st == ST_OK && i < LEN(data_files); i++) {
        FILE *file = sheet_open(s, data_files[i].file.suffix, err);
        if (!file)
            return ST_IO;
        data_files[i].write(file, s);
        st = sheet_close(file, s, data_files[i].file.suffix, err);
    }
    return st;
}
