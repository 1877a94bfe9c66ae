#include "kernels/lower/pack.h"

#include <stdlib.h>
#include <string.h>

const float *pack_rows(struct plan *p, const float *src, int rows, const struct channel_map *map, int c)
{
    float *dst = plan_constant(p, (size_t)rows * (size_t)c);
    if (!dst)
        return NULL;
    for (int r = 0; r < rows; r++)
        for (int s = 0; s < map->segments; s++) {
            memcpy(dst + (size_t)r * (size_t)c + map->at[s], src, (size_t)map->real[s] * sizeof *src);
            src += map->real[s];
        }
    return dst;
}

const float *pack_vector(struct plan *p, const float *src, const struct channel_map *map, int c)
{
    return pack_rows(p, src, 1, map, c);
}

const float *pack_columns(struct plan *p, const float *src, int columns, const struct channel_map *map, int c)
{
    float *dst = plan_constant(p, (size_t)c * (size_t)columns);
    if (!dst)
        return NULL;
    for (int s = 0; s < map->segments; s++) {
        size_t count = (size_t)map->real[s] * (size_t)columns;
        memcpy(dst + (size_t)map->at[s] * (size_t)columns, src, count * sizeof *src);
        src += count;
    }
    return dst;
}

/* dst (shape.k, shape.c/groups, taps), zeroed, from src (k, real channels / groups, taps) */
static void spread(float *dst, const struct conv_shape *shape, const float *src, int k,
                   const struct channel_map *map)
{
    size_t taps = (size_t)shape->kernel_h * (size_t)shape->kernel_w,
           row = (size_t)(shape->c / shape->groups) * taps;
    if (shape->groups > 1) { /* channels of groups are never padded inside a group */
        memcpy(dst, src, (size_t)k * row * sizeof *src);
        return;
    }
    for (int o = 0; o < k; o++)
        for (int s = 0; s < map->segments; s++) {
            size_t count = (size_t)map->real[s] * taps;
            memcpy(dst + (size_t)o * row + (size_t)map->at[s] * taps, src, count * sizeof *src);
            src += count;
        }
}

static bool as_stored(const struct conv_shape *shape, int k, const struct channel_map *map)
{
    return shape->groups == 1 && shape->k == k && map->segments == 1 && map->real[0] == shape->c;
}

enum status pack_conv(int *out, const struct lower_target *target, const struct conv_shape *shape,
                      const float *src, int k, const struct channel_map *map, struct err *err)
{
    if (as_stored(shape, k, map))
        return target->keep_weights(out, target->context, shape, src, err);
    size_t count = conv_shape_weights(shape);
    float *plain = calloc(count, sizeof *plain);
    if (!plain)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory to pad %zu weights", count);
    spread(plain, shape, src, k, map);
    enum status st = target->keep_weights(out, target->context, shape, plain, err);
    free(plain);
    return st;
}

enum status pack_tconv(int *out, const struct lower_target *target, const struct conv_shape *shape,
                       const float *src, int k, const struct channel_map *map, struct err *err)
{
    float *plain = calloc((size_t)shape->k * (size_t)shape->c, sizeof *plain);
    if (!plain)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory to pad the weights of a transposed convolution");
    size_t wide = (size_t)shape->k / 4;
    for (int s = 0; s < map->segments; s++)
        for (int i = 0; i < map->real[s]; i++)
            for (int o = 0; o < k; o++)
                for (size_t tap = 0; tap < 4; tap++)
                    plain[(tap * wide + (size_t)o) * (size_t)shape->c + (size_t)(map->at[s] + i)] = *src++;
    enum status st = target->keep_weights(out, target->context, shape, plain, err);
    free(plain);
    return st;
}
