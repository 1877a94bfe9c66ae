#include "kernels/cuda/tune/tune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/tune/pairs.h"
#include "kernels/cuda/tune/tune_race.h"
#include "kernels/cuda/tune/tune_segment.h"

static const char *const mode_names[] = {
    [TUNE_AUTO] = "auto", [TUNE_CACHE] = "cache", [TUNE_FRESH] = "fresh", [TUNE_OFF] = "off"
};

const char *tune_level_name(int level)
{
    static const char *const names[TUNE_LEVELS] = { "F0", "F1", "F2", "F3" };
    return level >= 0 && level < TUNE_LEVELS ? names[level] : "unknown";
}

enum status tune_mode_of(enum tune_mode *out, const char *text, struct err *err)
{
    for (size_t i = 0; i < sizeof mode_names / sizeof *mode_names; i++)
        if (strcmp(text, mode_names[i]) == 0) {
            *out = (enum tune_mode)i;
            return ST_OK;
        }
    return err_set(err, ST_INVALID, "tune must be auto, cache, fresh or off, got \"%s\"", text);
}

/* One run of the tuner. */
struct tuner {
    struct tune_run_state run;
    struct cache *cache;            /* NULL: none */
    struct tune_work *works;        /* one per distinct segment */
    int count;
};

static const struct segment *segment_of(const struct tuner *t, const struct tune_work *w)
{
    return &t->run.request->segments[w->segment];
}

/* --- the cache ------------------------------------------------------------------------------------------ */

static enum status restore_way(struct tuner *t, struct tune_work *w, int slot, const struct cache_part *part,
                               int *way_index)
{
    const struct tune_device *d = t->run.device;
    void *bytes = NULL;
    size_t size = 0;
    int index = w->ways.count;
    if (part->level < 0 || part->level >= TUNE_LEVELS ||
        !(t->run.request->levels[w->segment] >> part->level & 1u) ||
        !cache_plan(t->cache, part->plan, &bytes, &size))
        return ST_INVALID;
    enum status st = d->restore(d->context, w->segment, slot, part, bytes, size, &w->ways, NULL);
    free(bytes);
    if (st != ST_OK)
        return st;
    const struct tune_way *way = &w->ways.way[index];
    bool same = w->ways.count == index + 1 && way->slot == slot && (int)way->level == part->level &&
                way->workspace == part->workspace && strcmp(way->name, part->name) == 0;
    if (!same)
        return ST_INVALID;
    *way_index = index;
    if (part->level > w->winner.choice.level)
        w->winner.choice.level = part->level;
    return ST_OK;
}

/* Do these levels stand together? What was read from a file may say anything. */
static bool may_stand(const struct cache_choice *c, int slot)
{
    bool normed = c->norm[slot].plan[0], sums = false;
    if (slot > 0)
        sums = c->part[slot - 1].level == TUNE_F1 || c->part[slot - 1].level == TUNE_F2;
    return c->part[slot].level != TUNE_F3 && (c->part[slot].level != TUNE_F2 || sums) &&
           (!normed || (c->part[slot].level == TUNE_F0 && c->norm[slot].level == TUNE_F3));
}

static enum status restore_part(struct tuner *t, struct tune_work *w, int slot, const struct cache_choice *c)
{
    if (!may_stand(c, slot))
        return ST_INVALID;
    enum status st = restore_way(t, w, slot, &c->part[slot], &w->winner.choice.way[slot]);
    if (st == ST_OK && c->norm[slot].plan[0])
        st = restore_way(t, w, slot, &c->norm[slot], &w->winner.choice.norm[slot]);
    return st;
}

/* Fatal statuses only; a miss leaves the source at TUNE_HEURISTIC. */
static enum status look_up(struct tuner *t, struct tune_work *w)
{
    const struct segment *s = segment_of(t, w);
    const struct cache_entry *e = t->cache ? cache_find(t->cache, s->text, t->run.request->batch) : NULL;
    if (!e || e->winner.parts != s->parts)
        return ST_OK;
    const struct tune_device *d = t->run.device;
    uint64_t start_ns = d->now_ns(d->context);
    enum status st = ST_OK;
    w->ways.count = 0;
    w->winner = (struct tune_timed){ tune_no_choice(), e->winner.median_ns, e->winner.samples, true };
    w->winner.choice.shapes = e->winner.shapes;
    for (int slot = 0; slot < s->parts && st == ST_OK; slot++)
        st = restore_part(t, w, slot, &e->winner);
    t->run.build_ns += d->now_ns(d->context) - start_ns;
    if (st == ST_OK) {
        w->source = TUNE_CACHED;
        w->guess = w->winner;
        return ST_OK;
    }
    cache_drop(t->cache, s->text, t->run.request->batch);
    return race_fatal(st) ? st : ST_OK;
}

/* One way with its plan; false: that cannot be kept. */
static bool describe_way(struct tuner *t, const struct tune_work *w, int index, struct cache_part *part)
{
    const struct tune_device *d = t->run.device;
    const struct tune_way *way = &w->ways.way[index];
    void *bytes = NULL;
    size_t size = 0;
    part->level = (int)way->level;
    part->workspace = way->workspace;
    snprintf(part->name, sizeof part->name, "%s", way->name);
    if (d->serialise(d->context, w->segment, index, &bytes, &size, NULL) == ST_OK)
        cache_keep_plan(t->cache, part->plan, bytes, size);
    free(bytes);
    return part->plan[0];
}

/* Adds the parts' plans; false: one cannot be kept. */
static bool describe(struct tuner *t, const struct tune_work *w, const struct tune_timed *timed,
                     struct cache_choice *out)
{
    *out = (struct cache_choice){ .level = timed->choice.level, .median_ns = timed->median_ns,
                                  .samples = timed->samples, .shapes = timed->choice.shapes,
                                  .parts = segment_of(t, w)->parts };
    for (int slot = 0; slot < out->parts; slot++) {
        const struct tune_choice *c = &timed->choice;
        if (!describe_way(t, w, c->way[slot], &out->part[slot]) ||
            (c->norm[slot] >= 0 && !describe_way(t, w, c->norm[slot], &out->norm[slot])))
            return false;
    }
    return true;
}

/* While all plans are there still. */
static void remember(struct tuner *t, const struct tune_work *w, const struct tune_timed *winner,
                     const struct tune_timed *runner_up)
{
    struct cache_entry e = { .batch = t->run.request->batch, .runner_up = { .level = -1 } };
    snprintf(e.signature, sizeof e.signature, "%s", segment_of(t, w)->text);
    if (!t->cache || !cache_path(t->cache)[0] || !describe(t, w, winner, &e.winner))
        return;
    if (!runner_up->there || !describe(t, w, runner_up, &e.runner_up))
        e.runner_up = (struct cache_choice){ .level = -1 };
    cache_add(t->cache, &e);
}

/* --- spending the budget -------------------------------------------------------------------------------- */

static double worth(const struct tuner *t, const struct tune_work *w)
{
    return segment_of(t, w)->count * t->run.request->predicted_ns[w->segment];
}

/* The dearest that nobody has decided on yet; NULL. */
static struct tune_work *next_work(struct tuner *t, const bool *done)
{
    struct tune_work *next = NULL;
    for (int i = 0; i < t->count; i++)
        if (!done[i] && (!next || worth(t, &t->works[i]) > worth(t, next)))
            next = &t->works[i];
    return next;
}

static enum status keep(struct tuner *t, const struct tune_work *w, const struct tune_timed *choice,
                        struct err *err)
{
    const struct tune_device *d = t->run.device;
    return d->keep(d->context, w->segment, &choice->choice, &w->guess.choice, err);
}

/* As many ways as the time left allows, *most 0: none but the guess. The first segment of a run is built with
 * one way each before, to learn what that takes; there is no second time if no more can be had. */
static enum status build_affordable(struct tuner *t, struct tune_work *w, int *most, struct err *err)
{
    unsigned levels = t->run.request->levels[w->segment] | 1u;
    bool first = t->run.way_ns <= 0 && tune_time_left(&t->run);
    enum status st = first ? tune_build(&t->run, w, levels, 1, err) : ST_OK;
    if (st != ST_OK)
        return st;
    *most = tune_affordable(&t->run, w, levels);
    if (first && *most <= 1) {
        *most = 1;
        return ST_OK;
    }
    return *most > 0 ? tune_build(&t->run, w, levels, *most, err) : tune_build(&t->run, w, 1u, 1, err);
}

/* Builds, checks, races; without time only the guess is built. */
static enum status decide(struct tuner *t, struct tune_work *w, bool measure, struct err *err)
{
    int most = 0;
    enum status st = measure ? build_affordable(t, w, &most, err) : tune_build(&t->run, w, 1u, 1, err);
    if (st == ST_OK && most > 0 && tune_time_left(&t->run))
        st = tune_measure(&t->run, w, err);
    if (st == ST_OK && w->source == TUNE_MEASURED)
        remember(t, w, &w->winner, &w->runner_up);
    return st == ST_OK ? keep(t, w, &w->winner, err) : st;
}

static enum status decide_all(struct tuner *t, struct err *err)
{
    enum tune_mode mode = t->run.request->mode;
    bool *done = calloc((size_t)t->count + 1, sizeof *done);
    enum status st = done ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "no memory to tune %d segments", t->count);
    for (int i = 0; i < t->count && st == ST_OK && (mode == TUNE_AUTO || mode == TUNE_CACHE); i++) {
        st = look_up(t, &t->works[i]);
        done[i] = t->works[i].source == TUNE_CACHED;
        if (st == ST_OK && done[i])
            st = keep(t, &t->works[i], &t->works[i].winner, err);
        else if (st != ST_OK)
            err_set(err, st, "a plan from the cache could not be loaded: %s", status_text(st));
    }
    struct tune_work *w;
    while (st == ST_OK && (w = next_work(t, done)) != NULL) {
        done[w - t->works] = true;
        st = decide(t, w, mode == TUNE_AUTO || mode == TUNE_FRESH, err);
        if (st != ST_OK)
            err_prefix(err, "%s", segment_of(t, w)->text);
    }
    free(done);
    return st;
}

/* --- the whole pass ------------------------------------------------------------------------------------- */

static bool worth_checking(const struct tuner *t)
{
    for (int i = 0; i < t->count; i++)
        if (t->works[i].source == TUNE_MEASURED &&
            !tune_same_choice(&t->works[i].winner.choice, &t->works[i].guess.choice))
            return t->run.device->whole != NULL;
    return false;
}

/* What fails as a whole is not used, however fast its parts were. */
static enum status without_winners(struct tune_result *out)
{
    out->winners_used = false;
    return ST_OK;
}

static enum status run_whole(void *tuner, int winners, double *ns, double *clock_mhz, struct err *err)
{
    const struct tune_device *d = ((struct tuner *)tuner)->run.device;
    return d->whole(d->context, winners, ns, clock_mhz, err);
}

/* The check comes after everything else: it may take so much more than the budget, and two pairs in any case. */
#define WHOLE_NS UINT64_C(2000000000)
static bool whole_time_left(void *tuner)
{
    const struct tune_run_state *run = &((struct tuner *)tuner)->run;
    return run->device->now_ns(run->device->context) - run->start_ns < run->request->budget_ns + WHOLE_NS;
}

/* Winners against guesses. */
static enum status compare_whole(struct tuner *t, struct tune_result *out, struct err *err)
{
    const struct tune_device *d = t->run.device;
    struct pairs pairs;
    uint64_t start_ns = d->now_ns(d->context);
    enum status st = pairs_compare(&pairs, run_whole, whole_time_left, t, err);
    if (st != ST_OK)
        return race_fatal(st) || !pairs.failed ? st : without_winners(out);
    t->run.measure_ns += d->now_ns(d->context) - start_ns;
    out->whole_pairs = pairs.counted;
    if (pairs.counted == 0)
        return ST_OK;
    out->whole_checked = true;
    out->whole_guess_ns = pairs.median_ns[0];
    out->whole_winners_ns = pairs.median_ns[1];
    out->winners_used = pairs.ratio < 1;
    return ST_OK;
}

static enum status back_to_guesses(struct tuner *t, struct err *err)
{
    enum status st = ST_OK;
    for (int i = 0; i < t->count && st == ST_OK; i++) {
        struct tune_work *w = &t->works[i];
        if (w->source != TUNE_MEASURED || tune_same_choice(&w->winner.choice, &w->guess.choice))
            continue;
        w->runner_up = w->winner;
        w->winner = w->guess;
        struct tune_timed none = { .there = false };    /* the winner's plan may be gone already */
        remember(t, w, &w->guess, &none);
        st = keep(t, w, &w->guess, err);
    }
    return st;
}

static enum status check_whole(struct tuner *t, struct tune_result *out, struct err *err)
{
    out->winners_used = true;
    if (!worth_checking(t))
        return ST_OK;
    enum status st = compare_whole(t, out, err);
    return st == ST_OK && !out->winners_used ? back_to_guesses(t, err) : st;
}

/* --- the answer ----------------------------------------------------------------------------------------- */

static void name_way(struct tune_outcome *o, char name[CACHE_NAME_MAX], const struct tune_work *w, int index)
{
    const struct tune_way *way = &w->ways.way[index];
    snprintf(name, CACHE_NAME_MAX, "%s", way->name);
    o->workspace = way->workspace > o->workspace ? way->workspace : o->workspace;
}

static struct tune_outcome outcome_of(const struct tuner *t, const struct tune_work *w)
{
    struct tune_outcome o = { .segment = w->segment, .source = w->source, .choice = w->winner.choice,
                              .median_ns = w->winner.median_ns, .samples = w->winner.samples,
                              .rejected = w->rejected };
    for (int slot = 0; slot < segment_of(t, w)->parts; slot++) {
        name_way(&o, o.name[slot], w, o.choice.way[slot]);
        if (o.choice.norm[slot] >= 0)
            name_way(&o, o.norm[slot], w, o.choice.norm[slot]);
    }
    return o;
}

static void add_text(struct sha256 *hash, const char *text)
{
    sha256_add(hash, text, strlen(text) + 1);
}

static void add_way(struct sha256 *hash, const struct tune_way *way)
{
    char line[CACHE_NAME_MAX + 64];
    snprintf(line, sizeof line, "%s %s %zu", tune_level_name((int)way->level), way->name, way->workspace);
    add_text(hash, line);
}

/* Those that are not the default, with the segment's signature. */
static void add_shapes(struct sha256 *hash, const struct gpu_shapes *shapes, const char *signature)
{
    char line[SIGNATURE_MAX + CACHE_NAME_MAX];
    for (int i = 0; i < GPU_SHAPED_KERNELS; i++)
        if (shapes->of[i] != GPU_SHAPE_EVEN) {
            snprintf(line, sizeof line, "%s: %s %s", signature, gpu_shaped_name((enum gpu_shaped)i),
                     gpu_shape_name(shapes->of[i]));
            add_text(hash, line);
        }
}

/* Everything that tells which kernels run: batch, signatures, levels, names, workspaces, block shapes. Where
 * all shapes are the default it is what it was before there were any. */
static enum status hash_of(const struct tuner *t, char hex[SHA256_HEX_SIZE], struct err *err)
{
    struct sha256 *hash = sha256_open();
    char line[32];
    if (!hash)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the hash of the plans");
    snprintf(line, sizeof line, "batch %d", t->run.request->batch);
    add_text(hash, line);
    for (int i = 0; i < t->count; i++) {
        const struct tune_work *w = &t->works[i];
        if (segment_of(t, w)->parts > 0)
            add_text(hash, segment_of(t, w)->text);
        for (int slot = 0; slot < segment_of(t, w)->parts; slot++) {
            const struct tune_choice *c = &w->winner.choice;
            add_way(hash, &w->ways.way[c->way[slot]]);
            if (c->norm[slot] >= 0)
                add_way(hash, &w->ways.way[c->norm[slot]]);
        }
        add_shapes(hash, &w->winner.choice.shapes, segment_of(t, w)->text);
    }
    sha256_close(hash, hex);
    return ST_OK;
}

static enum status answer(struct tuner *t, struct tune_result *out, struct err *err)
{
    out->outcomes = calloc((size_t)t->count + 1, sizeof *out->outcomes);
    if (!out->outcomes)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the outcome of %d segments", t->count);
    out->count = out->segments = t->count;
    for (int i = 0; i < t->count; i++) {
        const struct tune_work *w = &t->works[i];
        const struct tune_outcome o = outcome_of(t, w);
        out->outcomes[i] = o;
        out->cached += o.source == TUNE_CACHED;
        out->measured += o.source == TUNE_MEASURED;
        out->heuristic += o.source == TUNE_HEURISTIC;
        out->workspace = o.workspace > out->workspace ? o.workspace : out->workspace;
        if (o.rejected > 0 && out->rejected == 0)
            snprintf(out->first_rejected, sizeof out->first_rejected, "%.150s: %s", segment_of(t, w)->text,
                     w->first_rejected);
        out->rejected += o.rejected;
    }
    out->build_ns = t->run.build_ns;
    out->measure_ns = t->run.measure_ns;
    return hash_of(t, out->plan_hash, err);
}

static enum status tuner_open(struct tuner *t, struct err *err)
{
    const struct tune_request *r = t->run.request;
    t->works = calloc((size_t)r->segment_count + 1, sizeof *t->works);
    t->run.want = malloc(TUNE_VALUES_MAX * sizeof(float));
    t->run.got = malloc(TUNE_VALUES_MAX * sizeof(float));
    if (!t->works || !t->run.want || !t->run.got)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory to tune %d segments", r->segment_count);
    for (int i = 0; i < r->segment_count; i++)
        if (r->segments[i].same == i)
            t->works[t->count++] = (struct tune_work){ .segment = i, .source = TUNE_HEURISTIC };
    t->run.start_ns = t->run.device->now_ns(t->run.device->context);
    return ST_OK;
}

enum status tune_run(struct tune_result *out, const struct tune_request *request,
                     const struct tune_device *device, struct cache *cache, struct err *err)
{
    struct tuner t = { .run = { .request = request, .device = device },
                       .cache = request->mode == TUNE_OFF ? NULL : cache };
    memset(out, 0, sizeof *out);
    enum status st = tuner_open(&t, err);
    if (st == ST_OK)
        st = decide_all(&t, err);
    if (st == ST_OK)
        st = check_whole(&t, out, err);
    if (st == ST_OK)
        st = answer(&t, out, err);
    if (t.cache && st == ST_OK)
        cache_save(t.cache);
    if (st != ST_OK)
        tune_free(out);
    free(t.works);
    free(t.run.want);
    free(t.run.got);
    return st;
}

void tune_free(struct tune_result *result)
{
    if (!result)
        return;
    free(result->outcomes);
    memset(result, 0, sizeof *result);
}
