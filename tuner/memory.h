/* memory.h - how much memory a batch size will take, from what smaller ones took (measurement rule 3.2):
 * predicted(b) = fixed + b A + workspace(b). Pure: a struct that the caller owns; sizes in
 * bytes, 0 = not known.
 *
 * workspace(b) is the largest that was seen, and for every further image the steepest growth between two sizes;
 * of one size nobody knows the growth, and none is assumed. Much of a workspace belongs to threads and libraries,
 * not to images: for the three networks in f32 and bf16 at 256x256 and 512x512 the second size's peak was 1.00 to
 * 1.02 of what this promises, and 0.85 to 1.00 of b times the first size's workspace. */
#ifndef TUNER_MEMORY_H
#define TUNER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sums over the sizes that ran, so that any number of them fits. Start with memory_start. */
struct memory_model {
    double fixed;                /* after load: weights, context, libraries */
    double per_image;            /* A: planned activations / size, of the latest prepared size */
    size_t workspaces;           /* sizes that planned one */
    double workspace;            /* the largest: it jumps with the algorithm, so the worst */
    double workspace_per_image;  /* the steepest growth per image; of one size 0 */
    int    last_batch;           /* that planned, and its workspace */
    double last_workspace;
    bool   planned;              /* the engine plans; else peaks are fitted */
    size_t n;                    /* measured peaks: sums of b, peak, b^2, b peak */
    double sum_b, sum_peak, sum_bb, sum_b_peak;
    double correction;           /* max(1, measured / predicted) where the model was off */
};
struct memory_model memory_start(uint64_t fixed_bytes);
/* What `prepare` of a size planned; both 0 for an engine that plans nothing. */
void memory_add_plan(struct memory_model *m, int batch, uint64_t activations_bytes, uint64_t workspace_bytes);
/* The measured peak of a size and what had been predicted for it (0: nothing had). */
void memory_add_peak(struct memory_model *m, int batch, uint64_t peak_bytes, uint64_t predicted_bytes);
/* 0 as long as no size was prepared or measured. */
uint64_t memory_predict(const struct memory_model *m, int batch);

/* peak / predicted; NaN if one is not known. */
double memory_ratio(uint64_t peak_bytes, uint64_t predicted_bytes);
/* Label `memory_model_off`: the ratio lies outside 0.9..1.1. */
bool memory_model_off(double ratio);

#endif
