/* memory.h - how much memory a batch size will take, from what smaller ones took (measurement rule 3.2):
 * predicted(b) = fixed + b A + workspace(b). Pure: a struct that the caller owns; sizes in
 * bytes, 0 = not known.
 *
 * workspace(b): of one size nobody knows what would become of it at another, so it is taken to grow with the
 * size. From two sizes on it is the largest that was seen, and for every further image the steepest growth
 * between two sizes: much of a workspace belongs to threads, not to images (258 MiB of ResUNet-Small in bf16
 * at 1024x1024, whatever the size: b times that would promise a third too much). */
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
    double workspace_per_image;  /* of one size: workspace / size; then the steepest growth per image */
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
