/* smoke.h - the smallest network on every engine and device that was found: does it run, and is the output right?
 * What comes out is an answer like those of the children (facts.json's `smoke`); the check judges it. */
#ifndef DOCTOR_SMOKE_H
#define DOCTOR_SMOKE_H

#include <jansson.h>
#include <signal.h>
#include <stddef.h>

#include "bench/config/config.h"

#define SMOKE_MODEL "smoke"

/* {ENGINE: {DEVICE: {"precision", "first_use_ms", "image_ms", "images": [{"finite", "values": [48]}, ..3],
 *   "batch": [{"finite", "rel_l2", "mask"}, ..3], and of a GPU "memory_before", "memory_during", "under_load": {..}}
 *   or {"error": {"kind", "message", "stage"}}}}
 * engines[count] one after the other, only those that answered with devices: answers is {ENGINE: its hello or
 * error}. Takes until each has answered, at most the limits of the protocol; ends early when *interrupt is set.
 * The caller owns the result; NULL: no memory. */
json_t *smoke_run(const struct engine_config *engines, size_t count, const json_t *answers,
                  const volatile sig_atomic_t *interrupt);

#endif
