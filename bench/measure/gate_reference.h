/* gate_reference.h - the f32 reference outputs of a model: computed once by the reference engine,
 * then kept in the store. */
#ifndef MEASURE_GATE_REFERENCE_H
#define MEASURE_GATE_REFERENCE_H

#include <stdbool.h>

#include "bench/measure/campaign_state.h"
#include "bench/measure/gate_images.h"
#include "kernels/base/err.h"

#define GATE_REFERENCE_ORIGIN "reference"

struct gate_reference_ask {
    struct campaign_state *campaign;
    const struct target_state *target;
    const int *shape;                /* [3] */
    const struct gate_image *images; /* [image_count] */
    int image_count;
    const char *model_sha256;        /* of the target's engine: the reference must have the same */
};
/* Makes sure that the store holds the outputs of all images. *available false (ST_OK): the reference engine
 * has another model under this name, why_not (RECORD_TEXT bytes) says so. ST_ENVIRONMENT: the reference
 * engine does not run, or its output is not finite; ST_INTERRUPTED; or a status of the store. */
enum status gate_reference_keep(bool *available, char *why_not, const struct gate_reference_ask *ask,
                                struct err *err);

#endif
