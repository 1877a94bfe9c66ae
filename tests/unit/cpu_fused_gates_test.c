/* Attention made of maps: SimAM, triplet, spatial gate and squeeze-excite against the reference in double. */
#include "tests/unit/cpu_fused_help.h"

#include "kernels/reference/reference.h"

struct survey_case {
    struct fused_survey op;
    struct tensor src, dst;
    float *scale, *shift, *center, *rate, *pixel, *row, *column, *point;
    size_t scratch_bytes;
    void *scratch;
};

static struct survey_case survey_new(enum fused_type type, int n, int h, int w, int c_real, uint64_t seed)
{
    struct rng r = rng_seeded(seed);
    struct survey_case s = { .src = tensor_new(type, n, h, w, c_real, 16 * random_int(&r, 0, 2)),
                             .dst = tensor_new(type, n, h, w, c_real, 16 * random_int(&r, 0, 2)) };
    tensor_fill(&s.src, &r, seed % 2 ? 0.3 : -3, 1.5); /* negative: the zeros of padding are no maximum */
    if (random_bool(&r)) {
        s.scale = coefficients_new(n, c_real, &r, 1, 0.2);
        s.shift = coefficients_new(n, c_real, &r, 0.1, 0.3);
    }
    if (random_int(&r, 0, 2)) {
        s.center = coefficients_new(n, c_real, &r, 0, 0.3);
        s.rate = coefficients_new(n, c_real, &r, 1, 0.2);
    }
    size_t pixels = view_pixels(&s.src.view);
    s.pixel = random_bool(&r) ? floats_new(pixels, &r, 0.6, 0.1) : NULL;
    s.row = aligned_new(2 * (size_t)(n * h) * sizeof(float));
    s.column = aligned_new(2 * (size_t)(n * w) * sizeof(float));
    s.point = aligned_new(2 * pixels * sizeof(float));
    s.op = (struct fused_survey){ .src = s.src.view, .c_real = c_real, .scale = s.scale, .shift = s.shift,
                                  .center = s.center, .rate = s.rate, .pixel = s.pixel, .dst = s.dst.view,
                                  .stream = random_bool(&r), .row = s.row, .column = s.column, .point = s.point };
    if (seed % 5 == 0)
        s.op.dst.data = NULL;
    if (seed % 7 == 0)
        s.op.row = s.op.column = NULL;
    s.scratch_bytes = fused_survey_scratch(&s.op);
    s.scratch = scratch_new(s.scratch_bytes);
    return s;
}

static void survey_free(struct survey_case *s)
{
    tensor_free(&s->src), tensor_free(&s->dst);
    free(s->scale), free(s->shift), free(s->center), free(s->rate), free(s->pixel);
    free(s->row), free(s->column), free(s->point), free(s->scratch);
}

/* v of the header's first line, (n, h, w, c_real) */
static double *survey_values(const struct survey_case *s)
{
    int c = s->op.c_real;
    const struct fused_view *v = &s->src.view;
    double *x = view_doubles(v, c);
    for (size_t p = 0; p < view_pixels(v); p++)
        for (int k = 0; k < c; k++) {
            size_t co = p / ((size_t)v->h * (size_t)v->w) * (size_t)v->c + (size_t)k, at = p * (size_t)c + (size_t)k;
            double u = s->scale ? (double)s->scale[co] * x[at] + (double)s->shift[co] : x[at];
            if (s->center)
                u /= 1 + exp(-((double)s->center[co] - u) * (double)s->rate[co]);
            x[at] = u * (s->pixel ? (double)s->pixel[p] : 1);
        }
    return x;
}

/* Pairs that differ from mean and maximum over channels of the means of `count` values, `step` pixels apart. */
static size_t pair_misses(const float pair[2], const double *v, int c, int count, size_t step)
{
    double sum = 0, max = -INFINITY;
    for (int k = 0; k < c; k++) {
        double mean = 0;
        for (int i = 0; i < count; i++)
            mean += v[(size_t)i * step * (size_t)c + (size_t)k] / count;
        sum += mean;
        max = fmax(max, mean);
    }
    return !near((double)pair[0], sum / c, FUSED_F32, 2e-5) + !near((double)pair[1], max, FUSED_F32, 2e-5);
}

static size_t survey_misses(const struct survey_case *s)
{
    const struct fused_view *view = &s->src.view;
    int c = s->op.c_real, h = view->h, w = view->w;
    size_t misses = 0;
    double *v = survey_values(s);
    if (s->op.dst.data)
        misses += view_misses(&s->op.dst, v, c, 2e-5);
    for (int i = 0; i < view->n; i++) {
        const double *image = v + (size_t)i * (size_t)h * (size_t)w * (size_t)c;
        for (int y = 0; s->op.row && y < h; y++)
            misses += pair_misses(s->row + 2 * (i * h + y), image + (size_t)(y * w) * (size_t)c, c, w, 1);
        for (int x = 0; s->op.column && x < w; x++)
            misses += pair_misses(s->column + 2 * (i * w + x), image + (size_t)x * (size_t)c, c, h, (size_t)w);
        for (int p = 0; p < h * w; p++)
            misses += pair_misses(s->point + 2 * (i * h * w + p), image + (size_t)p * (size_t)c, c, 1, 1);
    }
    free(v);
    return misses + tensor_guard_misses(&s->dst) + tensor_guard_misses(&s->src) +
           scratch_misses(s->scratch, s->scratch_bytes);
}

static uint64_t survey_hash(const struct survey_case *s)
{
    const struct fused_view *v = &s->src.view;
    uint64_t hash = fnv1a64_bytes(FNV1A64_START, s->dst.buffer, s->dst.bytes);
    if (s->op.row)
        hash = fnv1a64_bytes(hash, s->row, 2 * (size_t)(v->n * v->h) * sizeof(float));
    if (s->op.column)
        hash = fnv1a64_bytes(hash, s->column, 2 * (size_t)(v->n * v->w) * sizeof(float));
    return fnv1a64_bytes(hash, s->point, 2 * view_pixels(v) * sizeof(float));
}

static void survey_agrees_at(enum fused_type type, int n, int h, int w, int c_real, uint64_t seed)
{
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
        struct survey_case s = survey_new(type, n, h, w, c_real, seed);
        uint64_t hash = 0;
        for (int threads = 1; threads <= 3; threads++) {
            omp_set_num_threads(threads);
            fused_kernels((enum cpu_isa)isa)->survey(&s.op, s.scratch);
            hash = threads == 1 ? survey_hash(&s) : hash;
            assert_true(survey_hash(&s) == hash);
        }
        size_t misses = survey_misses(&s);
        if (misses)
            fail_msg("%d: %dx%dx%dx%d: %zu misses with %s", (int)seed, n, h, w, c_real, misses,
                     cpu_isa_name((enum cpu_isa)isa));
        survey_free(&s);
    }
}

static void survey_agrees(void **state)
{
    (void)state;
    for (int w = 1; w <= 33; w++)
        survey_agrees_at(w % 2 ? FUSED_BF16 : FUSED_F32, 1 + w % 3, 1 + w % 9, w, 1 + 2 * w, (uint64_t)w);
    survey_agrees_at(FUSED_BF16, 2, 61, 43, 64, 101);
    survey_agrees_at(FUSED_F32, 1, 35, 33, 128, 102);
    survey_agrees_at(FUSED_BF16, 1, 9, 7, 1024, 103);
}

/* Rows are not columns: on an image that is not square and not symmetric the exchanged descriptors must be caught. */
static void exchanged_descriptors_are_caught(void **state)
{
    (void)state;
    struct survey_case s = survey_new(FUSED_F32, 1, 12, 12, 24, 1);
    fused_kernels(cpu_isa_best())->survey(&s.op, s.scratch);
    assert_int_equal(survey_misses(&s), 0);
    float *row = s.row;
    s.row = s.column;
    s.column = row;
    assert_true(survey_misses(&s) > 20);
    survey_free(&s);
}

static void survey_of_a_batch_equals_its_images(void **state)
{
    (void)state;
    struct survey_case s = survey_new(FUSED_BF16, 3, 39, 31, 48, 3);
    size_t pixels = 39 * 31;
    float row[2 * 39], column[2 * 31], point[2 * 39 * 31];
    fused_kernels(cpu_isa_best())->survey(&s.op, s.scratch);
    for (int i = 0; i < 3; i++) {
        struct fused_survey one = s.op;
        one.src.n = 1;
        one.src.data = (bf16 *)one.src.data + (size_t)i * pixels * (size_t)one.src.stride;
        one.scale = s.scale ? s.scale + 48 * i : NULL;
        one.shift = s.shift ? s.shift + 48 * i : NULL;
        one.center = s.center ? s.center + 48 * i : NULL;
        one.rate = s.rate ? s.rate + 48 * i : NULL;
        one.pixel = s.pixel ? s.pixel + (size_t)i * pixels : NULL;
        one.dst.data = NULL;
        one.row = row, one.column = column, one.point = point;
        fused_kernels(cpu_isa_best())->survey(&one, s.scratch);
        assert_memory_equal(row, s.row + 2 * 39 * i, sizeof row);
        assert_memory_equal(column, s.column + 2 * 31 * i, sizeof column);
        assert_memory_equal(point, s.point + 2 * pixels * (size_t)i, sizeof point);
    }
    survey_free(&s);
}

/* SimAM of a tensor, and of its norm, by stats and survey together. */
static void simam_agrees(void **state)
{
    (void)state;
    struct ref_shape shape = { 2, 11, 9, 24 };
    size_t count = 2 * 11 * 9 * 24;
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++)
        for (int affine = 0; affine < 2; affine++) {
            struct rng r = rng_seeded((uint64_t)(isa + 1));
            struct tensor src = tensor_new(FUSED_F32, 2, 11, 9, 24, 0), dst = tensor_new(FUSED_F32, 2, 11, 9, 24, 0);
            tensor_fill(&src, &r, 2, 1);
            float *gamma = coefficients_new(1, 24, &r, 1, 0.2), *beta = coefficients_new(1, 24, &r, 0, 0.3);
            float out[4][2 * 32], point[2 * 2 * 99];
            struct fused_stats stats = { .src = src.view, .norm = { affine ? gamma : NULL, affine ? beta : NULL, out[0],
                                                                    out[1], out[2], out[3] } };
            struct fused_survey survey = { .src = src.view, .c_real = 24, .scale = affine ? out[0] : NULL,
                                           .shift = affine ? out[1] : NULL, .center = out[2], .rate = out[3],
                                           .dst = dst.view, .point = point };
            void *scratch = scratch_new(fused_stats_scratch(&stats) + fused_survey_scratch(&survey));
            fused_kernels((enum cpu_isa)isa)->stats(&stats, scratch);
            fused_kernels((enum cpu_isa)isa)->survey(&survey, scratch);
            double *x = view_doubles(&src.view, 24), *u = aligned_new(count * sizeof *u);
            double *want = aligned_new(count * sizeof *want);
            reference_norm(u, x, shape, gamma, beta);
            reference_simam(want, affine ? u : x, shape);
            assert_int_equal(view_misses(&dst.view, want, 24, 2e-5), 0);
            free(gamma), free(beta), free(scratch), free(x), free(u), free(want);
            tensor_free(&src), tensor_free(&dst);
        }
}

/* x and its descriptors, for the maps below */
struct described { struct survey_case s; double *x; struct ref_shape shape; };

static struct described described_new(int n, int h, int w, int c_real, uint64_t seed)
{
    struct described d = { .s = survey_new(FUSED_F32, n, h, w, c_real, seed), .shape = { n, h, w, c_real } };
    struct fused_survey op = { .src = d.s.src.view, .c_real = c_real, .row = d.s.row, .column = d.s.column,
                               .point = d.s.point };
    d.x = view_doubles(&d.s.src.view, c_real);
    free(d.s.scratch);
    d.s.scratch = scratch_new(fused_survey_scratch(&op));
    fused_kernels(CPU_PLAIN)->survey(&op, d.s.scratch);
    return d;
}

static void described_free(struct described *d)
{
    survey_free(&d->s);
    free(d->x);
}

/* x times a factor per pixel that differs from want */
static size_t product_misses(const struct described *d, const float *factor, const double *want)
{
    size_t misses = 0, c = (size_t)d->shape.c;
    for (size_t i = 0; i < view_pixels(&d->s.src.view) * c; i++)
        misses += !near(d->x[i] * (double)factor[i / c], want[i], FUSED_F32, 2e-5);
    return misses;
}

static size_t triplet_misses(int n, int h, int w, enum cpu_isa isa, bool exchange)
{
    struct described d = described_new(n, h, w, 20, (uint64_t)(h * 40 + w));
    struct rng r = rng_seeded(9);
    float *ch = floats_new(14, &r, 0, 0.7), *cw = floats_new(14, &r, 0, 0.7), *hw = floats_new(98, &r, 0, 0.2);
    size_t pixels = view_pixels(&d.s.src.view), misses = 0;
    float *prior = floats_new(pixels, &r, 0.5, 0.1), *factor = aligned_new(pixels * sizeof *factor);
    struct fused_triplet op = { .n = n, .h = h, .w = w, .row = d.s.row, .column = d.s.column, .point = d.s.point,
                                .row_weight = { ch[3], ch[10] }, .column_weight = { cw[3], cw[10] },
                                .point_weight = hw, .factor = factor };
    if (exchange) {              /* the wrong twin: mean and maximum of the row descriptor change places */
        op.row_weight[0] = ch[10];
        op.row_weight[1] = ch[3];
    }
    double *want = aligned_new(pixels * 20 * sizeof *want);
    reference_triplet(want, d.x, d.shape, ch, cw, hw);
    size_t bytes = fused_triplet_scratch(&op);
    void *scratch = scratch_new(bytes);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        fused_kernels(isa)->triplet(&op, scratch);
        misses += product_misses(&d, factor, want);
    }
    op.prior = op.factor = prior; /* in place: what stands there is multiplied in, once */
    float *before = aligned_new(pixels * sizeof *before);
    memcpy(before, prior, pixels * sizeof *before);
    fused_kernels(isa)->triplet(&op, scratch);
    for (size_t i = 0; i < pixels; i++)
        misses += !near((double)prior[i], (double)before[i] * (double)factor[i], FUSED_F32, 1e-6);
    misses += scratch_misses(scratch, bytes);
    free(ch), free(cw), free(hw), free(prior), free(factor), free(before), free(want), free(scratch);
    described_free(&d);
    return misses;
}

static void triplet_agrees(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
        for (int w = 1; w <= 33; w++)
            assert_int_equal(triplet_misses(1 + w % 3, 1 + w % 8, w, (enum cpu_isa)isa, false), 0);
        assert_int_equal(triplet_misses(2, 53, 67, (enum cpu_isa)isa, false), 0);
    }
    assert_true(triplet_misses(1, 9, 14, cpu_isa_best(), true) > 100);
}

/* The gate of x * point_factor * prior, times prior, must be what the reference makes of that product. */
static size_t gate_misses(int n, int h, int w, enum cpu_isa isa, bool exchange)
{
    struct described d = described_new(n, h, w, 20, (uint64_t)(h * 50 + w));
    struct rng r = rng_seeded((uint64_t)(w + 1));
    size_t pixels = view_pixels(&d.s.src.view), misses = 0;
    float *weight = floats_new(98, &r, 0, 0.2), *twin = floats_new(98, &r, 0, 0.2);
    float *second = w % 3 ? floats_new(pixels, &r, 0.5, 0.05) : NULL;
    float *prior = floats_new(pixels, &r, 0.5, 0.1), *factor = aligned_new(pixels * sizeof *factor);
    for (int i = 0; i < 98; i++)
        twin[i] = weight[(i + 49) % 98];
    struct fused_gate op = { .n = n, .h = h, .w = w, .point = d.s.point, .point_factor = second, .prior = prior,
                             .weight = exchange ? twin : weight, .factor = factor };
    size_t bytes = fused_gate_scratch(&op);
    void *scratch = scratch_new(bytes);
    double *x = aligned_new(pixels * 20 * sizeof *x), *want = aligned_new(pixels * 20 * sizeof *want);
    for (size_t i = 0; i < pixels * 20; i++)
        x[i] = d.x[i] * (double)prior[i / 20] * (second ? (double)second[i / 20] : 1);
    reference_spatial_gate(want, x, d.shape, weight);
    for (size_t i = 0; i < pixels * 20; i++)
        want[i] /= second ? (double)second[i / 20] : 1;
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        fused_kernels(isa)->gate(&op, scratch);
        misses += product_misses(&d, factor, want);
    }
    op.factor = prior;
    fused_kernels(isa)->gate(&op, scratch);
    misses += memcmp(prior, factor, pixels * sizeof *factor) != 0;
    misses += scratch_misses(scratch, bytes);
    free(weight), free(twin), free(second), free(prior), free(factor), free(scratch), free(x), free(want);
    described_free(&d);
    return misses;
}

static void gate_agrees(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
        for (int w = 1; w <= 33; w++)
            assert_int_equal(gate_misses(1 + w % 3, 1 + w % 8, w, (enum cpu_isa)isa, false), 0);
        assert_int_equal(gate_misses(2, 47, 71, (enum cpu_isa)isa, false), 0);
    }
    assert_true(gate_misses(1, 9, 14, cpu_isa_best(), true) > 100);
}

static size_t se_misses(int n, int c_real, int hidden, enum cpu_isa isa)
{
    struct rng r = rng_seeded((uint64_t)(c_real + hidden));
    int c = up16(c_real);
    float *mean = coefficients_new(n, c_real, &r, 0.3, 1), *w1 = coefficients_new(hidden, c_real, &r, 0, 0.2);
    float *w2 = floats_new((size_t)c * (size_t)hidden, &r, 0, 0.4), *factor = aligned_new((size_t)(n * c) * sizeof(float));
    float *packed = aligned_new((size_t)(hidden * c_real) * sizeof *packed); /* w1 without its padding */
    double *x = aligned_new((size_t)(n * c_real) * sizeof *x), *want = aligned_new((size_t)(n * c_real) * sizeof *want);
    for (int i = 0; i < hidden * c_real; i++)
        packed[i] = w1[i / c_real * c + i % c_real];
    for (int i = 0; i < n * c_real; i++)
        x[i] = (double)mean[i / c_real * c + i % c_real];
    /* on one pixel the mean is the pixel itself, and the product is x * factor */
    reference_se(want, x, (struct ref_shape){ n, 1, 1, c_real }, hidden, packed, w2);
    struct fused_se op = { n, c, hidden, mean, w1, w2, factor };
    size_t bytes = fused_se_scratch(&op), misses = 0;
    void *scratch = scratch_new(bytes);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        fused_kernels(isa)->se(&op, scratch);
        for (int i = 0; i < n * c_real; i++)
            misses += !near(x[i] * (double)factor[i / c_real * c + i % c_real], want[i], FUSED_F32, 2e-5);
    }
    misses += scratch_misses(scratch, bytes);
    free(mean), free(w1), free(w2), free(factor), free(packed), free(x), free(want), free(scratch);
    return misses;
}

static void se_agrees(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
        assert_int_equal(se_misses(1, 48, 8, (enum cpu_isa)isa), 0);
        assert_int_equal(se_misses(3, 20, 12, (enum cpu_isa)isa), 0);
        assert_int_equal(se_misses(2, 192, 17, (enum cpu_isa)isa), 0);
        assert_int_equal(se_misses(2, 1024, 64, (enum cpu_isa)isa), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survey_agrees),       cmocka_unit_test(exchanged_descriptors_are_caught),
        cmocka_unit_test(simam_agrees),        cmocka_unit_test(survey_of_a_batch_equals_its_images),
        cmocka_unit_test(triplet_agrees),      cmocka_unit_test(gate_agrees),
        cmocka_unit_test(se_agrees),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
