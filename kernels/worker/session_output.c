/* output, profile: what is asked of a batch size apart from its time. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/image.h"
#include "kernels/base/json.h"
#include "kernels/base/npy.h"
#include "kernels/worker/session_state.h"

static size_t image_values(const int shape[3])
{
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
}

static enum status read_image(float *dst, const int shape[3], const char *path, struct err *err)
{
    struct npy n;
    enum status st = npy_read(&n, path, err);
    if (st != ST_OK)
        return err_set(err, ST_INVALID, "output.images: %s", err->text);
    if (n.rank != 3 || memcmp(n.dims, shape, 3 * sizeof *shape) != 0)
        st = err_set(err, ST_INVALID, "output.images: %s must hold an image of [%d,%d,%d]", path, shape[0],
                     shape[1], shape[2]);
    else
        memcpy(dst, n.data, n.count * sizeof *dst);
    npy_free(&n);
    return st;
}

/* dst (N,C,H,W) from an array of paths and seeds. */
static enum status fill_images(float *dst, const int shape[3], const json_t *images, struct err *err)
{
    for (size_t i = 0; i < json_array_size(images); i++, dst += image_values(shape)) {
        const json_t *image = json_array_get(images, i);
        json_int_t seed = json_integer_value(image);
        enum status st = ST_OK;
        if (json_is_string(image))
            st = read_image(dst, shape, json_string_value(image), err);
        else if (json_is_integer(image) && seed >= 0 && seed <= UINT32_MAX)
            image_make(dst, (uint32_t)seed, shape[0], shape[1], shape[2]);
        else
            st = err_set(err, ST_INVALID, "output.images[%zu] must be a path or a seed 0..4294967295", i);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

enum status session_do_OUTPUT(struct session *s, const json_t *request, json_t *answer, struct err *err)
{
    (void)answer;
    int batch = 0;
    const char *path;
    const json_t *images = json_object_get(request, "images");
    enum status st = session_get_batch(&batch, s, request, "output", true, err);
    if (st == ST_OK)
        st = json_get_text(&path, request, "output", "path", err);
    if (st != ST_OK)
        return st;
    if (!json_is_array(images) || json_array_size(images) != (size_t)batch)
        return err_set(err, ST_INVALID, "output.images must be an array of %d paths or seeds, it has %zu",
                       batch, json_array_size(images));
    const int *in = s->info.input_shape, *to = s->info.output_shape;
    const int dims[4] = { batch, to[0], to[1], to[2] };
    float *src = malloc((size_t)batch * image_values(in) * sizeof *src);
    float *dst = malloc((size_t)batch * image_values(to) * sizeof *dst);
    if (!src || !dst)
        st = err_set(err, ST_OUT_OF_MEMORY, "output: no memory for %d images and their results", batch);
    if (st == ST_OK)
        st = fill_images(src, in, images, err);
    if (st == ST_OK)
        st = s->engine->output(s->model, batch, src, dst, err);
    if (st == ST_OK)
        st = npy_write(path, dims, 4, dst, err);
    free(dst);
    free(src);
    return st;
}

static json_t *profile_layers(const struct profile *p)
{
    json_t *layers = json_array();
    for (size_t i = 0; i < p->count; i++) {
        const struct profile_layer *l = &p->layers[i];
        json_array_append_new(layers,
                              json_pack("{s:s, s:s, s:I, s:I, s:I, s:s}", "name", l->name, "op", l->op, "ns",
                                        (json_int_t)l->ns, "flops", (json_int_t)l->flops, "bytes",
                                        (json_int_t)l->bytes, "implementation", l->implementation));
    }
    return layers;
}

enum status session_do_PROFILE(struct session *s, const json_t *request, json_t *answer, struct err *err)
{
    int batch = 0;
    int64_t iterations = 0;
    struct profile p = { 0 };
    enum status st = session_get_batch(&batch, s, request, "profile", true, err);
    if (st == ST_OK)
        st = json_get_int(&iterations, request, "profile", "iterations", 1, PROTOCOL_ITERATIONS_MAX, err);
    if (st == ST_OK)
        st = s->engine->profile(s->model, batch, (int)iterations, &p, err);
    if (st != ST_OK)
        return st;
    json_object_set_new(answer, "layers", profile_layers(&p));
    session_put(answer, "iteration_ns", p.iteration_ns);
    json_object_set_new(answer, "roofs", json_pack("{s:f, s:f}", "flops_per_s", p.roof_flops_per_s, "bytes_per_s",
                                                   p.roof_bytes_per_s));
    free(p.layers);
    return ST_OK;
}
