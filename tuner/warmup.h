/* warmup.h - when an execution is warm (measurement rule 1.4): sizes of windows, the test of two adjacent
 * ones, and the label of an execution. Pure; times in ns. */
#ifndef TUNER_WARMUP_H
#define TUNER_WARMUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WARMUP_WINDOW_NS UINT64_C(500000000) /* a window lasts at least so long */
#define WARMUP_CAP_NS UINT64_C(30000000000)  /* then, and after WARMUP_CAP_ITERATIONS, it goes on unsteady */
#define WARMUP_CAP_ITERATIONS 3

/* First stage: at least 2 s (GPU) or 1 s (CPU) and at least min(10, max(1, floor(5 s /
 * t_iter))) iterations. */
uint64_t warmup_first_ns(bool gpu);
int warmup_first_iterations(uint64_t t_iter_ns);
/* Iterations of a window: w = min(20, max(1, floor(5 s / t_iter))). */
int warmup_window_iterations(uint64_t t_iter_ns);
/* Unmeasured iterations of another size before its first block: min(10, max(1, floor(500 ms / t_iter))). */
int warmup_other_iterations(uint64_t t_iter_ns);
/* Unmeasured iterations after a change of size: max(1, min(3, floor(300 ms / t_iter))),
 * none if t_iter > 1 s. */
int warmup_switch_iterations(uint64_t t_iter_ns);

struct warmup_window {
    const double *iteration_ns; /* [n] */
    size_t n;
    double clock_min, clock_max;       /* SM clock of a GPU in MHz; NaN: no reading, its test is skipped */
    double temperature_c_per_s;        /* slope over the window; NaN: no reading */
};

/*        name            text */
#define WARMUP_LIST(X) \
    X(STEADY,           "steady") \
    X(CENTRE_MOVED,     "the median moved") \
    X(FIRST_IS_OUTLIER, "the first iteration is slower than the rest") \
    X(QUARTILE_MOVED,   "a quartile moved") \
    X(SPREAD_MOVED,     "the spread moved") \
    X(CLOCK_MOVED,      "the device's clock moved") \
    X(HEATING,          "the device's temperature moved") \
    X(TOO_FEW,          "too few iterations")

enum warmup {
#define X(name, text) WARMUP_##name,
    WARMUP_LIST(X)
#undef X
    WARMUP_COUNT
};
const char *warmup_text(enum warmup warmup);

/* Do two adjacent windows agree? w as of warmup_window_iterations: below 20 the centre may move 2 %, and
 * quartiles, first iteration and spread are not looked at. WARMUP_STEADY or the first test that failed. */
enum warmup warmup_check(const struct warmup_window *older, const struct warmup_window *newer, int w);

enum warmup_class { WARMUP_CLASS_NONE, WARMUP_CLASS_FLAT, WARMUP_CLASS_WARMUP, WARMUP_CLASS_SLOWDOWN,
                    WARMUP_CLASS_COUNT };
const char *warmup_class_name(enum warmup_class c); /* "none", "flat", "warmup", "slowdown" */
/* Label of an execution from the iterations of its largest size: median of the last third against the first,
 * within 1 % flat. NONE if it was not steady or n < 3. */
enum warmup_class warmup_classify(const double *iteration_ns, size_t n, bool steady);

#endif
