#include "tuner/memory.h"

#include <math.h>

static const double ratio_low = 0.9, ratio_high = 1.1;

struct memory_model memory_start(uint64_t fixed_bytes)
{
    return (struct memory_model){ .fixed = (double)fixed_bytes, .correction = 1 };
}

static void add_workspace(struct memory_model *m, int batch, double bytes)
{
    if (m->workspaces > 0 && batch == m->last_batch)
        return; /* the same size again, in another process */
    if (m->workspaces > 0)
        m->workspace_per_image = fmax(m->workspace_per_image,
                                      (bytes - m->last_workspace) / (batch - m->last_batch));
    m->workspaces++;
    m->workspace = fmax(m->workspace, bytes);
    m->last_batch = batch;
    m->last_workspace = bytes;
}

static double workspace_of(const struct memory_model *m, double b)
{
    return m->workspace + fmax(0, b - m->last_batch) * m->workspace_per_image;
}

void memory_add_plan(struct memory_model *m, int batch, uint64_t activations_bytes, uint64_t workspace_bytes)
{
    if (activations_bytes == 0)
        return;
    m->planned = true;
    m->per_image = (double)activations_bytes / batch;
    add_workspace(m, batch, (double)workspace_bytes);
}

void memory_add_peak(struct memory_model *m, int batch, uint64_t peak_bytes, uint64_t predicted_bytes)
{
    double b = batch, peak = (double)peak_bytes, ratio = memory_ratio(peak_bytes, predicted_bytes);
    m->n++;
    m->sum_b += b;
    m->sum_peak += peak;
    m->sum_bb += b * b;
    m->sum_b_peak += b * peak;
    if (memory_model_off(ratio)) /* the prediction held the correction so far: the new one comes on top */
        m->correction = fmax(1, m->correction * ratio);
}

/* Least squares of peak over size, slope >= 0; with one size the line through (0, fixed). */
static double fitted(const struct memory_model *m, double b)
{
    double n = (double)m->n, spread = n * m->sum_bb - m->sum_b * m->sum_b;
    if (spread <= 0) /* one size, perhaps several times */
        return m->fixed + b * fmax(0, (m->sum_peak / n - m->fixed) / (m->sum_b / n));
    double slope = fmax(0, (n * m->sum_b_peak - m->sum_b * m->sum_peak) / spread);
    return (m->sum_peak - slope * m->sum_b) / n + slope * b;
}

uint64_t memory_predict(const struct memory_model *m, int batch)
{
    double b = batch;
    if (!m->planned && m->n == 0)
        return 0;
    double bytes = m->planned ? m->fixed + b * m->per_image + workspace_of(m, b) : fitted(m, b);
    return (uint64_t)(fmax(0, bytes) * m->correction);
}

double memory_ratio(uint64_t peak_bytes, uint64_t predicted_bytes)
{
    return peak_bytes && predicted_bytes ? (double)peak_bytes / (double)predicted_bytes : NAN;
}

bool memory_model_off(double ratio)
{
    return ratio < ratio_low || ratio > ratio_high; /* false for NaN */
}
