/* Lives of a device of twelve series that are told under a rule: what measurement checks 31, 33 and 35 to 37 ask for holds
 * under ours, and each fails under a rule that lacks the part it is about. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/base/rng.h"
#include "tuner/night.h"

enum { SERIES = 12, NIGHTS = 70, MACHINE = SERIES, FROM = 40 };

struct life {
    double v[SERIES][NIGHTS], again[SERIES][NIGHTS], control[NIGHTS];
    int segment[SERIES][NIGHTS], machine_segment[NIGHTS];
    struct verdict_answer verdicts[SERIES + 1][NIGHTS];
    struct night_common common[NIGHTS];
};

typedef bool (*rule)(struct verdict_answer *verdicts, struct night_common *common, const struct night_ask *ask);

/* Series s has level s; 0.4 % noise of the night, 0.4 % of its own; everything has a confirmation. */
static struct life *quiet(uint64_t seed)
{
    static struct life l;
    struct rng rng = rng_seeded(seed);
    memset(&l, 0, sizeof l);
    for (int n = 0; n < NIGHTS; n++) {
        double night = .004 * rng_normal(&rng);
        for (int s = 0; s < SERIES; s++) {
            l.v[s][n] = s + night + .004 * rng_normal(&rng);
            l.again[s][n] = s + night + .004 * rng_normal(&rng);
        }
        l.control[n] = .002 * rng_normal(&rng);
    }
    return &l;
}

/* On nights [from, upto). */
static void change(struct life *l, int series, int from, int upto, double by)
{
    for (int n = from; n < upto; n++) {
        l->v[series][n] += by;
        l->again[series][n] += by;
    }
}

static void live(struct life *l, rule judge)
{
    assert_true(judge(&l->verdicts[0][0], l->common,
                      &(struct night_ask){ .series = SERIES, .nights = NIGHTS, .v = &l->v[0][0], .again = &l->again[0][0],
                                           .segment = &l->segment[0][0], .machine_segment = l->machine_segment,
                                           .control = l->control }));
}

static bool is(const struct life *l, int series, int night, enum verdict v)
{
    return l->verdicts[series][night].verdict == v;
}

static int count(const struct life *l, int series, int from, int upto, enum verdict v)
{
    int n = 0;
    for (int i = from; i < upto; i++)
        n += is(l, series, i, v);
    return n;
}

static int red_series(const struct life *l)
{
    int n = 0;
    for (int s = 0; s < SERIES; s++)
        n += count(l, s, 0, NIGHTS, VERDICT_REGRESSED);
    return n;
}

/* --- rules that lack something -------------------------------------------------------------------------------- */

/* Each series for itself: no common mode, and no MACHINE. */
static bool each_alone(struct verdict_answer *verdicts, struct night_common *common, const struct night_ask *ask)
{
    struct verdict_answer both[2 * NIGHTS];
    for (size_t s = 0; s < ask->series; s++) {
        struct night_ask one = *ask;
        one.series = 1;
        one.v += s * ask->nights;
        one.again += s * ask->nights;
        one.segment += s * ask->nights;
        if (!night_judge(both, common, &one))
            return false;
        memcpy(&verdicts[s * ask->nights], both, ask->nights * sizeof *both);
    }
    memcpy(&verdicts[ask->series * ask->nights], both + ask->nights, ask->nights * sizeof *both);
    return true;
}

/* What is flagged once is red, whatever a confirmation says. */
static bool at_once(struct verdict_answer *verdicts, struct night_common *common, const struct night_ask *ask)
{
    bool done = night_judge(verdicts, common, ask);
    for (size_t i = 0; i < (ask->series + 1) * ask->nights; i++)
        if (verdicts[i].flagged && verdicts[i].dev < 0)
            verdicts[i].verdict = VERDICT_REGRESSED;
    return done;
}

/* Nobody's accept is heard. */
static bool deaf(struct verdict_answer *verdicts, struct night_common *common, const struct night_ask *ask)
{
    struct night_ask other = *ask;
    other.segment = other.machine_segment = NULL;
    return night_judge(verdicts, common, &other);
}

/* An accept silences for good. */
static bool silenced(struct verdict_answer *verdicts, struct night_common *common, const struct night_ask *ask)
{
    bool done = night_judge(verdicts, common, ask);
    for (size_t i = 0; i < ask->series * ask->nights; i++)
        if (ask->segment[i] > 0)
            verdicts[i].verdict = VERDICT_OK;
    return done;
}

/* Without the control. */
static bool trusting(struct verdict_answer *verdicts, struct night_common *common, const struct night_ask *ask)
{
    struct night_ask other = *ask;
    other.control = NULL;
    return night_judge(verdicts, common, &other);
}

/* Compared with the night before. */
static bool night_before(struct verdict_answer *verdicts, struct night_common *common, const struct night_ask *ask)
{
    bool done = night_judge(verdicts, common, ask);
    for (size_t s = 0; s < ask->series; s++)
        for (size_t n = 1; n < ask->nights; n++)
            if (ask->v[s * ask->nights + n] - ask->v[s * ask->nights + n - 1] < -.06)
                verdicts[s * ask->nights + n].verdict = VERDICT_REGRESSED;
    return done;
}

/* --- the checks ---------------------------------------------------------------------------------------------- */

/* (31) The device 6 % slower: one MACHINE by night 2, no series red. */
static bool machine_is_one_incident(rule judge)
{
    struct life *l = quiet(31);
    for (int s = 0; s < SERIES; s++)
        change(l, s, FROM, NIGHTS, log(.94));
    live(l, judge);
    return red_series(l) == 0 && count(l, MACHINE, 0, FROM, VERDICT_REGRESSED) == 0 &&
           is(l, MACHINE, FROM + 1, VERDICT_REGRESSED);
}

/* (33) One slow night: NOISE if the confirmation does not show it, SUSPECT if it does; neither is red. */
static bool one_slow_night_is_not_red(rule judge)
{
    struct life *l = quiet(33);
    change(l, 3, FROM, FROM + 1, log(.94));
    l->v[7][FROM + 10] += log(.94); /* gone when it was measured again */
    live(l, judge);
    return red_series(l) == 0 && is(l, 3, FROM, VERDICT_SUSPECT) && is(l, 7, FROM + 10, VERDICT_NOISE);
}

/* (35) An accept ends the red; S is inherited (1.6/W is the variance of a median of W); a new loss of 5 % ten nights
 * later is found within five. */
static bool an_accept_goes_on_watching(rule judge)
{
    struct life *l = quiet(35);
    const int accepted = FROM + 2, again = accepted + 10;
    change(l, 5, FROM, NIGHTS, log(.94));
    change(l, 5, again, NIGHTS, log(.95));
    for (int n = accepted; n < NIGHTS; n++)
        l->segment[5][n] = 1;
    live(l, judge);
    const double before = l->verdicts[5][accepted - 1].S, after = l->verdicts[5][accepted + 1].S;
    return is(l, 5, FROM + 1, VERDICT_REGRESSED) && count(l, 5, accepted, again, VERDICT_REGRESSED) == 0 &&
           fabs(after - fmax(.005, before * sqrt(1 + 1.6))) < 1e-12 &&
           count(l, 5, again, again + 5, VERDICT_REGRESSED) > 0;
}

/* (36) The control differs from itself: everything of that night is INCONCLUSIVE, and it enters no base. */
static bool a_dirty_night_says_nothing(rule judge)
{
    struct life *l = quiet(36);
    l->control[FROM] = -.06;
    change(l, 2, FROM, FROM + 1, log(.80));
    live(l, judge);
    for (int s = 0; s <= SERIES; s++)
        if (!is(l, s, FROM, VERDICT_INCONCLUSIVE))
            return false;
    return l->verdicts[2][FROM + 1].W == l->verdicts[2][FROM].W && is(l, 2, FROM + 1, VERDICT_OK);
}

/* (37) A gain, then the old level: IMPROVED while it lasts, never red. */
static bool a_gain_may_go_again(rule judge)
{
    struct life *l = quiet(37);
    change(l, 4, FROM, FROM + 8, log(1.15));
    live(l, judge);
    return count(l, 4, FROM, FROM + 8, VERDICT_IMPROVED) == 8 && red_series(l) == 0 && is(l, 4, FROM + 8, VERDICT_OK);
}

static const struct {
    const char *name;
    bool (*holds)(rule judge);
    rule twin[2];                    /* that must fail it */
} checks[] = {
    { "31", machine_is_one_incident, { each_alone, NULL } },
    { "33", one_slow_night_is_not_red, { at_once, night_before } },
    { "35", an_accept_goes_on_watching, { deaf, silenced } },
    { "36", a_dirty_night_says_nothing, { trusting, NULL } },
    { "37", a_gain_may_go_again, { night_before, NULL } },
};

static void the_checks_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (!checks[i].holds(night_judge))
            fail_msg("check %s does not hold", checks[i].name);
}

static void wrong_rules_fail_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        for (size_t k = 0; k < 2 && checks[i].twin[k]; k++)
            if (checks[i].holds(checks[i].twin[k]))
                fail_msg("check %s holds under wrong rule %zu", checks[i].name, k);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_checks_hold), cmocka_unit_test(wrong_rules_fail_them) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
