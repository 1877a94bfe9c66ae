/* What a device tells of itself beside its base: by hand, with a rule that looks at the last night only as the wrong
 * twin. */
#include "tuner/sign.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { NIGHTS = 20 };

static struct sign_reading healthy(void)
{
    return (struct sign_reading){ .value = { [SIGN_THROTTLED] = 0, [SIGN_REMAP] = 0, [SIGN_WIDTH] = 16,
                                             [SIGN_GENERATION] = 5 } };
}

static void fill(struct sign_reading base[NIGHTS])
{
    for (size_t i = 0; i < NIGHTS; i++)
        base[i] = healthy();
}

typedef enum sign (*rule)(const struct sign_reading *base, size_t count, const struct sign_reading *now,
                          const struct sign_reading *again);

/* The wrong twin: beside the night before, which is the first of the base. */
static enum sign beside_the_night_before(const struct sign_reading *base, size_t count,
                                         const struct sign_reading *now, const struct sign_reading *again)
{
    return sign_of(base, count ? 1 : 0, now, again);
}
/* Another: what is not confirmed counts as well. */
static enum sign unconfirmed(const struct sign_reading *base, size_t count, const struct sign_reading *now,
                             const struct sign_reading *again)
{
    (void)again;
    return sign_of(base, count, now, NULL);
}

static const struct {
    enum sign field;
    double usual, last, now, again;  /* `last`: on the newest night of the base alone */
    enum sign want;
} rows[] = {
    { SIGN_THROTTLED, 0, 0, 0, 0, SIGN_COUNT },
    { SIGN_THROTTLED, 0, 0, 1, 1, SIGN_THROTTLED },
    { SIGN_THROTTLED, 0, 0, 1, 0, SIGN_COUNT },       /* not confirmed */
    { SIGN_THROTTLED, 1, 0, 1, 1, SIGN_COUNT },       /* it always did but once */
    { SIGN_REMAP, 0, 0, 1, 1, SIGN_REMAP },
    { SIGN_REMAP, 1, 1, 1, 1, SIGN_COUNT },           /* accepted once */
    { SIGN_WIDTH, 16, 16, 8, 8, SIGN_WIDTH },
    { SIGN_WIDTH, 16, 16, 8, 16, SIGN_COUNT },
    { SIGN_WIDTH, 16, 8, 8, 8, SIGN_WIDTH },          /* the median does not follow one night */
    { SIGN_WIDTH, 8, 16, 8, 8, SIGN_COUNT },
    { SIGN_WIDTH, 8, 8, 16, 16, SIGN_COUNT },         /* wider is no incident */
    { SIGN_GENERATION, 5, 5, 4, 4, SIGN_GENERATION },
    { SIGN_GENERATION, 5, 5, NAN, NAN, SIGN_COUNT },  /* not told */
    { SIGN_GENERATION, NAN, NAN, 4, 4, SIGN_COUNT },  /* never told before */
};

static size_t rows_missed(rule judge)
{
    size_t missed = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sign_reading base[NIGHTS], now = healthy(), again = healthy();
        fill(base);
        for (size_t n = 0; n < NIGHTS; n++)
            base[n].value[rows[i].field] = n == 0 ? rows[i].last : rows[i].usual;
        now.value[rows[i].field] = rows[i].now;
        again.value[rows[i].field] = rows[i].again;
        missed += judge(base, NIGHTS, &now, &again) != rows[i].want;
    }
    return missed;
}

static void signs_are_told_beside_the_base(void **state)
{
    (void)state;
    assert_int_equal(rows_missed(sign_of), 0);
}

static void the_rows_catch_wrong_rules(void **state)
{
    (void)state;
    assert_true(rows_missed(beside_the_night_before) > 0);
    assert_true(rows_missed(unconfirmed) > 0);
}

static void without_a_base_nothing_is_told(void **state)
{
    (void)state;
    struct sign_reading base[NIGHTS], now = healthy();
    fill(base);
    now.value[SIGN_WIDTH] = 1;
    assert_int_equal(sign_of(base, 0, &now, NULL), SIGN_COUNT);
    assert_int_equal(sign_of(base, 1, &now, NULL), SIGN_WIDTH);
}

static void every_sign_has_its_words(void **state)
{
    (void)state;
    for (enum sign s = 0; s < SIGN_COUNT; s++) {
        assert_true(strlen(sign_name(s)) < 16); /* a path of the store */
        assert_non_null(sign_text(sign_name(s)));
    }
    assert_null(sign_text(""));
    assert_null(sign_text("GROSS"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_are_told_beside_the_base),
        cmocka_unit_test(the_rows_catch_wrong_rules),
        cmocka_unit_test(without_a_base_nothing_is_told),
        cmocka_unit_test(every_sign_has_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
