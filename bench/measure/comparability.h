/* comparability.h - what must be the same for two measurements to be of the same thing
 * (measurement rule 7.1). Pure. */
#ifndef MEASURE_COMPARABILITY_H
#define MEASURE_COMPARABILITY_H

#include <stddef.h>

#include "bench/store/record.h"

/* SHA-256 over the `key` facts of the environment, the model's hash and the target's key. env
 * may be NULL if n is 0. */
void comparability_hash(char out[RECORD_HASH], const struct field_row *env, size_t n,
                        const char *model_sha256, const char *target_key);
/* Name of the first `key` fact of `then` that is another one in `now`; NULL: none. was and is (RECORD_TEXT
 * bytes each) get both values. */
const char *comparability_field(char *was, char *is, const struct field_row *then, size_t then_count,
                                const struct field_row *now, size_t now_count);
/* The same for two keys of targets: "threads" with "4" and "2". */
const char *comparability_key_field(char *was, char *is, const char *then, const char *now);

#endif
