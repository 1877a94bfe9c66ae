/* cache.h - what tuning found, kept for the next process: one file per device and libraries, one JSON line
 * per entry, plans beside it under the SHA-256 of their bytes.
 *
 * Nothing here may fail a run: a folder that cannot be read or written, a full disk, a broken line or plan
 * are one warning at most, and what could not be read is tuned again. Other processes may use the same folder
 * at the same time: writing takes a lock, reads what they wrote meanwhile, and replaces the file in one step.
 * cache_open .. cache_close owns everything inside; pointers it gives are valid until the next cache_add. */
#ifndef CUDA_CACHE_H
#define CUDA_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"
#include "kernels/base/sha256.h"
#include "kernels/cuda/passes/shape.h"
#include "kernels/cuda/tune/signature.h"

#define CACHE_NAME_MAX 96

/* What the file is for; any difference is another file. */
struct cache_device {
    const char *gpu;        /* its name, as the driver says */
    int sm;                 /* 90 */
    long cudnn;             /* version number of the library loaded: 91900 */
    int driver;             /* version number that cudaDriverGetVersion gives: 13000 */
};
/* What an entry depends on besides; any difference is a miss. */
struct cache_build {
    long cublaslt;          /* version of the library loaded; 0: none */
    const char *kernels;    /* build id of our kernels */
};

/* One convolution's choice, or a norm's. */
struct cache_part {
    int level;                      /* enum tune_level: what this part does */
    char name[CACHE_NAME_MAX];      /* as conv_name or graph_plan_name gives it */
    size_t workspace;
    char plan[SHA256_HEX_SIZE];     /* of the serialised plan */
};
struct cache_choice {
    int level;                      /* enum tune_level; -1: there is none (runner-up of a single candidate) */
    double median_ns;
    int samples;
    struct gpu_shapes shapes;       /* by name in the line; one without them, or with a name not known, is a miss */
    int parts;                      /* 0: a segment without convolutions */
    struct cache_part part[SEGMENT_SLOTS];
    struct cache_part norm[SEGMENT_SLOTS];  /* of a part at F3: its norm, beside the convolution at F0 in `part`; plan
                                             * "" where there is none */
};
struct cache_entry {
    char signature[SIGNATURE_MAX];
    int batch;
    struct cache_choice winner, runner_up;
};

struct cache;
/* dir NULL or "": nothing is stored, nothing found. device and build are copied. NULL: no memory. */
struct cache *cache_open(const char *dir, const struct cache_device *device, const struct cache_build *build);
void cache_close(struct cache *c);                /* NULL is allowed; does not save */
/* NULL: a miss. */
const struct cache_entry *cache_find(const struct cache *c, const char *signature, int batch);
/* Bytes of a plan file, checked against its name; *bytes for free(). false: not there or not what it was. */
bool cache_plan(const struct cache *c, const char sha256[SHA256_HEX_SIZE], void **bytes, size_t *size);
/* Writes a plan beside the file and its name to `sha256`; "" if it could not be written. */
void cache_keep_plan(struct cache *c, char sha256[SHA256_HEX_SIZE], const void *bytes, size_t size);
/* Adds or replaces (same signature and batch). false: no folder, no memory, or a winner whose plans have no
 * names. */
bool cache_add(struct cache *c, const struct cache_entry *entry);
/* Takes an entry out whose plan did not load. */
void cache_drop(struct cache *c, const char *signature, int batch);
/* Writes what was added since, merged with what others wrote. */
void cache_save(struct cache *c);
/* The first thing that went wrong, one sentence, or "": for the log, once. */
const char *cache_warning(const struct cache *c);
/* The file: "DIR/NVIDIA-H100-80GB-HBM3_sm90_cudnn91900_driver13000.jsonl"; "" without a folder. */
const char *cache_path(const struct cache *c);

#endif
