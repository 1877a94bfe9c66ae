/* batch_sizes_write.h - a campaign becomes batch_sizes.json and production_batch_config.json: both documents
 * are made from the same structs (batch_sizes_build), checked as a reader would, and put in place so that an
 * old file is whole until the new one is on disk (batch_sizes_write).
 *
 * No clock, host name, path, locale or random value gets into the documents: the same campaign, base and
 * configuration give the same bytes. The environment of the campaign is read by these names, absent ones are
 * null: cpu_model cpu_cores cpu_threads cpu_quota memory_bytes numa_nodes kernel, and for a GPU device_uuid
 * compute_capability mig_profile driver cuda_driver power_limit_w ecc. */
#ifndef OUTPUT_BATCH_SIZES_WRITE_H
#define OUTPUT_BATCH_SIZES_WRITE_H

#include <jansson.h>

#include "bench/config/config.h"
#include "bench/output/notes.h"
#include "bench/store/record.h"

#define BATCH_SIZES_FILE       "batch_sizes.json"
#define BATCH_SIZES_PRODUCTION "production_batch_config.json"
#define BATCH_SIZES_SCHEMA 1 /* of the key `autotune`; raised only when an old reader would misread */
#define BATCH_SIZES_MAX_BYTES  (16u << 20) /* a file that is larger is not read */

/* The file whose unmeasured models are carried over. Starts as {0} (no base);
 * batch_sizes_base_free takes back. */
struct batch_sizes_base {
    json_t *document;   /* NULL: none */
    char    name[4096]; /* its path for messages, "none" */
};
/* Reads the base: config->base ("none" or a file), else batch_sizes.json in `folder` if it is
 * there, else the last import of the store in `folder`, else none. ST_CONFIG (exit 2): it is missing though
 * it was asked for, broken, or newer than ours. Its entries are checked when they are carried over
 * (batch_sizes_build): one that is measured anew may have been wrong. */
enum status batch_sizes_base_read(struct batch_sizes_base *out, const struct config *config,
                                  const char *folder, struct err *err);
void batch_sizes_base_free(struct batch_sizes_base *base);

/* The two documents. Both NULL unless something can be written. */
struct batch_sizes_documents {
    json_t *sizes, *production;
};
/* Builds both. base_document may be NULL (no base). ST_OK; ST_UNDECIDED: built, but a model is undecided or
 * the campaign was cut short (exit 4), and where no model has any entry nothing was built; ST_BAD_NEWS:
 * built, but a model has no usable size and keeps its old entry (exit 1). Anything else (ST_CONFIG, ST_USAGE,
 * ST_ENVIRONMENT, ...): nothing was built, out holds NULLs. err holds the sentence of every status but ST_OK.
 * Notes for stderr are appended to notes. */
enum status batch_sizes_build(struct batch_sizes_documents *out, const struct campaign *campaign,
                              const struct config *config, json_t *base_document, struct notes *notes,
                              struct err *err);
void batch_sizes_documents_free(struct batch_sizes_documents *documents);

/* Reads the base, builds, checks and puts both files into `folder` (made if missing): what `bench tune`
 * calls. Statuses of batch_sizes_build, and: ST_BUSY another bench holds the folder for 10 s, ST_IO the
 * disk (both exit 3), ST_INTERNAL the check of our own bytes failed. After ST_OK, ST_UNDECIDED and
 * ST_BAD_NEWS both files are in place or were already equal ("unchanged" in notes); after any other the old
 * files are as they were. */
enum status batch_sizes_write(const struct campaign *campaign, const struct config *config,
                              const char *folder, struct notes *notes, struct err *err);

#endif
