#include "bench/output/plot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/output/curves.h"
#include "bench/output/decided.h"
#include "bench/output/details.h"
#include "bench/output/pareto.h"
#include "kernels/base/home.h"
#include "kernels/base/len.h"

extern char **environ;

#define TARGETS_MAX 12 /* more lines in one picture cannot be told apart */
#define PATH_SIZE 4096

/* What a target's curve has at one point at least. gnuplot refuses to draw a line of nothing, so every
 * optional line runs over the list of the targets that have it. */
enum has { HAS_INTERVAL, HAS_P50, HAS_P95, HAS_P99, HAS_PEAK, HAS_PREDICTED, HAS_CHOSEN, HAS_CHOSEN_INTERVAL,
           HAS_CHOSEN_PEAK, HAS_VERIFIED, HAS_DOMINATED, HAS_FILL, HAS_PAD, HAS_SPLIT, HAS_COUNT };
static const char *const has_lists[HAS_COUNT] = { "withinterval", "with50", "with95", "with99", "withpeak",
                                                  "withpredicted", "withchosen", "withchosenbar",
                                                  "withchosenpeak", "withverified", "withdominated", "withfill",
                                                  "withpad", "withsplit" };

static const struct { const char *name, *title; enum has needs; } pictures[] = { /* HAS_COUNT: nothing more */
    { "throughput", "throughput over batch size", HAS_COUNT },
    { "latency", "time of a batch over its size", HAS_COUNT },
    { "pareto", "throughput against the time of a batch", HAS_COUNT },
    { "fill", "what a part-filled batch costs", HAS_FILL },
    { "memory", "peak memory over batch size", HAS_PEAK },
    { "targets", "all targets at their chosen batch sizes", HAS_CHOSEN },
};
#define PICTURES (sizeof pictures / sizeof *pictures)

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

/* --- what one model's pictures show --- */

struct sheet {
    const struct campaign *campaign;
    const char *model;
    const struct target_view *targets[TARGETS_MAX];
    size_t count;
    char   base[PATH_SIZE];       /* folder/plots/MODEL, with a name that is safe for files */
    char   scripts[HOME_PATH_MAX];
};

static bool has_curve(const struct target_view *t)
{
    for (size_t i = 0; i < t->point_count; i++)
        if (curve_point_is_valid(&t->points[i]))
            return true;
    return false;
}

static void collect(struct sheet *s, const struct campaign *campaign, const char *model, const char *folder)
{
    s->campaign = campaign;
    s->model = model;
    s->count = 0;
    for (size_t i = 0; i < campaign->target_count && s->count < TARGETS_MAX; i++)
        if (strcmp(campaign->targets[i].row.model, model) == 0 && has_curve(&campaign->targets[i]))
            s->targets[s->count++] = &campaign->targets[i];
    int used = snprintf(s->base, sizeof s->base, "%s/plots/", folder);
    for (const char *c = model; *c && used < PATH_SIZE - 64; c++)
        s->base[used++] = (char)(isalnum((unsigned char)*c) || strchr("_-", *c) ? *c : '_');
    s->base[used] = 0;
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

/* --- data --- */

static void put_number(FILE *file, double x, const char *end)
{
    if (isfinite(x))
        fprintf(file, "%.9g%s", x, end);
    else
        fprintf(file, "NaN%s", end);
}

static void write_point(FILE *file, const struct target_view *t, const struct curve_row *r)
{
    fprintf(file, "%d\t", r->batch);
    put_number(file, r->images_per_s, "\t");
    put_number(file, r->images_per_s_low, "\t");
    put_number(file, r->images_per_s_high, "\t");
    put_number(file, r->service_p50_ms, "\t");
    put_number(file, r->service_p95_ms, "\t");
    put_number(file, r->service_p99_ms, "\t");
    put_number(file, r->peak_bytes ? (double)r->peak_bytes / 1048576 : (double)NAN, "\t");
    put_number(file, r->predicted_bytes ? (double)r->predicted_bytes / 1048576 : (double)NAN, "\t");
    fprintf(file, "%d\t", target_served_batch(t) == r->batch);
    put_number(file, 1000 * r->batch / r->images_per_s, "\t");
    put_number(file, r->verified_images_per_s, "\t");
    put_number(file, r->verified_images_per_s_low, "\t");
    put_number(file, r->verified_images_per_s_high, "\t");
    fprintf(file, "%d\n", r->dominated_by);
}

static void write_curve(FILE *file, const struct target_view *t)
{
    struct curve_row *rows = curve_rows(t);
    for (size_t i = 0; rows && i < t->point_count; i++)
        if (curve_point_is_valid(&t->points[i]))
            write_point(file, t, &rows[i]);
    free(rows);
}

/* A target without a table has one line of nothing, so that the blocks keep their numbers. */
static void write_fill(FILE *file, const struct target_view *t)
{
    struct fill_line *lines = fill_lines(t);
    if (!t->fill_count || !lines)
        fprintf(file, "NaN\tNaN\tNaN\t-\n");
    for (size_t i = 0; lines && i < t->fill_count; i++) {
        fprintf(file, "%d\t", lines[i].images);
        put_number(file, lines[i].service_p50_ms, "\t");
        put_number(file, lines[i].as_ms, "\t");
        fprintf(file, "%s\n", *lines[i].advice ? lines[i].advice : "-");
    }
    free(lines);
}

/* What a bar of a chosen size shows: the published rate. */
static void write_bar(FILE *file, size_t place, const struct target_view *t)
{
    const struct estimate_row *e = point_published(target_chosen(t));
    fprintf(file, "%zu\t", place);
    put_number(file, e ? exp(e->y) : (double)NAN, "\t");
    put_number(file, e ? exp(e->y_low) : (double)NAN, "\t");
    put_number(file, e ? exp(e->y_high) : (double)NAN, "\n");
}

static FILE *open_file(const struct sheet *s, const char *suffix, struct err *err)
{
    char path[PATH_SIZE + 64];
    snprintf(path, sizeof path, "%s%s", s->base, suffix);
    FILE *file = fopen(path, "w");
    if (!file)
        err_set(err, ST_IO, "%s: cannot be written: %s", path, strerror(errno));
    return file;
}

static enum status close_file(FILE *file, const struct sheet *s, const char *suffix, struct err *err)
{
    const bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad)
        return err_set(err, ST_IO, "%s%s: writing failed: %s", s->base, suffix, strerror(errno));
    return ST_OK;
}

static void write_curves(FILE *file, const struct sheet *s)
{
    fprintf(file,
            "# batch\timages/s\tlow\thigh\tp50 ms\tp95 ms\tp99 ms\tmeasured MiB\tpredicted MiB\tchosen\t"
            "batch / throughput ms\tverified images/s\tlow\thigh\tdominated by\n");
    for (size_t i = 0; i < s->count; i++) {
        fprintf(file, "%s", i ? "\n\n" : "");
        write_curve(file, s->targets[i]);
    }
}

static void write_bars(FILE *file, const struct sheet *s)
{
    fprintf(file, "# place\timages/s\tlow\thigh\n");
    for (size_t i = 0; i < s->count; i++)
        write_bar(file, i + 1, s->targets[i]);
}

static void write_fills(FILE *file, const struct sheet *s)
{
    fprintf(file, "# images\tp50 ms\tms as advised\tadvice\n");
    for (size_t i = 0; i < s->count; i++) {
        fprintf(file, "%s", i ? "\n\n" : "");
        write_fill(file, s->targets[i]);
    }
}

static const struct {
    const char *suffix, *variable;   /* of the file; what the scripts call it */
    void (*write)(FILE *file, const struct sheet *s);
} data_files[] = {
    { ".tsv", "data", write_curves }, { "-targets.tsv", "bars", write_bars }, { "-fill.tsv", "fills", write_fills },
};

static enum status write_data(const struct sheet *s, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; st == ST_OK && i < LEN(data_files); i++) {
        FILE *file = open_file(s, data_files[i].suffix, err);
        if (!file)
            return ST_IO;
        data_files[i].write(file, s);
        st = close_file(file, s, data_files[i].suffix, err);
    }
    return st;
}

/* --- the driver --- */

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
        const bool has[HAS_COUNT] = { estimate_has_interval(&p->estimate), isfinite(p->estimate.service_p50_ms),
            isfinite(p->estimate.service_p95_ms), isfinite(p->estimate.service_p99_ms),
            p->prepared.peak_bytes != 0, p->prepared.predicted_bytes != 0, chosen,
            chosen && estimate_has_interval(published), chosen && p->prepared.peak_bytes,
            p->has_verified && estimate_has_interval(&p->verified), valid && !pareto_is_front(t, p->batch) };
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

/* Is there anything to draw? */
static bool has_picture(const struct sheet *s, size_t picture)
{
    return pictures[picture].needs == HAS_COUNT || any_has(s, pictures[picture].needs);
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

/* Rates within X of the best raced one; 0 to 0: none was decided on, or something else than the rate counted. */
static void put_zone(FILE *file, size_t place, const struct target_view *t)
{
    const struct decision_row *d = &t->decision;
    const struct point_view *best = target_point(t, d->leader);
    const bool by_rate = t->has_decision && d->batch && (!*d->objective || strcmp(d->objective, "throughput") == 0);
    if (!best || !curve_point_is_valid(best))
        best = target_fastest(t);
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
    static const struct { const char *suffix, *terminal; } kinds[] = {
        { ".svg", "svg size 680,425 dynamic noenhanced background '#ffffff' font 'Helvetica,Arial,sans-serif,13' "
                  "rounded linewidth 1" },
        { ".png", "pngcairo size 1600,1000 noenhanced background '#ffffff' font 'Sans,13' fontscale 1.85 linewidth 2 "
                  "pointscale 2" },
    };
    char path[PATH_SIZE + 64], title[256];
    snprintf(title, sizeof title, "%s: %s", s->model, pictures[picture].title);
    put_text(file, "titletext", title);
    for (size_t k = 0; k < 2; k++) {
        fprintf(file, "set terminal %s\nset output ", kinds[k].terminal);
        snprintf(path, sizeof path, "%s-%s%s", s->base, pictures[picture].name, kinds[k].suffix);
        put_quoted(file, path);
        snprintf(path, sizeof path, "%.4000s/%s.gp", s->scripts, pictures[picture].name);
        fprintf(file, "\nload ");
        put_quoted(file, path);
        fprintf(file, "\nset output\n");
    }
}

static enum status write_driver(const struct sheet *s, struct err *err)
{
    char path[PATH_SIZE + 64];
    FILE *file = open_file(s, ".gp", err);
    if (!file)
        return ST_IO;
    fprintf(file, "# gnuplot THIS draws the pictures again\n");
    for (size_t i = 0; i < LEN(data_files); i++) {
        snprintf(path, sizeof path, "%s%s", s->base, data_files[i].suffix);
        put_text(file, data_files[i].variable, path);
    }
    snprintf(path, sizeof path, "%.4000s/style.gp", s->scripts);
    put_text(file, "style", path);
    put_subtitle(file, s);
    put_batches(file, s);
    put_ranges(file, s);
    put_limit(file, s);
    put_targets(file, s);
    put_lists(file, s);
    for (size_t i = 0; i < PICTURES; i++)
        if (has_picture(s, i))
            put_picture(file, s, i);
    return close_file(file, s, ".gp", err);
}

/* --- gnuplot --- */

/* First line of a file that says something, for the message. */
static void first_line(char *out, size_t size, const char *path)
{
    FILE *file = fopen(path, "r");
    *out = 0;
    while (file && fgets(out, (int)size, file)) {
        out[strcspn(out, "\r\n")] = 0;
        if (out[strspn(out, " \t^")])
            break;
    }
    if (file)
        fclose(file);
}

/* ST_UNSUPPORTED: there is no gnuplot. */
static enum status run_gnuplot(const struct sheet *s, struct err *err)
{
    char driver[PATH_SIZE + 64], log[PATH_SIZE + 64], line[300];
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = 0;
    snprintf(driver, sizeof driver, "%s.gp", s->base);
    snprintf(log, sizeof log, "%s.log", s->base);
    char *argv[] = { (char[]){ "gnuplot" }, driver, NULL };
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    const int error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT || error == EACCES || error == ENOTDIR)
        return ST_UNSUPPORTED;
    if (error)
        return err_set(err, ST_ENVIRONMENT, "gnuplot could not be started: %s", strerror(error));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return ST_UNSUPPORTED;
    first_line(line, sizeof line, log);
    if (WIFSIGNALED(status))
        return err_set(err, ST_ENVIRONMENT, "gnuplot died of signal %d on %s", WTERMSIG(status), driver);
    if (WEXITSTATUS(status) != 0)
        return err_set(err, ST_ENVIRONMENT, "gnuplot failed on %s: %s", driver,
                       *line ? line : "it said nothing");
    unlink(log);
    return ST_OK;
}

/* --- all models --- */

static enum status add_files(struct plots *out, const struct sheet *s, struct err *err)
{
    struct plot_file *files = realloc(out->files, (out->count + PICTURES) * sizeof *files);
    if (!files)
        return err_set(err, ST_INTERNAL, "not enough memory for the list of plots");
    out->files = files;
    for (size_t i = 0; i < PICTURES; i++) {
        struct plot_file *f = &files[out->count];
        if (!has_picture(s, i))
            continue;
        *f = (struct plot_file){ .model = "" };
        snprintf(f->model, sizeof f->model, "%s", s->model);
        snprintf(f->name, sizeof f->name, "%s", pictures[i].name);
        snprintf(f->title, sizeof f->title, "%s: %s", s->model, pictures[i].title);
        snprintf(f->svg, sizeof f->svg, "%.4000s-%s.svg", s->base, pictures[i].name);
        snprintf(f->png, sizeof f->png, "%.4000s-%s.png", s->base, pictures[i].name);
        out->count++;
    }
    return ST_OK;
}

static enum status draw_model(struct plots *out, struct sheet *s, struct err *err)
{
    enum status st = write_data(s, err);
    if (st == ST_OK)
        st = write_driver(s, err);
    if (st == ST_OK)
        st = run_gnuplot(s, err);
    return st == ST_OK ? add_files(out, s, err) : st;
}

static enum status prepare(struct sheet *s, const char *folder, struct err *err)
{
    char path[PATH_SIZE];
    enum status st = home_path(s->scripts, "plots/style.gp", err);
    if (st != ST_OK)
        return st;
    *strrchr(s->scripts, '/') = 0;
    if (snprintf(path, sizeof path, "%s/plots", folder) > 3500)
        return err_set(err, ST_IO, "%.60s...: the path of the plots is too long", folder);
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return err_set(err, ST_IO, "%s: cannot be made: %s", path, strerror(errno));
    return ST_OK;
}

enum status plots_draw(struct plots *out, const struct campaign *campaign, const char *folder,
                       struct notes *notes, struct err *err)
{
    struct sheet *s = calloc(1, sizeof *s);
    *out = (struct plots){ .drawn = true };
    enum status st = s ? prepare(s, folder, err)
                       : err_set(err, ST_INTERNAL, "not enough memory for the plots");
    for (size_t i = 0; st == ST_OK && i < campaign->target_count; i++) {
        if (!curve_is_first_of_model(campaign, i))
            continue;
        collect(s, campaign, campaign->targets[i].row.model, folder);
        if (s->count)
            st = draw_model(out, s, err);
    }
    free(s);
    if (st == ST_UNSUPPORTED) {
        plots_free(out);
        notes_add(notes, "no plots: gnuplot is not installed (Debian, Ubuntu: apt-get install gnuplot-nox); "
                  "bench report draws them later from the same campaign");
        return ST_OK;
    }
    if (st != ST_OK)
        plots_free(out);
    return st;
}

void plots_free(struct plots *plots)
{
    free(plots->files);
    *plots = (struct plots){ 0 };
}
