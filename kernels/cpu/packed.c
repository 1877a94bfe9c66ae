#include "kernels/cpu/packed.h"

#include <stdlib.h>

#include "kernels/base/grow.h"
#include "kernels/cpu/fused.h"
#include "kernels/graph/arena.h"

struct packing *packing_new(struct compat *compat)
{
    struct packing *p = calloc(1, sizeof *p);
    if (p)
        p->compat = compat;
    return p;
}

void packing_free(struct packing *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->weight_count; i++)
        free(p->weights[i].data);
    for (int i = 0; i < p->kernel_count; i++)
        compat_free(p->kernels[i]);
    free(p->weights);
    free(p->kernels);
    free(p->shapes);
    free(p);
}

/* The kernel for this convolution of one image, described once per distinct shape. */
static enum status kernel_of(int *index, struct packing *p, const struct conv_shape *shape, struct err *err)
{
    for (*index = 0; *index < p->kernel_count; ++*index)
        if (conv_shape_same(&p->shapes[*index], shape))
            return ST_OK;
    int room = p->kernel_room;
    if (!grow((void **)&p->kernels, p->kernel_count, &room, sizeof(struct compat_kernel *)) ||
        !grow((void **)&p->shapes, p->kernel_count, &p->kernel_room, sizeof *p->shapes))
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the list of convolutions");
    enum status st = compat_describe_conv(&p->kernels[*index], p->compat, shape, err);
    if (st == ST_OK)
        p->shapes[p->kernel_count++] = *shape;
    return st;
}

static enum status keep(int *index, void *context, const struct conv_shape *shape, const float *plain,
                        struct err *err)
{
    struct packing *p = context;
    struct packed w;
    enum status st = kernel_of(&w.kernel, p, shape, err);
    if (st != ST_OK)
        return st;
    if (!grow((void **)&p->weights, p->weight_count, &p->weight_room, sizeof *p->weights))
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the list of weights");
    w.bytes = compat_weights_bytes(p->kernels[w.kernel]);
    w.data = aligned_alloc(ARENA_ALIGNMENT,
                           (w.bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT);
    if (!w.data)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu bytes of packed weights", w.bytes);
    st = compat_pack_weights(w.data, p->kernels[w.kernel], plain, err);
    if (st != ST_OK) {
        free(w.data);
        return st;
    }
    p->bytes += w.bytes;
    p->weights[p->weight_count] = w;
    *index = p->weight_count++;
    return ST_OK;
}

struct lower_target packing_target(struct packing *p, enum fused_type type)
{
    return (struct lower_target){ .type = type, .channel_block = FUSED_CHANNEL_BLOCK, .keep_weights = keep,
                                  .context = p };
}
