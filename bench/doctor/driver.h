/* driver.h - what follows from the facts about the driver: versions and codes that several checks ask for.
 * Pure; texts are borrowed from the facts. Inside of bench/doctor. */
#ifndef DOCTOR_DRIVER_H
#define DOCTOR_DRIVER_H

#include "bench/doctor/facts.h"

/* Dotted numbers: < 0, 0, > 0 as a is older than, equal to, newer than b. 535.54 is older than 535.104. */
int driver_compare_versions(const char *a, const char *b);
/* Driver version of the library: the end of libnvidia-ml's file name, else what stands behind the first dot
 * of NVML's own version; "" unknown. */
const char *driver_library_version(const struct facts *f);
/* CUDA runtime of the CUDA worker; NULL: it did not tell. */
const char *driver_runtime(const struct facts *f);
/* CUDA error number of the CUDA worker's answer and its sentence; 0: none. */
int driver_worker_code(const struct facts *f, const char **message);
/* The code that CUDA gave: libcuda's own, else the worker's; 0: none. */
int driver_cuda_code(const struct facts *f);

#endif
