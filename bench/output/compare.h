/* compare.h - two campaigns beside each other: another engine, build, setting or machine at the same work. Pure functions
 * of both.
 *
 * Targets are paired if they are the same work: model, precision, input, mode and instances. Where several would do, the
 * one of the same engine, device and threads. Every batch size that both measured is a row: rate of B over rate of A with
 * its 95 % interval (side_by_side.h, ratio_of_estimates), and a word:
 *   faster, slower   the whole interval lies on that side of 1
 *   alike            it holds 1 and is narrower than +-5 %
 *   open             it holds 1 and is wider, or there are too few rounds for one */
#ifndef OUTPUT_COMPARE_H
#define OUTPUT_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/output/side_by_side.h"
#include "bench/output/table.h"
#include "bench/store/record.h"

struct compare_row {
    char   target_a[RECORD_TEXT], target_b[RECORD_TEXT]; /* "hrnet onednn cpu:0 f32 3x256x256"; equal: b is "" */
    int    batch;
    double a_images_per_s, b_images_per_s;
    struct ratio ratio;
    char   word[16];
    bool   chosen;                   /* the size that A decided for */
    char   note[RECORD_TEXT];        /* what to know: another network, scripted, a debug build */
};
extern const struct field compare_fields[];
extern const size_t compare_field_count;

/* *out: [*count] rows for free(), in the order of A; NULL if memory is out. */
void compare_rows(struct compare_row **out, size_t *count, const struct campaign *a, const struct campaign *b);

#endif
