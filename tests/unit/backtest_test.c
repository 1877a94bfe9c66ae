/* The backtest on histories whose answer is known: pure noise, and noise with an incident in it. */
#include "tuner/backtest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/base/rng.h"

enum { SERIES = 20, NIGHTS = 80 };

struct history {
    double v[SERIES][NIGHTS], again[SERIES][NIGHTS], error[SERIES][NIGHTS];
};

static double uniform(void *rng)
{
    return rng_uniform(rng);
}

static struct history *noise(uint64_t seed)
{
    static struct history h;
    struct rng rng = rng_seeded(seed);
    for (int n = 0; n < NIGHTS; n++) {
        double night = .007 * rng_normal(&rng);
        for (int s = 0; s < SERIES; s++) {
            h.v[s][n] = s + night + .007 * rng_normal(&rng);
            h.again[s][n] = s + night + .007 * rng_normal(&rng);
            h.error[s][n] = .007;
        }
    }
    return &h;
}

static struct backtest_answer run(const struct history *h, size_t nights, size_t shuffles)
{
    static double v[SERIES * NIGHTS], again[SERIES * NIGHTS], error[SERIES * NIGHTS];
    struct rng rng = rng_seeded(11);
    struct backtest_answer a;
    for (size_t s = 0; s < SERIES; s++)
        for (size_t n = 0; n < nights; n++) {
            v[s * nights + n] = h->v[s][n];
            again[s * nights + n] = h->again[s][n];
            error[s * nights + n] = h->error[s][n];
        }
    const struct night_ask ask = { .series = SERIES, .nights = nights, .v = v, .again = again };
    assert_true(backtest(&a, &(struct backtest_ask){ .nights = &ask, .error = error, .shuffles = shuffles,
                                                     .uniform = uniform, .context = &rng }));
    return a;
}

static void pure_noise_gives_no_alarm(void **state)
{
    (void)state;
    struct backtest_answer a = run(noise(1), NIGHTS, 20);
    assert_true(a.enough && a.histories == 20);
    assert_int_equal(a.stored.alarms, 0);
    /* (SERIES + MACHINE) * (NIGHTS - 14 nights of learning), and 20 times that */
    assert_int_equal(a.stored.series_nights, 21 * 66);
    assert_int_equal(a.shuffled.series_nights, 20 * 21 * 66);
    assert_true(fabs(a.stored.upper - 3.0 / (21 * 66)) < 1e-12);
    assert_true(a.shuffled.alpha <= 1e-4);
    assert_true(a.found[1].by2 >= .6 && a.found[2].by2 >= .95 && a.found[3].by1 >= .9);
    assert_true(a.found[0].by5 >= a.found[0].by2 && a.found[3].lives == 20);
}

static void an_incident_is_counted_once_by_its_path(void **state)
{
    (void)state;
    struct history *h = noise(2);
    for (int n = 60; n < 66; n++) {
        h->v[7][n] -= .3;
        h->again[7][n] -= .3;
    }
    struct backtest_answer a = run(h, NIGHTS, 0);
    assert_int_equal(a.stored.alarms, 1);
    assert_int_equal(a.stored.by_path[VERDICT_PATH_GROSS], 1);
    assert_true(isnan(a.shuffled.alpha));
    /* one of 1386: P(Bin(1386, p) <= 1) = 5 % at p = 4.7439 / 1386 (Poisson), a little less for the
     * binomial */
    assert_true(fabs(a.stored.upper * 1386 - 4.74) < .02);
}

static void a_short_history_says_so(void **state)
{
    (void)state;
    struct backtest_answer a = run(noise(3), 20, 5);
    assert_true(!a.enough && a.histories == 0 && a.stored.alarms == 0 && isnan(a.found[0].by1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pure_noise_gives_no_alarm),
        cmocka_unit_test(an_incident_is_counted_once_by_its_path),
        cmocka_unit_test(a_short_history_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
