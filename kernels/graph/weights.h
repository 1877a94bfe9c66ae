/* weights.h - the f32 parameters of a graph: seeded, or from a .safetensors file, loaded strictly.
 * weights_load .. weights_free owns the data; graphs are borrowed for the call. */
#ifndef GRAPH_WEIGHTS_H
#define GRAPH_WEIGHTS_H

#include "kernels/graph/graph.h"

struct weights {
    float **data;   /* [count] one array per param of the graph, in its stored layout */
    int     count;
    void   *storage;/* what the arrays live in (one block, or a mapped file) */
    size_t  storage_bytes;
    int     mapped; /* storage is a private mapping */
};

/* source: "seeded" (the damped set), "conformance" (the undamped one), or the path of a .safetensors file.
 * From a file every tensor must be there, f32, shaped as the graph says, and none may be left over (unused
 * params included): ST_MODEL names the first that is missing, surplus or wrong, with both shapes. A truncated
 * file, a header larger than the file or above 100 MB, offsets outside the data or overlapping: ST_MODEL. */
enum status weights_load(struct weights *out, const struct graph *g, const char *source, struct err *err);
void weights_free(struct weights *w);
/* Writes all params as a .safetensors file beside `path`, then renames. ST_IO. */
enum status weights_save(const struct weights *w, const struct graph *g, const char *path, struct err *err);

#endif
