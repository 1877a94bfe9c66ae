#include "tests/decisions/rules.h"

#include <math.h>
#include <stdlib.h>

#include "bench/replay/procedure.h"
#include "tests/decisions/curves.h"
#include "tuner/stats.h"

enum { BLOCKS = 10, WINDOWS_MIN = 3, WINDOWS_MAX = 10 };

static double images_of(const struct meter *m)
{
    return 1000 * RULES_UNIT_S * m->work;
}

static struct rule_answer answer(int power, const struct meter *m)
{
    return (struct rule_answer){ .batch = 1 << power, .decided = 1, .units = m->tick,
                                 .images = images_of(m) };
}

/* --- ten blocks of every size --------------------------------------------------------------------------- */

struct table {
    double y[CURVE_POWERS][BLOCKS];
};

static struct table measure_in_order(struct meter *m)
{
    struct table t;
    for (int i = 0; i < CURVE_POWERS; i++)
        for (int n = 0; n < BLOCKS; n++)
            t.y[i][n] = meter_block(m, 1 << i);
    return t;
}

static struct table measure_interleaved(struct meter *m, uint64_t seed)
{
    struct table t;
    struct rng order = rng_seeded(seed);
    for (int n = 0; n < BLOCKS; n++) {
        int powers[CURVE_POWERS] = { 0, 1, 2, 3, 4, 5, 6 };
        rng_shuffle(&order, powers, CURVE_POWERS);
        for (int i = 0; i < CURVE_POWERS; i++)
            t.y[powers[i]][n] = meter_block(m, 1 << powers[i]);
    }
    return t;
}

static double mean(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i];
    return sum / n;
}

static struct rule_answer argmax(struct meter *m, uint64_t seed, int incumbent)
{
    (void)seed;
    (void)incumbent;
    struct table t = measure_in_order(m);
    int best = 0;
    for (int i = 1; i < CURVE_POWERS; i++)
        if (mean(t.y[i], BLOCKS) > mean(t.y[best], BLOCKS))
            best = i;
    return answer(best, m);
}

static double mean_rate(const double *y, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += exp(y[i]);
    return sum / n;
}

/* A size counts if it gains 5 % on the last one that did; two in a row that do not are forgiven, a third ends
 * it. */
static struct rule_answer gain(struct meter *m, uint64_t seed, int incumbent)
{
    (void)seed;
    (void)incumbent;
    struct table t = measure_in_order(m);
    int best = 0, flat = 0;
    for (int i = 1; i < CURVE_POWERS && flat < 3; i++) {
        flat++;
        if (mean_rate(t.y[i], BLOCKS) >= 1.05 * mean_rate(t.y[best], BLOCKS)) {
            best = i;
            flat = 0;
        }
    }
    return answer(best, m);
}

static int smallest_within(const struct table *t)
{
    double best = -INFINITY;
    int i = 0;
    for (int k = 0; k < CURVE_POWERS; k++)
        best = fmax(best, stats_median(t->y[k], BLOCKS));
    while (stats_median(t->y[i], BLOCKS) < best + log(1 - RULES_WITHIN))
        i++;
    return i;
}

static struct rule_answer in_order(struct meter *m, uint64_t seed, int incumbent)
{
    (void)seed;
    (void)incumbent;
    struct table t = measure_in_order(m);
    return answer(smallest_within(&t), m);
}

static struct rule_answer interleaved(struct meter *m, uint64_t seed, int incumbent)
{
    (void)incumbent;
    struct table t = measure_interleaved(m, seed);
    return answer(smallest_within(&t), m);
}

/* --- other tools ---------------------------------------------------------------------------------------- */

static double window_mean(struct meter *m, int batch, int units)
{
    double sum = 0;
    for (int i = 0; i < units; i++)
        sum += exp(meter_block(m, batch));
    return sum / units;
}

static struct rule_answer trtexec(struct meter *m, uint64_t seed, int incumbent)
{
    enum { UNMEASURED = 2, UNITS = 30 };
    (void)seed;
    (void)incumbent;
    double best_s = INFINITY;
    int best = 0;
    size_t units = 0;
    for (int i = 0; i < CURVE_POWERS; i++) {
        double image_s = 0;
        for (int n = -UNMEASURED; n < UNITS; n++) {
            double t = exp(-meter_block(m, 1 << i));
            image_s += n >= 0 ? t / UNITS : 0;
        }
        units += isfinite(image_s) ? UNITS : 0; /* those that count: without the warm-up */
        if (image_s < best_s) {
            best_s = image_s;
            best = i;
        }
    }
    struct rule_answer out = answer(best, m);
    out.units = units;
    return out;
}

/* Mean of the last three windows once `stable` likes them; NaN if it never does. */
static double stable_mean(struct meter *m, int batch, int units, int (*stable)(const double *last))
{
    double windows[WINDOWS_MAX];
    for (int n = 0; n < WINDOWS_MAX; n++) {
        windows[n] = window_mean(m, batch, units);
        if (n + 1 >= WINDOWS_MIN && stable(&windows[n + 1 - WINDOWS_MIN]))
            return mean(&windows[n + 1 - WINDOWS_MIN], WINDOWS_MIN);
    }
    return NAN;
}

static int close_range(const double *last)
{
    double lo = fmin(last[0], fmin(last[1], last[2])), hi = fmax(last[0], fmax(last[1], last[2]));
    return hi / lo <= 1.10;
}

static int close_to_mean(const double *last)
{
    double centre = mean(last, WINDOWS_MIN);
    for (int i = 0; i < WINDOWS_MIN; i++)
        if (fabs(last[i] - centre) > .10 * centre)
            return 0;
    return 1;
}

static struct rule_answer analyzer(struct meter *m, uint64_t seed, int incumbent)
{
    enum { UNITS = 50 };
    (void)seed;
    (void)incumbent;
    double best = 0;
    int chosen = 0;
    for (int i = 0; i < CURVE_POWERS; i++) {
        double rate = stable_mean(m, 1 << i, UNITS, close_range);
        if (!(rate > best))
            break;
        best = rate;
        chosen = i;
    }
    return answer(chosen, m);
}

static struct rule_answer navigator(struct meter *m, uint64_t seed, int incumbent)
{
    enum { UNITS = 3, DROPPED_END = 3 };
    (void)seed;
    (void)incumbent;
    double best = 0;
    int chosen = 0, dropped = 0;
    for (int i = 0; i < CURVE_POWERS && dropped < DROPPED_END; i++) {
        double rate = stable_mean(m, 1 << i, UNITS, close_to_mean);
        if (isnan(rate))
            continue;
        dropped++;
        if (rate >= 1.05 * best) {
            best = rate;
            chosen = i;
            dropped = 0;
        }
    }
    return answer(chosen, m);
}

/* --- ours ----------------------------------------------------------------------------------------------- */

/* What the race promises of its candidates. */
static int is_wrong(const struct meter *m, const struct race_candidate *candidates,
                    const struct race_answer *a)
{
    double best = 0;
    int right = 0;
    for (size_t i = 0; i < a->count; i++)
        best = fmax(best, m->rate(m->curve, candidates[i].batch));
    for (size_t i = a->count; i-- > 0;)
        if (m->rate(m->curve, candidates[i].batch) >= (1 - RULES_WITHIN) * best)
            right = candidates[i].batch;
    return (a->state == RACE_DECIDED && a->batch != right) ||
           (a->state == RACE_WITHIN && m->rate(m->curve, a->batch) < (1 - RULES_WITHIN) * best);
}

static struct rule_answer run_ours(const struct procedure_ask *ask)
{
    struct procedure_answer *a;
    if (procedure_run(&a, ask, NULL) != ST_OK)
        abort();
    struct rule_answer out = { .batch = a->decision.batch, .decided = a->race.state == RACE_DECIDED,
                               .error = is_wrong(ask->meter, a->candidates, &a->race),
                               .units = a->coarse_blocks + a->race_blocks + a->verify_blocks,
                               .images = images_of(ask->meter) };
    procedure_free(a);
    return out;
}

static struct rule_answer race_with(struct meter *m, uint64_t seed, double alpha)
{
    static const int powers[CURVE_POWERS] = { 1, 2, 4, 8, 16, 32, 64 };
    struct meter probing = meter_start(&(struct noise){ 0 }, 1, m->rate, m->curve); /* no coarse stage: no
                                                                                       noise, no cost */
    struct race_candidate candidates[CURVE_POWERS] = { { 0 } };
    struct race_block blocks[40 * (CURVE_POWERS + 1)] = { { 0 } };
    struct race_ask ask = { .candidates = candidates, .count = CURVE_POWERS, .blocks = blocks,
                            .within = RULES_WITHIN, .alpha = alpha };
    struct race_answer a;
    struct rng order = rng_seeded(seed);
    for (int i = 0; i < CURVE_POWERS; i++)
        candidates[i] = (struct race_candidate){ .batch = powers[i], .coarse_y = meter_block(&probing,
                                                                                             powers[i]) };
    for (race_step(&a, &ask, NULL); a.state == RACE_GO_ON; race_step(&a, &ask, NULL))
        for (; ask.rounds < a.next_look; ask.rounds++) {
            int columns[CURVE_POWERS], n = 0;
            for (int i = 0; i < CURVE_POWERS; i++)
                if (a.sizes[i].alive)
                    columns[n++] = i;
            rng_shuffle(&order, columns, (size_t)n);
            for (int i = 0; i < n; i++)
                blocks[ask.rounds * (CURVE_POWERS + 1) + (size_t)columns[i]] =
                    (struct race_block){ .y = meter_block(m, powers[columns[i]]), .mark = RACE_VALID };
        }
    struct rule_answer out = { .batch = a.batch, .decided = a.state == RACE_DECIDED,
                               .error = is_wrong(m, candidates, &a), .units = m->tick,
                               .images = images_of(m) };
    double best = -INFINITY;
    for (int i = 0; i < CURVE_POWERS; i++)
        best = a.sizes[i].alive ? fmax(best, a.sizes[i].est) : best;
    for (int i = CURVE_POWERS - 1; i >= 0 && !out.decided; i--)
        if (a.sizes[i].alive && a.sizes[i].est >= best + log(1 - RULES_WITHIN))
            out.batch = powers[i];
    return out;
}

static struct rule_answer race_alone(struct meter *m, uint64_t seed, int incumbent)
{
    (void)incumbent;
    return race_with(m, seed, RULES_ALPHA);
}

static struct rule_answer race_unsplit(struct meter *m, uint64_t seed, int incumbent)
{
    (void)incumbent;
    return race_with(m, seed, RULES_ALPHA * (CURVE_POWERS - 1) * RACE_LOOKS);
}

static struct rule_answer procedure_with(struct meter *m, uint64_t seed, int incumbent,
                                         enum race_thrift thrifty)
{
    return run_ours(&(struct procedure_ask){ .meter = m, .max_batch = CURVE_MAX, .within = RULES_WITHIN,
                                             .alpha = RULES_ALPHA, .incumbent = incumbent, .seed = seed,
                                             .control = true, .thrifty = thrifty });
}

static struct rule_answer ours(struct meter *m, uint64_t seed, int incumbent)
{
    return procedure_with(m, seed, incumbent, RACE_PLAIN);
}

static struct rule_answer thrifty(struct meter *m, uint64_t seed, int incumbent)
{
    return procedure_with(m, seed, incumbent, RACE_THRIFTY);
}

static struct rule_answer often(struct meter *m, uint64_t seed, int incumbent)
{
    return procedure_with(m, seed, incumbent, RACE_OFTEN);
}

const struct rule rule_argmax = { "argmax of means, in order", argmax };
const struct rule rule_gain = { "stop when gain < 5 %, back-off 2, in order", gain };
const struct rule rule_in_order = { "smallest within 5 %, medians, in order", in_order };
const struct rule rule_interleaved = { "smallest within 5 %, medians, 10 interleaved rounds", interleaved };
const struct rule rule_race = { "race", race_alone };
const struct rule rule_race_unsplit = { "race, alpha not split", race_unsplit };
const struct rule rule_trtexec = { "trtexec", trtexec };
const struct rule rule_analyzer = { "Model Analyzer on perf_analyzer", analyzer };
const struct rule rule_navigator = { "Model Navigator", navigator };
const struct rule rule_ours = { "ours", ours };
const struct rule rule_thrifty = { "ours, thrifty", thrifty };
const struct rule rule_often = { "ours, thrifty, looks often", often };
