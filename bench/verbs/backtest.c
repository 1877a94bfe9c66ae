#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/nightly/alpha.h"
#include "bench/nightly/device_table.h"
#include "bench/nightly/past.h"
#include "bench/output/backtest_table.h"
#include "bench/verbs/files.h"
#include "bench/verbs/verbs.h"
#include "kernels/base/json.h"
#include "kernels/base/rng.h"

enum { SHUFFLES = 1000, PRESET_SEED = 1 };

struct chance {
    struct rng rng;
    const struct invocation *inv;
    size_t told;                     /* percent that was told last */
};

static double uniform(void *context)
{
    return rng_uniform(&((struct chance *)context)->rng);
}

static bool go_on(void *context, size_t done, size_t total)
{
    struct chance *chance = context;
    size_t percent = 100 * done / total / 10 * 10;
    if (percent > chance->told && !chance->inv->config->quiet)
        fprintf(stderr, "backtest: %zu %% of %zu histories\n", percent, total);
    chance->told = percent;
    return !*chance->inv->stop;
}

/* A confirmation differs from its night by the error within it; unknown: by nothing. */
static void settle_errors(struct device_table *d)
{
    for (size_t i = 0; i < d->series_count * d->nights; i++)
        d->error[i] = isnan(d->error[i]) ? 0 : d->error[i];
}

/* The series of the device and group of a row. *alpha: raised to what their shuffled histories say. */
static enum status test_group(json_t *all, double *alpha, const struct past *past, const struct night_row *of,
                              struct chance *chance, struct err *err)
{
    const struct judge_ask ask = { .earlier = past->rows,
                                   .earlier_count = past->row_count,
                                   .accepts = past->accepts,
                                   .accept_count = past->accept_count,
                                   .runs = past->runs,
                                   .run_count = past->run_count };
    struct backtest_answer answer;
    struct device_table d;
    bool enough = device_table_make(&d, of->device, of->group_name, NULL, 0, &ask);
    if (enough) {
        const struct night_ask nights = device_table_ask(&d);
        settle_errors(&d);
        enough = backtest(&answer, &(struct backtest_ask){ .nights = &nights,
                                                           .error = d.error,
                                                           .shuffles = SHUFFLES,
                                                           .uniform = uniform,
                                                           .go_on = go_on,
                                                           .context = chance });
    }
    const struct backtest_view view = { of->device, of->group_name, d.series_count, d.nights, &answer };
    if (enough && answer.enough)
        *alpha = fmax(isnan(*alpha) ? 0 : *alpha, answer.shuffled.alpha);
    if (enough && all)
        enough = json_array_append_new(all, backtest_table_json(&view)) == 0;
    else if (enough)
        backtest_table_write(stdout, &view);
    device_table_free(&d);
    return enough ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the backtest");
}

static bool is_first_of_group(const struct past *past, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(past->rows[i].device, past->rows[at].device) == 0 &&
            strcmp(past->rows[i].group_name, past->rows[at].group_name) == 0)
            return false;
    return true;
}

/* Into the groups of the newest night, which are those that a night judges by. */
static void regroup(struct past *past)
{
    size_t last = past->row_count;
    while (last > 0 && past->rows[last - 1].run == past->rows[past->row_count - 1].run)
        last--;
    judge_regroup(past->rows, last, past->rows + last, past->row_count - last);
}

static enum status test_all(json_t *all, double *alpha, const struct past *past, const struct invocation *inv,
                            struct err *err)
{
    struct chance chance = { .rng = rng_seeded(inv->config->seed_set ? inv->config->seed : PRESET_SEED),
                             .inv = inv };
    enum status st = ST_OK;
    for (size_t i = 0; i < past->row_count && st == ST_OK; i++)
        if (is_first_of_group(past, i))
            st = test_group(all, alpha, past, &past->rows[i], &chance, err);
    return st;
}

static enum status print_json(json_t *all, struct err *err)
{
    json_t *document = json_pack("{s:i, s:O}", "schema", 1, "devices", all);
    char *text = document ? json_write_text(document, JSON_INDENTED) : NULL;
    json_decref(document);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the backtest");
    fputs(text, stdout);
    free(text);
    return ST_OK;
}

/* Later nights count with it. Where the store cannot be written to just now, the published value holds on. */
static void keep(double alpha, const struct invocation *inv)
{
    struct store *store = NULL;
    struct err err = { .status = ST_OK };
    enum status st = files_open_store(&store, inv->config->out, STORE_WRITE, &err);
    if (st == ST_OK)
        st = alpha_keep(store, alpha, inv->argv_text, &err);
    store_close(store);
    if (st != ST_OK)
        fprintf(stderr, "note: the nights to come do not count with this: %s\n", err.text);
}

enum status verb_backtest(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    struct past past = { 0 };
    double alpha = NAN;
    json_t *all = inv->config->json ? json_array() : NULL;
    enum status st = files_open_store(&store, inv->config->out, STORE_READ, err);
    if (st == ST_OK)
        st = past_load(&past, store, err);
    if (st == ST_OK)
        regroup(&past);
    if (st == ST_OK)
        st = test_all(all, &alpha, &past, inv, err);
    if (st == ST_OK && all)
        st = print_json(all, err);
    json_decref(all);
    past_free(&past);
    store_close(store);
    if (st == ST_OK && !isnan(alpha) && !*inv->stop)
        keep(alpha, inv);
    return st;
}
