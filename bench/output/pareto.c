#include "bench/output/pareto.h"

#include <math.h>
#include <stdlib.h>

#include "bench/output/curves.h"
#include "bench/output/decided.h"
#include "kernels/base/len.h"

#define AT(member) .offset = offsetof(struct pareto_line, member)
const struct field pareto_fields[] = {
    { .name = "batch",          .unit = "images", AT(batch),          .type = FIELD_INT },
    { .name = "images_per_s",   .unit = "1/s",    AT(images_per_s),   .type = FIELD_REAL, .digits = 4,
      .significant = true },
    { .name = "service_p50_ms", .unit = "ms",     AT(service_p50_ms), .type = FIELD_REAL, .digits = 4,
      .significant = true, .heading = "service_p50" },
    { .name = "service_p95_ms", .unit = "ms",     AT(service_p95_ms), .type = FIELD_REAL, .digits = 4,
      .significant = true, .heading = "service_p95" },
    { .name = "joules_per_image", .unit = "J",    AT(joules_per_image), .type = FIELD_REAL, .digits = 3,
      .significant = true },
    { .name = "dominated_by",   .unit = "images", AT(dominated_by),   .type = FIELD_INT,
      .zero_unknown = true },
};
#undef AT
const size_t pareto_field_count = LEN(pareto_fields);

/* 1: a is better than b; -1: worse; 0: equal, or not known of both. */
static int compare(double a, double b, bool less)
{
    if (!isfinite(a) || !isfinite(b) || a == b)
        return 0;
    return (a < b) == less ? 1 : -1;
}

static bool dominates(const struct pareto_line *a, const struct pareto_line *b)
{
    const int by[] = { compare(a->images_per_s, b->images_per_s, false),
                       compare(a->service_p50_ms, b->service_p50_ms, true),
                       compare(a->joules_per_image, b->joules_per_image, true) };
    bool better = false;
    if (b->raced && !a->raced)
        return false;
    for (size_t i = 0; i < LEN(by); i++) {
        if (by[i] < 0)
            return false;
        better |= by[i] > 0;
    }
    return better;
}

static void find_better(struct pareto_line *line, const struct pareto_line *lines, size_t count)
{
    const struct pareto_line *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (dominates(&lines[i], line) && (!best || lines[i].images_per_s > best->images_per_s))
            best = &lines[i];
    line->dominated_by = best ? best->batch : 0;
}

struct pareto_line *pareto_lines(const struct target_view *target, size_t *count, int *marked)
{
    struct pareto_line *lines = calloc(target->point_count + 1, sizeof *lines);
    *count = 0;
    *marked = -1;
    for (size_t i = 0; lines && i < target->point_count; i++) {
        const struct point_view *p = &target->points[i];
        const struct estimate_row *e = &p->estimate;
        if (!curve_point_is_valid(p))
            continue;
        if (p == target_chosen(target))
            *marked = (int)*count;
        const double rate = exp(e->y); /* of the race for all: rounds and verification saw other minutes */
        lines[(*count)++] = (struct pareto_line){
            .batch = p->batch,
            .raced = point_is_raced(p),
            .images_per_s = rate,
            .service_p95_ms = e->service_p95_ms,
            .service_p50_ms = isfinite(e->service_p50_ms) ? e->service_p50_ms : 1000 * p->batch / rate,
            .joules_per_image = e->joules_per_image > 0 ? e->joules_per_image : (double)NAN
        };
    }
    for (size_t i = 0; i < *count; i++)
        find_better(&lines[i], lines, *count);
    return lines;
}

bool pareto_is_front(const struct target_view *target, int batch)
{
    size_t count;
    int marked;
    bool front = false;
    struct pareto_line *lines = pareto_lines(target, &count, &marked);
    for (size_t i = 0; i < count; i++)
        front |= lines[i].batch == batch && !lines[i].dominated_by;
    free(lines);
    return front;
}
