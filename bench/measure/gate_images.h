/* gate_images.h - input images and outputs of the accuracy gate, as files between bench and a worker.
 * What _make and _ask give is freed with free(). */
#ifndef MEASURE_GATE_IMAGES_H
#define MEASURE_GATE_IMAGES_H

#include <stddef.h>
#include <stdint.h>

#include "bench/measure/worker.h"
#include "kernels/base/err.h"
#include "kernels/base/sha256.h"

#define GATE_PATH_MAX 4352

struct gate_image {
    char path[GATE_PATH_MAX];
    char sha256[SHA256_HEX_SIZE];    /* of its values */
};
/* Writes the image of a seed (measurement rule 1.10) of shape C,H,W as .npy into folder.
 * ST_IO, ST_OUT_OF_MEMORY. */
enum status gate_image_make(struct gate_image *out, const char *folder, uint32_t seed, const int shape[3],
                            struct err *err);

/* Asks a worker for the output of images[batch] (paths), reads it back and removes the file. *out has batch x
 * C x H x W values, *count of them per image. ST_WRONG_OUTPUT: the file has another shape than output_shape
 * (C,H,W) per image, or is none. Others as worker_output. */
enum status gate_output_ask(float **out, size_t *count, struct worker *w, const char *folder,
                            const struct gate_image *images, int batch, const int output_shape[3],
                            uint64_t deadline_ns, struct err *err);

#endif
