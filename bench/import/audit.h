/* audit.h - claims of an imported file that cannot be true, or that nobody measured. Nothing is refused for
 * them: they are said. */
#ifndef IMPORT_AUDIT_H
#define IMPORT_AUDIT_H

#include "bench/import/document.h"
#include "bench/output/notes.h"

/* One line for each finding, "WHAT MODEL: sentence with the numbers":
 *   contradicts     detailed_results names another optimal size
 *   impossible      p95 is below 0.995 of the time that the claimed rate needs for the batch
 *   multiplied      the rate of several users is their number times that of one, within 0.5 %
 *   cuda_as_driver  driver_version is a version of CUDA (below 100)
 *   same_time       an earlier import has this timestamp and other entries
 *   same_rows       the very same test_results stand under another name, here or in an earlier import
 * earlier: documents of imports before this one, newest first. */
void audit_claims(struct notes *out, const struct import_document *d, const struct import_document *earlier,
                  size_t earlier_count);

#endif
