/* engine.h - the reference as an engine: f32 weights, double arithmetic, batches one image at a time.
 * It is the yardstick of the accuracy gate, not a thing to be timed: an iteration allocates, and it rotates
 * over three input images only. Otherwise as kernels/worker/engine.h says. */
#ifndef REFERENCE_ENGINE_H
#define REFERENCE_ENGINE_H

#include "kernels/worker/engine.h"

/* Static; never NULL. */
const struct engine *reference_engine(void);

#endif
