/* side_by_side.h - how many times as fast a GPU is as the CPU, where one campaign measured both at the same
 * work. Pure functions of a campaign.
 *
 * Two targets are paired if they are the same work: model and its SHA-256, precision, input shape, mode,
 * instances, and both outputs passed the accuracy gate. They are compared at the batch size that each would
 * serve, and at every batch size that both raced; what cannot be paired is a row with the reason in place of
 * the numbers.
 *
 *   ratio, low, high    rate of the GPU over that of the CPU, from the rounds of both races, with the 95 %
 *                       interval of the difference of the two means of ln(images/s): the square roots of the
 *                       sums of the squares of the distances to the ends of each one's own interval (MOVER;
 *                       Zou and Donner 2008; with few rounds a little wider than it must be)
 *   verified, verified_low, verified_high
 *                       ratio of the medians over the verifying executions, and its range: slowest of the
 *                       GPU's over fastest of the CPU's to fastest over slowest. With fewer than six
 *                       executions that is all that may be said (measurement rule 1.7) */
#ifndef OUTPUT_SIDE_BY_SIDE_H
#define OUTPUT_SIDE_BY_SIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "bench/output/table.h"
#include "bench/store/record.h"

struct ratio {
    double value, low, high;         /* NaN: it has none */
};
/* Rate of `fast` over rate of `slow`. NaN where one of them has no interval. */
struct ratio ratio_of_estimates(const struct estimate_row *fast, const struct estimate_row *slow);
/* Of two sets of ln(images/s), one value an execution; ranges. NaN if one set is empty. */
struct ratio ratio_of_executions(const double *fast, size_t fast_count, const double *slow, size_t slow_count);

struct side_row {
    char   model[RECORD_NAME], precision[16], input[32], mode[32];
    char   cpu[RECORD_NAME * 2 + 2], gpu[RECORD_NAME * 2 + 2]; /* engine and device */
    char   at[16];                   /* "chosen": each at the size that it would serve; "same" size */
    int    cpu_batch, gpu_batch;     /* 0: none */
    double cpu_images_per_s, gpu_images_per_s; /* of the races */
    struct ratio ratio, verified;
    char   basis[64];                /* over how many rounds and executions */
    char   note[RECORD_TEXT];        /* why there is no number, or what to know of it */
};
extern const struct field side_fields[];
extern const size_t side_field_count;

/* Does the campaign have targets on both kinds of devices? */
bool side_by_side_applies(const struct campaign *campaign);
/* *out: [*count] rows for free(); NULL: there are none, or memory is out. */
void side_rows(struct side_row **out, size_t *count, const struct campaign *campaign);
/* The table with a heading; nothing where it does not apply. model NULL: all. */
void side_write_text(FILE *file, const struct campaign *campaign, const char *model, bool colour);
/* Array of rows; empty where it does not apply. NULL if memory is out. */
json_t *side_json(const struct campaign *campaign);

#endif
