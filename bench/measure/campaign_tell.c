/* What a campaign says while it runs, and how it shares its time. */
#include "bench/measure/campaign_state.h"

#include <math.h>
#include <string.h>

#include "tuner/decide.h"
#include "tuner/moved.h"
#include "tuner/race.h"

uint64_t campaign_left_ns(const struct campaign_state *c)
{
    uint64_t spent_ns = campaign_elapsed_ns(c);
    return !c->budget_ns ? UINT64_MAX : spent_ns < c->budget_ns ? c->budget_ns - spent_ns : 0;
}

uint64_t campaign_share_ns(const struct campaign_state *c, const struct target_state *t, double part)
{
    uint64_t left_ns = campaign_left_ns(c), sharing = 0;
    for (const struct target_state *o = t; o < c->targets + c->target_count; o++)
        sharing += !o->ended;
    if (left_ns == UINT64_MAX)
        return left_ns;
    return (uint64_t)((double)left_ns / (double)(sharing ? sharing : 1) * part);
}

/* How many rounds or executions there are at most in a phase; 0: it has none. */
static int most_of(const char *phase)
{
    return strcmp(phase, "race") == 0     ? (int)race_look_rounds[RACE_LOOKS - 1]
           : strcmp(phase, "verify") == 0 ? VERIFY_EXECUTIONS
           : strcmp(phase, "night") == 0 || strcmp(phase, "confirm") == 0 ? MOVED_EXECUTIONS
                                                                          : 0;
}

void campaign_tell(const struct campaign_state *c, const struct target_state *t, const char *phase,
                   const char *text, int batch, int round)
{
    uint64_t elapsed_ns = campaign_now_ns(c) - c->start_ns;
    struct progress_event e = {
        .phase = phase,
        .target = t ? t->plan->name : NULL,
        .text = text,
        .target_place = t ? (int)(t - c->targets) + 1 : 0,
        .target_count = (int)c->target_count,
        .batch = batch,
        .round = round,
        .rounds = round ? most_of(phase) : 0,
        .alive = t && strcmp(phase, "race") == 0 ? (int)t->best.alive : 0,
        .best_batch = t ? t->best.batch : 0,
        .best_images_per_s = t && t->best.batch ? t->best.images_per_s : NAN,
        .best_low = t && t->best.batch ? t->best.low : NAN,
        .best_high = t && t->best.batch ? t->best.high : NAN,
        .elapsed_ns = elapsed_ns,
        .left_ns = c->budget_ns > elapsed_ns ? c->budget_ns - elapsed_ns : 0,
    };
    if (!c->context->progress)
        return;
    progress_tell(c->context->progress, &e);
}
