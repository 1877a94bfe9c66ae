#include "tests/decisions/trials.h"

#include <math.h>

static int right_power(const struct curve *c)
{
    double best = 0;
    int b = 1;
    for (int p = 1; p <= CURVE_MAX; p *= 2)
        best = fmax(best, curve_rate(c, p));
    while (curve_rate(c, b) < .95 * best)
        b *= 2;
    return b;
}

static struct rule_answer run_once(const struct trials_ask *ask, const struct curve *c, uint64_t seed,
                                   int incumbent)
{
    struct meter m = meter_start(ask->noise, splitmix64(seed), curve_rate, c);
    return ask->rule->choose(&m, splitmix64(seed ^ 0x5eedu), incumbent);
}

static void count(struct trials *t, const struct curve *c, const struct rule_answer *a)
{
    double best = curve_best(c), regret = 1 - (a->batch ? curve_rate(c, a->batch) : 0) / best;
    t->exact += a->batch == right_power(c);
    t->regret += regret;
    t->worst_regret = fmax(t->worst_regret, regret);
    t->outside += regret > .05 + 1e-12;
    t->regret_sd += regret * regret;
    t->decided += a->decided;
    t->error += a->error;
    t->units += (double)a->units;
    t->units_sd += (double)a->units * (double)a->units;
    t->units_decided += a->decided ? (double)a->units : 0;
    t->images += a->images;
    t->images_decided += a->decided ? a->images : 0;
}

struct trials trials_run(const struct trials_ask *ask, int with_incumbent)
{
    struct trials t = { .flap_incumbent = with_incumbent ? 0 : NAN };
    for (size_t i = 0; i < ask->trials; i++) {
        uint64_t seed = ask->seed + 4 * i;
        struct curve c = ask->curve ? *ask->curve : curve_random(splitmix64(seed + 3));
        struct rule_answer a = run_once(ask, &c, seed, ask->incumbent), b = run_once(ask, &c, seed + 1,
                                                                                     ask->incumbent);
        count(&t, &c, &a);
        count(&t, &c, &b);
        t.flap += a.batch != b.batch;
        if (with_incumbent)
            t.flap_incumbent += run_once(ask, &c, seed + 2, a.batch).batch != a.batch;
    }
    double trials = (double)ask->trials, runs = 2 * trials;
    t.units_decided = t.decided > 0 ? t.units_decided / t.decided : NAN;
    t.images_decided = t.decided > 0 ? t.images_decided / t.decided : NAN;
    t.images /= runs;
    t.exact /= runs;
    t.regret /= runs;
    t.outside /= runs;
    t.decided /= runs;
    t.error /= runs;
    t.units /= runs;
    t.regret_sd = sqrt(fmax(0, t.regret_sd / runs - t.regret * t.regret));
    t.units_sd = sqrt(fmax(0, t.units_sd / runs - t.units * t.units));
    t.runs = 2 * ask->trials;
    t.flap /= trials;
    t.flap_incumbent /= trials;
    return t;
}
