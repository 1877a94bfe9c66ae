/* Groups of a device's series and the smallest change that counts for one of them (measurement rules 7.2, 7.3): what a group
 * does together is an incident of that group, and nobody else's. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench/nightly/judge.h"
#include "kernels/base/rng.h"

enum { NIGHTS = 20, IN_GROUP = 9, SERIES = 2 * IN_GROUP, ROWS = SERIES + 2 };
#define MEMORY_LOSS 0.08             /* of the group "memory" on the last night */

static double noise(int night, int series)
{
    return 0.002 * ((double)(splitmix64((uint64_t)(night * 100 + series)) >> 11) / 9007199254740992. - .5);
}

static struct night_row empty_row(const char *group)
{
    struct night_row row = { .device = "cpu:0", .v = NAN, .error = .001, .again = NAN, .control_z = NAN, .S = NAN };
    snprintf(row.group_name, sizeof row.group_name, "%s", group);
    return row;
}

/* MACHINE of both groups, then the series, of which the second half is memory bound. */
static void make_night(struct night_row rows[ROWS], int night, const char *second)
{
    bool last = night == NIGHTS - 1;
    rows[0] = empty_row("");
    strcpy(rows[0].series, JUDGE_MACHINE "cpu:0");
    rows[1] = empty_row(second);
    snprintf(rows[1].series, sizeof rows[1].series, JUDGE_MACHINE "cpu:0 %s", second);
    for (int s = 0; s < SERIES; s++) {
        struct night_row *row = &rows[2 + s];
        *row = empty_row(s < IN_GROUP ? "" : second);
        snprintf(row->series, sizeof row->series, "key-%02d/1", s);
        snprintf(row->name, sizeof row->name, "model_%02d batch 1", s);
        row->v = 3 + .1 * s + noise(night, s) + (last && s >= IN_GROUP ? log(1 - MEMORY_LOSS) : 0);
        row->control_z = s == 0 ? noise(night, 99) : NAN;
    }
    for (int i = 0; i < ROWS; i++) {
        rows[i].run = night + 1;
        rows[i].target = i < 2 ? 0 : i;
    }
}

struct past {
    struct night_row earlier[(NIGHTS - 1) * ROWS], tonight[ROWS];
    struct run_row runs[NIGHTS];
};

static void make_past(struct past *p, const char *second)
{
    for (int n = 0; n < NIGHTS; n++) {
        make_night(n == NIGHTS - 1 ? p->tonight : &p->earlier[n * ROWS], n, second);
        p->runs[n] = (struct run_row){ .id = n + 1, .start_unix_s = 86400 * (n + 1) };
    }
}

static bool judge(struct past *p)
{
    bool again;
    struct err err = { 0 };
    const struct judge_ask ask = { .earlier = p->earlier, .earlier_count = (NIGHTS - 1) * ROWS, .runs = p->runs,
                                   .run_count = NIGHTS, .start_unix_s = 86400 * NIGHTS };
    assert_int_equal(judge_rows(p->tonight, ROWS, &again, &ask, &err), ST_OK);
    return again;
}

static void a_group_has_its_own_machine(void **state)
{
    static struct past p;
    (void)state;
    make_past(&p, "memory");
    assert_true(judge(&p));
    assert_string_equal(p.tonight[0].verdict, "OK");
    assert_string_equal(p.tonight[1].verdict, "NOISE"); /* no confirmation yet */
    assert_true(fabs(p.tonight[1].dev - log(1 - MEMORY_LOSS)) < .003);
    for (int i = 2; i < ROWS; i++)
        if (p.tonight[i].flagged)
            fail_msg("%s is flagged: %g", p.tonight[i].series, p.tonight[i].dev);
}

/* The wrong twin: in one group half of the series lose what the median takes for the machine, or each stands alone. */
static void without_groups_single_series_are_flagged(void **state)
{
    static struct past p;
    int flagged = 0;
    (void)state;
    make_past(&p, "");
    assert_true(judge(&p));
    for (int i = 2; i < ROWS; i++)
        flagged += p.tonight[i].flagged;
    assert_int_equal(flagged, SERIES); /* c lies in the middle of 0 and -8 %: every one is 4 % off */
}

/* The panel of a group is of the group. */
static void a_confirmation_has_a_panel_of_each_group(void **state)
{
    static struct past p;
    int panel[2] = { 0, 0 };
    (void)state;
    make_past(&p, "memory");
    judge(&p);
    judge_choose_panel(p.tonight, ROWS);
    for (int s = 0; s < SERIES; s++)
        panel[s >= IN_GROUP] += p.tonight[2 + s].panel;
    assert_int_equal(panel[0], IN_GROUP); /* nine: one more than eight */
    assert_int_equal(panel[1], IN_GROUP);
}

/* A series that was put into a group today was always there. */
static void a_new_group_takes_its_nights_along(void **state)
{
    static struct past p, grouped;
    (void)state;
    make_past(&p, "");
    make_past(&grouped, "memory");
    memcpy(p.tonight, grouped.tonight, sizeof p.tonight);
    judge_regroup(p.earlier, (NIGHTS - 1) * ROWS, p.tonight, ROWS);
    judge(&p);
    judge(&grouped);
    for (int i = 2; i < ROWS; i++) {
        assert_string_equal(p.tonight[i].verdict, grouped.tonight[i].verdict);
        assert_int_equal(p.tonight[i].W, NIGHTS - 1);
    }
    assert_int_equal(p.tonight[1].W, grouped.tonight[1].W);
}

/* What counts for one series, and what does not for another. */
static void a_series_has_its_own_delta(void **state)
{
    static struct past p;
    (void)state;
    make_past(&p, "memory");
    p.tonight[5].v += log(.94);      /* both lose 6 % */
    p.tonight[6].v += log(.94);
    p.tonight[6].delta = .08;
    p.tonight[7].v += log(.98);      /* both lose 2 % */
    p.tonight[8].v += log(.98);
    p.tonight[8].delta = .01;
    judge(&p);
    assert_true(p.tonight[5].flagged);
    assert_false(p.tonight[6].flagged);
    assert_false(p.tonight[7].flagged);
    assert_false(p.tonight[8].flagged); /* 5 S, 2.5 % at least, is a limit too */
    p.tonight[8].v += log(.992);        /* 2.8 %: above 2.5 %, below the 3 % of others */
    p.tonight[7].v += log(.992);
    judge(&p);
    assert_false(p.tonight[7].flagged);
    assert_true(p.tonight[8].flagged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_has_its_own_machine),
        cmocka_unit_test(without_groups_single_series_are_flagged),
        cmocka_unit_test(a_confirmation_has_a_panel_of_each_group),
        cmocka_unit_test(a_new_group_takes_its_nights_along),
        cmocka_unit_test(a_series_has_its_own_delta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
