/* The configuration: values, ranges, messages, precedence, and the effective text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/config/config.h"

#define LEN(a) (sizeof(a) / sizeof *(a))
#define ALL_GROUPS (~0u)

/* Reads one command line; the caller frees the config if ST_OK. */
static enum status read_flags(struct config *c, struct err *err, const char *const *argv, size_t argc)
{
    const char *words[4];
    size_t count;
    struct config_ask ask = { .verb = "tune", .groups = ALL_GROUPS, .argv = (char *const *)(size_t)argv,
                              .argc = argc, .words_max = 1 };
    return config_read(c, words, &count, &ask, err);
}

static enum status read_text(struct config *c, struct err *err, const char *text)
{
    return config_read_text(c, "t.yaml", text, strlen(text), err);
}

static void presets_hold(void **state)
{
    struct config c;
    struct err err = { .status = ST_OK };
    (void)state;
    assert_int_equal(read_flags(&c, &err, NULL, 0), ST_OK);
    assert_true(c.within > 0.0499 && c.within < 0.0501);
    assert_true(c.reserve > 0.0999 && c.reserve < 0.1001);
    assert_true(c.batches_auto && c.gate && c.max_safe_executed);
    assert_false(c.all_models || c.budget_set || c.seed_set || c.resume || c.allow_scripted);
    assert_int_equal(c.max_batch, 128);
    assert_true(c.alpha > 0.0499 && c.alpha < 0.0501 && c.limit.percentile <= 0 && c.objective == OBJECTIVE_THROUGHPUT);
    assert_true(!c.fresh && !c.refine && !c.arrivals.trace && c.arrivals.rate <= 0 && !c.delay_set && !c.why);
    assert_int_equal(c.instances.count, 1);
    assert_int_equal(c.instances.values[0], 1);
    assert_int_equal(c.max_age_days, 90);
    assert_int_equal(c.threads.count, 1);
    assert_int_equal(c.threads.values[0], 0);
    assert_string_equal(c.out, "results");
    assert_int_equal(c.engines.count, 0); /* by the kinds of devices */
    assert_int_equal(c.input_h, 0);
    config_free(&c);
}

static const struct { const char *text; int sizes[6]; size_t count; } good_batches[] = {
    { "1,2,4", { 1, 2, 4 }, 3 },     { "1..4", { 1, 2, 3, 4 }, 4 }, { "4,1", { 1, 4 }, 2 },
    { "1..3,8", { 1, 2, 3, 8 }, 4 }, { "4096", { 4096 }, 1 },       { "7..7", { 7 }, 1 },
};
static const char *const bad_batches[] = {
    "0", "-1", "1e9", "1..", "4..1", "..4", "1...4", "", ",", "1,,2", "4097", "1,1", "1..4,2", "one", "+1", "1 2",
    "auto,1", "99999999999999999999", "1..99999999999999999999", "0..4", "1.5", "0x10",
};

static void batches_are_lists_ranges_or_auto(void **state)
{
    struct config c;
    struct err err;
    (void)state;
    for (size_t i = 0; i < LEN(good_batches); i++) {
        assert_int_equal(read_flags(&c, &err, (const char *[]){ "--batches", good_batches[i].text }, 2), ST_OK);
        assert_false(c.batches_auto);
        assert_int_equal(c.batches.count, good_batches[i].count);
        assert_memory_equal(c.batches.values, good_batches[i].sizes, good_batches[i].count * sizeof(int));
        config_free(&c);
    }
    for (size_t i = 0; i < LEN(bad_batches); i++) {
        assert_int_equal(read_flags(&c, &err, (const char *[]){ "--batches", bad_batches[i] }, 2), ST_USAGE);
        assert_memory_equal(err.text, "--batches: must be auto, a list", 31);
        assert_null(c.out); /* nothing is left behind */
    }
}

#define LIMIT "a limit like p95=300ms, or response:p95=300ms, with a percentile 1..99.99 and a time"

/* One row per kind of value: what is taken and what is refused, with the whole sentence. */
static const struct { const char *text; enum status want; const char *message; } texts[] = {
    { "within: 3%", ST_OK, "" },
    { "within: 20", ST_OK, "" },
    { "within: 0.5%", ST_CONFIG, "t.yaml:1:9: within must be a percentage 1%..20%, got \"0.5%\"" },
    { "alpha: 0.1%", ST_OK, "" },
    { "alpha: 0", ST_CONFIG, "t.yaml:1:8: alpha must be a percentage 0.1%..20%, got \"0\"" },
    { "objective: energy", ST_OK, "" },
    { "objective: fast", ST_CONFIG, "t.yaml:1:12: objective must be one of throughput, latency, energy, got "
                                    "\"fast\"" },
    { "slo: p99.9=1s", ST_OK, "" },
    { "slo: p95", ST_CONFIG, "t.yaml:1:6: slo must be " LIMIT ", got \"p95\"" },
    { "slo: p100=1s", ST_CONFIG, "t.yaml:1:6: slo must be " LIMIT ", got \"p100=1s\"" },
    { "slo: [p95=1s]", ST_CONFIG, "t.yaml:1:6: slo must be " LIMIT ", got \"a list\"" },
    { "open_loop: trace:a,b", ST_OK, "" },
    { "open_loop: 20", ST_CONFIG, "t.yaml:1:12: open_loop must be poisson:RATE with a rate of 0.001/s to 1000000/s "
                                  "(poisson:20/s), or trace:FILE, got \"20\"" },
    { "instances: [2, 1]", ST_OK, "" },
    { "instances: auto", ST_CONFIG, "t.yaml:1:12: instances must be a list of whole numbers 1..64, each once, got "
                                    "\"auto\"" },
    { "instances: [1, 65]", ST_CONFIG, "t.yaml:1:12: instances must be a list of whole numbers 1..64, each once, "
                                       "got \"65\"" },
    { "within: [1, 2]", ST_CONFIG, "t.yaml:1:9: within must be a percentage 1%..20%, got \"a list\"" },
    { "max_batch: 0", ST_CONFIG, "t.yaml:1:12: max_batch must be a whole number 1..4096, got \"0\"" },
    { "max_batch: 4097", ST_CONFIG, "t.yaml:1:12: max_batch must be a whole number 1..4096, got \"4097\"" },
    { "input: 256x320", ST_OK, "" },
    { "input: 0x0", ST_CONFIG, "t.yaml:1:8: input must be HxW (256x256) with sides of 1..16384, got \"0x0\"" },
    { "input: 256", ST_CONFIG, "t.yaml:1:8: input must be HxW (256x256) with sides of 1..16384, got \"256\"" },
    { "input: 256x", ST_CONFIG, "t.yaml:1:8: input must be HxW (256x256) with sides of 1..16384, got \"256x\"" },
    { "budget: 40m", ST_OK, "" },
    { "budget: 40", ST_CONFIG, "t.yaml:1:9: budget must be a time with its unit (500ms, 90s, 40m, 2h) of at most "
                               "720 h, or 0, got \"40\"" },
    { "memory:\n  limit: 6GiB", ST_OK, "" },
    { "memory:\n  limit: -1", ST_CONFIG, "t.yaml:2:10: memory.limit must be a size of at least 1 byte (512MiB, 6GiB), "
                                         "got \"-1\"" },
    { "memory: 6GiB", ST_CONFIG, "t.yaml:1:9: memory must be a map of keys, got \"6GiB\"" },
    { "precisions: [f32, bf16]", ST_OK, "" },
    { "precisions: f32,bf16", ST_OK, "" },
    { "precisions: [f32,\n  bf61]", ST_CONFIG, "t.yaml:2:3: precisions must be a list of some of f32, bf16, f16, tf32, "
                                               "got \"bf61\" (did you mean \"bf16\"?)" },
    { "precisions: [f32, [bf16]]", ST_CONFIG, "t.yaml:1:19: precisions must be a list of some of f32, bf16, f16, tf32, "
                                              "got \"a list\"" },
    { "precisions: [f32, f32]", ST_CONFIG, "t.yaml:1:19: precisions must be a list of some of f32, bf16, f16, tf32, "
                                           "got \"f32\"" },
    { "threads: [auto, 2]", ST_OK, "" },
    { "threads: 0", ST_CONFIG, "t.yaml:1:10: threads must be auto, or a list of whole numbers 1..4096, each once, "
                               "got \"0\"" },
    { "gate: false", ST_OK, "" },
    { "gate: yes", ST_CONFIG, "t.yaml:1:7: gate must be true or false, got \"yes\"" },
    { "seed: 18446744073709551616", ST_CONFIG, "t.yaml:1:7: seed must be a whole number 0..9223372036854775807, got "
                                               "\"18446744073709551616\"" },
    { "output:\n  max_safe: cieling", ST_CONFIG, "t.yaml:2:13: output.max_safe must be one of executed, ceiling, got "
                                                 "\"cieling\" (did you mean \"ceiling\"?)" },
    { "output:\n  for: {hrnet: {engine: onednn, precision: f32}, \"*\": {device: \"cpu:0\"}}", ST_OK, "" },
    { "output:\n  for: {hrnet: {engin: onednn}}", ST_CONFIG, "t.yaml:2:17: output.for must be a map {MODEL or \"*\": "
      "{engine: E, device: D, precision: P}}, got \"engin\" (did you mean \"engine\"?)" },
    { "output:\n  for: {hrnet: onednn}", ST_CONFIG, "t.yaml:2:16: output.for must be a map {MODEL or \"*\": "
      "{engine: E, device: D, precision: P}}, got \"onednn\"" },
    { "nightly:\n  series: {\"hrnet *\": {delta: 4%, group: memory}, \"* batch 1\": {group: compute}}", ST_OK, "" },
    { "nightly:\n  series: {hrnet: {delat: 4%}}", ST_CONFIG, "t.yaml:2:20: nightly.series must be a map {PATTERN: {delta: "
      "0.5%..50%, group: WORD}}, got \"delat\" (did you mean \"delta\"?)" },
    { "nightly:\n  series: {hrnet: {delta: 60}}", ST_CONFIG, "t.yaml:2:27: nightly.series must be a map {PATTERN: {delta: "
      "0.5%..50%, group: WORD}}, got \"60\"" },
    { "nightly:\n  series: {hrnet: {group: Big One}}", ST_CONFIG, "t.yaml:2:27: nightly.series must be a map {PATTERN: "
      "{delta: 0.5%..50%, group: WORD}}, got \"Big One\"" },
    { "nightly:\n  series: [hrnet]", ST_CONFIG, "t.yaml:2:11: nightly.series must be a map {PATTERN: {delta: "
      "0.5%..50%, group: WORD}}, got \"a list\"" },
    { "output:\n  dri: x", ST_CONFIG, "t.yaml:2:3: there is no key \"output.dri\" (did you mean \"output.dir\"?)" },
    { "bathces: 1", ST_CONFIG, "t.yaml:1:1: there is no key \"bathces\" (did you mean \"batches\"?)" },
    { "model: hrnet", ST_CONFIG, "t.yaml:1:1: there is no key \"model\" (did you mean \"models\"?)" },
    { "zzzzzzzz: 1", ST_CONFIG, "t.yaml:1:1: there is no key \"zzzzzzzz\"; bench tune --help lists all" },
    { "resume: true", ST_CONFIG, "t.yaml:1:1: \"resume\" is no key: give --resume on the command line" },
    { "models:", ST_CONFIG, "t.yaml:1:8: models must be a list of names, each once, got \"\"" },
    { "models: []", ST_CONFIG, "t.yaml:1:9: models must be a list of names, each once, got \"\"" },
    { "all_models: true\nmodels: hrnet", ST_CONFIG, "t.yaml: all_models and models exclude each other: leave one of "
                                                    "them out" },
    { "- 1", ST_CONFIG, "t.yaml:1:1: a configuration must be a map of keys and values" },
    { "within: 5%\nwithin: 6%", ST_CONFIG, "t.yaml:2:1: key within stands here twice" },
};

static void every_value_is_taken_or_refused_with_its_place(void **state)
{
    size_t wrong = 0;
    (void)state;
    for (size_t i = 0; i < LEN(texts); i++) {
        struct config c;
        struct err err = { .status = ST_OK };
        enum status st = read_text(&c, &err, texts[i].text);
        if (st != texts[i].want || strcmp(err.text, texts[i].message) != 0) {
            print_message("# %s\n#   got %s \"%s\"\n#   want \"%s\"\n", texts[i].text, status_kind(st), err.text,
                          texts[i].message);
            wrong++;
        }
        if (st == ST_OK)
            config_free(&c);
    }
    assert_int_equal(wrong, 0);
}

/* What the store keeps reads back to the same settings: text of text is text. */
static void the_effective_text_reads_back(void **state)
{
    static const char *const sources[] = {
        "within: 3%",
        "models: [hrnet, \"a \\\"b\\\" \\\\ c\"]\nprecisions: [bf16]\nthreads: [4, auto]\nbatches: 1..5",
        "all_models: true\nbudget: 90s\nseed: 7\ninput: 64x96\nmemory: {limit: 1000001, reserve: 12.5%}\ngate: false",
        "slo: p99.9=1500us\nalpha: 0.7\nobjective: latency\nfresh: true\nrefine: true\ninstances: [4, 1, 2]",
        "slo: \"response:p50=1h\"\nopen_loop: 0.1/s\nobjective: energy",
        "open_loop: \"trace:my \\\"times\\\" \\\\ , 1.txt\"",
        ("output:\n  dir: \"x y\"\n  for: {a: {engine: e, device: \"d:0\"}, \"*\": {precision: f16}}\n"
        "  models: [a]\n  drop: [b, c]\n  max_safe: ceiling\n  max_age: 30\nbudget: 0\nmode: compute"),
    };
    (void)state;
    for (size_t i = 0; i < LEN(sources); i++) {
        struct config one, two;
        struct err err;
        assert_int_equal(read_text(&one, &err, sources[i]), ST_OK);
        assert_int_equal(read_text(&two, &err, one.text), ST_OK);
        assert_string_equal(one.text, two.text);
        config_free(&one);
        config_free(&two);
    }
}

/* The same text must not come from different settings: each source above the presets changes it. */
static void the_effective_text_tells_settings_apart(void **state)
{
    static const char *const sources[] = {
        "within: 5%", "within: 6%", "batches: 1", "models: a", "all_models: true", "engines: a", "devices: a",
        "precisions: f16", "threads: 1", "input: 8x8", "mode: compute", "weights: a", "max_batch: 1", "budget: 0",
        "seed: 0", "gate: false", "memory: {reserve: 0%}", "memory: {limit: 1}", "output: {dir: a}",
        "output: {for: {a: {engine: b}}}", "output: {models: a}", "output: {drop: a}", "output: {max_safe: ceiling}",
        "output: {max_age: 1}", "alpha: 1", "objective: latency", "objective: energy", "slo: p95=1s", "slo: p96=1s",
        "slo: p95=2s", "slo: \"response:p95=1s\"", "fresh: true", "refine: true", "instances: 2", "open_loop: 20/s",
        "open_loop: 21/s", "open_loop: trace:20/s",
    };
    char *seen[LEN(sources)];
    (void)state;
    for (size_t i = 0; i < LEN(sources); i++) {
        struct config c;
        struct err err;
        assert_int_equal(read_text(&c, &err, sources[i]), ST_OK);
        seen[i] = strdup(c.text);
        config_free(&c);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(seen[i], seen[j]);
    }
    for (size_t i = 0; i < LEN(sources); i++)
        free(seen[i]);
}

/* What is written and what is meant. */
static const struct { const char *text; bool response; double percentile, limit_ms; } limits[] = {
    { "p95=300ms", false, .95, 300 },           { "p50=2s", false, .5, 2000 },
    { "p99.9=1s", false, .999, 1000 },          { "response:p95=800ms", true, .95, 800 },
    { "p1=1ns", false, .01, 1e-6 },             { "p99.99=24h", false, .9999, 86400e3 },
};
static const char *const no_limits[] = {
    "", "p95", "p95=", "p95=0", "p95=0ms", "p0=1s", "p0.5=1s", "p100=1s", "p200=1s", "p-5=1s", "p1e1=1s", "pp95=1s",
    "P95=1s", "95=1s", "p95=25h", "p95=1", "p95==1s", "p95=1s ", "response:", "response=1s", "service:p95=1s",
    "p95.=x", "p9999999999999999999999=1s",
};

static void limits_are_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(limits); i++) {
        struct latency_limit l;
        struct err err = { .status = ST_OK };
        assert_int_equal(latency_limit_read(&l, limits[i].text, &err), ST_OK);
        assert_true(l.response == limits[i].response);
        assert_true(l.percentile > limits[i].percentile - 1e-12 && l.percentile < limits[i].percentile + 1e-12);
        assert_true(l.limit_ms > limits[i].limit_ms * (1 - 1e-12) && l.limit_ms < limits[i].limit_ms * (1 + 1e-12));
    }
    for (size_t i = 0; i < LEN(no_limits); i++) {
        struct latency_limit l = { .percentile = 7 };
        struct err err = { .status = ST_OK };
        if (latency_limit_read(&l, no_limits[i], &err) != ST_USAGE)
            fail_msg("\"%s\" was taken", no_limits[i]);
        assert_true(l.percentile <= 0 && !l.response && l.limit_ms <= 0);
        assert_non_null(strstr(err.text, no_limits[i]));
    }
}

static void loads_of_a_service(void **state)
{
    (void)state;
    struct config c;
    struct err err;
    assert_int_equal(read_flags(&c, &err, (const char *[]){ "--slo", "response:p95=1s", "--open-loop", "poisson:20/s",
                                                            "--objective", "latency", "--fresh", "--refine", "--alpha",
                                                            "1", "--instances", "2,1", "--why" }, 13), ST_OK);
    assert_true(c.limit.response && c.arrivals.rate > 19.99 && c.arrivals.rate < 20.01 && !c.arrivals.trace);
    assert_true(c.objective == OBJECTIVE_LATENCY && c.fresh && c.refine && c.why && c.alpha_named && !c.within_named);
    assert_true(c.alpha > .00999 && c.alpha < .01001);
    assert_int_equal(c.instances.count, 2);
    assert_int_equal(c.instances.values[0], 1); /* ascending */
    assert_int_equal(c.instances.values[1], 2);
    config_free(&c);
    assert_int_equal(read_flags(&c, &err, (const char *[]){ "--trace", "a b,c", "--delay", "20ms", "--median" }, 5),
                     ST_OK);
    assert_string_equal(c.arrivals.trace, "a b,c");
    assert_true(c.delay_set && c.delay_ns == 20000000 && c.median);
    config_free(&c);
    assert_int_equal(read_flags(&c, &err, (const char *[]){ "--open-loop", "trace:t", "--slo=response:p50=1s" }, 3),
                     ST_OK); /* a trace is arrivals, too */
    assert_string_equal(c.arrivals.trace, "t");
    config_free(&c);
}

/* A limit on responses needs arrivals where a choice is made; a queue is about nothing else. */
static void responses_need_arrivals(void **state)
{
    (void)state;
    struct config c;
    struct err err;
    const char *words[1];
    size_t count;
    const char *const argv[] = { "--slo", "response:p95=300ms" };
    struct config_ask ask = { .verb = "tune", .groups = CONFIG_DECIDE, .argv = (char *const *)(size_t)argv, .argc = 2 };
    assert_int_equal(config_read(&c, words, &count, &ask, &err), ST_USAGE);
    assert_non_null(strstr(err.text, "--open-loop poisson:20/s"));
    assert_non_null(strstr(err.text, "--slo p95=300ms"));
    ask.groups = CONFIG_QUEUE;
    assert_int_equal(config_read(&c, words, &count, &ask, &err), ST_OK);
    assert_true(c.limit.response);
    config_free(&c);
}

static const struct { const char *argv[5]; size_t argc; const char *message; } lines[] = {
    { { "--bathces", "1" }, 2, "bench tune has no flag --bathces (did you mean --batches?)" },
    { { "--models", "a" }, 2, "bench tune has no flag --models (did you mean --model?)" },
    { { "-x" }, 1, "bench tune has no flag --x; bench VERB --help lists them" },
    { { "--within" }, 1, "--within wants a value (PERCENT)" },
    { { "--within", "5", "--within=6" }, 3, "--within stands here twice" },
    { { "--rate", "20/s", "--trace", "f" }, 4, "--rate and --trace exclude each other: leave one of them out" },
    { { "--rate", "20" }, 2, "--rate: must be a rate of 0.001/s to 1000000/s (20/s), got \"20\"" },
    { { "--trace=" }, 1, "--trace: must be a path of 1 to 4095 bytes, got \"\"" },
    { { "--resume=yes" }, 1, "--resume is a switch and takes no value, got \"yes\"" },
    { { "--all-models", "--model", "hrnet" }, 3, "--all-models and --model exclude each other: leave one of them out" },
    { { "a", "b" }, 2, "bench tune does not know what to do with \"b\"; bench tune --help shows its use" },
    { { "--precision", "bf61" }, 2, "--precision: must be a list of some of f32, bf16, f16, tf32, got \"bf61\" (did you "
                                    "mean \"bf16\"?)" },
    { { "--model", "" }, 2, "--model: must be a list of names, each once, got \"\"" },
    { { "--out=" }, 1, "--out: must be a text of 1 to 3000 bytes, got \"\"" },
};

static void a_bad_command_line_is_one_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(lines); i++) {
        struct config c;
        struct err err;
        assert_int_equal(read_flags(&c, &err, lines[i].argv, lines[i].argc), ST_USAGE);
        assert_string_equal(err.text, lines[i].message);
    }
}

static void flags_go_over_the_file(void **state)
{
    struct config c;
    struct err err;
    char path[] = "/tmp/config_test_XXXXXX";
    const char text[] = "all_models: true\nwithin: 3%\nprecisions: [f32, bf16]\nbudget: 10m\n";
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)(sizeof text - 1));
    close(fd);
    assert_int_equal(read_flags(&c, &err, (const char *[]){ "--within", "7", "--config", path, "--model", "hrnet" }, 6),
                     ST_OK);
    assert_true(c.within > 0.0699 && c.within < 0.0701); /* though --config stands behind it */
    assert_false(c.all_models);
    assert_int_equal(c.models.count, 1);
    assert_int_equal(c.precisions.count, 2);
    assert_true(c.models_named && c.budget_set);
    assert_false(c.precisions_named || c.engines_named);
    assert_true(c.budget_ns == UINT64_C(600000000000));
    config_free(&c);
    unlink(path);
    assert_int_equal(read_flags(&c, &err, (const char *[]){ "--config", path }, 2), ST_CONFIG);
    assert_null(c.out);
}

static void switches_can_be_turned_off(void **state)
{
    struct config c;
    struct err err;
    (void)state;
    assert_int_equal(read_flags(&c, &err, (const char *[]){ "--no-gate", "--json" }, 2), ST_OK);
    assert_false(c.gate);
    assert_true(c.json);
    config_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_hold),
        cmocka_unit_test(batches_are_lists_ranges_or_auto),
        cmocka_unit_test(every_value_is_taken_or_refused_with_its_place),
        cmocka_unit_test(the_effective_text_reads_back),
        cmocka_unit_test(the_effective_text_tells_settings_apart),
        cmocka_unit_test(limits_are_read_or_refused),
        cmocka_unit_test(loads_of_a_service),
        cmocka_unit_test(responses_need_arrivals),
        cmocka_unit_test(a_bad_command_line_is_one_sentence),
        cmocka_unit_test(flags_go_over_the_file),
        cmocka_unit_test(switches_can_be_turned_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
