/* telemetry.h - the fields of a block, packed: one row holds the readings, and refers to a form that holds
 * what is alike from block to block. For bench/store/ only.
 *
 * Form: JSON, [["steal_ns", "/proc/stat", "", ""], ["clock_khz", "scaling_cur_freq", "", "not_found"]]: name,
 * source, class, absent reason. Readings: JSON, [5247]: a number, null for NaN, or a text for each field of
 * the form that is not absent, in its order. */
#ifndef STORE_TELEMETRY_H
#define STORE_TELEMETRY_H

#include "bench/store/sql.h"

/* Within a transaction. count 0 keeps nothing. */
enum status telemetry_insert(struct store *s, int64_t block, const struct field_row *fields, size_t count,
                             struct err *err);
/* Of a store of any version; free(*out). */
enum status telemetry_load(struct field_row **out, size_t *count, struct store *s, int64_t block,
                           struct err *err);
/* Packs all rows of the table telemetry_v3 into this version's tables, within a transaction. */
enum status telemetry_pack_v3(struct store *s, struct err *err);

#endif
