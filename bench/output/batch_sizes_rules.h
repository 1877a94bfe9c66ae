/* batch_sizes_rules.h - the words and numbers that writer and check of batch_sizes.json share. */
#ifndef OUTPUT_BATCH_SIZES_RULES_H
#define OUTPUT_BATCH_SIZES_RULES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define BATCH_SIZES_NOTE_MAX 120
#define BATCH_SIZES_SCRIPTED_NOTE "SCRIPTED, not a measurement"

/* Is one entry of batch_configurations fit to be served: integers >= 1 without a point, optimal <= max_safe,
 * throughput > 0? ceiling: autotune's memory.ceiling_batch, 0 if there is none. On false `out` has the
 * sentence, with the value, and *key the member that it is about. */
bool batch_sizes_entry_is_sound(const json_t *entry, json_int_t ceiling, const char **key, char *out,
                                size_t size);
/* autotune.models.MODEL of a document; NULL: none. */
json_t *batch_sizes_model(const json_t *document, const char *model);
/* autotune.schema; 0 if the document has no autotune (written by another program). */
json_int_t batch_sizes_schema(const json_t *document);
/* decided 4, within 3, undecided 2, coarse 1, else 0; twice that, plus 1 if verified:
 * order of what protects. */
int batch_sizes_confidence(const json_t *decision);
/* First 12 hex digits of SHA-256 over the object printed with sorted keys and no
 * spaces; "" if memory is out. */
void batch_sizes_environment_id(char id[13], const json_t *environment);

#endif
