/* launch_survey.h - how survey cuts a tensor into tiles, and its two launches: over tiles, and over the lines
 * (rows and columns) whose partial sums the tiles left in scratch.
 *
 * A tile has all channels of w x h pixels. Its block is (lanes, across) threads: a thread owns 8 channels of
 * SURVEY_COLUMNS columns, `across` apart, and goes down the rows. Tiles depend on one image's size, the
 * device and the block shape, never on the batch. Scratch: [images][h][nx][c] sums of rows, then [images][w][ny][c]
 * of columns. */
#ifndef CUDA_LAUNCH_SURVEY_H
#define CUDA_LAUNCH_SURVEY_H

#include "kernels/cuda/passes/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SURVEY_THREADS 256
#define SURVEY_COLUMNS 4        /* of one thread */
#define SURVEY_ROWS 4           /* between two barriers */
#define SURVEY_LANES_MIN 4
#define SURVEY_LINE_WARPS 4     /* lines of one block of the second launch */

struct survey_tiles {
    int lanes;                  /* threads of a pixel: c / 8 rounded up to a power of two, 4 .. 256 */
    int across;                 /* pixels at once */
    int w, h, nx, ny;           /* of a tile; tiles of an image */
    int images; /* of one pair of launches: as many as leave their sums in the second-level cache */
    size_t row_floats, column_floats; /* scratch of one image; 0 where op has no such output */
};

struct survey_tiles gpu_survey_tiles(const struct fused_survey *op, const struct gpu_limits *limits,
                                     enum gpu_shape shape);
struct gpu_launch gpu_survey_launch(const struct survey_tiles *tiles, int images);
struct gpu_launch gpu_survey_lines_launch(const struct fused_survey *op, int images);

#ifdef __cplusplus
}
#endif

#endif
