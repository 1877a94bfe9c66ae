#include "bench/output/why_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/again.h"
#include "bench/output/curves.h"
#include "bench/output/decided.h"
#include "bench/output/paint.h"
#include "bench/output/pareto.h"
#include "kernels/base/clock.h"
#include "kernels/base/len.h"

static double percent(double y)
{
    return 100 * (exp(y) - 1);
}

/* Times and energies are compared as -ln: what is smaller is better. So a percentage of them is that of -m.
 */
static double sign_of(const struct target_view *t)
{
    return strcmp(t->decision.objective, "latency") == 0 || strcmp(t->decision.objective, "energy") == 0 ? -1
                                                                                                         : 1;
}

/* "-9.8 (-10.2 to -9.4)" percent; without the interval if it is too wide to say anything. */
static void write_difference(char *out, size_t size, double m, double c)
{
    if (!isfinite(m))
        *out = 0;
    else if (isfinite(c) && c < 0.5)
        snprintf(out, size, "%+.1f (%+.1f to %+.1f)", percent(m), percent(m - c), percent(m + c));
    else
        snprintf(out, size, "%+.1f", percent(m));
}

/* --- a line per size --- */

#define AT(member) .offset = offsetof(struct why_line, member)
const struct field why_line_fields[] = {
    { .name = "batch",        .unit = "images", AT(batch),        .type = FIELD_INT },
    { .name = "images_per_s", .unit = "1/s",    AT(images_per_s), .type = FIELD_REAL, .digits = 4,
      .significant = true },
    { .name = "against",      .unit = "images", AT(against),      .type = FIELD_INT, .zero_unknown = true },
    { .name = "by",           .unit = "%",      AT(by),           .type = FIELD_TEXT },
    { .name = "rounds",       .unit = "",       AT(rounds),       .type = FIELD_INT, .zero_unknown = true },
    { .name = "why",          .unit = "",       AT(why),          .type = FIELD_TEXT },
    { .name = "text",         .unit = "",       AT(text),         .type = FIELD_TEXT, .heading = "in words" },
};
#undef AT
const size_t why_line_field_count = LEN(why_line_fields);

/* Does the text begin with the value of a size: "97 images/s", "18.2 ms per batch"? */
static bool begins_with_value(const char *text)
{
    static const char *const units[] = { " images/s", " ms per batch", " J per image" };
    const size_t digits = strspn(text, "0123456789.e+-");
    for (size_t i = 0; digits && i < LEN(units); i++)
        if (strncmp(text + digits, units[i], strlen(units[i])) == 0)
            return true;
    return false;
}

/* The sentence without the size in front, and without the numbers of a comparison: they have columns. */
static const char *words_of(const struct point_view *p)
{
    char start[16];
    const int size = snprintf(start, sizeof start, "%d: ", p->batch);
    const char *text = strncmp(p->why.text, start, (size_t)size) == 0 ? p->why.text + size : p->why.text;
    const char *words = strstr(text, ": ");
    return words && begins_with_value(text) ? words + 2 : text;
}

struct why_line *why_lines(const struct target_view *target, size_t *count, int *marked)
{
    struct why_line *lines = calloc(target->point_count + 1, sizeof *lines);
    *count = 0;
    *marked = -1;
    for (size_t i = 0; lines && i < target->point_count; i++) {
        const struct point_view *p = &target->points[i];
        const struct why_row *w = &p->why;
        struct why_line *line = &lines[*count];
        if (!p->has_why)
            continue;
        if (p == target_chosen(target))
            *marked = (int)*count;
        line->batch = p->batch;
        line->images_per_s = p->has_estimate ? exp(p->estimate.y) : (double)NAN;
        line->against = w->rival;
        if (w->rival)
            write_difference(line->by, sizeof line->by, sign_of(target) * w->m, w->c);
        line->rounds = w->n;
        snprintf(line->why, sizeof line->why, "%s", w->reason);
        snprintf(line->text, sizeof line->text, "%s", words_of(p));
        (*count)++;
    }
    return lines;
}

/* --- verification --- */

#define AT(member) .offset = offsetof(struct verify_line, member)
const struct field verify_line_fields[] = {
    { .name = "execution",    .unit = "",       AT(execution),    .type = FIELD_INT },
    { .name = "batch",        .unit = "images", AT(batch),        .type = FIELD_INT },
    { .name = "images_per_s", .unit = "1/s",    AT(images_per_s), .type = FIELD_REAL, .digits = 4,
      .significant = true },
    { .name = "joules_per_image", .unit = "J",  AT(joules_per_image), .type = FIELD_REAL, .digits = 4,
      .significant = true },
    { .name = "from_best_percent", .unit = "%", AT(from_best_percent), .type = FIELD_REAL, .digits = 1,
      .heading = "from the best" },
};
#undef AT
const size_t verify_line_field_count = LEN(verify_line_fields);

struct verify_line *verify_lines(const struct target_view *target, size_t *count)
{
    struct verify_line *lines = calloc(target->verification_count + 1, sizeof *lines);
    *count = lines ? target->verification_count : 0;
    for (size_t i = 0; i < *count; i++) {
        const struct verify_row *v = &target->verifications[i];
        const bool leads = v->batch == target->decision.leader;
        lines[i] = (struct verify_line){ .execution = v->execution,
                                         .batch = v->batch,
                                         .images_per_s = verified_images_per_s(target, v),
                                         .joules_per_image = verified_joules(target, v),
                                         .from_best_percent =
                                             leads ? (double)NAN : percent(sign_of(target) * v->q) };
    }
    return lines;
}

/* --- looks --- */

#define AT(member) .offset = offsetof(struct look_line, member)
const struct field look_line_fields[] = {
    { .name = "rounds",  .unit = "",  AT(rounds),  .type = FIELD_INT, .heading = "after round" },
    { .name = "slower",  .unit = "",  AT(slower),  .type = FIELD_TEXT, .heading = "found slower" },
    { .name = "holds",   .unit = "",  AT(holds),   .type = FIELD_TEXT, .heading = "fast enough" },
    { .name = "open",    .unit = "",  AT(open),    .type = FIELD_TEXT, .heading = "still open" },
    { .name = "control", .unit = "%", AT(control), .type = FIELD_TEXT, .heading = "a size against itself" },
};
#undef AT
const size_t look_line_field_count = LEN(look_line_fields);

static void add_size(char *out, size_t size, int batch)
{
    const size_t used = strlen(out);
    if (used + 12 < size)
        snprintf(out + used, size - used, "%s%d", used ? ", " : "", batch);
}

/* Was this row's size the first of so many in its look? Rows of a look stand together. */
static bool is_first_of_size(const struct look_row *rows, size_t i)
{
    for (size_t k = i; k > 0 && rows[k - 1].look == rows[i].look; k--)
        if (rows[k - 1].i == rows[i].i && rows[k - 1].j != rows[k - 1].i)
            return false;
    return true;
}

static bool has_outcome(const struct target_view *t, const struct look_row *row, const char *outcome)
{
    for (size_t i = 0; i < t->look_count; i++)
        if (t->looks[i].look == row->look && t->looks[i].i == row->i && t->looks[i].j != row->i &&
            strcmp(t->looks[i].outcome, outcome) == 0)
            return true;
    return false;
}

/* A size is slower if one rival shows it, and fast enough if nothing is open against any. */
static void add_look(struct look_line *line, const struct target_view *t, size_t i)
{
    const struct look_row *r = &t->looks[i];
    char by[40];
    if (r->i == r->j) {
        write_difference(by, sizeof by, sign_of(t) * r->m, r->c);
        snprintf(line->control, sizeof line->control, "%d: %s", r->i, by);
    } else if (!is_first_of_size(t->looks, i)) {
        return;
    } else if (has_outcome(t, r, "slower")) {
        add_size(line->slower, sizeof line->slower, r->i);
    } else if (has_outcome(t, r, "open")) {
        add_size(line->open, sizeof line->open, r->i);
    } else {
        add_size(line->holds, sizeof line->holds, r->i);
    }
}

struct look_line *look_lines(const struct target_view *target, size_t *count)
{
    struct look_line *lines = calloc(target->look_count + 1, sizeof *lines);
    *count = 0;
    for (size_t i = 0; lines && i < target->look_count; i++) {
        const struct look_row *r = &target->looks[i];
        if (!*count || lines[*count - 1].rounds != r->look)
            lines[(*count)++].rounds = r->look;
        add_look(&lines[*count - 1], target, i);
    }
    return lines;
}

/* --- what it rests on --- */

__attribute__((format(printf, 3, 4))) static void add_fact(struct why_facts *f, const char *label,
                                                           const char *format, ...)
{
    va_list args;
    if (f->count == WHY_FACTS_MAX)
        return;
    va_start(args, format);
    vsnprintf(f->items[f->count].text, sizeof f->items->text, format, args);
    va_end(args);
    f->items[f->count].label = label;
    f->count += f->items[f->count].text[0] != 0;
}

static void add_verified(struct why_facts *f, const struct target_view *t)
{
    const struct point_view *p = target_chosen(t);
    char rate[DECIDED_TEXT], below[96] = "";
    double worst = 0;
    if (!p)
        return;
    decided_rate(rate, p);
    for (size_t i = 0; i < t->verification_count; i++)
        if (t->verifications[i].batch == p->batch && t->verifications[i].q < worst)
            worst = t->verifications[i].q;
    if (worst < 0 && p->batch != t->decision.leader)
        snprintf(below, sizeof below, "; at worst %.1f %% %s %d in the same execution",
                 fabs(percent(sign_of(t) * worst)), sign_of(t) < 0 ? "above" : "below", t->decision.leader);
    add_fact(f, p->has_verified ? "verified" : "rate", "%s%s%s", rate, below,
             p->has_verified ? "" : ", not verified in fresh executions");
}

static void add_zone(struct why_facts *f, const struct target_view *t)
{
    const struct decision_row *d = &t->decision;
    const struct point_view *best = target_best(t);
    if (!best || strcmp(d->objective, "latency") == 0 || strcmp(d->objective, "energy") == 0)
        add_fact(f, "zone", "within %.3g %% of the best by %s", 100 * d->x,
                 *d->objective ? d->objective : "throughput");
    else
        add_fact(f, "zone", "%.4g images/s and more: within %.3g %% of batch %d with %.4g images/s",
                 (1 - d->x) * exp(best->estimate.y), 100 * d->x, best->batch, exp(best->estimate.y));
    if (isfinite(d->noise_floor) && percent(d->noise_floor) > 100 * d->x)
        add_fact(f, "careful",
                 "the noise of this machine (%.1f %%) is wider than the zone: a smaller difference "
                 "cannot be believed",
                 percent(d->noise_floor));
}

static void add_race(struct why_facts *f, const struct target_view *t)
{
    const struct decision_row *d = &t->decision;
    int rounds = t->look_count ? t->looks[t->look_count - 1].look : 0, blocks = 0, invalid = 0;
    char more[160] = "";
    for (size_t i = 0; i < t->point_count; i++) {
        const struct estimate_row *e = &t->points[i].estimate;
        if (!t->points[i].has_estimate || strcmp(e->method, "race") != 0)
            continue;
        rounds = e->rounds > rounds ? e->rounds : rounds;
        blocks += e->blocks;
        invalid += e->invalid_blocks;
    }
    if (!rounds)
        return;
    if (invalid)
        snprintf(more, sizeof more, ", %d more were invalid", invalid);
    if (isfinite(d->noise_floor))
        snprintf(more + strlen(more), sizeof more - strlen(more), "; noise floor %.2g %%",
                 percent(d->noise_floor));
    char sizes[32] = "";
    if (d->candidates) /* not known of older campaigns */
        snprintf(sizes, sizeof sizes, " over %d size%s", d->candidates, d->candidates == 1 ? "" : "s");
    add_fact(f, "race", "%d rounds%s, %d blocks%s; alpha %.3g %%", rounds, sizes, blocks, more,
             100 * d->alpha);
}

static void add_incumbent(struct why_facts *f, const struct decision_row *d)
{
    if (d->incumbent)
        add_fact(f, "in use", "%d before this campaign (%s): %s", d->incumbent,
                 *d->incumbent_source ? d->incumbent_source : "store",
                 *d->incumbent_outcome ? d->incumbent_outcome : "kept");
}

void why_facts_of(struct why_facts *out, const struct target_view *target)
{
    static const struct {
        const char *label;
        void (*text)(char out[DECIDED_TEXT], const struct target_view *t);
    } rows[] = {
        { "limit", decided_limit },
        { "memory", decided_memory },
        { "first use", decided_first_use },
        { "open loop", decided_queue },
        { "max_safe", decided_max_safe },
    };
    char text[DECIDED_TEXT];
    out->count = 0;
    if (!target->has_decision)
        return;
    if (target->decision.batch) {
        add_verified(out, target);
        add_zone(out, target);
    }
    add_race(out, target);
    add_incumbent(out, &target->decision);
    for (size_t i = 0; i < LEN(rows); i++) {
        rows[i].text(text, target);
        add_fact(out, rows[i].label, "%s", text);
    }
}

/* --- for people --- */

static void write_table(FILE *file, const struct field *fields, size_t field_count, const void *rows,
                        size_t row_size, size_t count, int marked, bool colour)
{
    const struct table table = { .fields = fields,
                                 .field_count = field_count,
                                 .rows = rows,
                                 .row_size = row_size,
                                 .row_count = count,
                                 .marked = marked,
                                 .colour = colour,
                                 .indent = "  " };
    if (count)
        table_write_text(file, &table);
}

static void show_facts(FILE *file, const struct target_view *t, const struct paint *paint)
{
    struct why_facts facts;
    why_facts_of(&facts, t);
    for (size_t i = 0; i < facts.count; i++) {
        fprintf(file, "  %s%-10s%s ", paint->dim, facts.items[i].label, paint->off);
        paint_plain(file, facts.items[i].text);
        fputc('\n', file);
    }
}

static void show_sizes(FILE *file, const struct target_view *t, bool colour)
{
    size_t count;
    int marked;
    struct why_line *lines = why_lines(t, &count, &marked);
    write_table(file, why_line_fields, why_line_field_count, lines, sizeof *lines, count, marked, colour);
    free(lines);
}

static void show_looks(FILE *file, const struct target_view *t, const struct paint *paint, bool colour)
{
    size_t count;
    struct look_line *lines = look_lines(t, &count);
    if (count)
        fprintf(file, "%show the race went%s\n", paint->bold, paint->off);
    write_table(file, look_line_fields, look_line_field_count, lines, sizeof *lines, count, -1, colour);
    free(lines);
}

static void show_verification(FILE *file, const struct target_view *t, const struct paint *paint, bool colour)
{
    size_t count;
    struct verify_line *lines = verify_lines(t, &count);
    if (count)
        fprintf(file, "%sverification in fresh executions%s\n", paint->bold, paint->off);
    write_table(file, verify_line_fields, verify_line_field_count, lines, sizeof *lines, count, -1, colour);
    free(lines);
}

static void show_pareto(FILE *file, const struct target_view *t, const struct paint *paint, bool colour)
{
    size_t count, dominated = 0;
    int marked;
    struct pareto_line *lines = pareto_lines(t, &count, &marked);
    for (size_t i = 0; i < count; i++)
        dominated += lines[i].dominated_by != 0;
    if (count)
        fprintf(file, "%sthroughput against latency%s%s\n", paint->bold, paint->off,
                dominated ? "" : ": every size is worth taking for somebody");
    write_table(file, pareto_fields, pareto_field_count, lines, sizeof *lines, count, marked, colour);
    free(lines);
}

static void show_next_step(FILE *file, const struct campaign *campaign, const struct target_view *t,
                           const struct paint *paint)
{
    char text[DECIDED_TEXT], *again = again_campaign("bench", &campaign->run);
    decided_next_step(text, t);
    if (*text) {
        fprintf(file, "%snext%s %s:\n  ", paint->bold, paint->off, text);
        paint_plain(file, again ? again : "bench tune");
        fputc('\n', file);
    }
    free(again);
}

static void show_target(FILE *file, const struct campaign *campaign, const struct target_view *t,
                        const struct paint *paint, bool colour)
{
    char text[DECIDED_TEXT];
    curves_heading(file, campaign, t, paint);
    decided_claim(text, t);
    fprintf(file, "%s", target_served_batch(t) ? paint->good : paint->warn);
    paint_plain(file, *text ? text : "no decision");
    fprintf(file, "%s\n", paint->off);
    show_facts(file, t, paint);
    show_sizes(file, t, colour);
    show_looks(file, t, paint, colour);
    show_verification(file, t, paint, colour);
    show_pareto(file, t, paint, colour);
    show_next_step(file, campaign, t, paint);
}

void why_show(FILE *file, const struct campaign *campaign, const char *model, bool colour)
{
    const struct paint paint = paint_of(colour);
    char start[CLOCK_STAMP_SIZE];
    clock_stamp(start, campaign->run.start_unix_s);
    fprintf(file, "campaign %s  started %s  %s\n", campaign->run.name, start, campaign->run.state);
    for (size_t i = 0; i < campaign->target_count; i++) {
        if (model && strcmp(model, campaign->targets[i].row.model) != 0)
            continue;
        fputc('\n', file);
        show_target(file, campaign, &campaign->targets[i], &paint, colour);
    }
}
