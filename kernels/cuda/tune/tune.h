/* tune.h - which way computes each segment of a network: found in the cache, measured, or the libraries'
 * first guess. Everything that touches a device is behind a table of functions, so that a test can play the
 * device.
 *
 * tune_run decides for one batch size: the engine calls it in `prepare` after it has allocated memory
 * (workspace as large as the cap) and before it captures. tune_result is freed with tune_free; segments and
 * device are borrowed for the call. */
#ifndef CUDA_TUNE_H
#define CUDA_TUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"
#include "kernels/base/sha256.h"
#include "kernels/cuda/tune/cache.h"
#include "kernels/cuda/tune/signature.h"

/* F0: plain convolutions and our statistics. F1: sums in the convolution's epilogue, then a fold. F2: also
 * the normalising pass between two convolutions inside the second one. A part that does not allow a level
 * stays at the highest one below that it allows. F3: the convolution as at F0, then cuDNN's norm in place of our
 * statistics and our normalising pass. */
enum tune_level { TUNE_F0, TUNE_F1, TUNE_F2, TUNE_F3, TUNE_LEVELS };
const char *tune_level_name(int level);           /* "F0" */

/* auto: cache, then measure. cache: cache, then the first guess. fresh: measure. off: the first guess at
 * F0. */
enum tune_mode { TUNE_AUTO, TUNE_CACHE, TUNE_FRESH, TUNE_OFF };
/* ST_INVALID with the words allowed. */
enum status tune_mode_of(enum tune_mode *out, const char *text, struct err *err);

#define TUNE_WAYS_MAX 192                         /* of one segment: levels x parts x 8 x forms, with room */

/* One way to compute one part of a segment at one level, in the order in which the libraries offered them. At F3 it is a
 * way for the norm alone, behind one of F0 for the convolution. */
struct tune_way {
    enum tune_level level;
    int slot;                                     /* the part */
    char name[CACHE_NAME_MAX];                    /* as conv_name or graph_plan_name gives it */
    size_t workspace;
    int launches;
    bool precompiled;
};
struct tune_ways {
    struct tune_way way[TUNE_WAYS_MAX];
    int count;
};

/* A segment with one way for each part: indices into its tune_ways. What a part does is said by the level of
 * its way, and levels may be mixed: a way of F2 stands only behind one of F1 or F2. A part with a norm is at F3, its way
 * at F0; nothing is left of its sums, so no way of F2 stands behind it. Its own kernels run in the given block shapes, the
 * default unless they were raced. */
struct tune_choice {
    int level;                                    /* the highest of its ways */
    int way[SEGMENT_SLOTS];                       /* [parts]; parts behind that are -1 */
    int norm[SEGMENT_SLOTS];                      /* [parts] a way of F3, -1: there is none */
    struct gpu_shapes shapes;
};

/* What the tuner asks of a device. `segment` is an index into the request's. Each function may fail without
 * failing the run: the candidate or the segment is left out. Only ST_DEVICE_LOST, ST_OUT_OF_MEMORY and
 * ST_INTERRUPTED end it. */
struct tune_device {
    void *context;
    uint64_t (*now_ns)(void *context);
    /* Lists the ways of every part for each level in `levels` (bits 1 << level; a part that does not have one
     * is left out there) and builds their plans; takes the place of all earlier ways of the segment.
     * ways->count is 0 at the call. most: per part and level. From until_ns of now_ns on no plan is begun but the
     * first one of each part at F0: one may take a library seconds. ST_UNSUPPORTED: a part has not even a way at
     * F0. */
    enum status (*build)(void *context, int segment, unsigned levels, int most, uint64_t until_ns,
                         struct tune_ways *ways, struct err *err);
    /* One plan from its bytes; appends it to ways. Any failure: the entry is a miss. */
    enum status (*restore)(void *context, int segment, int slot, const struct cache_part *part,
                           const void *bytes, size_t size, struct tune_ways *ways, struct err *err);
    /* Bytes of a plan for the cache, for free(). */
    enum status (*serialise)(void *context, int segment, int way, void **bytes, size_t *size,
                             struct err *err);
    /* Runs the segment once on random input (the same every time) with its outputs poisoned by NaN before,
     * and gives f32 values spread over the whole last output: at most room, the same places every time. */
    enum status (*values)(void *context, int segment, const struct tune_choice *choice, float *values,
                          size_t room, size_t *count, struct err *err);
    /* One sample: time of one pass of the segment, from enough launches for 1 ms between two events. */
    enum status (*sample)(void *context, int segment, const struct tune_choice *choice, double *ns,
                          struct err *err);
    /* The choice is what all segments of the same text use from now on; plans of neither choice nor guess may
     * go (indices of the others stay). Called again with the guess for both if the whole pass was not
     * faster. */
    enum status (*keep)(void *context, int segment, const struct tune_choice *choice,
                        const struct tune_choice *guess, struct err *err);
    /* Time of one forward pass, with the winners or with every segment's guess; clock_mhz: of the
     * multiprocessors meanwhile, 0: not known. NULL function: the final check is left out. */
    enum status (*whole)(void *context, bool winners, double *ns, double *clock_mhz, struct err *err);
};

struct tune_request {
    const struct segment *segments;               /* those with same != own index are skipped */
    const unsigned *levels;                       /* [segments] bits: see segment_levels */
    const double *predicted_ns;                   /* [segments] for the whole batch: order of spending */
    int segment_count;
    int batch;
    enum tune_mode mode;
    uint64_t budget_ns;                           /* tune_budget_ms, building included */
    int ways_most;                                /* per part and level: 8 */
    double limit;                                 /* of the difference from the first F0 way: tune_agree */
    uint64_t seed;                                /* of the order within rounds */
};

enum tune_source { TUNE_HEURISTIC, TUNE_CACHED, TUNE_MEASURED };

/* What became of one distinct segment. */
struct tune_outcome {
    int segment;
    enum tune_source source;
    struct tune_choice choice;                    /* in the ways of the last build or restore */
    char name[SEGMENT_SLOTS][CACHE_NAME_MAX];     /* what computes each part */
    char norm[SEGMENT_SLOTS][CACHE_NAME_MAX];     /* and its norm at F3, else "" */
    size_t workspace;                             /* the largest part's */
    double median_ns;                             /* 0: not measured */
    int samples, rejected;                        /* rejected: candidates with wrong results */
};

struct tune_result {
    struct tune_outcome *outcomes;                /* one per distinct segment, in the order of the request */
    int count;
    int segments, cached, measured, heuristic, rejected;      /* of the answer; segments = count */
    uint64_t build_ns, measure_ns;
    bool whole_checked, winners_used; /* the final check was done; its verdict (false too if it failed) */
    double whole_winners_ns, whole_guess_ns;      /* medians of its pairs; 0 without */
    int whole_pairs;                              /* pairs that counted, of 10 */
    size_t workspace;                             /* the largest of all choices */
    char plan_hash[SHA256_HEX_SIZE];              /* over all choices: batch, signatures, levels, names, shapes */
    char first_rejected[256];                     /* signature and name of the first wrong candidate, or "" */
};

enum status tune_run(struct tune_result *out, const struct tune_request *request,
                     const struct tune_device *device, struct cache *cache, struct err *err);
void tune_free(struct tune_result *result);

/* Does `got` agree with `want`: no NaN or infinity where want has none, and root mean square of the
 * difference at most `limit` times that of want, no single one over 16 x limit of the largest |want|. count 0
 * never agrees. */
bool tune_agree(const float *want, const float *got, size_t count, double limit);
/* The default limit for a kind of arithmetic: results of two correct plans, both rounded to storage. */
double tune_limit(int math);                      /* enum gpu_math */

#endif
