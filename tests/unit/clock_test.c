#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "kernels/base/clock.h"

static void virtual_time_moves_only_when_slept_on(void **state)
{
    (void)state;
    uint64_t now_ns = 5;
    struct clock clk = clock_virtual(&now_ns);
    assert_true(clock_now_ns(&clk) == 5 && clock_now_ns(&clk) == 5);
    clock_sleep_ns(&clk, 30);
    assert_true(clock_now_ns(&clk) == 35);
    now_ns = 100;
    assert_true(clock_now_ns(&clk) == 100);
    struct clock_quality q = clock_measure_quality(&clk);
    assert_true(q.overhead_ns == 0 && q.granularity_ns == 0); /* it never moved */
}

static void system_time_is_monotonic(void **state)
{
    (void)state;
    struct clock clk = clock_system();
    uint64_t before = clock_now_ns(&clk);
    clock_sleep_ns(&clk, 3000000);
    const uint64_t slept = clock_now_ns(&clk) - before;
    assert_true(slept >= 2900000 && slept < UINT64_C(3000000000)); /* raw and adjusted clocks differ by up to 0.05 % */
    struct clock_quality q = clock_measure_quality(&clk);
    assert_true(q.overhead_ns > 0 && q.overhead_ns < 1e6);
    assert_true(q.granularity_ns >= 1 && q.granularity_ns < 10000000);
}

/* A clock whose readings take 7 ns and come in steps of 4. */
static uint64_t stepping_now(void *context)
{
    uint64_t *ns = context;
    *ns += 7;
    return *ns / 4 * 4;
}

static void quality_of_a_known_clock(void **state)
{
    (void)state;
    uint64_t ns = 0;
    struct clock clk = clock_virtual(&ns);
    clk.now_ns = stepping_now;
    struct clock_quality q = clock_measure_quality(&clk);
    assert_true(q.granularity_ns == 4); /* steps are 4 or 8 */
    assert_true(q.overhead_ns >= 6.9 && q.overhead_ns <= 14.1); /* one reading or two for an empty timing */
}

static void stamps(void **state)
{
    (void)state;
    static const struct { int64_t unix_s; const char *text; } rows[] = { /* date -u -d @N */
        { 0, "1970-01-01T00:00:00Z" }, { 951782400, "2000-02-29T00:00:00Z" }, { 1772329502, "2026-03-01T01:45:02Z" } };
    char text[CLOCK_STAMP_SIZE];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        clock_stamp(text, rows[i].unix_s);
        assert_string_equal(text, rows[i].text);
    }
    assert_true(llabs(clock_unix_s() - (int64_t)time(NULL)) <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(virtual_time_moves_only_when_slept_on), cmocka_unit_test(system_time_is_monotonic),
        cmocka_unit_test(quality_of_a_known_clock), cmocka_unit_test(stamps),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
