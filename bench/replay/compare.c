#include "bench/replay/compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/store/table.h"

/* --- values --------------------------------------------------------------------------------------------- */

static void value_text(char *out, size_t size, const struct column *c, const void *row)
{
    const void *at = (const char *)row + c->offset;
    switch (c->type) {
    case COLUMN_ID: case COLUMN_ONE: case COLUMN_I64: snprintf(out, size, "%" PRId64, *(const int64_t *)at); break;
    case COLUMN_U64: snprintf(out, size, "%" PRIu64, *(const uint64_t *)at); break;
    case COLUMN_INT: snprintf(out, size, "%d", *(const int *)at); break;
    case COLUMN_BOOL: snprintf(out, size, "%s", *(const bool *)at ? "true" : "false"); break;
    case COLUMN_REAL: snprintf(out, size, "%.17g", *(const double *)at); break;
    case COLUMN_CHARS: snprintf(out, size, "\"%.120s\"", (const char *)at); break;
    case COLUMN_TEXT: snprintf(out, size, "\"%.120s\"", *(const char *const *)at); break;
    case COLUMN_SHAPE: {
        const int *shape = at;
        snprintf(out, size, "%dx%dx%d", shape[0], shape[1], shape[2]);
        break;
    }
    case COLUMN_KIND: snprintf(out, size, "%s", table_kind_name(*(const enum block_kind *)at)); break;
    case COLUMN_U64S: case COLUMN_F32S: snprintf(out, size, "packed"); break; /* no derived row has any */
    }
}

static bool values_equal(const struct column *c, const void *a, const void *b)
{
    const void *x = (const char *)a + c->offset, *y = (const char *)b + c->offset;
    if (c->type == COLUMN_REAL) { /* the store has no NaN but NULL, and one zero */
        double u = *(const double *)x, v = *(const double *)y;
        return u == v || (isnan(u) && isnan(v));
    }
    if (c->type == COLUMN_CHARS)
        return strcmp(x, y) == 0;
    if (c->type == COLUMN_TEXT)
        return strcmp(*(const char *const *)x, *(const char *const *)y) == 0;
    return memcmp(x, y, c->size) == 0;
}

/* --- rows ----------------------------------------------------------------------------------------------- */

struct rows {
    const struct table *table;
    const char *row_name;     /* column that tells rows apart for people; NULL: there is one row */
    size_t row_size;
    const void *stored, *again;
    size_t stored_count, again_count;
};

static const struct column *column_of(const struct table *table, const char *name)
{
    for (size_t i = 0; name && i < table->count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

static void name_row(char out[96], const struct rows *r, const void *row)
{
    const struct column *c = column_of(r->table, r->row_name);
    char value[48];
    snprintf(out, 96, "%s", r->table->name);
    if (!c)
        return;
    value_text(value, sizeof value, c, row);
    snprintf(out, 96, "%s, %s %s", r->table->name, r->row_name, value);
}

/* False: they differ, and difference says where. */
static bool row_is_equal(char *difference, const struct rows *r, size_t i)
{
    const void *a = (const char *)r->stored + i * r->row_size, *b = (const char *)r->again + i * r->row_size;
    for (size_t k = 0; k < r->table->count; k++) {
        const struct column *c = &r->table->columns[k];
        char name[96], was[160], is[160];
        if (c->type == COLUMN_ID || values_equal(c, a, b))
            continue;
        name_row(name, r, a);
        value_text(was, sizeof was, c, a);
        value_text(is, sizeof is, c, b);
        snprintf(difference, COMPARE_TEXT, "%s: %s is %s in the store and %s again", name, c->name, was, is);
        return false;
    }
    return true;
}

static bool rows_are_equal(char *difference, const struct rows *r)
{
    size_t both = r->stored_count < r->again_count ? r->stored_count : r->again_count;
    for (size_t i = 0; i < both; i++)
        if (!row_is_equal(difference, r, i))
            return false;
    if (r->stored_count == r->again_count)
        return true;
    snprintf(difference, COMPARE_TEXT, "%s: %zu rows in the store and %zu again", r->table->name,
             r->stored_count, r->again_count);
    return false;
}

/* --- everything of a target ----------------------------------------------------------------------------- */

static int compare_ints(const int *a, const int *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

static int look_order(const void *a, const void *b)
{
    const struct look_row *x = a, *y = b;
    return compare_ints((const int[]){ x->look, x->n, x->i, x->j },
                        (const int[]){ y->look, y->n, y->i, y->j }, 4);
}

static int verify_order(const void *a, const void *b)
{
    const struct verify_row *x = a, *y = b;
    return compare_ints((const int[]){ x->batch, x->execution },
                        (const int[]){ y->batch, y->execution }, 2);
}

static int estimate_order(const void *a, const void *b)
{
    const struct estimate_row *x = a, *y = b;
    return x->batch != y->batch ? (x->batch < y->batch ? -1 : 1) : strcmp(x->method, y->method);
}

/* Both sides in the order of the store; arrays of their own. */
struct sides {
    struct estimate_row *stored_estimates, *estimates;
    struct why_row *stored_whys;
    struct look_row *looks;
    struct verify_row *verifications;
    size_t stored_estimate_count, stored_why_count;
};

static bool make_sides(struct sides *s, const struct target_view *stored, const struct results *again)
{
    s->stored_estimates = calloc(2 * stored->point_count + 1, sizeof *s->stored_estimates);
    s->estimates = calloc(again->estimate_count + 1, sizeof *s->estimates);
    s->stored_whys = calloc(stored->point_count + 1, sizeof *s->stored_whys);
    s->looks = calloc(again->look_count + 1, sizeof *s->looks);
    s->verifications = calloc(again->verification_count + 1, sizeof *s->verifications);
    if (!s->stored_estimates || !s->estimates || !s->stored_whys || !s->looks || !s->verifications)
        return false;
    for (size_t i = 0; i < stored->point_count; i++) {
        const struct point_view *p = &stored->points[i];
        if (p->has_estimate)
            s->stored_estimates[s->stored_estimate_count++] = p->estimate;
        if (p->has_verified)
            s->stored_estimates[s->stored_estimate_count++] = p->verified;
        if (p->has_why)
            s->stored_whys[s->stored_why_count++] = p->why;
    }
    memcpy(s->estimates, again->estimates, again->estimate_count * sizeof *s->estimates);
    memcpy(s->verifications, again->verifications, again->verification_count * sizeof *s->verifications);
    if (again->look_count)
        memcpy(s->looks, again->looks, again->look_count * sizeof *s->looks);
    qsort(s->stored_estimates, s->stored_estimate_count, sizeof *s->estimates, estimate_order);
    qsort(s->estimates, again->estimate_count, sizeof *s->estimates, estimate_order);
    qsort(s->looks, again->look_count, sizeof *s->looks, look_order);
    qsort(s->verifications, again->verification_count, sizeof *s->verifications, verify_order);
    return true;
}

static void free_sides(struct sides *s)
{
    free(s->stored_estimates);
    free(s->estimates);
    free(s->stored_whys);
    free(s->looks);
    free(s->verifications);
}

enum status compare_results(char *difference, const struct target_view *stored, const struct results *again,
                            struct err *err)
{
    struct sides s = { 0 };
    difference[0] = 0;
    if (!make_sides(&s, stored, again)) {
        free_sides(&s);
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory to compare a decision");
    }
    const struct rows all[] = {
        { &table_decision, NULL, sizeof stored->decision, &stored->decision, &again->decision,
          stored->has_decision, again->has_decision },
        { &table_why, "batch", sizeof *s.stored_whys, s.stored_whys, again->whys, s.stored_why_count,
          again->why_count },
        { &table_look, "look", sizeof *s.looks, stored->looks, s.looks, stored->look_count,
          again->look_count },
        { &table_verification, "batch", sizeof *s.verifications, stored->verifications, s.verifications,
          stored->verification_count, again->verification_count },
        { &table_fill, "images", sizeof *again->fill, stored->fill, again->fill, stored->fill_count,
          again->fill_count },
        { &table_estimate, "batch", sizeof *s.estimates, s.stored_estimates, s.estimates,
          s.stored_estimate_count, again->estimate_count },
    };
    bool equal = true;
    for (size_t i = 0; i < sizeof all / sizeof *all && equal; i++)
        equal = rows_are_equal(difference, &all[i]);
    free_sides(&s);
    return ST_OK;
}
