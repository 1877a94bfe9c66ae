/* verdict.h - has one series changed tonight? (measurement rule 7.3.) Pure: nights in, a verdict out, no
 * allocation. Values are natural logarithms of rates (residuals after the common mode was taken out), so
 * a loss is negative and 0.05 is five percent. All series of a device, MACHINE included, are judged by
 * the same rule. */
#ifndef TUNER_VERDICT_H
#define TUNER_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#define VERDICT_DELTA 0.03          /* the smallest change that counts, unless a series has its own */
#define VERDICT_WINDOW 30           /* nights of the base */
#define VERDICT_LEARN 14            /* nights before the first verdict */
#define VERDICT_STEP_NEW 5          /* a step compares so many nights ... */
#define VERDICT_STEP_OLD 30         /* ... with so many before them */
#define VERDICT_STEP_U 6            /* of 150 pairs at most: exact one-sided p = 29/324632 = 8.9e-5 */

/*        name            word             text */
#define VERDICT_LIST(X) \
    X(OK,            "OK",            "as before") \
    X(LEARNING,      "LEARNING",      "too few nights to judge by") \
    X(NOISE,         "NOISE",         "one odd value, not confirmed in fresh processes") \
    X(SUSPECT,       "SUSPECT",       "slower, confirmed tonight: one more such night is a regression") \
    X(REGRESSED,     "REGRESSED",     "slower") \
    X(IMPROVED,      "IMPROVED",      "faster") \
    X(INCONCLUSIVE,  "INCONCLUSIVE",  "a series differed from itself tonight: nothing can be said")
enum verdict {
#define X(name, word, text) VERDICT_##name,
    VERDICT_LIST(X)
#undef X
    VERDICT_COUNT
};
const char *verdict_name(enum verdict v);
const char *verdict_text(enum verdict v);

/* Of rule 7.3 as it stands here; stored with every verdict, so that a newer one can judge again. */
#define VERDICT_RULE_VERSION 1

/* How a change was found. */
#define VERDICT_PATH_LIST(X) \
    X(NONE,      "") \
    X(GROSS,     "GROSS")      /* large and confirmed: one night is enough */ \
    X(TWO_NIGHT, "TWO-NIGHT")  /* confirmed on two valid nights in a row */ \
    X(STEP,      "STEP")       /* small, but the last five nights lie below the thirty before */
enum verdict_path {
#define X(name, word) VERDICT_PATH_##name,
    VERDICT_PATH_LIST(X)
#undef X
    VERDICT_PATH_COUNT
};
const char *verdict_path_name(enum verdict_path path);

/* A valid night of the series that is over. */
struct verdict_night {
    double y;
    bool   flagged;                 /* out of the base; false for nights that an accept covers */
    int run; /* confirmed nights in a row up to this one; negative: of losses; 0: not confirmed */
};

struct verdict_ask {
    const struct verdict_night *nights; /* valid nights of the segment, oldest first, without tonight */
    size_t count;
    double y;                       /* tonight */
    bool   accepted;                /* the segment was begun by an accept */
    double s_before;                /* S of the last night before the accept; 0: none is known */
    bool   confirmed_known;         /* the confirmation was measured ... */
    double again;                   /* ... and gave this: y' */
    bool   dirty;                   /* the device's control differed from itself tonight */
    double delta;                   /* 0: VERDICT_DELTA */
};
struct verdict_answer {
    enum verdict verdict;
    enum verdict_path path;
    size_t W;                       /* nights of the base */
    double M, S;                    /* its median and scale; NaN if W = 0 */
    double dev, dev_again;          /* tonight and the confirmation against M; NaN if unknown */
    bool   flagged, confirmed, gross;
    int    run;                     /* to be stored with the night, as in verdict_night */
    double U, shift; /* of the step test; NaN before 35 nights. shift: median of the differences */
    bool   ask_again;               /* flagged, and no confirmation yet: measure one before the night ends */
};
/* Of this verdict, with nothing known. */
struct verdict_answer verdict_empty(enum verdict verdict);
/* Steps 1 to the end of rule 7.3. Without a confirmation a flagged night is at most NOISE (or a STEP). */
void verdict_of(struct verdict_answer *out, const struct verdict_ask *ask);

/* Scale of a base: 1.4826 MAD (1 + 0.9/n), at least 0.005; what z of the control is held against. 0.005
 * for n < 14. */
double verdict_scale(const double *values, size_t n);

#endif
