/* clock.h - a clock that is passed in, so that time can be virtual.
 * Nothing allocates; a struct clock may be copied. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
    uint64_t (*now_ns)(void *context);
    void (*sleep_ns)(void *context, uint64_t ns);
    void *context;
};

/* CLOCK_MONOTONIC_RAW and nanosleep of the system. */
struct clock clock_system(void);
/* A clock that stands at *now_ns and moves only when somebody sleeps on it or writes
 * *now_ns. Borrows now_ns. */
struct clock clock_virtual(uint64_t *now_ns);

static inline uint64_t clock_now_ns(const struct clock *clk)
{
    return clk->now_ns(clk->context);
}
static inline void clock_sleep_ns(const struct clock *clk, uint64_t ns)
{
    clk->sleep_ns(clk->context, ns);
}

/* Cost and step of the clock (measurement rule 1.2). */
struct clock_quality {
    double   overhead_ns;    /* median of 5 means over 10 000 empty timings */
    uint64_t granularity_ns; /* smallest non-zero step of 10 000 reads; 0 if it never moved */
};
struct clock_quality clock_measure_quality(const struct clock *clk);

/* Seconds since 1970 UTC from the wall clock: for records only, never for durations. */
int64_t clock_unix_s(void);
#define CLOCK_DAY_S 86400            /* seconds of a day */
#define CLOCK_STAMP_SIZE 21
/* Writes "YYYY-MM-DDTHH:MM:SSZ" into text[CLOCK_STAMP_SIZE]. */
void clock_stamp(char *text, int64_t unix_s);

#endif
