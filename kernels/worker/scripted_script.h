/* scripted_script.h - the script of a scripted engine as a struct; scripted.h says what every key means.
 * A script is one value without pointers: it may be copied, nothing is to be freed. */
#ifndef WORKER_SCRIPTED_SCRIPT_H
#define WORKER_SCRIPTED_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"

#define SCRIPT_ITEMS_MAX 16
#define SCRIPT_POINTS_MAX 256
#define SCRIPT_WORD_MAX 64
#define SCRIPT_PATH_MAX 512

enum script_time { TIME_VIRTUAL, TIME_REAL, TIME_BUSY };
enum script_per { PER_ITERATION, PER_BLOCK, PER_SECOND };
enum script_noise_kind { NOISE_NORMAL, NOISE_AR1 };
enum script_drift_kind { DRIFT_SETTLE, DRIFT_LINE };
enum script_on_limit { ON_LIMIT_ERROR, ON_LIMIT_KILL };
enum script_at { AT_LOAD, AT_PREPARE, AT_RUN, AT_ITERATION, AT_MEMORY, AT_OUTPUT, AT_PROFILE };
enum script_do { DO_CRASH, DO_EXIT, DO_KILL, DO_HANG, DO_STUBBORN, DO_GARBAGE, DO_ERROR, DO_SHORT, DO_OTHER_BATCH,
                 DO_CLAIM_OUTPUTS, DO_CLAIM_BATCH, DO_CLAIM_COUNT, DO_CLAIM_TIME, DO_NAN, DO_SWAP, DO_ZERO, DO_COUNT };

struct script_field {           /* a named number, or text if is_text */
    char   name[SCRIPT_WORD_MAX], text[SCRIPT_WORD_MAX];
    double number;
    bool   is_text;
};
struct script_fields {
    struct script_field items[SCRIPT_ITEMS_MAX];
    size_t count;
};
struct script_words {
    char   items[SCRIPT_ITEMS_MAX][SCRIPT_WORD_MAX];
    size_t count;
};
struct script_sizes {
    int    items[SCRIPT_ITEMS_MAX];
    size_t count;
};
struct script_point {
    int    batch;
    double images_per_s;
};
struct script_curve {
    struct script_point points[SCRIPT_POINTS_MAX]; /* ascending by batch; none: fixed and per_image */
    size_t count;
    uint64_t fixed_ns, per_image_ns;
};
struct script_noise {
    int    kind, per;
    double sigma, rho;
};
struct script_drift {
    int    kind, per;
    double size, over;
};
struct script_spike {
    int    per;
    double probability, size, spread;
};
struct script_throttle {
    int64_t from, to, every, batch;
    uint64_t after_ns;
    double  factor;
    struct script_fields telemetry;
};
struct script_memory {
    uint64_t fixed_bytes, per_image_bytes, limit_bytes, hold_bytes;
    double   peak_factor;
    struct script_sizes fails;
    int      on_limit;
};
struct script_stages {
    double h2d, d2h;
    bool   given;
};
struct script_output {
    int64_t channels;
    struct script_fields error;
};
struct script_layer {
    char    name[SCRIPT_WORD_MAX], op[SCRIPT_WORD_MAX], implementation[SCRIPT_WORD_MAX];
    double  share;
    int64_t flops, bytes;
};
struct script_fault {
    int      at, action;
    int64_t  call, times, batch, signal, code;
    uint64_t hold_bytes, lasts_ns, after_ns;
    char     kind[SCRIPT_WORD_MAX], message[SCRIPT_PATH_MAX], text[SCRIPT_PATH_MAX], once[SCRIPT_PATH_MAX];
};

struct script {
    int64_t  seed;
    int      time;
    uint64_t load_ns, prepare_ns, device_memory_bytes;
    double   first, clock_skew;
    struct script_curve  curve;
    struct script_fields speed, telemetry;
    struct script_stages stages;
    struct script_memory memory;
    struct script_output output;
    struct script_words  can, precisions, devices;
    char     device_uuid[SCRIPT_WORD_MAX];
    struct script_noise    noise[SCRIPT_ITEMS_MAX];
    struct script_drift    drift[SCRIPT_ITEMS_MAX];
    struct script_spike    spikes[SCRIPT_ITEMS_MAX];
    struct script_throttle throttle[SCRIPT_ITEMS_MAX];
    struct script_layer    layers[SCRIPT_ITEMS_MAX];
    struct script_fault    faults[SCRIPT_ITEMS_MAX];
    size_t noise_count, drift_count, spike_count, throttle_count, layer_count, fault_count;
};

/* ST_IO, ST_CONFIG with "file:line:column: ...". */
enum status script_read(struct script *out, const char *path, struct err *err);
/* The same of a text; `name` stands for the file in messages. */
enum status script_read_text(struct script *out, const char *name, const char *text, size_t size,
                             struct err *err);
/* Number of the field of that name, or `otherwise`. */
double script_number(const struct script_fields *fields, const char *name, double otherwise);

#endif
