/* noise.h - simulated measurements of a known curve: what a block of a batch size gives on a machine that
 * warms up, wanders and is disturbed. A struct that the caller owns; random numbers come from its seed. */
#ifndef REPLAY_NOISE_H
#define REPLAY_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"
#include "kernels/base/rng.h"

/* The value of block number `tick` (from 1): y = ln(rate) - drift (1 - exp(-tick / drift_blocks)) + wander a
 * + block g + execution e, and with probability `spikes` less a share between spike_min and spike_max. g and
 * e are standard normal (e once per execution), a is an AR(1) series of unit variance with lag-1 correlation
 * wander_lag. A negative drift makes the machine faster. For the share `throttle` of its time, in stretches
 * of throttle_blocks on average, the machine throttles: it loses throttle_loss of its speed, and says so. */
struct noise {
    double drift, drift_blocks, wander, wander_lag, block, spikes, spike_min, spike_max, execution;
    double throttle, throttle_blocks, throttle_loss;
};
/* A machine as the race has to expect it: 6 % slower within some minutes, 1.2 % wander, 1 % of a block's own,
 * and in every 25th block a spike of 5 to 20 %. */
extern const struct noise noise_typical;

/* "typical", "none", or a list of changes to typical or, if it begins so, to none: "block=2%,spikes=0",
 * "none,throttle=30%". Keys: the fields of struct noise; shares may be written 0.02 or 2%. ST_USAGE names the
 * key and what is allowed. */
enum status noise_read(struct noise *out, const char *text, struct err *err);

struct meter {
    struct noise noise;
    struct rng rng;
    double (*rate)(const void *curve, int batch); /* images/s; NaN: that size cannot run */
    const void *curve;
    size_t tick;              /* blocks so far */
    double work;              /* sum of their true rates: images, if each lasts one second */
    double wander, shift;
    bool   throttled;         /* the last block was, as telemetry would tell */
};
struct meter meter_start(const struct noise *noise, uint64_t seed,
                         double (*rate)(const void *curve, int batch),
                         const void *curve);
/* A fresh execution: another shift; the wear of the machine goes on. */
void meter_next_execution(struct meter *m);
/* ln images/s of one block; NaN: it cannot run. */
double meter_block(struct meter *m, int batch);

#endif
