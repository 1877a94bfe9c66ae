/* vectors.h - what the networks must answer: published results of double arithmetic for the conformance
 * input. Input: image_conformance (image.h); weights: set "conformance" or "seeded" (the damped one).
 * The table is constant. */
#ifndef BASE_VECTORS_H
#define BASE_VECTORS_H

#include <stdbool.h>
#include <stddef.h>

#define VECTOR_POINTS_MAX 5

struct vector_point { /* of channel 0 */
    int row, column;
    double value;
};

struct vector {
    const char *model, *set;
    const char *until;         /* module after which the graph ends; "": the logits */
    int h, w;                  /* of the input, 3 channels, batch 1 */
    int out[3];                /* C,H,W of the result */
    double mean, rms, min, max;/* over all of it; min and max are not a number where they were not published */
    struct vector_point points[VECTOR_POINTS_MAX];
    size_t point_count;
};

/* How far a float32 evaluation may be away from the logits in double; times max(1, rms)
 * for results before them. */
struct vector_limit {
    const char *model;
    double max, rms;           /* largest deviation of a value; root mean square of all deviations */
};

extern const struct vector vectors[];
extern const size_t vector_count;

/* NULL if the model has no vectors. */
const struct vector_limit *vector_limit_of(const char *model);

/* Largest deviation of a summary and of the points from the vector, divided by max(1, rms of the
 * vector) where until is set. values: all of out[0] x out[1] x out[2], (C,H,W). Infinite if
 * anything is not a number. */
double vector_deviation(const struct vector *v, const float *values);
double vector_deviation_double(const struct vector *v, const double *values);

#endif
