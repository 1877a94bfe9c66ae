/* worker.h - the client of one worker process: start it, ask it, time it out, kill it, say how it ended.
 * What worker_open gives, worker_close takes back; asks and results are the caller's. Not for several
 * threads, and the thread that opened a worker must outlive it (the worker dies with that thread).
 *
 * Statuses of every call that asks something:
 *   ST_OK           the result is filled and was checked against the request
 *   ST_UNSUPPORTED, ST_OUT_OF_MEMORY, ST_INVALID, ST_MODEL, ST_ENVIRONMENT, ST_INTERNAL
 *                   the worker said so; it lives on and can be asked again (err->api and code as it gave them)
 *   ST_WRONG_OUTPUT the worker said so, or its answer holds another batch or image count than asked; it lives on
 *   ST_DEVICE_LOST  the worker said so and exits
 *   ST_CRASHED      it ended without an answer, or answered what is no valid answer (then it was killed):
 *                   worker_end_of tells which
 *   ST_HUNG         no answer within deadline_ns: it was sent SIGTERM, 2 s later SIGKILL, its whole process group
 *   ST_INTERRUPTED  the interrupt flag was set, or give_up_ns is over; only worker_close is allowed now
 * After DEVICE_LOST, CRASHED, HUNG and INTERRUPTED worker_alive is false and every further call gives
 * ST_CRASHED. Results are all zero unless ST_OK (worker_run says what else it may fill). err may be NULL. */
#ifndef MEASURE_WORKER_H
#define MEASURE_WORKER_H

#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernels/base/clock.h"
#include "kernels/base/err.h"
#include "kernels/base/sha256.h"

#define WORKER_S UINT64_C(1000000000)
/* Deadlines of the protocol; of `run`: WORKER_RUN_SLACK_NS + WORKER_RUN_FACTOR x the predicted time. */
#define WORKER_HELLO_NS     (30 * WORKER_S)
#define WORKER_LOAD_NS      (600 * WORKER_S)
#define WORKER_PREPARE_NS   (600 * WORKER_S)
#define WORKER_SHORT_NS     (30 * WORKER_S) /* memory, release, quit */
#define WORKER_RUN_SLACK_NS (30 * WORKER_S)
#define WORKER_RUN_FACTOR   10
/* Deadline of a run, output or profile that is expected to take predicted_ns. */
static inline uint64_t worker_run_deadline(uint64_t predicted_ns)
{
    return WORKER_RUN_SLACK_NS + WORKER_RUN_FACTOR * predicted_ns;
}

#define WORKER_GROUP_MAX 64          /* workers that can be awaited together */
#define WORKER_CLOCK_SHARE 0.01      /* by how much a worker's clock may differ from ours */
#define WORKER_ITEMS_MAX 16
#define WORKER_NAME_MAX 96
#define WORKER_STDERR_LINES 20

struct worker;

struct worker_start {
    char *const *command;            /* argv, ended by NULL; argv[0] is looked up by home_program */
    const char *folder;              /* working folder of the process; NULL: ours */
    const char *const *environment;  /* "NAME=value" added to ours, ended by NULL; NULL: none */
    const char *log_path;            /* standard error is appended to it; NULL: only the last lines are kept */
    const volatile sig_atomic_t *interrupt; /* not 0: every wait ends with ST_INTERRUPTED; NULL: never */
    uint64_t give_up_ns;             /* of the system's clock: from then on every wait ends likewise; 0: never */
    const cpu_set_t *cpus;           /* that it may use; NULL: ours */
    uint64_t memory_limit_bytes;     /* a SIGKILL with a resident set of >= 90 % of it was the out-of-memory killer;
                                      * 0: the smallest limit of the cgroups and the machine */
    uint64_t *virtual_now_ns;        /* of the caller: `now` of campaigns in virtual time, moved forward by the
                                      * answers of virtual workers (see worker_is_virtual); NULL: kept inside */
};

/* Starts the process in its own process group, which dies with this one. Ignores SIGPIPE in this process from
 * then on. ST_ENVIRONMENT: no such command, not executable, no such folder, no process to be had; ST_IO: the
 * log. A program that starts and exits at once is noticed by worker_hello. */
enum status worker_open(struct worker **out, const struct worker_start *start, struct err *err);
/* Ends the worker if it lives: quit and end of input if it waits for a request (2 s), else SIGTERM (2 s),
 * then SIGKILL to its group; frees. NULL is allowed. */
void worker_close(struct worker *w);

/* Ends it at once (SIGTERM, 2 s, SIGKILL), because it is of no use without another one. */
void worker_abort(struct worker *w);
/* Waits until each of workers[count] has answered, has ended or has run out of time, or the interrupt is
 * set; their _receive calls then return at once. Answers are time-stamped as they come. count <=
 * WORKER_GROUP_MAX. */
void worker_await(struct worker *const *workers, size_t count);
/* The same for at most one of them, until that time of the system's clock, and for at most 200 ms: true if
 * one of them is settled (worker_is_settled tells which). count 0: only waits. */
bool worker_await_any(struct worker *const *workers, size_t count, uint64_t until_ns);
/* The answer that is owed to a _send is there, or there will be none: _receive returns at once. */
bool worker_is_settled(struct worker *w);

bool worker_alive(const struct worker *w);
pid_t worker_pid(const struct worker *w);
/* The worker said that its time is virtual: answers move *virtual_now_ns, deadlines count in it, `telemetry`
 * of run answers stands for the machine's. Known after worker_hello. */
bool worker_is_virtual(const struct worker *w);
/* The clock to time this worker with: the system's, or the virtual one (valid as long as
 * virtual_now_ns or w). */
struct clock worker_clock(struct worker *w);

/* How it ended; all zero while it lives. */
struct worker_end {
    bool ended;
    bool by_signal;                  /* else it exited */
    int  code;                       /* signal number or exit status */
    bool killed_by_us;               /* after a deadline, a broken answer, an interrupt or worker_close */
    bool out_of_memory_killer;       /* counted by the cgroup, or SIGKILL near the memory limit */
    uint64_t peak_rss_bytes;         /* largest resident set of its life */
};
struct worker_end worker_end_of(const struct worker *w);
/* Last 20 lines of standard error, joined by '\n', long lines cut; "" if none.
 * Borrowed until the next call. */
const char *worker_stderr(struct worker *w);

/* --- hello ---------------------------------------------------------------------------------------------- */
struct worker_version {
    char name[32], version[64];
};
struct worker_device {
    char id[32], name[WORKER_NAME_MAX];
    char uuid[WORKER_NAME_MAX];      /* of a GPU, by which NVML finds it; "": not told */
    uint64_t memory_bytes;
};
struct worker_hello {
    char engine[32];
    struct worker_version versions[WORKER_ITEMS_MAX];
    size_t version_count;
    struct worker_device devices[WORKER_ITEMS_MAX];
    size_t device_count;
    char precisions[WORKER_ITEMS_MAX][16];
    size_t precision_count;
    bool can_stages, can_output, can_memory, can_profile, can_virtual;
};
enum status worker_hello(struct worker *w, struct worker_hello *out, uint64_t deadline_ns, struct err *err);

/* --- load ----------------------------------------------------------------------------------------------- */
struct worker_load_ask {
    const char *model;               /* name or path; required */
    int  shape[3];                   /* C,H,W; all 0: the model's own */
    const char *precision, *device;  /* NULL: not sent */
    int  threads;                    /* 0: the worker's choice */
    const char *weights;             /* NULL: "seeded" */
    uint32_t seed;
    int  max_batch;                  /* 0: unknown */
    const char *mode;                /* option; NULL: not sent */
    bool cold;                       /* option */
    const char *until;               /* option; NULL: not sent */
    const char *cache_dir;           /* option: where an engine that tunes itself keeps what it found; NULL: not sent */
    const json_t *options;           /* further options, an object, borrowed; NULL: none */
};
struct worker_load_result {
    uint64_t parameters, weight_bytes, macs_per_image, load_ns;
    char model_sha256[SHA256_HEX_SIZE]; /* "" if the engine cannot tell */
    int  output_shape[3];               /* C,H,W of one image */
};
enum status worker_load(struct worker *w, const struct worker_load_ask *ask, struct worker_load_result *out,
                        uint64_t deadline_ns, struct err *err);

/* --- prepare, release ----------------------------------------------------------------------------------- */
struct worker_prepare_result {
    uint64_t prepare_ns, first_run_ns;
    uint64_t planned_weights_bytes, planned_activations_bytes, planned_workspace_bytes; /* 0: plans nothing */
    char     plan_hash[SHA256_HEX_SIZE]; /* of the choices of an engine that tunes itself; "": it does not */
};
enum status worker_prepare(struct worker *w, int batch, struct worker_prepare_result *out,
                           uint64_t deadline_ns, struct err *err);
/* The same in two halves, so that several workers do it at once: send to all, worker_await, receive from
 * each. Between them nothing else may be asked of the worker. */
enum status worker_prepare_send(struct worker *w, int batch, uint64_t deadline_ns, struct err *err);
enum status worker_prepare_receive(struct worker *w, struct worker_prepare_result *out, struct err *err);
enum status worker_release(struct worker *w, int batch, uint64_t deadline_ns, struct err *err);

/* --- run ------------------------------------------------------------------------------------------------ */
struct worker_run_ask {
    int  batch;
    uint64_t min_ns;
    int  min_iterations, max_iterations; /* 1 <= min <= max <= 100 000 */
    int  unmeasured;                     /* iterations before, not reported */
};
struct worker_run_result {
    int  batch, outputs;             /* as executed: the batch asked for, outputs = batch x iterations, if ST_OK */
    size_t iterations;
    uint64_t *iteration_ns;          /* [iterations], in order */
    uint64_t *h2d_ns, *compute_ns, *d2h_ns; /* [iterations], or all NULL if the worker reports no stages */
    uint64_t start_ns, end_ns;       /* of the worker's clock, around the measured iterations */
    uint64_t sent_ns, answered_ns;   /* of worker_clock, around the whole call: unmeasured iterations included */
    uint64_t began_ns;               /* start_ns by worker_clock: what runs of several workers are compared by */
    bool     clocks_agree;           /* without unmeasured iterations: end - start is the caller's time within
                                      * WORKER_CLOCK_SHARE + 1 ms; else true */
    bool     times_add_up;           /* false: iterations longer than end - start, or stages than their iteration:
                                      * a block to be stored and marked invalid (`worker`), not a broken answer */
    json_t  *telemetry;              /* object of the answer, or NULL */
    uint64_t *room;                  /* what the four arrays point into */
};
/* One block. On ST_WRONG_OUTPUT batch and outputs tell what was executed if the answer held them
 * (else 0); nothing else is filled. Whatever the status, *out may be given to worker_run_free, and
 * needs to be only after ST_OK. */
enum status worker_run(struct worker *w, const struct worker_run_ask *ask, struct worker_run_result *out,
                       uint64_t deadline_ns, struct err *err);
/* The two halves, as for prepare. ask: the same in both. */
enum status worker_run_send(struct worker *w, const struct worker_run_ask *ask, uint64_t deadline_ns,
                            struct err *err);
enum status worker_run_receive(struct worker *w, const struct worker_run_ask *ask,
                               struct worker_run_result *out, struct err *err);
void worker_run_free(struct worker_run_result *r);

/* --- memory, output, profile, quit ---------------------------------------------------------------------- */
struct worker_memory_result {
    uint64_t current_bytes, peak_bytes; /* peak since the last call */
    bool     foreign;                   /* another process was on the device: the point is marked */
};
enum status worker_memory(struct worker *w, struct worker_memory_result *out, uint64_t deadline_ns,
                          struct err *err);

/* One input image: a .npy file, or if path is NULL the generated image of that seed. */
struct worker_image {
    const char *path;
    uint32_t seed;
};
/* images[batch]; the logits are written to `path`, .npy f32 (N,C,H,W). Reading and judging the
 * file is the caller's. */
enum status worker_output(struct worker *w, int batch, const struct worker_image *images, const char *path,
                          uint64_t deadline_ns, struct err *err);

struct worker_layer {
    char name[WORKER_NAME_MAX], op[24], implementation[64];
    uint64_t ns, flops, bytes;       /* per iteration */
};
struct worker_profile_result {
    struct worker_layer *layers;     /* owned: worker_profile_free */
    size_t count;
    uint64_t iteration_ns;           /* unprofiled iterations of the same run; 0 if the worker does not say */
    double roof_flops_per_s, roof_bytes_per_s; /* 0 if unknown */
};
enum status worker_profile(struct worker *w, int batch, int iterations, struct worker_profile_result *out,
                           uint64_t deadline_ns, struct err *err);
void worker_profile_free(struct worker_profile_result *r);

/* Asks it to quit and waits for its end. ST_OK only if it then exited with status 0. */
enum status worker_quit(struct worker *w, uint64_t deadline_ns, struct err *err);

#endif
