#include "bench/measure/results_whys.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct why_row new_why(const struct target_state *t, int batch, enum why why)
{
    struct why_row w = {
        .target = t->row.id, .batch = batch, .value = NAN, .limit = NAN, .m = NAN, .c = NAN, .df = NAN
    };
    snprintf(w.reason, sizeof w.reason, "%s", why_name(why));
    snprintf(w.text, sizeof w.text, "%d: %s", batch, why_text(why));
    return w;
}

static double percent_below(double m)
{
    return 100 * (1 - exp(m));
}

/* Sentence of a size that was compared with another. */
static void write_comparison(struct why_row *w, enum why why, double y, double within)
{
    int n = snprintf(w->text, sizeof w->text, "%d: %.4g images/s", w->batch, exp(y));
    char *rest = w->text + n;
    size_t room = sizeof w->text - (size_t)n;
    if (w->rival && isfinite(w->c))
        n = snprintf(rest, room, ", %.1f %% below %d (+- %.1f)", percent_below(w->m), w->rival, 100 * w->c);
    else if (w->rival)
        n = snprintf(rest, room, w->m > 0 ? ", %.1f %% above %d" : ", %.1f %% below %d",
                     fabs(percent_below(w->m)), w->rival);
    else
        n = snprintf(rest, room, ", the best");
    rest += n;
    room -= (size_t)n;
    if (why == WHY_CHOSEN)
        snprintf(rest, room, ", the smallest within %.3g %%", 100 * within);
    else
        snprintf(rest, room, ": %s", why_text(why));
}

static void add_sentence(struct why_row *w, const char *detail)
{
    size_t used = strlen(w->text);
    if (*detail && used < sizeof w->text)
        snprintf(w->text + used, sizeof w->text - used, ": %.*s", (int)(sizeof w->text - used), detail);
}

/* The first word of a stored detail ("killed: ...") is the record's detail, the rest goes into the sentence.
 */
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
    add_sentence(w, detail);
}

static void add_memory(struct why_row *w, const struct target_state *t, enum why why)
{
    const struct prepared_row *row = history_prepared(&t->history, w->batch);
    if (why == WHY_OVER_MEMORY && row) {
        w->value = (double)(row->peak_bytes ? row->peak_bytes : row->predicted_bytes);
        w->limit = (double)t->row.memory_limit_bytes;
    }
}

/* A size that is no candidate. */
struct why_row results_why_of_size(const struct target_state *t, const struct search_size *s, double within)
{
    struct why_row w = new_why(t, s->batch, s->why);
    const struct prepared_row *row = history_prepared(&t->history, s->batch);
    w.rival = s->rival;
    w.m = s->m;
    if (s->has_y)
        write_comparison(&w, s->why, s->y, within);
    else if (row && strcmp(row->result, why_name(s->why)) == 0)
        take_detail(&w, row->detail);
    add_memory(&w, t, s->why);
    return w;
}

struct why_row results_why_of_point(const struct target_state *t, const struct point *q,
                                    const struct choose_why *why, const struct choose_point *at,
                                    double within)
{
    struct why_row w = new_why(t, q->batch, why->why);
    const struct loss *loss = history_loss(&t->history, q->batch);
    w.rival = why->rival;
    w.m = why->m;
    w.c = why->c;
    w.n = (int)q->n;
    w.df = q->n >= 3 ? stats_interval(q->y, q->n, INTERVAL_SEQUENTIAL).df_used : NAN;
    w.value = exp(why->rival ? why->m : 0);
    w.limit = 1 - within;
    if (why->why == WHY_CHOSEN)
        snprintf(w.detail, sizeof w.detail, "best_so_far");
    if (at->out == WHY_NONE)
        write_comparison(&w, why->why, at->y, within);
    else if (loss && loss->why == why->why)
        take_detail(&w, loss->detail);
    if (at->out != WHY_NONE)
        w.value = w.limit = NAN;
    return w;
}

/* Every size of a target that ended as a whole has its reason. */
void results_whys_of_end(struct results_rows *out, const struct target_state *t)
{
    for (size_t i = 0; i < t->plan->point_count && i < SEARCH_SIZES_MAX; i++) {
        struct why_row w = new_why(t, t->plan->points[i].batch, t->ended_why);
        snprintf(w.detail, sizeof w.detail, "%.*s", (int)sizeof w.detail - 1, t->row.detail);
        add_sentence(&w, t->row.detail);
        out->whys[out->why_count++] = w;
    }
}
