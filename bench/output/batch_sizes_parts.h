/* batch_sizes_parts.h - the parts of batch_sizes.json that are made from measured entries. Each puts its
 * members into an object it is given; what cannot be put in fails the struct document. */
#ifndef OUTPUT_BATCH_SIZES_PARTS_H
#define OUTPUT_BATCH_SIZES_PARTS_H

#include "bench/output/batch_sizes_entry.h"
#include "bench/output/document.h"

#define BATCH_SIZES_DAY_SIZE 20
/* "YYYY-MM-DD HH:MM:SS", UTC. */
void batch_sizes_historic_stamp(char text[BATCH_SIZES_DAY_SIZE], int64_t unix_s);
/* The campaign's end; its start if it never ended properly. */
int64_t batch_sizes_ended(const struct run_row *run);

/* --- the keys that the consumer has always had (batch_sizes_historic.c) --- */

/* batch_configurations.M and detailed_results.M. */
json_t *batch_sizes_configuration(struct document *d, const struct entry *e, const struct campaign *campaign);
json_t *batch_sizes_details(struct document *d, const struct entry *e);
/* NULL if no measured target is on a GPU. */
json_t *batch_sizes_gpu_info(struct document *d, const struct entries *entries,
                             const struct campaign *campaign);
json_t *batch_sizes_cpu_info(struct document *d);
json_t *batch_sizes_no_dynamic_batching(struct document *d);
/* NULL if no open loop ran for a measured entry. */
json_t *batch_sizes_dynamic_batching(struct document *d, const struct entries *entries);
json_t *batch_sizes_no_parallel_processing(struct document *d, const struct entries *entries,
                                           const struct config *config);

/* --- our key (batch_sizes_autotune.c) --- */

/* models.M of a measured entry; its environment is put into `environments` under its id. */
json_t *batch_sizes_measured_model(struct document *d, json_t *environments, const struct entry *e,
                                   const struct campaign *campaign, const struct config *config);
/* {id, ended_at}, and started_at between them if with_start. */
json_t *batch_sizes_campaign(struct document *d, const struct run_row *run, bool with_start);
void batch_sizes_version(char *out, size_t size, const struct run_row *run); /* first word of the build */

/* --- the second file (batch_sizes_production.c) --- */

/* production_batch_config.json of a finished batch_sizes.json: measured models with a p95; the others are
 * named in notes. NULL if d failed. */
json_t *batch_sizes_production(struct document *d, const json_t *sizes, struct notes *notes);

#endif
