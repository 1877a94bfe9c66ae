/* The smallest network on every engine and device. */
#include "bench/doctor/checks.h"

#include <math.h>
#include <string.h>

#include "bench/doctor/smoke.h"
#include "bench/measure/gate_compare.h"
#include "kernels/base/len.h"

#define GROWN_BYTES 0x1.9p25         /* 50 MiB: less is no context on a GPU */

static const struct outcome smoke_outcomes[] = {
    { .name = "correct", LEVEL_OK,
      "<engine> on <device>, <precision>: <image> ms an image, first use <first> ms, output right<load>",
      NULL },
    { .name = "wrong", LEVEL_FAIL,
      "<engine> on <device>, <precision>: <what>",
      "trust no number of this engine here: another version of its library or driver, or report it" },
    { .name = "batch_differs", LEVEL_FAIL,
      "<engine> on <device>, <precision>: image <number> of a batch of 3 differs from the same image alone (<what>)",
      "trust no batch of this engine here: another version of its library or driver, or report it" },
    { .name = "on_cpu", LEVEL_FAIL,
      "<device> was asked for, but memory in use on it grew by <grown> MiB",
      "see gpu.visibility; the engine may have fallen back to the CPU" },
    { .name = "failed", LEVEL_FAIL,
      "<engine> on <device>, <precision>: <stage>: <kind>: <message>",
      NULL },
    { .name = "unsupported", LEVEL_SKIP,
      "<engine> on <device>: <message>",
      NULL },
};

/* What is said of one engine on one device. */
struct tried {
    struct judge *j;
    const char *engine, *device;
    const json_t *answer;
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "unknown";
}

static const char *number_text(struct judge *j, const char *otherwise, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? judge_text(j, "%.4g", json_number_value(value)) : otherwise;
}

#define NAMED(t) { "engine", (t)->engine }, { "device", (t)->device }, { "precision", text_of((t)->answer, "precision") }

static void say_error(const struct tried *t, const json_t *error)
{
    const char *kind = text_of(error, "kind");
    const char *stage = text_of(error, "stage");
    const bool unknown = strcmp(kind, "unsupported") == 0 || (strcmp(kind, "model") == 0 && strcmp(stage, "load") == 0);
    SAY(t->j, unknown ? "unsupported" : "failed", NAMED(t), { "kind", kind }, { "stage", stage },
        { "message", text_of(error, "message") });
}

/* --- right? ------------------------------------------------------------------------------------------------ */

/* The stored values of image i; false: the answer does not have them. */
static bool take_values(float out[MODEL_EXPECTED_VALUES], const json_t *image)
{
    const json_t *list = json_object_get(image, "values");
    for (size_t k = 0; k < MODEL_EXPECTED_VALUES; k++) {
        const json_t *value = json_array_get(list, k);
        out[k] = (float)(json_is_number(value) ? json_number_value(value) : (double)NAN);
    }
    return json_array_size(list) == MODEL_EXPECTED_VALUES;
}

static size_t worst_of(const float *values, const float *expected)
{
    size_t worst = 0;
    for (size_t k = 1; k < MODEL_EXPECTED_VALUES; k++)
        if (fabsf(values[k] - expected[k]) > fabsf(values[worst] - expected[worst]))
            worst = k;
    return worst;
}

/* What is wrong with image i, NULL: nothing. */
static const char *fault_of(const struct tried *t, size_t i, const struct gate_limits *limits)
{
    const json_t *image = json_array_get(json_object_get(t->answer, "images"), i);
    const float *expected = t->j->facts->smoke_expected[i];
    float values[MODEL_EXPECTED_VALUES];
    if (json_is_false(json_object_get(image, "finite")))
        return judge_text(t->j, "image %zu has NaN or infinity in its output", i + 1);
    if (!take_values(values, image))
        return judge_text(t->j, "image %zu has no output", i + 1);
    const struct gate_difference d = gate_compare(values, expected, MODEL_EXPECTED_VALUES);
    if (gate_within(&d, limits, false))
        return NULL;
    const size_t k = worst_of(values, expected);
    return judge_text(t->j, "image %zu, value %zu: %.6g, expected %.6g", i + 1, k + 1, (double)values[k],
                      (double)expected[k]);
}

static bool say_wrong(const struct tried *t, const struct gate_limits *limits)
{
    for (size_t i = 0; i < MODEL_EXPECTED_IMAGES; i++) {
        const char *fault = fault_of(t, i, limits);
        if (fault) {
            SAY(t->j, "wrong", NAMED(t), { "what", fault });
            return true;
        }
    }
    return false;
}

static bool say_batch(const struct tried *t, const struct gate_limits *limits)
{
    for (size_t i = 0; i < MODEL_EXPECTED_IMAGES; i++) {
        const json_t *image = json_array_get(json_object_get(t->answer, "batch"), i);
        const json_t *rel_l2 = json_object_get(image, "rel_l2");
        const struct gate_difference d = { json_is_number(rel_l2) ? json_number_value(rel_l2) : (double)NAN, 0 };
        if (json_is_true(json_object_get(image, "finite")) && gate_within(&d, limits, false))
            continue;
        SAY(t->j, "batch_differs", NAMED(t), { "number", judge_text(t->j, "%zu", i + 1) },
            { "what", json_is_true(json_object_get(image, "finite"))
                          ? judge_text(t->j, "relative L2 %.3g, at most %.3g", d.rel_l2, limits->rel_l2)
                          : "NaN or infinity" });
        return true;
    }
    return false;
}

/* --- on the GPU? ------------------------------------------------------------------------------------------- */

static bool say_on_cpu(const struct tried *t)
{
    const json_t *before = json_object_get(t->answer, "memory_before"),
                 *during = json_object_get(t->answer, "memory_during");
    if (strncmp(t->device, "cuda", 4) != 0)
        return false;
    if (!json_is_number(before) || !json_is_number(during)) {
        judge_unread(t->j, judge_text(t->j, "memory in use on %s (NVML)", t->device),
                     json_is_string(during) ? json_string_value(during) : "not_found");
        return false;
    }
    const double grown = json_number_value(during) - json_number_value(before);
    if (grown >= GROWN_BYTES)
        return false;
    SAY(t->j, "on_cpu", NAMED(t), { "grown", judge_text(t->j, "%.0f", grown > 0 ? grown / 0x1p20 : 0) });
    return true;
}

/* Clocks, link and throttling under load, as far as told. */
static const char *load_text(const struct tried *t)
{
    const json_t *load = json_object_get(t->answer, "under_load");
    if (!load)
        return "";
    const json_t *reasons = json_object_get(load, "reasons");
    return judge_text(t->j, "; under load %s of %s MHz, PCIe generation %s x%s, throttle reasons %s",
                      number_text(t->j, "?", load, "sm_mhz"), number_text(t->j, "?", load, "sm_max_mhz"),
                      number_text(t->j, "?", load, "link_generation"), number_text(t->j, "?", load, "link_width"),
                      json_is_number(reasons) ? judge_text(t->j, "0x%llx", (unsigned long long)json_number_value(reasons))
                                              : "not told");
}

static void look_one(const struct tried *t)
{
    struct gate_limits limits;
    const json_t *error = json_object_get(t->answer, "error");
    t->j->name = judge_text(t->j, "%s.%s", t->engine, t->device);
    if (error) {
        say_error(t, error);
        return;
    }
    if (!gate_limits_of(&limits, text_of(t->answer, "precision"), true)) {
        judge_unread(t->j, "the limits of this precision", "not_supported");
        return;
    }
    if (!say_on_cpu(t) && !say_wrong(t, &limits) && !say_batch(t, &limits))
        SAY(t->j, "correct", NAMED(t), { "image", number_text(t->j, "?", t->answer, "image_ms") },
            { "first", number_text(t->j, "?", t->answer, "first_use_ms") }, { "load", load_text(t) });
}

static void look_smoke(struct judge *j)
{
    const struct facts *f = j->facts;
    json_t *answers = json_object_get(f->answers, "smoke"), *devices, *answer;
    const char *engine, *device;
    if (!json_is_object(answers) || *f->smoke_absent) {
        judge_unread(j, "the smoke test", *f->smoke_absent ? f->smoke_absent : "facts.json has no smoke");
        return;
    }
    json_object_foreach(answers, engine, devices)
        json_object_foreach(devices, device, answer)
            look_one(&(struct tried){ j, engine, device, answer });
}

#define OUTCOMES(list) .outcomes = list, .outcome_count = LEN(list)
const struct check checks_smoke[] = {
    { .id = "smoke", .parts = FACTS_ENGINES | FACTS_SMOKE, .look = look_smoke, OUTCOMES(smoke_outcomes) },
};
const size_t checks_smoke_count = LEN(checks_smoke);
