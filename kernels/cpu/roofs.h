/* roofs.h - the two limits of this machine that a layer is held against, measured, not looked up. */
#ifndef CPU_ROOFS_H
#define CPU_ROOFS_H

#include "kernels/base/clock.h"
#include "kernels/cpu/dnnl_compat.h"

struct roofs {
    double flops_per_s; /* the best oneDNN convolution whose operands stay in the second-level cache */
    double bytes_per_s; /* read + written by a copy of a block far larger than the caches */
};

/* Takes about half a second and 256 MiB for its duration. Threads: as OpenMP is set. */
enum status roofs_measure(struct roofs *out, struct compat *c, enum fused_type type, const struct clock *clk,
                          struct err *err);

#endif
