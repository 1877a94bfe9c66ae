/* What deciding costs from the blocks of a target, as a campaign and a replay do it: for a race of 32 sizes of
 * which none ever leaves (the worst there is), and over and over for campaigns of ordinary size.
 * usage: deciding_speed */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/measure/decision.h"
#include "kernels/base/rng.h"

enum { SIZES_MAX = 32 };

static void must(enum status st)
{
    if (st != ST_OK)
        abort();
}

static double seconds_since(clock_t begin)
{
    return (double)(clock() - begin) / CLOCKS_PER_SEC;
}

static void add_block(struct history *h, enum block_kind kind, int round, int batch, double y)
{
    enum { ITERATIONS = 10 };
    double ns = 1e9 * batch / exp(y);
    const struct block_fact f = { .id = (int64_t)h->count + 1, .execution = 1, .round = round, .batch = batch,
                                  .iterations = ITERATIONS, .kind = kind, .valid = true, .y = y,
                                  .wall_images_per_s = exp(y), .t_iter_ns = ns,
                                  .measured_ns = (uint64_t)(ITERATIONS * ns), .energy_j = NAN };
    must(history_add_block(h, &f, NULL));
}

/* Probes of given sizes, then rounds of all of them, each with a control. */
static void measure(struct history *h, const int *sizes, size_t count, int rounds, double sigma,
                    uint64_t seed)
{
    struct rng r = rng_seeded(seed);
    for (size_t i = 0; i < count; i++) {
        struct prepared_row row = { .execution = 1, .batch = sizes[i] };
        snprintf(row.result, sizeof row.result, "feasible");
        must(history_add_prepared(h, &row, NULL));
        add_block(h, BLOCK_COARSE, 0, sizes[i], log(100.));
    }
    for (int round = 1; round <= rounds; round++) {
        for (size_t i = 0; i < count; i++)
            add_block(h, BLOCK_RACE, round, sizes[i], log(100.) + sigma * rng_normal(&r));
        add_block(h, BLOCK_CONTROL, round, sizes[0], log(100.) + sigma * rng_normal(&r));
    }
}

static size_t decide(const struct history *h, const int *sizes, size_t count)
{
    const struct decision_rules rules = { .within = .05, .alpha = .05, .given = sizes, .given_count = count,
                                          .max_batch = 128, .max_safe_executed = true };
    struct decision *d;
    must(decision_make(&d, &(struct decision_ask){ .rules = &rules, .history = h, .search_over = true,
                                                   .rounds_over = true, .race_over = true }, NULL));
    size_t rounds = d->rounds;
    decision_free(d);
    return rounds;
}

/* One decision at the last look, with everything that lies before it. */
static void time_the_worst(void)
{
    enum { ROUNDS = 40, TIMES = 20 };
    int sizes[SIZES_MAX];
    struct history h = { 0 };
    double least_s = INFINITY;
    size_t rounds = 0;
    for (int i = 0; i < SIZES_MAX; i++)
        sizes[i] = i + 1;
    measure(&h, sizes, SIZES_MAX, ROUNDS, .3, 1);
    for (int i = 0; i < TIMES; i++) {
        clock_t begin = clock();
        rounds = decide(&h, sizes, SIZES_MAX);
        least_s = fmin(least_s, seconds_since(begin));
    }
    printf("%d sizes, %zu rounds, %zu blocks: %.2f ms for the decision at the last of %d looks, %.3f ms per "
           "look\n", SIZES_MAX, rounds, h.count, 1e3 * least_s, RACE_LOOKS_OFTEN, 1e3 * least_s / RACE_LOOKS_OFTEN);
    history_free(&h);
}

static void time_many(void)
{
    enum { CAMPAIGNS = 10000, KINDS = 50, SIZES = 6, ROUNDS = 16 };
    static const int sizes[SIZES] = { 2, 4, 8, 16, 32, 64 };
    struct history h[KINDS] = { { 0 } };
    for (int k = 0; k < KINDS; k++)
        measure(&h[k], sizes, SIZES, ROUNDS, .03, (uint64_t)k);
    clock_t begin = clock();
    for (int i = 0; i < CAMPAIGNS; i++)
        decide(&h[i % KINDS], sizes, SIZES);
    printf("%d campaigns of %d sizes and %d rounds: %.1f s on one processor\n", CAMPAIGNS, SIZES, ROUNDS,
           seconds_since(begin));
    for (int k = 0; k < KINDS; k++)
        history_free(&h[k]);
}

int main(void)
{
    printf("Deciding from stored blocks\n");
    time_the_worst();
    time_many();
    return 0;
}
