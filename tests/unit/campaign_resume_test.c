/* A campaign that is cut off anywhere, by a signal or by kill -9, comes to the answer it would have come to: no block is
 * lost, none is measured twice, every round keeps its order. */
#include "tests/unit/campaign_world.h"

#include <sys/wait.h>

/* Without noise, so that a fresh process measures the same. An iteration takes 500 ms + b x 100 ms: a block is one
 * iteration, and 6 blocks are the 3 s that the stop rule wants. */
static const char slow[] = "time: virtual\ncurve: {fixed: 500ms, per_image: 100ms}\n";
static const int sizes[] = { 1, 2, 4, 8 };
enum { SIZES = 4, BLOCKS_MOST = 256 };

struct seen {
    struct { int round, place, batch; } blocks[BLOCKS_MOST]; /* valid ones of rounds, in order of round and place */
    size_t count, coarse;
    int    batch;
};

static enum status see(void *context, const struct store_block *block, struct err *err)
{
    struct seen *s = context;
    const struct block_row *r = &block->row;
    (void)err;
    s->coarse += r->kind == BLOCK_COARSE;
    if (r->kind != BLOCK_RACE || !r->valid)
        return ST_OK;
    assert_true(s->count < BLOCKS_MOST);
    size_t at = s->count++;
    while (at > 0 && (s->blocks[at - 1].round > r->round ||
                      (s->blocks[at - 1].round == r->round && s->blocks[at - 1].place > r->place))) {
        s->blocks[at] = s->blocks[at - 1];
        at--;
    }
    s->blocks[at].round = r->round;
    s->blocks[at].place = r->place;
    s->blocks[at].batch = r->batch;
    return ST_OK;
}

static struct seen look(struct world *w)
{
    struct seen s = { .count = 0 };
    struct err err;
    struct campaign *c = world_load(w);
    s.batch = c->targets[0].has_decision ? c->targets[0].decision.batch : -1;
    assert_int_equal(store_visit_blocks(w->store, c->targets[0].row.id, false, see, &s, &err), ST_OK);
    campaign_free(c);
    return s;
}

/* The same blocks in the same rounds and places, and the same answer? */
static bool same(const struct seen *a, const struct seen *b)
{
    bool equal = a->count == b->count && a->coarse == b->coarse && a->batch == b->batch;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = a->blocks[i].round == b->blocks[i].round && a->blocks[i].place == b->blocks[i].place &&
                a->blocks[i].batch == b->blocks[i].batch;
    return equal;
}

static void begin(struct world *w)
{
    world_open(w, slow, 1);
    world_give(w, sizes, SIZES);
}

static struct seen undisturbed(int *tells)
{
    struct world w;
    struct err err;
    begin(&w);
    assert_int_equal(world_run(&w, &err), ST_OK);
    struct seen s = look(&w);
    *tells = w.tells;
    world_close(&w);
    return s;
}

/* Runs the campaign in a process of its own that dies at its k-th word. */
static void run_and_die(struct world *w, int k)
{
    store_close(w->store); /* its lock is the child's to take */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err err;
        w->kill_after = k;
        world_open_store(w);
        world_run(w, &err);
        _exit(0);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    w->kill_after = 0;
    world_open_store(w);
}

static void killed_at_every_word(void **state)
{
    (void)state;
    int tells;
    struct err err;
    struct seen want = undisturbed(&tells);
    assert_int_equal(want.count, SIZES * 6);
    assert_int_equal(want.coarse, SIZES * 3);
    assert_int_equal(want.batch, 8); /* b / (500 + 100 b): 1.67 2.86 4.44 6.15 */
    for (int k = 1; k < tells; k += 2) {
        struct world w;
        begin(&w);
        run_and_die(&w, k);
        w.config.resume = true;
        enum status st = world_run(&w, &err);
        if (st != ST_OK)
            fail_msg("killed at word %d: %s", k, err.text);
        struct seen got = look(&w);
        if (!same(&want, &got))
            fail_msg("killed at word %d: %zu blocks, %zu coarse, batch %d", k, got.count, got.coarse, got.batch);
        world_close(&w);
    }
}

static void interrupted_then_killed_then_finished(void **state)
{
    (void)state;
    int tells;
    struct err err;
    struct world w;
    struct seen want = undisturbed(&tells);
    begin(&w);
    w.stop_after = tells / 2;
    assert_int_equal(world_run(&w, &err), ST_INTERRUPTED);
    struct campaign *c = world_load(&w);
    assert_string_equal(c->run.state, "interrupted");
    assert_int_equal(c->run.exit_code, 4);
    assert_true(c->targets[0].has_decision); /* a valid result is there at once */
    assert_string_equal(c->targets[0].decision.cause, "interrupted");
    campaign_free(c);
    w.stop_after = 0;
    w.config.resume = true;
    run_and_die(&w, 9);
    assert_int_equal(world_run(&w, &err), ST_OK);
    struct seen got = look(&w);
    assert_true(same(&want, &got));
    world_close(&w);
}

/* The wrong twin: a block that was measured twice, or a round in another order, must be seen. */
static void a_doubled_block_is_seen(void **state)
{
    (void)state;
    int tells;
    struct seen want = undisturbed(&tells), doubled = want, swapped = want;
    doubled.blocks[doubled.count++] = want.blocks[0];
    assert_false(same(&want, &doubled));
    swapped.blocks[0].batch = want.blocks[1].batch;
    swapped.blocks[1].batch = want.blocks[0].batch;
    assert_false(same(&want, &swapped));
}

static void the_seed_makes_the_order(void **state)
{
    (void)state;
    struct seen seen[3];
    for (int i = 0; i < 3; i++) {
        struct world w;
        struct err err;
        begin(&w);
        w.config.seed = i < 2 ? 7 : 8;
        assert_int_equal(world_run(&w, &err), ST_OK);
        seen[i] = look(&w);
        world_close(&w);
    }
    assert_true(same(&seen[0], &seen[1]));
    assert_false(same(&seen[0], &seen[2]));
}

static void another_target_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct err err;
    begin(&w);
    run_and_die(&w, 12);
    w.config.resume = true;
    w.target[0].threads = 2;
    snprintf(w.target[0].key, sizeof w.target[0].key, "toy|scripted|cpu:0|f32|2|1|3x32x32|e2e");
    assert_int_equal(world_run(&w, &err), ST_USAGE);
    assert_non_null(strstr(err.text, "threads of target 1 was 1 when it began and is 2 now"));
    snprintf(w.target[0].key, sizeof w.target[0].key, "toy|scripted|cpu:0|f32|1|1|3x32x32|e2e");
    w.target[0].threads = 1;
    assert_int_equal(world_run(&w, &err), ST_OK); /* the refusal has harmed nothing */
    world_close(&w);
}

static void a_finished_campaign_is_not_continued(void **state)
{
    (void)state;
    struct world w;
    struct err err;
    char *text = NULL;
    begin(&w);
    assert_int_equal(world_run(&w, &err), ST_OK);
    int64_t first = w.context.run;
    assert_int_equal(campaign_find_config(&text, w.store, &err), ST_OK);
    assert_null(text);
    w.config.resume = true;
    assert_int_equal(world_run(&w, &err), ST_OK);
    assert_true(w.context.run != first);
    world_close(&w);
}

int main(int argc, char **argv)
{
    int served = world_serve(argc, argv);
    if (served >= 0)
        return served;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_every_word),
        cmocka_unit_test(interrupted_then_killed_then_finished),
        cmocka_unit_test(a_doubled_block_is_seen),
        cmocka_unit_test(the_seed_makes_the_order),
        cmocka_unit_test(another_target_is_refused),
        cmocka_unit_test(a_finished_campaign_is_not_continued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
