/* The memory model against arithmetic shown beside it. */
#include "tuner/memory.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void planned_memory(void **state)
{
    (void)state;
    struct memory_model m = memory_start(1000);
    assert_int_equal(memory_predict(&m, 1), 0); /* nothing is known yet */
    memory_add_plan(&m, 1, 100, 50);
    assert_int_equal(memory_predict(&m, 2), 1000 + 2 * 100 + 50);
    memory_add_plan(&m, 2, 240, 60); /* A of the latest: 120; the workspace grew by 10 for an image */
    assert_int_equal(memory_predict(&m, 4), 1000 + 4 * 120 + 60 + 2 * 10);
    memory_add_plan(&m, 4, 480, 400); /* another algorithm: 170 for an image */
    assert_int_equal(memory_predict(&m, 8), 1000 + 8 * 120 + 400 + 4 * 170);
    memory_add_plan(&m, 8, 960, 60); /* and back: the worst stays */
    assert_int_equal(memory_predict(&m, 16), 1000 + 16 * 120 + 400 + 8 * 170);
}

/* Workspace of the threads: the same at every size. Wrong twin: b times the largest workspace / size. */
static void a_workspace_of_threads(void **state)
{
    (void)state;
    struct memory_model m = memory_start(192);
    memory_add_plan(&m, 1, 400, 258);
    memory_add_plan(&m, 1, 400, 258); /* once more, in a fresh process */
    memory_add_plan(&m, 2, 800, 258);
    assert_int_equal(memory_predict(&m, 4), 192 + 4 * 400 + 258);
    assert_true(memory_model_off(memory_ratio(192 + 4 * 400 + 258, 192 + 4 * 400 + 4 * 258)));
}

static void fitted_memory(void **state)
{
    (void)state;
    struct memory_model m = memory_start(1000);
    memory_add_plan(&m, 1, 0, 0); /* an engine that plans nothing */
    memory_add_peak(&m, 1, 1300, 0);
    assert_int_equal(memory_predict(&m, 4), 1000 + 4 * 300); /* one size: fixed + b (peak(1) - fixed) */
    memory_add_peak(&m, 2, 1500, 0);
    assert_int_equal(memory_predict(&m, 4), 1900); /* the line through both: 1100 + 200 b */
    memory_add_peak(&m, 4, 1900, 0);
    assert_int_equal(memory_predict(&m, 8), 2700);
    struct memory_model down = memory_start(1000);
    memory_add_peak(&down, 1, 2000, 0);
    memory_add_peak(&down, 2, 1800, 0);
    assert_int_equal(memory_predict(&down, 64), 1900); /* slope >= 0: the mean */
}

/* Peak 30 % over prediction: labelled, and later predictions are 1.3 times as large. */
static void a_wrong_model_is_corrected(void **state)
{
    (void)state;
    struct memory_model m = memory_start(1000);
    memory_add_plan(&m, 1, 1000, 0);
    memory_add_peak(&m, 1, 2600, memory_predict(&m, 1));
    assert_true(memory_model_off(memory_ratio(2600, 2000)));
    assert_int_equal(memory_predict(&m, 2), 3900);
    memory_add_peak(&m, 2, 3800, memory_predict(&m, 2)); /* .974: the corrected model is right */
    assert_int_equal(memory_predict(&m, 4), 6500);
    memory_add_peak(&m, 4, 3250, memory_predict(&m, 4)); /* half: never below the plan itself */
    assert_int_equal(memory_predict(&m, 8), 9000);
}

static void ratios(void **state)
{
    (void)state;
    assert_false(memory_model_off(memory_ratio(95, 100)));
    assert_false(memory_model_off(memory_ratio(109, 100)));
    assert_true(memory_model_off(memory_ratio(111, 100)));
    assert_true(memory_model_off(memory_ratio(89, 100)));
    assert_true(isnan(memory_ratio(0, 100)) && isnan(memory_ratio(100, 0)));
    assert_false(memory_model_off(NAN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planned_memory),
        cmocka_unit_test(a_workspace_of_threads),
        cmocka_unit_test(fitted_memory),
        cmocka_unit_test(a_wrong_model_is_corrected),
        cmocka_unit_test(ratios),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
