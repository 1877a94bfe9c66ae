#include "kernels/cuda/tune/tune_segment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/rng.h"
#include "kernels/cuda/tune/tune_race.h"

bool tune_time_left(const struct tune_run_state *run)
{
    return run->device->now_ns(run->device->context) - run->start_ns < run->request->budget_ns;
}

int tune_affordable(const struct tune_run_state *run, const struct tune_work *w, unsigned levels)
{
    uint64_t spent_ns = run->device->now_ns(run->device->context) - run->start_ns;
    int lists = 0, most = run->request->ways_most;
    if (spent_ns >= run->request->budget_ns)
        return 0;
    for (int level = TUNE_F0; level < TUNE_LEVELS; level++)
        if (levels >> level & 1u)
            lists += run->request->segments[w->segment].parts;
    double each_ns = run->way_ns * lists, left_ns = (double)(run->request->budget_ns - spent_ns);
    return each_ns * most <= left_ns ? most : (int)(left_ns / each_ns);
}

struct tune_choice tune_no_choice(void)
{
    struct tune_choice none = { .level = TUNE_F0 };
    for (int i = 0; i < SEGMENT_SLOTS; i++)
        none.way[i] = none.norm[i] = -1;
    return none;
}

bool tune_same_choice(const struct tune_choice *a, const struct tune_choice *b)
{
    return memcmp(a->way, b->way, sizeof a->way) == 0 && memcmp(a->norm, b->norm, sizeof a->norm) == 0 &&
           memcmp(&a->shapes, &b->shapes, sizeof a->shapes) == 0;
}

static int parts_of(const struct tune_run_state *run, const struct tune_work *w)
{
    return run->request->segments[w->segment].parts;
}

/* --- which ways a level has ----------------------------------------------------------------------------- */

static int first_good(const struct tune_work *w, int slot, int level)
{
    for (int i = 0; i < w->ways.count; i++)
        if (w->ways.way[i].slot == slot && (int)w->ways.way[i].level == level && w->state[i] == WAY_GOOD)
            return i;
    return -1;
}

static int form_of(const struct tune_work *w, int slot, int level);

/* The prologue needs what sums of the part before have given; a norm of cuDNN's leaves none. */
static bool leaves_sums(const struct tune_work *w, int slot, int level)
{
    int form = slot >= 0 ? form_of(w, slot, level) : TUNE_F0;
    return form == TUNE_F1 || form == TUNE_F2;
}

/* What a part does when its segment is at `level`: the highest form up to there that has a way. */
static int form_of(const struct tune_work *w, int slot, int level)
{
    for (int form = level; form > TUNE_F0; form--)
        if (first_good(w, slot, form) >= 0 && (form != TUNE_F2 || leaves_sums(w, slot - 1, level)))
            return form;
    return TUNE_F0;
}

static void set_level(struct tune_choice *c, const struct tune_work *w)
{
    c->level = TUNE_F0;
    for (int i = 0; i < SEGMENT_SLOTS; i++) {
        if (c->way[i] >= 0 && (int)w->ways.way[c->way[i]].level > c->level)
            c->level = (int)w->ways.way[c->way[i]].level;
        if (c->norm[i] >= 0)
            c->level = TUNE_F3;
    }
}

/* Where a way of this form stands in a choice. */
static int *place_of(struct tune_choice *c, int slot, int form)
{
    return form == TUNE_F3 ? &c->norm[slot] : &c->way[slot];
}

/* --- building ------------------------------------------------------------------------------------------- */

enum status tune_build(struct tune_run_state *run, struct tune_work *w, unsigned levels, int most,
                       struct err *err)
{
    const struct tune_device *d = run->device;
    uint64_t start_ns = d->now_ns(d->context);
    w->ways.count = 0;
    enum status st = d->build(d->context, w->segment, levels, most, run->start_ns + run->request->budget_ns,
                               &w->ways, err);
    uint64_t took_ns = d->now_ns(d->context) - start_ns;
    run->build_ns += took_ns;
    if (st != ST_OK)
        return st;
    if (w->ways.count > 0)
        run->way_ns = fmax(run->way_ns, (double)took_ns / w->ways.count);
    memset(w->state, 0, sizeof w->state);
    w->guess = (struct tune_timed){ .choice = tune_no_choice(), .there = true };
    for (int slot = 0; slot < parts_of(run, w); slot++) {
        w->guess.choice.way[slot] = first_good(w, slot, TUNE_F0);
        if (w->guess.choice.way[slot] < 0)
            return err_set(err, ST_UNSUPPORTED, "no library computes %s",
                           run->request->segments[w->segment].text);
    }
    w->winner = w->guess;
    return ST_OK;
}

/* --- checking ------------------------------------------------------------------------------------------- */

bool tune_agree(const float *want, const float *got, size_t count, double limit)
{
    double difference = 0, size = 0, largest = 0, worst = 0;
    for (size_t i = 0; i < count; i++) {
        double apart = fabs((double)got[i] - want[i]);
        if (!isfinite(want[i]) ? isfinite(got[i]) : !isfinite(got[i]))
            return false;
        if (!isfinite(want[i]))
            continue;
        difference += apart * apart;
        size += (double)want[i] * want[i];
        largest = fmax(largest, fabs((double)want[i]));
        worst = fmax(worst, apart);
    }
    return count > 0 && sqrt(difference) <= limit * sqrt(size) && worst <= 16 * limit * largest;
}

double tune_limit(int math)
{
    /* about eight roundings of the storage: sums in another order, a prologue's coefficients rounded again */
    static const double limits[] = { [GPU_F32] = 5e-5, [GPU_TF32] = 4e-3, [GPU_F16] = 4e-3,
                                     [GPU_BF16] = 3e-2 };
    return limits[math];
}

static enum status values_of(struct tune_run_state *run, const struct tune_work *w,
                             const struct tune_choice *c, float *values, size_t *count, struct err *err)
{
    *count = 0;
    return run->device->values(run->device->context, w->segment, c, values, TUNE_VALUES_MAX, count, err);
}

/* The guess's result is what the others are held against. One that cannot run gives way to the next of its
 * part. */
static enum status reference(struct tune_run_state *run, struct tune_work *w, size_t *count, struct err *err)
{
    enum status st = values_of(run, w, &w->guess.choice, run->want, count, err);
    if (st == ST_OK || race_fatal(st))
        return st;
    const struct tune_choice failed = w->guess.choice;
    for (int i = 0; i < w->ways.count; i++) {
        const struct tune_way *way = &w->ways.way[i];
        if (way->level != TUNE_F0 || i == failed.way[way->slot])
            continue;
        w->guess.choice = failed;
        w->guess.choice.way[way->slot] = i;
        enum status other = values_of(run, w, &w->guess.choice, run->want, count, NULL);
        if (race_fatal(other))
            return other;
        if (other == ST_OK) {
            w->state[failed.way[way->slot]] = WAY_UNUSABLE;
            w->winner = w->guess;
            return ST_OK;
        }
    }
    return st;
}

/* The guess with this one way in its part, and what the way needs before it. false: nothing can stand before
 * it. */
static bool alone(struct tune_choice *out, const struct tune_work *w, int index)
{
    const struct tune_way *way = &w->ways.way[index];
    *out = w->guess.choice;
    *place_of(out, way->slot, (int)way->level) = index;
    if (way->level == TUNE_F2) {
        int before = way->slot > 0 ? first_good(w, way->slot - 1, TUNE_F1) : -1;
        if (before < 0)
            return false;
        out->way[way->slot - 1] = before;
    }
    set_level(out, w);
    return true;
}

static bool got_agrees(const struct tune_run_state *run, size_t count)
{
    return count == run->want_count && tune_agree(run->want, run->got, count, run->request->limit);
}

static enum status check_way(struct tune_run_state *run, struct tune_work *w, int index, struct err *err)
{
    struct tune_choice choice;
    size_t count = 0;
    if (!alone(&choice, w, index)) {
        w->state[index] = WAY_UNUSABLE;
        return ST_OK;
    }
    enum status st = values_of(run, w, &choice, run->got, &count, err);
    if (race_fatal(st))
        return st;
    if (st != ST_OK) {
        w->state[index] = WAY_UNUSABLE;
        return ST_OK;
    }
    if (!got_agrees(run, count)) {
        w->state[index] = WAY_WRONG;
        if (w->rejected++ == 0)
            snprintf(w->first_rejected, sizeof w->first_rejected, "%s", w->ways.way[index].name);
    }
    return ST_OK;
}

/* Lower levels first: higher ones stand on them. Once time is up nothing is raced, so nothing is checked. */
static enum status check_all(struct tune_run_state *run, struct tune_work *w, struct err *err)
{
    enum status st = reference(run, w, &run->want_count, err);
    for (int level = TUNE_F0; level < TUNE_LEVELS && st == ST_OK; level++)
        for (int i = 0; i < w->ways.count && st == ST_OK && tune_time_left(run); i++) {
            const struct tune_way *way = &w->ways.way[i];
            if ((int)way->level == level && w->state[i] == WAY_GOOD && i != w->guess.choice.way[way->slot])
                st = check_way(run, w, i, err);
        }
    return st;
}

/* --- racing --------------------------------------------------------------------------------------------- */

struct heat {
    struct tune_run_state *run;
    const struct tune_work *work;
    struct tune_choice choice[RACE_LANES_MAX];
    struct race race;
};

static void add_to_lane(struct race_lane *lane, const struct tune_way *way)
{
    lane->workspace = way->workspace > lane->workspace ? way->workspace : lane->workspace;
    lane->launches += way->launches;
    lane->precompiled = lane->precompiled && way->precompiled;
}

static void enter(struct heat *h, const struct tune_choice *choice)
{
    if (h->race.count == RACE_LANES_MAX)
        return;
    for (int i = 0; i < h->race.count; i++)
        if (tune_same_choice(&h->choice[i], choice))
            return;
    struct race_lane lane = { .precompiled = true };
    for (int slot = 0; slot < SEGMENT_SLOTS; slot++) {
        if (choice->way[slot] >= 0)
            add_to_lane(&lane, &h->work->ways.way[choice->way[slot]]);
        if (choice->norm[slot] >= 0)
            add_to_lane(&lane, &h->work->ways.way[choice->norm[slot]]);
        else
            lane.launches += 2; /* ours: statistics or a fold, and the pass */
    }
    h->race.lane[h->race.count] = lane;
    h->choice[h->race.count++] = *choice;
}

static enum status sample_lane(void *context, int lane, double *ns, struct err *err)
{
    struct heat *h = context;
    const struct tune_device *d = h->run->device;
    return d->sample(d->context, h->work->segment, &h->choice[lane], ns, err);
}

static bool heat_time_left(void *context)
{
    return tune_time_left(((struct heat *)context)->run);
}

static enum status run_heat(struct heat *h, struct err *err)
{
    const struct race_device device = { h, sample_lane, heat_time_left };
    return race_run(&h->race, &device, h->run->request->seed + (uint64_t)h->work->segment, err);
}

static struct tune_timed timed(const struct heat *h, int lane)
{
    struct tune_timed t = { .choice = tune_no_choice() };
    if (lane >= 0)
        t = (struct tune_timed){ h->choice[lane], race_median(&h->race.lane[lane]),
                                 h->race.lane[lane].samples, true };
    return t;
}

/* best[slot][form]: the way that won, -1: not known yet. */
struct level_best {
    int way[SEGMENT_SLOTS][TUNE_LEVELS];
};

/* Races the ways of one part, the others at their best so far. false: time is up. */
static enum status race_slot(struct tune_run_state *run, struct tune_work *w, struct tune_choice *choice,
                             int slot, int form, bool *decided, struct err *err)
{
    struct heat h = { .run = run, .work = w };
    for (int i = 0; i < w->ways.count; i++)
        if (w->ways.way[i].slot == slot && (int)w->ways.way[i].level == form && w->state[i] == WAY_GOOD) {
            struct tune_choice c = *choice;
            *place_of(&c, slot, form) = i;
            set_level(&c, w);
            enter(&h, &c);
        }
    *decided = true;
    if (h.race.count < 2)
        return ST_OK;
    enum status st = run_heat(&h, err);
    int winner = race_winner(&h.race);
    *decided = winner >= 0;
    if (winner >= 0)
        *choice = h.choice[winner];
    int second = race_runner_up(&h.race, winner);
    if (winner >= 0 && second >= 0 && !w->runner_up.there)
        w->runner_up = timed(&h, second);
    return st;
}

/* The best way of each part at one level. */
static enum status race_level(struct tune_run_state *run, struct tune_work *w, int level,
                              struct level_best *best, struct tune_choice *choice, bool *decided,
                              struct err *err)
{
    enum status st = ST_OK;
    int parts = parts_of(run, w);
    *choice = tune_no_choice();
    for (int slot = 0; slot < parts; slot++) {
        int form = form_of(w, slot, level), known = best->way[slot][form];
        *place_of(choice, slot, form) = known >= 0 ? known : first_good(w, slot, form);
        if (form == TUNE_F3)
            choice->way[slot] = best->way[slot][TUNE_F0]; /* raced before */
    }
    set_level(choice, w);
    *decided = true;
    for (int slot = 0; slot < parts && st == ST_OK && *decided; slot++) {
        int form = form_of(w, slot, level);
        if (best->way[slot][form] >= 0)
            continue;
        st = race_slot(run, w, choice, slot, form, decided, err);
        best->way[slot][form] = *place_of(choice, slot, form);
    }
    return st;
}

/* The levels' winners and the guess against each other. */
static enum status final_race(struct tune_work *w, struct heat *h, struct err *err)
{
    struct tune_timed before = w->runner_up;
    enum status st = run_heat(h, err);
    int winner = race_winner(&h->race), second = race_runner_up(&h->race, winner);
    if (st != ST_OK || winner < 0)
        return st;
    w->source = TUNE_MEASURED;
    w->winner = timed(h, winner);
    w->runner_up = second >= 0 ? timed(h, second) : before;
    for (int i = 0; i < h->race.count; i++)
        if (tune_same_choice(&h->choice[i], &w->guess.choice))
            w->guess = timed(h, i);
    return ST_OK;
}

static enum status race_all(struct tune_run_state *run, struct tune_work *w, struct err *err)
{
    struct heat last = { .run = run, .work = w };
    struct level_best best;
    enum status st = ST_OK;
    bool decided = true;
    memset(&best, -1, sizeof best);
    for (int level = TUNE_F0; level < TUNE_LEVELS && st == ST_OK && decided; level++) {
        struct tune_choice choice;
        st = race_level(run, w, level, &best, &choice, &decided, err);
        if (st == ST_OK && decided)
            enter(&last, &choice);
    }
    enter(&last, &w->guess.choice);
    return st == ST_OK && decided ? final_race(w, &last, err) : st;
}

/* --- block shapes --------------------------------------------------------------------------------------- */

/* Does the winner run this kernel of ours? Statistics are ours at F0 alone. */
static bool runs_kernel(const struct tune_run_state *run, const struct tune_work *w, enum gpu_shaped kernel)
{
    bool ours = kernel != GPU_SHAPED_STATS || parts_of(run, w) == 0;
    for (int slot = 0; slot < parts_of(run, w); slot++)
        ours = ours || w->ways.way[w->winner.choice.way[slot]].level == TUNE_F0;
    return ours && (run->request->segments[w->segment].shaped >> kernel & 1u);
}

/* *good: it runs and its values are the guess's. */
static enum status check_shape(struct tune_run_state *run, struct tune_work *w, const struct tune_choice *choice,
                               enum gpu_shaped kernel, bool *good)
{
    size_t count = 0;
    enum status st = values_of(run, w, choice, run->got, &count, NULL);
    *good = st == ST_OK && got_agrees(run, count);
    if (st == ST_OK && !*good && w->rejected++ == 0)
        snprintf(w->first_rejected, sizeof w->first_rejected, "%s %s", gpu_shaped_name(kernel),
                 gpu_shape_name(choice->shapes.of[kernel]));
    return race_fatal(st) ? st : ST_OK;
}

/* The shapes of one kernel against each other; the default is first, so a tie is its. */
static enum status race_shapes(struct tune_run_state *run, struct tune_work *w, enum gpu_shaped kernel,
                               struct err *err)
{
    struct heat h = { .run = run, .work = w };
    enter(&h, &w->winner.choice);
    for (int shape = GPU_SHAPE_EVEN + 1; shape < GPU_SHAPES && tune_time_left(run); shape++) {
        struct tune_choice choice = w->winner.choice;
        bool good = false;
        choice.shapes.of[kernel] = (enum gpu_shape)shape;
        enum status st = check_shape(run, w, &choice, kernel, &good);
        if (st != ST_OK)
            return err_set(err, st, "block shape %s", gpu_shape_name((enum gpu_shape)shape));
        if (good)
            enter(&h, &choice);
    }
    if (h.race.count < 2)
        return ST_OK;
    enum status st = run_heat(&h, err);
    int winner = race_winner(&h.race);
    if (st == ST_OK && winner > 0)
        w->winner = timed(&h, winner);
    return st;
}

static enum status race_all_shapes(struct tune_run_state *run, struct tune_work *w, struct err *err)
{
    enum status st = ST_OK;
    for (int kernel = 0; kernel < GPU_SHAPED_KERNELS && st == ST_OK && tune_time_left(run); kernel++)
        if (runs_kernel(run, w, (enum gpu_shaped)kernel))
            st = race_shapes(run, w, (enum gpu_shaped)kernel, err);
    return st;
}

enum status tune_measure(struct tune_run_state *run, struct tune_work *w, struct err *err)
{
    const struct tune_device *d = run->device;
    uint64_t start_ns = d->now_ns(d->context);
    enum status st = check_all(run, w, err);
    if (st == ST_OK)
        st = race_all(run, w, err);
    if (st == ST_OK && w->source == TUNE_MEASURED)
        st = race_all_shapes(run, w, err);
    run->measure_ns += d->now_ns(d->context) - start_ns;
    return st;
}
