#include "kernels/cuda/timing.h"

enum status timing_new(struct timing *out, struct gpu_device *d, struct err *err)
{
    enum status st = ST_OK;
    *out = (struct timing){ .begin = { NULL } };
    for (int i = 0; i < TIMING_STAGES && st == ST_OK; i++) {
        st = gpu_check(d, cudaEventCreate(&out->begin[i]), "cudaEventCreate", NULL, err);
        if (st == ST_OK)
            st = gpu_check(d, cudaEventCreate(&out->end[i]), "cudaEventCreate", NULL, err);
    }
    if (st != ST_OK)
        timing_free(out, d);
    return st;
}

void timing_free(struct timing *t, const struct gpu_device *d)
{
    for (int i = 0; i < TIMING_STAGES && !d->lost; i++) {
        if (t->begin[i])
            cudaEventDestroy(t->begin[i]);
        if (t->end[i])
            cudaEventDestroy(t->end[i]);
    }
    *t = (struct timing){ .begin = { NULL } };
}

enum status timing_between(uint64_t *ns, cudaEvent_t begin, cudaEvent_t end, struct gpu_device *d, struct err *err)
{
    float ms = 0;
    enum status st = gpu_check(d, cudaEventElapsedTime(&ms, begin, end), "cudaEventElapsedTime", NULL, err);
    *ns = ms > 0 ? (uint64_t)((double)ms * 1e6 + 0.5) : 0;
    return st;
}
