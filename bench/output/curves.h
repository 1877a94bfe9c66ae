/* curves.h - every curve of a campaign: the table of `bench show`, and the same rows as CSV and JSON.
 * Pure functions of a campaign; they borrow it for the call. */
#ifndef OUTPUT_CURVES_H
#define OUTPUT_CURVES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "bench/output/paint.h"
#include "bench/output/table.h"
#include "bench/store/record.h"

/* One point as it is shown. NaN, 0 bytes, "" mean unknown. */
struct curve_row {
    int    batch;
    double images_per_s, images_per_s_low, images_per_s_high;
    double plus_minus_percent;      /* half the 95 % interval in percent of the estimate; NaN if above 50 */
    double verified_images_per_s, verified_images_per_s_low, verified_images_per_s_high;
    double ratio_to_best, time_per_image_ms;
    double service_p50_ms, service_p90_ms, service_p95_ms, service_p99_ms;
    double joules_per_image, first_use_ms;
    uint64_t predicted_bytes, peak_bytes;
    int    rounds, blocks, invalid_blocks, iterations;
    int    dominated_by;            /* a size that is better in everything; 0: none. Only of curve_rows */
    char   method[16];              /* "race", "coarse" */
    char   output[16];              /* "verified", "unverified", "-" */
    char   labels[128];
    char   why[32], text[RECORD_TEXT];
};
extern const struct field curve_fields[];
extern const size_t curve_field_count;

/* Row of one point of a target. */
void curve_row_of(struct curve_row *out, const struct target_view *target, const struct point_view *point);
/* Rows of all points, [target->point_count], for free(); NULL if memory is out. */
struct curve_row *curve_rows(const struct target_view *target);
/* Is this point's number good to be compared: it ran, and nothing says that it failed? */
bool curve_point_is_valid(const struct point_view *point);
/* Was it tried, and failed: no memory, a crash, wrong output ...? */
bool curve_point_failed(const struct point_view *point);
/* Is the target at this place the first of its model? */
bool curve_is_first_of_model(const struct campaign *campaign, size_t place);
/* "verified" if the accuracy gate passed for the target, "unverified" if it did not run, "failed". */
const char *curve_output_word(const struct target_view *target);
/* "" or what makes the numbers of this target no measurement: "debug build", "scripted
 * engine", joined by ", ". */
void curve_caveat(char *out, size_t size, const struct campaign *campaign, const struct target_view *target);

#define CURVE_MARK_SIZE 128
/* A mark of a target or a point as a phrase: "batch 1: memory_model_off (1.36, limit 1.1)",
 * "batch 8: died (round 3)". */
void curve_mark_text(char out[CURVE_MARK_SIZE], const struct mark_row *mark);

struct show_options {
    bool colour;
    const char *model;    /* NULL: all; else only targets of this model */
};
/* The line above everything that is said of one target, and a warning below it if its numbers are none. */
void curves_heading(FILE *file, const struct campaign *campaign, const struct target_view *target,
                    const struct paint *paint);
/* Tables of all targets: heading with what is constant, the rows, the decision, the table of why, and the
 * environment. What `bench show` prints. */
void curves_show(FILE *file, const struct campaign *campaign, const struct show_options *options);
/* A line per target and its decision: what `bench tune` prints at its end. */
void curves_summary(FILE *file, const struct campaign *campaign, bool colour);
/* All points of all targets, one line each; columns of the target first. */
void curves_write_csv(FILE *file, const struct campaign *campaign);
/* Object {campaign, environment, targets: [{..., decision, curve, fill, looks, verification}]}. NULL if
 * memory is out. The caller owns it. */
json_t *curves_json(const struct campaign *campaign);
/* Writes curves.csv, fill.csv, looks.csv, verification.csv and curves.json (which holds all of them) into
 * folder (which must exist), each beside and renamed. */
enum status curves_write_files(const struct campaign *campaign, const char *folder, struct err *err);

#endif
