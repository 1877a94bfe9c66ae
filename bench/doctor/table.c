#include "bench/doctor/checks.h"

#include "kernels/base/len.h"

const struct check *check_at(size_t i)
{
    const struct { const struct check *rows; size_t count; } groups[] = {
        { checks_gpu, checks_gpu_count },       { checks_visible, checks_visible_count },
        { checks_driver, checks_driver_count }, { checks_state, checks_state_count },
        { checks_cpu, checks_cpu_count },       { checks_engine, checks_engine_count },
        { checks_smoke, checks_smoke_count },   { checks_store, checks_store_count },
    };
    for (size_t g = 0; g < LEN(groups); g++) {
        if (i < groups[g].count)
            return &groups[g].rows[i];
        i -= groups[g].count;
    }
    return NULL;
}
