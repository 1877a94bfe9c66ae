/* What a plan promises before anything runs: layouts, lifetimes, one primitive per distinct convolution; then the ring
 * of input images and memory that is too much. */
#include "tests/unit/cpu_engine_help.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/cpu/isa.h"
#include "kernels/cpu/inputs.h"
#include "kernels/lower/pack.h"

static struct plan *plan_of_model(const char *model, int side, struct net *net, struct packing **packing)
{
    struct err err = { .status = ST_OK };
    struct model_config config;
    struct plan *plan = NULL;
    struct graph *g = NULL;
    struct weights w;
    MUST(model_config_read(&config, "configs/models", model, &err));
    *net = net_of_model(&config, side, side, "seeded", "");
    MUST(rewrite_all(&g, &w, net->g, &net->w, &err));
    const enum fused_type type = compat_has_bf16() ? FUSED_BF16 : FUSED_F32; /* the steps are the same */
    *packing = packing_new(net->compat);
    const struct lower_target target = packing_target(*packing, type);
    MUST(lower_graph(&plan, g, &w, &target, &err));
    weights_free(&w);
    graph_free(g);
    return plan;
}

static void channels_lie_where_the_map_says(void **state)
{
    (void)state;
    struct plan *p = plan_new(FUSED_F32, 16);
    const struct channel_map map = { .segments = 2, .real = { 3, 2 }, .at = { 0, 16 } };
    const float src[] = { 1, 2, 3, 4, 5, /* second row */ 6, 7, 8, 9, 10 };
    const float *rows = pack_rows(p, src, 2, &map, 32), *columns = pack_columns(p, src, 2, &map, 32);
    for (int k = 0; k < 32; k++) {
        int real = k < 3 ? k : k >= 16 && k < 18 ? k - 13 : -1;
        for (int r = 0; r < 2; r++) {
            assert_true(rows[r * 32 + k] == (real < 0 ? 0 : src[r * 5 + real]));
            assert_true(columns[k * 2 + r] == (real < 0 ? 0 : src[real * 2 + r]));
        }
    }
    assert_int_equal(channel_map_real(&map), 5);
    assert_int_equal(plan_padded(p, 1), 16);
    assert_int_equal(plan_padded(p, 48), 48);
    plan_free(p);
}

static bool share_memory(const struct buffer *a, const struct buffer *b)
{
    return a->offset < b->offset + b->image_bytes && b->offset < a->offset + a->image_bytes;
}

/* Two buffers alive in one step never overlap; every step's buffers are alive in it. */
static size_t overlaps(const struct plan *p)
{
    size_t wrong = 0;
    for (int i = 0; i < p->buffer_count; i++)
        for (int k = 0; k < i; k++) {
            const struct buffer *a = &p->buffers[i], *b = &p->buffers[k];
            bool together = a->first <= a->last && b->first <= b->last && a->first <= b->last && b->first <= a->last;
            wrong += together && a->image_bytes && b->image_bytes && share_memory(a, b);
        }
    for (int i = 0; i < p->step_count; i++) {
        int ids[PLAN_STEP_BUFFERS], count = step_buffers(ids, &p->steps[i]);
        for (int k = 0; k < count; k++) {
            const struct buffer *b = &p->buffers[ids[k]];
            b = b->parent == PLAN_NONE ? b : &p->buffers[b->parent];
            wrong += i < b->first || i > b->last || b->offset + b->image_bytes > p->arena_image_bytes;
        }
    }
    return wrong;
}

static void lifetimes_hold(void **state)
{
    (void)state;
    static const char *const models[] = { "hrnet", "resunet_small", "resunet_advanced" };
    for (size_t i = 0; i < LEN(models); i++) {
        struct net net;
        struct packing *packing;
        struct plan *p = plan_of_model(models[i], 64, &net, &packing);
        assert_int_equal(overlaps(p), 0);
        /* the wrong twin: everything at offset 0 */
        for (int k = 0; k < p->buffer_count; k++)
            p->buffers[k].offset = 0;
        assert_true(overlaps(p) > 0);
        plan_free(p);
        packing_free(packing);
        net_free(&net);
    }
}

static void few_primitives_and_few_passes(void **state)
{
    (void)state;
    struct net net;
    struct packing *packing;
    struct plan *p = plan_of_model("hrnet", 64, &net, &packing);
    int steps[STEP_COUNT] = { 0 };
    uint64_t flops = 0;
    for (int i = 0; i < p->step_count; i++) {
        steps[p->steps[i].kind]++;
        flops += p->steps[i].flops;
    }
    /* 307 convolutions, the head's 720 -> 720 as 4, the last one a product in the pass before it: 309 */
    assert_int_equal(steps[STEP_CONV], 307 + 3 - 1);
    assert_true(packing->kernel_count <= 32);
    /* every norm costs one pass for its statistics; the head's is an apply, since its sum is never stored */
    assert_int_equal(steps[STEP_STATS], 306 - 1);
    /* ... and one pass for its result: 104 Basic blocks have 2, the 4 Bottlenecks 3, the stem 2, transitions 4, the
     * modules' sums one per branch (2 + 4*3 + 3*4), their ReLUs between halvings 4*1 + 3*4, the head 2 */
    assert_int_equal(steps[STEP_APPLY], 2 * 104 + 3 * 4 + 2 + 4 + 26 + (4 * 1 + 3 * 4) + 2);
    uint64_t rewritten = 0;
    struct graph *g = NULL;
    struct weights w;
    assert_int_equal(rewrite_all(&g, &w, net.g, &net.w, NULL), ST_OK);
    rewritten = 2 * graph_macs(g);
    assert_true(flops == rewritten);
    weights_free(&w);
    graph_free(g);
    plan_free(p);
    packing_free(packing);
    net_free(&net);
}

/* --- inputs ----------------------------------------------------------------------------------------------------- */

static void ring_rotates_over_all_images(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    struct inputs in;
    const int shape[3] = { 1, 16, 16 }; /* 1 KiB */
    MUST(inputs_new(&in, shape, 7, 3 * 1024, &err)); /* twice 3 KiB of cache: 6 images */
    assert_int_equal(in.count, 6);
    float want[256];
    image_make(want, 9, 1, 16, 16);
    assert_memory_equal(in.data + 2 * 256, want, sizeof want);
    for (int batch = 1; batch <= 13; batch++) {
        bool first[6] = { false };
        for (int i = 0; i < 6; i++) {
            const float *images[13];
            inputs_next(&in, batch, images);
            for (int k = 1; k < batch; k++)
                assert_true((images[k] - in.data) / 256 == ((images[0] - in.data) / 256 + k) % 6);
            first[(images[0] - in.data) / 256] = true;
        }
        for (int i = 0; i < 6; i++)
            assert_true(first[i]);
    }
    inputs_free(&in);
    MUST(inputs_new(&in, shape, 7, 50 * 1024, &err)); /* 100 images: 64 different ones, then the same again */
    assert_int_equal(in.count, 100);
    assert_memory_equal(in.data + 64 * 256, in.data, 36 * 256 * sizeof *in.data);
    assert_memory_not_equal(in.data + 63 * 256, in.data, 256 * sizeof *in.data);
    image_make(want, 7 + 63, 1, 16, 16);
    assert_memory_equal(in.data + 63 * 256, want, sizeof want);
    inputs_free(&in);
    MUST(inputs_new(&in, shape, 1, 0, &err)); /* cache unknown */
    assert_int_equal(in.count, 3);
    inputs_free(&in);
}

/* --- numbers below 1.2e-38 --------------------------------------------------------------------------- */

static int threads_that_keep_subnormals(void)
{
    volatile float small = 1e-20f; /* nothing that a compiler could multiply beforehand */
    int count = 0;
#pragma omp parallel reduction(+ : count)
    count += small * small > 0;
    return count;
}

static void subnormals_become_zero_in_all_threads(void **state)
{
    (void)state;
#if !defined(__x86_64__)
    skip();
#endif
    const int before = omp_get_max_threads();
    omp_set_num_threads(3);
    assert_int_equal(threads_that_keep_subnormals(), 3);
    cpu_flush_subnormals(true);
    assert_int_equal(threads_that_keep_subnormals(), 0);
    omp_set_num_threads(5); /* new threads too */
    assert_int_equal(threads_that_keep_subnormals(), 0);
    cpu_flush_subnormals(false);
    assert_int_equal(threads_that_keep_subnormals(), 5);
    omp_set_num_threads(before);
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

static void too_much_memory_is_refused(void **state)
{
    (void)state;
    struct pages pages;
    struct err err = { .status = ST_OK };
    assert_int_equal(pages_new(&pages, (size_t)1 << 50, "the test's arena", &err), ST_OUT_OF_MEMORY);
    assert_non_null(strstr(err.text, "the test's arena"));
    assert_null(pages.data);
    MUST(pages_new(&pages, 100, "a page", &err));
    assert_int_equal((uintptr_t)pages.data % 4096, 0);
    assert_int_equal(((char *)pages.data)[99], 0);
    pages_free(&pages);
    assert_null(pages.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_lie_where_the_map_says),
        cmocka_unit_test(lifetimes_hold),
        cmocka_unit_test(few_primitives_and_few_passes),
        cmocka_unit_test(ring_rotates_over_all_images),
        cmocka_unit_test(subnormals_become_zero_in_all_threads),
        cmocka_unit_test(too_much_memory_is_refused),
    };
    return cmocka_run_group_tests_name("cpu_plan", tests, NULL, NULL);
}
