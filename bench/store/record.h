/* record.h - what is stored of a campaign, as plain rows, and the view of a whole campaign that every output
 * is made from. Rows borrow their texts on the way in; a struct campaign owns everything inside
 * (campaign_free). Times are ns of a monotonic clock unless the name says unix. -1 / NaN / "" mean: not
 * known, where a field says so. */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_NAME 64
#define RECORD_TEXT 512
#define RECORD_HASH 65

/* --- rows, in the order in which a campaign makes them --- */

/* What was another between two nights: a suspect beside a shift. */
struct night_event {
    char name[RECORD_NAME], was[RECORD_TEXT], is[RECORD_TEXT]; /* "kernel", "6.1.0-13", "6.1.0-18" */
};

struct run_row {
    int64_t id;                      /* given by the store */
    char    name[32];                /* campaign id for people and files: "20260301-014502-7f3a" */
    char    kind[16];                /* "tune", "check", "profile", ... */
    uint64_t seed;
    const char *argv, *config_text;  /* command line; the effective configuration as YAML */
    char    config_sha256[RECORD_HASH], build[RECORD_NAME], variant[16]; /* version and git id; release|debug|san */
    int     rule_version;
    int64_t start_unix_s, end_unix_s;/* end: 0 while it runs */
    uint64_t budget_ns;              /* 0: none */
    char    state[16];               /* "running", "done", "interrupted", "budget", "failed" */
    int     exit_code;               /* -1 while it runs */
};

struct target_row {
    int64_t id, run;
    int     place;                   /* order in the plan, from 0 */
    char    model[RECORD_NAME], engine[RECORD_NAME], device[RECORD_NAME], precision[16], mode[32];
    int     threads, instances, shape[3]; /* threads: the number really used; shape C,H,W */
    char    key[256];                /* model|engine|device|precision|threads|instances|CxHxW|mode */
    char    key_sha256[RECORD_HASH]; /* comparability key without the batch; "" until the worker told what it needs */
    char    model_sha256[RECORD_HASH];
    bool    scripted;                /* never reaches batch_sizes.json unless allowed */
    uint64_t parameters, weight_bytes, macs_per_image; /* from load; 0 until then */
    int     output_shape[3];
    uint64_t memory_limit_bytes;
    char    engine_versions[256];    /* JSON object {"onednn":"2.6.3"} */
    char    device_name[128];
    uint64_t device_memory_bytes;
    char    result[32], detail[RECORD_TEXT]; /* why the whole target ended ("", or a status kind and sentence) */
    int     incumbent, pending;      /* size in use, and the one the tune before left pending, when the campaign
                                        began; 0: none */
    char    incumbent_source[16];    /* "store", "import", "" */
};

struct execution_row {
    int64_t id, target;
    char    label[16];               /* "probe", "gate", "normal", "verify", "ceiling", "fill", "open_loop" */
    const char *command;
    int64_t pid;
    int64_t start_unix_s, end_unix_s;
    double  overhead_ns;
    uint64_t granularity_ns, load_ns, warmup_ns;
    char    steady[8], class_name[16]; /* "yes"/"no"/""; flat, warmup, slowdown, none, "" */
    int     exit_code, exit_signal;  /* -1: still running */
    const char *stderr_tail;         /* may be NULL */
};

struct prepared_row {
    int64_t execution;
    int     batch;
    uint64_t prepare_ns, first_run_ns;
    uint64_t planned_weights_bytes, planned_activations_bytes, planned_workspace_bytes;
    uint64_t predicted_bytes, peak_bytes; /* 0: not known */
    uint64_t before_bytes, after_bytes;   /* the worker's current memory before prepare and after its runs; 0: not known */
    char    result[32];              /* "feasible", or the reason of measurement rule 3.3 */
    char    detail[RECORD_TEXT];
};

enum block_kind { BLOCK_WARMUP, BLOCK_COARSE, BLOCK_RACE, BLOCK_CONTROL, BLOCK_SLO, BLOCK_VERIFY, BLOCK_FILL,
                  BLOCK_NIGHT, BLOCK_OPEN_LOOP, BLOCK_KIND_COUNT };

struct block_row {
    int64_t id, execution;
    int     round, place, batch;     /* round from 1, 0 outside rounds; place within the round from 0 */
    enum block_kind kind;
    int     retry;
    uint64_t start_ns, end_ns;       /* by bench */
    uint64_t worker_start_ns, worker_end_ns; /* of several instances: the window that all measured in, by bench */
    int     images, outputs, iterations, unmeasured; /* of several instances: of all together */
    double  y, wall_images_per_s;    /* y: ln(images per second) by the block rule; wall: images / worker's wall */
    bool    valid;
};

struct samples {                     /* borrowed on the way in; [iterations] each, stages may be NULL; of several
                                        instances: all iterations in the order of their ends */
    const uint64_t *iteration_ns, *h2d_ns, *compute_ns, *d2h_ns;
};

/* One field of telemetry or environment: a number, a text, or absent with a reason. */
struct field_row {
    char   name[RECORD_NAME];
    char   text[RECORD_TEXT];        /* "" if it is a number */
    double number;                   /* valid if is_number */
    bool   is_number;
    char   absent[32];               /* "", not_supported, no_permission, not_found, error N */
    char   source[128];              /* "/proc/stat", "cgroup cpu.stat" */
    char   class_name[16];           /* environment: key, event, context */
};

struct mark_row {
    char   subject[32];              /* "block", "execution", "target", "point" */
    int64_t subject_id;
    int    batch;                    /* of a point; else 0 */
    char   reason[32];               /* thermal, quota, steal, contended, worker, window, skewed, correlated, ... */
    double value, limit;
    int    rule_version;
    char   detail[RECORD_TEXT];      /* sentence of what happened, where a size was lost; else "" */
};

struct estimate_row {                /* of one point; a view: can be made again from the blocks */
    int64_t target;
    int     batch;
    char    method[16];              /* "race", "coarse", "verify" */
    char    kind[16];                /* "fixed", "sequential", "range" (verify: over its executions), "none" (too few
                                        blocks for an interval) */
    double  y, y_low, y_high;        /* ln images/s; low/high NaN where kind is none */
    double  mad, wall_images_per_s;
    int     executions, rounds, blocks, invalid_blocks, iterations;
    double  half_width, mde;         /* in y; NaN unknown */
    double  service_p50_ms, service_p90_ms, service_p95_ms, service_p99_ms; /* NaN: too few iterations */
    double  service_min_ms;
    double  joules_per_image;        /* median over the valid blocks; 0 or NaN: not known */
    char    stop[16];                /* "precision", "budget", "cap" */
    char    labels[128];             /* "skewed correlated steady=no shared_machine", space separated */
};

struct decision_row {
    int64_t target;
    int     batch;                   /* 0: no usable size */
    char    confidence[16];          /* coarse, decided, within, undecided */
    bool    verified;
    char    cause[32];               /* of an undecided or unfinished one; else "" */
    char    reason[160];             /* one sentence for people and the file's note */
    double  x, alpha;
    double  memory_reserve;          /* fraction */
    int     leader, incumbent;       /* 0: none */
    char    incumbent_source[16], incumbent_outcome[16];
    int     pending;                 /* 0: none */
    int     ceiling_batch, max_safe, first_failed_batch; /* 0: none */
    bool    ceiling_is_lower_bound;
    char    first_failed_why[32];
    double  noise_floor;             /* NaN unknown */
    int     optimal;                 /* size to be served: batch, or a smaller one if a size below batch failed; 0:
                                        none */
    char    objective[16];           /* "throughput", "latency", "energy" */
    char    slo_kind[16];            /* "service", "response"; "": no limit */
    double  slo_percentile, slo_limit_ms; /* .95; NaN: no limit */
    int     candidates;              /* sizes that raced */
    double  control_m, control_c;    /* NaN unknown */
    int     break_even_against;      /* 0: the size is 1, or not known */
    int64_t break_even_images, break_even_calls; /* -1: never */
    double  queue_rate;              /* images/s that the open loop sent; NaN: none was run */
    int     queue_batch, queue_instances;
    double  queue_delay_ms, queue_p95_ms, queue_limit_ms; /* NaN: none */
};

struct look_row {                    /* one comparison of one look of the race; control: i == j */
    int64_t target;
    int     look, n, i, j;
    double  m, se, df, c, r1;        /* NaN unknown */
    char    outcome[16];             /* race_outcome_name */
};

struct verify_row {                  /* one member in one verifying execution */
    int64_t target;
    int     batch, execution;        /* execution from 1 */
    double  q;                       /* median over passes of its y minus the leader's; NaN: not measured */
    double  y;                       /* median over passes */
};

struct fill_row {                    /* what a batch of so many images costs */
    int64_t target;
    int     images;
    double  service_p50_ms;          /* NaN: it failed */
    int     iterations;
    double  first_use_ms;            /* NaN unknown */
    char    advice[8];               /* "exact", "pad", "split"; "" if it failed */
    int     as[2];                   /* sizes to execute in its place; 0: none */
    char    failed[32];              /* "", or the reason why it does not run */
};

struct import_row {                  /* a file that was taken as the incumbent */
    int64_t id;
    int64_t time_unix_s;
    char    sha256[RECORD_HASH];
    const char *bytes;               /* the file as it was, a text without NUL inside */
    int64_t after;                   /* given by the store: number of the newest state of a run at that
                                        moment; 0: none. What was decided by then is older than the import */
};
struct import_model_row {
    int64_t import;
    char    model[RECORD_NAME];
    int     optimal, max_safe;
    const char *claims;              /* everything else that the file says of it, as a JSON object; never a
                                        measurement */
};

struct why_row {                     /* exactly one per candidate, tried size and skipped power of two */
    int64_t target;
    int     batch;
    char    reason[32];              /* table of measurement rule 4.8 */
    char    detail[64];
    char    text[RECORD_TEXT];       /* the sentence that is printed */
    double  value, limit;            /* NaN unknown */
    int     rival;                   /* 0: none */
    double  m, c, df;
    int     n;
};

struct accuracy_row {
    int64_t target;
    char    check[24];               /* "reference", "full_shape", "batch_equals_single", "non_finite" */
    int     batch;
    char    image_sha256[RECORD_HASH];
    double  rel_l2, mask, rel_l2_limit, mask_limit; /* NaN: not computed */
    char    outcome[16];             /* "passed", "failed", "not_checked" */
    char    detail[RECORD_TEXT];
};

struct night_row {                   /* one series on one night; MACHINE: what those of a device and group have in common */
    int64_t run, target;             /* target 0: MACHINE */
    char    series[96];              /* comparability key and batch: "3f0a.../8"; "MACHINE cpu:0", "MACHINE cpu:0 memory" */
    char    name[RECORD_TEXT];       /* for people: "hrnet onednn cpu:0 bf16 batch 8" */
    char    device[RECORD_NAME];
    char    group_name[24];          /* of the device's series that share ups and downs; "": all that have no other */
    double  delta;                   /* the smallest change that counts; 0: VERDICT_DELTA */
    int     batch;
    char    validity[16];            /* "", INVALID, THROTTLED */
    int     executions, blocks;      /* that counted */
    double  v, error;                /* ln images/s: median over executions; its standard error within the night */
    double  again;                   /* the same of the confirmation; NaN: there was none */
    bool    panel;                   /* measured in the confirmation for what the device has in common */
    double  control_z;               /* of the series that stands twice: its two values' difference; else NaN */
    char    verdict[16], path[16];   /* verdict_name, verdict_path_name; "" without a value */
    int     rule_version;
    double  y, M, S, dev, dev_again, U, shift; /* NaN: unknown */
    int     W, confirmed_run;        /* confirmed nights in a row; negative: of losses */
    bool    flagged;
    char    moved[16];               /* of the chosen size: moved_name; else "" */
    int     moved_way;
};

struct accept_row {                  /* from this night on another level is right */
    int64_t id;
    char    series[96];              /* or, if it is "", all of `device` */
    char    device[RECORD_NAME];
    int64_t since_unix_s;            /* start of the first night that it covers */
    int64_t time_unix_s;
    char    reason[RECORD_TEXT];
};

/* --- the view --- */

struct point_view {                  /* everything that is known of one batch size of a target */
    int     batch;
    bool    has_estimate, has_prepared, has_why;
    struct estimate_row estimate;    /* of the race, else coarse */
    bool    has_verified;
    struct estimate_row verified;    /* published instead of estimate where it is there */
    struct prepared_row prepared;    /* of the probe if there is one */
    struct why_row      why;
    double  first_use_ms;            /* prepare + first run - median iteration; NaN unknown */
};
struct target_view {
    struct target_row   row;
    struct point_view  *points;      /* ascending batch */
    size_t              point_count;
    bool                has_decision;
    struct decision_row decision;
    struct accuracy_row *accuracy;
    size_t              accuracy_count;
    struct mark_row    *marks;
    size_t              mark_count;
    struct look_row    *looks;
    size_t              look_count;
    struct verify_row  *verifications; /* ascending batch, then execution */
    size_t              verification_count;
    struct fill_row    *fill;        /* ascending images */
    size_t              fill_count;
};
struct campaign {
    struct run_row      run;         /* argv and config_text owned */
    struct field_row   *environment; /* of the host */
    size_t              environment_count;
    struct target_view *targets;     /* plan order */
    size_t              target_count;
};

#endif
