/* Sums of terms with everything taken from them, on random cases, against an oracle in double made of the reference's
 * operators. */
#include "tests/unit/cpu_fused_help.h"

#include "kernels/reference/reference.h"

/* One random case: its inputs, its outputs and what they must be. */
struct apply_case {
    struct fused_apply op;
    struct tensor src[FUSED_TERMS_MAX], dst, pool;
    float *scale[FUSED_TERMS_MAX], *shift[FUSED_TERMS_MAX], *pixel[FUSED_TERMS_MAX];
    float *mean, *point, *dot_weight, *dot, *norm_out, *gamma, *beta;
    struct fused_norm norm;
    size_t scratch_bytes;
    void *scratch;
};

/* What a case is made of besides chance. */
struct apply_shape { int n, h, w, c_real; bool plain; }; /* plain: one or two terms, only dst: the shortest path */

static void case_term(struct apply_case *a, int i, const struct apply_shape *s, struct rng *r)
{
    enum fused_resize resize = s->plain ? FUSED_SAME : (enum fused_resize)random_int(r, 0, 2);
    int h = resize == FUSED_SAME ? s->h : random_int(r, 1, s->h + 3);
    int w = resize == FUSED_SAME ? s->w : random_int(r, 1, s->w + (s->w < 20 ? 40 : 3));
    a->src[i] = tensor_new(random_type(r), s->n, h, w, s->c_real, 16 * random_int(r, 0, 2));
    tensor_fill(&a->src[i], r, random_bool(r) ? 0.2 : -1.5, 1); /* negative: the zeros of padding are no maximum */
    bool affine = random_bool(r), weighted = !s->plain && random_int(r, 0, 2) == 0;
    a->scale[i] = affine ? coefficients_new(s->n, s->c_real, r, 1, 0.3) : NULL;
    a->shift[i] = affine && random_bool(r) ? coefficients_new(s->n, s->c_real, r, 0, 0.3) : NULL;
    a->pixel[i] = weighted ? floats_new(view_pixels(&a->src[i].view), r, 0.6, 0.1) : NULL;
    a->op.term[i] = (struct fused_term){ .src = a->src[i].view, .scale = a->scale[i], .shift = a->shift[i],
                                         .pixel = a->pixel[i], .relu = random_bool(r), .resize = resize };
}

static void case_outputs(struct apply_case *a, const struct apply_shape *s, struct rng *r)
{
    size_t c = (size_t)up16(s->c_real), pixels = (size_t)s->n * (size_t)s->h * (size_t)s->w;
    a->dst = tensor_new(random_type(r), s->n, s->h, s->w, s->c_real, 16 * random_int(r, 0, 2));
    a->pool = tensor_new(random_type(r), s->n, s->h / 2, s->w / 2, s->c_real, 16 * random_int(r, 0, 2));
    a->mean = aligned_new((size_t)s->n * c * sizeof(float));
    a->point = aligned_new(2 * pixels * sizeof(float));
    a->dot = aligned_new(pixels * sizeof(float));
    a->dot_weight = coefficients_new(1, s->c_real, r, 0, 0.3);
    a->gamma = coefficients_new(1, s->c_real, r, 1, 0.2);
    a->beta = coefficients_new(1, s->c_real, r, 0, 0.2);
    a->norm_out = aligned_new(4 * (size_t)s->n * c * sizeof(float));
    float *out = a->norm_out;
    size_t all = (size_t)s->n * c;
    a->norm = (struct fused_norm){ a->gamma, a->beta, out, out + all, out + 2 * all, out + 3 * all };
    a->op.dot_weight = a->dot_weight;
    if (s->plain || random_int(r, 0, 3))
        a->op.dst = a->dst.view;
    a->op.stream = random_bool(r);
    if (s->plain)
        return;
    if (s->h > 1 && s->w > 1 && random_bool(r))
        a->op.pool = a->pool.view;
    a->op.channel_mean = random_bool(r) ? a->mean : NULL;
    a->op.point = random_bool(r) ? a->point : NULL;
    a->op.dot = random_bool(r) ? a->dot : NULL;
    a->op.dot_bias = 0.7f;
    a->op.norm = random_bool(r) ? &a->norm : NULL;
}

static struct apply_case *case_new(const struct apply_shape *s, uint64_t seed)
{
    struct rng r = rng_seeded(seed);
    struct apply_case *a = calloc(1, sizeof *a);
    assert_non_null(a);
    a->op = (struct fused_apply){ .n = s->n, .h = s->h, .w = s->w, .c = up16(s->c_real), .c_real = s->c_real };
    a->op.terms = random_int(&r, 1, s->plain ? 3 : FUSED_TERMS_MAX);
    a->op.act = (enum fused_act)random_int(&r, 0, s->plain ? 1 : 2);
    for (int i = 0; i < a->op.terms; i++)
        case_term(a, i, s, &r);
    case_outputs(a, s, &r);
    a->scratch_bytes = fused_apply_scratch(&a->op);
    a->scratch = scratch_new(a->scratch_bytes);
    return a;
}

static void case_free(struct apply_case *a)
{
    for (int i = 0; i < a->op.terms; i++) {
        tensor_free(&a->src[i]);
        free(a->scale[i]), free(a->shift[i]), free(a->pixel[i]);
    }
    tensor_free(&a->dst);
    tensor_free(&a->pool);
    free(a->mean), free(a->point), free(a->dot), free(a->dot_weight), free(a->gamma), free(a->beta);
    free(a->norm_out), free(a->scratch), free(a);
}

/* want += the term (n, h, w, c_real) */
static void oracle_term(double *want, const struct apply_case *a, int i, int c)
{
    const struct fused_term *t = &a->op.term[i];
    struct ref_shape from = { t->src.n, t->src.h, t->src.w, c };
    double *x = view_doubles(&t->src, c), *same = x;
    for (size_t p = 0; p < view_pixels(&t->src); p++)
        for (int k = 0; k < c; k++) {
            size_t at = p * (size_t)c + (size_t)k, image = p / ((size_t)t->src.h * (size_t)t->src.w);
            size_t co = image * (size_t)t->src.c + (size_t)k;
            double v = x[at] * (t->pixel ? (double)t->pixel[p] : 1);
            v = v * (t->scale ? (double)t->scale[co] : 1) + (t->shift ? (double)t->shift[co] : 0);
            x[at] = t->relu && v < 0 ? 0 : v;
        }
    size_t count = (size_t)a->op.n * (size_t)a->op.h * (size_t)a->op.w * (size_t)c;
    if (t->resize != FUSED_SAME) {
        same = aligned_new(count * sizeof *same);
        reference_resize(same, x, from, a->op.h, a->op.w, t->resize == FUSED_CORNERS);
    }
    for (size_t j = 0; j < count; j++)
        want[j] += same[j];
    if (same != x)
        free(same);
    free(x);
}

static size_t norm_misses(const struct apply_case *a, const double *sum, int c)
{
    size_t misses = 0, count = (size_t)a->op.n * (size_t)c;
    double *mean = aligned_new(count * sizeof *mean), *variance = aligned_new(count * sizeof *variance);
    reference_statistics(mean, variance, sum, (struct ref_shape){ a->op.n, a->op.h, a->op.w, c });
    for (int i = 0; i < a->op.n * a->op.c; i++) {
        int k = i % a->op.c;
        size_t at = (size_t)(i / a->op.c) * (size_t)c + (size_t)k;
        double scale = k < c ? (double)a->gamma[k] / sqrt(variance[at] + 1e-5) : 0;
        double shift = k < c ? (double)a->beta[k] - mean[at] * scale : 0;
        misses += fabs((double)a->norm.scale[i] - scale) > 1e-4 * fabs(scale) ||
                  fabs((double)a->norm.shift[i] - shift) > 1e-4 * (1 + fabs(mean[at < count ? at : 0] * scale));
    }
    free(mean), free(variance);
    return misses;
}

static size_t reduced_misses(const struct apply_case *a, const double *y, int c)
{
    const struct fused_apply *op = &a->op;
    size_t misses = 0, image_pixels = (size_t)op->h * (size_t)op->w;
    double *mean = calloc((size_t)op->n * (size_t)op->c, sizeof *mean);
    for (size_t p = 0; p < (size_t)op->n * image_pixels; p++) {
        double sum = 0, max = -INFINITY, dot = (double)op->dot_bias;
        for (int k = 0; k < c; k++) {
            double v = y[p * (size_t)c + (size_t)k];
            sum += v;
            max = fmax(max, v);
            dot += v * (double)op->dot_weight[op->dot ? k : 0];
            mean[p / image_pixels * (size_t)op->c + (size_t)k] += v / (double)image_pixels;
        }
        if (op->point)
            misses += !near((double)op->point[2 * p], sum / c, FUSED_F32, 2e-5) ||
                      !near((double)op->point[2 * p + 1], max, FUSED_F32, 2e-5);
        if (op->dot)
            misses += !near((double)op->dot[p], dot, FUSED_F32, 5e-5);
    }
    if (op->channel_mean)
        misses += float_misses(op->channel_mean, mean, (size_t)op->n * (size_t)op->c, 2e-5);
    free(mean);
    return misses;
}

/* Compares all outputs of a case that has run. */
static size_t case_misses(const struct apply_case *a)
{
    const struct fused_apply *op = &a->op;
    int c = op->c_real;
    struct ref_shape shape = { op->n, op->h, op->w, c };
    size_t count = (size_t)op->n * (size_t)op->h * (size_t)op->w * (size_t)c, misses = 0;
    double *y = calloc(count, sizeof *y);
    for (int i = 0; i < op->terms; i++)
        oracle_term(y, a, i, c);
    if (op->norm)
        misses += norm_misses(a, y, c);
    for (size_t i = 0; i < count; i++)
        y[i] = op->act == FUSED_RELU ? fmax(y[i], 0) : op->act == FUSED_SIGMOID ? 1 / (1 + exp(-y[i])) : y[i];
    if (op->dst.data)
        misses += view_misses(&op->dst, y, c, 2e-5);
    if (op->pool.data) {
        double *pool = aligned_new(count * sizeof *pool);
        reference_maxpool(pool, y, shape);
        misses += view_misses(&op->pool, pool, c, 2e-5);
        free(pool);
    }
    misses += reduced_misses(a, y, c) + scratch_misses(a->scratch, a->scratch_bytes);
    misses += tensor_guard_misses(&a->dst) + tensor_guard_misses(&a->pool);
    for (int i = 0; i < op->terms; i++)
        misses += tensor_guard_misses(&a->src[i]);
    free(y);
    return misses;
}

/* A hash of every output, to compare runs bit for bit. */
static uint64_t case_hash(const struct apply_case *a)
{
    const struct fused_apply *op = &a->op;
    size_t pixels = (size_t)op->n * (size_t)op->h * (size_t)op->w, all = (size_t)op->n * (size_t)op->c;
    uint64_t hash = fnv1a64_bytes(FNV1A64_START, a->dst.buffer, a->dst.bytes);
    hash = fnv1a64_bytes(hash, a->pool.buffer, a->pool.bytes);
    hash = op->channel_mean ? fnv1a64_bytes(hash, a->mean, all * sizeof(float)) : hash;
    hash = op->point ? fnv1a64_bytes(hash, a->point, 2 * pixels * sizeof(float)) : hash;
    hash = op->dot ? fnv1a64_bytes(hash, a->dot, pixels * sizeof(float)) : hash;
    return op->norm ? fnv1a64_bytes(hash, a->norm_out, 4 * all * sizeof(float)) : hash;
}

static void case_run(const struct apply_case *a, enum cpu_isa isa, int threads)
{
    omp_set_num_threads(threads);
    fused_kernels(isa)->apply(&a->op, a->scratch);
}

static void case_agrees(const struct apply_shape *s, uint64_t seed)
{
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
        struct apply_case *a = case_new(s, seed);
        case_run(a, (enum cpu_isa)isa, 1);
        uint64_t hash = case_hash(a);
        for (int threads = 2; threads <= 3; threads++) {
            case_run(a, (enum cpu_isa)isa, threads);
            if (case_hash(a) != hash)
                fail_msg("seed %d: %d threads give other bits (%s)", (int)seed, threads,
                         cpu_isa_name((enum cpu_isa)isa));
        }
        size_t misses = case_misses(a);
        if (misses)
            fail_msg("seed %d, %dx%dx%dx%d: %zu misses with %s", (int)seed, s->n, s->h, s->w, s->c_real, misses,
                     cpu_isa_name((enum cpu_isa)isa));
        case_free(a);
    }
}

static void random_cases_agree(void **state)
{
    (void)state;
    for (int seed = 1; seed <= 66; seed++) {
        struct rng r = rng_seeded((uint64_t)seed * 1000);
        struct apply_shape s = { random_int(&r, 1, 3), random_int(&r, 1, 9), 1 + seed % 33, random_int(&r, 1, 70), false };
        case_agrees(&s, (uint64_t)seed);
    }
}

static void plain_cases_agree(void **state)
{
    (void)state;
    for (int seed = 1; seed <= 33; seed++) {
        struct rng r = rng_seeded((uint64_t)seed * 2000);
        struct apply_shape s = { random_int(&r, 1, 3), random_int(&r, 1, 5), 1 + seed % 33, random_int(&r, 1, 70), true };
        case_agrees(&s, (uint64_t)seed);
    }
}

static void cases_of_many_pieces_agree(void **state)
{
    (void)state;
    static const struct apply_shape shapes[] = {
        { 1, 67, 53, 48, false }, { 2, 31, 33, 90, false }, { 1, 9, 11, 720, false }, { 1, 6, 7, 2048, false },
        { 1, 70, 41, 64, true },
    };
    for (size_t i = 0; i < LEN(shapes); i++)
        for (uint64_t seed = 1; seed <= 2; seed++)
            case_agrees(&shapes[i], seed * 10 + i);
}

/* The wrong twin: what was computed with corners aligned must not pass for half-pixel centres, nor the reverse. */
static void the_other_bilinear_mode_is_caught(void **state)
{
    (void)state;
    static const enum fused_resize other[] = { FUSED_SAME, FUSED_HALF_PIXEL, FUSED_CORNERS };
    int caught = 0, resized = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct apply_shape s = { 1, 6, 9, 16, false };
        struct apply_case *a = case_new(&s, seed);
        struct fused_term *t = &a->op.term[0];
        if (a->op.dst.data && t->resize != FUSED_SAME && t->src.h > 1 && t->src.h != 6) {
            case_run(a, cpu_isa_best(), 1);
            t->resize = other[t->resize];
            caught += case_misses(a) > 0;
            resized++;
        }
        case_free(a);
    }
    assert_true(resized > 2);
    assert_int_equal(caught, resized);
}

/* Each image of a batch alone gives the bits that it has in the batch. */
static void a_batch_equals_its_images(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct apply_shape s = { 3, 37, 29, 48, seed % 4 == 0 };
        struct apply_case *a = case_new(&s, seed);
        a->op.dst = a->dst.view;
        a->op.pool.data = NULL;
        case_run(a, cpu_isa_best(), 2);
        struct tensor alone = tensor_new(a->dst.view.type, 1, s.h, s.w, s.c_real, a->dst.view.stride - a->dst.view.c);
        float mean[48], norm[4 * 48];
        size_t size = (size_t)s.h * (size_t)s.w;
        for (int image = 0; image < 3; image++) {
            struct fused_apply one = a->op;
            one.n = 1;
            one.dst = alone.view;
            one.point = one.dot = NULL;
            for (int i = 0; i < one.terms; i++) {
                struct fused_view *v = &one.term[i].src;
                size_t pixels = (size_t)v->h * (size_t)v->w * (size_t)image;
                v->n = 1;
                v->data = (char *)v->data + pixels * (size_t)v->stride * type_size(v->type);
                one.term[i].scale = one.term[i].scale ? one.term[i].scale + 48 * image : NULL;
                one.term[i].shift = one.term[i].shift ? one.term[i].shift + 48 * image : NULL;
                one.term[i].pixel = one.term[i].pixel ? one.term[i].pixel + pixels : NULL;
            }
            struct fused_norm to = { a->gamma, a->beta, norm, norm + 48, norm + 96, norm + 144 };
            one.norm = one.norm ? &to : NULL;
            one.channel_mean = one.channel_mean ? mean : NULL;
            fused_kernels(cpu_isa_best())->apply(&one, a->scratch);
            size_t bytes = size * (size_t)alone.view.stride * type_size(alone.view.type);
            assert_memory_equal(alone.view.data, (char *)a->dst.view.data + bytes * (size_t)image,
                                bytes - (size_t)(alone.view.stride - 48) * type_size(alone.view.type));
            if (one.channel_mean)
                assert_memory_equal(mean, a->mean + 48 * image, sizeof mean);
            for (int what = 0; one.norm && what < 4; what++)
                assert_memory_equal(norm + 48 * what, a->norm_out + 144 * what + 48 * image, sizeof mean);
        }
        tensor_free(&alone);
        case_free(a);
    }
}

static void in_place_gives_the_same_bits(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++)
        for (uint64_t seed = 1; seed <= 30; seed++) {
            struct apply_shape s = { 2, 5, 13, 40, seed % 2 == 0 };
            struct apply_case *a = case_new(&s, seed);
            struct fused_view *src = &a->op.term[0].src;
            if (a->op.term[0].resize == FUSED_SAME && src->type == a->dst.view.type) {
                a->op.dst = a->dst.view;
                case_run(a, (enum cpu_isa)isa, 1);
                a->op.dst = *src;
                case_run(a, (enum cpu_isa)isa, 2);
                for (size_t p = 0; p < view_pixels(src); p++)
                    for (int k = 0; k < src->c; k++)
                        assert_true(view_get(src, p, k) == view_get(&a->dst.view, p, k));
            }
            case_free(a);
        }
}

/* Every pattern of bits that matters to rounding: exact ties above even and odd, their neighbours, the step to
 * infinity. Numbers below the normal range are left out: hardware may flush them. */
static void storage_rounds_to_nearest_even(void **state)
{
    (void)state;
    static const uint32_t low[] = { 0x0000, 0x7fff, 0x8000, 0x8001, 0xffff, 0x1234 };
    struct rng r = rng_seeded(11);
    struct tensor src = tensor_new(FUSED_F32, 1, 3, 33, 32, 0), dst = tensor_new(FUSED_BF16, 1, 3, 33, 32, 0);
    for (size_t p = 0; p < view_pixels(&src.view); p++)
        for (int k = 0; k < 32; k++) {
            uint32_t high = p == 0 ? 0x7f7fu : (uint32_t)random_int(&r, 0x0080, 0x7f7f);
            uint32_t bits = (high | (uint32_t)(k % 2) << 15) << 16 | low[p % LEN(low)];
            float x;
            memcpy(&x, &bits, sizeof x);
            view_set(&src.view, p, k, x);
        }
    struct fused_apply op = { .term = { { .src = src.view } }, .terms = 1, .n = 1, .h = 3, .w = 33, .c = 32,
                              .c_real = 32, .dst = dst.view };
    void *scratch = scratch_new(fused_apply_scratch(&op));
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
        fused_kernels((enum cpu_isa)isa)->apply(&op, scratch);
        for (size_t p = 0; p < view_pixels(&src.view); p++)
            for (int k = 0; k < 32; k++)
                assert_int_equal(((bf16 *)dst.view.data)[p * 32 + (size_t)k],
                                 bf16_of_f32(((float *)src.view.data)[p * 32 + (size_t)k]));
    }
    free(scratch);
    tensor_free(&src), tensor_free(&dst);
}

/* A term in the order of a transposed convolution's product equals the scattered tensor as an ordinary term. */
static void wide_equals_scatter(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++)
        for (int w = 1; w <= 17; w++) {
            struct rng r = rng_seeded((uint64_t)w);
            enum fused_type type = random_type(&r);
            int n = 1 + w % 3, h = 1 + w % 5;
            struct tensor wide = tensor_new(type, n, h, w, 4 * 32, 16), dst[2], scattered, other;
            scattered = tensor_new(type, n, 2 * h, 2 * w, 32, 0);
            other = tensor_new(type, n, 2 * h, 2 * w, 32, 0);
            tensor_fill(&wide, &r, 0, 1);
            tensor_fill(&other, &r, 0, 1);
            float *scale = coefficients_new(n, 32, &r, 1, 0.2), *shift = coefficients_new(n, 32, &r, 0, 0.2);
            struct fused_scatter scatter = { wide.view, scattered.view, NULL, false };
            fused_kernels((enum cpu_isa)isa)->scatter(&scatter, NULL);
            float out[2][3 * 32];
            for (int way = 0; way < 2; way++) {
                dst[way] = tensor_new(type, n, 2 * h, 2 * w, 32, 0);
                struct fused_apply op = { .terms = 2, .n = n, .h = 2 * h, .w = 2 * w, .c = 32, .c_real = 32,
                                          .act = FUSED_RELU, .dst = dst[way].view, .channel_mean = out[way] };
                int first = w % 2; /* the wide term in front or behind */
                op.term[!first] = (struct fused_term){ .src = other.view };
                op.term[first] = (struct fused_term){ .src = way ? wide.view : scattered.view, .scale = scale,
                                                      .shift = shift, .relu = w % 3 == 0,
                                                      .resize = way ? FUSED_WIDE : FUSED_SAME };
                void *scratch = scratch_new(fused_apply_scratch(&op));
                fused_kernels((enum cpu_isa)isa)->apply(&op, scratch);
                free(scratch);
            }
            assert_memory_equal(dst[0].buffer, dst[1].buffer, dst[0].bytes);
            assert_memory_equal(out[0], out[1], (size_t)(n * 32) * sizeof(float));
            free(scale), free(shift);
            tensor_free(&wide), tensor_free(&scattered), tensor_free(&other), tensor_free(&dst[0]), tensor_free(&dst[1]);
        }
}

/* A NaN stays in its pixel of dst and reaches its mean and its pooled pixel; ReLU does not hide it. */
static void nan_and_infinity_propagate(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++)
        for (int type = FUSED_F32; type <= FUSED_BF16; type++)
            for (int corner = 0; corner < 4; corner++) {
                struct rng r = rng_seeded(1);
                struct tensor src = tensor_new((enum fused_type)type, 1, 4, 6, 32, 0);
                struct tensor dst = tensor_new((enum fused_type)type, 1, 4, 6, 32, 0);
                struct tensor pool = tensor_new((enum fused_type)type, 1, 2, 3, 32, 0);
                float mean[32], point[2 * 24], dot[24], weight[32] = { 1 };
                tensor_fill(&src, &r, 0, 1);
                size_t pixel = (size_t)(2 + corner / 2) * 6 + 2 + (size_t)(corner % 2);
                view_set(&src.view, pixel, 5, NAN);
                view_set(&src.view, 0, 20, INFINITY);
                struct fused_apply op = { .term = { { .src = src.view, .relu = true } }, .terms = 1, .n = 1, .h = 4,
                                          .w = 6, .c = 32, .c_real = 32, .act = FUSED_RELU, .dst = dst.view,
                                          .pool = pool.view, .channel_mean = mean, .point = point,
                                          .dot_weight = weight, .dot = dot };
                void *scratch = scratch_new(fused_apply_scratch(&op));
                fused_kernels((enum cpu_isa)isa)->apply(&op, scratch);
                for (size_t p = 0; p < 24; p++)
                    for (int k = 0; k < 32; k++)
                        assert_true(!isnan(view_get(&dst.view, p, k)) == !(p == pixel && k == 5));
                assert_true(isinf(view_get(&dst.view, 0, 20)) && isinf(view_get(&pool.view, 0, 20)));
                assert_true(isnan(view_get(&pool.view, 4, 5)) && isnan(mean[5]) && isnan(point[2 * pixel]));
                assert_true(isnan(dot[pixel]) && !isnan(dot[5]) && isinf(mean[20]) && !isnan(mean[6]));
                free(scratch);
                tensor_free(&src), tensor_free(&dst), tensor_free(&pool);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_cases_agree),
        cmocka_unit_test(plain_cases_agree),
        cmocka_unit_test(cases_of_many_pieces_agree),
        cmocka_unit_test(the_other_bilinear_mode_is_caught),
        cmocka_unit_test(a_batch_equals_its_images),
        cmocka_unit_test(in_place_gives_the_same_bits),
        cmocka_unit_test(storage_rounds_to_nearest_even),
        cmocka_unit_test(wide_equals_scatter),
        cmocka_unit_test(nan_and_infinity_propagate),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
