/* The rules about a measured model's decision beside its two sizes: what a reader of the limit, the range,
 * the fill table, the break even or the memory would stumble over. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/output/findings.h"
#include "kernels/base/len.h"

/* max_safe follows from medians over rounds, ratio_to_best from paired differences: near the margin they may
 * differ by so much. */
#define OTHER_ESTIMATE 0.02

/* Values are rounded to 6 digits before they are written: a comparison of two may be off by so much. */
#define ROUNDED 1e-5

static bool is_positive(const json_t *from, const char *key)
{
    return json_is_integer(json_object_get(from, key)) && json_integer_value(json_object_get(from, key)) >= 1;
}

static bool is_word(const json_t *value, const char *word)
{
    return json_is_string(value) && strcmp(json_string_value(value), word) == 0;
}

/* --- limit, range, incumbent --- */

static void check_limit(struct checking *c, const char *path, const json_t *model)
{
    char below[FINDING_PATH];
    const json_t *slo = finding_get(model, "method.slo"), *name = json_object_get(slo, "name");
    const double percentile = finding_real(slo, "percentile");
    finding_unless(
        c,
        json_is_null(slo) || ((is_word(name, "service_ms") || is_word(name, "response_ms")) &&
                              percentile > 0 && percentile < 1 && finding_real(slo, "limit_ms") > 0),
        slo, finding_path(below, path, "method.slo"), "schema",
        "null, or service_ms or response_ms with a percentile between 0 and 1 and a limit above 0");
}

/* A verified rate is a range over executions; nothing else is. Where another size than the decision is
 * served, its rate need not be verified. */
static void check_range(struct checking *c, const char *path, const json_t *entry, const json_t *model)
{
    char below[FINDING_PATH];
    const json_t *rate = json_object_get(model, "images_per_s"), *kind = json_object_get(rate, "kind");
    const bool range = is_word(kind, "range"),
               verified = json_is_true(finding_get(model, "decision.verified"));
    const bool served = finding_int(entry, "optimal_batch_size") == finding_int(model, "decision.batch");
    finding_path(below, path, "images_per_s");
    finding_unless(c, range || is_word(kind, "interval95") || json_is_null(kind), kind,
                   finding_path(below, below, "kind"), "schema", "range, interval95 or null");
    finding_unless(c, json_is_null(kind) == json_is_null(json_object_get(rate, "low")), rate, below, "schema",
                   "with low and high, or without a kind");
    finding_unless(c, !verified || !served || range, kind, below, "E11",
                   "range, as the decision is verified");
    finding_unless(c, !range || finding_int(model, "n.executions") >= 2, finding_get(model, "n.executions"),
                   below, "E11", "no range: one execution has none");
}

static void check_incumbent(struct checking *c, const char *path, const json_t *model)
{
    char below[FINDING_PATH];
    const json_t *incumbent = finding_get(model, "decision.incumbent");
    const bool none = json_is_null(json_object_get(incumbent, "batch"));
    finding_unless(c, none == is_word(json_object_get(incumbent, "outcome"), "none") &&
                   (!none || json_is_null(json_object_get(incumbent, "source"))), incumbent,
                   finding_path(below, path, "decision.incumbent"), "schema",
                   "a size with what became of it, or null, null and none");
    const json_t *pending = finding_get(model, "decision.pending");
    finding_unless(c,
                   json_is_null(pending) ||
                       (finding_int(model, "decision.pending") >= 1 &&
                        finding_int(model, "decision.pending") < finding_int(model, "decision.batch")),
                   pending, finding_path(below, path, "decision.pending"), "schema",
                   "null or a size below decision.batch");
}

/* --- max_safe (E3) --- */

/* A service executes it, so it must be a size that ran and lies within X of the best. */
static void check_max_safe(struct checking *c, const char *path, const json_t *entry, const json_t *model)
{
    char below[FINDING_PATH];
    const json_int_t max_safe = finding_int(entry, "max_safe_batch_size");
    const json_t *row = finding_curve_point(model, max_safe);
    const double ratio = finding_real(row, "ratio_to_best.estimate");
    finding_path(below, path, "curve");
    finding_unless(c, row && !json_is_null(json_object_get(row, "images_per_s")),
                   json_object_get(entry, "max_safe_batch_size"), below, "E3",
                   "a list in which max_safe_batch_size ran");
    if (!row || max_safe == finding_int(entry, "optimal_batch_size") ||
        !is_word(finding_get(model, "method.max_safe"), "executed"))
        return;
    finding_unless(c, !(ratio < 1 - finding_real(model, "method.x") - OTHER_ESTIMATE),
                   json_object_get(row, "ratio_to_best"), below, "E3",
                   "within X of the best at max_safe_batch_size, as services execute it");
}

static void check_memory(struct checking *c, const char *path, const json_t *model)
{
    char below[FINDING_PATH];
    const json_t *memory = json_object_get(model, "memory");
    const json_t *failed = json_object_get(memory, "first_failed_batch");
    finding_path(below, path, "memory");
    finding_unless(c, is_positive(memory, "ceiling_batch"), json_object_get(memory, "ceiling_batch"), below,
                   "E2", "a ceiling_batch >= 1");
    finding_unless(c, json_is_null(failed) == json_is_null(json_object_get(memory, "first_failed_why")),
                   memory, below, "schema", "with first_failed_batch and first_failed_why, or both null");
    finding_unless(c,
                   json_is_null(failed) || json_integer_value(failed) != finding_int(memory, "ceiling_batch"),
                   failed, below, "E2", "another size than the ceiling");
}

/* --- fill table --- */

static double fill_ms(const json_t *fill, json_int_t images)
{
    return images >= 1 ? finding_real(json_array_get(fill, (size_t)images - 1), "service_p50_ms")
                       : (double)NAN;
}

/* What to run in place of n images must hold n images, be in the table and cost what the advice promises. */
static bool advice_holds(const json_t *fill, const json_t *row)
{
    const json_t *as = json_object_get(row, "as"), *advice = json_object_get(row, "advice");
    const json_int_t n = finding_int(row, "images"), first = json_integer_value(json_array_get(as, 0)),
                     second = json_integer_value(json_array_get(as, 1));
    const double ms = fill_ms(fill, n), first_ms = fill_ms(fill, first), second_ms = fill_ms(fill, second);
    const size_t parts = json_array_size(as);
    if (is_word(advice, "exact"))
        return parts == 1 && first == n;
    if (is_word(advice, "pad"))
        return parts == 1 && first > n && first_ms <= ms * (1 + ROUNDED);
    return is_word(advice, "split") && parts == 2 && first >= 1 && second >= 1 && first + second == n &&
           first_ms + second_ms < 0.98 * ms * (1 + ROUNDED);
}

static void check_fill(struct checking *c, const char *path, const json_t *entry, const json_t *model)
{
    char below[FINDING_PATH], name[32];
    const json_t *fill = json_object_get(model, "fill");
    size_t i;
    json_t *row;
    finding_path(below, path, "fill");
    if (!fill || !finding_unless(c, json_is_array(fill), fill, below, "schema", "a list"))
        return; /* files that were written before there was one */
    finding_unless(c, (json_int_t)json_array_size(fill) <= finding_int(entry, "max_safe_batch_size"), NULL,
                   below, "E3", "at most max_safe_batch_size rows long");
    json_array_foreach(fill, i, row) {
        snprintf(name, sizeof name, "fill.%zu", i);
        finding_path(below, path, name);
        finding_unless(c, finding_int(row, "images") == (json_int_t)i + 1, json_object_get(row, "images"),
                       below, "E8", "the next number of images, from 1 without a gap");
        finding_unless(c, finding_real(row, "service_p50_ms") > 0, json_object_get(row, "service_p50_ms"),
                       below, "E6", "a service_p50_ms above 0");
        finding_unless(c, is_positive(row, "iterations"), json_object_get(row, "iterations"), below, "E6",
                       "measured, in at least one iteration");
        finding_unless(
            c, advice_holds(fill, row), row, below, "fill",
            "exact (itself), pad (a larger size that is no slower) or split (two sizes that add up to it, "
            "2 % faster)");
    }
}

/* --- break even --- */

static void check_break_even(struct checking *c, const char *path, const json_t *entry, const json_t *model)
{
    char below[FINDING_PATH];
    const json_t *even = json_object_get(model, "break_even"), *images = json_object_get(even, "images"),
                 *calls = json_object_get(even, "calls");
    const json_int_t batch = finding_int(entry, "optimal_batch_size");
    finding_path(below, path, "break_even");
    if (!even || json_is_null(even))
        return;
    finding_unless(c, batch > 1 && is_positive(even, "against") && finding_int(even, "against") != batch,
                   even, below, "schema", "null, or against another size (null if the size is 1)");
    if (json_is_null(images) && json_is_null(calls))
        return;
    /* images are a whole number of a real one: the calls may belong to the next */
    const json_int_t n = json_integer_value(images), times = json_integer_value(calls);
    finding_unless(c, json_is_integer(images) && json_is_integer(calls) && n >= 0 && batch > 0 &&
                   times >= (n + batch - 1) / batch && times <= (n + batch) / batch, even, below, "schema",
                   "images and the calls that hold them, or null for never");
}

void check_decided(struct checking *c, const char *path, const json_t *entry, const json_t *model)
{
    check_limit(c, path, model);
    check_range(c, path, entry, model);
    check_incumbent(c, path, model);
    check_max_safe(c, path, entry, model);
    check_memory(c, path, model);
    check_fill(c, path, entry, model);
    check_break_even(c, path, entry, model);
}

/* --- sections --- */

/* Written by bench, not copied from another file? */
static bool is_ours(const struct checking *c, const char *section)
{
    size_t i;
    json_t *path;
    json_array_foreach(finding_get(c->root, "autotune.copied"), i, path)
        if (is_word(path, section))
            return false;
    return true;
}

void check_sections(struct checking *c)
{
    const json_t *queue = json_object_get(c->root, "dynamic_batching");
    static const char *const times[] = { "max_queue_delay_ms", "timeout_ms" };
    char path[FINDING_PATH];
    if (!is_ours(c, "dynamic_batching"))
        return;
    finding_unless(c, json_is_boolean(json_object_get(queue, "enabled")), json_object_get(queue, "enabled"),
                   "dynamic_batching.enabled", "schema", "true or false");
    for (size_t i = 0; i < LEN(times); i++) {
        const json_t *value = json_object_get(queue, times[i]);
        finding_unless(c, json_is_integer(value) && json_integer_value(value) >= 0, value,
                       finding_path(path, "dynamic_batching", times[i]), "E1",
                       "an integer >= 0 without a point");
    }
}
