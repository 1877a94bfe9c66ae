/* The driver of gnuplot: what the scripts in plots/ ask for, and a terminal and a file for each picture. */
#include "bench/output/plot_sheet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/curves.h"
#include "bench/output/decided.h"
#include "bench/output/pareto.h"
#include "kernels/base/len.h"

/* What a target's curve has at one point at least. gnuplot refuses to draw a line of nothing, so every
 * optional line runs over the list of the targets that have it. */
enum has { HAS_INTERVAL, HAS_P50, HAS_P95, HAS_P99, HAS_PEAK, HAS_PREDICTED, HAS_CHOSEN, HAS_CHOSEN_INTERVAL,
           HAS_CHOSEN_PEAK, HAS_VERIFIED, HAS_DOMINATED, HAS_FILL, HAS_PAD, HAS_SPLIT, HAS_COUNT };
static const char *const has_lists[HAS_COUNT] = { "withinterval", "with50",        "with95",
                                                  "with99",       "withpeak",      "withpredicted",
                                                  "withchosen",   "withchosenbar", "withchosenpeak",
                                                  "withverified", "withdominated", "withfill",
                                                  "withpad",      "withsplit" };

static const struct { struct plot_picture of; enum has needs; } pictures[] = { /* HAS_COUNT: nothing more */
    { { "throughput", "throughput over batch size" }, HAS_COUNT },
    { { "latency", "time of a batch over its size" }, HAS_COUNT },
    { { "pareto", "throughput against the time of a batch" }, HAS_COUNT },
    { { "fill", "what a part-filled batch costs" }, HAS_FILL },
    { { "memory", "peak memory over batch size" }, HAS_PEAK },
    { { "targets", "all targets at their chosen batch sizes" }, HAS_CHOSEN },
};

const struct plot_picture *plot_picture(size_t place)
{
    return place < LEN(pictures) ? &pictures[place].of : NULL;
}

/* The same precision has the same colour in every picture. */
static const struct { const char *precision, *colour; } colours[] = {
    { "f32", "#1f5fa8" }, { "bf16", "#d9730d" }, { "f16", "#2a8c55" }, { "tf32", "#8544a8" },
};

static const char *colour_of(const char *precision)
{
    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
        if (strcmp(precision, colours[i].precision) == 0)
            return colours[i].colour;
    return "#52606d";
}

/* In what the targets of this model differ. */
struct differ {
    bool engines, devices, threads, instances;
};

static struct differ differ_of(const struct sheet *s)
{
    struct differ d = { false };
    for (size_t i = 0; i < s->count; i++) {
        const struct target_row *a = &s->targets[0]->row, *b = &s->targets[i]->row;
        d.engines |= strcmp(a->engine, b->engine) != 0;
        d.devices |= strcmp(a->device, b->device) != 0;
        d.threads |= a->threads != b->threads;
        d.instances |= a->instances != b->instances;
    }
    return d;
}

/* The precision, and what else tells it apart. */
static void name_target(char *out, size_t size, const struct sheet *s, const struct target_view *t)
{
    const struct differ d = differ_of(s);
    char more[64] = "";
    if (d.threads)
        snprintf(more, sizeof more, " %d thr", t->row.threads);
    if (d.instances)
        snprintf(more + strlen(more), sizeof more - strlen(more), " x%d", t->row.instances);
    snprintf(out, size, "%s%s%s%s%s%s", d.engines ? t->row.engine : "", d.engines ? " " : "",
             d.devices ? t->row.device : "", d.devices ? " " : "", t->row.precision, more);
}

/* --- variables --- */

/* A text of gnuplot in single quotes: nothing in it is a command or an escape; control
 * characters become blanks. */
static void put_quoted(FILE *file, const char *text)
{
    fputc('\'', file);
    for (; *text; text++)
        fprintf(file, *text == '\'' ? "''" : "%c", (unsigned char)*text < 32 || *text == 127 ? ' ' : *text);
    fputc('\'', file);
}

static void put_text(FILE *file, const char *variable, const char *text)
{
    fprintf(file, "%s = ", variable);
    put_quoted(file, text);
    fputc('\n', file);
}

struct range { double low, high; };

static void widen(struct range *r, double x)
{
    if (!isfinite(x) || x <= 0)
        return;
    r->low = r->low > 0 && r->low < x ? r->low : x;
    r->high = r->high > x ? r->high : x;
}

/* Ticks of a logarithmic axis at 1, 2, 5 times powers of ten, so that a short range has some too. */
static void put_ticks(FILE *file, const char *variable, char axis, struct range r)
{
    static const double steps[] = { 1, 2, 5 };
    const char *comma = "";
    fprintf(file, "%s = 'set %ctics (", variable, axis);
    for (int power = -3; power < 8; power++)
        for (int i = 0; i < 3; i++) {
            const double x = steps[i] * pow(10, power);
            if (x < r.low / 2.5 || x > r.high * 2.5)
                continue;
            fprintf(file, "%s%.9g", comma, x);
            comma = ", ";
        }
    fprintf(file, ")'\n");
}

static void put_batches(FILE *file, const struct sheet *s)
{
    bool seen[4097] = { false };
    int low = 0, high = 0;
    const char *comma = "";
    for (size_t t = 0; t < s->count; t++)
        for (size_t i = 0; i < s->targets[t]->point_count; i++) {
            const struct point_view *p = &s->targets[t]->points[i];
            if (curve_point_is_valid(p) && p->batch > 0 && p->batch <= 4096)
                seen[p->batch] = true;
        }
    fprintf(file, "xticks = 'set xtics (");
    for (int b = 1; b <= 4096; b++) {
        if (!seen[b])
            continue;
        if (!low || b >= 1.12 * high || !comma[0]) /* closer ones would be printed over each other */
            fprintf(file, "%s%d", comma, b);
        comma = ", ";
        low = low ? low : b;
        high = b;
    }
    fprintf(file, ")'\nxlow = %.6g; xhigh = %.6g\n", low / 1.2, high * 1.2);
}

/* Ranges of the times, and the memory limit where it is near enough not to flatten the curve. */
static void put_ranges(FILE *file, const struct sheet *s)
{
    struct range ms = { 0 }, memory = { 0 };
    double limit = 0;
    for (size_t t = 0; t < s->count; t++) {
        limit = fmax(limit, (double)s->targets[t]->row.memory_limit_bytes / 1048576);
        for (size_t i = 0; i < s->targets[t]->point_count; i++) {
            const struct point_view *p = &s->targets[t]->points[i];
            if (!curve_point_is_valid(p))
                continue;
            widen(&ms, 1000 * p->batch / exp(p->estimate.y));
            widen(&ms, p->estimate.service_p99_ms);
            widen(&ms, s->targets[t]->has_decision ? s->targets[t]->decision.slo_limit_ms : (double)NAN);
            widen(&memory, (double)p->prepared.peak_bytes / 1048576);
        }
    }
    put_ticks(file, "yticks", 'y', ms);
    put_ticks(file, "msticks", 'x', ms);
    fprintf(file, "mslow = %.9g; mshigh = %.9g\n", ms.low > 0 ? ms.low / 1.3 : 1,
            ms.high > 0 ? ms.high * 1.3 : 10);
    fprintf(file, "limit = %.9g\n", limit > 0 && limit < 3 * memory.high ? limit : 0);
}

static bool has_advice(const struct target_view *t, const char *advice)
{
    for (size_t i = 0; i < t->fill_count; i++)
        if (strcmp(t->fill[i].advice, advice) == 0)
            return true;
    return false;
}

static bool has_fill(const struct target_view *t)
{
    for (size_t i = 0; i < t->fill_count; i++)
        if (isfinite(t->fill[i].service_p50_ms))
            return true;
    return false;
}

static bool target_has(const struct target_view *t, enum has what)
{
    if (what == HAS_FILL)
        return has_fill(t);
    if (what == HAS_PAD || what == HAS_SPLIT)
        return has_advice(t, what == HAS_PAD ? "pad" : "split");
    for (size_t i = 0; i < t->point_count; i++) {
        const struct point_view *p = &t->points[i];
        const struct estimate_row *published = point_published(p);
        const bool chosen = p == target_chosen(t), valid = curve_point_is_valid(p);
        const bool has[HAS_COUNT] = { estimate_has_interval(&p->estimate),
                                      isfinite(p->estimate.service_p50_ms),
                                      isfinite(p->estimate.service_p95_ms),
                                      isfinite(p->estimate.service_p99_ms),
                                      p->prepared.peak_bytes != 0,
                                      p->prepared.predicted_bytes != 0,
                                      chosen,
                                      chosen && estimate_has_interval(published),
                                      chosen && p->prepared.peak_bytes,
                                      p->has_verified && estimate_has_interval(&p->verified),
                                      valid && !pareto_is_front(t, p->batch) };
        if (valid && has[what])
            return true;
    }
    return false;
}

static bool any_has(const struct sheet *s, enum has what)
{
    for (size_t i = 0; i < s->count; i++)
        if (target_has(s->targets[i], what))
            return true;
    return false;
}

bool plot_has_picture(const struct sheet *s, size_t place)
{
    return pictures[place].needs == HAS_COUNT || any_has(s, pictures[place].needs);
}

static void put_lists(FILE *file, const struct sheet *s)
{
    for (enum has what = 0; what < HAS_COUNT; what++) {
        fprintf(file, "%s = '", has_lists[what]);
        for (size_t i = 0; i < s->count; i++)
            if (target_has(s->targets[i], what))
                fprintf(file, "%zu ", i + 1);
        fprintf(file, "'\n");
    }
}

/* Rates within X of the best raced one; 0 to 0: none was decided on, or something else than the rate
 * counted. */
static void put_zone(FILE *file, size_t place, const struct target_view *t)
{
    const struct decision_row *d = &t->decision;
    const struct point_view *best = target_best(t);
    const bool by_rate =
        t->has_decision && d->batch && (!*d->objective || strcmp(d->objective, "throughput") == 0);
    const double high = by_rate && best ? exp(best->estimate.y) : 0;
    fprintf(file, "zonelow[%zu] = %.9g; zonehigh[%zu] = %.9g\n", place, (1 - d->x) * high, place, high);
}

/* The limit on the time of a batch that all targets had; 0: none. */
static void put_limit(FILE *file, const struct sheet *s)
{
    const struct decision_row *d = &s->targets[0]->decision;
    const bool service = s->targets[0]->has_decision && strcmp(d->slo_kind, "service") == 0;
    char text[64] = "";
    if (service)
        snprintf(text, sizeof text, "limit of p%.4g: %.4g ms", 100 * d->slo_percentile, d->slo_limit_ms);
    fprintf(file, "slo = %.9g\n", service ? d->slo_limit_ms : 0);
    put_text(file, "slotext", text);
    snprintf(text, sizeof text, "%.3g %%", 100 * d->x);
    put_text(file, "within", text);
}

static void put_targets(FILE *file, const struct sheet *s)
{
    char name[240], bar[280];
    fprintf(file,
            "targets = %zu\narray names[%zu]; array barnames[%zu]; array colors[%zu]; array dashes[%zu]\n"
            "array marks[%zu]; array zonelow[%zu]; array zonehigh[%zu]\n",
            s->count, s->count, s->count, s->count, s->count, s->count, s->count, s->count);
    for (size_t i = 0; i < s->count; i++) {
        static const int marks[] = { 7, 5, 9, 11, 13 };
        const struct target_view *t = s->targets[i];
        int same = 0;
        for (size_t k = 0; k < i; k++)
            same += strcmp(s->targets[k]->row.precision, t->row.precision) == 0;
        name_target(name, sizeof name, s, t);
        fprintf(file, "names[%zu] = ", i + 1);
        put_quoted(file, name);
        snprintf(bar, sizeof bar, "%s: batch %d", name, target_served_batch(t));
        fprintf(file, "; barnames[%zu] = ", i + 1);
        put_quoted(file, target_chosen(t) ? bar : name);
        fprintf(file, "; colors[%zu] = '%s'; dashes[%zu] = %d; marks[%zu] = %d\n", i + 1,
                colour_of(t->row.precision), i + 1, 1 + same, i + 1, marks[(size_t)same % 5]);
        put_zone(file, i + 1, t);
    }
}

static void put_subtitle(FILE *file, const struct sheet *s)
{
    const struct target_row *r = &s->targets[0]->row;
    char text[512];
    const struct differ d = differ_of(s);
    int used = snprintf(text, sizeof text, "%dx%dx%d", r->shape[0], r->shape[1], r->shape[2]);
    if (!d.engines)
        used += snprintf(text + used, sizeof text - (size_t)used, ", %s", r->engine);
    if (!d.devices)
        used += snprintf(text + used, sizeof text - (size_t)used, ", %s", r->device);
    if (!d.threads)
        snprintf(text + used, sizeof text - (size_t)used, ", %d thread%s", r->threads,
                 r->threads == 1 ? "" : "s");
    put_text(file, "subtitle", text);
    char caveat[160] = "", line[200] = "";
    for (size_t i = 0; i < s->count && !*caveat; i++)
        curve_caveat(caveat, sizeof caveat, s->campaign, s->targets[i]);
    if (*caveat)
        snprintf(line, sizeof line, "no measurement: %s", caveat);
    put_text(file, "caveat", line);
}

static void put_picture(FILE *file, const struct sheet *s, size_t picture)
{
    static const struct {
        const char *suffix, *terminal;
    } kinds[] = {
        { ".svg",
          "svg size 680,425 dynamic noenhanced background '#ffffff' font 'Helvetica,Arial,sans-serif,13' "
          "rounded linewidth 1" },
        { ".png",
          "pngcairo size 1600,1000 noenhanced background '#ffffff' font 'Sans,13' fontscale 1.85 linewidth 2 "
          "pointscale 2" },
    };
    char path[SHEET_PATH + 64], title[256];
    snprintf(title, sizeof title, "%s: %s", s->model, pictures[picture].of.title);
    put_text(file, "titletext", title);
    for (size_t k = 0; k < 2; k++) {
        fprintf(file, "set terminal %s\nset output ", kinds[k].terminal);
        snprintf(path, sizeof path, "%s-%s%s", s->base, pictures[picture].of.name, kinds[k].suffix);
        put_quoted(file, path);
        snprintf(path, sizeof path, "%.4000s/%s.gp", s->scripts, pictures[picture].of.name);
        fprintf(file, "\nload ");
        put_quoted(file, path);
        fprintf(file, "\nset output\n");
    }
}

enum status plot_driver_write(const struct sheet *s, struct err *err)
{
    char path[SHEET_PATH + 64];
    FILE *file = sheet_open(s, ".gp", err);
    if (!file)
        return ST_IO;
    fprintf(file, "# gnuplot THIS draws the pictures again\n");
    for (size_t i = 0; plot_data_file(i); i++) {
        snprintf(path, sizeof path, "%s%s", s->base, plot_data_file(i)->suffix);
        put_text(file, plot_data_file(i)->variable, path);
    }
    snprintf(path, sizeof path, "%.4000s/style.gp", s->scripts);
    put_text(file, "style", path);
    put_subtitle(file, s);
    put_batches(file, s);
    put_ranges(file, s);
    put_limit(file, s);
    put_targets(file, s);
    put_lists(file, s);
    for (size_t i = 0; i < LEN(pictures); i++)
        if (plot_has_picture(s, i))
            put_picture(file, s, i);
    return sheet_close(file, s, ".gp", err);
}
