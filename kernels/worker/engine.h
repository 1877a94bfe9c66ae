/* engine.h - what an engine is to the worker server: a table of functions, every slot filled, by name.
 * The author of an engine reads this file and scripted.c as the worked example.
 * What `open` gives, `close` takes back; everything else borrows for the call. No function prints or exits.
 * An engine is single-threaded towards the server: one call at a time. */
#ifndef WORKER_ENGINE_H
#define WORKER_ENGINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/clock.h"
#include "kernels/base/err.h"
#include "kernels/base/sha256.h"

#define ENGINE_ITEMS_MAX 16
#define ENGINE_NAME_MAX 96

struct model; /* the engine's own; opaque to the server */

struct engine_version {
    char name[32], version[64];
};
struct engine_device {
    char     id[16];               /* "cpu:0", "cuda:1" */
    char     name[ENGINE_NAME_MAX];
    char     uuid[48];             /* of a GPU, by which NVML finds it ("GPU-..."); "": has none */
    uint64_t memory_bytes;
};
struct hello_info {
    struct engine_version versions[ENGINE_ITEMS_MAX]; /* what is really loaded, not the headers' numbers */
    size_t version_count;
    struct engine_device devices[ENGINE_ITEMS_MAX];
    size_t device_count;
    const char *precisions[ENGINE_ITEMS_MAX];         /* "f32", "bf16", ...: what this machine can run */
    size_t precision_count;
    bool can_stages, can_output, can_memory, can_profile, can_virtual;
    void *context;                                    /* in: the engine's, see struct engine */
    json_t *more;                                     /* members of its own for the answer, owned by the server */
};

struct model_request {          /* `load`; all pointers borrowed for the call */
    const char *model;          /* name in configs/models, or a path */
    int  shape[3];              /* C, H, W; all 0: the model's own */
    const char *precision, *device;
    int  threads;               /* >= 1, or 0: auto */
    const char *weights;        /* "seeded", "conformance" or a path */
    uint32_t seed;              /* of the first input image */
    int  max_batch;             /* largest batch that will be prepared; 0 unknown */
    const char *mode;           /* "e2e", "compute", "pipelined"; "" default */
    bool cold;
    const char *until;          /* "" or the module after which the graph ends */
    const json_t *options;      /* the engine's own, or NULL */
    uint64_t now_ns;            /* where virtual time starts; of no meaning to an engine in real time */
    void *context;              /* the engine's, see struct engine */
};
struct model_info {
    uint64_t parameters, weight_bytes, macs_per_image;
    char model_sha256[SHA256_HEX_SIZE]; /* graph and f32 weights; "" if the engine cannot tell */
    int  input_shape[3], output_shape[3]; /* C,H,W */
};
struct prepared_info {          /* planned bytes; 0 where an engine plans nothing */
    uint64_t weights_bytes, activations_bytes, workspace_bytes;
};
struct iteration {
    int  batch;                 /* executed: read back from the tensors, never copied from the request */
    int  images;                /* result images produced */
    uint64_t h2d_ns, compute_ns, d2h_ns; /* valid if has_stages */
    bool has_stages;
    uint64_t launch_ns;         /* host time inside the launch; valid if has_launch, then so are the stages */
    bool has_launch;            /* the rest of the iteration is a gap that the answer tells too */
};
struct memory_info {
    uint64_t current_bytes, peak_bytes; /* peak since the last call */
};
struct profile_layer {
    char name[ENGINE_NAME_MAX], op[24], implementation[64];
    uint64_t ns;                /* mean per iteration */
    uint64_t flops, bytes;      /* per iteration: arithmetic, and least traffic (each operand once) */
};
struct profile {                /* the engine allocates layers with malloc, the server frees */
    struct profile_layer *layers;
    size_t count;
    uint64_t iteration_ns;      /* mean of the same number of unprofiled iterations, interleaved */
    double roof_flops_per_s, roof_bytes_per_s; /* measured on this machine; 0 unknown */
};

struct engine {
    const char *name;
    /* Cheap, takes no device memory. */
    enum status (*hello)(struct hello_info *out, struct err *err);
    /* Weights are resident afterwards. info is filled. */
    enum status (*open)(struct model **out, struct model_info *info, const struct model_request *req,
                        struct err *err);
    /* Everything that happens once per batch size, input buffers included. The server times it and runs the
     * first iteration itself. */
    enum status (*prepare)(struct model *m, int batch, struct prepared_info *out, struct err *err);
    /* One iteration: the next input buffer through the network. Allocates nothing, prints nothing. */
    enum status (*run)(struct model *m, int batch, struct iteration *out, struct err *err);
    /* src (N,C,H,W) f32 in, dst (N,K,H',W') f32 out, both of the caller, K,H',W' = info.output_shape. */
    enum status (*output)(struct model *m, int batch, const float *src, float *dst, struct err *err);
    enum status (*memory)(struct model *m, struct memory_info *out, struct err *err);
    enum status (*profile)(struct model *m, int batch, int iterations, struct profile *out, struct err *err);
    void (*release)(struct model *m, int batch);
    void (*close)(struct model *m);
    /* The clock that iterations are timed with: NULL = the system's; scripted engines
     * may give a virtual one. */
    const struct clock *(*clock)(struct model *m);
    /* Adds the engine's own members to the answer of a request that was done (`op` is its name), once a model
     * is open. NULL: nothing to add. */
    void (*annotate)(struct model *m, const char *op, json_t *answer);
    /* What the main of a worker program hands to hello and open (its command line, say); NULL for most. */
    void *context;
};

#endif
