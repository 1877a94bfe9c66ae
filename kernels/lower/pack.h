/* pack.h - parameters from the network's layout to the one our steps read: padded channels, zero where there
 * is none. What it makes belongs to the plan; graph and weights are borrowed for the call. */
#ifndef LOWER_PACK_H
#define LOWER_PACK_H

#include "kernels/lower/lower.h"

/* [c] f32: src[i] of the network's channel i at its place in the buffer. NULL: no memory. */
const float *pack_vector(struct plan *p, const float *src, const struct channel_map *map, int c);
/* The same for each of `rows` rows of src (rows, real channels): [rows][c]. */
const float *pack_rows(struct plan *p, const float *src, int rows, const struct channel_map *map, int c);
/* src (real channels, columns) to [c][columns]. */
const float *pack_columns(struct plan *p, const float *src, int columns, const struct channel_map *map,
                          int c);

/* Weights (k, c/groups, kh, kw) of a convolution of `shape` whose input lies as `map`
 * says; *out: the target's index. */
enum status pack_conv(int *out, const struct lower_target *target, const struct conv_shape *shape,
                      const float *src, int k, const struct channel_map *map, struct err *err);
/* Weights (c, k, 2, 2) of a transposed convolution as a product with 4 * k_padded outputs, tap 2a+b first. */
enum status pack_tconv(int *out, const struct lower_target *target, const struct conv_shape *shape,
                       const float *src, int k, const struct channel_map *map, struct err *err);

#endif
