#include "bench/output/details.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/decided.h"
#include "kernels/base/len.h"

/* --- part-filled batches --- */

#define AT(member) .offset = offsetof(struct fill_line, member)
const struct field fill_line_fields[] = {
    { .name = "images",         .unit = "images", AT(images),         .type = FIELD_INT },
    { .name = "service_p50_ms", .unit = "ms",     AT(service_p50_ms), .type = FIELD_REAL, .digits = 4,
      .significant = true, .heading = "service_p50" },
    { .name = "ms_per_image",   .unit = "ms",     AT(ms_per_image),   .type = FIELD_REAL, .digits = 4,
      .significant = true, .heading = "per image" },
    { .name = "advice",         .unit = "",       AT(advice),         .type = FIELD_TEXT },
    { .name = "as",             .unit = "",       AT(as),             .type = FIELD_TEXT,
      .heading = "run as" },
    { .name = "as_ms",          .unit = "ms",     AT(as_ms),          .type = FIELD_REAL, .digits = 4,
      .significant = true, .heading = "costs then" },
    { .name = "iterations",     .unit = "",       AT(iterations),     .type = FIELD_INT },
    { .name = "first_use_ms",   .unit = "ms",     AT(first_use_ms),   .type = FIELD_REAL, .digits = 3,
      .significant = true, .heading = "first use" },
    { .name = "failed",         .unit = "",       AT(failed),         .type = FIELD_TEXT },
};
#undef AT
const size_t fill_line_field_count = LEN(fill_line_fields);

static const struct fill_row *fill_of(const struct target_view *t, int images)
{
    for (size_t i = 0; i < t->fill_count; i++)
        if (t->fill[i].images == images)
            return &t->fill[i];
    return NULL;
}

/* Milliseconds of running the sizes of `as`; NaN if one of them is not in the table. */
static double cost_as(const struct target_view *t, const struct fill_row *r)
{
    double ms = 0;
    for (size_t i = 0; i < LEN(r->as); i++) {
        const struct fill_row *part = r->as[i] ? fill_of(t, r->as[i]) : NULL;
        if (r->as[i])
            ms += part ? part->service_p50_ms : (double)NAN;
    }
    return r->as[0] ? ms : (double)NAN;
}

static void write_as(char *out, size_t size, const struct fill_row *r)
{
    *out = 0;
    if (r->as[0] && r->as[1])
        snprintf(out, size, "%d + %d", r->as[0], r->as[1]);
    else if (r->as[0])
        snprintf(out, size, "%d", r->as[0]);
}

struct fill_line *fill_lines(const struct target_view *target)
{
    struct fill_line *lines = calloc(target->fill_count + 1, sizeof *lines);
    for (size_t i = 0; lines && i < target->fill_count; i++) {
        const struct fill_row *r = &target->fill[i];
        lines[i] = (struct fill_line){ .images = r->images,
                                       .service_p50_ms = r->service_p50_ms,
                                       .ms_per_image = r->service_p50_ms / r->images,
                                       .as_ms = cost_as(target, r),
                                       .iterations = r->iterations,
                                       .first_use_ms = r->first_use_ms };
        memcpy(lines[i].advice, r->advice, sizeof lines[i].advice);
        memcpy(lines[i].failed, r->failed, sizeof lines[i].failed);
        write_as(lines[i].as, sizeof lines[i].as, r);
    }
    return lines;
}

#define FILL_NAMED 8 /* in a phrase; the table has all */

void fill_phrase(char *out, size_t size, const struct target_view *target)
{
    size_t used = 0, others = 0, ran = 0;
    char as[24];
    *out = 0;
    while (ran < target->fill_count && !*target->fill[ran].failed)
        ran++;
    if (!target->fill_count)
        return;
    used = (size_t)(ran ? snprintf(out, size, "1 to %d images measured", target->fill[ran - 1].images)
                        : snprintf(out, size, "nothing ran"));
    for (size_t i = 0; i < target->fill_count && used < size; i++) {
        const struct fill_row *r = &target->fill[i];
        write_as(as, sizeof as, r);
        if (*r->failed)
            used += (size_t)snprintf(out + used, size - used, "; %d fails (%s)", r->images, r->failed);
        else if (strcmp(r->advice, "exact") != 0 && *as && others++ < FILL_NAMED)
            used += (size_t)snprintf(out + used, size - used, "%s %d as %s", others > 1 ? "," : "; run",
                                     r->images, as);
    }
    if (used < size && others > FILL_NAMED)
        used += (size_t)snprintf(out + used, size - used, ", and %zu more otherwise", others - FILL_NAMED);
    if (used < size)
        snprintf(out + used, size - used, "%s",
                 others ? ", the others as they are" : ran ? "; run each as it is" : "");
}

/* --- looks and verification --- */

#define AT(member) .offset = offsetof(struct look_row, member)
static const struct field look_fields[] = {
    { .name = "look",    .unit = "", AT(look),    .type = FIELD_INT },
    { .name = "n",       .unit = "", AT(n),       .type = FIELD_INT },
    { .name = "i",       .unit = "", AT(i),       .type = FIELD_INT },
    { .name = "j",       .unit = "", AT(j),       .type = FIELD_INT },
    { .name = "m",       .unit = "", AT(m),       .type = FIELD_REAL },
    { .name = "se",      .unit = "", AT(se),      .type = FIELD_REAL },
    { .name = "df",      .unit = "", AT(df),      .type = FIELD_REAL },
    { .name = "c",       .unit = "", AT(c),       .type = FIELD_REAL },
    { .name = "r1",      .unit = "", AT(r1),      .type = FIELD_REAL },
    { .name = "outcome", .unit = "", AT(outcome), .type = FIELD_TEXT },
};
#undef AT

struct execution_line { int execution, batch; double images_per_s, joules_per_image, q; };
#define AT(member) .offset = offsetof(struct execution_line, member)
static const struct field execution_fields[] = {
    { .name = "execution",    .unit = "",       AT(execution),    .type = FIELD_INT },
    { .name = "batch",        .unit = "images", AT(batch),        .type = FIELD_INT },
    { .name = "images_per_s", .unit = "1/s",    AT(images_per_s), .type = FIELD_REAL },
    { .name = "joules_per_image", .unit = "J",  AT(joules_per_image), .type = FIELD_REAL },
    { .name = "q",            .unit = "",       AT(q),            .type = FIELD_REAL },
};
#undef AT

static struct execution_line *execution_lines(const struct target_view *target)
{
    struct execution_line *lines = calloc(target->verification_count + 1, sizeof *lines);
    for (size_t i = 0; lines && i < target->verification_count; i++) {
        const struct verify_row *v = &target->verifications[i];
        lines[i] = (struct execution_line){
            .execution = v->execution, .batch = v->batch, .images_per_s = verified_images_per_s(target, v),
            .joules_per_image = verified_joules(target, v), .q = v->q
        };
    }
    return lines;
}

/* --- any of them --- */

const char *detail_name(enum detail detail)
{
    static const char *const names[] = { [DETAIL_OF_FILL] = "fill", [DETAIL_OF_LOOKS] = "looks",
                                         [DETAIL_OF_VERIFICATION] = "verification" };
    return names[detail];
}

/* owned: rows made for it, to be freed. Looks are shown as they are stored. */
static struct table detail_table(void **owned, const struct target_view *t, enum detail detail)
{
    struct table table = { .marked = -1 };
    *owned = NULL;
    if (detail == DETAIL_OF_FILL) {
        table.fields = fill_line_fields, table.field_count = fill_line_field_count;
        table.rows = *owned = fill_lines(t), table.row_size = sizeof(struct fill_line);
        table.row_count = *owned ? t->fill_count : 0;
    } else if (detail == DETAIL_OF_LOOKS) {
        table.fields = look_fields, table.field_count = LEN(look_fields);
        table.rows = t->looks, table.row_size = sizeof *t->looks, table.row_count = t->look_count;
    } else {
        table.fields = execution_fields, table.field_count = LEN(execution_fields);
        table.rows = *owned = execution_lines(t), table.row_size = sizeof(struct execution_line);
        table.row_count = *owned ? t->verification_count : 0;
    }
    return table;
}

json_t *detail_json(const struct target_view *target, enum detail detail)
{
    void *owned;
    const struct table table = detail_table(&owned, target, detail);
    json_t *out = table_json(&table);
    free(owned);
    return out;
}

struct key_line { char campaign[32], key[256]; };
#define AT(member) .offset = offsetof(struct key_line, member)
static const struct field key_fields[] = {
    { .name = "campaign", .unit = "", AT(campaign), .type = FIELD_TEXT },
    { .name = "target",   .unit = "", AT(key),      .type = FIELD_TEXT },
};
#undef AT

void detail_write_csv(FILE *file, const struct campaign *campaign, enum detail detail)
{
    const struct target_view nothing = { .row = { .id = 0 } };
    void *owned;
    struct table names = { .fields = key_fields, .field_count = LEN(key_fields), .marked = -1 };
    struct table empty = detail_table(&owned, &nothing, detail);
    table_write_csv_beside(file, &names, &empty, true);
    free(owned);
    for (size_t i = 0; i < campaign->target_count; i++) {
        const struct target_view *t = &campaign->targets[i];
        struct key_line key;
        snprintf(key.campaign, sizeof key.campaign, "%s", campaign->run.name);
        memcpy(key.key, t->row.key, sizeof key.key);
        names.rows = &key, names.row_size = sizeof key, names.row_count = 1;
        const struct table rows = detail_table(&owned, t, detail);
        table_write_csv_beside(file, &names, &rows, false);
        free(owned);
    }
}
