#include "kernels/base/image.h"

#include <stddef.h>

#include "kernels/base/rng.h"

#define OCTAVES 8
#define GRID_MAX ((1 << (OCTAVES - 1)) + 1)
#define FIELD_VALUES 22363 /* sum over o = 0..7 of (2^o + 1)^2 = 21845 + 2 * 255 + 8 */
#define CHUNK 512          /* columns done at a time: their places stay in the cache */
#define SHARED_CHANNEL 1000 /* the field that all channels of an image have in common: 0.8 of each */

/* Where a pixel lies between the grid points of one octave. */
struct place {
    int index;
    double fraction;
};

static struct place place_of(int pixel, int pixels, int cells)
{
    if (pixels == 1)
        return (struct place){ 0, 0.0 };
    double at = (double)pixel * cells / (pixels - 1);
    int index = (int)at;
    if (index == cells) /* the last pixel lies on the last grid point */
        index--;
    return (struct place){ index, at - index };
}

static void put_u32(unsigned char *bytes, uint32_t x)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(x >> (8 * i));
}

static double grid_value(uint32_t seed, int channel, int octave, int row, int column)
{
    unsigned char key[20];
    const uint32_t words[5] = { seed, (uint32_t)channel, (uint32_t)octave, (uint32_t)row, (uint32_t)column };
    for (int i = 0; i < 5; i++)
        put_u32(key + 4 * i, words[i]);
    return (double)(splitmix64(fnv1a64_bytes(FNV1A64_START, key, sizeof key)) >> 40) / (double)(1 << 24);
}

/* The grids of all octaves of one field, one after the other. */
struct field {
    double values[FIELD_VALUES];
    const double *grids[OCTAVES];
};

static void field_fill(struct field *f, uint32_t seed, int channel)
{
    double *at = f->values;
    for (int octave = 0; octave < OCTAVES; octave++) {
        int points = (1 << octave) + 1;
        f->grids[octave] = at;
        for (int row = 0; row < points; row++)
            for (int column = 0; column < points; column++)
                *at++ = grid_value(seed, channel, octave, row, column);
    }
}

/* Columns x0 .. x0+n-1 of the image, and where they lie on each octave's grid. */
struct columns {
    int x0, n;
    struct place places[OCTAVES][CHUNK];
};

static void columns_fill(struct columns *cols, int x0, int w)
{
    cols->x0 = x0;
    cols->n = w - x0 < CHUNK ? w - x0 : CHUNK;
    for (int octave = 0; octave < OCTAVES; octave++)
        for (int i = 0; i < cols->n; i++)
            cols->places[octave][i] = place_of(x0 + i, w, 1 << octave);
}

/* line (n) = the field in [0,1) at row y of h, at these columns: bilinear octaves,
 * weights 1, 1/2, ... 1/128. */
static void field_line(double *line, const struct field *f, const struct columns *cols, int y, int h)
{
    static const double weight_sum = 2.0 - 1.0 / (1 << (OCTAVES - 1));
    for (int i = 0; i < cols->n; i++)
        line[i] = 0.0;
    for (int octave = 0; octave < OCTAVES; octave++) {
        struct place row = place_of(y, h, 1 << octave);
        int points = (1 << octave) + 1;
        const double *upper = f->grids[octave] + row.index * points, *lower = upper + points;
        double blend[GRID_MAX], weight = 1.0 / (1 << octave) / weight_sum;
        for (int i = 0; i < points; i++)
            blend[i] = weight * (upper[i] + (lower[i] - upper[i]) * row.fraction);
        for (int i = 0; i < cols->n; i++) {
            const double *left = blend + cols->places[octave][i].index;
            line[i] += left[0] + (left[1] - left[0]) * cols->places[octave][i].fraction;
        }
    }
}

/* plane (H,W) of one channel, at these columns. */
static void plane_fill(float *plane, const struct field *shared, const struct field *own,
                       const struct columns *cols, int h, int w)
{
    double both[CHUNK], alone[CHUNK];
    for (int y = 0; y < h; y++) {
        float *dst = plane + (size_t)y * (size_t)w + cols->x0;
        field_line(both, shared, cols, y, h);
        field_line(alone, own, cols, y, h);
        for (int i = 0; i < cols->n; i++)
            dst[i] = (float)((double)(int)(255.0 * (0.8 * both[i] + 0.2 * alone[i]) + 0.5) / 255.0);
    }
}

void image_make(float *dst, uint32_t seed, int c, int h, int w)
{
    struct field shared, own; /* on the stack: 350 KiB, and nothing can fail */
    struct columns cols;
    field_fill(&shared, seed, SHARED_CHANNEL);
    for (int channel = 0; channel < c; channel++) {
        field_fill(&own, seed, channel);
        for (int x0 = 0; x0 < w; x0 += CHUNK) {
            columns_fill(&cols, x0, w);
            plane_fill(dst + (size_t)channel * (size_t)h * (size_t)w, &shared, &own, &cols, h, w);
        }
    }
}

void image_conformance(float *dst, int c, int h, int w)
{
    uint64_t start = fnv1a64("input");
    size_t count = (size_t)c * (size_t)h * (size_t)w;
    for (size_t n = 0; n < count; n++)
        dst[n] = (float)((double)(splitmix64(start + n * SPLITMIX64_STEP) >> 11) * 0x1p-53);
}
