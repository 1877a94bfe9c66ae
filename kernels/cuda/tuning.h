/* tuning.h - the engine's side of the tuner: what tune.h asks of a device, on the pool of prepared.h. */
#ifndef CUDA_TUNING_H
#define CUDA_TUNING_H

#include "kernels/cuda/prepared.h"

/* Sets the choices of p's execution and fills p->tuned: by the level that the options force, else by the tuner. p is in
 * r's list; the pool may have any size afterwards. Statuses of conv_list and of memory. */
enum status tuning_choose(struct prepared *p, struct ready *r, struct err *err);

#endif
