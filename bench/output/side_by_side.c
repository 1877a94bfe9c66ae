#include "bench/output/side_by_side.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/curves.h"
#include "bench/output/decided.h"
#include "kernels/base/len.h"
#include "tuner/stats.h"

#define AT(member) .offset = offsetof(struct side_row, member)
const struct field side_fields[] = {
    { .name = "model", .unit = "", AT(model), .type = FIELD_TEXT },
    { .name = "precision", .unit = "", AT(precision), .type = FIELD_TEXT },
    { .name = "input", .unit = "CxHxW", AT(input), .type = FIELD_TEXT },
    { .name = "mode", .unit = "", AT(mode), .type = FIELD_TEXT, .data_only = true },
    { .name = "cpu", .unit = "", AT(cpu), .type = FIELD_TEXT },
    { .name = "gpu", .unit = "", AT(gpu), .type = FIELD_TEXT },
    { .name = "at", .unit = "", AT(at), .type = FIELD_TEXT },
    { .name = "cpu_batch", .unit = "images", AT(cpu_batch), .type = FIELD_INT, .zero_unknown = true },
    { .name = "gpu_batch", .unit = "images", AT(gpu_batch), .type = FIELD_INT, .zero_unknown = true },
    { .name = "cpu_images_per_s", .heading = "cpu_rate", .unit = "1/s", AT(cpu_images_per_s), .type = FIELD_REAL,
      .digits = 3, .significant = true },
    { .name = "gpu_images_per_s", .heading = "gpu_rate", .unit = "1/s", AT(gpu_images_per_s), .type = FIELD_REAL,
      .digits = 3, .significant = true },
    { .name = "ratio", .unit = "x", AT(ratio.value), .type = FIELD_REAL, .digits = 3, .significant = true },
    { .name = "low", .unit = "95 %", AT(ratio.low), .type = FIELD_REAL, .digits = 3, .significant = true },
    { .name = "high", .unit = "95 %", AT(ratio.high), .type = FIELD_REAL, .digits = 3, .significant = true },
    { .name = "verified", .unit = "x", AT(verified.value), .type = FIELD_REAL, .digits = 3,
      .significant = true },
    { .name = "verified_low", .unit = "range", AT(verified.low), .type = FIELD_REAL, .digits = 3,
      .significant = true },
    { .name = "verified_high", .unit = "range", AT(verified.high), .type = FIELD_REAL, .digits = 3,
      .significant = true },
    { .name = "basis", .unit = "", AT(basis), .type = FIELD_TEXT },
    { .name = "note", .unit = "", AT(note), .type = FIELD_TEXT },
};
#undef AT
const size_t side_field_count = LEN(side_fields);

static const struct ratio no_ratio = { NAN, NAN, NAN };

/* --- ratios ---------------------------------------------------------------------------------------------- */

struct ratio ratio_of_estimates(const struct estimate_row *fast, const struct estimate_row *slow)
{
    if (!estimate_has_interval(fast) || !estimate_has_interval(slow))
        return no_ratio;
    const double d = fast->y - slow->y;
    return (struct ratio){ .value = exp(d),
                           .low = exp(d - hypot(fast->y - fast->y_low, slow->y_high - slow->y)),
                           .high = exp(d + hypot(fast->y_high - fast->y, slow->y - slow->y_low)) };
}

struct ratio ratio_of_executions(const double *fast, size_t fast_count, const double *slow, size_t slow_count)
{
    double least[2] = { INFINITY, INFINITY }, most[2] = { -INFINITY, -INFINITY };
    if (fast_count == 0 || slow_count == 0)
        return no_ratio;
    for (size_t i = 0; i < fast_count; i++) {
        least[0] = fmin(least[0], fast[i]);
        most[0] = fmax(most[0], fast[i]);
    }
    for (size_t i = 0; i < slow_count; i++) {
        least[1] = fmin(least[1], slow[i]);
        most[1] = fmax(most[1], slow[i]);
    }
    return (struct ratio){ .value = exp(stats_median(fast, fast_count) - stats_median(slow, slow_count)),
                           .low = exp(least[0] - most[1]), .high = exp(most[0] - least[1]) };
}

/* --- pairs ----------------------------------------------------------------------------------------------- */

static bool is_cpu(const struct target_view *t)
{
    return strncmp(t->row.device, "cpu:", 4) == 0;
}

bool side_by_side_applies(const struct campaign *campaign)
{
    size_t cpu = 0;
    for (size_t i = 0; i < campaign->target_count; i++)
        cpu += is_cpu(&campaign->targets[i]);
    return cpu > 0 && cpu < campaign->target_count;
}

/* What was asked of both is the same; whether both did it is another question. */
static bool same_ask(const struct target_row *a, const struct target_row *b)
{
    return strcmp(a->model, b->model) == 0 && strcmp(a->precision, b->precision) == 0 &&
           strcmp(a->mode, b->mode) == 0 && memcmp(a->shape, b->shape, sizeof a->shape) == 0 &&
           a->instances == b->instances;
}

static void write_side(char *out, size_t size, const struct target_row *t)
{
    snprintf(out, size, "%s %s", t->engine, t->device);
}

static void begin_row(struct side_row *out, const struct target_view *of)
{
    const struct target_row *t = &of->row;
    *out = (struct side_row){ .cpu_images_per_s = NAN, .gpu_images_per_s = NAN, .ratio = no_ratio,
                              .verified = no_ratio };
    snprintf(out->model, sizeof out->model, "%s", t->model);
    snprintf(out->precision, sizeof out->precision, "%s", t->precision);
    snprintf(out->mode, sizeof out->mode, "%s", t->mode);
    snprintf(out->input, sizeof out->input, "%dx%dx%d", t->shape[0], t->shape[1], t->shape[2]);
}

/* Why a target's numbers cannot stand in a ratio; false: they can. */
static bool is_unfit(char *note, size_t size, const struct target_view *t)
{
    char claim[DECIDED_TEXT];
    if (*t->row.result) {
        snprintf(note, size, "%s: %.300s", t->row.device, t->row.detail);
        return true;
    }
    if (!target_chosen(t)) {
        decided_claim(claim, t);
        snprintf(note, size, "%s: no batch size%s%.300s", t->row.device, *claim ? ": " : "", claim);
        return true;
    }
    if (strcmp(curve_output_word(t), "verified") != 0) {
        snprintf(note, size, "%s: its output is %s", t->row.device, curve_output_word(t));
        return true;
    }
    return false;
}

/* Why the two are not the same work; false: they are. */
static bool are_unlike(char *note, size_t size, const struct target_view *cpu, const struct target_view *gpu)
{
    if (is_unfit(note, size, cpu) || is_unfit(note, size, gpu))
        return true;
    if (*cpu->row.model_sha256 && strcmp(cpu->row.model_sha256, gpu->row.model_sha256) == 0)
        return false;
    snprintf(note, size, "network or weights of the two are not the same");
    return true;
}

static size_t executions_of(double *y, size_t room, const struct target_view *t, int batch)
{
    size_t n = 0;
    for (size_t i = 0; i < t->verification_count && n < room; i++)
        if (t->verifications[i].batch == batch && isfinite(t->verifications[i].y))
            y[n++] = t->verifications[i].y;
    return n;
}

static void write_note(struct side_row *out, const struct campaign *campaign, const struct target_view *cpu,
                       const struct target_view *gpu)
{
    char caveat[160];
    curve_caveat(caveat, sizeof caveat, campaign, cpu);
    if (!*caveat)
        curve_caveat(caveat, sizeof caveat, campaign, gpu);
    if (*caveat)
        snprintf(out->note, sizeof out->note, "no measurement to rely on: %s", caveat);
    else if (!isfinite(out->ratio.value))
        snprintf(out->note, sizeof out->note, "too few rounds for an interval");
}

/* The numbers of two sizes. */
static void compare(struct side_row *out, const struct campaign *campaign, const struct target_view *cpu,
                    const struct point_view *c, const struct target_view *gpu, const struct point_view *g)
{
    enum { ROOM = 64 };
    double fast[ROOM], slow[ROOM];
    const size_t n_fast = executions_of(fast, ROOM, gpu, g->batch);
    const size_t n_slow = executions_of(slow, ROOM, cpu, c->batch);
    out->cpu_batch = c->batch;
    out->gpu_batch = g->batch;
    out->cpu_images_per_s = exp(c->estimate.y);
    out->gpu_images_per_s = exp(g->estimate.y);
    out->ratio = ratio_of_estimates(&g->estimate, &c->estimate);
    out->verified = ratio_of_executions(fast, n_fast, slow, n_slow);
    const int rounds[2] = { c->estimate.rounds, g->estimate.rounds };
    int used = snprintf(out->basis, sizeof out->basis, "%d and %d rounds", rounds[0], rounds[1]);
    if (isfinite(out->verified.value))
        snprintf(out->basis + used, sizeof out->basis - (size_t)used, ", %zu and %zu executions", n_slow,
                 n_fast);
    write_note(out, campaign, cpu, gpu);
}

/* --- rows ------------------------------------------------------------------------------------------------ */

struct rows { struct side_row *row; size_t count, room; };

static struct side_row *next_row(struct rows *r, const struct target_view *of)
{
    if (r->count == r->room)
        return NULL; /* room is for all there can be */
    begin_row(&r->row[r->count], of);
    return &r->row[r->count++];
}

static const struct point_view *raced(const struct target_view *t, int batch)
{
    for (size_t i = 0; i < t->point_count; i++)
        if (t->points[i].batch == batch && curve_point_is_valid(&t->points[i]) &&
            estimate_has_interval(&t->points[i].estimate))
            return &t->points[i];
    return NULL;
}

static void add_pair(struct rows *r, const struct campaign *campaign, const struct target_view *cpu,
                     const struct target_view *gpu)
{
    struct side_row *row = next_row(r, cpu);
    if (!row)
        return;
    write_side(row->cpu, sizeof row->cpu, &cpu->row);
    write_side(row->gpu, sizeof row->gpu, &gpu->row);
    snprintf(row->at, sizeof row->at, "chosen");
    if (are_unlike(row->note, sizeof row->note, cpu, gpu))
        return;
    const struct point_view *c = target_chosen(cpu), *g = target_chosen(gpu);
    compare(row, campaign, cpu, c, gpu, g);
    for (size_t i = 0; i < cpu->point_count; i++) {
        const int batch = cpu->points[i].batch;
        const struct point_view *same_c = raced(cpu, batch), *same_g = raced(gpu, batch);
        if (!same_c || !same_g || (batch == c->batch && batch == g->batch))
            continue;
        struct side_row *same = next_row(r, cpu);
        if (!same)
            return;
        memcpy(same->cpu, row->cpu, sizeof same->cpu);
        memcpy(same->gpu, row->gpu, sizeof same->gpu);
        snprintf(same->at, sizeof same->at, "same");
        compare(same, campaign, cpu, same_c, gpu, same_g);
    }
}

/* A target that has nobody to be compared with. */
static void add_single(struct rows *r, const struct target_view *t)
{
    struct side_row *row = next_row(r, t);
    if (!row)
        return;
    write_side(is_cpu(t) ? row->cpu : row->gpu, sizeof row->cpu, &t->row);
    snprintf(row->note, sizeof row->note, "no %s target with this model, %s, input, mode and instances",
             is_cpu(t) ? "GPU" : "CPU", t->row.precision);
}

static void add_target(struct rows *r, const struct campaign *campaign, const struct target_view *t)
{
    bool paired = false;
    for (size_t i = 0; i < campaign->target_count; i++) {
        const struct target_view *other = &campaign->targets[i];
        if (is_cpu(other) == is_cpu(t) || !same_ask(&other->row, &t->row))
            continue;
        paired = true;
        if (is_cpu(t)) /* each pair once */
            add_pair(r, campaign, t, other);
    }
    if (!paired)
        add_single(r, t);
}

static size_t room_for(const struct campaign *campaign)
{
    size_t room = 0;
    for (size_t i = 0; i < campaign->target_count; i++)
        room += (campaign->targets[i].point_count + 1) * campaign->target_count;
    return room;
}

void side_rows(struct side_row **out, size_t *count, const struct campaign *campaign)
{
    struct rows r = { .room = room_for(campaign) };
    *out = NULL;
    *count = 0;
    if (!side_by_side_applies(campaign) || !(r.row = calloc(r.room, sizeof *r.row)))
        return;
    for (size_t i = 0; i < campaign->target_count; i++)
        add_target(&r, campaign, &campaign->targets[i]);
    *out = r.row;
    *count = r.count;
}

/* --- text and JSON --------------------------------------------------------------------------------------- */

static size_t keep_model(struct side_row *rows, size_t count, const char *model)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!model || strcmp(rows[i].model, model) == 0)
            rows[kept++] = rows[i];
    return kept;
}

static struct table table_of(const struct side_row *rows, size_t count, bool colour)
{
    return (struct table){ .fields = side_fields, .field_count = side_field_count, .rows = rows,
                           .row_size = sizeof *rows, .row_count = count, .marked = -1, .colour = colour };
}

void side_write_text(FILE *file, const struct campaign *campaign, const char *model, bool colour)
{
    struct side_row *rows;
    size_t count;
    side_rows(&rows, &count, campaign);
    count = keep_model(rows, count, model);
    const struct table table = table_of(rows, count, colour);
    if (count) {
        fprintf(file, "GPU over CPU, images per second, the same work\n");
        table_write_text(file, &table);
    }
    free(rows);
}

json_t *side_json(const struct campaign *campaign)
{
    struct side_row *rows;
    size_t count;
    side_rows(&rows, &count, campaign);
    const struct table table = table_of(rows, count, false);
    json_t *all = table_json(&table);
    free(rows);
    return all;
}
