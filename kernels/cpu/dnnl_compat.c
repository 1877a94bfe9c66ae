#include "kernels/cpu/dnnl_compat.h"

#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIMS_MAX 5
#define CALL_ARGS 5

struct compat {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};
/* 2.x passes memory descriptors as structs by address, 3.x as opaque handles that have an owner. */
struct desc {
    dnnl_memory_desc_t md;
    bool valid;
};
struct compat_kernel {
    struct compat *owner;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;             /* NULL until built */
    struct desc src, weights, bias, dst, scratch;
    struct desc plain_weights;              /* (k, c/groups, kh, kw) f32 */
    bool one_thread;
};
struct compat_call {
    struct compat_kernel *kernel;
    dnnl_stream_t stream;                   /* its own: a stream must not serve two threads */
    dnnl_exec_arg_t args[CALL_ARGS];
    int count;
};

static enum status failed(struct err *err, dnnl_status_t st, const char *what)
{
    enum status ours = st == dnnl_unimplemented      ? ST_UNSUPPORTED
                       : st == dnnl_out_of_memory    ? ST_OUT_OF_MEMORY
                                                     : ST_ENVIRONMENT;
    ours = err_set(err, ours, "oneDNN: %s failed with status %d", what, (int)st);
    if (err) {
        snprintf(err->api, sizeof err->api, "onednn");
        err->code = (int)st;
    }
    return ours;
}

static dnnl_data_type_t data_type(enum fused_type type)
{
    return type == FUSED_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* --- what differs between 2.x and 3.x --------------------------------------------------------------------*/
#if DNNL_VERSION_MAJOR >= 3

#define MD(d) ((d)->valid ? (d)->md : NULL)

static dnnl_status_t desc_strided(struct desc *d, int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                                  const dnnl_dims_t strides)
{
    dnnl_status_t st = dnnl_memory_desc_create_with_strides(&d->md, rank, dims, type, strides);
    d->valid = st == dnnl_success;
    return st;
}
static dnnl_status_t desc_any(struct desc *d, int rank, const dnnl_dims_t dims, dnnl_data_type_t type)
{
    dnnl_status_t st = dnnl_memory_desc_create_with_tag(&d->md, rank, dims, type, dnnl_format_tag_any);
    d->valid = st == dnnl_success;
    return st;
}
static void desc_free(struct desc *d)
{
    if (d->valid)
        dnnl_memory_desc_destroy(d->md);
    d->valid = false;
}
/* The descriptor that the primitive decided on, in place of what was asked. */
static void desc_ask(struct desc *d, const_dnnl_primitive_desc_t pd, dnnl_query_t what)
{
    const_dnnl_memory_desc_t md = dnnl_primitive_desc_query_md(pd, what, 0);
    dnnl_memory_desc_t copy;
    if (!md || dnnl_memory_desc_get_size(md) == 0 || dnnl_memory_desc_clone(&copy, md) != dnnl_success)
        return;
    desc_free(d);
    d->md = copy;
    d->valid = true;
}
static dnnl_status_t conv_pd(struct compat_kernel *k, const struct conv_shape *s,
                             const_dnnl_primitive_attr_t attr)
{
    const dnnl_dims_t strides = { s->stride, s->stride }, dilates = { 0, 0 }, pad = { s->pad_h, s->pad_w };
    const dnnl_dims_t pad_end = { (s->out_h - 1) * s->stride + s->kernel_h - s->h - s->pad_h,
                                  (s->out_w - 1) * s->stride + s->kernel_w - s->w - s->pad_w };
    return dnnl_convolution_forward_primitive_desc_create(&k->pd, k->owner->engine, dnnl_forward_inference,
                                                          dnnl_convolution_direct, MD(&k->src), MD(&k->weights),
                                                          MD(&k->bias), MD(&k->dst), strides, dilates, pad, pad_end,
                                                          attr);
}
static dnnl_status_t matmul_pd(struct compat_kernel *k, const_dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(&k->pd, k->owner->engine, MD(&k->src), MD(&k->weights), NULL,
                                             MD(&k->dst), attr);
}
static dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
}
static dnnl_status_t query_name(const_dnnl_primitive_desc_t pd, const char **name)
{
    return dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)name);
}

#else /* 2.x */

#define MD(d) ((d)->valid ? &(d)->md : NULL)

static dnnl_status_t desc_strided(struct desc *d, int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                                  const dnnl_dims_t strides)
{
    dnnl_status_t st = dnnl_memory_desc_init_by_strides(&d->md, rank, dims, type, strides);
    d->valid = st == dnnl_success;
    return st;
}
static dnnl_status_t desc_any(struct desc *d, int rank, const dnnl_dims_t dims, dnnl_data_type_t type)
{
    dnnl_status_t st = dnnl_memory_desc_init_by_tag(&d->md, rank, dims, type, dnnl_format_tag_any);
    d->valid = st == dnnl_success;
    return st;
}
static void desc_free(struct desc *d)
{
    d->valid = false;
}
/* The descriptor that the primitive decided on, in place of what was asked. */
static void desc_ask(struct desc *d, const_dnnl_primitive_desc_t pd, dnnl_query_t what)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, what, 0);
    if (!md || dnnl_memory_desc_get_size(md) == 0)
        return;
    d->md = *md;
    d->valid = true;
}
static dnnl_status_t conv_pd(struct compat_kernel *k, const struct conv_shape *s,
                             const_dnnl_primitive_attr_t attr)
{
    const dnnl_dims_t strides = { s->stride, s->stride }, pad = { s->pad_h, s->pad_w };
    const dnnl_dims_t pad_end = { (s->out_h - 1) * s->stride + s->kernel_h - s->h - s->pad_h,
                                  (s->out_w - 1) * s->stride + s->kernel_w - s->w - s->pad_w };
    dnnl_convolution_desc_t cd;
    dnnl_status_t st = dnnl_convolution_forward_desc_init(&cd, dnnl_forward_inference, dnnl_convolution_direct,
                                                          MD(&k->src), MD(&k->weights), MD(&k->bias), MD(&k->dst),
                                                          strides, pad, pad_end);
    return st != dnnl_success ? st : dnnl_primitive_desc_create(&k->pd, &cd, attr, k->owner->engine, NULL);
}
static dnnl_status_t matmul_pd(struct compat_kernel *k, const_dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t md;
    dnnl_status_t st = dnnl_matmul_desc_init(&md, MD(&k->src), MD(&k->weights), NULL, MD(&k->dst));
    return st != dnnl_success ? st : dnnl_primitive_desc_create(&k->pd, &md, attr, k->owner->engine, NULL);
}
static dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f);
}
static dnnl_status_t query_name(const_dnnl_primitive_desc_t pd, const char **name)
{
    return dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)name);
}

#endif
/* ------------------------------------------------------------------------------------------------------------------*/

static dnnl_status_t desc_dense(struct desc *d, int rank, const dnnl_dims_t dims, dnnl_data_type_t type)
{
    dnnl_dims_t strides;
    strides[rank - 1] = 1;
    for (int i = rank - 1; i > 0; i--)
        strides[i - 1] = strides[i] * dims[i];
    return desc_strided(d, rank, dims, type, strides);
}

static dnnl_status_t desc_nhwc(struct desc *d, int n, int h, int w, int c, dnnl_data_type_t type)
{
    const dnnl_dims_t dims = { n, c, h, w };
    const dnnl_dims_t strides = { (dnnl_dim_t)h * w * c, 1, (dnnl_dim_t)w * c, c };
    return desc_strided(d, 4, dims, type, strides);
}

enum status compat_open(struct compat **out, struct err *err)
{
    struct compat *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the oneDNN engine");
    dnnl_status_t st = dnnl_engine_create(&c->engine, dnnl_cpu, 0);
    if (st == dnnl_success)
        st = dnnl_stream_create(&c->stream, c->engine, dnnl_stream_in_order);
    if (st != dnnl_success) {
        compat_close(c);
        return failed(err, st, "creating the CPU engine");
    }
    *out = c;
    return ST_OK;
}

void compat_close(struct compat *c)
{
    if (!c)
        return;
    if (c->stream)
        dnnl_stream_destroy(c->stream);
    if (c->engine)
        dnnl_engine_destroy(c->engine);
    free(c);
}

void compat_forget(void)
{
    int capacity = 0;
    if (dnnl_get_primitive_cache_capacity(&capacity) != dnnl_success || capacity == 0)
        return;
    dnnl_set_primitive_cache_capacity(0);
    dnnl_set_primitive_cache_capacity(capacity);
}

bool compat_has_bf16(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
}

void compat_version(char *text, size_t size)
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, size, "%d.%d.%d", v->major, v->minor, v->patch);
}

/* User scratchpad, strict arithmetic, and for a sum: dst += instead of dst =. */
static dnnl_status_t make_attr(dnnl_primitive_attr_t *attr, bool accumulate)
{
    dnnl_status_t st = dnnl_primitive_attr_create(attr);
    if (st != dnnl_success)
        return st;
    dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    dnnl_primitive_attr_set_fpmath_mode(*attr, dnnl_fpmath_mode_strict);
    if (!accumulate)
        return dnnl_success;
    dnnl_post_ops_t ops;
    st = dnnl_post_ops_create(&ops);
    if (st != dnnl_success)
        return st;
    st = append_sum(ops);
    if (st == dnnl_success)
        st = dnnl_primitive_attr_set_post_ops(*attr, ops);
    dnnl_post_ops_destroy(ops);
    return st;
}

static enum status new_kernel(struct compat_kernel **out, struct compat *c, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for a oneDNN primitive");
    (*out)->owner = c;
    return ST_OK;
}

static void ask_all(struct compat_kernel *k)
{
    desc_ask(&k->src, k->pd, dnnl_query_src_md);
    desc_ask(&k->weights, k->pd, dnnl_query_weights_md);
    desc_ask(&k->dst, k->pd, dnnl_query_dst_md);
    desc_ask(&k->scratch, k->pd, dnnl_query_scratchpad_md);
}

static dnnl_status_t describe_conv(struct compat_kernel *k, const struct conv_shape *s)
{
    dnnl_data_type_t type = data_type(s->type);
    int g = s->groups, rank = g > 1 ? 5 : 4, kg = s->k / g, cg = s->c / g;
    const dnnl_dims_t plain = { s->k, s->c, s->kernel_h, s->kernel_w };
    const dnnl_dims_t grouped = { g, kg, cg, s->kernel_h, s->kernel_w };
    const dnnl_dims_t bias = { s->k };
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t st = desc_nhwc(&k->src, s->n, s->h, s->w, s->c, type);
    if (st == dnnl_success)
        st = desc_nhwc(&k->dst, s->n, s->out_h, s->out_w, s->k, type);
    if (st == dnnl_success)
        st = desc_any(&k->weights, rank, g > 1 ? grouped : plain, type);
    if (st == dnnl_success)
        st = desc_dense(&k->plain_weights, rank, g > 1 ? grouped : plain, dnnl_f32);
    if (st == dnnl_success && s->bias)
        st = desc_dense(&k->bias, 1, bias, dnnl_f32);
    if (st == dnnl_success)
        st = make_attr(&attr, false);
    if (st == dnnl_success)
        st = conv_pd(k, s, attr);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return st;
}

enum status compat_describe_conv(struct compat_kernel **out, struct compat *c,
                                 const struct conv_shape *shape, struct err *err)
{
    enum status made = new_kernel(out, c, err);
    if (made != ST_OK)
        return made;
    dnnl_status_t st = describe_conv(*out, shape);
    if (st != dnnl_success) {
        compat_free(*out);
        *out = NULL;
        return failed(err, st, "describing a convolution");
    }
    ask_all(*out);
    return ST_OK;
}

static dnnl_status_t describe_matmul(struct compat_kernel *k, const struct compat_matmul *s)
{
    const dnnl_dims_t src = { s->m, s->k }, weights = { s->k, s->n }, dst = { s->m, s->n };
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t st = desc_dense(&k->src, 2, src, data_type(s->type));
    if (st == dnnl_success)
        st = desc_any(&k->weights, 2, weights, data_type(s->type));
    if (st == dnnl_success)
        st = desc_dense(&k->dst, 2, dst, dnnl_f32);
    if (st == dnnl_success)
        st = make_attr(&attr, s->accumulate);
    if (st == dnnl_success)
        st = matmul_pd(k, attr);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return st;
}

/* The library decides how to split a primitive when it is described and when it is built, from the number
 * of threads there are then. Returns how many there were. */
static int threads_limit(const struct compat_kernel *k)
{
    int before = omp_get_max_threads();
    if (k->one_thread)
        omp_set_num_threads(1);
    return before;
}

enum status compat_describe_matmul(struct compat_kernel **out, struct compat *c,
                                   const struct compat_matmul *shape, struct err *err)
{
    enum status made = new_kernel(out, c, err);
    if (made != ST_OK)
        return made;
    (*out)->one_thread = true;
    int threads = threads_limit(*out);
    dnnl_status_t st = describe_matmul(*out, shape);
    omp_set_num_threads(threads);
    if (st != dnnl_success) {
        compat_free(*out);
        *out = NULL;
        return failed(err, st, "describing a matrix product");
    }
    ask_all(*out);
    return ST_OK;
}

static dnnl_status_t describe_copy(struct compat_kernel *k, const struct compat_copy *shape,
                                   const struct compat_kernel *weights_of)
{
    const dnnl_dims_t dims = { shape->rows, shape->columns };
    const dnnl_dims_t strides = { (dnnl_dim_t)shape->strides[0], (dnnl_dim_t)shape->strides[1] };
    struct desc dense = { .valid = false };
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t st = desc_strided(&k->src, 2, dims, data_type(shape->type), strides);
    if (st == dnnl_success)
        st = desc_dense(&dense, 2, dims, data_type(shape->type));
    if (st == dnnl_success)
        st = make_attr(&attr, false);
    dnnl_engine_t engine = k->owner->engine;
    if (st == dnnl_success)
        st = dnnl_reorder_primitive_desc_create(&k->pd, MD(&k->src), engine,
                                                weights_of ? MD(&weights_of->weights) : MD(&dense), engine, attr);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    desc_free(&dense);
    return st;
}

enum status compat_describe_copy(struct compat_kernel **out, struct compat *c,
                                 const struct compat_copy *shape, const struct compat_kernel *weights_of,
                                 struct err *err)
{
    enum status made = new_kernel(out, c, err);
    if (made != ST_OK)
        return made;
    struct compat_kernel *k = *out;
    k->one_thread = true;
    int threads = threads_limit(k);
    dnnl_status_t st = describe_copy(k, shape, weights_of);
    omp_set_num_threads(threads);
    if (st != dnnl_success) {
        compat_free(k);
        *out = NULL;
        return failed(err, st, "describing a copy");
    }
    desc_ask(&k->dst, k->pd, dnnl_query_dst_md);
    desc_ask(&k->scratch, k->pd, dnnl_query_scratchpad_md);
    return ST_OK;
}

enum status compat_build(struct compat_kernel *k, struct err *err)
{
    if (k->primitive)
        return ST_OK;
    int threads = threads_limit(k);
    dnnl_status_t st = dnnl_primitive_create(&k->primitive, k->pd);
    omp_set_num_threads(threads);
    return st == dnnl_success ? ST_OK : failed(err, st, "building a primitive");
}

void compat_free(struct compat_kernel *k)
{
    if (!k)
        return;
    struct desc *const all[] = { &k->src, &k->weights, &k->bias, &k->dst, &k->scratch, &k->plain_weights };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        desc_free(all[i]);
    if (k->primitive)
        dnnl_primitive_destroy(k->primitive);
    if (k->pd)
        dnnl_primitive_desc_destroy(k->pd);
    free(k);
}

const char *compat_name(const struct compat_kernel *k)
{
    const char *name = NULL;
    return query_name(k->pd, &name) == dnnl_success && name ? name : "unknown";
}

static size_t desc_bytes(const struct desc *d)
{
    return d->valid ? dnnl_memory_desc_get_size(MD(d)) : 0;
}
size_t compat_scratch_bytes(const struct compat_kernel *k)
{
    return desc_bytes(&k->scratch);
}
size_t compat_weights_bytes(const struct compat_kernel *k)
{
    return desc_bytes(&k->weights);
}
bool compat_same_weights(const struct compat_kernel *a, const struct compat_kernel *b)
{
    return a->weights.valid && b->weights.valid && dnnl_memory_desc_equal(MD(&a->weights), MD(&b->weights));
}

static dnnl_status_t reorder_once(struct compat *c, const struct desc *to, void *dst, const struct desc *from,
                                  const void *src)
{
    dnnl_memory_t in = NULL, result = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t p = NULL;
    dnnl_status_t st = dnnl_memory_create(&in, MD(from), c->engine, (void *)(uintptr_t)src);
    if (st == dnnl_success)
        st = dnnl_memory_create(&result, MD(to), c->engine, dst);
    if (st == dnnl_success)
        st = dnnl_reorder_primitive_desc_create(&pd, MD(from), c->engine, MD(to), c->engine, NULL);
    if (st == dnnl_success)
        st = dnnl_primitive_create(&p, pd);
    if (st == dnnl_success) {
        const dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, in }, { DNNL_ARG_TO, result } };
        st = dnnl_primitive_execute(p, c->stream, 2, args);
    }
    if (st == dnnl_success)
        st = dnnl_stream_wait(c->stream);
    if (p)
        dnnl_primitive_destroy(p);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (in)
        dnnl_memory_destroy(in);
    if (result)
        dnnl_memory_destroy(result);
    return st;
}

enum status compat_pack_weights(void *dst, const struct compat_kernel *k, const float *plain, struct err *err)
{
    dnnl_status_t st = reorder_once(k->owner, &k->weights, dst, &k->plain_weights, plain);
    return st == dnnl_success ? ST_OK : failed(err, st, "packing weights");
}

enum status compat_repack_weights(void *dst, const struct compat_kernel *to, const void *src,
                                  const struct compat_kernel *from, struct err *err)
{
    dnnl_status_t st = reorder_once(to->owner, &to->weights, dst, &from->weights, src);
    return st == dnnl_success ? ST_OK : failed(err, st, "repacking weights");
}

static enum status add_arg(struct compat_call *call, int arg, const struct desc *d, void *data,
                           struct err *err)
{
    if (!d->valid)
        return ST_OK;
    dnnl_memory_t memory;
    dnnl_status_t st = dnnl_memory_create(&memory, MD(d), call->kernel->owner->engine, data);
    if (st != dnnl_success)
        return failed(err, st, "binding a buffer");
    call->args[call->count++] = (dnnl_exec_arg_t){ arg, memory };
    return ST_OK;
}

/* oneDNN's argument, the kernel's descriptor and our buffer for it, in one table. */
#define ARG_TABLE(k, b) \
    { { DNNL_ARG_SRC, &(k)->src, (b)->src }, { DNNL_ARG_WEIGHTS, &(k)->weights, (b)->weights }, \
      { DNNL_ARG_BIAS, &(k)->bias, (b)->bias }, { DNNL_ARG_DST, &(k)->dst, (b)->dst }, \
      { DNNL_ARG_SCRATCHPAD, &(k)->scratch, (b)->scratch } }
struct arg_row {
    int arg;
    const struct desc *desc;
    void *data;
};

enum status compat_bind(struct compat_call **out, struct compat_kernel *k, const struct compat_buffers *b,
                        struct err *err)
{
    enum status st = compat_build(k, err);
    if (st != ST_OK)
        return st;
    struct compat_call *call = calloc(1, sizeof *call);
    if (!call)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for a oneDNN call");
    call->kernel = k;
    dnnl_status_t made = dnnl_stream_create(&call->stream, k->owner->engine, dnnl_stream_in_order);
    if (made != dnnl_success)
        st = failed(err, made, "creating a stream");
    const struct arg_row rows[CALL_ARGS] = ARG_TABLE(k, b);
    for (int i = 0; i < CALL_ARGS && st == ST_OK; i++)
        st = add_arg(call, rows[i].arg, rows[i].desc, rows[i].data, err);
    if (st != ST_OK) {
        compat_unbind(call);
        return st;
    }
    *out = call;
    return ST_OK;
}

void compat_move(struct compat_call *call, const struct compat_buffers *b)
{
    const struct arg_row rows[CALL_ARGS] = ARG_TABLE(call->kernel, b);
    for (int i = 0, at = 0; i < CALL_ARGS; i++)
        if (rows[i].desc->valid)
            dnnl_memory_set_data_handle(call->args[at++].memory, rows[i].data);
}

enum status compat_run(struct compat_call *call, struct err *err)
{
    dnnl_status_t st = dnnl_primitive_execute(call->kernel->primitive, call->stream, call->count, call->args);
    if (st == dnnl_success)
        st = dnnl_stream_wait(call->stream);
    return st == dnnl_success ? ST_OK : failed(err, st, "running a primitive");
}

void compat_unbind(struct compat_call *call)
{
    if (!call)
        return;
    for (int i = 0; i < call->count; i++)
        dnnl_memory_destroy(call->args[i].memory);
    if (call->stream)
        dnnl_stream_destroy(call->stream);
    free(call);
}
