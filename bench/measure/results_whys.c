#include "bench/measure/results_whys.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bench/measure/service_times.h"

/* How values of an objective are told: those that are a cost are stored with the sign turned. */
static const struct {
    const char *unit;
    bool cost;
} objectives[OBJECTIVE_COUNT] = { [OBJECTIVE_THROUGHPUT] = { "images/s", false },
                                  [OBJECTIVE_LATENCY] = { "ms per batch", true },
                                  [OBJECTIVE_ENERGY] = { "J per image", true } };

static struct why_row new_why(const struct results_ask *ask, int batch, enum why why)
{
    struct why_row w = {
        .target = ask->row->id, .batch = batch, .value = NAN, .limit = NAN, .m = NAN, .c = NAN, .df = NAN
    };
    snprintf(w.reason, sizeof w.reason, "%s", why_name(why));
    snprintf(w.text, sizeof w.text, "%d", batch);
    return w;
}

/* --- the sentence --------------------------------------------------------------------------------------- */

static void add(struct why_row *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct why_row *w, const char *format, ...)
{
    size_t used = strlen(w->text);
    va_list args;
    va_start(args, format);
    vsnprintf(w->text + used, sizeof w->text - used, format, args);
    va_end(args);
}

static double percent_worse(double m, bool cost)
{
    return cost ? 100 * (exp(-m) - 1) : 100 * (1 - exp(m));
}

static void say_value(struct why_row *w, double y, enum objective objective)
{
    if (isfinite(y))
        add(w, ": %.4g %s", exp(objectives[objective].cost ? -y : y), objectives[objective].unit);
}

/* ", 4.3 % below 64 (3.9..4.7 % in 13 rounds)" */
static void say_comparison(struct why_row *w, enum objective objective)
{
    bool cost = objectives[objective].cost;
    double percent = percent_worse(w->m, cost), sign = percent < 0 ? -1 : 1;
    if (!w->rival || !isfinite(w->m))
        return;
    add(w, ", %.1f %% %s %d", fabs(percent), (percent < 0) == cost ? "below" : "above", w->rival);
    if (!isfinite(w->c))
        return;
    double a = sign * percent_worse(w->m + w->c, cost), b = sign * percent_worse(w->m - w->c, cost);
    add(w, " (%.1f..%.1f %% in %d rounds)", fmin(a, b), fmax(a, b), w->n);
}

static void say_chosen(struct why_row *w, const struct results_ask *ask)
{
    const struct decide_answer *a = &ask->decision->choice;
    double percent = 100 * ask->rules->within;
    if (a->detail == DETAIL_BEST_SO_FAR)
        add(w, ": chosen, the best answer so far");
    else if (a->outcome == INCUMBENT_KEPT || a->detail == DETAIL_INCUMBENT_KEPT)
        add(w, ": chosen, it is in use and not shown to be slower");
    else if (a->confidence == DECIDE_WITHIN)
        add(w, ": chosen, within %.3g %% of the best, perhaps a smaller size is too", percent);
    else if (a->batch == a->leader)
        add(w, ": chosen, the best, and no smaller size is within %.3g %%", percent);
    else
        add(w, ": chosen, the smallest within %.3g %% of the best", percent);
}

static void say_reason(struct why_row *w, const struct decide_why *why, const struct results_ask *ask)
{
    if (why->why == WHY_CHOSEN)
        say_chosen(w, ask);
    else if (why->why == WHY_SLOWER)
        add(w, ": slower by more than %.3g %%", 100 * ask->rules->within);
    else
        add(w, ": %s", decide_why_text(why));
}

/* --- what a reason has beside it ------------------------------------------------------------------------ */

/* The first word of a stored detail ("killed: ...") is the record's detail, the rest goes into the
 * sentence. */
static void take_detail(struct why_row *w, const char *detail)
{
    static const char *const words[] = { "predicted", "measured", "allocator", "killed" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i]);
        if (strncmp(detail, words[i], size) == 0 && detail[size] == ':') {
            snprintf(w->detail, sizeof w->detail, "%s", words[i]);
            detail += size + 2;
            break;
        }
    }
    if (*detail)
        add(w, ": %s", detail);
}

/* Of a size that failed: what the probe, or the round in which it was lost, said. */
static void add_failure(struct why_row *w, enum why why, const struct results_ask *ask)
{
    const struct prepared_row *row = history_prepared(ask->history, w->batch);
    const struct loss *loss = history_loss(ask->history, w->batch);
    if (loss && loss->why == why)
        take_detail(w, loss->detail);
    else if (row && strcmp(row->result, why_name(why)) == 0)
        take_detail(w, row->detail);
    if (why == WHY_OVER_MEMORY && row) {
        w->value = (double)(row->peak_bytes ? row->peak_bytes : row->predicted_bytes);
        w->limit = (double)ask->row->memory_limit_bytes;
    }
}

static enum status add_limit(struct why_row *w, const struct results_ask *ask, struct err *err)
{
    const struct latency_limit *limit = &ask->rules->limit;
    struct service_summary s;
    w->limit = limit->limit_ms;
    if (limit->response)
        return ST_OK;
    enum status st = service_times_of(&s, ask->history, w->batch, limit->percentile, err);
    w->value = s.limited_ms;
    if (st == ST_OK && isfinite(s.limited_ms))
        add(w, ": p%.4g is %.4g ms, the limit %.4g ms", 100 * limit->percentile, s.limited_ms,
            limit->limit_ms);
    else if (st == ST_OK && isfinite(s.p50_ms))
        add(w, ": p50 is %.4g ms, the limit of p%.4g is %.4g ms", s.p50_ms, 100 * limit->percentile,
            limit->limit_ms);
    return st;
}

static enum status make_why(struct why_row *out, const struct decide_why *why, const struct results_ask *ask,
                            struct err *err)
{
    struct why_row *w = out;
    *w = new_why(ask, why->batch, why->why);
    w->rival = why->rival;
    w->m = why->m;
    w->c = why->c;
    w->df = why->df;
    w->n = (int)why->n;
    if (isfinite(why->limit)) {
        w->value = exp(why->m);
        w->limit = exp(why->limit);
    }
    snprintf(w->detail, sizeof w->detail, "%s", decide_detail_name(why->detail));
    say_value(w, why->y, ask->rules->objective);
    say_comparison(w, ask->rules->objective);
    say_reason(w, why, ask);
    if (why->why == WHY_OVER_SLO)
        return add_limit(w, ask, err);
    add_failure(w, why->why, ask);
    return ST_OK;
}

enum status results_whys_make(struct results *out, const struct results_ask *ask, struct err *err)
{
    const struct decision *d = ask->decision;
    enum status st = ST_OK;
    for (size_t i = 0; i < d->search.count && st == ST_OK; i++)
        st = make_why(&out->whys[out->why_count++], &d->whys[i], ask, err);
    return st;
}

/* --- a target that ended as a whole --------------------------------------------------------------------- */

static void add_end(struct results *out, const struct results_ask *ask, int batch, enum why why)
{
    struct why_row *w = &out->whys[out->why_count++];
    *w = new_why(ask, batch, why);
    snprintf(w->detail, sizeof w->detail, "%.*s", (int)sizeof w->detail - 1, ask->row->detail);
    add(w, ": %s", why_text(why));
    if (*ask->row->detail)
        add(w, ": %s", ask->row->detail);
}

void results_whys_of_end(struct results *out, const struct results_ask *ask)
{
    enum why why = ask->ended_why;
    for (size_t i = 0; ask->rules->given && i < ask->rules->given_count; i++)
        add_end(out, ask, ask->rules->given[i], why);
    for (int b = 1; !ask->rules->given && b <= ask->rules->max_batch; b *= 2)
        add_end(out, ask, b, why);
}
