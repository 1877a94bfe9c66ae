/* image.h - natural-statistics input images (measurement rule 1.10): sums of bilinear noise octaves. */
#ifndef BASE_IMAGE_H
#define BASE_IMAGE_H

#include <stdint.h>

/* dst (C,H,W) f32 in [0,1], in steps of 1/255: image number `seed`. c >= 1, h and w >= 1.
 * Check: seed 1, 3x64x64, times 255: (0,0,0) 124, (0,0,63) 169, (1,31,17) 96, (2,63,63) 90, sum 1 537 918. */
void image_make(float *dst, uint32_t seed, int c, int h, int w);
/* dst (C,H,W): the conformance input: u of the generator of the networks' specification
 * for the string "input". */
void image_conformance(float *dst, int c, int h, int w);

#endif
