/* plan.h - what a plan asks of the machine: read from what `bench plan --json` printed. */
#ifndef DOCTOR_PLAN_H
#define DOCTOR_PLAN_H

#include <stdbool.h>

#include "kernels/base/err.h"

/* Over the targets on the CPU; those on a GPU ask for its memory. */
struct doctor_plan {
    int    threads;                  /* most at once: threads x instances; 0: no target on the CPU */
    double memory_bytes;             /* largest resident set that is predicted; 0: none is */
    bool   bf16;                     /* bf16 is planned */
};
/* ST_CONFIG: it is not there, no JSON, or not what bench plan prints (the key is named). */
enum status doctor_plan_read(struct doctor_plan *out, const char *path, struct err *err);

#endif
