/* findings.h - how the checks of batch_sizes_check.h report: one call per broken rule. */
#ifndef OUTPUT_FINDINGS_H
#define OUTPUT_FINDINGS_H

#include <jansson.h>

#include "bench/output/batch_sizes_check.h"

/* One file under check. */
struct checking {
    struct findings *findings;
    const char *name, *text; /* bytes of the file */
    size_t size;
    json_t *root;
};
/* Adds a finding about the member at path (its line is looked up). */
void finding_add(struct checking *c, const char *path, const char *rule, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* One finding if the value is not as wanted: "must be WANTED, got VALUE". Returns good. */
bool finding_unless(struct checking *c, bool good, const json_t *value, const char *path, const char *rule,
                    const char *wanted);
/* Value at a dotted path below `from` (names without dots); NULL: none. */
json_t *finding_get(const json_t *from, const char *path);
json_int_t finding_int(const json_t *from, const char *path); /* 0: no integer there */
double finding_real(const json_t *from, const char *path);    /* NaN: no number there */
/* The row of a measured model's curve for a size; NULL: none. */
const json_t *finding_curve_point(const json_t *model, json_int_t batch);
#define FINDING_PATH 256
/* Joins two parts with a dot into path[FINDING_PATH] and returns it. */
const char *finding_path(char *path, const char *parent, const char *name);

/* The two halves of the check of batch_sizes.json: entries with what is historic in
 * them, and the key autotune against them. */
void check_entries(struct checking *c);
void check_autotune(struct checking *c);
void check_production(struct checking *c);
/* What a measured model says of its decision beside the sizes: limit, range, max_safe, fill table, break
 * even, memory; path: "autotune.models.NAME". */
void check_decided(struct checking *c, const char *path, const json_t *entry, const json_t *model);
/* The sections that are about all models. */
void check_sections(struct checking *c);

#endif
