/* Verdicts are made of what stands above them: nights that come back from a store, their verdicts dropped, are judged
 * again and come out as they were, bit by bit. */
#include "tests/unit/store_fixture.h"

#include <math.h>

#include "bench/nightly/judge.h"
#include "bench/store/table.h"
#include "kernels/base/rng.h"

enum { NIGHTS = 45, SERIES = 10, LOSS_FROM = 30, ACCEPT_AT = 40 };
#define DAY 86400
#define BEGIN_UNIX_S 1772329502

struct years {                       /* nights as they are known so far */
    struct night_row rows[NIGHTS * (SERIES + 1)];
    size_t count;
    struct run_row runs[NIGHTS];
    size_t run_count;
    struct accept_row accept;
};

static double noise(uint64_t number)
{
    return 0.01 * ((double)(splitmix64(number) >> 11) / 9007199254740992. - .5);
}

/* What no measurement says but the judge. */
static void drop_verdict(struct night_row *row)
{
    const bool machine = strncmp(row->series, JUDGE_MACHINE, strlen(JUDGE_MACHINE)) == 0;
    *row->verdict = *row->path = 0;
    row->v = machine ? NAN : row->v;
    row->y = row->M = row->S = row->dev = row->dev_again = row->U = row->shift = NAN;
    row->W = row->confirmed_run = 0;
    row->flagged = false;
}

/* Series 3 loses 15 % from night 30 on, confirmed; one night is INVALID for series 5. */
static struct night_row measured(int night, int series)
{
    struct night_row row = { .device = "cpu:0", .batch = 1 << series % 4, .executions = 5, .blocks = 50, .error = 0.001,
                             .again = NAN, .control_z = NAN, .rule_version = 1, .target = 1 };
    const double loss = series == 3 && night >= LOSS_FROM ? log(.85) : 0;
    snprintf(row.series, sizeof row.series, "key-%d/%d", series, row.batch);
    snprintf(row.name, sizeof row.name, "model_%d batch %d", series, row.batch);
    row.v = 4 + .1 * series + loss + noise((uint64_t)(night * 100 + series));
    if (night >= LOSS_FROM) { /* the others tell what the device has in common in the confirmation */
        row.again = row.v + noise((uint64_t)(night * 100 + 50 + series));
        row.panel = series != 3;
    }
    if (series == 0)
        row.control_z = noise((uint64_t)(night * 100 + 99));
    if (series == 5 && night == 20) {
        row.v = NAN;
        strcpy(row.validity, "INVALID");
    }
    drop_verdict(&row);
    return row;
}

static struct judge_ask ask_of(const struct years *y, size_t earlier, size_t run)
{
    return (struct judge_ask){ .earlier = y->rows, .earlier_count = earlier, .accepts = &y->accept,
                               .accept_count = run >= ACCEPT_AT, .runs = y->runs, .run_count = run,
                               .start_unix_s = y->runs[run].start_unix_s };
}

static void begin_night(struct years *y, struct store *s, int night)
{
    struct err err = { 0 };
    struct run_row run = fixture_run();
    strcpy(run.kind, "night");
    run.start_unix_s = BEGIN_UNIX_S + night * DAY;
    assert_int_equal(store_append_run(s, &run, &err), ST_OK);
    y->runs[y->run_count++] = run;
    if (night != ACCEPT_AT)
        return;
    y->accept = (struct accept_row){ .series = "key-3/8", .since_unix_s = run.start_unix_s, .reason = "so be it" };
    assert_int_equal(store_append_accept(s, &y->accept, &err), ST_OK);
}

static void live_a_night(struct years *y, struct store *s, int night)
{
    struct err err = { 0 };
    bool ask_again;
    struct night_row *rows = &y->rows[y->count];
    begin_night(y, s, night);
    const struct judge_ask ask = ask_of(y, y->count, (size_t)night);
    rows[0] = (struct night_row){ .series = JUDGE_MACHINE "cpu:0", .name = JUDGE_MACHINE "cpu:0", .device = "cpu:0",
                                  .again = NAN, .error = NAN, .control_z = NAN, .rule_version = 1 };
    drop_verdict(&rows[0]);
    for (int i = 0; i < SERIES; i++)
        rows[1 + i] = measured(night, i);
    assert_int_equal(judge_rows(rows, SERIES + 1, &ask_again, &ask, &err), ST_OK);
    for (int i = 0; i <= SERIES; i++)
        rows[i].run = y->runs[night].id;
    assert_int_equal(store_replace_night(s, y->runs[night].id, rows, SERIES + 1, &err), ST_OK);
    y->count += SERIES + 1;
}

static size_t values_that_differ(const struct night_row *a, const struct night_row *b)
{
    size_t differ = 0;
    for (size_t i = 0; i < table_night.count; i++) {
        const struct column *c = &table_night.columns[i];
        const char *x = (const char *)a + c->offset, *z = (const char *)b + c->offset;
        const bool unknown = c->type == COLUMN_REAL && isnan(*(const double *)x) && isnan(*(const double *)z);
        differ += !unknown && (c->type == COLUMN_CHARS ? strcmp(x, z) != 0 : memcmp(x, z, c->size) != 0);
    }
    return differ;
}

/* Judges all nights of y anew, in their order; how many values differ from those of `before`. */
static size_t judge_again(struct years *y, const struct night_row *before)
{
    struct err err = { 0 };
    bool ask_again;
    size_t differ = 0;
    for (size_t i = 0; i < y->count; i++)
        drop_verdict(&y->rows[i]);
    for (size_t night = 0, first = 0; night < NIGHTS; night++, first += SERIES + 1) {
        const struct judge_ask ask = ask_of(y, first, night);
        assert_int_equal(judge_rows(&y->rows[first], SERIES + 1, &ask_again, &ask, &err), ST_OK);
    }
    for (size_t i = 0; i < y->count; i++)
        differ += values_that_differ(&y->rows[i], &before[i]);
    return differ;
}

static void load(struct years *y, struct store *s)
{
    struct err err = { 0 };
    struct night_row *rows;
    struct accept_row *accepts;
    size_t count;
    assert_int_equal(store_load_nights(&rows, &y->count, s, &err), ST_OK);
    assert_int_equal(y->count, NIGHTS * (SERIES + 1));
    memcpy(y->rows, rows, y->count * sizeof *rows);
    free(rows);
    assert_int_equal(store_load_accepts(&accepts, &count, s, &err), ST_OK);
    assert_int_equal(count, 1);
    y->accept = accepts[0];
    free(accepts);
}

static size_t count_verdicts(const struct years *y, const char *verdict)
{
    size_t n = 0;
    for (size_t i = 0; i < y->count; i++)
        n += strcmp(y->rows[i].verdict, verdict) == 0;
    return n;
}

static void stored_nights_are_judged_alike(void **state)
{
    const struct place *p = *state;
    struct years *lived = calloc(1, sizeof *lived), *loaded = calloc(1, sizeof *loaded);
    struct store *s = fixture_open(p, STORE_WRITE);
    for (int night = 0; night < NIGHTS; night++)
        live_a_night(lived, s, night);
    store_close(s);
    assert_true(count_verdicts(lived, "OK") > 100 && count_verdicts(lived, "LEARNING") > 100);
    assert_int_equal(count_verdicts(lived, "REGRESSED"), ACCEPT_AT - LOSS_FROM);
    memcpy(loaded->runs, lived->runs, sizeof lived->runs);
    s = fixture_open(p, STORE_READ);
    load(loaded, s);
    store_close(s);
    assert_int_equal(judge_again(loaded, lived->rows), 0);
    loaded->rows[25 * (SERIES + 1) + 4].v += 1e-9; /* the wrong twin: one value of one night a little off */
    assert_true(judge_again(loaded, lived->rows) > 1);
    free(lived);
    free(loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stored_nights_are_judged_alike, place_make, place_drop),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
