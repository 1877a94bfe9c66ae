/* What one point of a campaign says: its row, whether it counts, what takes a target's numbers their worth.
 */
#include "bench/output/curves.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/decided.h"
#include "bench/output/pareto.h"
#include "tuner/why.h"

#define AT(member) .offset = offsetof(struct curve_row, member)
const struct field curve_fields[] = {
    { .name = "batch",               .unit = "images", AT(batch),             .type = FIELD_INT },
    { .name = "images_per_s",        .unit = "1/s",    AT(images_per_s),      .type = FIELD_REAL, .digits = 4,
      .significant = true },
    { .name = "images_per_s_low",    .unit = "1/s",    AT(images_per_s_low),  .type = FIELD_REAL,
      .data_only = true },
    { .name = "images_per_s_high",   .unit = "1/s",    AT(images_per_s_high), .type = FIELD_REAL,
      .data_only = true },
    { .name = "+-95%",               .unit = "%",      AT(plus_minus_percent), .type = FIELD_REAL,
      .digits = 1,
      .text_only = true },
    { .name = "verified_images_per_s",      .unit = "1/s", AT(verified_images_per_s),      .type = FIELD_REAL,
      .digits = 4, .significant = true, .heading = "verified" },
    { .name = "verified_images_per_s_low",  .unit = "1/s", AT(verified_images_per_s_low),  .type = FIELD_REAL,
      .data_only = true },
    { .name = "verified_images_per_s_high", .unit = "1/s", AT(verified_images_per_s_high), .type = FIELD_REAL,
      .data_only = true },
    { .name = "ratio_to_best",       .unit = "",       AT(ratio_to_best),     .type = FIELD_REAL,
      .data_only = true },
    { .name = "time_per_image_ms",   .unit = "ms",     AT(time_per_image_ms), .type = FIELD_REAL,
      .data_only = true },
    { .name = "service_p50_ms",      .unit = "ms",     AT(service_p50_ms),    .type = FIELD_REAL, .digits = 4,
      .significant = true, .heading = "service_p50" },
    { .name = "service_p90_ms",      .unit = "ms",     AT(service_p90_ms),    .type = FIELD_REAL,
      .data_only = true },
    { .name = "service_p95_ms",      .unit = "ms",     AT(service_p95_ms),    .type = FIELD_REAL, .digits = 4,
      .significant = true, .heading = "service_p95" },
    { .name = "service_p99_ms",      .unit = "ms",     AT(service_p99_ms),    .type = FIELD_REAL, .digits = 4,
      .significant = true, .heading = "service_p99" },
    { .name = "joules_per_image",    .unit = "J",      AT(joules_per_image),  .type = FIELD_REAL, .digits = 3,
      .significant = true },
    { .name = "first_use_ms",        .unit = "ms",     AT(first_use_ms),      .type = FIELD_REAL,
      .data_only = true },
    { .name = "predicted_bytes",     .unit = "bytes",  AT(predicted_bytes),   .type = FIELD_BYTES,
      .data_only = true },
    { .name = "peak_bytes",          .unit = "bytes",  AT(peak_bytes),        .type = FIELD_BYTES,
      .heading = "peak" },
    { .name = "rounds",              .unit = "",       AT(rounds),            .type = FIELD_INT },
    { .name = "blocks",              .unit = "",       AT(blocks),            .type = FIELD_INT },
    { .name = "invalid_blocks",      .unit = "",       AT(invalid_blocks),    .type = FIELD_INT,
      .data_only = true },
    { .name = "iterations",          .unit = "",       AT(iterations),        .type = FIELD_INT },
    { .name = "method",              .unit = "",       AT(method),            .type = FIELD_TEXT,
      .data_only = true },
    { .name = "dominated_by",        .unit = "images", AT(dominated_by),      .type = FIELD_INT,
      .data_only = true,
      .zero_unknown = true },
    { .name = "output",              .unit = "",       AT(output),            .type = FIELD_TEXT },
    { .name = "labels",              .unit = "",       AT(labels),            .type = FIELD_TEXT },
    { .name = "why",                 .unit = "",       AT(why),               .type = FIELD_TEXT,
      .data_only = true },
    { .name = "text",                .unit = "",       AT(text),              .type = FIELD_TEXT,
      .data_only = true },
};
#undef AT
const size_t curve_field_count = sizeof curve_fields / sizeof *curve_fields;

/* --- whether it counts --- */

static bool is_failure(enum why why)
{
    switch (why) {
    case WHY_UNSUPPORTED: case WHY_CRASHED: case WHY_HUNG: case WHY_OUT_OF_MEMORY: case WHY_OVER_MEMORY:
    case WHY_WRONG_OUTPUT: case WHY_INACCURATE:
        return true;
    default:
        return false;
    }
}

bool curve_point_failed(const struct point_view *point)
{
    if (point->has_why)
        return is_failure(why_of_name(point->why.reason));
    return point->has_prepared && *point->prepared.result && strcmp(point->prepared.result, "feasible") != 0;
}

bool curve_point_is_valid(const struct point_view *point)
{
    const enum why why = point->has_why ? why_of_name(point->why.reason) : WHY_NONE;
    return point->has_estimate && isfinite(point->estimate.y) && !curve_point_failed(point) &&
           why != WHY_INVALID && why != WHY_THROTTLED;
}

bool curve_is_first_of_model(const struct campaign *campaign, size_t place)
{
    for (size_t i = 0; i < place; i++)
        if (strcmp(campaign->targets[i].row.model, campaign->targets[place].row.model) == 0)
            return false;
    return true;
}

const char *curve_output_word(const struct target_view *target)
{
    bool passed = false;
    for (size_t i = 0; i < target->accuracy_count; i++) {
        if (strcmp(target->accuracy[i].outcome, "failed") == 0)
            return "failed";
        passed |= strcmp(target->accuracy[i].outcome, "passed") == 0;
    }
    return passed ? "verified" : "unverified";
}

void curve_caveat(char *out, size_t size, const struct campaign *campaign, const struct target_view *target)
{
    const char *variant = campaign->run.variant;
    const char *parts[3] = { 0 };
    size_t used = 0;
    if (strcmp(variant, "release") != 0)
        parts[0] = strcmp(variant, "debug") == 0 ? "debug build"
                   : strcmp(variant, "san") == 0 ? "sanitizer build"
                                                 : "unknown build";
    if (target && target->row.scripted)
        parts[1] = "scripted engine";
    if (target && strcmp(curve_output_word(target), "failed") == 0)
        parts[2] = "output failed the accuracy gate";
    *out = 0;
    for (size_t i = 0; i < 3; i++)
        if (parts[i] && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", parts[i]);
}

/* --- the row --- */

static void fill_estimate(struct curve_row *out, const struct estimate_row *e, double best)
{
    out->images_per_s = exp(e->y);
    out->images_per_s_low = exp(e->y_low);
    out->images_per_s_high = exp(e->y_high);
    if (!estimate_is_wide(e)) /* else a percentage says nothing: low and high do */
        out->plus_minus_percent = 50 * (out->images_per_s_high - out->images_per_s_low) / out->images_per_s;
    out->ratio_to_best = exp(e->y - best);
    out->time_per_image_ms = 1000 / out->images_per_s;
    out->service_p50_ms = e->service_p50_ms;
    out->service_p90_ms = e->service_p90_ms;
    out->service_p95_ms = e->service_p95_ms;
    out->service_p99_ms = e->service_p99_ms;
    out->joules_per_image = e->joules_per_image > 0 ? e->joules_per_image : (double)NAN;
    out->rounds = e->rounds;
    out->blocks = e->blocks;
    out->invalid_blocks = e->invalid_blocks;
    out->iterations = e->iterations;
    snprintf(out->method, sizeof out->method, "%s", e->method);
    snprintf(out->labels, sizeof out->labels, "%s", e->labels);
}

void curve_row_of(struct curve_row *out, const struct target_view *target, const struct point_view *point)
{
    const double none = (double)NAN;
    const struct point_view *best = target_best(target);
    *out = (struct curve_row){ .batch = point->batch, .images_per_s = none, .images_per_s_low = none,
                               .images_per_s_high = none, .plus_minus_percent = none, .ratio_to_best = none,
                               .verified_images_per_s = none, .verified_images_per_s_low = none,
                               .verified_images_per_s_high = none, .time_per_image_ms = none,
                               .service_p50_ms = none, .service_p90_ms = none, .service_p95_ms = none,
                               .service_p99_ms = none, .joules_per_image = none,
                               .first_use_ms = none };
    if (point->has_estimate) {
        fill_estimate(out, &point->estimate, best ? best->estimate.y : none);
        out->first_use_ms = point->first_use_ms;
        snprintf(out->output, sizeof out->output, "%s", curve_output_word(target));
    }
    if (point->has_verified) {
        out->verified_images_per_s = exp(point->verified.y);
        out->verified_images_per_s_low = exp(point->verified.y_low);
        out->verified_images_per_s_high = exp(point->verified.y_high);
    }
    if (point->has_prepared) {
        out->predicted_bytes = point->prepared.predicted_bytes;
        out->peak_bytes = point->prepared.peak_bytes;
    }
    if (point->has_why) {
        snprintf(out->why, sizeof out->why, "%s", point->why.reason);
        snprintf(out->text, sizeof out->text, "%s", point->why.text);
    }
}

struct curve_row *curve_rows(const struct target_view *target)
{
    size_t count;
    int marked;
    struct curve_row *rows = calloc(target->point_count + 1, sizeof *rows);
    struct pareto_line *lines = pareto_lines(target, &count, &marked);
    for (size_t i = 0; rows && i < target->point_count; i++) {
        curve_row_of(&rows[i], target, &target->points[i]);
        for (size_t k = 0; lines && k < count; k++)
            if (lines[k].batch == rows[i].batch)
                rows[i].dominated_by = lines[k].dominated_by;
    }
    free(lines);
    return rows;
}

void curve_mark_text(char out[CURVE_MARK_SIZE], const struct mark_row *mark)
{
    char batch[32] = "", numbers[64] = "";
    if (mark->batch)
        snprintf(batch, sizeof batch, "batch %d: ", mark->batch);
    if (isfinite(mark->value) && isfinite(mark->limit))
        snprintf(numbers, sizeof numbers, " (%.4g, limit %.4g)", mark->value, mark->limit);
    else if (mark->batch && mark->value >= 1) /* of a size that died: the round */
        snprintf(numbers, sizeof numbers, " (round %.0f)", mark->value);
    snprintf(out, CURVE_MARK_SIZE, "%s%s%s", batch, mark->reason, numbers);
}
