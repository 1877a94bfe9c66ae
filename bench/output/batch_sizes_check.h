/* batch_sizes_check.h - everything a reader of batch_sizes.json or production_batch_config.json can check, in
 * one place: `bench verify FILE`, and the writer before it puts its own bytes in place.
 * A struct findings starts as {0}; batch_sizes_findings_free takes back what a check added. */
#ifndef OUTPUT_BATCH_SIZES_CHECK_H
#define OUTPUT_BATCH_SIZES_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/err.h"

struct finding {
    char name[256];     /* the file it is about, as it was given */
    int  line;          /* of the file, from 1; 0: not about a line */
    char path[256];     /* "batch_configurations.hrnet.optimal_batch_size"; "" for the file */
    char rule[16];      /* "E1", "E7", "schema", "differs" ... */
    char text[512];     /* sentence with the value and what is allowed */
};
struct findings {
    struct finding *items; /* [count], in the order of the checks */
    size_t count;
    bool   out_of_memory;  /* some were lost: never take count 0 for good then */
    char   summary[256];   /* what was read: "batch_sizes.json: 3 models, 2 measured, campaign ..." */
};

/* Checks the bytes of one file; `name` stands in messages. Which of the two files it is follows from its
 * keys. ST_OK: nothing found. ST_BAD_NEWS: at least one finding; err has the first and the count. A file
 * without the key `autotune` (written by another program) is held only to what its consumer needs. */
enum status batch_sizes_check_text(struct findings *out, const char *name, const char *text, size_t size,
                                   struct err *err);
/* The same of a file, and if production_batch_config.json lies beside a batch_sizes.json, that one too and
 * whether both agree (rule "differs"). ST_CONFIG (exit 2): it cannot be read at all. */
enum status batch_sizes_check_file(struct findings *out, const char *path, struct err *err);
/* Do the two documents' bytes agree in sizes, throughput and p95? Adds findings, returns as above. */
enum status batch_sizes_check_pair(struct findings *out, const char *sizes, size_t sizes_size,
                                   const char *production, size_t production_size, struct err *err);
/* One line of a finding for people: "batch_sizes.json:12:
 * batch_configurations.hrnet...: sentence (rule E1)". */
void batch_sizes_finding_text(char *out, size_t size, const struct finding *finding);
void batch_sizes_findings_free(struct findings *findings);

#endif
