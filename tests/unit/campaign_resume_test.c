/* A campaign that is cut off anywhere, by a signal or by kill -9, comes to the answer it would have come to: no block is
 * lost, none is measured twice, every round keeps its order. */
#include "tests/unit/campaign_world.h"

#include <sys/wait.h>

/* Without noise, so that a fresh process measures the same. An iteration takes 500 ms + b x 100 ms: a block is one
 * iteration. */
static const char slow[] = "time: virtual\ncurve: {fixed: 500ms, per_image: 100ms}\n";
static const int sizes[] = { 1, 2, 4, 8 };
enum { SIZES = 4, BLOCKS_MOST = 512 };

struct seen_block {
    enum block_kind kind;
    int round, place, batch;
    int64_t execution;
};
struct seen {
    struct seen_block blocks[BLOCKS_MOST]; /* valid ones of the race that count, in order of round and place */
    size_t count, coarse;
    struct decision_row decision;    /* batch -1: none */
    size_t whys, looks, verifications, fill;
};

/* A round counts with the blocks of the last execution that has blocks of it. */
static void forget_half_round(struct seen *s, const struct block_row *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->blocks[i].round != r->round || s->blocks[i].execution == r->execution)
            s->blocks[kept++] = s->blocks[i];
    s->count = kept;
}

static enum status see(void *context, const struct store_block *block, struct err *err)
{
    struct seen *s = context;
    const struct block_row *r = &block->row;
    (void)err;
    s->coarse += r->kind == BLOCK_COARSE;
    if ((r->kind != BLOCK_RACE && r->kind != BLOCK_CONTROL) || !r->valid)
        return ST_OK;
    forget_half_round(s, r);
    assert_true(s->count < BLOCKS_MOST);
    size_t at = s->count++;
    while (at > 0 && (s->blocks[at - 1].round > r->round ||
                      (s->blocks[at - 1].round == r->round && s->blocks[at - 1].place > r->place))) {
        s->blocks[at] = s->blocks[at - 1];
        at--;
    }
    s->blocks[at] = (struct seen_block){ r->kind, r->round, r->place, r->batch, r->execution };
    return ST_OK;
}

static struct seen look(struct world *w)
{
    struct seen s = { .count = 0 };
    struct err err;
    struct campaign *c = world_load(w);
    const struct target_view *t = &c->targets[0];
    s.decision = t->has_decision ? t->decision : (struct decision_row){ .batch = -1 };
    s.looks = t->look_count;
    s.verifications = t->verification_count;
    s.fill = t->fill_count;
    for (size_t i = 0; i < t->point_count; i++)
        s.whys += t->points[i].has_why;
    assert_int_equal(store_visit_blocks(w->store, t->row.id, false, see, &s, &err), ST_OK);
    campaign_free(c);
    return s;
}

static bool same_decision(const struct decision_row *a, const struct decision_row *b)
{
    return a->batch == b->batch && a->optimal == b->optimal && a->max_safe == b->max_safe &&
           a->ceiling_batch == b->ceiling_batch && a->verified == b->verified && a->leader == b->leader &&
           strcmp(a->confidence, b->confidence) == 0 && strcmp(a->cause, b->cause) == 0 &&
           strcmp(a->reason, b->reason) == 0;
}

/* The same blocks in the same rounds and places, and the same answer? */
static bool same(const struct seen *a, const struct seen *b)
{
    bool equal = a->count == b->count && a->coarse == b->coarse && same_decision(&a->decision, &b->decision) &&
                 a->whys == b->whys && a->looks == b->looks && a->verifications == b->verifications &&
                 a->fill == b->fill;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = a->blocks[i].round == b->blocks[i].round && a->blocks[i].place == b->blocks[i].place &&
                a->blocks[i].batch == b->blocks[i].batch && a->blocks[i].kind == b->blocks[i].kind;
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
    assert_int_equal(want.count, SIZES * 6 + 6); /* six rounds with a control each: the first look decides */
    assert_int_equal(want.coarse, 3 + 1 + 1 + 1); /* 2, 4 and 8 gain more than 15 % on the size before */
    assert_int_equal(want.decision.batch, 8); /* b / (500 + 100 b): 1.67 2.86 4.44 6.15 */
    assert_string_equal(want.decision.confidence, "decided");
    assert_true(want.decision.verified);
    assert_int_equal(want.fill, 8);
    for (int k = 1; k < tells; k += tells / 40 + 1) {
        struct world w;
        begin(&w);
        run_and_die(&w, k);
        w.config.resume = true;
        enum status st = world_run(&w, &err);
        if (st != ST_OK)
            fail_msg("killed at word %d: %s", k, err.text);
        struct seen got = look(&w);
        if (!same(&want, &got))
            fail_msg("killed at word %d: %zu blocks, %zu coarse, batch %d: %s", k, got.count, got.coarse,
                     got.decision.batch, got.decision.reason);
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
