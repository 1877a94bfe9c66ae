/* why_table.h - everything that a user needs to defend a batch size: the claim, what it rests on, one line
 * per size with the comparison that counts, how the race went, the verification, and what to do next. What
 * `bench show --why` prints; the page takes the same rows. */
#ifndef OUTPUT_WHY_TABLE_H
#define OUTPUT_WHY_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/output/table.h"
#include "bench/store/record.h"

/* One size. NaN, 0 and "" mean unknown. */
struct why_line {
    int    batch;
    double images_per_s;             /* of the race, else of the probe: what was compared */
    int    against;                  /* the rival of the comparison */
    char by[48]; /* "-9.8 (-10.2 to -9.4)": percent of the rival's rate (time, energy), with its
                                        interval */
    int    rounds;                   /* behind the comparison */
    char   why[32], text[RECORD_TEXT];
};
extern const struct field why_line_fields[];
extern const size_t why_line_field_count;
/* Lines of all sizes with a reason, ascending; [*count], for free(); NULL if memory is out. *marked: the
 * chosen one, -1: none. */
struct why_line *why_lines(const struct target_view *target, size_t *count, int *marked);

/* One member of the verification in one execution. */
struct verify_line {
    int    execution, batch;
    double images_per_s, joules_per_image; /* NaN: not known by this objective */
    double from_best_percent;        /* 100 (value / leader's - 1); NaN: the leader itself, or not measured */
};
extern const struct field verify_line_fields[];
extern const size_t verify_line_field_count;
struct verify_line *verify_lines(const struct target_view *target, size_t *count);

/* One look of the race and what it showed. */
struct look_line {
    int  rounds;
    char slower[160], holds[160];    /* sizes found slower by then, and those that are fast enough: "1, 2" */
    char open[160];                  /* those that are neither yet */
    char control[48];                /* "2: -0.1 (-0.5 to 0.3)": the control size against itself, percent */
};
extern const struct field look_line_fields[];
extern const size_t look_line_field_count;
struct look_line *look_lines(const struct target_view *target, size_t *count);

#define WHY_FACTS_MAX 10
struct why_facts {                   /* label and sentence, in the order of reading */
    struct { const char *label; char text[512]; } items[WHY_FACTS_MAX];
    size_t count;
};
/* What the decision rests on: zone, race, noise floor, verification, limit, memory, first use, open loop. */
void why_facts_of(struct why_facts *out, const struct target_view *target);

/* All of it for the targets of a campaign; model NULL: all. */
void why_show(FILE *file, const struct campaign *campaign, const char *model, bool colour);
#endif
