/* safetensors.h - where the tensors of a graph lie in a .safetensors file.
 * The format: 8 bytes little-endian header size; a JSON object {name: {"dtype": "F32", "shape": [..],
 * "data_offsets": [begin, end]}} of that size, with an optional "__metadata__"; the data, in which the
 * tensors lie without holes or overlaps. Everything borrows. */
#ifndef GRAPH_SAFETENSORS_H
#define GRAPH_SAFETENSORS_H

#include "kernels/graph/graph.h"

#define SAFETENSORS_HEADER_MAX 100000000u /* bytes: the format's own limit */

/* Writes at[param_count]: the byte of the file at which each param of the graph begins. `name` stands for the
 * file in messages. ST_MODEL: anything that the format forbids, or a tensor that is missing, surplus, not F32
 * or shaped otherwise (both shapes are named). Never reads outside bytes[0..size). ST_OUT_OF_MEMORY. */
enum status safetensors_locate(size_t *at, const struct graph *g, const char *name, const void *bytes,
                               size_t size, struct err *err);

/* The first bytes of a file that holds all params one after another: header size and header,
 * padded with spaces to a multiple of 64 bytes so that a mapped file is aligned. NULL if memory is
 * out; the caller frees. */
char *safetensors_header(const struct graph *g, size_t *size);

#endif
