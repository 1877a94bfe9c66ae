/* The tuner with a device that is a table: what it chooses follows from the times in the table, wrong
 * candidates are never chosen, the budget goes where it counts, the cache gives the same choice again, and a
 * whole pass that is not faster takes everything back. */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernels/base/rng.h"
#include "kernels/cuda/tune/tune.h"

#define LEN(rows) (sizeof(rows) / sizeof *(rows))
#define VALUES 500
#define SEGMENTS 3
#define WAYS 12
#define PASS_NS 3000.0          /* one statistics or normalising pass of ours */

enum lie { TRUE_VALUES, LEFT_NAN, OFF_BY_A_PERCENT, ONE_WRONG, FAILS };

/* One way as the device has it. */
struct row {
    int slot, level;
    const char *name;
    double ns;
    size_t workspace;
    enum lie lie;
};

struct world {
    const struct row *rows[SEGMENTS];
    int row_count[SEGMENTS];
    struct segment segments[SEGMENTS];
    unsigned levels[SEGMENTS];
    double predicted_ns[SEGMENTS];
    int count;
    double noise;
    struct rng rng;
    uint64_t now_ns, build_cost_ns, way_cost_ns, whole_cost_ns;
    uint64_t more_cost_ns[SEGMENTS];    /* of each way of this segment */
    bool never_late;                    /* the wrong twin: builds whatever was asked for */
    int built[SEGMENTS], most, sampled, valued, restored, whole_called;
    unsigned asked[SEGMENTS];
    int row_of[SEGMENTS][TUNE_WAYS_MAX], listed[SEGMENTS];  /* way -> row */
    struct tune_choice kept[SEGMENTS], guessed[SEGMENTS];
    int keeps[SEGMENTS];
    double whole_ns[2];         /* by winners */
    enum status whole_status;   /* of a pass with the winners */
    double whole_clock[2];
    enum status restore_status;
    size_t workspace_change;    /* a restored plan asks for so much more */
    double shape_ns[SEGMENTS][GPU_SHAPED_KERNELS][GPU_SHAPES];     /* added to the time of a choice */
    bool shape_lies[SEGMENTS][GPU_SHAPED_KERNELS][GPU_SHAPES];
    enum status fatal;          /* the sample number fatal_at ends with it */
    int fatal_at;
};

static uint64_t now(void *context)
{
    return ((struct world *)context)->now_ns;
}

static void list_way(struct world *w, int segment, int row, struct tune_ways *ways)
{
    const struct row *r = &w->rows[segment][row];
    struct tune_way *way = &ways->way[ways->count];
    *way = (struct tune_way){ .level = (enum tune_level)r->level, .slot = r->slot, .workspace = r->workspace,
                              .launches = 1, .precompiled = true };
    snprintf(way->name, sizeof way->name, "%s", r->name);
    w->row_of[segment][ways->count++] = row;
    w->listed[segment] = ways->count;
}

static enum status build(void *context, int segment, unsigned levels, int most, uint64_t until_ns,
                         struct tune_ways *ways, struct err *err)
{
    struct world *w = context;
    int taken[SEGMENT_SLOTS][TUNE_LEVELS] = { { 0 } };
    (void)err;
    assert_int_equal(ways->count, 0);
    w->built[segment]++;
    w->asked[segment] = levels;
    w->most = most;
    w->now_ns += w->build_cost_ns;
    for (int i = 0; i < w->row_count[segment]; i++) {
        const struct row *r = &w->rows[segment][i];
        bool needed = r->level == TUNE_F0 && taken[r->slot][TUNE_F0] == 0;
        if ((levels >> r->level & 1u) && (w->now_ns < until_ns || needed || w->never_late) && taken[r->slot][r->level]++ < most) {
            list_way(w, segment, i, ways);
            w->now_ns += w->way_cost_ns + w->more_cost_ns[segment];
        }
    }
    return ST_OK;
}

static enum status restore(void *context, int segment, int slot, const struct cache_part *part,
                           const void *bytes, size_t size, struct tune_ways *ways, struct err *err)
{
    struct world *w = context;
    w->restored++;
    if (w->restore_status != ST_OK)
        return err_set(err, w->restore_status, "as the script says");
    for (int i = 0; i < w->row_count[segment]; i++) {
        const struct row *r = &w->rows[segment][i];
        if (r->slot == slot && size == strlen(r->name) && memcmp(r->name, bytes, size) == 0 &&
            r->level == part->level) {
            list_way(w, segment, i, ways);
            ways->way[ways->count - 1].workspace += w->workspace_change;
            return ST_OK;
        }
    }
    return err_set(err, ST_INVALID, "no such plan");
}

static enum status serialise(void *context, int segment, int way, void **bytes, size_t *size, struct err *err)
{
    struct world *w = context;
    (void)err;
    const char *name = w->rows[segment][w->row_of[segment][way]].name;
    *bytes = strdup(name);
    *size = strlen(name);
    return ST_OK;
}

static const struct row *row_at(const struct world *w, int segment, const struct tune_choice *c, int slot)
{
    assert_true(c->way[slot] >= 0 && c->way[slot] < w->listed[segment]);
    return &w->rows[segment][w->row_of[segment][c->way[slot]]];
}

static const struct row *norm_at(const struct world *w, int segment, const struct tune_choice *c, int slot)
{
    return c->norm[slot] < 0 ? NULL : &w->rows[segment][w->row_of[segment][c->norm[slot]]];
}

/* Time of a choice: its convolutions, then per part 2 passes at F0 and 1 at F1 or F2, and none for a pass
 * that the next part's prologue does instead; at F3 a convolution of F0 and the norm. */
static double time_of(const struct world *w, int segment, const struct tune_choice *c)
{
    double ns = 0;
    for (int slot = 0; slot < w->segments[segment].parts; slot++) {
        const struct row *r = row_at(w, segment, c, slot);
        const struct row *norm = norm_at(w, segment, c, slot);
        assert_true(r->level != TUNE_F3 && (!norm || (norm->level == TUNE_F3 && r->level == TUNE_F0)));
        ns += r->ns + (norm ? norm->ns : (r->level == TUNE_F0 ? 2 : 1) * PASS_NS);
        if (r->level == TUNE_F2) {
            assert_true(slot > 0 && row_at(w, segment, c, slot - 1)->level >= TUNE_F1);
            ns -= PASS_NS;
        }
    }
    for (int slot = w->segments[segment].parts; slot < SEGMENT_SLOTS; slot++)
        assert_true(c->way[slot] == -1 && c->norm[slot] == -1);
    for (int kernel = 0; kernel < GPU_SHAPED_KERNELS; kernel++)
        ns += w->shape_ns[segment][kernel][c->shapes.of[kernel]];
    return w->segments[segment].parts ? ns : ns + PASS_NS;
}

/* What the convolution or the norm of a part does to the values. */
static enum lie lie_at(const struct world *w, int segment, const struct tune_choice *c, int slot)
{
    const struct row *norm = norm_at(w, segment, c, slot);
    enum lie lie = row_at(w, segment, c, slot)->lie;
    return lie == TRUE_VALUES && norm ? norm->lie : lie;
}

static enum status values(void *context, int segment, const struct tune_choice *c, float *out, size_t room,
                          size_t *count, struct err *err)
{
    struct world *w = context;
    assert_true(room >= VALUES);
    w->valued++;
    w->now_ns += 100000;
    *count = VALUES;
    for (int i = 0; i < VALUES; i++)
        out[i] = sinf((float)i);
    for (int slot = 0; slot < w->segments[segment].parts; slot++) {
        switch (lie_at(w, segment, c, slot)) {
        case TRUE_VALUES:
            break;
        case LEFT_NAN:
            out[VALUES - 1] = NAN;
            break;
        case OFF_BY_A_PERCENT:
            for (int i = 0; i < VALUES; i++)
                out[i] *= 1.01f;
            break;
        case ONE_WRONG:
            out[7] += 0.1f;
            break;
        case FAILS:
            return err_set(err, ST_UNSUPPORTED, "this one does not run");
        }
    }
    for (int kernel = 0; kernel < GPU_SHAPED_KERNELS; kernel++)
        if (w->shape_lies[segment][kernel][c->shapes.of[kernel]])
            out[VALUES / 2] = NAN;
    return ST_OK;
}

static enum status sample(void *context, int segment, const struct tune_choice *c, double *ns,
                          struct err *err)
{
    struct world *w = context;
    if (w->fatal != ST_OK && w->sampled == w->fatal_at)
        return err_set(err, w->fatal, "as the script says");
    w->sampled++;
    *ns = time_of(w, segment, c) * (1 + w->noise * rng_normal(&w->rng));
    w->now_ns += 1000000;
    return ST_OK;
}

static enum status keep(void *context, int segment, const struct tune_choice *choice,
                        const struct tune_choice *guess, struct err *err)
{
    struct world *w = context;
    (void)err;
    w->kept[segment] = *choice;
    w->guessed[segment] = *guess;
    w->keeps[segment]++;
    return ST_OK;
}

static enum status whole(void *context, bool winners, double *ns, double *clock_mhz, struct err *err)
{
    struct world *w = context;
    (void)err;
    /* A B B A: winners first in even pairs */
    assert_int_equal(winners, w->whole_called / 2 % 2 == w->whole_called % 2);
    w->whole_called++;
    if (winners && w->whole_status != ST_OK)
        return err_set(err, w->whole_status, "as the script says");
    w->now_ns += w->whole_cost_ns;
    *ns = w->whole_ns[winners];
    *clock_mhz = w->whole_clock[winners];
    return ST_OK;
}

/* --- segments ------------------------------------------------------------------------------------------- */

static const struct row single[] = {            /* totals: 6000 more at F0, 3000 more at F1 */
    { 0, 0, "a0", 20000, 0, TRUE_VALUES },   { 0, 0, "a1", 17000, 512, TRUE_VALUES },
    { 0, 0, "a2", 9000, 0, LEFT_NAN },       { 0, 0, "a3", 9000, 0, OFF_BY_A_PERCENT },
    { 0, 0, "a4", 9000, 0, ONE_WRONG },      { 0, 1, "a5", 21000, 0, TRUE_VALUES },
    { 0, 1, "a6", 19000, 4096, TRUE_VALUES }, { 0, 1, "a7", 12000, 0, LEFT_NAN },
};                                              /* best: a6 with 22000, then a1 with 23000 */
static const struct row plain[] = {
    { 0, 0, "b0", 5000, 0, TRUE_VALUES },
    { 0, 0, "b1", 4000, 0, TRUE_VALUES },
    { 0, 0, "b2", 4500, 0, TRUE_VALUES },
};
static const struct row pair[] = {
    { 0, 0, "c0", 10000, 0, TRUE_VALUES }, { 1, 0, "c1", 10000, 0, TRUE_VALUES },
    { 0, 0, "c2", 9000, 0, TRUE_VALUES },  { 0, 1, "c3", 12000, 0, TRUE_VALUES },
    { 0, 1, "c4", 11000, 0, TRUE_VALUES }, { 1, 1, "c5", 11500, 0, TRUE_VALUES },
    { 1, 2, "c6", 13000, 0, TRUE_VALUES }, { 1, 2, "c7", 9800, 0, OFF_BY_A_PERCENT },
    { 1, 2, "c8", 10500, 0, TRUE_VALUES },
}; /* F0: 9000 + 10000 + 12000 = 31000; F1: 11000 + 11500 + 6000 = 28500; F2: 11000 + 10500 + 3000 = 24500 */

static void add_segment(struct world *w, const char *text, const struct row *rows, size_t count, int parts,
                        unsigned levels, int times, double predicted_ns)
{
    struct segment *s = &w->segments[w->count];
    *s = (struct segment){ .parts = parts, .same = w->count, .count = times };
    snprintf(s->text, sizeof s->text, "%s", text);
    w->rows[w->count] = rows;
    w->row_count[w->count] = (int)count;
    w->levels[w->count] = levels;
    w->predicted_ns[w->count++] = predicted_ns;
}

static struct world world_new(void)
{
    struct world w = { .rng = rng_seeded(11), .whole_ns = { 1000, 900 }, .build_cost_ns = 1000000 };
    add_segment(&w, "single", single, LEN(single), 1, 3, 4, 20000);
    add_segment(&w, "plain", plain, LEN(plain), 1, 1, 2, 5000);
    add_segment(&w, "pair", pair, LEN(pair), 2, 7, 8, 30000);
    return w;
}

static struct tune_request request_of(const struct world *w, enum tune_mode mode)
{
    return (struct tune_request){ .segments = w->segments, .levels = w->levels,
                                  .predicted_ns = w->predicted_ns, .segment_count = w->count, .batch = 4,
                                  .mode = mode, .budget_ns = UINT64_C(60000000000), .ways_most = 8,
                                  .limit = 4e-3, .seed = 5 };
}

static enum status try_tune(struct tune_result *out, struct world *w, const struct tune_request *r,
                            struct cache *cache, struct err *err)
{
    const struct tune_device device = { w, now, build, restore, serialise, values, sample, keep, whole };
    return tune_run(out, r, &device, cache, err);
}

static struct tune_result tune(struct world *w, const struct tune_request *r, struct cache *cache)
{
    struct err err = { .status = ST_OK };
    struct tune_result out;
    if (try_tune(&out, w, r, cache, &err) != ST_OK)
        fail_msg("%s", err.text);
    for (int i = 0; i < out.count; i++) /* what is answered is what runs */
        assert_memory_equal(&out.outcomes[i].choice, &w->kept[out.outcomes[i].segment],
                            sizeof(struct tune_choice));
    assert_int_equal(out.segments, out.cached + out.measured + out.heuristic);
    return out;
}

static struct tune_result tune_mode(struct world *w, enum tune_mode mode, struct cache *cache)
{
    const struct tune_request r = request_of(w, mode);
    return tune(w, &r, cache);
}

/* --- choosing ------------------------------------------------------------------------------------------- */

static void the_table_decides(void **state)
{
    (void)state;
    struct world w = world_new();
    struct tune_result r = tune_mode(&w, TUNE_AUTO, NULL);
    assert_int_equal(r.segments, 3);
    assert_int_equal(r.measured, 3);
    assert_string_equal(r.outcomes[0].name[0], "a6");
    assert_int_equal(r.outcomes[0].choice.level, TUNE_F1);
    assert_true(fabs(r.outcomes[0].median_ns - 22000) < 1e-6);
    assert_string_equal(r.outcomes[1].name[0], "b1");
    assert_string_equal(r.outcomes[2].name[0], "c4");
    assert_string_equal(r.outcomes[2].name[1], "c8");
    assert_int_equal(r.outcomes[2].choice.level, TUNE_F2);
    assert_true(fabs(r.outcomes[2].median_ns - 24500) < 1e-6);
    /* a2, a3, a4, a7 and c7 */
    assert_int_equal(r.rejected, 5);
    assert_int_equal(r.outcomes[0].rejected, 4);
    assert_string_equal(r.first_rejected, "single: a2");
    assert_int_equal(r.workspace, 4096);
    assert_true(r.whole_checked && r.winners_used);
    assert_int_equal(r.whole_pairs, 10);
    assert_int_equal(w.whole_called, 20);
    assert_true(r.build_ns == 4 * w.build_cost_ns); /* the dearest twice: once to learn what that takes */
    assert_int_equal(w.built[2], 2);
    assert_true(r.measure_ns > 0);
    tune_free(&r);
}

/* F0 wins where nothing else is there or the passes cost less than the sums. */
static void levels_only_where_they_pay(void **state)
{
    (void)state;
    static const struct row slow_sums[] = { { 0, 0, "d0", 10000, 0, TRUE_VALUES },
                                            { 0, 1, "d1", 14000, 0, TRUE_VALUES } };
    static const struct row no_sums_before[] = { { 0, 0, "e0", 10000, 0, TRUE_VALUES },
                                                 { 1, 0, "e1", 10000, 0, TRUE_VALUES },
                                                 { 1, 2, "e2", 1000, 0, TRUE_VALUES } };
    struct world w = { .rng = rng_seeded(1) };
    add_segment(&w, "slow sums", slow_sums, LEN(slow_sums), 1, 3, 1, 1);
    add_segment(&w, "no sums before", no_sums_before, LEN(no_sums_before), 2, 7, 1, 1);
    struct tune_result r = tune_mode(&w, TUNE_AUTO, NULL);
    assert_string_equal(r.outcomes[0].name[0], "d0");
    assert_string_equal(r.outcomes[1].name[1], "e1");     /* a prologue needs coefficients */
    assert_int_equal(r.rejected, 0);
    assert_false(r.whole_checked);                          /* all guesses: nothing to compare */
    assert_int_equal(w.whole_called, 0);
    tune_free(&r);
}

/* A norm of cuDNN's stands behind the best convolution of F0, whose sums are not there for a prologue; parts that do not
 * have it stay at what they have. The time decides, values are looked at. */
static const struct row normed[] = {
    { 0, 0, "g0", 10000, 0, TRUE_VALUES }, { 0, 0, "g1", 9000, 64, TRUE_VALUES },
    { 0, 3, "n0", 5000, 512, TRUE_VALUES }, { 0, 3, "n1", 2500, 256, TRUE_VALUES },
    { 0, 3, "n2", 1000, 0, OFF_BY_A_PERCENT }, { 0, 3, "n3", 1000, 0, FAILS },
}; /* F0: 9000 + 6000; F3: 9000 + 2500 */
static const struct row slow_norm[] = { { 0, 0, "h0", 10000, 0, TRUE_VALUES }, { 0, 3, "n4", 7000, 0, TRUE_VALUES } };
static const struct row mixed[] = {
    { 0, 0, "i0", 10000, 0, TRUE_VALUES }, { 0, 1, "i1", 11000, 0, TRUE_VALUES },
    { 0, 3, "n5", 1000, 0, TRUE_VALUES },  { 1, 0, "i2", 10000, 0, TRUE_VALUES },
    { 1, 1, "i3", 11000, 0, TRUE_VALUES }, { 1, 2, "i4", 13000, 0, TRUE_VALUES },
    { 2, 0, "i5", 10000, 0, TRUE_VALUES }, { 2, 2, "i6", 9000, 0, TRUE_VALUES },
}; /* F0: 3 x 16000; F1: 14000 + 14000 + 16000; F2: 14000 + 13000 + 9000; F3: 11000 + 14000, then 9000 behind i3's sums */

static struct world world_with_norms(void)
{
    struct world w = { .rng = rng_seeded(3), .whole_ns = { 1000, 900 }, .build_cost_ns = 1000000 };
    add_segment(&w, "normed", normed, LEN(normed), 1, 1 | 8, 1, 1);
    add_segment(&w, "slow norm", slow_norm, LEN(slow_norm), 1, 1 | 8, 1, 1);
    add_segment(&w, "mixed", mixed, LEN(mixed), 3, 15, 1, 1);
    return w;
}

static void norms_are_chosen_by_their_time(void **state)
{
    (void)state;
    struct world w = world_with_norms();
    struct tune_result r = tune_mode(&w, TUNE_AUTO, NULL);
    const struct tune_outcome *o = r.outcomes;
    assert_string_equal(o[0].name[0], "g1");
    assert_string_equal(o[0].norm[0], "n1");
    assert_int_equal(o[0].choice.level, TUNE_F3);
    assert_true(fabs(o[0].median_ns - 11500) < 1e-6);
    assert_int_equal(o[0].workspace, 256);
    assert_int_equal(o[0].rejected, 1);         /* n2; n3 does not run */
    assert_string_equal(r.first_rejected, "normed: n2");
    assert_string_equal(o[1].norm[0], "");
    assert_int_equal(o[1].choice.level, TUNE_F0);
    assert_string_equal(o[2].name[0], "i0");
    assert_string_equal(o[2].norm[0], "n5");
    assert_string_equal(o[2].name[1], "i3");    /* not i4: no coefficients come from n5 */
    assert_string_equal(o[2].norm[1], "");
    assert_string_equal(o[2].name[2], "i6");
    tune_free(&r);
    /* off: the first guess */
    struct world off = world_with_norms();
    r = tune_mode(&off, TUNE_OFF, NULL);
    for (int i = 0; i < r.count; i++)
        assert_true(r.outcomes[i].choice.level == TUNE_F0 && !r.outcomes[i].norm[0][0] && off.asked[i] == 1);
    tune_free(&r);
}

/* With 1 % of noise nothing is chosen that is over 3 % slower than the best. */
static void noise_costs_little(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct world w = world_new();
        w.rng = rng_seeded(seed);
        w.noise = 0.01;
        struct tune_result r = tune_mode(&w, TUNE_FRESH, NULL);
        static const double best_ns[] = { 22000, 10000, 24500 };
        for (int i = 0; i < 3; i++)
            assert_true(time_of(&w, i, &r.outcomes[i].choice) <= 1.05 * best_ns[i]);
        tune_free(&r);
    }
}

static void a_guess_that_fails_gives_way(void **state)
{
    (void)state;
    static const struct row rows[] = { { 0, 0, "f0", 1000, 0, FAILS }, { 0, 0, "f1", 9000, 0, TRUE_VALUES },
                                       { 0, 0, "f2", 8000, 0, TRUE_VALUES } };
    struct world w = { .rng = rng_seeded(1), .whole_ns = { 2, 1 } };
    add_segment(&w, "first fails", rows, LEN(rows), 1, 1, 1, 1);
    struct tune_result r = tune_mode(&w, TUNE_AUTO, NULL);
    assert_string_equal(r.outcomes[0].name[0], "f2");
    tune_free(&r);
    /* and where it is the only one, its reason is the run's */
    struct err err = { .status = ST_OK };
    w.row_count[0] = 1;
    const struct tune_request request = request_of(&w, TUNE_AUTO);
    assert_int_equal(try_tune(&r, &w, &request, NULL, &err), ST_UNSUPPORTED);
    assert_non_null(strstr(err.text, "first fails"));
    assert_non_null(strstr(err.text, "does not run"));
}

/* --- results -------------------------------------------------------------------------------------------- */

static const struct { float want[4], got[4]; double limit; bool agree; } agreements[] = {
    { { 1, 2, 3, 4 }, { 1, 2, 3, 4 }, 1e-6, true },
    { { 1, 2, 3, 4 }, { 1.001f, 2, 3, 4 }, 1e-3, true },            /* 1e-3 of sqrt(30) */
    { { 1, 2, 3, 4 }, { 1.01f, 2, 3, 4 }, 1e-3, false },            /* 1.8e-3 */
    { { 1, 2, 3, 4 }, { 1, 2, 3, NAN }, 1, false },                 /* left as it was poisoned */
    { { 1, 2, 3, 4 }, { 1, 2, INFINITY, 4 }, 1, false },
    { { 1, 2, 3, INFINITY }, { 1, 2, 3, INFINITY }, 1e-6, true },
    { { 1, 2, 3, INFINITY }, { 1, 2, 3, 4 }, 1, false },
    { { 0, 0, 0, 0 }, { 0, 0, 0, 0 }, 1e-6, true },
    { { 0, 0, 0, 0 }, { 0, 1e-9f, 0, 0 }, 1e-6, false },
    { { 1, 2, 3, 4 }, { 0, 0, 0, 0 }, 0.9, false },
    { { 1, 2, 3, 4 }, { -1, -2, -3, -4 }, 1, false },
};
static size_t agreements_missed(bool (*agree)(const float *, const float *, size_t, double))
{
    size_t missed = 0;
    for (size_t i = 0; i < LEN(agreements); i++)
        missed += agree(agreements[i].want, agreements[i].got, 4, agreements[i].limit) != agreements[i].agree;
    return missed;
}
static bool nan_is_small(const float *want, const float *got, size_t count, double limit) /* the wrong twin */
{
    double worst = 0, largest = 0;
    for (size_t i = 0; i < count; i++) {
        if (fabs((double)got[i] - want[i]) > worst) /* never true for NaN */
            worst = fabs((double)got[i] - want[i]);
        largest = fmax(largest, fabs((double)want[i]));
    }
    return worst <= limit * largest;
}
static void results_agree_or_not(void **state)
{
    (void)state;
    assert_int_equal(agreements_missed(tune_agree), 0);
    assert_true(agreements_missed(nan_is_small) > 0);
    assert_false(tune_agree(NULL, NULL, 0, 1));
    /* one value of many: far below the limit of the mean, but alone 10 % wrong */
    static float want[100000], got[100000];
    for (size_t i = 0; i < LEN(want); i++)
        want[i] = got[i] = cosf((float)i);
    got[4711] += 0.1f;
    assert_false(tune_agree(want, got, LEN(want), 4e-3));
    got[4711] = want[4711] + 0.05f;
    assert_true(tune_agree(want, got, LEN(want), 4e-3));
}

/* --- budget and modes ----------------------------------------------------------------------------------- */

/* pair is worth 8 x 30000, single 4 x 20000, plain 2 x 5000: that order. A sample is 1 ms: pair takes 2 x 24
 * in races of its parts (3 % apart, so twelve rounds) and 18 in the last one (four lanes, one drops after 3
 * rounds, two after 5), with building and checking 68 ms; single as much again. */
static void the_budget_goes_to_the_dearest(void **state)
{
    (void)state;
    static const struct { uint64_t ms; int measured; } rows[] = {
        { 0, 0 }, { 20, 0 }, { 80, 1 }, { 60000, 3 } };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct world w = world_new();
        struct tune_request request = request_of(&w, TUNE_AUTO);
        request.budget_ns = rows[i].ms * 1000000;
        struct tune_result r = tune(&w, &request, NULL);
        assert_int_equal(r.measured, rows[i].measured);
        assert_int_equal(r.heuristic, 3 - rows[i].measured);
        if (rows[i].measured == 1) {
            assert_int_equal(r.outcomes[2].source, TUNE_MEASURED);
            assert_string_equal(r.outcomes[0].name[0], "a0");
            assert_string_equal(r.outcomes[1].name[0], "b0");
        }
        /* never more than one round beyond the budget, the final check and the guesses' plans left out */
        assert_true(w.now_ns <= request.budget_ns + 30000000 || rows[i].measured == 3);
        tune_free(&r);
    }
}

/* Where libraries compile, one way takes seconds: fewer are built then. With 2 s each and 40 s in all: the
 * probe of the dearest segment has 5 ways (10 s); 30 s are left for its 6 lists, so two each, 8 ways (26 s);
 * 14 s for the 2 lists of `single`, three each, 6 ways (38 s); the last one gets its guess (40 s). With 20 s
 * the probe is all that the first gets, then 4 ways and a guess. */
static void building_is_paid_from_the_budget(void **state)
{
    (void)state;
    static const struct { uint64_t way_ms, budget_ms, built_ms; int measured; } rows[] = {
        { 0, 60000, 4, 3 },          /* a millisecond for each of four calls */
        { 100, 60000, 2504, 3 },     /* 5 + 9 + 8 + 3 ways */
        { 2000, 60000, 50004, 3 },   /* the same */
        { 2000, 40000, 40004, 2 },
        { 2000, 20000, 20003, 2 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct world w = world_new();
        struct tune_request request = request_of(&w, TUNE_AUTO);
        w.way_cost_ns = rows[i].way_ms * 1000000;
        request.budget_ns = rows[i].budget_ms * 1000000;
        struct tune_result r = tune(&w, &request, NULL);
        assert_int_equal(r.measured, rows[i].measured);
        assert_int_equal(r.build_ns / 1000000, rows[i].built_ms);
        assert_true(w.now_ns <= request.budget_ns + UINT64_C(5000000000));
        tune_free(&r);
    }
}

/* What the libraries compile is not known beforehand: the ways of the dearest segment cost nothing, those of `single` two
 * seconds each. 10 s are used up after five of its eight; then `plain` gets its guess. Nothing is begun later. A device
 * that builds all it was asked for overshoots by the rest. */
static void no_plan_is_begun_too_late(void **state)
{
    (void)state;
    for (int twin = 0; twin < 2; twin++) {
        struct world w = world_new();
        struct tune_request request = request_of(&w, TUNE_AUTO);
        w.more_cost_ns[0] = w.more_cost_ns[1] = UINT64_C(2000000000);
        w.never_late = twin;
        request.budget_ns = UINT64_C(10000000000);
        struct tune_result r = tune(&w, &request, NULL);
        assert_int_equal(r.outcomes[2].source, TUNE_MEASURED);
        uint64_t most_ns = request.budget_ns + 2 * UINT64_C(2000000000); /* one begun in time, one guess */
        assert_int_equal(w.now_ns > most_ns, twin);
        tune_free(&r);
    }
}

/* 20 passes of the final check at a second each: all of them where there is time, four where there is none. */
static void the_final_check_ends_in_time(void **state)
{
    (void)state;
    static const struct { uint64_t budget_ms; int pairs; } rows[] = { { 60000, 10 }, { 150, 2 } };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct world w = world_new();
        struct tune_request request = request_of(&w, TUNE_AUTO);
        w.whole_cost_ns = 1000000000;
        request.budget_ns = rows[i].budget_ms * 1000000;
        struct tune_result r = tune(&w, &request, NULL);
        assert_true(r.whole_checked);
        assert_int_equal(r.whole_pairs, rows[i].pairs);
        assert_true(w.now_ns <= request.budget_ns + UINT64_C(5000000000));
        tune_free(&r);
    }
}

static void off_takes_the_first_guess(void **state)
{
    (void)state;
    struct world w = world_new();
    struct tune_result r = tune_mode(&w, TUNE_OFF, NULL);
    static const char *const first[] = { "a0", "b0", "c0" };
    for (int i = 0; i < 3; i++) {
        assert_string_equal(r.outcomes[i].name[0], first[i]);
        assert_int_equal(r.outcomes[i].choice.level, TUNE_F0);
        assert_int_equal(w.asked[i], 1);
    }
    assert_int_equal(w.most, 1);
    assert_int_equal(w.sampled + w.valued + w.whole_called, 0);
    assert_int_equal(r.heuristic, 3);
    tune_free(&r);
}

static void modes_have_names(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    enum tune_mode mode;
    static const struct { const char *text; enum tune_mode mode; } rows[] = {
        { "auto", TUNE_AUTO }, { "cache", TUNE_CACHE }, { "fresh", TUNE_FRESH }, { "off", TUNE_OFF } };
    for (size_t i = 0; i < LEN(rows); i++) {
        assert_int_equal(tune_mode_of(&mode, rows[i].text, &err), ST_OK);
        assert_int_equal(mode, rows[i].mode);
    }
    assert_int_equal(tune_mode_of(&mode, "on", &err), ST_INVALID);
    assert_non_null(strstr(err.text, "auto, cache, fresh or off"));
}

/* --- block shapes --------------------------------------------------------------------------------------- */

#define STATS_AND_APPLY (1u << GPU_SHAPED_STATS | 1u << GPU_SHAPED_APPLY)

/* `plain` (F0) is faster with small statistics and long applies; `single` (F1, no statistics of ours) would be with
 * small ones that it does not run; `pair` has no kernel of ours in this table. */
static struct world shaped_world(void)
{
    struct world w = world_new();
    w.segments[0].shaped = w.segments[1].shaped = STATS_AND_APPLY;
    for (int i = 0; i < 2; i++) {
        w.shape_ns[i][GPU_SHAPED_STATS][GPU_SHAPE_SMALL] = -1000;
        w.shape_ns[i][GPU_SHAPED_STATS][GPU_SHAPE_SHORT] = 500;
        w.shape_ns[i][GPU_SHAPED_APPLY][GPU_SHAPE_LONG] = -900;
    }
    return w;
}

static void faster_shapes_are_chosen(void **state)
{
    (void)state;
    struct world w = shaped_world(), even = world_new();
    struct tune_result r = tune_mode(&w, TUNE_FRESH, NULL), before = tune_mode(&even, TUNE_FRESH, NULL);
    const struct gpu_shapes *plain_shapes = &r.outcomes[1].choice.shapes, *single_shapes = &r.outcomes[0].choice.shapes;
    assert_string_equal(r.outcomes[1].name[0], "b1");
    assert_int_equal(plain_shapes->of[GPU_SHAPED_STATS], GPU_SHAPE_SMALL);
    assert_int_equal(plain_shapes->of[GPU_SHAPED_APPLY], GPU_SHAPE_LONG);
    assert_true(fabs(r.outcomes[1].median_ns - 8100) < 1e-6);
    assert_int_equal(single_shapes->of[GPU_SHAPED_STATS], GPU_SHAPE_EVEN);
    assert_int_equal(single_shapes->of[GPU_SHAPED_APPLY], GPU_SHAPE_LONG);
    for (int i = 0; i < GPU_SHAPED_KERNELS; i++)
        assert_int_equal(r.outcomes[2].choice.shapes.of[i], GPU_SHAPE_EVEN);
    assert_true(strcmp(r.plan_hash, before.plan_hash) != 0);
    assert_int_equal(r.rejected, before.rejected);
    tune_free(&r);
    tune_free(&before);
}

/* A lead of 1 % is a tie, and a tie is the default's: the hash is that of a run without shapes. */
static void a_tie_is_the_defaults(void **state)
{
    (void)state;
    struct world w = world_new(), even = world_new();
    w.segments[1].shaped = STATS_AND_APPLY;
    for (int shape = 1; shape < GPU_SHAPES; shape++)
        w.shape_ns[1][GPU_SHAPED_STATS][shape] = w.shape_ns[1][GPU_SHAPED_APPLY][shape] = -100;
    struct tune_result r = tune_mode(&w, TUNE_FRESH, NULL), before = tune_mode(&even, TUNE_FRESH, NULL);
    assert_true(w.sampled > even.sampled);
    assert_string_equal(r.plan_hash, before.plan_hash);
    tune_free(&r);
    tune_free(&before);
}

static void a_wrong_shape_is_rejected(void **state)
{
    (void)state;
    struct world w = { .rng = rng_seeded(3), .whole_ns = { 2, 1 } };
    add_segment(&w, "plain", plain, LEN(plain), 1, 1, 2, 5000);
    w.segments[0].shaped = STATS_AND_APPLY;
    w.shape_ns[0][GPU_SHAPED_APPLY][GPU_SHAPE_SMALL] = -4000;
    w.shape_ns[0][GPU_SHAPED_APPLY][GPU_SHAPE_SHORT] = -1000;
    w.shape_lies[0][GPU_SHAPED_APPLY][GPU_SHAPE_SMALL] = true;
    struct tune_result r = tune_mode(&w, TUNE_FRESH, NULL);
    assert_int_equal(r.outcomes[0].choice.shapes.of[GPU_SHAPED_APPLY], GPU_SHAPE_SHORT);
    assert_int_equal(r.rejected, 1);
    assert_string_equal(r.first_rejected, "plain: apply small");
    tune_free(&r);
}

/* A step by itself has no way to choose, only the shape of its kernel. */
static void a_lone_step_has_its_shape_tuned(void **state)
{
    (void)state;
    char dir[] = "/tmp/tune_test_XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct cache *c = cache_open(dir, &(struct cache_device){ "Test GPU", 90, 91900, 13000 },
                                 &(struct cache_build){ 130100, "build" });
    static const enum tune_source sources[] = { TUNE_MEASURED, TUNE_CACHED };
    for (int life = 0; life < 2; life++) {
        struct world w = { .rng = rng_seeded(3), .whole_ns = { 2, 1 } };
        add_segment(&w, "survey", NULL, 0, 0, 1, 2, 5000);
        w.segments[0].shaped = 1u << GPU_SHAPED_SURVEY;
        w.shape_ns[0][GPU_SHAPED_SURVEY][GPU_SHAPE_LONG] = -1000;
        struct tune_result r = tune_mode(&w, TUNE_AUTO, c);
        assert_int_equal(r.outcomes[0].source, sources[life]);
        assert_int_equal(r.outcomes[0].choice.shapes.of[GPU_SHAPED_SURVEY], GPU_SHAPE_LONG);
        assert_true(fabs(r.outcomes[0].median_ns - 2000) < 1e-6);
        tune_free(&r);
    }
    cache_close(c);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

/* Whenever time is up, no sample of a shape is taken any more. */
static void shapes_are_paid_from_the_budget(void **state)
{
    (void)state;
    int chosen = 0, enough = 0;
    for (uint64_t ms = 0; ms < 400; ms += 5) {
        struct world w = shaped_world();
        struct tune_request request = request_of(&w, TUNE_FRESH);
        request.budget_ns = ms * 1000000;
        w.whole_cost_ns = 0;
        struct tune_result r = tune(&w, &request, NULL);
        /* one sample or check begun in time, then the guesses of the other segments are built */
        assert_true(w.now_ns <= request.budget_ns + 5000000);
        chosen += r.outcomes[1].choice.shapes.of[GPU_SHAPED_STATS] == GPU_SHAPE_SMALL;
        enough += r.outcomes[1].source == TUNE_MEASURED;
        tune_free(&r);
    }
    assert_true(chosen > 0 && chosen < enough);
}

static void shapes_are_taken_back_with_the_rest(void **state)
{
    (void)state;
    struct world w = shaped_world(), off = shaped_world();
    w.whole_ns[1] = 2000;
    struct tune_result r = tune_mode(&w, TUNE_FRESH, NULL), guesses = tune_mode(&off, TUNE_OFF, NULL);
    assert_false(r.winners_used);
    assert_string_equal(r.plan_hash, guesses.plan_hash);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < GPU_SHAPED_KERNELS; k++)
            assert_int_equal(r.outcomes[i].choice.shapes.of[k] + guesses.outcomes[i].choice.shapes.of[k], 0);
    tune_free(&r);
    tune_free(&guesses);
}

/* --- the whole pass ------------------------------------------------------------------------------------- */

static void not_faster_is_not_used(void **state)
{
    (void)state;
    static const struct { double guess, winners; bool used; } rows[] = {
        { 1000, 990, true }, { 1000, 1000, false }, { 1000, 1010, false } };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct world w = world_new();
        w.whole_ns[0] = rows[i].guess;
        w.whole_ns[1] = rows[i].winners;
        struct tune_result r = tune_mode(&w, TUNE_AUTO, NULL);
        assert_true(r.whole_checked);
        assert_int_equal(r.winners_used, rows[i].used);
        assert_string_equal(r.outcomes[0].name[0], rows[i].used ? "a6" : "a0");
        assert_string_equal(r.outcomes[2].name[1], rows[i].used ? "c8" : "c1");
        assert_int_equal(w.keeps[0], rows[i].used ? 1 : 2);
        tune_free(&r);
    }
}

static void what_fails_as_a_whole_is_not_used(void **state)
{
    (void)state;
    struct world w = world_new();
    w.whole_status = ST_INTERNAL;
    struct tune_result r = tune_mode(&w, TUNE_AUTO, NULL);
    assert_false(r.winners_used || r.whole_checked);
    assert_string_equal(r.outcomes[0].name[0], "a0");
    assert_string_equal(r.outcomes[2].name[0], "c0");
    tune_free(&r);
}

static void pairs_at_different_clocks_do_not_count(void **state)
{
    (void)state;
    static const struct { double guess_mhz, winners_mhz; int pairs; } rows[] = {
        { 1980, 1980, 10 }, { 1980, 1945, 10 }, { 1980, 1930, 0 }, { 0, 1980, 10 } };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct world w = world_new();
        w.whole_clock[0] = rows[i].guess_mhz;
        w.whole_clock[1] = rows[i].winners_mhz;
        w.whole_ns[1] = 2000;
        struct tune_result r = tune_mode(&w, TUNE_AUTO, NULL);
        assert_int_equal(r.whole_pairs, rows[i].pairs);
        assert_int_equal(r.whole_checked, rows[i].pairs > 0);
        assert_int_equal(r.winners_used, rows[i].pairs == 0); /* undecided: the segments' own medians stand */
        tune_free(&r);
    }
}

/* --- the cache ------------------------------------------------------------------------------------------ */

static void remove_folder(const char *dir)
{
    DIR *d = opendir(dir);
    char path[600];
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

static struct cache *open_cache(const char *dir)
{
    const struct cache_device device = { "Test GPU", 90, 91900, 13000 };
    const struct cache_build kernels = { 130100, "build" };
    struct cache *c = cache_open(dir, &device, &kernels);
    assert_non_null(c);
    assert_string_equal(cache_warning(c), "");
    return c;
}

static struct tune_result tune_with(struct world *w, const char *dir, enum tune_mode mode)
{
    struct cache *c = open_cache(dir);
    struct tune_result r = tune_mode(w, mode, c);
    assert_string_equal(cache_warning(c), "");
    cache_close(c);
    return r;
}

static void what_was_found_is_found_again(void **state)
{
    (void)state;
    char dir[] = "/tmp/tune_test_XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct world cold = world_new(), warm = world_new(), other = world_new(), fresh = world_new();
    struct tune_result a = tune_with(&cold, dir, TUNE_AUTO), b = tune_with(&warm, dir, TUNE_AUTO);
    assert_int_equal(a.measured, 3);
    assert_int_equal(b.cached, 3);
    assert_string_equal(a.plan_hash, b.plan_hash);
    assert_int_equal(warm.sampled + warm.valued + warm.whole_called + warm.built[0], 0);
    assert_int_equal(warm.restored, 4);         /* parts: 1 + 1 + 2 */
    assert_string_equal(b.outcomes[2].name[0], "c4");
    assert_string_equal(b.outcomes[2].name[1], "c8");
    assert_int_equal(b.outcomes[2].choice.level, TUNE_F2);
    assert_true(fabs(b.outcomes[0].median_ns - 22000) < 1e-6);
    /* another batch size is another entry, the mode `fresh` does not look */
    struct cache *c = open_cache(dir);
    struct tune_request request = request_of(&other, TUNE_CACHE);
    request.batch = 8;
    struct tune_result d = tune(&other, &request, c), e = tune_mode(&fresh, TUNE_FRESH, c);
    assert_int_equal(d.heuristic, 3);
    assert_int_equal(other.sampled, 0);
    assert_true(strcmp(d.plan_hash, a.plan_hash) != 0);
    assert_int_equal(e.measured, 3);
    cache_close(c);
    tune_free(&a);
    tune_free(&b);
    tune_free(&d);
    tune_free(&e);
    remove_folder(dir);
}

static void shapes_are_found_again(void **state)
{
    (void)state;
    char dir[] = "/tmp/tune_test_XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct world cold = shaped_world(), warm = shaped_world();
    struct tune_result a = tune_with(&cold, dir, TUNE_AUTO), b = tune_with(&warm, dir, TUNE_CACHE);
    assert_int_equal(b.cached, 3);
    assert_int_equal(b.outcomes[1].choice.shapes.of[GPU_SHAPED_STATS], GPU_SHAPE_SMALL);
    assert_string_equal(a.plan_hash, b.plan_hash);
    for (int i = 0; i < 3; i++)
        assert_memory_equal(&a.outcomes[i].choice.shapes, &b.outcomes[i].choice.shapes, sizeof(struct gpu_shapes));
    tune_free(&a);
    tune_free(&b);
    remove_folder(dir);
}

/* A plan that does not load, or asks for another workspace, is tuned anew in `auto` and a guess in
 * `cache`. */
static void a_plan_that_does_not_load_is_a_miss(void **state)
{
    (void)state;
    static const struct { enum status st; size_t change; enum tune_mode mode; int measured; } rows[] = {
        { ST_UNSUPPORTED, 0, TUNE_AUTO, 3 }, { ST_OK, 16, TUNE_AUTO, 3 },
        { ST_UNSUPPORTED, 0, TUNE_CACHE, 0 } };
    for (size_t i = 0; i < LEN(rows); i++) {
        char dir[] = "/tmp/tune_test_XXXXXX";
        assert_non_null(mkdtemp(dir));
        struct world cold = world_new(), warm = world_new();
        struct tune_result a = tune_with(&cold, dir, TUNE_AUTO);
        warm.restore_status = rows[i].st;
        warm.workspace_change = rows[i].change;
        struct tune_result b = tune_with(&warm, dir, rows[i].mode);
        assert_int_equal(b.cached, 0);
        assert_int_equal(b.measured, rows[i].measured);
        assert_int_equal(b.heuristic, 3 - rows[i].measured);
        if (rows[i].measured)
            assert_string_equal(a.plan_hash, b.plan_hash);
        tune_free(&a);
        tune_free(&b);
        remove_folder(dir);
    }
}

/* Choices that cannot stand: a norm behind a convolution with sums, a prologue behind a norm, a norm for a convolution. */
static void what_cannot_stand_is_a_miss(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 4; wrong++) {
        char dir[] = "/tmp/tune_test_XXXXXX";
        assert_non_null(mkdtemp(dir));
        struct world cold = world_with_norms(), warm = world_with_norms();
        struct tune_result a = tune_with(&cold, dir, TUNE_AUTO);
        struct cache *c = open_cache(dir);
        struct cache_entry e = *cache_find(c, "mixed", 4);
        assert_true(e.winner.part[0].level == TUNE_F0 && e.winner.norm[0].level == TUNE_F3);
        if (wrong == 1)
            e.winner.part[0].level = TUNE_F1;
        if (wrong == 2)
            e.winner.part[1].level = TUNE_F2;
        if (wrong == 3)
            e.winner.part[2] = e.winner.norm[0];
        assert_true(cache_add(c, &e));
        struct tune_result b = tune_mode(&warm, TUNE_CACHE, c);
        cache_close(c);
        assert_int_equal(b.cached, wrong ? 2 : 3);
        if (!wrong) {
            assert_string_equal(a.plan_hash, b.plan_hash);
            assert_string_equal(b.outcomes[0].norm[0], "n1");
            assert_string_equal(b.outcomes[2].norm[0], "n5");
            assert_int_equal(warm.restored, 2 + 1 + 4);
        }
        tune_free(&a);
        tune_free(&b);
        remove_folder(dir);
    }
}

/* A level that is no longer offered is no hit. */
static void levels_not_allowed_are_a_miss(void **state)
{
    (void)state;
    char dir[] = "/tmp/tune_test_XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct world cold = world_new(), warm = world_new();
    struct tune_result a = tune_with(&cold, dir, TUNE_AUTO);
    warm.levels[2] = 3;
    struct tune_result b = tune_with(&warm, dir, TUNE_AUTO);
    assert_int_equal(b.cached, 2);
    assert_int_equal(b.outcomes[2].choice.level, TUNE_F1);
    assert_string_equal(b.outcomes[2].name[1], "c5");
    tune_free(&a);
    tune_free(&b);
    remove_folder(dir);
}

static void what_was_taken_back_stays_taken_back(void **state)
{
    (void)state;
    char dir[] = "/tmp/tune_test_XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct world cold = world_new(), warm = world_new();
    cold.whole_ns[1] = 2000;
    struct tune_result a = tune_with(&cold, dir, TUNE_AUTO), b = tune_with(&warm, dir, TUNE_AUTO);
    assert_false(a.winners_used);
    assert_int_equal(b.cached, 3);
    assert_string_equal(b.outcomes[0].name[0], "a0");
    assert_string_equal(a.plan_hash, b.plan_hash);
    tune_free(&a);
    tune_free(&b);
    remove_folder(dir);
}

/* --- failures ------------------------------------------------------------------------------------------- */

static void fatal_statuses_end_the_run(void **state)
{
    (void)state;
    static const enum status rows[] = { ST_DEVICE_LOST, ST_OUT_OF_MEMORY, ST_INTERRUPTED };
    for (size_t i = 0; i < LEN(rows); i++)
        for (int at = 0; at < 60; at += 7) {
            char dir[] = "/tmp/tune_test_XXXXXX";
            assert_non_null(mkdtemp(dir));
            struct world w = world_new();
            struct cache *c = open_cache(dir);
            struct err err = { .status = ST_OK };
            struct tune_result r;
            const struct tune_request request = request_of(&w, TUNE_AUTO);
            w.fatal = rows[i];
            w.fatal_at = at;
            assert_int_equal(try_tune(&r, &w, &request, c, &err), rows[i]);
            assert_null(r.outcomes);
            assert_non_null(strstr(err.text, "as the script says"));
            assert_int_not_equal(access(cache_path(c), F_OK), 0); /* no whole pass confirmed it: not kept */
            cache_close(c);
            remove_folder(dir);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_decides),
        cmocka_unit_test(levels_only_where_they_pay),
        cmocka_unit_test(norms_are_chosen_by_their_time),
        cmocka_unit_test(noise_costs_little),
        cmocka_unit_test(a_guess_that_fails_gives_way),
        cmocka_unit_test(results_agree_or_not),
        cmocka_unit_test(the_budget_goes_to_the_dearest),
        cmocka_unit_test(building_is_paid_from_the_budget),
        cmocka_unit_test(no_plan_is_begun_too_late),
        cmocka_unit_test(the_final_check_ends_in_time),
        cmocka_unit_test(off_takes_the_first_guess),
        cmocka_unit_test(modes_have_names),
        cmocka_unit_test(faster_shapes_are_chosen),
        cmocka_unit_test(a_tie_is_the_defaults),
        cmocka_unit_test(a_wrong_shape_is_rejected),
        cmocka_unit_test(a_lone_step_has_its_shape_tuned),
        cmocka_unit_test(shapes_are_paid_from_the_budget),
        cmocka_unit_test(shapes_are_taken_back_with_the_rest),
        cmocka_unit_test(shapes_are_found_again),
        cmocka_unit_test(not_faster_is_not_used),
        cmocka_unit_test(what_fails_as_a_whole_is_not_used),
        cmocka_unit_test(pairs_at_different_clocks_do_not_count),
        cmocka_unit_test(what_was_found_is_found_again),
        cmocka_unit_test(a_plan_that_does_not_load_is_a_miss),
        cmocka_unit_test(what_cannot_stand_is_a_miss),
        cmocka_unit_test(levels_not_allowed_are_a_miss),
        cmocka_unit_test(what_was_taken_back_stays_taken_back),
        cmocka_unit_test(fatal_statuses_end_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
