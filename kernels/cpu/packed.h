/* packed.h - the weights of a plan's convolutions in the layouts that oneDNN asks for at batch 1, and the
 * kernels that asked. packing_new .. packing_free owns everything inside; compat is borrowed for its
 * life. */
#ifndef CPU_PACKED_H
#define CPU_PACKED_H

#include "kernels/cpu/dnnl_compat.h"
#include "kernels/lower/lower.h"

struct packed {
    void *data;
    size_t bytes;
    int kernel;                     /* index of the one that wants it so */
};
struct packing {
    struct compat *compat;
    struct packed *weights;
    int weight_count, weight_room;
    struct compat_kernel **kernels; /* described for one image, one per distinct convolution */
    struct conv_shape *shapes;      /* of kernels[i] */
    int kernel_count, kernel_room;
    size_t bytes;                   /* of all weights */
};

struct packing *packing_new(struct compat *compat); /* NULL: no memory */
void packing_free(struct packing *p);               /* NULL is allowed */
/* What lower_graph needs to fill p. */
struct lower_target packing_target(struct packing *p, enum fused_type type);

#endif
