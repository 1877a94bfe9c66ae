/* trial.h - one segment run by itself on made-up input, for the tuner: the same input every time, outputs poisoned before,
 * results read back, passes timed. trial_new .. trial_free owns events and the host's random numbers; everything else is
 * borrowed. */
#ifndef CUDA_TRIAL_H
#define CUDA_TRIAL_H

#include "kernels/cuda/exec.h"

struct trial {
    const struct gpu_net *net;
    const struct pool *pool;
    int batch;
    struct attention *const *attentions;
    cudaEvent_t begin, end;
    void *noise;                    /* [noise_bytes] storage type, then the same as positive f32 */
    float *positive;
    struct choice *choices;         /* [segment_count]: the one tried at its place */
    int segment;                    /* whose input lies in the arena, at these levels; -1: nobody's */
    int level[SEGMENT_SLOTS];
    enum conv_form form[SEGMENT_SLOTS];
    int repeats;                    /* passes of one sample */
};

enum status trial_new(struct trial *out, const struct exec *e, const struct pool *pool, struct err *err);
void trial_free(struct trial *t);

/* Bytes of the arena for one image that any trial of this segment needs at one of `levels` (bits 1 << level). */
enum status trial_image_bytes(size_t *bytes, const struct gpu_net *net, struct choice *choices, int segment,
                              unsigned levels, struct err *err);
/* Runs once; up to room values spread over what the segment leaves, the same places every time. */
enum status trial_values(struct trial *t, int segment, const struct choice *choice, float *values, size_t room,
                         size_t *count, struct err *err);
/* Time of one pass, of as many as take 1 ms. */
enum status trial_sample(struct trial *t, int segment, const struct choice *choice, double *ns, struct err *err);

#endif
