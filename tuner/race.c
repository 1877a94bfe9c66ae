#include "tuner/race.h"

#include <math.h>
#include <string.h>

#include "tuner/stats.h"

#define ROUNDS_MAX RACE_ROUNDS_MAX /* rounds at the last look: the cap */

const size_t race_look_rounds[RACE_LOOKS] = { 6, 9, 13, 19, 28, ROUNDS_MAX };
static const size_t often_rounds[RACE_LOOKS_OFTEN] = { 6, 8, 10, 13, 16, 19, 23, 28, 33, ROUNDS_MAX };
/* Those ten looks err as seldom as seven independent ones, while k is at most OFTEN_FEW (Monte Carlo). */
enum { OFTEN_SPLIT = 7, OFTEN_FEW = 10 };
static const double valid_share = .75;     /* fewer valid blocks than this: the size is not comparable */
static const double bias_tolerance = .01;  /* control: 1 % on top of what chance explains */
static const double noise_level = 1 - .05 / 2;

static const struct { const char *name, *text; } states[RACE_STATE_COUNT] = {
#define X(id, word, sentence) [RACE_##id] = { word, sentence },
    RACE_STATE_LIST(X)
#undef X
};
static const struct { const char *name, *text; } causes[RACE_CAUSE_COUNT] = {
#define X(id, word, sentence) [RACE_CAUSE_##id] = { word, sentence },
    RACE_CAUSE_LIST(X)
#undef X
};
const char *race_state_name(enum race_state state) { return states[state].name; }
const char *race_state_text(enum race_state state) { return states[state].text; }
const char *race_cause_name(enum race_cause cause) { return causes[cause].name; }
const char *race_cause_text(enum race_cause cause) { return causes[cause].text; }

const char *race_outcome_name(enum race_outcome outcome)
{
    static const char *const names[] = { [RACE_PAIR_OPEN] = "open", [RACE_PAIR_SLOWER] = "slower",
                                         [RACE_PAIR_HOLDS] = "holds", [RACE_CONTROL_FINE] = "control",
                                         [RACE_CONTROL_BIASED] = "bias" };
    return names[outcome];
}

struct race {
    const struct race_ask *ask;
    struct race_answer *out;
    struct race_looks *looks;             /* or NULL */
    const size_t *look_rounds;            /* [look_count] */
    size_t look_count;
    double margin;                        /* ln(1-X) */
    double level;                         /* of one test, as a quantile */
    double *quantile;                     /* [ROUNDS_MAX] t(level, df), 0: not computed yet */
    size_t *control_of;                   /* [ROUNDS_MAX] candidate that was the control in that round */
    bool (*settled)[RACE_SIZES_MAX];      /* thrifty: i was found not slower than j by more than X */
    struct race_memory *memory;
};
struct pair {
    size_t n;
    double m, se, df, c, r1;              /* all NaN if n < 3: then no test says anything */
};

/* --- blocks --------------------------------------------------------------------------------------------- */

/* column = count: the second block of the control. */
static const struct race_block *block_at(const struct race *w, size_t round, size_t column)
{
    return &w->ask->blocks[round * (w->ask->count + 1) + column];
}

static bool usable(const struct race *w, const struct race_block *b)
{
    return b->mark == RACE_VALID || (b->mark == RACE_THROTTLED && w->out->throttled);
}

static struct pair compare_values(struct race *w, const double *d, size_t n)
{
    struct estimate e = stats_estimate(d, n);
    if (e.reason != STATS_FINE)
        return (struct pair){ n, NAN, NAN, NAN, NAN, NAN };
    double *t = &w->quantile[(size_t)e.df];
    if (*t == 0)
        *t = stats_t_quantile(w->level, e.df);
    return (struct pair){ n, e.m, e.se, e.df, *t * e.se, w->looks ? stats_lag1(d, n) : NAN };
}

static struct pair compare_sizes(struct race *w, size_t i, size_t j, size_t rounds)
{
    double d[ROUNDS_MAX];
    size_t n = 0;
    for (size_t r = 0; r < rounds; r++) {
        const struct race_block *a = block_at(w, r, i), *b = block_at(w, r, j);
        if (usable(w, a) && usable(w, b))
            d[n++] = a->y - b->y;
    }
    return compare_values(w, d, n);
}

static struct pair compare_control(struct race *w, size_t rounds)
{
    double d[ROUNDS_MAX];
    size_t n = 0;
    for (size_t r = 0; r < rounds; r++) {
        const struct race_block *a = block_at(w, r, w->control_of[r]), *b = block_at(w, r, w->ask->count);
        if (w->control_of[r] < w->ask->count && usable(w, a) && usable(w, b))
            d[n++] = a->y - b->y;
    }
    return compare_values(w, d, n);
}

static void record(struct race *w, size_t look, size_t i, size_t j, const struct pair *p,
                   enum race_outcome outcome)
{
    if (!w->looks)
        return;
    if (w->looks->count < w->looks->room)
        w->looks->items[w->looks->count] = (struct race_look){ .look = look,
                                                               .n = p->n,
                                                               .i = w->ask->candidates[i].batch,
                                                               .j = w->ask->candidates[j].batch,
                                                               .m = p->m,
                                                               .se = p->se,
                                                               .df = p->df,
                                                               .c = p->c,
                                                               .r1 = p->r1,
                                                               .outcome = outcome };
    w->looks->count++;
}

/* --- who is alive --------------------------------------------------------------------------------------- */

static bool is_lost(const struct race *w, size_t i, size_t rounds)
{
    const struct race_candidate *c = &w->ask->candidates[i];
    return c->lost != WHY_NONE && c->lost_round <= rounds && !(c->lost == WHY_THROTTLED && w->out->throttled);
}

/* WHY_NONE, or what too few valid blocks are called. */
static enum why too_few_valid(const struct race *w, size_t i, size_t rounds)
{
    size_t valid = 0, throttled = 0, invalid = 0;
    for (size_t r = 0; r < rounds; r++) {
        enum race_mark mark = block_at(w, r, i)->mark;
        valid += mark == RACE_VALID;
        throttled += mark == RACE_THROTTLED;
        invalid += mark == RACE_INVALID;
    }
    if (w->out->throttled || (double)valid >= valid_share * (double)(valid + throttled + invalid))
        return WHY_NONE;
    return throttled > invalid ? WHY_THROTTLED : WHY_INVALID;
}

static enum why reason_to_leave(const struct race *w, size_t i, size_t rounds, bool at_look)
{
    if (is_lost(w, i, rounds))
        return w->ask->candidates[i].lost;
    if (w->out->sizes[i].limit == SLO_FAIL)
        return WHY_OVER_SLO;
    return at_look ? too_few_valid(w, i, rounds) : WHY_NONE;
}

/* All that is left throttles: better marked numbers than none, but nothing is decided with them. */
static void count_throttled(struct race *w)
{
    w->out->throttled = true;
    for (size_t i = 0; i < w->out->count; i++)
        if (w->out->sizes[i].alive || w->out->sizes[i].why == WHY_THROTTLED) {
            w->out->sizes[i].alive = true;
            w->out->sizes[i].why = WHY_NONE;
        }
}

/* Takes out what failed, is over the limit or has too few valid blocks. How many are left. */
static size_t leave(struct race *w, size_t rounds, bool at_look)
{
    enum why why[RACE_SIZES_MAX];
    size_t left = 0, throttled = 0, before = 0;
    for (size_t i = 0; i < w->out->count; i++) {
        if (!w->out->sizes[i].alive)
            continue;
        why[i] = reason_to_leave(w, i, rounds, at_look);
        before++;
        left += why[i] == WHY_NONE;
        throttled += why[i] == WHY_THROTTLED;
    }
    if (before > 0 && throttled == before) {
        count_throttled(w);
        return leave(w, rounds, at_look);
    }
    for (size_t i = 0; i < w->out->count; i++)
        if (w->out->sizes[i].alive && why[i] != WHY_NONE) {
            w->out->sizes[i].alive = w->out->sizes[i].accepted = false;
            w->out->sizes[i].why = why[i];
        }
    return left;
}

static const struct race_size *smallest_alive(const struct race_answer *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->sizes[i].alive)
            return &a->sizes[i];
    return NULL;
}

/* The candidate that is measured twice in the round after `rounds` complete ones; count if nothing is
 alive. */
static size_t control_after(const struct race *w, size_t rounds)
{
    size_t control = w->out->count;
    for (size_t i = w->out->count; i-- > 0;)
        if (w->out->sizes[i].alive && !w->out->sizes[i].resting && !is_lost(w, i, rounds)) {
            control = i;
            if (w->ask->candidates[i].batch == w->ask->control)
                break;
        }
    return control;
}

static void limits_of(struct race *w, size_t rounds)
{
    for (size_t i = 0; i < w->out->count; i++) {
        const struct race_candidate *c = &w->ask->candidates[i];
        w->out->sizes[i].limit = c->limit != SLO_OPEN && c->limit_round <= rounds ? c->limit : SLO_OPEN;
    }
}

bool race_has_control(enum race_thrift thrifty, size_t rounds)
{
    return thrifty == RACE_OFTEN ? rounds < often_rounds[0] || rounds % 3 == 0
           : thrifty == RACE_PLAIN || rounds < race_look_rounds[1] || rounds % 2 == 0;
}

/* --- a look --------------------------------------------------------------------------------------------- */

struct verdicts {
    bool slower[RACE_SIZES_MAX], holds[RACE_SIZES_MAX];
};

/* One direction of a pair: i against j. */
static void judge(struct race *w, struct verdicts *v, size_t look, size_t i, size_t j, const struct pair *p)
{
    struct race_size *s = &w->out->sizes[i];
    bool slower = p->m + p->c < w->margin, holds = p->m - p->c >= w->margin; /* both false for NaN */
    if (w->ask->thrifty)
        holds = w->settled[i][j] = w->settled[i][j] || holds;
    record(w, look, i, j, p, slower ? RACE_PAIR_SLOWER : holds ? RACE_PAIR_HOLDS : RACE_PAIR_OPEN);
    v->holds[i] = v->holds[i] && holds;
    if (!slower || w->out->sizes[j].limit != SLO_PASS)
        return;
    if (!v->slower[i] || p->m + p->c < s->m + s->c) { /* the rival that shows it most clearly */
        s->rival = w->ask->candidates[j].batch;
        s->m = p->m;
        s->c = p->c;
        s->df = p->df;
        s->pairs = p->n;
    }
    v->slower[i] = true;
}

static void judge_pairs(struct race *w, struct verdicts *v, size_t look)
{
    size_t count = w->out->count;
    for (size_t i = 0; i < count; i++) {
        v->slower[i] = false;
        v->holds[i] = w->out->sizes[i].alive && w->out->sizes[i].limit == SLO_PASS;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count && w->out->sizes[i].alive; j++) {
            if (!w->out->sizes[j].alive)
                continue;
            struct pair p = compare_sizes(w, i, j, look);
            judge(w, v, look, i, j, &p);
            p.m = -p.m;
            judge(w, v, look, j, i, &p);
        }
}

/* Removes what is slower, notes what is fast enough. False: that would leave nothing. */
static bool apply(struct race *w, const struct verdicts *v)
{
    bool any = false;
    for (size_t i = 0; i < w->out->count; i++)
        any = any || (w->out->sizes[i].alive && !v->slower[i]);
    for (size_t i = 0; i < w->out->count && any; i++) {
        struct race_size *s = &w->out->sizes[i];
        s->accepted = s->alive && v->holds[i];
        if (s->alive && v->slower[i]) {
            s->alive = false;
            s->why = WHY_SLOWER;
        }
    }
    return any;
}

static bool control_is_biased(struct race *w, size_t look)
{
    struct pair p = compare_control(w, look);
    w->out->control_m = p.m;
    w->out->control_c = p.c;
    if (p.n < 3)
        return false;
    bool biased = fabs(p.m) > p.c + bias_tolerance;
    w->out->noise_floor = fabs(p.m) + stats_t_quantile(noise_level, p.df) * p.se;
    if (w->control_of[look - 1] < w->ask->count)
        record(w, look, w->control_of[look - 1], w->control_of[look - 1], &p,
               biased ? RACE_CONTROL_BIASED : RACE_CONTROL_FINE);
    return biased;
}

static bool end(struct race *w, enum race_state state, enum race_cause cause, int batch)
{
    w->out->state = state;
    w->out->cause = cause;
    w->out->batch = batch;
    return true;
}

static double estimate_of(const struct race *w, size_t i, size_t rounds, size_t *n)
{
    double y[ROUNDS_MAX];
    *n = 0;
    for (size_t r = 0; r < rounds; r++)
        if (usable(w, block_at(w, r, i)))
            y[(*n)++] = block_at(w, r, i)->y;
    return stats_median(y, *n);
}

static size_t leader_at(const struct race *w, size_t rounds)
{
    size_t leader = w->ask->count, n;
    double best = -INFINITY;
    for (size_t i = w->ask->count; i-- > 0;) {
        double est = w->out->sizes[i].alive ? estimate_of(w, i, rounds, &n) : NAN;
        if (est >= best) {
            best = est;
            leader = i;
        }
    }
    return leader;
}

/* Thrifty: in the next rounds are those not accepted yet, and whom they have to be compared with: the leader;
 * and if they look like being fast enough, all the others too that they are not settled against. */
static void rest(struct race *w, size_t look)
{
    struct race_size *sizes = w->out->sizes;
    size_t count = w->out->count, leader = leader_at(w, look);
    for (size_t i = 0; i < count; i++)
        sizes[i].resting = sizes[i].alive && sizes[i].accepted;
    for (size_t i = 0; i < count && leader < count; i++) {
        if (!sizes[i].alive || sizes[i].accepted)
            continue;
        bool good = i == leader || w->settled[i][leader] || compare_sizes(w, i, leader, look).m >= w->margin;
        for (size_t j = 0; j < count; j++)
            if (sizes[j].alive && j != i && !w->settled[i][j] && (good || j == leader))
                sizes[j].resting = false;
    }
}

/* True: the race ends here. */
static bool take_look(struct race *w, size_t look)
{
    struct verdicts v;
    if (leave(w, look, true) == 0)
        return end(w, RACE_NO_SIZE, RACE_CAUSE_NONE, 0);
    w->out->look = look;
    if (control_is_biased(w, look))
        return end(w, RACE_STILL_OPEN, RACE_CAUSE_CONTROL, 0);
    judge_pairs(w, &v, look);
    if (!apply(w, &v))
        return end(w, RACE_STILL_OPEN, RACE_CAUSE_NOISE, 0);
    const struct race_size *first = smallest_alive(w->out);
    if (!first->accepted) {
        if (w->ask->thrifty)
            rest(w, look);
        return false;
    }
    if (w->out->throttled)
        return end(w, RACE_STILL_OPEN, RACE_CAUSE_DEVICE, 0);
    return end(w, RACE_DECIDED, RACE_CAUSE_NONE, w->ask->candidates[first - w->out->sizes].batch);
}

/* --- the end -------------------------------------------------------------------------------------------- */

/* Statuses as they are known now. True if one became final after the last look. */
static bool last_limits(struct race *w)
{
    bool news = false;
    for (size_t i = 0; i < w->out->count; i++) {
        enum slo_status now = w->ask->candidates[i].limit;
        if (now == SLO_OPEN && w->ask->limits_final)
            now = SLO_FAIL;
        news = news || (w->out->sizes[i].alive && now != w->out->sizes[i].limit);
        w->out->sizes[i].limit = now;
    }
    return news;
}

static void close_race(struct race *w, enum race_cause cause)
{
    bool open = false;
    if (last_limits(w) && w->out->look > 0 && take_look(w, w->out->look))
        return;
    if (leave(w, w->ask->rounds, false) == 0) {
        end(w, RACE_NO_SIZE, RACE_CAUSE_NONE, 0);
        return;
    }
    for (size_t i = 0; i < w->out->count; i++)
        open = open || (w->out->sizes[i].alive && w->out->sizes[i].limit == SLO_OPEN);
    end(w, open ? RACE_PROVE_LIMITS : RACE_STILL_OPEN, w->out->throttled ? RACE_CAUSE_DEVICE : cause, 0);
    for (size_t i = 0; i < w->out->count && w->out->state == RACE_STILL_OPEN && !w->out->throttled; i++)
        if (w->out->sizes[i].accepted)
            end(w, RACE_WITHIN, cause, w->ask->candidates[i].batch);
}

/* Estimates, leader, and every size alive against it. */
static void sum_up(struct race *w, size_t rounds)
{
    struct race_answer *a = w->out;
    size_t leader = a->count;
    for (size_t i = 0; i < a->count; i++) {
        struct race_size *s = &a->sizes[i];
        s->est = a->look > 0 ? estimate_of(w, i, rounds, &s->n) : NAN;
        if (!(a->look > 0) || s->n == 0)
            s->est = w->ask->candidates[i].coarse_y;
        if (s->alive && isfinite(s->est) && (leader == a->count || s->est > a->sizes[leader].est))
            leader = i;
    }
    a->leader = leader < a->count ? w->ask->candidates[leader].batch : 0;
    for (size_t i = 0; i < a->count && a->look > 0; i++) {
        struct race_size *s = &a->sizes[i];
        if (!s->alive || i == leader || leader == a->count)
            continue;
        struct pair p = compare_sizes(w, i, leader, a->look);
        s->rival = a->leader;
        s->m = p.m;
        s->c = p.c;
        s->df = p.df;
        s->pairs = p.n;
    }
}

/* Walks the looks that the rounds reach. The number of rounds that count: fewer than given if it ended
 * before. */
static size_t walk(struct race *w)
{
    size_t rounds = w->ask->rounds < ROUNDS_MAX ? w->ask->rounds : ROUNDS_MAX;
    size_t known = w->memory->looks, seen = known > 0 ? w->look_rounds[known - 1] : 0;
    for (size_t l = known; l < w->look_count && w->look_rounds[l] <= rounds; l++) {
        for (; seen < w->look_rounds[l]; seen++)
            w->control_of[seen] = control_after(w, seen);
        limits_of(w, seen);
        if (take_look(w, seen))
            return seen;
        if (w->memory == w->ask->memory) {
            w->memory->looks = l + 1;
            w->memory->after = *w->out;
        }
    }
    w->out->next_look = 0;
    for (size_t l = w->look_count; l-- > 0 && w->look_rounds[l] > rounds;)
        w->out->next_look = w->look_rounds[l];
    if (w->ask->out_of_budget || w->out->next_look == 0) {
        w->out->next_look = 0;
        close_race(w, rounds == ROUNDS_MAX ? RACE_CAUSE_MARGIN : RACE_CAUSE_BUDGET);
    } else if (leave(w, rounds, false) == 0) {
        end(w, RACE_NO_SIZE, RACE_CAUSE_NONE, 0);
    } else {
        w->out->control = w->ask->candidates[control_after(w, rounds)].batch;
    }
    return rounds;
}

/* As if nothing had been measured yet. */
static void begin(struct race *w)
{
    const struct race_ask *ask = w->ask;
    memset(w->memory->quantile, 0, sizeof w->memory->quantile);
    for (size_t i = 0; i < ask->count; i++)
        memset(w->memory->settled[i], 0, ask->count);
    *w->out = (struct race_answer){ .state = RACE_GO_ON, .count = ask->count, .control_m = NAN,
                                    .control_c = NAN, .noise_floor = NAN };
    for (size_t i = 0; i < ask->count; i++)
        w->out->sizes[i] = (struct race_size){ .alive = true, .limit = SLO_OPEN, .est = NAN, .m = NAN,
                                               .c = NAN, .df = NAN };
    w->memory->looks = 0;
    limits_of(w, 0);
}

void race_step(struct race_answer *out, const struct race_ask *ask, struct race_looks *looks)
{
    struct race_memory own;   /* what is read of it is written before */
    struct race w = { .ask = ask, .out = out, .looks = looks, .margin = log1p(-ask->within) };
    double rivals = ask->count > 1 ? (double)(ask->count - 1) : 1;
    bool often = ask->thrifty == RACE_OFTEN;
    w.look_rounds = often ? often_rounds : race_look_rounds;
    w.look_count = often ? RACE_LOOKS_OFTEN : RACE_LOOKS;
    double split = often && ask->count <= OFTEN_FEW ? OFTEN_SPLIT : (double)w.look_count;
    w.level = 1 - ask->alpha / (rivals * split);
    w.memory = ask->memory && !looks ? ask->memory : &own;
    w.quantile = w.memory->quantile;
    w.control_of = w.memory->control_of;
    w.settled = w.memory->settled;
    if (looks)
        looks->count = 0;
    own.looks = 0;
    if (w.memory->looks > 0)
        *out = w.memory->after;
    else
        begin(&w);
    if (ask->count == 0) {
        end(&w, RACE_NO_SIZE, RACE_CAUSE_NONE, 0);
        return;
    }
    sum_up(&w, walk(&w));
}
