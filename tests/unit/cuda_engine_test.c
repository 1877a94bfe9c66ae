/* The CUDA engine against the reference on small relatives of the three networks, on fakes of CUDA's libraries whose
 * kernels are the real ones run on the CPU: all kinds of arithmetic, levels of the norm, batches, graph and stream. */
#include "tests/unit/cuda_engine_help.h"
#include "tests/unit/small_networks.h"

static const struct row {
    const struct model_config *config;
    int h, w;
    const char *until;
} rows[] = {
    { &small_hrnet, 36, 36, "" },
    { &small_hrnet, 36, 36, "layer1" },
    { &small_resunet, 16, 24, "" },
    { &small_resunet, 21, 19, "" }, /* odd: half-pixel repairs */
    { &small_advanced, 32, 16, "" },
};

/* Largest deviations of correct engines: f32 as the CPU's; the others by their roundings (2^-11, 2^-11, 2^-8) through
 * the damped networks. */
static const struct { enum gpu_math math; double limit; } kinds[] = {
    { GPU_F32, 1e-4 }, { GPU_TF32, 0.03 }, { GPU_F16, 0.03 }, { GPU_BF16, 0.15 },
};

static void check_row(const struct row *r, enum gpu_math math, int level, double limit)
{
    struct source s = source_of_model(r->config, r->h, r->w, r->until);
    double d = deviation_of(&s, (struct how){ .math = math, .level = level, .batch = 1 });
    if (!(d < limit))
        print_message("%s %dx%d %s, %s at level %d: %g\n", r->config->name, r->h, r->w, r->until, gpu_math_name(math), level,
                 d);
    source_free(&s);
}

static void networks_agree_in_f32(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++)
        check_row(&rows[i], GPU_F32, TUNE_F0, kinds[0].limit);
}

static void networks_agree_at_every_level(void **state)
{
    (void)state;
    for (size_t k = 0; k < LEN(kinds); k++)
        for (int level = TUNE_F0; level < TUNE_LEVELS; level++)
            for (size_t i = 0; i < LEN(rows); i++)
                check_row(&rows[i], kinds[k].math, level, kinds[k].limit);
}

int main(void)
{
    use_fakes();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_agree_in_f32),
        cmocka_unit_test(networks_agree_at_every_level),
    };
    return cmocka_run_group_tests_name("cuda_engine", tests, NULL, NULL);
}
