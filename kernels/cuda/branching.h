/* branching.h - whether independent steps of a batch size run on streams of their own: measured against one stream, and
 * kept only if the whole pass is faster. */
#ifndef CUDA_BRANCHING_H
#define CUDA_BRANCHING_H

#include "kernels/cuda/prepared.h"

/* For p, whose choices are made and which has run once. With the option `branches` at "on" p->exec gets its lanes; with
 * "measure" it does if that beats one stream by more than a tie; else nothing happens. A pass on lanes whose results are
 * not those of one stream, bit for bit, is an error of ours: it is not used, and p->branching says so. p->exec must be
 * planned, bound and captured again afterwards. Memory that the lanes need and that is not there: one stream, and no
 * error. ST_DEVICE_LOST, ST_OUT_OF_MEMORY of the host, statuses of a pass on one stream. */
enum status branching_choose(struct prepared *p, struct ready *r, struct err *err);

#endif
