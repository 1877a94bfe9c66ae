/* Campaigns with an open loop, and with a limit on responses, against the scripted engine in virtual time. */
#include "tests/unit/campaign_world.h"

#include "bench/measure/decision.h"
#include "bench/measure/open_loop.h"

/* 4 lies 4 % below 8, the fastest, 2 far below: 4 is chosen. Full batches of 4 are 96 images/s. */
#define CURVE "{curve: {images_per_s: {1: 50, 2: 70, 4: 96, 8: 100, 16: 97, 32: 94}}, noise: [{sigma: 0.01}]"
#define RATE 80.0

struct times_of_stages {
    uint64_t last_fill_ns, first_call_ns;
    size_t   calls;
};

static enum status note_block(void *context, const struct store_block *block, struct err *err)
{
    struct times_of_stages *t = context;
    (void)err;
    if (block->row.kind == BLOCK_FILL)
        t->last_fill_ns = block->row.end_ns;
    if (block->row.kind == BLOCK_OPEN_LOOP && !t->calls++)
        t->first_call_ns = block->row.start_ns;
    return ST_OK;
}

static struct times_of_stages stages_of(struct world *w, int64_t target)
{
    struct times_of_stages t = { 0 };
    assert_int_equal(store_visit_blocks(w->store, target, false, note_block, &t, NULL), ST_OK);
    return t;
}

static void ask(struct world *w, const char *limit)
{
    struct err err = { 0 };
    w->config.arrivals = (struct arrivals){ .rate = RATE };
    w->config.limit = (struct latency_limit){ 0 };
    if (limit && latency_limit_read(&w->config.limit, limit, &err) != ST_OK)
        fail_msg("%s", err.text);
}

static int count_executions(struct world *w, int64_t target, const char *label)
{
    struct execution_row *rows;
    size_t count;
    int n = 0;
    assert_int_equal(store_load_executions(&rows, &count, w->store, target, NULL), ST_OK);
    for (size_t i = 0; i < count; i++)
        n += strcmp(rows[i].label, label) == 0;
    store_free_executions(rows, count);
    return n;
}

/* The same decision from the store alone. */
static void assert_decided_again(struct world *w, const struct campaign *c)
{
    const struct target_row *row = &c->targets[0].row;
    struct history h;
    struct decision *d;
    const struct decision_rules rules = decision_rules_of(&w->config, row, NULL, 0);
    assert_int_equal(history_load(&h, w->store, row->id, row->mode, NULL), ST_OK);
    assert_int_equal(decision_make(&d,
                                   &(struct decision_ask){ &rules, &h, .search_over = true,
                                                           .rounds_over = true, .race_over = true },
                                   NULL),
                     ST_OK);
    assert_int_equal(d->choice.batch, c->targets[0].decision.batch);
    decision_free(d);
    history_free(&h);
}

static void the_chosen_size_is_sent_requests(void **state)
{
    struct world w;
    struct err err = { 0 };
    (void)state;
    world_open(&w, CURVE "}", 1);
    ask(&w, NULL);
    assert_int_equal(world_run(&w, &err), ST_OK);
    struct campaign *c = world_load(&w);
    const struct decision_row *d = &c->targets[0].decision;
    struct times_of_stages t = stages_of(&w, c->targets[0].row.id);
    assert_true(d->batch == 4 && d->queue_batch == 4 && d->queue_instances == 1 && d->queue_rate == RATE);
    assert_true(d->queue_p95_ms > 1000 * 4 / 96.0 && d->queue_p95_ms < 300 && isnan(d->queue_limit_ms));
    assert_true(d->queue_delay_ms >= 0);
    assert_true(t.calls > 200 && t.first_call_ns > t.last_fill_ns); /* after the fill table, on its numbers */
    assert_int_equal(count_executions(&w, c->targets[0].row.id, "open_loop"), 1);
    assert_decided_again(&w, c);
    campaign_free(c);
    world_close(&w);
}

static void without_a_rate_a_limit_on_responses_is_refused(void **state)
{
    struct world w;
    struct err err = { 0 };
    struct run_row *runs;
    size_t count;
    (void)state;
    world_open(&w, CURVE "}", 1);
    ask(&w, "response:p95=300ms");
    w.config.arrivals.rate = 0;
    assert_int_equal(world_run(&w, &err), ST_USAGE);
    assert_non_null(strstr(err.text, "--open-loop"));
    assert_int_equal(store_load_runs(&runs, &count, w.store, NULL, NULL), ST_OK);
    assert_int_equal(count, 0);
    store_free_runs(runs, count);
    char missing[] = "/nonexistent/trace";
    ask(&w, NULL);
    w.config.arrivals = (struct arrivals){ .trace = missing };
    assert_int_equal(world_run(&w, &err), ST_IO);
    world_close(&w);
}

/* In the simulation on probes only sizes that keep the limit go into the race; here 1 cannot serve the rate
 * at all, and 32 keeps a request for longer than 300 ms by itself. */
static void sizes_over_the_limit_are_not_chosen(void **state)
{
    struct world w;
    struct err err = { 0 };
    static const int batches[] = { 1, 4, 32 };
    (void)state;
    world_open(&w, CURVE "}", 1);
    world_give(&w, batches, 3);
    ask(&w, "response:p95=300ms");
    assert_int_equal(world_run(&w, &err), ST_OK);
    struct campaign *c = world_load(&w);
    const struct target_view *t = &c->targets[0];
    assert_int_equal(t->decision.batch, 4);
    world_assert_why(t, 1, "over_slo");
    assert_true(t->decision.queue_limit_ms == 300 && t->decision.queue_p95_ms <= 300);
    assert_string_equal(t->decision.slo_kind, "response");
    campaign_free(c);
    world_close(&w);
}

static void no_size_may_keep_the_limit(void **state)
{
    struct world w;
    struct err err = { 0 };
    (void)state;
    world_open(&w, CURVE "}", 1);
    ask(&w, "response:p95=10ms"); /* one image takes 20 */
    assert_int_equal(world_run(&w, &err), ST_BAD_NEWS);
    struct campaign *c = world_load(&w);
    assert_int_equal(c->targets[0].decision.batch, 0);
    world_assert_why(&c->targets[0], 8, "over_slo");
    assert_int_equal(stages_of(&w, c->targets[0].row.id).calls, 0);
    campaign_free(c);
    world_close(&w);
}

/* When the open loop is measured, full batches of 4 take twice as long as before: 48 images/s, and 80 come.
 * So 4 does not pass, and 8 is chosen on the same blocks, verified and proved in its own loop. */
static void a_size_that_fails_its_loop_gives_way(void **state)
{
    struct world calm, w;
    struct err err = { 0 };
    char script[512];
    (void)state;
    world_open(&calm, CURVE "}", 1);
    ask(&calm, "response:p95=600ms");
    assert_int_equal(world_run(&calm, &err), ST_OK);
    struct campaign *c = world_load(&calm);
    struct times_of_stages t = stages_of(&calm, c->targets[0].row.id);
    assert_int_equal(c->targets[0].decision.batch, 4);
    campaign_free(c);
    snprintf(script, sizeof script, CURVE ", throttle: [{batch: 4, after: %llums, factor: 0.5}]}",
             (unsigned long long)(t.last_fill_ns / 1000000));
    world_close(&calm);
    world_open(&w, script, 1);
    ask(&w, "response:p95=600ms");
    assert_int_equal(world_run(&w, &err), ST_OK);
    c = world_load(&w);
    const struct target_view *v = &c->targets[0];
    assert_int_equal(v->decision.batch, 8);
    assert_true(v->decision.verified && v->decision.queue_batch == 8 && v->decision.queue_p95_ms <= 600);
    world_assert_why(v, 4, "over_slo");
    assert_string_equal(world_point(v, 4)->why.detail, "yes"); /* proven */
    assert_int_equal(count_executions(&w, v->row.id, "open_loop"), 2);
    assert_decided_again(&w, c);
    campaign_free(c);
    world_close(&w);
}

/* Interrupted in the open loop, then continued: the loop is measured from its beginning, the decision is the
 * same. */
static void an_interrupted_loop_is_measured_again(void **state)
{
    struct world w;
    struct err err = { 0 };
    (void)state;
    world_open(&w, CURVE "}", 1);
    ask(&w, NULL);
    assert_int_equal(world_run(&w, &err), ST_OK);
    int tells = w.tells;
    world_close(&w);
    world_open(&w, CURVE "}", 1);
    ask(&w, NULL);
    w.stop_after = tells - 2; /* the last ones: open loop, its result, target done */
    assert_int_equal(world_run(&w, &err), ST_INTERRUPTED);
    struct campaign *c = world_load(&w);
    assert_true(isnan(c->targets[0].decision.queue_rate));
    assert_int_equal(stages_of(&w, c->targets[0].row.id).calls, 0);
    campaign_free(c);
    w.stop_after = 0;
    w.config.resume = true;
    assert_int_equal(world_run(&w, &err), ST_OK);
    c = world_load(&w);
    assert_true(c->targets[0].decision.queue_rate == RATE && c->targets[0].decision.batch == 4);
    campaign_free(c);
    world_close(&w);
}

int main(int argc, char **argv)
{
    int served = world_serve(argc, argv);
    if (served >= 0)
        return served;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chosen_size_is_sent_requests),
        cmocka_unit_test(without_a_rate_a_limit_on_responses_is_refused),
        cmocka_unit_test(sizes_over_the_limit_are_not_chosen),
        cmocka_unit_test(no_size_may_keep_the_limit),
        cmocka_unit_test(a_size_that_fails_its_loop_gives_way),
        cmocka_unit_test(an_interrupted_loop_is_measured_again),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
