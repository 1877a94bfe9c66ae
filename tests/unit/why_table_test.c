/* What a user reads to defend a batch size: claim, comparisons, race, verification, next step, dominated sizes, the
 * fill table in a phrase, and commands to copy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/output/again.h"
#include "bench/output/decided.h"
#include "bench/output/details.h"
#include "bench/output/pareto.h"
#include "bench/output/why_table.h"
#include "tests/unit/campaign_fixture.h"

static char *shown(const struct campaign *campaign)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    why_show(file, campaign, NULL, false);
    fclose(file);
    return text;
}

static void expect(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no\n%s\nin\n%s", part, text);
}

static void set(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
}

/* -9.8 = 100 (exp(-0.1036) - 1); its interval exp(-0.1036 -+ 0.005) */
static void a_decided_size(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_whole(f, "f32", 1);
    char *text = shown(&f->campaign);
    expect(text, "Use batch 4: it is the smallest size within 5 % of the best throughput, wrong with a probability of at "
                 "most 5 %. It replaces 8, which was in use.\n"
                 "  verified   17.21 images/s (17.17 to 17.25 over 3 fresh executions); at worst 1.9 % below 8 in the "
                 "same execution\n"
                 "  zone       16.65 images/s and more: within 5 % of batch 8 with 17.53 images/s\n"
                 "  race       9 rounds over 4 sizes, 24 blocks; noise floor 0.35 %; alpha 5 %\n"
                 "  in use     8 before this campaign (import): replaced\n"
                 "  memory     8 fits, 16 does not (out_of_memory); peak 741 MiB at 4, 1.15 GiB at 8; limit 8.00 GiB\n"
                 "  first use  the first batch of 4 costs 322 ms more; against batch 8 that is never earned back\n"
                 "  max_safe   8 is the largest size that may be executed\n"
                 "   batch  images_per_s  against  by                    rounds  why                     in words\n"
                 "  images           1/s   images  %\n"
                 "       1         15.80        8  -9.8 (-10.3 to -9.4)       9  slower                  slower than the "
                 "allowed margin below the best\n");
    expect(text, "       4         17.21        8  -1.8 (-2.7 to -0.9)        9  chosen                  17.21 images/s, "
                 "1.8 % below 8, the smallest within 5 %\n");
    expect(text, "      16             -        -                             -  out_of_memory           24.1 GiB wanted");
    expect(text, "  after round  found slower  fast enough  still open  a size against itself\n"
                 "                                                      %\n"
                 "            6  1, 2          8            4           4: -0.1 (-0.5 to +0.3)\n"
                 "            9                4                        4: -0.1 (-0.4 to +0.2)\n");
    expect(text, "          1       4         17.17           -1.9\n");
    assert_null(strstr(text, "next"));
    assert_null(strstr(text, "nan"));
    free(text);
    fixture_close(f);
}

static void undecided_says_what_to_do(void **state)
{
    (void)state;
    static const struct { const char *cause, *because, *word; } rows[] = {
        { "margin", "too near the margin.", "--within" },
        { "budget", "the time was used up.", "--budget" },
        { "noise", "contradict each other.", "quieter machine" },
        { "control", "a size differed from itself.", "quieter machine" },
        { "throttled", "the device throttled all the time.", "cool" },
        { "disturbed", "no block of any size was valid.", "stop what disturbs" },
        { "verification", "fresh executions did not agree.", "quieter machine" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture *f = fixture_open();
        struct decision_row *d = &fixture_whole(f, "f32", 1)->decision;
        set(d->confidence, sizeof d->confidence, "undecided");
        set(d->cause, sizeof d->cause, rows[i].cause);
        char *text = shown(&f->campaign);
        expect(text, "Use batch 4 for now: it is not shown to be within 5 % of the best throughput: ");
        expect(text, rows[i].because);
        expect(text, "\nnext ");
        expect(text, rows[i].word);
        expect(text, "\n  bench tune --model hrnet --input 256x256\n");
        free(text);
        fixture_close(f);
    }
}

static void words_of_each_confidence(void **state)
{
    (void)state;
    char text[DECIDED_TEXT];
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_whole(f, "f32", 1);
    struct decision_row *d = &t->decision;
    set(d->confidence, sizeof d->confidence, "within");
    fixture_why(&t->points[1], "undecided", "2: open");
    decided_claim(text, t);
    expect(text, "perhaps a smaller size is too, still open: 2.");
    decided_word(text, t);
    assert_string_equal(text, "batch 4: within, verified");
    d->verified = false;
    decided_next_step(text, t);
    expect(text, "--budget");
    set(d->confidence, sizeof d->confidence, "coarse");
    decided_claim(text, t);
    expect(text, "only probed");
    set(d->confidence, sizeof d->confidence, "decided");
    set(d->incumbent_outcome, sizeof d->incumbent_outcome, "kept");
    d->incumbent = d->batch;
    d->pending = 2;
    decided_claim(text, t);
    expect(text, "The smaller 2 was fast enough too");
    d->optimal = 2;
    decided_claim(text, t);
    expect(text, "a size below it fails, so 2 is served");
    d->verified = true; /* of 4, not of 2 */
    decided_word(text, t);
    assert_string_equal(text, "batch 2 in place of 4: decided, not verified");
    d->optimal = 0;
    decided_claim(text, t);
    assert_string_equal(text, "4 was chosen, but a smaller size fails and none below that can be served");
    d->batch = 0;
    set(d->reason, sizeof d->reason, "nothing fits");
    decided_claim(text, t);
    assert_string_equal(text, "nothing fits");
    fixture_close(f);
}

static void a_zone_below_the_noise_is_named(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct decision_row *d = &fixture_whole(f, "f32", 1)->decision;
    d->noise_floor = 0.06; /* 6.2 % against a zone of 5 % */
    char *text = shown(&f->campaign);
    expect(text, "the noise of this machine (6.2 %) is wider than the zone");
    free(text);
    d->noise_floor = 0.04;
    text = shown(&f->campaign);
    assert_null(strstr(text, "wider than the zone"));
    free(text);
    fixture_close(f);
}

static void wide_intervals_are_left_out(void **state) /* three rounds: +- 300 % says nothing */
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_whole(f, "f32", 1);
    t->points[0].why.c = 1.4;
    char *text = shown(&f->campaign);
    expect(text, "       1         15.80        8  -9.8    ");
    free(text);
    fixture_close(f);
}

static void limits_and_the_open_loop(void **state)
{
    (void)state;
    char text[DECIDED_TEXT];
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_whole(f, "f32", 1);
    struct decision_row *d = &t->decision;
    decided_limit(text, t);
    assert_string_equal(text, "");
    set(d->slo_kind, sizeof d->slo_kind, "service");
    d->slo_percentile = 0.95;
    d->slo_limit_ms = 300;
    decided_limit(text, t);
    assert_string_equal(text, "p95 of the time of one batch at most 300 ms: 241.7 ms at 4");
    decided_queue(text, t);
    assert_string_equal(text, "");
    d->queue_rate = 8;
    d->queue_batch = 4;
    d->queue_instances = 1;
    d->queue_delay_ms = 20;
    d->queue_p95_ms = 510;
    decided_queue(text, t);
    assert_string_equal(text, "8 images/s sent at their times, batches of at most 4 on 1 instance, waiting at most 20 ms "
                        "to fill: p95 of response 510 ms");
    fixture_close(f);
}

/* y of a verification is a value of the objective: -ln of 40 ms for 4 images is 100 images/s, -ln of 2 J is 2 J. */
static void verification_of_other_objectives(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_whole(f, "f32", 1);
    size_t count;
    set(t->decision.objective, sizeof t->decision.objective, "latency");
    t->verifications[0].y = -log(40);
    struct verify_line *lines = verify_lines(t, &count);
    assert_int_equal(count, 6);
    assert_true(fabs(lines[0].images_per_s - 100) < 1e-9 && isnan(lines[0].joules_per_image));
    free(lines);
    t->verifications[1].q = -0.1; /* exp(0.1) - 1: 10.5 % longer */
    fixture_compared(&t->points[0], "slower", 8, -0.1, 0.01, "1: 18.2 ms per batch, 10.5 % above 8: slower by more");
    char *slower = shown(&f->campaign);
    expect(slower, "at worst 10.5 % above 8 in the same execution");
    expect(slower, "8  +10.5 (+9.4 to +11.6)");
    expect(slower, "  slower by more\n");
    free(slower);
    set(t->decision.objective, sizeof t->decision.objective, "energy");
    t->verifications[0].y = -log(2);
    lines = verify_lines(t, &count);
    assert_true(isnan(lines[0].images_per_s) && fabs(lines[0].joules_per_image - 2) < 1e-9);
    free(lines);
    char *text = shown(&f->campaign);
    expect(text, "Use batch 4: it is the smallest size within 5 % of the least energy per image");
    free(text);
    fixture_close(f);
}

static void dominated_sizes(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_target(f, "hrnet", "f32");
    fixture_point(t, 1, 10, 0.5, 100);  /* 100 ms */
    fixture_point(t, 2, 18, 0.5, 100);  /* 111 ms */
    fixture_point(t, 4, 17, 0.5, 100);  /* 235 ms: slower and later than 2 */
    fixture_point(t, 8, 20, 0.5, 100);  /* 400 ms */
    fixture_point(t, 16, 19, 0.5, 100); /* 842 ms: 8 is better */
    static const int want[] = { 0, 0, 2, 0, 8 };
    size_t count;
    int marked;
    struct pareto_line *lines = pareto_lines(t, &count, &marked);
    assert_int_equal(count, 5);
    assert_int_equal(marked, -1);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(lines[i].dominated_by, want[i]);
    free(lines);
    assert_true(pareto_is_front(t, 2));
    assert_false(pareto_is_front(t, 4));
    set(t->points[1].estimate.method, sizeof t->points[1].estimate.method, "coarse"); /* the best of a few blocks */
    assert_true(pareto_is_front(t, 4));
    t->points[1].estimate.y = log(30);
    assert_int_equal(target_fastest(t)->batch, 8);
    assert_int_equal(target_best(t)->batch, 8);
    t->decision.leader = 4;
    assert_int_equal(target_best(t)->batch, 4);
    t->points[1].estimate.y = log(18);
    set(t->points[1].estimate.method, sizeof t->points[1].estimate.method, "race");
    t->points[1].estimate.joules_per_image = 3; /* the least energy of 4 puts it on the front */
    t->points[2].estimate.joules_per_image = 2;
    t->points[3].estimate.joules_per_image = 5;
    assert_true(pareto_is_front(t, 4));
    t->points[2].estimate.joules_per_image = 4;
    assert_false(pareto_is_front(t, 4));
    fixture_close(f);
}

static void fill_in_a_phrase(void **state)
{
    (void)state;
    char text[400];
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_whole(f, "f32", 1);
    fill_phrase(text, sizeof text, t);
    assert_string_equal(text, "1 to 8 images measured; run 5 as 4 + 1, 6 as 4 + 2, 7 as 8, the others as they are");
    for (int n = 9; n <= 12; n++) {
        fixture_fill(t, n, 600 + n, "pad", 8, 0);
        snprintf(t->fill[n - 5].advice, sizeof t->fill->advice, "pad");
    }
    fill_phrase(text, sizeof text, t);
    assert_string_equal(text, "1 to 12 images measured; run 5 as 4 + 1, 6 as 4 + 2, 7 as 8, 8 as 8, 9 as 8, 10 as 8, "
                        "11 as 8, 12 as 8, the others as they are");
    snprintf(t->fill[3].advice, sizeof t->fill->advice, "pad");
    fill_phrase(text, sizeof text, t);
    assert_string_equal(text, "1 to 12 images measured; run 4 as 4, 5 as 4 + 1, 6 as 4 + 2, 7 as 8, 8 as 8, 9 as 8, "
                        "10 as 8, 11 as 8, and 1 more otherwise, the others as they are");
    snprintf(t->fill[3].advice, sizeof t->fill->advice, "exact");
    t->fill_count = 4;
    fill_phrase(text, sizeof text, t);
    assert_string_equal(text, "1 to 4 images measured; run each as it is");
    t->fill_count = 0;
    fill_phrase(text, sizeof text, t);
    assert_string_equal(text, "");
    snprintf(t->fill[3].failed, sizeof t->fill[3].failed, "crashed");
    t->fill_count = 4;
    fill_phrase(text, sizeof text, t);
    assert_string_equal(text, "1 to 3 images measured; 4 fails (crashed); run each as it is");
    *t->fill[3].failed = 0;
    t->fill_count = 8;
    fill_phrase(text, 40, t); /* cut, not overrun */
    assert_int_equal(strlen(text), 39);
    struct fill_line *lines = fill_lines(t);
    assert_string_equal(lines[4].as, "4 + 1");
    assert_true(fabs(lines[4].as_ms - (232.4 + 58.1)) < 1e-9);
    free(lines);
    fixture_close(f);
}

static void commands_to_copy(void **state)
{
    (void)state;
    static const char *const dropped[] = { "--input", "--seed", "--resume!", NULL };
    static const struct { const char *argv, *want; } rows[] = {
        { "bench --all-models --input 256x256 --no-gate", "./bench --all-models --no-gate" },
        { "bench tune --weights 'my weights.bin' --threads 2 --seed=7 --resume --out '/tmp/a b'",
          "./bench tune --weights 'my weights.bin' --threads 2 --out '/tmp/a b'" },
        { "bench tune --out 'it'\\''s --seed 3' --input=64x64", "./bench tune --out 'it'\\''s --seed 3'" },
        { "bench --seeds 4", "./bench --seeds 4" }, /* another flag that begins like one */
        { "bench", "./bench" }, { "", "./bench" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *command = again_command("./bench", rows[i].argv, dropped);
        assert_string_equal(command, rows[i].want);
        free(command);
    }
    char *command = again_command("/my tools/bench", "bench plan", dropped);
    assert_string_equal(command, "'/my tools/bench' plan");
    free(command);
}

/* A campaign that its budget ended gets three times as much; 3 x 90 s is 4.5 min, so 5. */
static void the_time_that_would_do(void **state)
{
    (void)state;
    static char argv[] = "bench --all-models --budget 90s --seed 3";
    struct run_row run = { .argv = argv, .budget_ns = 90000000000u, .state = "budget" };
    char *command = again_campaign("bench", &run);
    assert_string_equal(command, "bench --all-models --budget 5m");
    free(command);
    set(run.state, sizeof run.state, "done");
    command = again_campaign("bench", &run);
    assert_string_equal(command, "bench --all-models --budget 90s");
    free(command);
    assert_true(again_has(argv, "--budget") && again_has("bench --budget=1s", "--budget"));
    assert_false(again_has(argv, "--bud") || again_has("bench --out '--budget 3'", "--budget"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decided_size),
        cmocka_unit_test(undecided_says_what_to_do),
        cmocka_unit_test(words_of_each_confidence),
        cmocka_unit_test(a_zone_below_the_noise_is_named),
        cmocka_unit_test(wide_intervals_are_left_out),
        cmocka_unit_test(limits_and_the_open_loop),
        cmocka_unit_test(verification_of_other_objectives),
        cmocka_unit_test(dominated_sizes),
        cmocka_unit_test(fill_in_a_phrase),
        cmocka_unit_test(commands_to_copy),
        cmocka_unit_test(the_time_that_would_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
