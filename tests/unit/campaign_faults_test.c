/* What goes wrong while a campaign measures: workers that die, hang and lie, machines that throttle, fields of telemetry
 * that are not there. In virtual time; the expected outcome follows from the script. Sizes 1, 2, 4 at
 * 1000 b / (b + 1) images/s: 500, 667, 800, so 4 is chosen where nothing happens to it. */
#include "bench/measure/history.h"
#include "tests/unit/campaign_world.h"

#define CURVE "time: virtual\ncurve: {fixed: 1ms, per_image: 1ms}\n"
#define NOISE "noise: [{kind: normal, sigma: 0.003, per: block}]\n"

static const int sizes[] = { 1, 2, 4 };

/* The campaign of a script; *c is for campaign_free. */
static enum status run(struct world *w, struct campaign **c, const char *script)
{
    struct err err = { 0 };
    world_open(w, script, 1);
    world_give(w, sizes, 3);
    enum status st = world_run(w, &err);
    *c = world_load(w);
    return st;
}

/* --- workers ----------------------------------------------------------------------------------------------------- */

/* Each happens to size 2 alone, as often as it is tried: it gets its type, the next size goes on. */
static void every_fault_has_its_type(void **state)
{
    (void)state;
    static const struct { const char *fault, *why; } rows[] = {
        { "at: run, call: 1, do: crash", "crashed" },
        { "at: run, call: 3, do: crash", "crashed" },
        { "at: run, call: 2, do: exit, code: 0", "crashed" },
        { "at: iteration, call: 40, do: crash, signal: 6", "crashed" },
        { "at: run, call: 2, do: hang", "hung" },
        { "at: prepare, call: 1, do: hang", "hung" },
        { "at: run, call: 2, do: garbage, text: 'oneDNN verbose: primitive cache hit'", "crashed" },
        { "at: run, call: 2, do: garbage, text: '{\"id\":1,\"ok\":true}'", "crashed" },
        { "at: run, call: 1, do: short", "wrong_output" },         /* one image too few comes out of the engine */
        { "at: run, call: 1, do: claim_outputs", "wrong_output" }, /* n - 1 of n */
        { "at: run, call: 1, do: other_batch", "wrong_output" },
        { "at: run, call: 1, do: claim_batch", "wrong_output" },
        { "at: run, call: 1, do: claim_count", "crashed" },        /* another number of times than iterations */
        { "at: run, call: 1, do: error, kind: internal", "crashed" },
        { "at: run, call: 1, do: error, kind: device_lost", "crashed" },
        { "at: run, call: 1, do: error, kind: out_of_memory", "out_of_memory" },
        { "at: prepare, call: 1, do: error, kind: unsupported", "unsupported" },
        { "at: output, call: 1, do: nan", "wrong_output" },
        { "at: output, call: 1, do: swap", "wrong_output" },
        { "at: output, call: 1, do: zero", "wrong_output" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        struct campaign *c;
        char script[512];
        snprintf(script, sizeof script, CURVE "faults: [{%s, batch: 2, times: 0}]\n", rows[i].fault);
        enum status st = run(&w, &c, script);
        const struct target_view *t = &c->targets[0];
        const char *two = world_point(t, 2)->why.reason;
        if (st != ST_OK || t->decision.batch != 4)
            fail_msg("%s: %s, batch %d", rows[i].fault, status_kind(st), t->decision.batch);
        if (strcmp(two, rows[i].why) != 0)
            fail_msg("%s: %s, not %s", rows[i].fault, two, rows[i].why);
        world_assert_why(t, 1, "slower");
        campaign_free(c);
        world_close(&w);
    }
}

/* Times that add up to more than their block are kept, and refused. */
static void a_worker_that_counts_wrong_is_invalid(void **state)
{
    (void)state;
    struct world w;
    struct campaign *c;
    run(&w, &c, CURVE "faults: [{at: run, batch: 2, call: 1, times: 0, do: claim_time}]\n");
    world_assert_why(&c->targets[0], 2, "invalid");
    world_assert_why(&c->targets[0], 4, "chosen");
    assert_true(world_point(&c->targets[0], 2)->has_estimate);
    campaign_free(c);
    world_close(&w);
}

/* --- throttling -------------------------------------------------------------------------------------------------- */

struct seen {
    int valid, invalid;
    double sum, sum_all; /* of y, of the valid blocks and of all */
};

static struct seen see(const struct history *h, int batch)
{
    struct seen s = { 0 };
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        if (f->batch != batch || f->kind == BLOCK_WARMUP || f->kind == BLOCK_COARSE)
            continue;
        s.valid += f->valid;
        s.invalid += !f->valid;
        s.sum += f->valid ? f->y : 0;
        s.sum_all += f->y;
    }
    return s;
}

/* A tenth of the blocks runs at 60 % of the speed, and the machine says that it was hot: they are repeated, the values
 * and their interval are those of a cool machine. The wrong twin believes every block. */
static void a_tenth_throttled_changes_nothing(void **state)
{
    (void)state;
    struct world w;
    struct campaign *c, *cool;
    struct history h;
    struct seen all = { 0 };
    double twin = 0;
    run(&w, &cool, CURVE NOISE "telemetry: {thermal_count: 0}\n");
    world_close(&w);
    assert_int_equal(run(&w, &c, CURVE NOISE "telemetry: {thermal_count: 0}\n"
                         "throttle: [{from: 5, to: 0, every: 10, factor: 0.6, telemetry: {thermal_count: 2}}]\n"), ST_OK);
    const struct target_view *t = &c->targets[0];
    assert_int_equal(history_load(&h, w.store, t->row.id, "e2e", NULL), ST_OK);
    assert_int_equal(t->decision.batch, cool->targets[0].decision.batch);
    assert_string_equal(t->decision.confidence, cool->targets[0].decision.confidence);
    for (int b = 1; b <= 4; b *= 2) {
        struct seen s = see(&h, b);
        const struct estimate_row *hot = &world_point(t, b)->estimate, *cold = &world_point(&cool->targets[0], b)->estimate;
        double truth = log(1000.0 * b / (b + 1));
        all.valid += s.valid;
        all.invalid += s.invalid;
        assert_true(fabs(s.sum / s.valid - truth) < 0.005);
        assert_true(fabs(hot->y - truth) < 0.005);
        assert_true(hot->half_width < 0.02 && hot->half_width < 3 * cold->half_width);
        twin = fmax(twin, fabs(s.sum_all / (s.valid + s.invalid) - truth));
    }
    assert_true(all.invalid >= 3);
    assert_true(twin > 0.02); /* ln .6 = -.51 in one of ten */
    history_free(&h);
    campaign_free(cool);
    campaign_free(c);
    world_close(&w);
}

static void a_machine_that_is_always_hot_is_throttled(void **state)
{
    (void)state;
    struct world w;
    struct campaign *c;
    struct history h;
    run(&w, &c, CURVE "telemetry: {thermal_count: 3}\n");
    const struct target_view *t = &c->targets[0];
    assert_string_equal(t->decision.cause, "throttled");
    assert_string_equal(t->decision.confidence, "undecided");
    assert_int_equal(t->decision.batch, 4); /* the best of what there is */
    assert_int_equal(history_load(&h, w.store, t->row.id, "e2e", NULL), ST_OK);
    for (int b = 1; b <= 4; b *= 2) {
        struct seen s = see(&h, b);
        assert_true(s.valid == 0 && s.invalid >= 4); /* kept: a block and its three retries */
        assert_true(world_point(t, b)->has_estimate);
    }
    int marks = 0;
    for (size_t i = 0; i < t->mark_count; i++)
        marks += strcmp(t->marks[i].reason, "thermal") == 0;
    assert_true(marks >= 12);
    history_free(&h);
    campaign_free(c);
    world_close(&w);
}

/* A machine where more than a tenth of the blocks is stolen from is shared: from the 20th block on, which comes in the
 * ascent, the rule is a label. 1000 b / (b + 1): 16 (941.2) is the smallest above .95 x 984.6 = 935.4. */
static void a_shared_machine_is_labelled(void **state)
{
    (void)state;
    static const char *const scripts[] = { CURVE "telemetry: {steal_ns: 0}\n", CURVE "telemetry: {steal_ns: 5000000}\n" };
    for (int stolen = 0; stolen < 2; stolen++) {
        struct world w;
        struct err err = { 0 };
        world_open(&w, scripts[stolen], 1);
        if (world_run(&w, &err) != ST_OK)
            fail_msg("%s", err.text);
        struct campaign *c = world_load(&w);
        const struct estimate_row *e = &world_point(&c->targets[0], 16)->estimate;
        assert_int_equal(c->targets[0].decision.batch, 16);
        assert_string_equal(c->targets[0].decision.confidence, "decided");
        assert_int_equal(strstr(e->labels, "shared_machine") != NULL, stolen);
        campaign_free(c);
        world_close(&w);
    }
}

/* --- absent fields ----------------------------------------------------------------------------------------------- */

static const struct { const char *name, *value, *rule; } fields[] = {
    { "throttled_usec", "0", "quota" },       { "steal_ns", "0", "steal" },
    { "psi_cpu_some_usec", "0", "contended" }, { "involuntary_switches", "1", "contended" },
    { "thermal_count", "0", "thermal" },      { "nr_throttled", "0", NULL },
    { "voluntary_switches", "3", NULL },      { "minor_faults", "3", NULL },
    { "major_faults", "0", NULL },            { "cpu_ns", "90000000", NULL },
    { "worker_threads", "2", NULL },          { "rss_bytes", "1000000", NULL },
    { "peak_rss_bytes", "1000000", NULL },    { "clock_khz", "3000000", NULL },
    { "cycles_per_ref", "1.1", NULL },        { "perf_running_share", "1", NULL },
};
enum { FIELDS = sizeof fields / sizeof *fields };

/* The rules that the campaign's measuring execution could look at. */
static void rules_of(char *out, size_t size, struct world *w, const struct target_view *t)
{
    struct execution_row *rows;
    size_t count, n;
    struct field_row *found;
    *out = 0;
    assert_int_equal(store_load_executions(&rows, &count, w->store, t->row.id, NULL), ST_OK);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].label, "normal") != 0)
            continue;
        assert_int_equal(store_load_fields(&found, &n, w->store, STORE_FIELDS_EXECUTION, rows[i].id, NULL), ST_OK);
        for (size_t k = 0; k < n; k++)
            if (strcmp(found[k].name, "validity_rules") == 0)
                snprintf(out, size, " %.60s ", found[k].text);
        free(found);
    }
    store_free_executions(rows, count);
}

/* Every field absent in turn, and all of them: the run completes with the same answer, and the record says which rules
 * could not be looked at. */
static void every_field_may_be_absent(void **state)
{
    (void)state;
    static const char *const rules[] = { "thermal", "quota", "steal", "contended", "worker" };
    for (int absent = 0; absent <= FIELDS; absent++) {
        struct world w;
        struct campaign *c;
        char script[1024] = CURVE "telemetry: {", looked[128], word[32];
        for (int i = 0; i < FIELDS && absent < FIELDS; i++)
            if (i != absent)
                snprintf(script + strlen(script), sizeof script - strlen(script), "%s%s: %s",
                         script[strlen(script) - 1] == '{' ? "" : ", ", fields[i].name, fields[i].value);
        strcat(script, "}\n");
        assert_int_equal(run(&w, &c, script), ST_OK);
        assert_int_equal(c->targets[0].decision.batch, 4);
        assert_string_equal(c->targets[0].decision.confidence, "decided");
        rules_of(looked, sizeof looked, &w, &c->targets[0]);
        for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
            bool off = absent == FIELDS ? strcmp(rules[r], "worker") != 0
                                        : fields[absent].rule && strcmp(fields[absent].rule, rules[r]) == 0;
            snprintf(word, sizeof word, " %s ", rules[r]);
            if ((strstr(looked, word) == NULL) != off)
                fail_msg("without %s:%s", absent < FIELDS ? fields[absent].name : "everything", looked);
        }
        campaign_free(c);
        world_close(&w);
    }
}

int main(int argc, char **argv)
{
    int served = world_serve(argc, argv);
    if (served >= 0)
        return served;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_has_its_type),
        cmocka_unit_test(a_worker_that_counts_wrong_is_invalid),
        cmocka_unit_test(a_tenth_throttled_changes_nothing),
        cmocka_unit_test(a_machine_that_is_always_hot_is_throttled),
        cmocka_unit_test(a_shared_machine_is_labelled),
        cmocka_unit_test(every_field_may_be_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
