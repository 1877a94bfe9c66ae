/* facts.h - everything that `bench doctor` knows of a machine: read first (facts_read), judged later by pure
 * functions (checks.h). What facts_read gives, facts_free takes back. */
#ifndef DOCTOR_FACTS_H
#define DOCTOR_FACTS_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/store/record.h"
#include "kernels/base/err.h"
#include "kernels/base/model_config.h"
#include "kernels/base/procfs.h"

#define FACTS_GPUS 64
#define FACTS_NODES 80
#define FACTS_LIMIT_S 20             /* for each question to the driver */
#define FACTS_ENGINE_LIMIT_S 40      /* hello 30 s, and the worker's end */

/* What has to be read for a check: only what the chosen checks need is. */
enum facts_part {
    FACTS_FILES   = 0,               /* always: they are quick */
    FACTS_NODES_OPEN = 1 << 0,       /* device nodes are opened */
    FACTS_NVML    = 1 << 1,
    FACTS_CUDA    = 1 << 2,
    FACTS_ENGINES = 1 << 3,
    FACTS_SAMPLES = 1 << 4,          /* two readings 1 s apart */
    FACTS_SMOKE   = 1 << 5,          /* a network runs on every engine */
    FACTS_STORE   = 1 << 6,          /* the folder of results */
};

/* A value that may be absent with a reason: not_found, no_permission, not_supported, "error N". */
struct fact_text {
    char text[256];
    char absent[PROCFS_REASON];      /* "": text is known */
};
struct fact_number {
    double number;
    char absent[PROCFS_REASON];
};

/* --- the GPU as files show it --------------------------------------------------------------------------- */

struct fact_pci {
    char address[24];                /* 0000:01:00.0 */
    int  numa_node;                  /* -1: none, or not told */
};
struct fact_node {
    char path[64];                   /* /dev/nvidia0 */
    bool tried;                      /* it was tried to open it; error is 0 or errno */
    int  error;
    unsigned mode, group;            /* of the node */
};
struct fact_library {
    char path[PROCFS_PATH_MAX];      /* the file behind all links; "": absent says why */
    char folder[PROCFS_PATH_MAX];    /* where the loader's name was found */
    char version[64];                /* at the end of the file's name; "": none there */
    char absent[256];
};

/* --- what a library answered ---------------------------------------------------------------------------- */

struct fact_device {
    char uuid[96], name[96], address[24];
    char capability[16];             /* "8.6"; CUDA only */
    json_t *state; /* NVML only: its fields, each a value, or a text that says why not; borrowed */
};
struct fact_driver {                 /* NVML or the CUDA driver */
    char absent[PROCFS_REASON];      /* "": it was asked */
    bool hang;                       /* `calling` did not return in FACTS_LIMIT_S */
    bool crashed;                    /* the process that asked died in `calling` */
    char calling[64];                /* the call that hung, crashed or failed last */
    bool called;                     /* the initialisation returned `code` */
    int  code;
    char error[128];                 /* the library's words for it */
    char driver_version[96];         /* NVML: "570.133.20"; CUDA: "12.8" */
    char library_version[96];        /* NVML: "12.570.133.20" */
    int  count;                      /* -1: not told */
    struct fact_device devices[FACTS_GPUS];
    size_t device_count;
};

/* --- engines -------------------------------------------------------------------------------------------- */

struct fact_engine {
    char name[64];
    json_t *answer;                  /* its hello, or {"error": {kind, message, api, code}}; borrowed */
};

/* --- processors ----------------------------------------------------------------------------------------- */

struct fact_sample {                 /* one reading of the counters; a NaN is not told */
    double busy, steal, total;       /* processor time of the machine, in ticks */
    double throttled;                /* periods, over all levels of the control group */
    double hot;                      /* thermal throttle events, over all processors */
    double waited_us;                /* some task was ready and had no processor (PSI) */
};
struct facts_cpu {
    struct field_row *environment;   /* of bench/telemetry */
    size_t environment_count;
    int  with_governor, not_performance; /* processors that tell a governor; that run under another one */
    char governor[64], driver[64];   /* of the first one that is not "performance" */
    double max_khz, hardware_khz;    /* of the processor with the lowest cap; 0: not told */
    int  online, allowed;            /* 0: not told */
    char online_list[256], allowed_list[256];
    int  nodes_spanned;              /* NUMA nodes of the allowed processors; 0: not told */
    char nodes[64];                  /* their numbers, "0,1" */
    bool on_node[64];
    char flags[8192];                /* of /proc/cpuinfo, blanks around each; "": not told */
    bool has_quota;
    double quota;                    /* CPUs */
    struct fact_sample first, second;
    bool sampled;
};
struct facts_memory {
    bool limit_known, free_known, killed_known, swap_known;
    uint64_t limit_bytes, free_bytes, killed, swap_bytes;
    char address_limit[64];          /* "unlimited", or bytes; "": not told */
};

struct facts {
    char root[PROCFS_PATH_MAX];      /* "": this machine */
    json_t *answers; /* env, uid, nodes, nvml, cuda, engines, smoke, store: facts.json, or what the children said */
    unsigned long uid;
    bool uid_known;
    const json_t *env;               /* object of texts; NULL: not told */

    char pci_absent[PROCFS_REASON];
    struct fact_pci pci[FACTS_GPUS];
    size_t pci_count;
    bool wsl;                        /* /dev/dxg */
    bool nouveau;
    struct fact_text xids;           /* numbers of Xid lines in the kernel log: "79, 31 (4 times)" */
    struct fact_text module;         /* version; "" with no reason: the file has no number */
    char kernel[128];                /* release */
    struct fact_node nodes[FACTS_NODES];
    size_t node_count;
    bool nodes_hang;                 /* opening nodes_hang_at did not return */
    char nodes_hang_at[64];
    char nodes_absent[PROCFS_REASON];
    struct fact_library nvml_library, cuda_library;
    struct fact_driver nvml, cuda;

    char container[64];              /* how it was recognised: "/.dockerenv"; "": none */
    bool docker_runtime, cdi, toolkit; /* daemon.json names nvidia; a file in /etc/cdi; its programs */

    struct facts_cpu cpu;
    struct facts_memory memory;
    struct fact_text clocksource, paranoid;

    char smoke_absent[ERR_TEXT_MAX]; /* why smoke_expected is not known; "" */
    float smoke_expected[MODEL_EXPECTED_IMAGES][MODEL_EXPECTED_VALUES]; /* of configs/models/smoke.yaml */

    char engines_absent[ERR_TEXT_MAX];
    struct fact_engine engines[64];
    size_t engine_count;
};

/* Reads what `parts` asks for, of this machine (root NULL; store_dir is its folder of results, NULL: not asked) or of the tree at root, whose facts.json stands
 * for everything that is no file: env, uid, nodes, nvml, cuda, engines, smoke, store. Nothing of the machine is opened then
 * but the tree. Takes at most about FACTS_ENGINE_LIMIT_S. ST_USAGE: root is no folder; ST_CONFIG: facts.json
 * is broken; ST_INTERRUPTED; ST_INTERNAL. *out is given to facts_free in every case. */
enum status facts_read(struct facts **out, const char *root, const char *store_dir, unsigned parts,
                       const volatile sig_atomic_t *interrupt, struct err *err);
void facts_free(struct facts *f);

/* The variable, NULL: not set, or not told. */
const char *facts_env(const struct facts *f, const char *name);
/* The answer of an engine by name; NULL: there is no such engine. */
const struct fact_engine *facts_engine(const struct facts *f, const char *name);

/* --- inside of bench/doctor ----------------------------------------------------------------------------- */

void facts_read_gpu(struct facts *f);    /* facts_gpu.c: PCI, module, nodes, libraries of a tree, container */
void facts_read_cpu(struct facts *f);    /* facts_cpu.c: processors and memory, no samples */
void facts_sample(struct facts *f);      /* facts_cpu.c: both samples */
enum status facts_ask(struct facts *f, const char *store_dir, unsigned parts,
                      const volatile sig_atomic_t *interrupt, struct err *err); /* facts_ask.c: fills f->answers by children */
void facts_take_answers(struct facts *f); /* facts_answers.c: f->answers into the fields above */
/* facts_gpu.c: the library that was found at that path. */
void facts_set_library(struct fact_library *l, const char *root, const char *path);

#endif
