/* (34) Three nights without a verdict are BLIND, measured ones or such that were due and absent; the night after an absence
 * says so once. Rows by hand, one series, nights on whole days. */
#include "bench/nightly/told.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 16, DAY = 86400, FIRST = 1772328600 };

/* One letter a day, the last is tonight: o OK, i INVALID, t THROTTLED, c INCONCLUSIVE, l LEARNING, - absent. */
static const struct {
    const char *days;
    bool blind, gap;                 /* the series' word; the sentence of a gap */
} rows[] = {
    { "oo", false, false },   { "oi", false, false },   { "oii", false, false },  { "oiii", true, false },
    { "oitc", true, false },  { "liii", true, false },  { "oiioi", false, false }, { "oiiii", true, false },
    { "o-o", false, false },  { "o--o", false, false }, { "o---o", false, true }, { "o----o", false, true },
    { "o---oo", false, false },                          /* once */
    { "o-i", false, false },  { "o--i", true, false },   /* absent, absent, INVALID */
    { "oi-i", true, false },  { "oi--o", false, true },  /* INVALID, absent, absent */
    { "oiiio", false, false },                           /* each was told: the third of them was BLIND */
    { "oii-o", false, true }, { "i", false, false },     { "iii", true, false }, { "---o", false, false },
};

struct nights {
    struct night_row earlier[MOST], tonight[1];
    struct run_row runs[MOST];
    struct judge_ask ask;
};

static struct night_row row_of(char day, int64_t run)
{
    static const struct { char day; const char *validity, *verdict; } words[] = {
        { 'o', "", "OK" },        { 'l', "", "LEARNING" }, { 'i', "INVALID", "" },
        { 't', "THROTTLED", "" }, { 'c', "", "INCONCLUSIVE" },
    };
    struct night_row row = { .run = run, .target = 1, .series = "abc/8", .name = "toy batch 8", .device = "cpu:0" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].day == day) {
            snprintf(row.validity, sizeof row.validity, "%s", words[i].validity);
            snprintf(row.verdict, sizeof row.verdict, "%s", words[i].verdict);
        }
    return row;
}

static void make(struct nights *n, const char *days)
{
    memset(n, 0, sizeof *n);
    size_t last = strlen(days) - 1, count = 0;
    for (size_t i = 0; i < last; i++) {
        if (days[i] == '-')
            continue;
        n->runs[count] = (struct run_row){ .id = (int64_t)i + 1, .start_unix_s = FIRST + (int64_t)i * DAY };
        n->earlier[count++] = row_of(days[i], (int64_t)i + 1);
    }
    n->tonight[0] = row_of(days[last], 0);
    n->ask = (struct judge_ask){ .earlier = n->earlier, .earlier_count = count, .runs = n->runs, .run_count = count,
                                 .start_unix_s = FIRST + (int64_t)last * DAY + 3600 }; /* an hour late */
}

typedef bool (*blindness)(const struct nights *n);

static bool ours(const struct nights *n)
{
    return judge_blind_nights(&n->tonight[0], &n->ask) >= JUDGE_BLIND;
}
/* Wrong twins: only what was measured counts; only INVALID counts. */
static bool without_absent(const struct nights *n)
{
    struct judge_ask ask = n->ask;
    ask.run_count = 0;
    return judge_blind_nights(&n->tonight[0], &ask) >= JUDGE_BLIND;
}
static bool only_invalid(const struct nights *n)
{
    size_t i = n->ask.earlier_count;
    int nights = *n->tonight[0].validity == 'I';
    while (nights && i-- > 0 && *n->earlier[i].validity == 'I')
        nights++;
    return nights >= JUDGE_BLIND;
}

static size_t rows_missed(blindness blind)
{
    struct nights n;
    size_t missed = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make(&n, rows[i].days);
        missed += blind(&n) != rows[i].blind;
    }
    return missed;
}

static void three_nights_without_a_verdict_are_blind(void **state)
{
    (void)state;
    assert_int_equal(rows_missed(ours), 0);
}

static void the_rows_catch_wrong_rules(void **state)
{
    (void)state;
    assert_true(rows_missed(without_absent) > 0);
    assert_true(rows_missed(only_invalid) > 0);
}

static void the_night_says_so(void **state)
{
    (void)state;
    struct nights n;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make(&n, rows[i].days);
        struct night_report report = { .rows = n.tonight, .count = 1 };
        told_rows(&report, &n.ask);
        bool blind = strcmp(report.verdict, "BLIND") == 0, gap = *report.gap != 0;
        if (gap != rows[i].gap || blind != (rows[i].blind || rows[i].gap))
            fail_msg("%s: %s, gap \"%s\"", rows[i].days, report.verdict, report.gap);
    }
}

/* A clock that is set back makes no gap, and none of the nights is blind for it. */
static void a_clock_set_back_is_no_gap(void **state)
{
    (void)state;
    struct nights n;
    make(&n, "oo");
    n.ask.start_unix_s = FIRST - 3 * DAY;
    struct night_report report = { .rows = n.tonight, .count = 1 };
    told_rows(&report, &n.ask);
    assert_string_equal(report.gap, "");
    assert_string_equal(report.verdict, "OK");
    assert_int_equal(judge_nights_between(FIRST, FIRST - 3 * DAY, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_nights_without_a_verdict_are_blind),
        cmocka_unit_test(the_rows_catch_wrong_rules),
        cmocka_unit_test(the_night_says_so),
        cmocka_unit_test(a_clock_set_back_is_no_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
