/* Energy: counters that wrap, machines without them, and campaigns whose objective it is. */
#include <math.h>

#include "bench/measure/block_rule.h"
#include "bench/measure/history.h"
#include "bench/telemetry/telemetry.h"
#include "tests/unit/campaign_world.h"
#include "tests/unit/telemetry_fixture.h"

static void put_domain(const struct tree *t, const char *domain, const char *name, const char *uj)
{
    char path[160];
    snprintf(path, sizeof path, "/sys/class/powercap/%s/name", domain);
    tree_put(t, path, name);
    snprintf(path, sizeof path, "/sys/class/powercap/%s/energy_uj", domain);
    tree_put(t, path, uj);
    snprintf(path, sizeof path, "/sys/class/powercap/%s/max_energy_range_uj", domain);
    tree_put(t, path, "262143328850\n");
}

/* Two packages, memory of the first; cores, the whole system and the second view of a package are not added. */
static void put_machine(const struct tree *t, const char *package, const char *other, const char *dram)
{
    put_domain(t, "intel-rapl:0", "package-0\n", package);
    put_domain(t, "intel-rapl:0:0", "core\n", package);
    put_domain(t, "intel-rapl:0:1", "dram\n", dram);
    put_domain(t, "intel-rapl:1", "package-1\n", other);
    put_domain(t, "intel-rapl:2", "psys\n", package);
    put_domain(t, "intel-rapl-mmio:0", "package-0\n", package);
}

static bool block_energy(double *uj, const struct tree *t, void (*meanwhile)(const struct tree *t))
{
    struct telemetry *telemetry;
    struct telemetry_block b;
    assert_int_equal(telemetry_open(&telemetry, t->root, 42, NULL), ST_OK);
    telemetry_begin(telemetry);
    meanwhile(t);
    telemetry_end(telemetry, &b);
    telemetry_close(telemetry);
    return telemetry_get(uj, &b, TELEMETRY_ENERGY_UJ);
}

static void work(const struct tree *t)
{
    put_machine(t, "5000000\n", "262143000000\n", "700\n");
}

static void work_until_it_wraps(const struct tree *t)
{
    put_machine(t, "5000000\n", "1000\n", "700\n");
}

static void packages_and_memory_are_added(void **state)
{
    const struct tree *t = *state;
    double uj = -1;
    put_machine(t, "2000000\n", "262142000000\n", "100\n");
    assert_true(block_energy(&uj, t, work));
    assert_true(fabs(uj - (3000000 + 1000000 + 600)) < 0.5);
    put_machine(t, "2000000\n", "262142000000\n", "100\n");
    assert_true(block_energy(&uj, t, work_until_it_wraps)); /* 262143328850 - 262142000000 + 1000 */
    assert_true(fabs(uj - (3000000 + 1329850 + 600)) < 0.5);
    assert_true(telemetry_has_energy(NULL, 0, t->root));
}

static void nothing(const struct tree *t)
{
    (void)t;
}

static void a_machine_without_counters(void **state)
{
    const struct tree *t = *state;
    char why[160];
    double uj;
    assert_false(telemetry_has_energy(why, sizeof why, t->root));
    assert_true(strstr(why, "RAPL") && strstr(why, "not_found"));
    assert_false(block_energy(&uj, t, nothing));
    put_domain(t, "intel-rapl:0", "core\n", "1\n"); /* a counter, but not of a package */
    assert_false(telemetry_has_energy(why, sizeof why, t->root));
    if (geteuid() == 0)
        return; /* who may read everything is not refused */
    char path[160];
    put_domain(t, "intel-rapl:1", "package-1\n", "1\n");
    snprintf(path, sizeof path, "%s/sys/class/powercap/intel-rapl:1/energy_uj", t->root);
    assert_int_equal(chmod(path, 0), 0);
    assert_false(telemetry_has_energy(why, sizeof why, t->root));
    assert_non_null(strstr(why, "no_permission"));
}

/* 30 J in 1.5 s are 20 W; at 40 images/s an image takes 0.5 J. */
static void joules_of_a_block(void **state)
{
    (void)state;
    assert_true(fabs(block_energy_j(30e6, 1500000000, 8, 40) / 8 - 0.5) < 1e-12);
    assert_true(isnan(block_energy_j(NAN, 1500000000, 8, 40)));
    assert_true(isnan(block_energy_j(30e6, 0, 8, 40)));
    assert_true(isnan(block_energy_j(30e6, 1500000000, 8, 0)));
}

/* Every block of 100 ms or more takes 1 J, whatever it computes: the most images per block win. Sizes 1, 2, 4 at
 * 1000 b / (b + 1) images/s: 500, 667, 800. Blocks: 50 of 2 ms, 34 of 3 ms (102 ms), 20 of 5 ms. */
static void the_least_energy_is_chosen(void **state)
{
    (void)state;
    struct world w;
    struct err err = { 0 };
    const int sizes[] = { 1, 2, 4 };
    world_open(&w, "time: virtual\ncurve: {fixed: 1ms, per_image: 1ms}\ntelemetry: {energy_uj: 1000000}\n", 1);
    world_give(&w, sizes, 3);
    w.config.objective = OBJECTIVE_ENERGY;
    enum status st = world_run(&w, &err);
    if (st != ST_OK)
        fail_msg("%s", err.text);
    struct campaign *c = world_load(&w);
    assert_int_equal(c->targets[0].decision.batch, 4);
    assert_string_equal(c->targets[0].decision.objective, "energy");
    struct history h; /* a resume knows it too */
    assert_int_equal(history_load(&h, w.store, c->targets[0].row.id, "e2e", &err), ST_OK);
    assert_true(h.count > 18);
    for (size_t i = 0; i < h.count; i++) /* what else ran between the looks takes its share of the joule */
        assert_true(h.blocks[i].energy_j <= 1 + 1e-12 && h.blocks[i].energy_j > 0.5);
    history_free(&h);
    campaign_free(c);
    world_close(&w);
}

static void without_counters_the_objective_is_refused(void **state)
{
    const struct tree *t = *state;
    struct world w;
    struct err err = { 0 };
    const int sizes[] = { 1 };
    world_open(&w, "time: real\nload: 0ms\nprepare: 0ms\ncurve: {fixed: 1ms, per_image: 1ms}\n", 1);
    world_give(&w, sizes, 1);
    w.config.objective = OBJECTIVE_ENERGY;
    w.context.machine_root = t->root;
    assert_int_equal(world_run(&w, &err), ST_UNSUPPORTED);
    assert_non_null(strstr(err.text, "the objective energy cannot be measured"));
    assert_non_null(strstr(err.text, "not_found"));
    world_close(&w);
}

int main(int argc, char **argv)
{
    int served = world_serve(argc, argv);
    if (served >= 0)
        return served;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(packages_and_memory_are_added, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(a_machine_without_counters, tree_make, tree_drop),
        cmocka_unit_test(joules_of_a_block),
        cmocka_unit_test(the_least_energy_is_chosen),
        cmocka_unit_test_setup_teardown(without_counters_the_objective_is_refused, tree_make, tree_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
