#include "kernels/cuda/tuning.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "kernels/cuda/library/conv.h"
#include "kernels/cuda/library/cudnn_graph.h"
#include "kernels/cuda/timing.h"
#include "kernels/cuda/trial.h"
#include "kernels/cuda/tune/tune.h"

#define WAYS_MOST 8
#define SEED 1

/* The ways of one segment while it is tuned: of a convolution, or of a norm (F3). Both NULL once the way went. */
struct candidates {
    struct conv_way *way[TUNE_WAYS_MAX];
    struct graph_plan *norm[TUNE_WAYS_MAX];
    int level[TUNE_WAYS_MAX];
    int count;
};

struct tuning {
    struct ready *ready;
    struct prepared *prepared;
    struct clock clock;
    struct trial trial;
    struct candidates *candidates;      /* [segment_count] */
    struct choice *winners, *guesses;   /* [segment_count], as `keep` said */
    struct exec *whole[2];              /* guesses, winners: bound and captured for the final check; NULL before */
};

static const struct gpu_net *net_of(const struct tuning *t)
{
    return t->ready->net;
}

static uint64_t now_ns(void *context)
{
    return clock_now_ns(&((struct tuning *)context)->clock);
}

/* --- ways -------------------------------------------------------------------------------------------------------- */

static void forget_way(struct candidates *c, int i)
{
    conv_free(c->way[i]);
    graph_plan_free(c->norm[i]);
    c->way[i] = NULL;
    c->norm[i] = NULL;
}

static void forget(struct candidates *c)
{
    for (int i = 0; i < c->count; i++)
        forget_way(c, i);
    c->count = 0;
}

/* Takes the way over; frees it if there is no room. */
static void add(struct candidates *c, struct tune_ways *ways, struct conv_way *way, int level, int slot)
{
    if (ways->count == TUNE_WAYS_MAX) {
        conv_free(way);
        return;
    }
    struct tune_way *w = &ways->way[ways->count++];
    *w = (struct tune_way){ .level = (enum tune_level)level, .slot = slot, .workspace = conv_workspace(way),
                            .launches = conv_launches(way), .precompiled = conv_precompiled(way) };
    conv_name(way, w->name, sizeof w->name);
    c->way[c->count] = way;
    c->level[c->count++] = level;
}

/* Likewise, at F3. */
static void add_norm(struct candidates *c, struct tune_ways *ways, struct graph_plan *norm, int slot)
{
    if (ways->count == TUNE_WAYS_MAX) {
        graph_plan_free(norm);
        return;
    }
    struct tune_way *w = &ways->way[ways->count++];
    *w = (struct tune_way){ .level = TUNE_F3, .slot = slot, .workspace = norm->workspace, .launches = 1,
                            .precompiled = !graph_plan_runtime(norm) };
    graph_plan_name(norm, w->name, sizeof w->name);
    c->norm[c->count] = norm;
    c->level[c->count++] = TUNE_F3;
}

static struct conv_want want_of(const struct tuning *t, int segment, int slot, int level)
{
    const struct gpu_net *net = net_of(t);
    return segment_want(net->plan, &net->segments[segment], slot, level, t->prepared->exec->batch, net->math);
}

static bool has_level(const struct tuning *t, int segment, int slot, int level)
{
    return segment_part_has(&net_of(t)->segments[segment].part[slot], level, t->prepared->exec->batch);
}

/* When the budget is used up, for the lists of a build. */
struct until {
    struct tuning *tuning;
    uint64_t ns;
};

static bool before(void *context)
{
    const struct until *u = context;
    return now_ns(u->tuning) < u->ns;
}

/* At F0 one way at least, however late it is: something must compute the part. */
static enum status build_part(struct until *u, int segment, int slot, int level, int most, struct tune_ways *ways,
                              struct err *err)
{
    struct tuning *t = u->tuning;
    struct conv_way **list = NULL;
    size_t count = 0;
    struct conv_want want = want_of(t, segment, slot, level);
    const struct patience patience = { before, u, level == TUNE_F0 };
    want.patience = &patience;
    if (level != TUNE_F0 && !before(u))
        return ST_OK; /* a heuristics query alone may take long */
    enum status st = conv_list(&list, &count, net_of(t)->libraries, &want, (size_t)most, net_of(t)->workspace_cap, err);
    if (st == ST_UNSUPPORTED && level != TUNE_F0)
        return ST_OK; /* then there is nothing at this level */
    for (size_t i = 0; i < count && st == ST_OK; i++)
        add(&t->candidates[segment], ways, list[i], level, slot);
    free(list);
    return st;
}

/* As build_part, of what only F3 needs: its convolutions are those of F0. */
static enum status build_norm(struct until *u, int segment, int slot, int most, struct tune_ways *ways, struct err *err)
{
    struct tuning *t = u->tuning;
    const struct gpu_net *net = net_of(t);
    struct graph_plan **list = NULL;
    size_t count = 0;
    const struct patience patience = { before, u, false };
    struct norm_want want =
        segment_norm(net->plan, &net->segments[segment], slot, t->prepared->exec->batch, net->math);
    want.patience = &patience;
    if (!before(u))
        return ST_OK;
    enum status st =
        norm_plan_list(&list, &count, net->libraries, &want, (size_t)most, net->workspace_cap, NULL, err);
    if (st == ST_UNSUPPORTED)
        return ST_OK;
    for (size_t i = 0; i < count; i++)
        add_norm(&t->candidates[segment], ways, list[i], slot);
    free(list);
    return st;
}

static enum status build(void *context, int segment, unsigned levels, int most, uint64_t until_ns,
                         struct tune_ways *ways, struct err *err)
{
    struct tuning *t = context;
    struct until until = { t, until_ns };
    const struct segment *s = &net_of(t)->segments[segment];
    enum status st = ST_OK;
    forget(&t->candidates[segment]);
    for (int level = TUNE_F0; level < TUNE_LEVELS; level++)
        for (int slot = 0; slot < s->parts && st == ST_OK; slot++)
            if ((levels >> level & 1u) && has_level(t, segment, slot, level))
                st = level == TUNE_F3 ? build_norm(&until, segment, slot, most, ways, err)
                                      : build_part(&until, segment, slot, level, most, ways, err);
    return st;
}

static enum status restore_norm(struct tuning *t, int segment, int slot, const void *bytes, size_t size,
                                struct tune_ways *ways, struct err *err)
{
    struct graph_plan *norm = calloc(1, sizeof *norm);
    if (!norm)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the plan of a norm");
    enum status st = graph_plan_load(norm, net_of(t)->libraries, bytes, size, err);
    if (st == ST_OK)
        add_norm(&t->candidates[segment], ways, norm, slot);
    else
        graph_plan_free(norm);
    return st;
}

static enum status restore(void *context, int segment, int slot, const struct cache_part *part, const void *bytes,
                           size_t size, struct tune_ways *ways, struct err *err)
{
    struct tuning *t = context;
    struct conv_way *way = NULL;
    if (ways->count == 0) /* the first of its segment */
        forget(&t->candidates[segment]);
    if (!has_level(t, segment, slot, part->level))
        return err_set(err, ST_INVALID, "a cached plan is for a level that the segment does not have");
    if (part->level == TUNE_F3)
        return restore_norm(t, segment, slot, bytes, size, ways, err);
    struct conv_want want = want_of(t, segment, slot, part->level);
    enum status st = conv_load(&way, net_of(t)->libraries, &want, part->name, bytes, size, err);
    if (st == ST_OK)
        add(&t->candidates[segment], ways, way, part->level, slot);
    return st;
}

static enum status serialise(void *context, int segment, int way, void **bytes, size_t *size, struct err *err)
{
    const struct candidates *c = &((const struct tuning *)context)->candidates[segment];
    if (c->way[way])
        return conv_save(c->way[way], bytes, size, err);
    char *text = graph_plan_save(c->norm[way], err);
    *bytes = text;
    *size = text ? strlen(text) : 0;
    return text ? ST_OK : ST_UNSUPPORTED;
}

/* --- trials ------------------------------------------------------------------------------------------------------ */

static struct choice choice_of(const struct tuning *t, int segment, const struct tune_choice *c)
{
    struct choice choice = { .way = { NULL }, .shapes = c->shapes };
    for (int slot = 0; slot < net_of(t)->segments[segment].parts; slot++) {
        choice.way[slot] = t->candidates[segment].way[c->way[slot]];
        choice.level[slot] = t->candidates[segment].level[c->way[slot]];
        if (c->norm[slot] >= 0) {
            choice.norm[slot] = t->candidates[segment].norm[c->norm[slot]];
            choice.level[slot] = TUNE_F3;
        }
    }
    return choice;
}

static enum status values(void *context, int segment, const struct tune_choice *choice, float *out, size_t room,
                          size_t *count, struct err *err)
{
    struct tuning *t = context;
    const struct choice c = choice_of(t, segment, choice);
    return trial_values(&t->trial, segment, &c, out, room, count, err);
}

static enum status sample(void *context, int segment, const struct tune_choice *choice, double *ns, struct err *err)
{
    struct tuning *t = context;
    const struct choice c = choice_of(t, segment, choice);
    return trial_sample(&t->trial, segment, &c, ns, err);
}

static bool uses(const struct tune_choice *c, int parts, int way)
{
    for (int slot = 0; slot < parts; slot++)
        if (c->way[slot] == way || c->norm[slot] == way)
            return true;
    return false;
}

static enum status keep(void *context, int segment, const struct tune_choice *choice, const struct tune_choice *guess,
                        struct err *err)
{
    struct tuning *t = context;
    (void)err;
    const struct segment *segments = net_of(t)->segments;
    struct candidates *c = &t->candidates[segment];
    const struct choice winner = choice_of(t, segment, choice), first = choice_of(t, segment, guess);
    for (int i = 0; i < net_of(t)->segment_count; i++)
        if (segments[i].same == segment) {
            t->winners[i] = winner;
            t->guesses[i] = first;
        }
    for (int i = 0; i < c->count; i++)
        if (!t->whole[0] && !uses(choice, segments[segment].parts, i) && !uses(guess, segments[segment].parts, i))
            forget_way(c, i);
    return ST_OK;
}

/* --- the whole pass ---------------------------------------------------------------------------------------------- */

static struct pool_need both_needs(const struct tuning *t)
{
    struct pool_need need = t->ready->pool.size;
    for (int i = 0; i < 2; i++)
        need = pool_most(need, exec_need(t->whole[i], &t->prepared->fixed));
    return need;
}

static enum status plan_whole(struct tuning *t, int which, struct err *err)
{
    const struct gpu_net *net = net_of(t);
    enum status st = exec_new(&t->whole[which], net, t->prepared->exec->batch, err);
    if (st != ST_OK)
        return st;
    memcpy(t->whole[which]->choices, which ? t->winners : t->guesses,
           (size_t)net->segment_count * sizeof *t->winners);
    return exec_plan(t->whole[which], err);
}

static enum status make_whole(struct tuning *t, struct err *err)
{
    struct gpu_device *d = net_of(t)->device;
    struct pool *pool = &t->ready->pool;
    enum status st = plan_whole(t, 0, err);
    if (st == ST_OK)
        st = plan_whole(t, 1, err);
    if (st == ST_OK) {
        struct pool_need need = both_needs(t);
        st = ready_resize(t->ready, &need, err);
    }
    if (st == ST_OK)
        st = gpu_check(d, cudaMemcpy(pool->input[0].data, pool->images.data, pool->size.input, cudaMemcpyHostToDevice),
                       "cudaMemcpy", "the first input", err);
    for (int i = 0; i < 2 && st == ST_OK; i++) {
        st = exec_bind(t->whole[i], pool, err);
        if (st == ST_OK)
            st = exec_enqueue(t->whole[i], pool, 0, err);
        if (st == ST_OK)
            st = gpu_check(d, cudaStreamSynchronize(d->stream), "cudaStreamSynchronize", NULL, err);
        if (st == ST_OK)
            st = exec_capture(t->whole[i], pool, true, err);
    }
    return gpu_settle(d, st, err);
}

static double clock_of(const struct gpu_device *d)
{
    unsigned mhz = 0;
    if (!d->nvml_device || nvml_call(&d->nvml, nvmlDeviceGetClockInfo, d->nvml_device, NVML_CLOCK_SM, &mhz))
        return 0;
    return mhz;
}

static enum status whole(void *context, bool winners, double *ns, double *clock_mhz, struct err *err)
{
    struct tuning *t = context;
    struct gpu_device *d = net_of(t)->device;
    uint64_t elapsed_ns = 0;
    enum status st = t->whole[0] ? ST_OK : make_whole(t, err);
    if (st != ST_OK)
        return st;
    const struct gpu_capture *graph = &t->whole[winners]->graph[0];
    st = gpu_check(d, cudaGraphLaunch(graph->graph, d->stream), "cudaGraphLaunch", NULL, err);
    if (st == ST_OK)
        st = gpu_check(d, cudaStreamSynchronize(d->stream), "cudaStreamSynchronize", NULL, err);
    if (st == ST_OK)
        st = timing_between(&elapsed_ns, graph->begin, graph->end, d, err);
    *ns = (double)elapsed_ns;
    *clock_mhz = clock_of(d);
    return gpu_settle(d, st, err);
}

/* --- one run of the tuner ---------------------------------------------------------------------------------------- */

struct questions {
    unsigned *levels;                   /* [segment_count] */
    double *predicted_ns;
};

static enum status predict_all(struct questions *q, const struct gpu_net *net, int batch, struct err *err)
{
    size_t count = (size_t)net->segment_count + 1;
    q->levels = calloc(count, sizeof *q->levels);
    q->predicted_ns = calloc(count, sizeof *q->predicted_ns);
    if (!q->levels || !q->predicted_ns)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory to predict %d segments", net->segment_count);
    for (int i = 0; i < net->segment_count; i++) {
        double image_ns[SEGMENT_SLOTS] = { 0 };
        if (net->segments[i].parts == 0)
            q->predicted_ns[i] = predict_pass_ns((size_t)net->plan->steps[net->segments[i].lone].bytes * (size_t)batch,
                                                 &net->device->card.speed);
        for (int slot = 0; slot < net->segments[i].parts; slot++) {
            struct conv_shape shape = net->plan->steps[net->segments[i].part[slot].conv].u.conv.shape;
            shape.n = 1;
            image_ns[slot] = predict_conv_ns(&shape, net->math, &net->device->card.speed);
            shape.n = batch;
            q->predicted_ns[i] += predict_conv_ns(&shape, net->math, &net->device->card.speed);
        }
        q->levels[i] = segment_levels(&net->segments[i], image_ns, batch);
    }
    return ST_OK;
}

/* As large as trials of any segment and the whole pass need, with all the workspace that a way may have. */
static enum status make_room(struct tuning *t, const struct questions *q, struct err *err)
{
    const struct gpu_net *net = net_of(t);
    struct exec *e = t->prepared->exec;
    size_t bytes = 0, n = (size_t)e->batch;
    enum status st = exec_plan(e, err); /* at F0, with no ways yet */
    struct pool_need need = pool_most(t->ready->pool.size, exec_need(e, &t->prepared->fixed));
    for (int i = 0; i < net->segment_count && st == ST_OK; i++) {
        if (net->segments[i].same != i)
            continue;
        st = trial_image_bytes(&bytes, net, t->trial.choices, i, q->levels[i], err);
        need.arena = bytes * n > need.arena ? bytes * n : need.arena;
    }
    need.workspace = need.workspace > net->workspace_cap ? need.workspace : net->workspace_cap;
    if (st == ST_OK)
        st = ready_fits(t->ready, t->prepared, &need, err);
    if (st == ST_OK)
        st = ready_resize(t->ready, &need, err);
    return st;
}

/* The choices go to the execution, and every way that is left with them. */
static enum status hand_over(struct tuning *t, struct err *err)
{
    struct exec *e = t->prepared->exec;
    enum status st = ST_OK;
    for (int i = 0; i < net_of(t)->segment_count && st == ST_OK; i++) {
        e->choices[i] = t->winners[i];
        struct candidates *c = &t->candidates[i];
        for (int k = 0; k < c->count && st == ST_OK; k++) {
            struct conv_way *way = c->way[k];
            struct graph_plan *norm = c->norm[k];
            c->way[k] = NULL;
            c->norm[k] = NULL;
            if (way)
                st = exec_own(e, way, err);
            else if (norm)
                st = exec_own_norm(e, norm, err);
        }
    }
    return st;
}

static void tuning_free(struct tuning *t)
{
    for (int i = 0; i < 2; i++)
        exec_free(t->whole[i]);
    for (int i = 0; t->candidates && i < net_of(t)->segment_count; i++)
        forget(&t->candidates[i]);
    trial_free(&t->trial);
    free(t->candidates);
    free(t->winners);
    free(t->guesses);
}

static enum status tuning_new(struct tuning *t, struct err *err)
{
    size_t count = (size_t)net_of(t)->segment_count + 1;
    t->clock = clock_system();
    t->candidates = calloc(count, sizeof *t->candidates);
    t->winners = calloc(count, sizeof *t->winners);
    t->guesses = calloc(count, sizeof *t->guesses);
    if (!t->candidates || !t->winners || !t->guesses)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory to tune %zu segments", count - 1);
    return trial_new(&t->trial, t->prepared->exec, &t->ready->pool, err);
}

static enum status run_tuner(struct tuning *t, struct questions *q, struct err *err)
{
    const struct gpu_net *net = net_of(t);
    const struct gpu_options *o = t->ready->options;
    const struct tune_request request = { .segments = net->segments, .levels = q->levels,
                                          .predicted_ns = q->predicted_ns, .segment_count = net->segment_count,
                                          .batch = t->prepared->exec->batch, .mode = o->tune,
                                          .budget_ns = o->tune_budget_ns, .ways_most = WAYS_MOST,
                                          .limit = tune_limit((int)net->math), .seed = SEED };
    const struct tune_device device = { t, now_ns, build, restore, serialise, values, sample, keep, whole };
    bool measures = o->tune == TUNE_AUTO || o->tune == TUNE_FRESH;
    enum status st = measures ? make_room(t, q, err) : ST_OK;
    if (st == ST_OK)
        st = tune_run(&t->prepared->tuned, &request, &device, t->ready->cache, err);
    return st == ST_OK ? hand_over(t, err) : st;
}

enum status tuning_choose(struct prepared *p, struct ready *r, struct err *err)
{
    struct tuning t = { .ready = r, .prepared = p };
    struct questions q = { NULL, NULL };
    if (r->options->level != OPTIONS_LEVEL_TUNED)
        return exec_choose(p->exec, r->options->level, err);
    enum status st = tuning_new(&t, err);
    if (st == ST_OK)
        st = predict_all(&q, r->net, p->exec->batch, err);
    if (st == ST_OK)
        st = run_tuner(&t, &q, err);
    free(q.levels);
    free(q.predicted_ns);
    tuning_free(&t);
    return st;
}
