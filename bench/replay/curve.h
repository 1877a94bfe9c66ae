/* curve.h - a recorded curve from a CSV file: line 1 `#` with its origin, line 2 the names of the columns,
 * then one size a line, ascending. Columns: batch, images_per_s, optional p50_ms and p95_ms (service time of
 * a batch) and status (ok, unstable, failed; default ok), error (the last column: rest of the line); others
 * are not looked at; empty = not recorded. What curve_read gives, curve_free takes back. */
#ifndef REPLAY_CURVE_H
#define REPLAY_CURVE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/err.h"

#define CURVE_POINTS_MAX 256

struct curve_point {
    int    batch;
    double images_per_s;      /* NaN: not recorded */
    double p50_ms, p95_ms;    /* NaN: not recorded */
    bool   ran;               /* ok; an unstable size counts as failed */
    char   note[128];         /* of a size that did not: "failed: ERROR", "unstable" */
};
struct recorded_curve {
    char  *origin;            /* line 1 without the `#`; "" if there is none */
    struct curve_point *points; /* [count] */
    size_t count;
};
/* ST_CONFIG: "FILE:7: ..." says what is wrong; ST_IO: it cannot be read. *out is all zero unless ST_OK. */
enum status curve_read(struct recorded_curve *out, const char *path, struct err *err);
void curve_free(struct recorded_curve *c);

/* The point of a size; NULL: not recorded. */
const struct curve_point *curve_find(const struct recorded_curve *c, int batch);
/* A value of a size: recorded, or linear between the two recorded sizes around it if both ran; NaN else. */
enum curve_value { CURVE_IMAGES_PER_S, CURVE_P50_MS, CURVE_P95_MS };
double curve_value(const struct recorded_curve *c, int batch, enum curve_value value);

#endif
