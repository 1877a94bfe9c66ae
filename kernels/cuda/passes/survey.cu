#include "kernels/cuda/passes/launch.h"

#include "kernels/cuda/passes/survey_body.cuh"

typedef void (*survey_function)(struct survey_args);

template <typename T> static survey_function survey_pick(const fused_survey &op)
{
    const bool lines = op.row || op.column;
    if (op.center)
        return lines ? survey_kernel<T, true, true> : survey_kernel<T, true, false>;
    return lines ? survey_kernel<T, false, true> : survey_kernel<T, false, false>;
}

static survey_function survey_of(const fused_survey &op)
{
    return op.src.type == FUSED_F32    ? survey_pick<float>(op)
           : op.src.type == FUSED_BF16 ? survey_pick<b16>(op)
                                       : survey_pick<h16>(op);
}

int gpu_survey(const struct fused_survey *op, const struct gpu_place *at)
{
    const int invalid = 1;      /* cudaErrorInvalidValue */
    if (op->dst.data && op->dst.type != op->src.type)
        return invalid;
    survey_args a = { *op, gpu_survey_tiles(op, at->limits, at->shape), 0, nullptr, nullptr };
    float *scratch = static_cast<float *>(at->scratch);
    a.rows = op->row ? scratch : nullptr;
    a.columns = op->column ? scratch + a.tiles.row_floats * (size_t)a.tiles.images : nullptr;
    for (; a.first_image < op->src.n; a.first_image += a.tiles.images) {
        const int left = op->src.n - a.first_image, images = left < a.tiles.images ? left : a.tiles.images;
        int error = LAUNCH(gpu_survey_launch(&a.tiles, images), at->stream, survey_of(*op), a);
        if (!error && (op->row || op->column))
            error = LAUNCH(gpu_survey_lines_launch(op, images), at->stream, survey_lines_kernel, a);
        if (error)
            return error;
    }
    return 0;
}
