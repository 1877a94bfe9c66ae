/* A store of an older version: read as it is, brought up to date when it is written, whole at every moment. */
#include "tests/unit/store_fixture.h"

#include <math.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "tests/unit/store_v1.h"

static sqlite3 *open_raw(const struct place *p)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    return db;
}

static void make_v1(const struct place *p)
{
    sqlite3 *db = open_raw(p);
    for (size_t i = 0; i < sizeof store_v1_sql / sizeof *store_v1_sql; i++)
        if (sqlite3_exec(db, store_v1_sql[i], NULL, NULL, NULL) != SQLITE_OK)
            fail_msg("%s: %s", store_v1_sql[i], sqlite3_errmsg(db));
    sqlite3_close(db);
}

static int64_t number_of(const struct place *p, const char *text)
{
    sqlite3 *db = open_raw(p);
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

/* Both fields of a block, one read and one absent, whether they lie in rows of their own or packed in one. */
static void check_telemetry(struct store *s, int64_t block)
{
    struct err err = { 0 };
    struct field_row *fields;
    size_t count;
    assert_int_equal(store_load_fields(&fields, &count, s, STORE_FIELDS_BLOCK, block, &err), ST_OK);
    assert_int_equal(count, 2);
    assert_string_equal(fields[0].name, "throttled_usec");
    assert_string_equal(fields[0].source, "cgroup cpu.stat");
    assert_true(fields[0].is_number && fields[0].number == 7 && !*fields[0].absent);
    assert_string_equal(fields[1].name, "thermal_count");
    assert_string_equal(fields[1].absent, "not_found");
    assert_false(fields[1].is_number);
    free(fields);
}

/* The campaign of store_v1.h, whichever way it is read. */
static void check_campaign(struct store *s)
{
    struct err err = { 0 };
    struct campaign *c;
    if (store_load_campaign(&c, s, NULL, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_string_equal(c->run.state, "done");
    assert_int_equal(c->target_count, 1);
    const struct target_view *t = &c->targets[0];
    assert_string_equal(t->row.engine_versions, "{\"onednn\":\"2.6.3\"}");
    assert_true(t->row.incumbent == 0 && t->row.pending == 0 && !*t->row.incumbent_source);
    assert_int_equal(t->point_count, 2);
    assert_true(t->points[1].has_estimate && !t->points[1].has_verified && t->points[1].estimate.y == 2.25);
    assert_true(t->has_decision && t->decision.batch == 2);
    assert_int_equal(t->decision.optimal, 2); /* there was no other size to serve yet */
    assert_string_equal(t->decision.objective, "throughput");
    assert_true(isnan(t->decision.slo_limit_ms) && isnan(t->decision.queue_rate) && !*t->decision.slo_kind);
    assert_int_equal(t->decision.break_even_against, 0);
    assert_true(t->look_count == 0 && t->verification_count == 0 && t->fill_count == 0);
    struct fixture_count count = { 0 };
    assert_int_equal(store_visit_blocks(s, t->row.id, true, fixture_count_block, &count, &err), ST_OK);
    assert_int_equal(count.blocks, 2);
    for (int64_t block = 1; block <= 2; block++)
        check_telemetry(s, block);
    campaign_free(c);
}

static void an_older_store_is_read_as_it_is(void **state)
{
    const struct place *p = *state;
    struct err err = { 0 };
    make_v1(p);
    struct stat before, after;
    assert_int_equal(stat(p->path, &before), 0);
    struct store *s = fixture_open(p, STORE_READ);
    check_campaign(s);
    struct import_row *imports;
    size_t count = 9;
    assert_int_equal(store_load_last_import(&imports, &count, s, &err), ST_OK);
    assert_int_equal(count, 0);
    struct store_earlier *earlier;
    assert_int_equal(store_load_earlier(&earlier, &count, s, "hrnet|onednn|cpu:0|f32|2|1|3x256x320|e2e", &err), ST_OK);
    assert_int_equal(count, 2);
    free(earlier);
    store_close(s);
    assert_int_equal(stat(p->path, &after), 0);
    assert_true(before.st_mtim.tv_sec == after.st_mtim.tv_sec && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    assert_int_equal(number_of(p, "PRAGMA user_version"), 1);
}

static void an_older_store_is_brought_up_to_date(void **state)
{
    const struct place *p = *state;
    struct err err = { 0 };
    make_v1(p);
    struct store *s = fixture_open(p, STORE_WRITE);
    check_campaign(s);
    struct fixture_ids ids = fixture_fill(s); /* and takes new campaigns */
    struct target_row target = fixture_target(ids.run, 0);
    target.id = ids.target;
    target.incumbent = 8;
    target.pending = 4;
    strcpy(target.incumbent_source, "import");
    assert_int_equal(store_append_target_state(s, &target, &err), ST_OK);
    store_close(s);
    assert_int_equal(number_of(p, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
    s = fixture_open(p, STORE_READ);
    struct target_row *rows;
    size_t count;
    assert_int_equal(store_load_targets(&rows, &count, s, ids.run, &err), ST_OK);
    assert_true(count == 1 && rows[0].incumbent == 8 && rows[0].pending == 4);
    assert_string_equal(rows[0].incumbent_source, "import");
    free(rows);
    store_close(s);
}

/* Tables and columns are those of a store that was made new, in whatever order they came. */
static void both_ways_end_in_the_same_tables(void **state)
{
    const struct place *p = *state;
    static const char columns[] =
        "SELECT count(*) * 1000003 + sum(length(m.name) * 31 + length(t.name) * 7 + unicode(t.name) + "
        "length(t.type)) FROM sqlite_master AS m, pragma_table_info(m.name) AS t WHERE m.type = 'table'";
    static const char others[] = "SELECT count(*) FROM sqlite_master WHERE type IN ('trigger', 'index')";
    store_close(fixture_open(p, STORE_WRITE));
    const int64_t fresh = number_of(p, columns), fresh_others = number_of(p, others);
    unlink(p->path);
    make_v1(p);
    assert_true(number_of(p, columns) != fresh);
    store_close(fixture_open(p, STORE_WRITE));
    assert_int_equal(number_of(p, columns), fresh);
    assert_int_equal(number_of(p, others), fresh_others);
}

/* One table of the old version cannot be changed: then nothing of it is. */
static void half_an_upgrade_is_none(void **state)
{
    const struct place *p = *state;
    struct err err = { 0 };
    make_v1(p);
    sqlite3 *db = open_raw(p); /* a trigger of somebody else makes the last step fail */
    assert_int_equal(sqlite3_exec(db, "CREATE TRIGGER stop BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'no'); "
                                      "END", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct store *s = NULL;
    assert_int_not_equal(store_open(&s, p->path, STORE_WRITE, &err), ST_OK);
    assert_int_equal(number_of(p, "PRAGMA user_version"), 1);
    assert_int_equal(number_of(p, "SELECT count(*) FROM sqlite_master WHERE name = 'import'"), 0);
    assert_int_equal(number_of(p, "SELECT count(*) FROM pragma_table_info('target_state') WHERE name = 'pending'"), 0);
    s = fixture_open(p, STORE_READ);
    check_campaign(s);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_older_store_is_read_as_it_is, place_make, place_drop),
        cmocka_unit_test_setup_teardown(an_older_store_is_brought_up_to_date, place_make, place_drop),
        cmocka_unit_test_setup_teardown(both_ways_end_in_the_same_tables, place_make, place_drop),
        cmocka_unit_test_setup_teardown(half_an_upgrade_is_none, place_make, place_drop),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
