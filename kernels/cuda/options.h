/* options.h - the engine's own members of `load`'s options, and where they have other defaults: a JSON object in the
 * environment variable BENCH_CUDA_OPTIONS, for whoever starts the worker by hand. */
#ifndef CUDA_OPTIONS_H
#define CUDA_OPTIONS_H

#include <jansson.h>
#include <stdint.h>

#include "kernels/base/err.h"
#include "kernels/cuda/tune/tune.h"

#define OPTIONS_LEVEL_TUNED (-1)
#define GPU_OPTIONS_VARIABLE "BENCH_CUDA_OPTIONS"

/* Independent steps on streams of their own: never (until a GPU has shown that it is worth it), where a measurement in
 * `prepare` says so, always. */
enum gpu_branches { BRANCHES_OFF, BRANCHES_MEASURE, BRANCHES_ON };

struct gpu_options {
    bool stream;                    /* launch: "graph" (default) or "stream" */
    bool events_outside;            /* events: "graph" (default): inside the graph; "stream": round its launch */
    enum gpu_branches branches;     /* branches: "off" (default), "measure", "on" */
    enum tune_mode tune;            /* tune: "auto" (default), "cache", "fresh", "off" */
    uint64_t tune_budget_ns;        /* tune_budget_ms: 60000 */
    char cache_dir[4096];           /* "": nothing is stored */
    size_t workspace_cap;           /* workspace_cap_bytes: 256 MiB */
    int level;                      /* level: "f0" .. "f3" everywhere and no tuning; OPTIONS_LEVEL_TUNED without */
    bool predict;                   /* predict: refuse what does not fit before trying (default true) */
    /* for tests of what happens then: */
    uint64_t leave_bytes;           /* leave_bytes: take all of the device's memory but this; 0: take none */
    uint64_t fail_at;               /* fail_at: before this iteration a kernel writes to no memory at all; 0: never */
};

/* ST_INVALID names the option, its value and what is allowed. options may be NULL; unknown members are ignored. */
enum status gpu_options_read(struct gpu_options *out, const json_t *options, struct err *err);

#endif
