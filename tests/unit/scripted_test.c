/* The scripted engine: its script, its pace and its faults; every expected number follows from the script. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "kernels/base/npy.h"
#include "kernels/worker/scripted.h"
#include "kernels/worker/scripted_pace.h"
#include "kernels/worker/session.h"

static struct script *script_of(const char *text)
{
    struct err err = { 0 };
    struct script *s = malloc(sizeof *s);
    if (script_read_text(s, "test", text, strlen(text), &err) != ST_OK)
        fail_msg("%s", err.text);
    return s;
}

/* --- the script --- */

static void refuses_with_place_and_allowed_values(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        { "sed: 1\n", "test:1:1: the script has no key sed, did you mean seed?" },
        { "time: 1\ntimes: 2\n", "test:1:7: time must be one of virtual real busy, got 1" },
        { "noise:\n  - {kind: pink}\n", "test:2:12: kind must be one of normal ar1, got pink" },
        { "noise: {kind: normal}\n", "test:1:8: noise must be a list of at most 16 maps, got a map" },
        { "noise: [1]\n", "test:1:9: noise must be a map, got 1" },
        { "spikes: [{probability: 1.5}]\n", "test:1:24: probability must be a number 0..1, got 1.5" },
        { "load: 3\n", "test:1:7: load must be a duration such as 2ms, got 3" },
        { "memory: {limit: much}\n", "test:1:17: limit must be a size such as 64MiB, got much" },
        { "memory: {fails: [0]}\n", "test:1:18: fails must be an integer 1..4096, got 0" },
        { "curve: {images_per_s: {4: 10, 2: 5}}\n",
          "test:1:31: a batch size of images_per_s must be larger than the one before it, got 2" },
        { "curve: {images_per_s: []}\n", "test:1:23: images_per_s must be a list or a map of 1 to 256 rates" },
        { "speed: {bf16: fast}\n", "test:1:15: speed must be numbers" },
        { "faults: [{at: run, do: sleep}]\n", "test:1:24: do must be one of crash exit kill hang" },
        { "faults: [{at: load, do: error, kind: bad}]\n", "the protocol has no error kind \"bad\"" },
        { "[]\n", "test:1:1: the script must be a map, got a list" },
    };
    struct script *s = malloc(sizeof *s);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = { 0 };
        assert_int_equal(script_read_text(s, "test", rows[i].text, strlen(rows[i].text), &err), ST_CONFIG);
        if (!strstr(err.text, rows[i].says))
            fail_msg("%s\n does not hold\n%s", err.text, rows[i].says);
    }
    free(s);
}

/* --- pace --- */

static double curve_ms(const char *text, int batch)
{
    struct script *s = script_of(text);
    double ms = pace_curve_ns(&s->curve, batch) / 1e6;
    free(s);
    return ms;
}

static void curves_follow_their_formula(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int batch;
        double ms;
    } rows[] = {
        { "{}", 3, 30 },                                                 /* 10 ms per image */
        { "curve: {fixed: 2ms, per_image: 1.5ms}", 4, 8 },
        { "curve: {images_per_s: [100, 160]}", 1, 10 },
        { "curve: {images_per_s: [100, 160]}", 2, 12.5 },
        { "curve: {images_per_s: [100, 160]}", 4, 25 },                  /* level beyond the last */
        { "curve: {images_per_s: {2: 100, 6: 300}}", 1, 10 },            /* and before the first */
        { "curve: {images_per_s: {2: 100, 6: 300}}", 5, 20 },            /* 250 images/s on the line */
        { "curve: {images_per_s: {2: 100, 6: 300}}", 6, 20 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_true(fabs(curve_ms(rows[i].text, rows[i].batch) - rows[i].ms) < 1e-9);
}

/* y[i] = ln of the speed of block i relative to the curve, one iteration per block. */
static void fill_blocks(double *y, size_t count, const char *text, uint64_t start_ns)
{
    struct script *s = script_of(text);
    struct pace p;
    pace_open(&p, s, 1, start_ns);
    for (size_t i = 0; i < count; i++) {
        pace_block(&p, 1, true);
        y[i] = log(pace_curve_ns(&s->curve, 1) / (double)pace_iteration_ns(&p, 1, start_ns));
    }
    free(s);
}

static double mean_of(const double *y, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += y[i];
    return sum / (double)n;
}

/* Lag-k autocovariance; k = 0 is the variance. */
static double covariance(const double *y, size_t n, size_t k)
{
    double mean = mean_of(y, n), sum = 0;
    for (size_t i = 0; i + k < n; i++)
        sum += (y[i] - mean) * (y[i + k] - mean);
    return sum / (double)n;
}

enum { MANY = 20000 };

static void noise_has_its_sigma_and_correlation(void **state)
{
    (void)state;
    static double y[MANY];
    fill_blocks(y, MANY, "noise: [{kind: normal, sigma: 0.01, per: block}]", 0);
    double variance = covariance(y, MANY, 0);
    assert_true(fabs(mean_of(y, MANY)) < 4 * 0.01 / sqrt(MANY));
    assert_true(fabs(sqrt(variance) / 0.01 - 1) < 4 / sqrt(2.0 * MANY)); /* sd of a sample sd: sigma / sqrt(2 n) */
    assert_true(fabs(covariance(y, MANY, 1) / variance) < 4 / sqrt(MANY));
    fill_blocks(y, MANY, "noise: [{kind: ar1, sigma: 0.02, rho: 0.6, per: block}]", 0);
    variance = covariance(y, MANY, 0);
    assert_true(fabs(sqrt(variance) / 0.02 - 1) < 0.05);
    assert_true(fabs(covariance(y, MANY, 1) / variance - 0.6) < 0.03);
    assert_true(fabs(covariance(y, MANY, 2) / variance - 0.36) < 0.04);
}

static void drift_and_spikes_follow_their_formula(void **state)
{
    (void)state;
    static double y[MANY];
    fill_blocks(y, 200, "drift: [{kind: settle, size: -0.06, over: 60, per: block}]", 0);
    for (int i = 0; i < 200; i++)
        assert_true(fabs(y[i] + 0.06 * (1 - exp(-i / 60.0))) < 1e-6);
    fill_blocks(y, 200, "drift: [{kind: line, size: 0.1, over: 100, per: iteration}]", 0);
    assert_true(fabs(y[150] - 0.15) < 1e-6);
    fill_blocks(y, MANY, "spikes: [{probability: 4%, size: 0.05, spread: 0.15, per: block}]", 0);
    size_t hit = 0;
    double least = 1, most = 0;
    for (size_t i = 0; i < MANY; i++) {
        hit += y[i] < -1e-6;
        if (y[i] < -1e-6) {
            least = fmin(least, -y[i]);
            most = fmax(most, -y[i]);
        }
    }
    assert_true(fabs((double)hit - 0.04 * MANY) < 4 * sqrt(0.04 * 0.96 * MANY));
    assert_true(least >= 0.05 && least < 0.06 && most <= 0.2 && most > 0.19);
}

static void the_same_start_gives_the_same_times(void **state)
{
    (void)state;
    static const char text[] = "{seed: 5, noise: [{sigma: 0.01}, {kind: ar1, sigma: 0.01, rho: 0.9, per: block}]}";
    double first[50], again[50], later[50];
    fill_blocks(first, 50, text, 1000);
    fill_blocks(again, 50, text, 1000);
    fill_blocks(later, 50, text, 1001); /* a process that starts at another time is another execution */
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, later, sizeof first);
    fill_blocks(again, 50, "{seed: 6, noise: [{sigma: 0.01}, {kind: ar1, sigma: 0.01, rho: 0.9, per: block}]}", 1000);
    assert_memory_not_equal(first, again, sizeof first);
}

static void throttling_comes_when_it_should(void **state)
{
    (void)state;
    double y[12];
    fill_blocks(y, 12, "throttle: [{from: 3, to: 9, every: 3, factor: 0.5}]", 0);
    for (int run = 1; run <= 12; run++)
        assert_true(fabs(y[run - 1] - (run == 3 || run == 6 || run == 9 ? log(0.5) : 0)) < 1e-6);
}

static void throttling_of_one_size_and_of_late_processes(void **state)
{
    (void)state;
    double y[2];
    fill_blocks(y, 2, "throttle: [{batch: 2, factor: 0.5}]", 0); /* blocks of size 1 */
    assert_true(fabs(y[0]) < 1e-6 && fabs(y[1]) < 1e-6);
    fill_blocks(y, 2, "throttle: [{batch: 1, factor: 0.5}]", 0);
    assert_true(fabs(y[0] - log(0.5)) < 1e-6 && fabs(y[1] - log(0.5)) < 1e-6);
    fill_blocks(y, 2, "throttle: [{after: 2s, factor: 0.5}]", 1999999999);
    assert_true(fabs(y[0]) < 1e-6 && fabs(y[1]) < 1e-6);
    fill_blocks(y, 2, "throttle: [{after: 2s, factor: 0.5}]", 2000000000);
    assert_true(fabs(y[0] - log(0.5)) < 1e-6);
}

/* --- through the protocol --- */

struct worker_test {
    char folder[64], script[96], output[96];
    struct scripted_context context;
    struct engine engine;
    struct session *session;
    int answers[2];
};

static int make_test(void **state)
{
    struct worker_test *t = calloc(1, sizeof *t);
    strcpy(t->folder, "/tmp/bench-scripted-XXXXXX");
    if (!mkdtemp(t->folder) || pipe(t->answers) != 0)
        return -1;
    snprintf(t->script, sizeof t->script, "%s/s.yaml", t->folder);
    snprintf(t->output, sizeof t->output, "%s/o.npy", t->folder);
    t->context = (struct scripted_context){ t->script, t->answers[1] };
    t->engine = scripted_engine;
    t->engine.context = &t->context;
    *state = t;
    return 0;
}

static int drop_test(void **state)
{
    struct worker_test *t = *state;
    session_close(t->session);
    unlink(t->script);
    unlink(t->output);
    close(t->answers[0]);
    close(t->answers[1]);
    int left = rmdir(t->folder);
    free(t);
    return left;
}

static json_t *ask(struct worker_test *t, const char *line)
{
    char *text = session_answer(t->session, line, strlen(line));
    json_t *answer = json_loads(text, 0, NULL);
    free(text);
    return answer;
}

static const char *kind_of(const json_t *answer)
{
    const char *kind = json_string_value(json_object_get(json_object_get(answer, "error"), "kind"));
    return kind ? kind : "ok";
}

static void expect(struct worker_test *t, const char *line, const char *kind)
{
    json_t *answer = ask(t, line);
    assert_string_equal(kind_of(answer), kind);
    json_decref(answer);
}

#define LOAD "{\"id\":1,\"op\":\"load\",\"model\":\"hrnet\",\"shape\":[3,4,4],\"precision\":\"bf16\"}"
#define PREPARE(b) "{\"id\":2,\"op\":\"prepare\",\"batch\":" b "}"
#define RUN(b) "{\"id\":3,\"op\":\"run\",\"batch\":" b ",\"min_ns\":0,\"min_iterations\":3,\"max_iterations\":3}"

/* A session with this script, loaded. */
static void begin(struct worker_test *t, const char *script)
{
    FILE *file = fopen(t->script, "w");
    fputs(script, file);
    fclose(file);
    session_close(t->session);
    assert_int_equal(session_open(&t->session, &t->engine, NULL), ST_OK);
    expect(t, LOAD, "ok");
}

static void memory_may_fail_in_any_order(void **state)
{
    struct worker_test *t = *state;
    begin(t, "memory: {fixed: 100MiB, per_image: 10MiB, fails: [16], limit: 450MiB, peak_factor: 1.1}");
    expect(t, PREPARE("16"), "out_of_memory");
    expect(t, PREPARE("31"), "ok"); /* 100 + 1.1 * 310 = 441 MiB */
    json_t *answer = ask(t, "{\"id\":4,\"op\":\"memory\"}");
    assert_int_equal(json_integer_value(json_object_get(answer, "peak")), 441 * 1048576);
    json_decref(answer);
    expect(t, PREPARE("1"), "out_of_memory"); /* 452 MiB: both are held */
    expect(t, "{\"id\":5,\"op\":\"release\",\"batch\":31}", "ok");
    expect(t, PREPARE("1"), "ok");
    expect(t, PREPARE("32"), "out_of_memory");
}

static void speed_depends_on_names(void **state)
{
    struct worker_test *t = *state;
    begin(t, "{curve: {per_image: 12ms}, speed: {bf16: 2.0, hrnet: 3.0, resunet_small: 7.0}, first: 5}");
    json_t *answer = ask(t, PREPARE("2"));
    assert_int_equal(json_integer_value(json_object_get(answer, "first_run_ns")), 5 * 4000000);
    json_decref(answer);
    answer = ask(t, RUN("2"));
    assert_int_equal(json_integer_value(json_array_get(json_object_get(answer, "iteration_ns"), 0)), 4000000);
    json_decref(answer);
}

static void faults_come_at_their_call(void **state)
{
    struct worker_test *t = *state;
    begin(t, "faults:\n"
             "  - {at: run, call: 2, do: short}\n"
             "  - {at: run, call: 3, do: other_batch}\n"
             "  - {at: iteration, call: 8, batch: 4, do: error, kind: unsupported}\n"
             "  - {at: memory, call: 2, times: 0, do: error, kind: environment}\n"
             "  - {at: prepare, batch: 8, do: error, kind: out_of_memory}\n"
             "  - {at: run, call: 6, do: error, kind: device_lost}\n");
    expect(t, PREPARE("4"), "ok");
    expect(t, PREPARE("8"), "out_of_memory");
    expect(t, PREPARE("8"), "ok");
    expect(t, RUN("4"), "ok");           /* iterations 1..3 */
    expect(t, RUN("4"), "wrong_output"); /* 4 */
    expect(t, RUN("4"), "wrong_output"); /* 5 */
    expect(t, RUN("4"), "unsupported");  /* 6 7 8 */
    expect(t, RUN("4"), "ok");
    expect(t, "{\"id\":4,\"op\":\"memory\"}", "ok");
    expect(t, "{\"id\":4,\"op\":\"memory\"}", "environment");
    expect(t, "{\"id\":4,\"op\":\"memory\"}", "environment");
    int code;
    assert_false(session_ended(t->session, &code));
    expect(t, RUN("4"), "device_lost");
    assert_true(session_ended(t->session, &code));
    assert_true(code != 0);
}

static void claims_only_change_the_answer(void **state)
{
    struct worker_test *t = *state;
    begin(t, "faults: [{at: run, call: 1, do: claim_outputs}, {at: run, call: 2, do: claim_batch},\n"
             "         {at: run, call: 3, do: claim_count}, {at: run, call: 4, do: claim_time},\n"
             "         {at: run, call: 5, do: garbage, text: hello}]");
    expect(t, PREPARE("2"), "ok");
    static const struct {
        const char *key;
        int want;
    } rows[] = { { "outputs", 5 }, { "batch", 3 }, { "iterations", 4 } };
    for (int i = 0; i < 3; i++) {
        json_t *answer = ask(t, RUN("2"));
        assert_int_equal(json_integer_value(json_object_get(answer, rows[i].key)), rows[i].want);
        json_decref(answer);
    }
    json_t *answer = ask(t, RUN("2"));
    assert_true(json_integer_value(json_array_get(json_object_get(answer, "iteration_ns"), 0)) == 120000001);
    json_decref(answer);
    expect(t, RUN("2"), "ok");
    char garbage[16] = "";
    assert_int_equal(read(t->answers[0], garbage, sizeof garbage), 6);
    assert_string_equal(garbage, "hello\n");
    answer = ask(t, RUN("2"));
    assert_int_equal(json_integer_value(json_object_get(answer, "outputs")), 6);
    json_decref(answer);
}

static void once_is_once_among_processes(void **state)
{
    struct worker_test *t = *state;
    char script[256];
    snprintf(script, sizeof script, "faults: [{at: run, do: error, kind: internal, once: %s}]", t->output);
    for (int life = 0; life < 3; life++) {
        begin(t, script);
        expect(t, PREPARE("1"), "ok");
        expect(t, RUN("1"), life ? "ok" : "internal");
    }
}

static void telemetry_stands_for_the_machine(void **state)
{
    struct worker_test *t = *state;
    begin(t, "{telemetry: {throttled_usec: 0, steal: 0.1%, note: quiet},\n"
             " throttle: [{from: 2, to: 2, factor: 0.5, telemetry: {throttled_usec: 7000}}]}");
    expect(t, PREPARE("1"), "ok");
    for (int run = 1; run <= 3; run++) {
        json_t *answer = ask(t, RUN("1")), *telemetry = json_object_get(answer, "telemetry");
        assert_int_equal(json_integer_value(json_object_get(telemetry, "throttled_usec")), run == 2 ? 7000 : 0);
        assert_true(fabs(json_real_value(json_object_get(telemetry, "steal")) - 0.001) < 1e-12);
        assert_string_equal(json_string_value(json_object_get(telemetry, "note")), "quiet");
        assert_int_equal(json_integer_value(json_array_get(json_object_get(answer, "iteration_ns"), 0)),
                         run == 2 ? 20000000 : 10000000);
        json_decref(answer);
    }
}

static void a_skewed_clock_disagrees_with_time(void **state)
{
    struct worker_test *t = *state;
    begin(t, "clock_skew: 1.02");
    expect(t, PREPARE("1"), "ok");
    json_t *answer = ask(t, "{\"id\":4,\"op\":\"memory\"}");
    int64_t before_ns = json_integer_value(json_object_get(answer, "now_ns"));
    json_decref(answer);
    answer = ask(t, RUN("1"));
    int64_t true_ns = json_integer_value(json_object_get(answer, "now_ns")) - before_ns;
    int64_t said_ns = json_integer_value(json_object_get(answer, "end_ns")) -
                      json_integer_value(json_object_get(answer, "start_ns"));
    assert_int_equal(true_ns, 30000000);
    assert_int_equal(said_ns, 30600000);
    json_decref(answer);
}

static void a_hang_in_virtual_time_is_a_late_answer(void **state)
{
    struct worker_test *t = *state;
    begin(t, "faults: [{at: run, do: hang, lasts: 2h}]");
    expect(t, PREPARE("1"), "ok");
    json_t *answer = ask(t, RUN("1"));
    assert_true(json_integer_value(json_object_get(answer, "now_ns")) > INT64_C(7200000000000));
    json_decref(answer);
}

/* output of batch 2 (seeds) into n */
static void read_output(struct worker_test *t, struct npy *n, const char *batch, const char *images)
{
    char line[256];
    snprintf(line, sizeof line, "{\"id\":4,\"op\":\"output\",\"batch\":%s,\"images\":%s,\"path\":\"%s\"}", batch, images,
             t->output);
    expect(t, line, "ok");
    assert_int_equal(npy_read(n, t->output, NULL), ST_OK);
    assert_int_equal(n->rank, 4);
}

static void output_of_a_batch_is_that_of_its_images(void **state)
{
    struct worker_test *t = *state;
    struct npy both, one;
    begin(t, "{output: {channels: 2}, faults: [{at: output, call: 4, do: nan}, {at: output, call: 5, do: swap}]}");
    expect(t, PREPARE("1"), "ok");
    expect(t, PREPARE("2"), "ok");
    read_output(t, &both, "2", "[3,4]");
    assert_int_equal(both.dims[1], 2);
    for (int i = 0; i < 2; i++) {
        read_output(t, &one, "1", i ? "[4]" : "[3]");
        assert_memory_equal(one.data, both.data + (size_t)i * one.count, one.count * sizeof *one.data);
        npy_free(&one);
    }
    struct npy bad, swapped;
    read_output(t, &bad, "2", "[3,4]");
    size_t nans = 0;
    for (size_t i = 0; i < bad.count; i++)
        nans += isnan(bad.data[i]) != 0;
    assert_int_equal(nans, 1);
    read_output(t, &swapped, "2", "[3,4]");
    assert_memory_not_equal(swapped.data, both.data, both.count * sizeof *both.data);
    assert_memory_equal(swapped.data, both.data + both.count / 2, both.count / 2 * sizeof *both.data);
    npy_free(&both);
    npy_free(&bad);
    npy_free(&swapped);
}

static void output_has_the_error_of_the_script(void **state)
{
    struct worker_test *t = *state;
    struct npy right, wrong;
    begin(t, "{}");
    expect(t, PREPARE("2"), "ok");
    read_output(t, &right, "2", "[1,2]");
    begin(t, "output: {error: {bf16: 0.03, f32: 0.5}}");
    expect(t, PREPARE("2"), "ok");
    read_output(t, &wrong, "2", "[1,2]");
    double error = 0, norm = 0;
    for (size_t i = 0; i < right.count; i++) {
        error += pow((double)wrong.data[i] - (double)right.data[i], 2);
        norm += pow((double)right.data[i], 2);
    }
    assert_true(fabs(sqrt(error / norm) - 0.03) < 1e-5);
    npy_free(&right);
    npy_free(&wrong);
}

static void stages_and_layers_share_an_iteration(void **state)
{
    struct worker_test *t = *state;
    begin(t, "{stages: {h2d: 10%, d2h: 20%}, layers: [{name: a, op: conv, share: 75%, flops: 5}, {name: b, share: 25%}]}");
    expect(t, PREPARE("2"), "ok");
    json_t *answer = ask(t, RUN("2")), *stages = json_object_get(answer, "stages");
    assert_true(llabs(json_integer_value(json_array_get(json_object_get(stages, "d2h_ns"), 2)) - 4000000) <= 1);
    assert_int_equal(json_array_size(json_object_get(stages, "h2d_ns")), 3);
    json_decref(answer);
    answer = ask(t, "{\"id\":4,\"op\":\"profile\",\"batch\":2,\"iterations\":2}");
    const json_t *layer = json_array_get(json_object_get(answer, "layers"), 0);
    assert_int_equal(json_integer_value(json_object_get(layer, "ns")), 15000000);
    assert_int_equal(json_integer_value(json_object_get(layer, "flops")), 10);
    json_decref(answer);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, make_test, drop_test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_with_place_and_allowed_values),
        cmocka_unit_test(curves_follow_their_formula),
        cmocka_unit_test(noise_has_its_sigma_and_correlation),
        cmocka_unit_test(drift_and_spikes_follow_their_formula),
        cmocka_unit_test(the_same_start_gives_the_same_times),
        cmocka_unit_test(throttling_comes_when_it_should),
        cmocka_unit_test(throttling_of_one_size_and_of_late_processes),
        STORY(memory_may_fail_in_any_order),
        STORY(speed_depends_on_names),
        STORY(faults_come_at_their_call),
        STORY(claims_only_change_the_answer),
        STORY(once_is_once_among_processes),
        STORY(telemetry_stands_for_the_machine),
        STORY(a_skewed_clock_disagrees_with_time),
        STORY(a_hang_in_virtual_time_is_a_late_answer),
        STORY(output_of_a_batch_is_that_of_its_images),
        STORY(output_has_the_error_of_the_script),
        STORY(stages_and_layers_share_an_iteration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
