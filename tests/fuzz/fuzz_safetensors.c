/* The .safetensors reader on arbitrary bytes: it may refuse, it may not read outside or accept what lies outside. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/graph/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct graph *g = graph_new("tiny");
    const int x = graph_input(g, 1, 2, 2);
    graph_conv(g, "c", x, (struct conv_spec){ 2, 1, 1, 0, 1, true });
    uint8_t *exact = malloc(size > 0 ? size : 1); /* a block of just this size, so that one byte too far is seen */
    if (!exact)
        abort();
    if (size > 0)
        memcpy(exact, data, size);
    size_t at[2];
    struct err err = { .status = ST_OK };
    if (safetensors_locate(at, g, "fuzz", exact, size, &err) == ST_OK)
        for (int i = 0; i < g->param_count; i++)
            if (at[i] > size || g->params[i].count * sizeof(float) > size - at[i])
                abort();
    free(exact);
    graph_free(g);
    return 0;
}
