/* batch_sizes_entry.h - which models the files get and what stands behind each: the structs that both
 * documents are made from. Everything borrows from the campaign and the base document;
 * batch_sizes_entries_free takes back the list itself. */
#ifndef OUTPUT_BATCH_SIZES_ENTRY_H
#define OUTPUT_BATCH_SIZES_ENTRY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "bench/config/config.h"
#include "bench/output/decided.h"
#include "bench/output/notes.h"
#include "bench/store/record.h"
#include "kernels/base/err.h"

#define BATCH_SIZES_MIB 1048576.0
#define BATCH_SIZES_GIB 1073741824.0

/* The target that speaks for its model. */
struct pick {
    const struct target_view *target;   /* NULL: no decision that may be written */
    const char *rule;                   /* "only", "configured", "fastest" */
    bool tried;                         /* some size of the model was tried in this campaign */
    char outcome[32], text[RECORD_TEXT]; /* without a target: word and sentence why */
};
/* Picks by output.for, else the only target, else the one with the highest verified rate (within X of it:
 * fewer instances, fewer threads, less memory); where none is verified, the highest rate. Targets that failed
 * the accuracy gate and scripted ones without --allow-scripted do not count. ST_CONFIG: the model is ruled by
 * a row of output.for that matches none of its targets. ST_USAGE: the model has only scripted targets and
 * that is not allowed. */
enum status pick_target(struct pick *out, const struct campaign *campaign, const struct config *config,
                        const char *model, struct notes *notes, struct err *err);
/* ST_CONFIG if a row of output.for matches no target of the campaign at all. */
enum status pick_check_rows(const struct campaign *campaign, const struct config *config, struct err *err);

struct entry {
    const char *model;
    bool measured;                      /* written anew from `target`; else carried from the base */
    const struct target_view *target;
    const struct point_view  *point, *max_safe_point; /* at the two sizes; both measured */
    const char *target_rule;
    int    optimal, max_safe, memory_limit_mb;
    int    ceiling_batch;
    bool   ceiling_is_lower_bound;
    double images_per_s, p95_ms;        /* p95: NaN if too few iterations */
    bool   production_optimized;
    char   reason[RECORD_TEXT];         /* of the decision */
    char   attempt[32];                 /* carried though this campaign tried: outcome; else "" */
};
struct entries {
    struct entry *items;
    size_t count;
    enum status worst;                  /* ST_OK, ST_UNDECIDED or ST_BAD_NEWS (by exit code rules) */
    char   why[RECORD_TEXT + 80];       /* sentence of worst */
};
/* All models of the files: those of the base in its order, then measured ones in plan order;
 * minus output.drop. ST_CONFIG: a model has neither decision nor old entry; a carried entry
 * breaks the rules of sizes. */
enum status batch_sizes_entries(struct entries *out, const struct campaign *campaign,
                                const struct config *config, json_t *base, struct notes *notes,
                                struct err *err);
void batch_sizes_entries_free(struct entries *entries);

#endif
