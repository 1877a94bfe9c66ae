/* Plans cut into segments: on a plan of two convolutions whose every small change must take F1 or F2 away,
 * and on the three networks, where the counts follow from their architecture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/base/model_config.h"
#include "kernels/cuda/tune/signature.h"
#include "kernels/graph/rewrite.h"
#include "kernels/lower/lower.h"
#include "kernels/models/models.h"

#define LEN(rows) (sizeof(rows) / sizeof *(rows))
#define MUST(call) do { if ((call) != ST_OK) fail_msg("%s", err.text); } while (0)

/* --- two convolutions ----------------------------------------------------------------------------------- */

enum change {
    NOTHING, NO_STATS, MAP_IN_STATS, NO_RELU, RELU_IN_TERM, RESIDUAL, POOLED, MEANED, POINTED, DOTTED,
    SIGMOID, NORM_OF_SUM, INTO_SLICE, SECOND_READER, RAW_READ_AGAIN, COEFFICIENTS_READ_AGAIN,
    OTHER_COEFFICIENTS, RESIZED, READ_IN_PLACE, NOT_LEARNT, SIMAM, RELU_BEFORE_SUM, RAW_RESIDUAL, INTO_RESIDUAL,
    RESIDUAL_FIRST, TWO_RESIDUALS
};

struct pair {
    struct plan *p;
    int image, raw, stored, out, scale, shift, extra;
};

static int add_conv(struct pair *t, int src, int dst)
{
    const struct buffer *from = &t->p->buffers[src], *to = &t->p->buffers[dst];
    const struct conv_shape shape = { .n = 1, .h = from->h, .w = from->w, .c = from->c, .k = to->c,
                                      .out_h = to->h, .out_w = to->w, .kernel_h = 3, .kernel_w = 3,
                                      .stride = 1, .pad_h = 1, .pad_w = 1, .groups = 1, .type = FUSED_F16 };
    return plan_step(
        t->p, &(struct step){ .kind = STEP_CONV, .u.conv = { .src = src, .dst = dst, .shape = shape } });
}

static struct apply_step apply_of_raw(const struct pair *t)
{
    const struct term_ref none = { PLAN_NONE, PLAN_NONE, PLAN_NONE, PLAN_NONE, false, FUSED_SAME };
    struct apply_step a = { .terms = 1, .h = 32, .w = 32, .c = 48, .c_real = 48, .act = FUSED_RELU,
                            .dst = t->stored, .pool = PLAN_NONE, .channel_mean = PLAN_NONE,
                            .point = PLAN_NONE, .dot = PLAN_NONE };
    for (int i = 0; i < FUSED_TERMS_MAX; i++)
        a.term[i] = none;
    a.term[0].src = t->raw;
    a.term[0].scale = t->scale;
    a.term[0].shift = t->shift;
    return a;
}

static struct norm_ref norm_of_sum(struct pair *t)
{
    return (struct norm_ref){ plan_constant(t->p, 48), plan_constant(t->p, 48), plan_floats(t->p, 48),
                              plan_floats(t->p, 48), PLAN_NONE, PLAN_NONE };
}

static void change_apply(struct pair *t, struct apply_step *a, enum change change)
{
    switch (change) {
    case NO_RELU:            a->act = FUSED_NONE; break;
    case RELU_IN_TERM:       a->act = FUSED_NONE; a->term[0].relu = true; break;
    case RESIDUAL:           a->terms = 2; a->term[1] = a->term[0]; a->term[1].src = t->image;
                             a->term[1].scale = a->term[1].shift = PLAN_NONE; break;
    case POOLED:             a->pool = t->extra; break;
    case MEANED:             a->channel_mean = plan_floats(t->p, 48); break;
    case POINTED:            a->point = plan_floats(t->p, 2048); break;
    case DOTTED:             a->dot = plan_floats(t->p, 1024); break;
    case SIGMOID:            a->act = FUSED_SIGMOID; break;
    case NORM_OF_SUM:        a->has_norm = true; a->norm = norm_of_sum(t); break;
    case OTHER_COEFFICIENTS: a->term[0].scale = plan_floats(t->p, 48); break;
    case RESIZED:            a->term[0].resize = FUSED_HALF_PIXEL; break;
    case READ_IN_PLACE:      a->dst = t->stored = t->raw; break;
    case RELU_BEFORE_SUM:    change_apply(t, a, RESIDUAL); a->act = FUSED_NONE; a->term[0].relu = true; break;
    case RAW_RESIDUAL:       change_apply(t, a, RESIDUAL); a->term[1].scale = plan_floats(t->p, 48); break;
    case INTO_RESIDUAL:      change_apply(t, a, RESIDUAL); a->term[1].src = t->stored; break;
    case RESIDUAL_FIRST:     change_apply(t, a, RESIDUAL);
                             a->term[2] = a->term[0]; a->term[0] = a->term[1]; a->term[1] = a->term[2]; break;
    case TWO_RESIDUALS:      change_apply(t, a, RESIDUAL); a->terms = 3; a->term[2] = a->term[1]; break;
    default:                 break;
    }
}

static struct step plain_read(const struct pair *t, int src)
{
    struct step s = { .kind = STEP_APPLY, .u.apply = apply_of_raw(t) };
    s.u.apply.term[0] = (struct term_ref){ src, PLAN_NONE, PLAN_NONE, PLAN_NONE, false, FUSED_SAME };
    s.u.apply.dst = t->extra;
    return s;
}

/* image -> conv -> raw -> norm, relu -> stored -> conv -> out -> norm. */
static struct pair pair_new(enum change change)
{
    struct pair t = { .p = plan_new(FUSED_F16, 8) };
    const struct channel_map map = channel_map_simple(48), wide = channel_map_simple(96);
    assert_non_null(t.p);
    t.image = plan_tensor(t.p, 32, 32, 48, &map);
    t.raw = plan_tensor(t.p, 32, 32, 48, &map);
    t.stored = change == INTO_SLICE ? plan_slice(t.p, plan_tensor(t.p, 32, 32, 96, &wide), 48, 48, 48)
                                    : plan_tensor(t.p, 32, 32, 48, &map);
    t.out = plan_tensor(t.p, 32, 32, 48, &map);
    t.extra = plan_tensor(t.p, 32, 32, 48, &map);
    t.scale = plan_floats(t.p, 48);
    t.shift = plan_floats(t.p, 48);
    plan_step(t.p, &(struct step){ .kind = STEP_PACK, .u.pack = { .dst = t.image } });
    add_conv(&t, t.image, t.raw);
    struct stats_step stats = { .src = t.raw,
                                .pixel = change == MAP_IN_STATS ? plan_floats(t.p, 1024) : PLAN_NONE,
                                .norm = { NULL, NULL, t.scale, t.shift, PLAN_NONE, PLAN_NONE } };
    if (change != NOT_LEARNT) {
        stats.norm.gamma = plan_constant(t.p, 48);
        stats.norm.beta = plan_constant(t.p, 48);
    }
    if (change == SIMAM)
        stats.norm.center = stats.norm.rate = plan_floats(t.p, 48);
    if (change != NO_STATS)
        plan_step(t.p, &(struct step){ .kind = STEP_STATS, .u.stats = stats });
    struct step apply = { .kind = STEP_APPLY, .u.apply = apply_of_raw(&t) };
    change_apply(&t, &apply.u.apply, change);
    plan_step(t.p, &apply);
    add_conv(&t, t.stored, t.out);
    stats.src = t.out;
    stats.pixel = PLAN_NONE;
    stats.norm.scale = plan_floats(t.p, 48);
    stats.norm.shift = plan_floats(t.p, 48);
    plan_step(t.p, &(struct step){ .kind = STEP_STATS, .u.stats = stats });
    if (change == SECOND_READER || change == RAW_READ_AGAIN) {
        struct step again = plain_read(&t, change == SECOND_READER ? t.stored : t.raw);
        plan_step(t.p, &again);
    }
    if (change == COEFFICIENTS_READ_AGAIN) {
        struct step again = plain_read(&t, t.out);
        again.u.apply.term[0].scale = t.scale;
        plan_step(t.p, &again);
    }
    t.p->output_buffer = t.extra;
    struct err err = { .status = ST_OK };
    MUST(plan_finish(t.p, &err));
    return t;
}

static const struct {
    enum change change;
    bool linked, sums, normed;   /* of the first convolution; normed: F3 */
    const char *post;
} changes[] = {
    { NOTHING, true, true, true, "post=in+relu consumers=1" },
    { RELU_IN_TERM, true, true, true, "post=in+relu consumers=1" },
    { READ_IN_PLACE, true, true, false, "post=in+relu consumers=1" },
    { NO_STATS, false, false, false, "post=- consumers=1" },
    { MAP_IN_STATS, false, false, false, "post=map+in+relu consumers=1" },
    { NO_RELU, false, true, true, "post=in consumers=1" },
    { RESIDUAL, false, true, true, "post=in+res+relu consumers=1" },
    { POOLED, false, true, false, "post=in+relu+pool consumers=1" },
    { MEANED, false, true, false, "post=in+relu+mean consumers=1" },
    { POINTED, false, true, false, "post=in+relu+point consumers=1" },
    { DOTTED, false, true, false, "post=in+relu+dot consumers=1" },
    { SIGMOID, false, true, false, "post=in+sigmoid consumers=1" },
    { NORM_OF_SUM, false, true, false, "post=in+relu+in consumers=1" },
    { INTO_SLICE, false, true, true, "post=in+relu consumers=1" },
    { SECOND_READER, false, true, true, "post=in+relu consumers=2" },
    { RAW_READ_AGAIN, false, true, true, "post=in+relu consumers=1" },
    { COEFFICIENTS_READ_AGAIN, false, true, false, "post=in+relu consumers=1" },
    { OTHER_COEFFICIENTS, false, true, false, "post=in+relu consumers=1" },
    { NOT_LEARNT, true, true, false, "post=in+relu consumers=1" },
    { SIMAM, true, true, false, "post=in+relu consumers=1" },
    { RELU_BEFORE_SUM, false, true, false, "post=in+res consumers=1" },
    { RAW_RESIDUAL, false, true, false, "post=in consumers=1" },
    { INTO_RESIDUAL, false, true, false, "post=in+res+relu consumers=1" },
    { RESIDUAL_FIRST, false, true, true, "post=in+res+relu consumers=1" },
    { TWO_RESIDUALS, false, true, false, "post=in+res+res+relu consumers=1" },
    { RESIZED, false, true, false, "post=in+relu consumers=1" },
};

static void each_change_counts(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    for (size_t i = 0; i < LEN(changes); i++) {
        struct pair t = pair_new(changes[i].change);
        struct segment *s;
        int count;
        MUST(segments_of_plan(&s, &count, t.p, GPU_F16, &err));
        if (count != (changes[i].linked ? 1 : 2) || s[0].parts != (changes[i].linked ? 2 : 1) ||
            s[0].part[0].sums != changes[i].sums ||
            s[0].part[0].norm_bytes != (changes[i].normed ? 32 * 32 * 48 * 2 : 0))
            fail_msg("change %zu: %d segments, %d parts, sums %d, norm of %zu bytes", i, count, s[0].parts,
                     s[0].part[0].sums, s[0].part[0].norm_bytes);
        char line[SIGNATURE_STEP_MAX];
        signature_part(line, t.p, &s[0].part[0], GPU_F16);
        assert_non_null(strstr(line, changes[i].post));
        assert_int_equal(s[0].part[1].prologue, changes[i].linked);
        free(s);
        plan_free(t.p);
    }
}

static void the_line_says_everything(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    struct pair t = pair_new(NOTHING), u = pair_new(INTO_SLICE);
    struct segment *s;
    int count;
    MUST(segments_of_plan(&s, &count, t.p, GPU_BF16, &err));
    assert_string_equal(s[0].text, "conv3x3s1p1 g1 c48 k48 h32 w32 ld48/48 bf16 post=in+relu consumers=1 > "
                                   "conv3x3s1p1 g1 c48 k48 h32 w32 ld48/48 bf16 post=in consumers=0");
    free(s);
    MUST(segments_of_plan(&s, &count, u.p, GPU_F16, &err));
    assert_string_equal(s[1].text, "conv3x3s1p1 g1 c48 k48 h32 w32 ld96/48 f16 post=in consumers=0");
    /* one of them reads a slice: another cost, another line */
    assert_string_not_equal(s[0].text, s[1].text);
    assert_int_equal(s[1].same, 1);
    free(s);
    plan_free(t.p);
    plan_free(u.p);
}

static void wants_follow_the_level(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    struct pair t = pair_new(NOTHING);
    struct segment *s;
    int count;
    MUST(segments_of_plan(&s, &count, t.p, GPU_F16, &err));
    static const struct { int slot, level; bool stats, prologue; } rows[] = {
        { 0, 0, false, false }, { 0, 1, true, false }, { 0, 2, true, false },
        { 1, 0, false, false }, { 1, 1, true, false }, { 1, 2, true, true },
        { 0, 3, false, false }, { 1, 3, false, false },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct conv_want w = segment_want(t.p, &s[0], rows[i].slot, rows[i].level, 5, GPU_F16);
        assert_int_equal(w.stats, rows[i].stats);
        assert_int_equal(w.prologue, rows[i].prologue);
        assert_int_equal(w.shape.n, 5);
        assert_int_equal(w.src_stride, 0);
    }
    free(s);
    plan_free(t.p);
    t = pair_new(INTO_SLICE);
    MUST(segments_of_plan(&s, &count, t.p, GPU_F16, &err));
    assert_int_equal(segment_want(t.p, &s[1], 0, 0, 1, GPU_F16).src_stride, 96);
    free(s);
    plan_free(t.p);
}

static void small_layers_stay_at_f0(void **state)
{
    (void)state;
    struct segment s = { .parts = 2, .part = { { .sums = true }, { .sums = true, .prologue = true } } };
    const double large[] = { 20e3, 25e3 }, small[] = { 20e3, 19e3 };
    assert_int_equal(segment_levels(&s, large, 1), 7);
    assert_int_equal(segment_levels(&s, small, 1), 1);
    s.part[1].prologue = false;
    assert_int_equal(segment_levels(&s, large, 1), 3);
    s.part[0].sums = s.part[1].sums = false;
    assert_int_equal(segment_levels(&s, large, 1), 1);
}

/* F3 where the tensor of the whole batch is below 20 MB, however short the convolution takes. */
static void small_tensors_have_f3(void **state)
{
    (void)state;
    struct segment s = { .parts = 2, .part = { { .sums = true, .norm_bytes = 2500000 }, { .sums = true } } };
    const double large[] = { 20e3, 25e3 }, small[] = { 1e3, 1e3 };
    assert_int_equal(segment_levels(&s, large, 7), 1 | 2 | 8);
    assert_int_equal(segment_levels(&s, small, 7), 1 | 8);
    assert_int_equal(segment_levels(&s, large, 8), 1 | 2); /* 20 MB are too many */
    s.part[1].norm_bytes = 1;
    assert_int_equal(segment_levels(&s, small, 8), 1 | 8); /* one part is enough */
    assert_true(segment_part_has(&s.part[0], 3, 7) && !segment_part_has(&s.part[0], 3, 8));
    assert_true(segment_part_has(&s.part[1], 3, 8));
}

static void norms_are_asked_as_they_are(void **state)
{
    (void)state;
    static const struct { enum change change; bool residual, relu; int dst_stride; } rows[] = {
        { NOTHING, false, true, 0 }, { RELU_IN_TERM, false, true, 0 }, { NO_RELU, false, false, 0 },
        { RESIDUAL, true, true, 0 }, { RESIDUAL_FIRST, true, true, 0 }, { INTO_SLICE, false, true, 96 },
    };
    struct err err = { .status = ST_OK };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct pair t = pair_new(rows[i].change);
        struct segment *s;
        int count;
        MUST(segments_of_plan(&s, &count, t.p, GPU_BF16, &err));
        struct norm_want w = segment_norm(t.p, &s[0], 0, 3, GPU_BF16);
        assert_true(w.n == 3 && w.h == 32 && w.w == 32 && w.c == 48 && w.math == GPU_BF16);
        assert_int_equal(w.residual, rows[i].residual);
        assert_int_equal(w.relu, rows[i].relu);
        assert_int_equal(w.dst_stride, rows[i].dst_stride);
        assert_int_equal(w.residual_stride, 0);
        free(s);
        plan_free(t.p);
    }
}

/* --- a transposed convolution --------------------------------------------------------------------------- */

/* image (16,24,64) -> wide product of 4 x 48 -> scatter into the upper half of 96 channels, read by a pass. */
static struct plan *tconv_plan(bool biased, bool wide_read_again)
{
    struct err err = { .status = ST_OK };
    struct plan *p = plan_new(FUSED_F16, 8);
    assert_non_null(p);
    const struct channel_map simple = channel_map_simple(64), wide = channel_map_simple(192),
                             two = channel_map_simple(96);
    struct pair t = { .p = p, .image = plan_tensor(p, 16, 24, 64, &simple) };
    int product = plan_tensor(p, 16, 24, 192, &wide), out = plan_tensor(p, 32, 48, 96, &two);
    int half = plan_slice(p, out, 48, 48, 48);
    plan_step(p, &(struct step){ .kind = STEP_PACK, .u.pack = { .dst = t.image } });
    struct step conv = { .kind = STEP_CONV };
    conv.u.conv = (struct conv_step){ .src = t.image, .dst = product,
                                      .shape = { .n = 1, .h = 16, .w = 24, .c = 64, .k = 192, .out_h = 16, .out_w = 24,
                                                 .kernel_h = 1, .kernel_w = 1, .stride = 1, .groups = 1,
                                                 .type = FUSED_F16 } };
    plan_step(p, &conv);
    t.extra = wide_read_again ? plan_tensor(p, 16, 24, 192, &wide) : plan_tensor(p, 32, 48, 96, &two);
    plan_step(p, &(struct step){ .kind = STEP_SCATTER,
                                 .u.scatter = { product, half, biased ? plan_constant(p, 48) : NULL } });
    struct step read = plain_read(&t, wide_read_again ? product : out);
    plan_step(p, &read);
    p->output_buffer = t.extra;
    MUST(plan_finish(p, &err));
    return p;
}

static void a_scatter_belongs_to_its_convolution(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    for (int biased = 0; biased < 2; biased++) {
        struct plan *p = tconv_plan(biased, false);
        struct segment *s;
        int count;
        MUST(segments_of_plan(&s, &count, p, GPU_F16, &err));
        assert_int_equal(count, 1);
        assert_int_equal(s[0].part[0].scatter, 2);
        assert_string_equal(s[0].text,
                            biased ? "tconv2x2s2p0 g1 c64 k48 h16 w24 ld64/96 f16 bias post=- consumers=1"
                                   : "tconv2x2s2p0 g1 c64 k48 h16 w24 ld64/96 f16 post=- consumers=1");
        struct conv_want wide = segment_want(p, &s[0], 0, 0, 5, GPU_F16), direct = conv_want_direct(&wide);
        assert_true(!wide.transposed && wide.shape.k == 192 && wide.shape.out_h == 16 && wide.dst_stride == 0);
        assert_true(wide.direct.stride == 96 && wide.direct.bias == biased && !wide.shape.bias);
        assert_true(direct.transposed && direct.shape.k == 48 && direct.shape.out_h == 32 && direct.shape.out_w == 48);
        assert_true(direct.shape.n == 5 && direct.dst_stride == 96 && direct.shape.bias == biased);
        free(s);
        plan_free(p);
    }
}

/* Somebody else reads the product: it must be there, so nothing may leave it out. */
static void a_product_that_is_read_stays(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    struct plan *p = tconv_plan(true, true);
    struct segment *s;
    int count;
    MUST(segments_of_plan(&s, &count, p, GPU_F16, &err));
    assert_int_equal(s[0].part[0].scatter, PLAN_NONE);
    assert_int_equal(segment_want(p, &s[0], 0, 0, 1, GPU_F16).direct.stride, 0);
    assert_string_equal(s[0].text, "conv1x1s1p0 g1 c64 k192 h16 w24 ld64/192 f16 post=- consumers=2");
    free(s);
    plan_free(p);
}

/* --- the networks --------------------------------------------------------------------------------------- */

static enum status keep_nothing(int *index, void *context, const struct conv_shape *shape, const float *plain,
                                struct err *err)
{
    (void)context;
    (void)shape;
    (void)plain;
    (void)err;
    *index = 0;
    return ST_OK;
}

static struct plan *plan_of_model(const char *model, int side)
{
    struct err err = { .status = ST_OK };
    struct model_config config;
    struct graph *built, *g = NULL;
    struct weights plain, w;
    struct plan *p = NULL;
    const struct lower_target target = { .type = FUSED_F16, .channel_block = 8, .ordered = true,
                                         .keep_weights = keep_nothing };
    MUST(model_config_read(&config, "configs/models", model, &err));
    MUST(model_build(&built, &config, (int[]){ 3, side, side }, &err));
    MUST(weights_load(&plain, built, "seeded", &err));
    MUST(rewrite_all(&g, &w, built, &plain, &err));
    MUST(lower_graph(&p, g, &w, &target, &err));
    weights_free(&w);
    weights_free(&plain);
    graph_free(g);
    graph_free(built);
    return p;
}

/* Every convolution is in exactly one segment; F2 only behind sums; what a segment names exists and reads
 * it. */
static size_t segments_wrong(const struct plan *p, const struct segment *s, int count)
{
    size_t wrong = 0;
    int *seen = calloc((size_t)p->step_count, sizeof *seen);
    assert_non_null(seen);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < s[i].parts; k++) {
            const struct segment_part *part = &s[i].part[k];
            seen[part->conv]++;
            wrong += p->steps[part->conv].kind != STEP_CONV;
            wrong += part->sums && p->steps[part->stats].u.stats.src != p->steps[part->conv].u.conv.dst;
            wrong +=
                part->prologue && (k == 0 || !s[i].part[k - 1].sums || s[i].part[k - 1].apply == PLAN_NONE);
            wrong += part->prologue &&
                     p->steps[s[i].part[k - 1].apply].u.apply.dst != p->steps[part->conv].u.conv.src;
        }
    for (int i = 0; i < p->step_count; i++)
        wrong += seen[i] != (p->steps[i].kind == STEP_CONV);
    free(seen);
    return wrong;
}

/* HRNet: 307 convolutions, the head's as four, the last one a product in the pass before it; 306 norms, the
 * head's of a sum; one link in each of 104 Basic blocks, two in each of 4 Bottlenecks, the stem's one and 16
 * between the halvings of its fuse layers. Small: one in each of its 7 blocks down (the bridge's with them)
 * and 5 up. Advanced: stages of 3, 3, 4, 4 blocks and 2 of the bridge, 4 up. On the way up each
 * has one transposed convolution a level. -1: not counted here. */
static const struct { const char *model; int convs, links, sums, scatters; } networks[] = {
    { "hrnet", 307 + 3 - 1, 104 + 8 + 1 + 16, 306 - 1, 0 },
    { "resunet_small", -1, 7 + 5, -1, 5 },
    { "resunet_advanced", -1, 3 + 3 + 4 + 4 + 2 + 4, -1, 4 },
};

static void networks_are_cut(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    for (size_t i = 0; i < LEN(networks); i++) {
        struct plan *p = plan_of_model(networks[i].model, 64);
        struct segment *s;
        int count, convs = 0, links = 0, sums = 0, scatters = 0, distinct = 0, counted = 0;
        MUST(segments_of_plan(&s, &count, p, GPU_F16, &err));
        assert_int_equal(segments_wrong(p, s, count), 0);
        for (int k = 0; k < count; k++) {
            convs += s[k].parts;
            links += s[k].parts - 1;
            distinct += s[k].same == k;
            counted += s[k].same == k ? s[k].count : 0;
            for (int part = 0; part < s[k].parts; part++)
                sums += s[k].part[part].sums;
            scatters += s[k].part[0].scatter != PLAN_NONE;
            assert_string_equal(s[s[k].same].text, s[k].text);
        }
        assert_int_equal(counted, count);
        print_message("%s: %d convolutions, %d segments, %d distinct, %d with sums, %d prologues\n",
                      networks[i].model, convs, count, distinct, sums, links);
        assert_int_equal(links, networks[i].links);
        assert_int_equal(scatters, networks[i].scatters);
        if (networks[i].convs >= 0) {
            assert_int_equal(convs, networks[i].convs);
            assert_int_equal(sums, networks[i].sums);
        }
        s[0].part[0].conv = s[1].part[0].conv; /* the wrong twin: one convolution twice, one never */
        assert_true(segments_wrong(p, s, count) > 0);
        free(s);
        plan_free(p);
    }
}

/* Steps of a kind that has shapes which are neither in a part nor exactly once alone; applies that write over what
 * they read may be left out. `written_over` counts those. */
static int lone_wrong(const struct plan *p, const struct segment *s, int count, int *written_over)
{
    int wrong = 0;
    *written_over = 0;
    for (int i = 0; i < p->step_count; i++) {
        const struct step *step = &p->steps[i];
        bool shaped = step->kind == STEP_STATS || step->kind == STEP_APPLY || step->kind == STEP_SURVEY, over = false;
        int held = 0;
        for (int k = 0; k < count; k++) {
            held += s[k].parts == 0 && s[k].lone == i;
            for (int part = 0; part < s[k].parts; part++)
                held += s[k].part[part].stats == i || s[k].part[part].apply == i;
        }
        for (int t = 0; step->kind == STEP_APPLY && t < step->u.apply.terms; t++)
            over = over || step->u.apply.term[t].src == step->u.apply.dst;
        wrong += held > 1 || (held == 1) != (shaped && !(over && held == 0));
        *written_over += over && held == 0;
    }
    return wrong;
}

/* Equal lines stand for equal work. */
static int lines_wrong(const struct plan *p, const struct segment *s, int count)
{
    int wrong = 0;
    for (int k = 0; k < count; k++) {
        const struct step *a = &p->steps[s[k].lone], *b = &p->steps[s[s[k].same].lone];
        if (s[k].parts == 0)
            wrong += strlen(s[k].text) + 1 >= SIGNATURE_MAX || s[s[k].same].parts != 0 || a->kind != b->kind ||
                     a->bytes != b->bytes || strcmp(s[k].text, s[s[k].same].text) != 0 ||
                     s[k].shaped != s[s[k].same].shaped;
    }
    return wrong;
}

static void steps_of_no_convolution_stand_alone(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    for (size_t i = 0; i < LEN(networks); i++) {
        struct plan *p = plan_of_model(networks[i].model, 64);
        struct segment *s;
        int parts, count, distinct = 0, written_over;
        MUST(segments_of_plan(&s, &count, p, GPU_F16, &err));
        parts = count;
        assert_true(lone_wrong(p, s, count, &written_over) > 0); /* the wrong twin: none added */
        MUST(segments_add_lone(&s, &count, p, GPU_F16, &err));
        for (int k = parts; k < count; k++)
            distinct += s[k].same == k;
        assert_int_equal(lone_wrong(p, s, count, &written_over), 0);
        assert_int_equal(lines_wrong(p, s, count), 0);
        print_message("%s: %d steps by themselves, %d distinct, %d more write over what they read\n",
                      networks[i].model, count - parts, distinct, written_over);
        free(s);
        plan_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_of_no_convolution_stand_alone),
        cmocka_unit_test(each_change_counts),     cmocka_unit_test(the_line_says_everything),
        cmocka_unit_test(wants_follow_the_level), cmocka_unit_test(small_layers_stay_at_f0),
        cmocka_unit_test(small_tensors_have_f3),  cmocka_unit_test(norms_are_asked_as_they_are),
        cmocka_unit_test(a_scatter_belongs_to_its_convolution),
        cmocka_unit_test(a_product_that_is_read_stays),
        cmocka_unit_test(networks_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
