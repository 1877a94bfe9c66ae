#include "bench/output/decided.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bench/output/curves.h"
#include "kernels/base/len.h"
#include "kernels/base/text.h"
#include "tuner/race.h"
#include "tuner/why.h"

/* --- points and numbers --- */

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

const struct point_view *target_point(const struct target_view *target, int batch)
{
    for (size_t i = 0; i < target->point_count; i++)
        if (target->points[i].batch == batch)
            return &target->points[i];
    return NULL;
}

int target_served_batch(const struct target_view *target)
{
    return target->has_decision ? target->decision.optimal : 0;
}

const struct point_view *target_chosen(const struct target_view *target)
{
    const struct point_view *p = target_point(target, target_served_batch(target));
    return p && curve_point_is_valid(p) ? p : NULL;
}

bool target_is_verified(const struct target_view *target)
{
    const struct point_view *p = target_chosen(target);
    return p && p->has_verified && target->decision.verified &&
           target->decision.optimal == target->decision.batch;
}

bool point_is_raced(const struct point_view *point)
{
    return point->has_estimate && is(point->estimate.method, "race");
}

const struct point_view *target_fastest(const struct target_view *target)
{
    const struct point_view *best = NULL;
    for (size_t i = 0; i < target->point_count; i++) {
        const struct point_view *p = &target->points[i];
        if (!curve_point_is_valid(p) || (best && point_is_raced(best) && !point_is_raced(p)))
            continue;
        if (!best || point_is_raced(p) != point_is_raced(best) || p->estimate.y > best->estimate.y)
            best = p;
    }
    return best;
}

const struct point_view *target_best(const struct target_view *target)
{
    const struct point_view *leader = target_point(target, target->decision.leader);
    return leader && curve_point_is_valid(leader) ? leader : target_fastest(target);
}

bool target_is_faster(const struct target_view *a, const struct target_view *b)
{
    const struct point_view *left = target_chosen(a), *right = target_chosen(b);
    if (left->has_verified != right->has_verified)
        return left->has_verified;
    return point_images_per_s(left) > point_images_per_s(right);
}

const struct estimate_row *point_published(const struct point_view *point)
{
    return !point                ? NULL
           : point->has_verified ? &point->verified
           : point->has_estimate ? &point->estimate
                                 : NULL;
}

double point_images_per_s(const struct point_view *point)
{
    const struct estimate_row *e = point_published(point);
    return e ? exp(e->y) : (double)NAN;
}

double point_p95_ms(const struct point_view *point)
{
    const double raced = point && point->has_estimate ? point->estimate.service_p95_ms : (double)NAN;
    return isfinite(raced) || !point || !point->has_verified ? raced : point->verified.service_p95_ms;
}

bool estimate_has_interval(const struct estimate_row *estimate)
{
    return isfinite(estimate->y_low) && isfinite(estimate->y_high);
}

bool estimate_is_wide(const struct estimate_row *estimate)
{
    return estimate_has_interval(estimate) && sinh((estimate->y_high - estimate->y_low) / 2) > 0.5;
}

double verified_images_per_s(const struct target_view *target, const struct verify_row *row)
{
    const char *objective = target->decision.objective;
    return is(objective, "energy")    ? (double)NAN
           : is(objective, "latency") ? 1000 * row->batch * exp(row->y) /* y = -ln(ms of one batch) */
                                      : exp(row->y);
}

double verified_joules(const struct target_view *target, const struct verify_row *row)
{
    return is(target->decision.objective, "energy") ? exp(-row->y) : (double)NAN;
}

/* --- sentences --- */

__attribute__((format(printf, 2, 3))) static void say(char out[DECIDED_TEXT], const char *format, ...)
{
    const size_t used = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + used, DECIDED_TEXT - used, format, args);
    va_end(args);
}

const char *decided_cause(const struct decision_row *d)
{
    return is(d->confidence, "decided") || is(d->confidence, "within") ? "" : d->cause;
}

void decided_word(char out[DECIDED_TEXT], const struct target_view *target)
{
    const struct decision_row *d = &target->decision;
    *out = 0;
    if (!target->has_decision) {
        say(out, "no decision");
    } else if (!d->optimal) {
        say(out, "no usable batch size");
    } else {
        say(out, "batch %d", d->optimal);
        if (d->optimal != d->batch)
            say(out, " in place of %d", d->batch);
        const char *cause = decided_cause(d);
        say(out, ": %s%s%s%s, %s", d->confidence, *cause ? " (" : "", cause, *cause ? ")" : "",
            target_is_verified(target) ? "verified" : "not verified");
    }
}

void decided_rate(char out[DECIDED_TEXT], const struct point_view *point)
{
    const struct estimate_row *e = point_published(point);
    *out = 0;
    if (!e || !isfinite(e->y))
        return;
    say(out, "%.4g images/s", exp(e->y));
    if (!estimate_has_interval(e))
        return;
    if (is(e->kind, "range"))
        say(out, " (%.4g to %.4g over %d fresh execution%s)", exp(e->y_low), exp(e->y_high), e->executions,
            e->executions == 1 ? "" : "s");
    else if (estimate_is_wide(e))
        say(out, " (%.4g to %.4g)", exp(e->y_low), exp(e->y_high));
    else
        say(out, " (+- %.1f %%)", 100 * sinh((e->y_high - e->y_low) / 2));
}

/* Alive sizes below the served one that are still open: "2 and 3". */
static void open_sizes(char *out, size_t size, const struct target_view *t)
{
    size_t used = 0;
    *out = 0;
    for (size_t i = 0; i < t->point_count; i++) {
        const struct point_view *p = &t->points[i];
        const struct why_row *w = &p->why;
        if (p->has_why && p->batch < t->decision.batch && used < size &&
            (is(w->reason, "undecided") || is(w->reason, "unstable") || is(w->reason, "smaller_pending")))
            used += (size_t)snprintf(out + used, size - used, "%s%d", used ? ", " : "", p->batch);
    }
}

static const char *objective_words(const struct decision_row *d)
{
    return is(d->objective, "latency") ? "of the shortest time of a batch"
           : is(d->objective, "energy") ? "of the least energy per image" : "of the best throughput";
}

static void say_incumbent(char out[DECIDED_TEXT], const struct decision_row *d)
{
    if (!d->incumbent)
        return;
    if (is(d->incumbent_outcome, "replaced"))
        say(out, " It replaces %d, which was in use.", d->incumbent);
    else if (d->incumbent == d->batch)
        say(out, " It was in use before%s.",
            is(d->incumbent_outcome, "confirmed") ? " and is confirmed" : "");
    if (d->pending)
        say(out, " The smaller %d was fast enough too: it is chosen if the next tune finds the same.",
            d->pending);
}

/* Why an answer is undecided: in the middle of a sentence, and what to do about it (NULL: measure again). */
static const struct {
    const char *cause, *words, *step;
} causes[] = {
    { "margin", "a size lies too near the margin",
      "a size lies right at the margin, where more rounds settle little: widen the zone (--within), or live "
      "with either size" },
    { "budget", "the time was used up",
      "the time was used up: --resume goes on where it stopped, a larger --budget gives it more" },
    { "noise", "its blocks contradict each other",
      "the blocks contradict each other: measure on a quieter machine" },
    { "control", "a size differed from itself",
      "a size differed from itself, so something disturbs in the rhythm of the rounds: measure on a quieter "
      "machine" },
    { "throttled", "the device throttled all the time",
      "the device throttled all the time: cool it or lower its load, then measure again" },
    { "disturbed", "no block of any size was valid",
      "no block of any size was valid: see the marks, stop what disturbs and measure again" },
    { "verification", "fresh executions did not agree",
      "fresh executions did not agree with the race: measure on a quieter machine" },
    { "interrupted", "it was interrupted", NULL },
    { "unfinished", "the campaign did not come to its end", NULL },
};

static const char *cause_words(const char *cause)
{
    for (size_t i = 0; i < LEN(causes); i++)
        if (is(cause, causes[i].cause))
            return causes[i].words;
    return cause;
}

void decided_claim(char out[DECIDED_TEXT], const struct target_view *target)
{
    const struct decision_row *d = &target->decision;
    char open[80];
    *out = 0;
    if (!target->has_decision || !d->optimal) {
        decided_no_size(out, target);
        if (target->has_decision && d->batch)
            say(out, "%d was chosen, but a smaller size fails and none below that can be served", d->batch);
        else if (!*out)
            say(out, "%s", target->has_decision ? d->reason : target->row.detail);
        return;
    }
    open_sizes(open, sizeof open, target);
    const double x = 100 * d->x, alpha = 100 * d->alpha;
    const bool kept = is(d->incumbent_outcome, "kept");
    if (is(d->confidence, "decided"))
        say(out, "Use batch %d: %s within %.3g %% %s, wrong with a probability of at most %.3g %%.", d->batch,
            kept ? "the size in use is still" : "it is the smallest size", x, objective_words(d), alpha);
    else if (is(d->confidence, "within"))
        say(out,
            "Use batch %d: it is within %.3g %% %s, wrong with a probability of at most %.3g %%; perhaps a "
            "smaller size is too%s%s.",
            d->batch, x, objective_words(d), alpha, *open ? ", still open: " : "", open);
    else if (is(d->confidence, "undecided"))
        say(out, "Use batch %d for now: it is not shown to be within %.3g %% %s%s%s.", d->batch, x,
            objective_words(d), *d->cause ? ": " : "", cause_words(d->cause));
    else
        say(out,
            "Use batch %d for now: the sizes were only probed, none was compared with another in rounds.",
            d->batch);
    if (d->optimal && d->optimal != d->batch)
        say(out, " But a size below it fails, so %d is served.", d->optimal);
    say_incumbent(out, d);
}

/* --- what to do next --- */

static const char *step_of(const struct decision_row *d)
{
    for (size_t i = 0; i < LEN(causes); i++)
        if (causes[i].step && is(d->cause, causes[i].cause))
            return causes[i].step;
    return is(d->confidence, "coarse") ? "no round was measured: give it more time with a larger --budget"
                                       : "measure again";
}

void decided_max_safe(char out[DECIDED_TEXT], const struct target_view *target)
{
    const struct decision_row *d = &target->decision;
    *out = 0;
    if (!target->has_decision || !d->optimal || !d->max_safe)
        return;
    say(out, "%d is the largest size that may be executed", d->max_safe);
    if (!target->fill_count)
        say(out, "; larger and part-filled batches were not tried");
}

void decided_next_step(char out[DECIDED_TEXT], const struct target_view *target)
{
    const struct decision_row *d = &target->decision;
    *out = 0;
    if (!target->has_decision || !d->batch)
        return;
    if (!is(d->confidence, "decided") && !is(d->confidence, "within"))
        say(out, "%s", step_of(d));
    else if (!d->verified)
        say(out,
            "not verified, the time did not reach for fresh executions: give it more with a larger --budget");
    else if (is(d->cause, "budget"))
        say(out, "the time was used up before everything around the decision was measured: --resume goes on");
    else if (d->pending)
        say(out, "the same once more settles whether %d is enough", d->pending);
}

/* --- limit, memory, first use, open loop --- */

static double percentile_of(const struct estimate_row *e, double percentile)
{
    const struct { double p, ms; } known[] = { { .5, e->service_p50_ms }, { .9, e->service_p90_ms },
                                               { .95, e->service_p95_ms }, { .99, e->service_p99_ms } };
    for (size_t i = 0; i < LEN(known); i++)
        if (fabs(known[i].p - percentile) < 1e-9)
            return known[i].ms;
    return (double)NAN;
}

void decided_limit(char out[DECIDED_TEXT], const struct target_view *target)
{
    const struct decision_row *d = &target->decision;
    const struct point_view *p = target_chosen(target);
    *out = 0;
    if (!target->has_decision || !*d->slo_kind)
        return;
    const bool response = is(d->slo_kind, "response");
    say(out, "p%.4g of %s at most %.4g ms", 100 * d->slo_percentile,
        response ? "the time from arrival to result" : "the time of one batch", d->slo_limit_ms);
    const double ms = response ? d->queue_p95_ms
                      : p      ? percentile_of(&p->estimate, d->slo_percentile)
                               : (double)NAN;
    if (p && isfinite(ms))
        say(out, ": %.4g ms at %d", ms, p->batch);
}

void decided_no_size(char out[DECIDED_TEXT], const struct target_view *target)
{
    const struct decision_row *d = &target->decision;
    const struct point_view *best = NULL;
    double best_ms = (double)INFINITY;
    *out = 0;
    if (!target->has_decision || d->batch || !is(d->slo_kind, "service"))
        return;
    for (int median = 0; median < 2 && !best; median++)
        for (size_t i = 0; i < target->point_count; i++) {
            const struct point_view *p = &target->points[i];
            const double ms = percentile_of(&p->estimate, median ? .5 : d->slo_percentile);
            if (!p->has_estimate || curve_point_failed(p) || !(ms < best_ms))
                continue;
            best = p;
            best_ms = ms;
        }
    if (!best)
        return;
    const bool median = !isfinite(percentile_of(&best->estimate, d->slo_percentile));
    char name[24];
    snprintf(name, sizeof name, "p%.4g", 100 * d->slo_percentile);
    say(out, "no batch size meets %.4g ms%s%s%s: the best %s is %.4g ms, at %d", d->slo_limit_ms,
        median ? " (" : "", median ? name : "", median ? ")" : "", median ? "median" : name, best_ms,
        best->batch);
}

void decided_memory(char out[DECIDED_TEXT], const struct target_view *target)
{
    const struct decision_row *d = &target->decision;
    const struct point_view *p = target_chosen(target), *safe = target_point(target, d->max_safe);
    char bytes[32];
    *out = 0;
    if (!target->has_decision || !p)
        return;
    if (d->ceiling_batch)
        say(out, "%s%d fits%s", d->ceiling_is_lower_bound ? "at least " : "", d->ceiling_batch,
            d->ceiling_is_lower_bound ? " (nothing larger was tried)" : "");
    if (d->first_failed_batch)
        say(out, "%s%d does not (%s)", *out ? ", " : "", d->first_failed_batch, d->first_failed_why);
    if (p->prepared.peak_bytes) {
        text_of_bytes(bytes, sizeof bytes, p->prepared.peak_bytes);
        say(out, "%speak %s at %d", *out ? "; " : "", bytes, p->batch);
    }
    if (safe && safe->batch != p->batch && safe->prepared.peak_bytes) {
        text_of_bytes(bytes, sizeof bytes, safe->prepared.peak_bytes);
        say(out, ", %s at %d", bytes, safe->batch);
    }
    if (target->row.memory_limit_bytes) {
        text_of_bytes(bytes, sizeof bytes, target->row.memory_limit_bytes);
        say(out, "%slimit %s", *out ? "; " : "", bytes);
    }
}

void decided_first_use(char out[DECIDED_TEXT], const struct target_view *target)
{
    const struct decision_row *d = &target->decision;
    const struct point_view *p = target_chosen(target);
    *out = 0;
    if (!p)
        return;
    if (isfinite(p->first_use_ms))
        say(out, "the first batch of %d costs %.4g ms more", p->batch, p->first_use_ms);
    if (!d->break_even_against)
        return;
    if (d->break_even_images < 0)
        say(out, "%sagainst batch %d that is never earned back", *out ? "; " : "", d->break_even_against);
    else
        say(out, "%searned back against batch %d after %lld image%s (%lld call%s)", *out ? "; " : "",
            d->break_even_against, (long long)d->break_even_images, d->break_even_images == 1 ? "" : "s",
            (long long)d->break_even_calls, d->break_even_calls == 1 ? "" : "s");
}

void decided_queue(char out[DECIDED_TEXT], const struct target_view *target)
{
    const struct decision_row *d = &target->decision;
    *out = 0;
    if (!target->has_decision || !(d->queue_rate > 0))
        return;
    say(out, "%.4g images/s sent at their times, batches of at most %d on %d instance%s", d->queue_rate,
        d->queue_batch, d->queue_instances, d->queue_instances == 1 ? "" : "s");
    if (isfinite(d->queue_delay_ms))
        say(out, ", waiting at most %.4g ms to fill", d->queue_delay_ms);
    if (isfinite(d->queue_p95_ms))
        say(out, ": p95 of response %.4g ms", d->queue_p95_ms);
    if (isfinite(d->queue_limit_ms))
        say(out, " (limit %.4g ms)", d->queue_limit_ms);
}
