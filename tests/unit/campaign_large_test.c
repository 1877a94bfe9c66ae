/* A campaign of 3 models x 2 precisions x 16 batch sizes that is killed again and again, somewhere else each time, and
 * comes to the answers of one that was left in peace. And what a short budget leaves of it. */
#include "tests/unit/campaign_world.h"

#include <sys/wait.h>

enum { MODELS = 3, PRECISIONS = 2, TARGETS = MODELS * PRECISIONS, SIZES = 16, LIVES = 9 };

/* Without noise, so that a fresh process measures the same; an iteration takes 50 ms and more. bf16 is twice as fast. */
static const char script[] = "time: virtual\ncurve: {fixed: 100ms, per_image: 50ms}\nprecisions: [f32, bf16]\n"
                             "speed: {bf16: 2.0, model_2: 0.5}\nmemory: {fixed: 100MiB, per_image: 1MiB}\n";

static void begin(struct world *w)
{
    static const char *const precisions[PRECISIONS] = { "f32", "bf16" };
    int sizes[SIZES];
    for (int i = 0; i < SIZES; i++)
        sizes[i] = i + 1;
    world_open(w, script, TARGETS);
    world_give(w, sizes, SIZES);
    for (int i = 0; i < TARGETS; i++) {
        const char *precision = precisions[i % PRECISIONS];
        int model = i / PRECISIONS + 1;
        struct plan_target *t = &w->target[i];
        snprintf(t->model.name, sizeof t->model.name, "model_%d", model);
        snprintf(t->precision, sizeof t->precision, "%s", precision);
        snprintf(t->key, sizeof t->key, "model_%d|scripted|cpu:0|%s|1|1|3x32x32|e2e", model, precision);
        snprintf(t->name, sizeof t->name, "model_%d scripted cpu:0 %s", model, precision);
    }
}

struct answers {
    struct decision_row decisions[TARGETS];
    size_t looks[TARGETS], fill[TARGETS];
};

static struct answers read_answers(struct world *w)
{
    struct answers a = { .looks = { 0 } };
    struct campaign *c = world_load(w);
    assert_int_equal(c->target_count, TARGETS);
    for (size_t i = 0; i < TARGETS; i++) {
        assert_true(c->targets[i].has_decision);
        a.decisions[i] = c->targets[i].decision;
        a.looks[i] = c->targets[i].look_count;
        a.fill[i] = c->targets[i].fill_count;
    }
    campaign_free(c);
    return a;
}

static void assert_same(const struct answers *a, const struct answers *b)
{
    for (size_t i = 0; i < TARGETS; i++) {
        const struct decision_row *p = &a->decisions[i], *q = &b->decisions[i];
        assert_int_equal(p->batch, q->batch);
        assert_int_equal(p->optimal, q->optimal);
        assert_int_equal(p->max_safe, q->max_safe);
        assert_int_equal(p->ceiling_batch, q->ceiling_batch);
        assert_int_equal(p->verified, q->verified);
        assert_string_equal(p->confidence, q->confidence);
        assert_string_equal(p->reason, q->reason);
        assert_int_equal(a->looks[i], b->looks[i]);
        assert_int_equal(a->fill[i], b->fill[i]);
    }
}

/* One life of the campaign: it dies at its k-th word, or ends. True: it ended well. */
static bool live(struct world *w, int k)
{
    store_close(w->store); /* its lock is the child's to take */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err err;
        w->kill_after = k;
        world_open_store(w);
        _exit(world_run(w, &err) == ST_OK ? 0 : 1);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    world_open_store(w);
    if (WIFSIGNALED(how))
        return false;
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    return true;
}

static void killed_again_and_again(void **state)
{
    (void)state;
    struct world w;
    struct err err;
    begin(&w);
    assert_int_equal(world_run(&w, &err), ST_OK);
    struct answers want = read_answers(&w);
    int words = w.tells, lives = 0;
    world_close(&w);
    for (size_t i = 0; i < TARGETS; i++)
        assert_string_equal(want.decisions[i].confidence, "decided");
    begin(&w);
    w.config.resume = true;
    while (!live(&w, words / LIVES + 7 * lives))
        assert_true(++lives < 3 * LIVES);
    assert_true(lives >= LIVES / 2);
    struct answers got = read_answers(&w);
    assert_same(&want, &got);
    world_close(&w);
}

/* Parts of the time that all of it takes. What does not fit is not begun, every target has an answer, what was found by
 * then is as sure as the time allows; and a resume without a budget comes to the whole answer. */
static void a_budget_is_kept_and_leaves_the_best_so_far(void **state)
{
    (void)state;
    static const struct { double part; size_t raced, verified; } parts[] = {
        { .3, 1, 0 }, { .6, TARGETS, 0 }, { .95, TARGETS, TARGETS }
    };
    struct world w;
    struct err err;
    begin(&w);
    assert_int_equal(world_run(&w, &err), ST_OK);
    struct answers want = read_answers(&w);
    uint64_t all_ns = w.elapsed_ns;
    world_close(&w);
    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
        size_t raced = 0, verified = 0;
        begin(&w);
        w.config.budget_ns = (uint64_t)(parts[k].part * (double)all_ns);
        assert_int_equal(world_run(&w, &err), ST_UNDECIDED);
        assert_true(w.elapsed_ns <= w.config.budget_ns);
        assert_true(w.elapsed_ns > w.config.budget_ns / 2);
        struct answers got = read_answers(&w);
        for (size_t i = 0; i < TARGETS; i++) {
            assert_true(got.decisions[i].batch > 0);
            raced += got.looks[i] > 0;
            verified += got.decisions[i].verified;
        }
        assert_true(raced >= parts[k].raced && verified >= parts[k].verified);
        w.config.budget_ns = 0;
        w.config.resume = true;
        if (world_run(&w, &err) != ST_OK)
            fail_msg("%s", err.text);
        got = read_answers(&w);
        assert_same(&want, &got);
        world_close(&w);
    }
}

int main(int argc, char **argv)
{
    int served = world_serve(argc, argv);
    if (served >= 0)
        return served;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_again_and_again),
        cmocka_unit_test(a_budget_is_kept_and_leaves_the_best_so_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
