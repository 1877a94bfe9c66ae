#include "bench/output/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/curves.h"
#include "bench/output/decided.h"
#include "kernels/base/len.h"

#define ALIKE .05                    /* an interval so narrow round 1 says that nothing has changed */

#define AT(member) .offset = offsetof(struct compare_row, member)
const struct field compare_fields[] = {
    { .name = "target", .unit = "", AT(target_a), .type = FIELD_TEXT },
    { .name = "against", .unit = "", AT(target_b), .type = FIELD_TEXT },
    { .name = "batch", .unit = "images", AT(batch), .type = FIELD_INT },
    { .name = "a_images_per_s", .heading = "a", .unit = "1/s", AT(a_images_per_s), .type = FIELD_REAL, .digits = 4,
      .significant = true },
    { .name = "b_images_per_s", .heading = "b", .unit = "1/s", AT(b_images_per_s), .type = FIELD_REAL, .digits = 4,
      .significant = true },
    { .name = "ratio", .heading = "b/a", .unit = "x", AT(ratio.value), .type = FIELD_REAL, .digits = 3 },
    { .name = "low", .unit = "95 %", AT(ratio.low), .type = FIELD_REAL, .digits = 3 },
    { .name = "high", .unit = "95 %", AT(ratio.high), .type = FIELD_REAL, .digits = 3 },
    { .name = "verdict", .unit = "", AT(word), .type = FIELD_TEXT },
    { .name = "note", .unit = "", AT(note), .type = FIELD_TEXT },
};
#undef AT
const size_t compare_field_count = LEN(compare_fields);

/* --- pairs ----------------------------------------------------------------------------------------------- */

static bool same_work(const struct target_row *a, const struct target_row *b)
{
    return strcmp(a->model, b->model) == 0 && strcmp(a->precision, b->precision) == 0 && strcmp(a->mode, b->mode) == 0 &&
           memcmp(a->shape, b->shape, sizeof a->shape) == 0 && a->instances == b->instances;
}

/* How much else is the same: the pair with the most is taken. */
static int likeness(const struct target_row *a, const struct target_row *b)
{
    return 4 * (strcmp(a->engine, b->engine) == 0) + 2 * (strcmp(a->device, b->device) == 0) + (a->threads == b->threads);
}

static const struct target_view *partner(const struct target_view *a, const struct campaign *b)
{
    const struct target_view *best = NULL;
    for (size_t i = 0; i < b->target_count; i++) {
        const struct target_view *t = &b->targets[i];
        if (same_work(&a->row, &t->row) && (!best || likeness(&a->row, &t->row) > likeness(&a->row, &best->row)))
            best = t;
    }
    return best;
}

static const struct point_view *point_of(const struct target_view *t, int batch)
{
    for (size_t i = 0; i < t->point_count; i++)
        if (t->points[i].batch == batch && t->points[i].has_estimate)
            return &t->points[i];
    return NULL;
}

/* --- one row --------------------------------------------------------------------------------------------- */

static void name_target(char out[RECORD_TEXT], const struct target_row *t)
{
    snprintf(out, RECORD_TEXT, "%s %s %s %s %dx%dx%d, %d thread%s", t->model, t->engine, t->device, t->precision,
             t->shape[0], t->shape[1], t->shape[2], t->threads, t->threads == 1 ? "" : "s");
}

static const char *word_of(const struct ratio *r)
{
    if (isnan(r->value))
        return "open";
    if (r->low > 1)
        return "faster";
    if (r->high < 1)
        return "slower";
    return r->low > 1 - ALIKE && r->high < 1 + ALIKE ? "alike" : "open";
}

static void write_note(struct compare_row *out, const struct campaign *a, const struct target_view *ta,
                       const struct campaign *b, const struct target_view *tb)
{
    char caveat[160];
    curve_caveat(caveat, sizeof caveat, a, ta);
    if (!*caveat)
        curve_caveat(caveat, sizeof caveat, b, tb);
    if (strcmp(ta->row.model_sha256, tb->row.model_sha256) != 0)
        snprintf(out->note, sizeof out->note, "network or weights of the two are not the same");
    else if (*caveat)
        snprintf(out->note, sizeof out->note, "%s", caveat);
    else if (isnan(out->ratio.value))
        snprintf(out->note, sizeof out->note, "too few rounds for an interval");
}

static struct compare_row row_of(const struct campaign *a, const struct target_view *ta, const struct point_view *pa,
                                 const struct campaign *b, const struct target_view *tb, const struct point_view *pb)
{
    struct compare_row row = { .batch = pa->batch, .a_images_per_s = exp(pa->estimate.y),
                               .b_images_per_s = exp(pb->estimate.y), .chosen = target_chosen(ta) == pa,
                               .ratio = ratio_of_estimates(&pb->estimate, &pa->estimate) };
    name_target(row.target_a, &ta->row);
    name_target(row.target_b, &tb->row);
    if (strcmp(row.target_a, row.target_b) == 0)
        *row.target_b = 0;
    snprintf(row.word, sizeof row.word, "%s", word_of(&row.ratio));
    write_note(&row, a, ta, b, tb);
    return row;
}

void compare_rows(struct compare_row **out, size_t *count, const struct campaign *a, const struct campaign *b)
{
    size_t room = 1;
    for (size_t i = 0; i < a->target_count; i++)
        room += a->targets[i].point_count;
    *count = 0;
    *out = calloc(room, sizeof **out);
    for (size_t i = 0; *out && i < a->target_count; i++) {
        const struct target_view *ta = &a->targets[i], *tb = partner(ta, b);
        for (size_t k = 0; tb && k < ta->point_count; k++) {
            const struct point_view *pa = &ta->points[k], *pb = point_of(tb, pa->batch);
            if (pa->has_estimate && pb)
                (*out)[(*count)++] = row_of(a, ta, pa, b, tb, pb);
        }
    }
}
