/* pareto.h - which batch sizes nobody should take, whatever they want: another one is at least as good in
 * throughput, time of a batch and energy, and better in one of them. Pure; borrows for the call. */
#ifndef OUTPUT_PARETO_H
#define OUTPUT_PARETO_H

#include <stdbool.h>

#include "bench/output/table.h"
#include "bench/store/record.h"

/* One size that ran. NaN: unknown. */
struct pareto_line {
    int    batch;
    double images_per_s, service_p50_ms, service_p95_ms;
    double joules_per_image;
    bool   raced;                    /* else of probes only, which show no raced size to be worse */
    int    dominated_by;             /* the size with the highest throughput that is better; 0: none */
};
extern const struct field pareto_fields[];
extern const size_t pareto_field_count;
/* Lines of all points that count, ascending; [*count], for free(); NULL if memory is out. *marked: the chosen
 * one, -1: none. What is unknown of one of two sizes is not compared. */
struct pareto_line *pareto_lines(const struct target_view *target, size_t *count, int *marked);
/* Is this size on the front? */
bool pareto_is_front(const struct target_view *target, int batch);

#endif
