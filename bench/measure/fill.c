#include "bench/measure/fill.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/ascent.h"
#include "bench/measure/trial.h"
#include "tuner/stats.h"

static const double split_gain = 0.98; /* two parts must save 2 %: a second call costs something too */
static const double hint_gain =
    1.03; /* what a size between powers of two has to gain to become a candidate */

const char *fill_advice_name(enum fill_advice advice)
{
    static const char *const names[] = { [FILL_EXACT] = "exact", [FILL_PAD] = "pad", [FILL_SPLIT] = "split" };
    return names[advice];
}

/* --- what was measured of one size ---------------------------------------------------------------------- */

static bool is_fill(const struct block_fact *f, int images)
{
    return f->kind == BLOCK_FILL && f->batch == images;
}

static bool was_run(const struct history *h, int images)
{
    for (size_t i = 0; i < h->count; i++)
        if (is_fill(&h->blocks[i], images))
            return true;
    return false;
}

/* Median over all iterations of the valid blocks, in ns; NaN: none. */
static double median_ns(struct fill_size *s, const struct history *h, double *room)
{
    size_t n = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        if (!is_fill(f, s->images) || !f->valid || !f->iteration_ns)
            continue;
        s->blocks++;
        s->iterations += f->iterations;
        for (int k = 0; k < f->iterations; k++)
            room[n++] = (double)f->iteration_ns[k];
    }
    return n ? stats_median(room, n) : NAN;
}

/* Median of the values of the valid blocks; NaN: none. */
static double median_y(const struct history *h, int images, double *room)
{
    size_t n = 0;
    for (size_t i = 0; i < h->count; i++)
        if (is_fill(&h->blocks[i], images) && h->blocks[i].valid)
            room[n++] = h->blocks[i].y;
    return n ? stats_median(room, n) : NAN;
}

static bool is_first_of_process(const struct history *h, size_t trial)
{
    for (size_t i = 0; i < trial; i++)
        if (h->trials[i].row.execution == h->trials[trial].row.execution)
            return false;
    return true;
}

/* Prepare and first run in ns, median over the processes that ran nothing before it, else over all in which
 * it was new; NaN: none. */
static double first_calls_ns(const struct history *h, int images, double *room)
{
    for (int alone = 1; alone >= 0; alone--) {
        size_t n = 0;
        for (size_t i = 0; i < h->trial_count; i++) {
            const struct prepared_row *row = &h->trials[i].row;
            if (row->batch == images && strcmp(row->result, ASCENT_FEASIBLE) == 0 && row->first_run_ns > 0 &&
                (!alone || is_first_of_process(h, i)))
                room[n++] = (double)(row->prepare_ns + row->first_run_ns);
        }
        if (n)
            return stats_median(room, n);
    }
    return NAN;
}

static void measure(struct fill_size *s, const struct history *h, int batch, double *room)
{
    double median = median_ns(s, h, room), first = first_calls_ns(h, s->images, room);
    double own = median_y(h, s->images, room), chosen = median_y(h, batch, room);
    s->service_p50_ms = median / 1e6;
    s->first_use_ms = isnan(first - median) ? NAN : fmax(first - median, 0) / 1e6;
    s->faster = s->images < batch && own >= chosen + log(hint_gain); /* false for NaN */
}

/* --- advice --------------------------------------------------------------------------------------------- */

static double cost(const struct fill_table *f, int images)
{
    return f->sizes[images - 1].service_p50_ms;
}

/* Every comparison with a cost that is not known (NaN) is false. */
static void advise(struct fill_size *s, const struct fill_table *f, int most)
{
    double own = s->service_p50_ms, best = own;
    s->advice = FILL_EXACT;
    s->as[0] = s->images;
    s->as[1] = 0;
    for (int n = s->images + 1; n <= most; n++)
        if (cost(f, n) < best || (cost(f, n) <= best && s->advice == FILL_EXACT)) {
            best = cost(f, n);
            s->advice = FILL_PAD;
            s->as[0] = n;
        }
    for (int a = (s->images + 1) / 2; a < s->images; a++) {
        double parts = cost(f, a) + cost(f, s->images - a);
        if (parts < split_gain * own && parts < best) {
            best = parts;
            s->advice = FILL_SPLIT;
            s->as[0] = a;
            s->as[1] = s->images - a;
        }
    }
}

void fill_advise(struct fill_table *f, int most)
{
    for (size_t i = 0; i < f->count; i++)
        advise(&f->sizes[i], f, most < (int)f->count ? most : (int)f->count);
}

/* --- the table ------------------------------------------------------------------------------------------ */

/* Numbers that one size can have at most. */
static size_t count_numbers(const struct history *h)
{
    size_t n = h->trial_count + 1;
    for (size_t i = 0; i < h->count; i++)
        if (h->blocks[i].kind == BLOCK_FILL)
            n += 1 + (size_t)h->blocks[i].iterations;
    return n;
}

static int largest_size(const struct history *h)
{
    int largest = 0;
    for (size_t i = 0; i < h->count; i++)
        if (h->blocks[i].kind == BLOCK_FILL && h->blocks[i].batch > largest)
            largest = h->blocks[i].batch;
    return largest;
}

enum status fill_table_make(struct fill_table *out, const struct history *h, int batch, struct err *err)
{
    int largest = largest_size(h);
    double *room = malloc(count_numbers(h) * sizeof *room);
    *out = (struct fill_table){ .sizes = calloc((size_t)largest + 1, sizeof *out->sizes) };
    if (!room || !out->sizes) {
        free(room);
        fill_table_free(out);
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the fill table of %d sizes", largest);
    }
    for (int n = 1; n <= largest + 1 && !out->first_failed; n++) {
        enum why failed = trial_failure(h, TRIAL_FILL, n, TRIAL_FILL_DEATHS);
        if (failed == WHY_NONE && !was_run(h, n))
            break;
        struct fill_size *s = &out->sizes[out->count++];
        *s = (struct fill_size){ .images = n, .failed = failed, .service_p50_ms = NAN, .first_use_ms = NAN };
        out->first_failed = failed != WHY_NONE ? n : 0;
        if (failed == WHY_NONE)
            measure(s, h, batch, room);
    }
    free(room);
    fill_advise(out, (int)out->count);
    return ST_OK;
}

void fill_table_free(struct fill_table *f)
{
    free(f->sizes);
    *f = (struct fill_table){ 0 };
}

/* --- break-even ----------------------------------------------------------------------------------------- */

struct break_even break_even_of(int batch, double rate, double first_use_ms, int against, double against_rate)
{
    struct break_even none = { 0 }, never = { against, -1, -1 };
    if (batch <= 1 || against <= 0 || against == batch || !isfinite(rate) || !isfinite(against_rate) ||
        !isfinite(first_use_ms))
        return none;
    /* first use / (1 / against_rate - 1 / rate), over a common denominator: differences of inverses round
     * badly */
    double images =
        rate > against_rate ? first_use_ms * rate * against_rate / (rate - against_rate) / 1000 : INFINITY;
    if (images > 1e15) /* more than anybody runs, and safely inside of an integer */
        return never;
    return (struct break_even){ against, (int64_t)ceil(images), (int64_t)ceil(images / batch) };
}
