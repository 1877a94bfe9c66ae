/* details.h - the rows behind a decision as tables: what part-filled batches cost, every comparison of every
 * look, every verifying execution. For people, JSON and CSV; they borrow the target for the call. */
#ifndef OUTPUT_DETAILS_H
#define OUTPUT_DETAILS_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/output/table.h"
#include "bench/store/record.h"

/* A batch of so many images. NaN and "" mean unknown. */
struct fill_line {
    int    images;
    double service_p50_ms, ms_per_image;
    double as_ms;                    /* what it costs when it is run as advised */
    int    iterations;
    double first_use_ms;
    char   advice[8], as[24];        /* "split", "4 + 3" */
    char   failed[32];
};
extern const struct field fill_line_fields[];
extern const size_t fill_line_field_count;
/* [target->fill_count], for free(); NULL if memory is out. */
struct fill_line *fill_lines(const struct target_view *target);
/* The whole table in a phrase: "1 to 8 images measured; run 3 as 4, 7 as 4 + 3, the others as they are". ""
 * if there is none. */
void fill_phrase(char *out, size_t size, const struct target_view *target);

/* The three tables of a target by number: "fill", "looks", "verification". */
enum detail { DETAIL_OF_FILL, DETAIL_OF_LOOKS, DETAIL_OF_VERIFICATION, DETAIL_OF_COUNT };
const char *detail_name(enum detail detail);
/* Array of objects. NULL if memory is out; the caller owns it. */
json_t *detail_json(const struct target_view *target, enum detail detail);
/* The rows of all targets as CSV, a header line first; campaign and key of the target before each. */
void detail_write_csv(FILE *file, const struct campaign *campaign, enum detail detail);

#endif
