/* The small rules that a campaign is made of: value and length of a block, validity, comparison of outputs, points,
 * comparability. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/measure/block_rule.h"
#include "bench/measure/comparability.h"
#include "bench/measure/gate_compare.h"
#include "bench/measure/race_rounds.h"
#include "bench/measure/validity.h"

#define MS UINT64_C(1000000)

static int near(double a, double b, double tolerance)
{
    return fabs(a - b) <= tolerance;
}

/* --- blocks ------------------------------------------------------------------------------------------------------ */

static void length_of_a_block(void **state)
{
    (void)state;
    struct clock_quality good = { 25, 1 }, coarse = { 25, 1000000 };
    assert_true(block_min_ns(&good, 0) == 100 * MS);
    assert_true(block_min_ns(&good, 2) == 400 * MS);
    assert_true(block_min_ns(&coarse, 0) == 1000 * MS); /* 1000 x 1 ms */
    static const struct { uint64_t t; int n; } rows[] = {
        { 0, 5 }, { MS, 5 }, { 100 * MS, 5 }, { 101 * MS, 4 }, { 250 * MS, 2 }, { 251 * MS, 1 }, { 90000 * MS, 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(block_min_iterations(rows[i].t), rows[i].n);
    assert_true(block_expected_ns(100 * MS, 30 * MS) == 150 * MS); /* five */
    assert_true(block_expected_ns(100 * MS, 7 * MS) == 105 * MS);  /* fifteen */
    assert_true(block_expected_ns(100 * MS, 700 * MS) == 700 * MS);
}

static void value_of_a_block(void **state)
{
    (void)state;
    const uint64_t ns[] = { 10 * MS, 10 * MS, 40 * MS }, compute[] = { 8 * MS, 8 * MS, 8 * MS };
    struct block_values e2e = block_evaluate("e2e", 4, ns, compute, 3, 60 * MS);
    assert_true(near(e2e.y, log(400), 1e-12));                /* 4 / 10 ms: a stall does not move the median */
    assert_true(near(e2e.wall_images_per_s, 200, 1e-9));      /* 12 / 60 ms */
    assert_true(near(block_evaluate("compute", 4, ns, compute, 3, 60 * MS).y, log(500), 1e-12));
    assert_true(isnan(block_evaluate("compute", 4, ns, NULL, 3, 60 * MS).y));
    assert_true(near(block_evaluate("pipelined", 4, ns, compute, 3, 60 * MS).y, log(200), 1e-12));
    assert_true(near(block_evaluate("e2e+cold", 4, ns, compute, 3, 60 * MS).y, log(400), 1e-12));
    const uint64_t tiny[] = { 40000, 40000 };
    struct block_values grouped = block_evaluate("e2e", 1, tiny, NULL, 2, 100000);
    assert_true(grouped.grouped && near(grouped.y, log(20000), 1e-12)); /* images / wall, not 25 000 */
}

/* --- validity ---------------------------------------------------------------------------------------------------- */

static struct telemetry_block machine(enum telemetry_field field, double number)
{
    struct telemetry_block t = { .cpus = 2 };
    t.field[field].known = true;
    t.field[field].number = number;
    return t;
}

/* One second by our clock and in iterations. */
static struct validity judge(const struct telemetry_block *t, uint64_t worker_ns)
{
    struct worker_run_result run = { .answered_ns = 1000 * MS, .end_ns = worker_ns, .times_add_up = worker_ns >= 1000 * MS };
    return validity_check(&(struct validity_ask){ .telemetry = t, .runs = &run, .run_count = 1 });
}

static void what_makes_a_block_invalid(void **state)
{
    (void)state;
    static const struct { enum telemetry_field field; double at, above; enum validity_rule rule; } rows[] = {
        { TELEMETRY_THERMAL_COUNT, 0, 1, VALIDITY_THERMAL },
        { TELEMETRY_THROTTLED_USEC, 0, 1, VALIDITY_QUOTA },
        { TELEMETRY_STEAL_NS, 10e6, 10.1e6, VALIDITY_STEAL }, /* 0.5 % of 1 s on each of 2 CPUs */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct telemetry_block at = machine(rows[i].field, rows[i].at), above = machine(rows[i].field, rows[i].above);
        struct validity v = judge(&at, 1000 * MS), w = judge(&above, 1000 * MS);
        assert_true(validity_holds(&v, false));
        assert_false(validity_holds(&w, false));
        for (int k = 0; k < VALIDITY_COUNT; k++)
            assert_int_equal(w.hit[k], k == (int)rows[i].rule);
    }
    struct telemetry_block nothing = { .cpus = 0 };
    struct validity v = judge(&nothing, 1010 * MS);
    assert_true(validity_holds(&v, false)); /* absent fields switch their tests off; 1 % is allowed */
    v = judge(&nothing, 1011 * MS);
    assert_true(v.hit[VALIDITY_WORKER]);
    v = judge(&nothing, 999 * MS); /* its iterations are longer than its own time */
    assert_true(v.hit[VALIDITY_WORKER]);
}

static void contention_needs_both_signs(void **state)
{
    (void)state;
    static const struct { double psi_us, switches; bool hit; } rows[] = {
        { 200e3, 500, true }, { 90e3, 500, false }, { 200e3, 390, false }, /* 4 threads, 1 s: 400 are allowed */
    };
    for (size_t i = 0; i < 3; i++) {
        struct telemetry_block t = machine(TELEMETRY_PSI_SOME_USEC, rows[i].psi_us);
        t.field[TELEMETRY_INVOLUNTARY].known = t.field[TELEMETRY_WORKER_THREADS].known = true;
        t.field[TELEMETRY_INVOLUNTARY].number = rows[i].switches;
        t.field[TELEMETRY_WORKER_THREADS].number = 4;
        struct validity v = judge(&t, 1000 * MS);
        assert_int_equal(v.hit[VALIDITY_CONTENDED], rows[i].hit);
    }
}

static void shared_machines(void **state)
{
    (void)state;
    assert_false(validity_machine_is_shared(19, 19)); /* from the 20th block on */
    assert_false(validity_machine_is_shared(20, 2));
    assert_true(validity_machine_is_shared(20, 3));
    struct telemetry_block steal = machine(TELEMETRY_STEAL_NS, 1e9), quota = machine(TELEMETRY_THROTTLED_USEC, 10);
    struct validity s = judge(&steal, 1000 * MS), q = judge(&quota, 1000 * MS);
    assert_true(validity_shared_hit(&s) && !validity_shared_hit(&q));
    assert_true(validity_holds(&s, true) && !validity_holds(&s, false));
    assert_false(validity_holds(&q, true)); /* a quota is never a covariate */
}

/* --- outputs ----------------------------------------------------------------------------------------------------- */

/* A NaN in one image is not forgotten over the images after it. */
static void the_worst_image_counts(void **state)
{
    (void)state;
    const struct gate_difference rows[] = { { .1, .2 }, { .3, .1 }, { (double)NAN, 0 }, { 0, 0 }, { 9, .5 } };
    struct gate_difference worst = { 0, 0 };
    struct gate_limits wide = { 1e9, 1 };
    static const bool worse[] = { true, true, true, false, false };
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(gate_worsen(&worst, &rows[i]), worse[i]);
        assert_int_equal(gate_within(&worst, &wide, true), i < 2);
    }
    assert_true(isnan(worst.rel_l2) && near(worst.mask, .5, 0));
}

static void comparison_of_outputs(void **state)
{
    (void)state;
    const float r[] = { 3, -4, 0, 12 }, o[] = { 3, -4, 1.3f, 12 }, bad[] = { 3, NAN, 0, 12 }, zero[] = { 0, 0, 0, 0 };
    struct gate_difference d = gate_compare(o, r, 4); /* 1.3 / 13; one of four signs */
    assert_true(near(d.rel_l2, .1, 1e-6) && near(d.mask, .25, 0));
    d = gate_compare(zero, zero, 4);
    assert_true(near(d.rel_l2, 0, 0));
    assert_true(isinf(gate_compare(o, zero, 4).rel_l2));
    assert_false(gate_is_finite(bad, 4));
    assert_true(gate_is_finite(o, 4));
    struct gate_limits any = { 1e9, 1 };
    d = gate_compare(bad, r, 4);
    assert_false(gate_within(&d, &any, false)); /* NaN is never within */
}

static void limits_of_the_gate(void **state)
{
    (void)state;
    static const struct { const char *precision; double file, file_mask, seeded, seeded_mask; } rows[] = {
        { "f32", 1e-3, .001, 1e-4, .001 }, { "tf32", 1e-2, .005, 3e-2, .01 },
        { "f16", 1e-2, .005, 3e-2, .01 },  { "bf16", 5e-2, .01, 1.5e-1, .05 },
    };
    struct gate_limits l;
    for (size_t i = 0; i < 4; i++) {
        assert_true(gate_limits_of(&l, rows[i].precision, false));
        assert_true(near(l.rel_l2, rows[i].file, 0) && near(l.mask, rows[i].file_mask, 0));
        assert_true(gate_limits_of(&l, rows[i].precision, true));
        assert_true(near(l.rel_l2, rows[i].seeded, 0) && near(l.mask, rows[i].seeded_mask, 0));
    }
    assert_false(gate_limits_of(&l, "int8", true));
    struct gate_difference tf32_as_f32 = { 5e-4, 0 }, flips = { 0, .002 };
    gate_limits_of(&l, "f32", true);
    assert_false(gate_within(&tf32_as_f32, &l, true)); /* TF32 under the name f32 must fail */
    assert_false(gate_within(&flips, &l, true));
    assert_true(gate_within(&flips, &l, false)); /* not a mask */
}

/* --- places of rounds -------------------------------------------------------------------------------------------- */

static void add(struct history *h, int round, int retry, bool valid, bool throttled)
{
    struct err err;
    struct block_fact f = { .id = (int64_t)h->count + 1, .execution = 1, .round = round, .batch = 2, .retry = retry,
                            .iterations = 10, .kind = BLOCK_RACE, .valid = valid, .throttled = throttled, .y = log(100),
                            .wall_images_per_s = 90, .t_iter_ns = 2e7, .measured_ns = 500 * MS };
    assert_int_equal(history_add_block(h, &f, &err), ST_OK);
}

static enum place_state place(int *retry, const struct history *h, int round)
{
    return race_place(retry, h, 2, BLOCK_RACE, round, 1);
}

static void retries_of_a_place(void **state)
{
    (void)state;
    struct history h = { 0 };
    int retry;
    assert_int_equal(place(&retry, &h, 1), PLACE_MISSING);
    assert_int_equal(retry, 0);
    for (int i = 0; i < 3; i++) {
        add(&h, 1, i, false, i < 2);
        assert_int_equal(place(&retry, &h, 1), PLACE_MISSING);
        assert_int_equal(retry, i + 1);
        assert_true(race_retry_pause_ns(retry) == (UINT64_C(1000) << i) * MS);
    }
    add(&h, 1, 3, true, false);
    assert_int_equal(place(&retry, &h, 1), PLACE_DONE);
    assert_int_equal(race_place(&retry, &h, 2, BLOCK_RACE, 1, 2), PLACE_MISSING); /* another execution begins anew */
    assert_int_equal(race_place(&retry, &h, 2, BLOCK_CONTROL, 1, 1), PLACE_MISSING);
    add(&h, 2, 0, false, true); /* the three retries that any point has are used up */
    assert_int_equal(place(&retry, &h, 2), PLACE_EXHAUSTED);
    history_free(&h);
}

static void the_kind_of_most_invalid_blocks_counts(void **state)
{
    (void)state;
    static const struct race_candidate two = { .batch = 2 };
    for (int heat = 0; heat < 2; heat++) {
        struct history h = { 0 };
        struct race_rounds r;
        struct err err;
        for (int i = 0; i < 4; i++)
            add(&h, 1, i, false, i < 2 + heat);
        assert_int_equal(race_rounds_make(&r, &h, &two, 1, OBJECTIVE_THROUGHPUT, &err), ST_OK);
        assert_int_equal(r.count, 1);
        assert_true(r.items[0].cells[0].done);
        assert_int_equal(r.items[0].cells[0].exhausted, heat ? WHY_THROTTLED : WHY_INVALID); /* 2 or 3 of 4 */
        race_rounds_free(&r);
        history_free(&h);
    }
}

/* A quarter of 20 places may be retries. */
static void many_blocks_allow_more_retries(void **state)
{
    (void)state;
    struct history h = { 0 };
    int retry;
    for (int round = 1; round <= 19; round++)
        add(&h, round, 0, true, false);
    for (int i = 0; i < 3; i++)
        add(&h, 1, i + 1, true, false); /* three retries so far */
    add(&h, 20, 0, false, false);
    assert_int_equal(place(&retry, &h, 20), PLACE_MISSING);
    add(&h, 20, 1, false, false);
    assert_int_equal(place(&retry, &h, 20), PLACE_MISSING);
    add(&h, 20, 2, false, false); /* the fifth */
    assert_int_equal(place(&retry, &h, 20), PLACE_EXHAUSTED);
    history_free(&h);
}

/* --- comparability ----------------------------------------------------------------------------------------------- */

static void fields_that_differ(void **state)
{
    (void)state;
    struct field_row then[] = { { .name = "cpu_model", .text = "A", .class_name = "key" },
                                { .name = "kernel", .text = "6.1", .class_name = "event" },
                                { .name = "cpu_quota", .number = 2, .is_number = true, .class_name = "key" } };
    struct field_row now[3];
    char was[RECORD_TEXT], is[RECORD_TEXT], a[RECORD_HASH], b[RECORD_HASH];
    memcpy(now, then, sizeof now);
    snprintf(now[1].text, sizeof now[1].text, "6.8");
    assert_null(comparability_field(was, is, then, 3, now, 3)); /* an event is compared across */
    comparability_hash(a, then, 3, "m", "k");
    comparability_hash(b, now, 3, "m", "k");
    assert_string_equal(a, b);
    now[2].number = 1.5;
    assert_string_equal(comparability_field(was, is, then, 3, now, 3), "cpu_quota");
    assert_string_equal(was, "2");
    assert_string_equal(is, "1.5");
    comparability_hash(b, now, 3, "m", "k");
    assert_string_not_equal(a, b);
    comparability_hash(b, then, 3, "n", "k");
    assert_string_not_equal(a, b);
    assert_string_equal(comparability_key_field(was, is, "m|e|cpu:0|f32|2|1|3x8x8|e2e", "m|e|cpu:0|bf16|2|1|3x8x8|e2e"),
                        "precision");
    assert_null(comparability_key_field(was, is, "m|e|cpu:0|f32|2|1|3x8x8|e2e", "m|e|cpu:0|f32|2|1|3x8x8|e2e"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(length_of_a_block),
        cmocka_unit_test(value_of_a_block),
        cmocka_unit_test(what_makes_a_block_invalid),
        cmocka_unit_test(contention_needs_both_signs),
        cmocka_unit_test(shared_machines),
        cmocka_unit_test(comparison_of_outputs),
        cmocka_unit_test(the_worst_image_counts),
        cmocka_unit_test(limits_of_the_gate),
        cmocka_unit_test(retries_of_a_place),
        cmocka_unit_test(the_kind_of_most_invalid_blocks_counts),
        cmocka_unit_test(many_blocks_allow_more_retries),
        cmocka_unit_test(fields_that_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
