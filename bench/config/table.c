#include "bench/config/row.h"

#include "bench/config/night_formats.h"
#include "kernels/base/len.h"
#include "kernels/base/model_config.h"

#define AT(field) .offset = offsetof(struct config, field)
#define GIVEN(field) .given = offsetof(struct config, field)
#define NAMED(field) .named = offsetof(struct config, field)
#define CHOICES(list) .choices = list, .choice_count = LEN(list)
#define TIB 0x1p40

static const char *const precisions[] = { "f32", "bf16", "f16", "tf32" };
static const char *const modes[] = { "e2e", "compute" };
static const char *const export_formats[] = {
#define X(name, text) #name,
    NIGHT_FORMATS(X)
#undef X
    "jsonl",
};
static const char *const night_fails[] = { "nothing", "moved" };
static const char *const max_safe_rules[] = { "executed", "ceiling" };

/* in the order of enum objective */
static const char *const objectives[] = { "throughput", "latency", "energy" };
_Static_assert(LEN(objectives) == OBJECTIVE_COUNT, "every objective has its name");

static const struct config_row rows[] = {
    { .key = "all_models", .flag = "all-models", .type = &config_type_bool, .group = CONFIG_MODELS,
      AT(all_models),
      NAMED(all_models_named), .preset = "false", .help = "measure every served model (bench list)" },
    { .key = "models", .flag = "model", .type = &config_type_names, .group = CONFIG_MODELS | CONFIG_QUEUE | CONFIG_DOCTOR,
      .unit = "LIST", AT(models), NAMED(models_named), .look_up = config_look_up_model, .preset_text = "none",
      .help = "models to measure: names of bench list, or paths of .yaml files" },

    { .key = "engines", .flag = "engine", .type = &config_type_names, .group = CONFIG_TARGETS, .unit = "LIST",
      AT(engines), NAMED(engines_named), .look_up = config_look_up_engine,
      .preset_text = "onednn on cpu:N, cuda on cuda:N",
      .help = "engines to measure them on: names of bench list, or paths of .yaml files" },
    { .key = "devices", .flag = "device", .type = &config_type_names, .group = CONFIG_TARGETS | CONFIG_ACCEPT,
      .unit = "LIST", AT(devices), NAMED(devices_named), .preset = "cpu:0", .help = "devices, as bench list names them" },
    { .key = "precisions", .flag = "precision", .type = &config_type_names, .group = CONFIG_TARGETS,
      .unit = "LIST",
      AT(precisions), NAMED(precisions_named), CHOICES(precisions), .preset = "f32",
      .help = "number formats to measure: each is a curve of its own" },
    { .key = "threads", .flag = "threads", .type = &config_type_threads, .group = CONFIG_TARGETS,
      .unit = "LIST",
      AT(threads), .min = 1, .max = 4096, .preset = "auto",
      .help = "threads of a worker; auto: the CPUs and the quota that this process has" },
    { .key = "instances", .flag = "instances", .type = &config_type_counts, .group = CONFIG_DECIDE,
      .unit = "LIST", AT(instances), .min = 1, .max = 64, .preset = "1",
      .help = "workers side by side, each with its threads on CPUs of its own; every count is a target" },
    { .key = "input", .flag = "input", .type = &config_type_size, .group = CONFIG_TARGETS | CONFIG_DOCTOR,
      .unit = "HxW",
      AT(input_h), .min = 1, .max = MODEL_SIDE_MAX, .preset = "auto", .preset_text = "each model's own",
      .help = "height and width of the images" },
    { .key = "mode", .flag = "mode", .type = &config_type_choice, .group = CONFIG_TARGETS,
      .unit = "MODE", AT(mode),
      CHOICES(modes), .preset = "e2e",
      .help = "what is timed: e2e (copies and computing) or compute (only where the engine reports stages)" },
    { .key = "weights", .flag = "weights", .type = &config_type_text, .group = CONFIG_TARGETS, .unit = "FILE",
      AT(weights), .max = 4095, .preset = "seeded", .help = "weights: seeded, or a .safetensors file" },

    { .key = "batches", .flag = "batches", .type = &config_type_batches, .group = CONFIG_BATCHES | CONFIG_QUEUE,
      .unit = "LIST",
      AT(batches), .min = 1, .max = BATCH_MAX, .preset = "auto",
      .help =
          "batch sizes to try: a list (1,2,4), a range (1..16), or auto (doubling until it no longer pays)" },
    { .key = "max_batch", .flag = "max-batch", .type = &config_type_int, .group = CONFIG_BATCHES, .unit = "N",
      AT(max_batch), .min = 1, .max = BATCH_MAX, .preset = "128", .help = "where auto stops doubling" },

    { .key = "within", .flag = "within", .type = &config_type_percent, .group = CONFIG_DECIDE | CONFIG_REPLAY,
      .unit = "PERCENT", AT(within), NAMED(within_named), .min = 1, .max = 20, .preset = "5%",
      .help = "choose the smallest batch size within this of the best" },
    { .key = "alpha", .flag = "alpha", .type = &config_type_percent,
      .group = CONFIG_DECIDE | CONFIG_REPLAY, .unit = "PERCENT", AT(alpha),
      NAMED(alpha_named), .min = 0.1, .max = 20, .preset = "5%",
      .help = "how often the choice may be wrong by more than --within" },
    { .key = "objective", .flag = "objective", .type = &config_type_objective,
      .group = CONFIG_DECIDE | CONFIG_REPLAY, .unit = "WHAT", AT(objective),
      CHOICES(objectives), .preset = "throughput",
      .help = "what is to be good: throughput (images/s), latency (the time of one batch) or energy "
              "(joules per image, where the machine counts them)" },
    { .key = "slo", .flag = "slo", .type = &config_type_limit,
      .group = CONFIG_DECIDE | CONFIG_REPLAY | CONFIG_QUEUE, .unit = "LIMIT", AT(limit),
      .preset_text = "none",
      .help = "limit on the time of one batch (p95=300ms), or with response: on the time from arrival to "
              "result (response:p95=300ms, needs --open-loop; bench queue means this one always)" },
    { .key = "fresh", .flag = "fresh", .type = &config_type_bool, .group = CONFIG_DECIDE, AT(fresh),
      .preset = "false",
      .help = "choose as if no batch size were in use: ignore the last decision and imports" },
    { .key = "refine", .flag = "refine", .type = &config_type_bool, .group = CONFIG_DECIDE, AT(refine),
      .preset = "false",
      .help = "let every size between the powers of two race, not only those that look faster" },
    { .key = "open_loop", .flag = "open-loop", .type = &config_type_arrivals, .group = CONFIG_DECIDE,
      .unit = "ARRIVALS", AT(arrivals),
      .preset_text = "none",
      .help = "prove the choice with requests that arrive by themselves: poisson:20/s, or trace:FILE with "
              "one offset in seconds a line" },
    { .flag = "rate", .type = &config_type_rate, .group = CONFIG_QUEUE, .unit = "RATE", AT(arrivals),
      .preset_text = "50, 70 and 85 % of what the target can do",
      .help = "how many images arrive, at random times (20/s)" },
    { .flag = "trace", .type = &config_type_trace, .group = CONFIG_QUEUE, .unit = "FILE", AT(arrivals),
      .max = 4095,
      .preset_text = "none", .help = "arrival times instead of --rate: one offset in seconds a line" },
    { .flag = "delay", .type = &config_type_duration, .group = CONFIG_QUEUE, .unit = "TIME", AT(delay_ns),
      GIVEN(delay_set), .max = 3600e9, .preset_text = "0 to 500 ms are compared",
      .help = "how long the oldest request of a batch that is not full waits for more" },
    { .flag = "median", .type = &config_type_bool, .group = CONFIG_QUEUE, AT(median), .preset = "false",
      .help = "simulate with the median time of every size instead of its measured times" },
    { .flag = "curve", .type = &config_type_text, .group = CONFIG_REPLAY, .unit = "FILE", AT(curve),
      .max = 4095,
      .preset_text = "none",
      .help = "recorded curve: a CSV file with the columns batch and images_per_s; or an invented one: flat, "
              "saturating, knee, hump, cliff, sawtooth, dip, margin" },
    { .flag = "noise", .type = &config_type_text, .group = CONFIG_REPLAY, .unit = "SPEC", AT(noise),
      .max = 512,
      .preset_text = "off: the curve is taken as exact",
      .help =
          "simulate a whole campaign on the curve: typical, none, or changes to typical (drift=-20%,spikes=0) or "
          "to none (none,throttle=30%)" },
    { .key = "budget", .flag = "budget", .type = &config_type_duration, .group = CONFIG_DECIDE,
      .unit = "TIME",
      AT(budget_ns), GIVEN(budget_set), .max = 30 * 86400e9, .preset_text = "15m for each target",
      .help = "time of the whole campaign (40m, 2h); 0: no limit. What does not fit is not begun" },
    { .key = "seed", .flag = "seed", .type = &config_type_seed, .group = CONFIG_SEED, .unit = "N", AT(seed),
      GIVEN(seed_set), .preset_text = "drawn once and stored",
      .help = "seed of the random orders of the rounds" },
    { .key = "gate", .flag = "gate", .type = &config_type_bool, .group = CONFIG_DECIDE, AT(gate),
      .preset = "true",
      .help = "compare outputs with the reference before any time counts" },

    { .key = "memory.reserve", .flag = "reserve", .type = &config_type_percent, .group = CONFIG_MEMORY,
      .unit = "PERCENT", AT(reserve), .min = 0, .max = 50, .preset = "10%",
      .help = "share of the free memory that no batch size may take" },
    { .key = "memory.limit", .flag = "memory-limit", .type = &config_type_bytes, .group = CONFIG_MEMORY,
      .unit = "BYTES", AT(memory_limit_bytes), .max = 1024 * TIB, .preset_text = "by the machine",
      .help = "lowers the memory limit of a target (6GiB)" },

    { .key = "output.dir", .flag = "out", .type = &config_type_text, .group = CONFIG_OUT | CONFIG_DOCTOR, .unit = "DIR",
      AT(out),
      .max = 3000, .preset = "results", .help = "folder of the store, the files and the plots" },
    { .key = "output.for", .type = &config_type_output_for, .group = CONFIG_FILES, .unit = "MAP",
      AT(output_for),
      .preset_text = "the only target, or the fastest",
      .help =
          "which target a model's entry is made from: {hrnet: {precision: f32}, \"*\": {engine: onednn}}" },
    { .key = "output.models", .type = &config_type_names, .group = CONFIG_FILES, .unit = "LIST",
      AT(output_models),
      .preset_text = "none", .help = "models that must stand in batch_sizes.json" },
    { .key = "output.drop", .type = &config_type_names, .group = CONFIG_FILES, .unit = "LIST",
      AT(output_drop),
      .preset_text = "none", .help = "models of the old file that are not carried over" },
    { .key = "output.max_safe", .type = &config_type_either, .group = CONFIG_FILES, .unit = "RULE",
      AT(max_safe_executed), CHOICES(max_safe_rules), .preset = "executed",
      .help = "what max_safe means: the consumer executes it, or only caps requests by it (ceiling)" },
    { .key = "output.max_age", .type = &config_type_int, .group = CONFIG_FILES, .unit = "DAYS",
      AT(max_age_days),
      .min = 1, .max = 3650, .preset = "90", .help = "days after which readers call a decision stale" },
    { .flag = "base", .type = &config_type_text, .group = CONFIG_FILES, .unit = "FILE", AT(base), .max = 4095,
      .preset_text = "the file in place, else the last import",
      .help = "file whose unmeasured models are carried over, or none" },
    { .flag = "allow-scripted", .type = &config_type_bool, .group = CONFIG_FILES, AT(allow_scripted),
      .preset = "false", .help = "for tests: let numbers of the scripted engine into the files" },

    { .flag = "require-gpu", .type = &config_type_bool, .group = CONFIG_DOCTOR, AT(require_gpu),
      .preset = "false", .help = "a machine without a usable GPU is a fault" },
    { .flag = "require-engine", .type = &config_type_names, .group = CONFIG_DOCTOR, .unit = "LIST",
      AT(require_engines), .preset_text = "none", .help = "engines that must be there and have a device" },
    { .flag = "only", .type = &config_type_text, .group = CONFIG_DOCTOR, .unit = "PREFIX", AT(only), .max = 80,
      .preset_text = "all", .help = "only the checks whose name begins so (gpu, cpu.quota), and what they need" },
    { .flag = "strict", .type = &config_type_bool, .group = CONFIG_DOCTOR, AT(strict), .preset = "false",
      .help = "exit 1 if there is a warning, or something could not be read" },
    { .flag = "root", .type = &config_type_text, .group = CONFIG_DOCTOR, .unit = "DIR", AT(root), .max = 4000,
      .preset_text = "this machine",
      .help = "read a recorded tree instead: files below DIR, answers of driver and engines from DIR/facts.json" },
    { .flag = "record", .type = &config_type_text, .group = CONFIG_DOCTOR, .unit = "DIR", AT(record), .max = 3000,
      .preset_text = "nothing is written",
      .help = "write such a tree of this machine for a bug report, without UUIDs, addresses, host and user, and judge it" },
    { .flag = "worker", .type = &config_type_text, .group = CONFIG_DOCTOR, .unit = "COMMAND", AT(worker), .max = 4000,
      .preset_text = "none",
      .help = "try every rule of the worker protocol on \"COMMAND ARGUMENT...\" instead: a line for each, then a count" },
    { .flag = "smoke", .type = &config_type_bool, .group = CONFIG_DOCTOR, AT(smoke), .preset = "false",
      .help = "run a tiny network on every engine and device, and compare what comes out with stored values" },
    { .flag = "repetitions", .type = &config_type_bool, .group = CONFIG_DOCTOR, AT(repetitions), .preset = "false",
      .help = "how many iterations, blocks and executions are best, by the newest campaign or night in --out" },
    { .flag = "plan", .type = &config_type_text, .group = CONFIG_DOCTOR, .unit = "FILE", AT(plan), .max = 4000,
      .preset_text = "none",
      .help = "what bench plan --json printed: is there room for its threads, memory and precisions?" },
    { .flag = "compose", .type = &config_type_names, .group = CONFIG_DOCTOR, .unit = "FILE...", AT(compose),
      .preset_text = "none",
      .help = "judge Compose files instead of the machine; several are merged as Compose merges them" },
    { .flag = "service", .type = &config_type_text, .group = CONFIG_DOCTOR, .unit = "NAME", AT(service), .max = 200,
      .preset_text = "those that ask for a GPU or set CUDA_*, NVIDIA_* or ML_*, else all",
      .help = "judge only this service of the Compose files" },

    { .flag = "logits", .type = &config_type_bool, .group = CONFIG_CHECK, AT(logits), .preset = "false",
      .help = "only the networks' results, none of the checkpoints inside them: a quarter of the time" },
    { .flag = "with", .type = &config_type_text, .group = CONFIG_COMPARE, .unit = "DIR", AT(with), .max = 3000,
      .preset_text = "the folder of --out", .help = "folder whose store has campaign B: of another machine, say" },
    { .flag = "format", .type = &config_type_choice, .group = CONFIG_EXPORT, .unit = "FORMAT", AT(format),
      CHOICES(export_formats), .preset_text = "the two files of a campaign",
#define X(name, text) "; " #name ": " text
      .help = "jsonl: all rows of a campaign, a night, or, without a name, of the store; or a night for other "
              "programs" NIGHT_FORMATS(X) },
#undef X
    { .flag = "keep", .type = &config_type_duration, .group = CONFIG_PRUNE, .unit = "TIME", AT(keep_ns),
      GIVEN(keep_set), .max = 100 * 365 * 86400e9, .preset_text = "none: it must be given",
      .help = "how old a night is whose raw blocks stay (400d)" },
    { .flag = "dry-run", .type = &config_type_bool, .group = CONFIG_PRUNE, AT(dry_run), .preset = "false",
      .help = "say what would be taken out and change nothing" },
    { .flag = "status", .type = &config_type_bool, .group = CONFIG_NIGHTLY, AT(status), .preset = "false",
      .help = "tell the newest night again and measure nothing; BLIND if three nights are missing since" },
    { .key = "nightly.every", .flag = "every", .type = &config_type_duration, .group = CONFIG_NIGHTLY,
      .unit = "TIME", AT(every_ns), .min = 60e9, .max = 366 * 86400e9, .preset = "24h",
      .help = "how often a night is due: three missing ones in a row are BLIND" },
    { .key = "nightly.fail_on", .flag = "fail-on", .type = &config_type_choice, .group = CONFIG_NIGHTLY,
      .unit = "WHAT", AT(fail_on), CHOICES(night_fails), .preset = "nothing",
      .help = "moved: exit 1 also if another batch size would be chosen on two nights in a row" },
    { .key = "nightly.retune", .flag = "retune", .type = &config_type_bool, .group = CONFIG_NIGHTLY, AT(retune),
      .preset = "false",
      .help = "race the targets again whose optimum moved and that are not slower, and write batch_sizes.json anew" },
    { .key = "nightly.series", .type = &config_type_night_series, .group = CONFIG_NIGHTLY, .unit = "MAP",
      AT(night_series), .min = .5, .max = 50, .preset_text = "none",
      .help = "{PATTERN: {delta: 4%, group: WORD}}: of series whose names match, the smallest change that counts, "
              "and which of the device's series share its ups and downs" },
    { .flag = "nightly", .type = &config_type_bool, .group = CONFIG_REPORT, AT(nightly), .preset = "false",
      .help = "the page of a night in place of a campaign's" },
    { .flag = "plot", .type = &config_type_text, .group = CONFIG_HISTORY, .unit = "FILE", AT(plot), .max = 4000,
      .preset_text = "none", .help = "also write one HTML page with a picture of every series, events as dashed lines" },
    { .flag = "series", .type = &config_type_text, .group = CONFIG_ACCEPT, .unit = "TEXT", AT(series), .max = 500,
      .preset_text = "none", .help = "the one series that has this text in its name, as bench history shows it" },
    { .flag = "since", .type = &config_type_text, .group = CONFIG_ACCEPT, .unit = "NIGHT", AT(since), .max = 80,
      .preset_text = "none", .help = "first night of the new level: its name, its date (2026-11-23), or last" },
    { .flag = "reason", .type = &config_type_text, .group = CONFIG_ACCEPT, .unit = "TEXT", AT(reason), .max = 500,
      .preset_text = "none", .help = "why it is right: kept with the accept" },

    { .flag = "config", .type = &config_type_text, .group = CONFIG_SOURCE, .unit = "FILE", AT(config_file),
      .max = 4095, .preset_text = "none",
      .help = "YAML file with any of the keys named here; flags go over it" },
    { .flag = "resume", .type = &config_type_bool, .group = CONFIG_RESUME, AT(resume), .preset = "false",
      .help = "continue the last unfinished campaign of the store; no completed block is repeated" },
    { .flag = "why", .type = &config_type_bool, .group = CONFIG_WHY, AT(why), .preset = "false",
      .help = "say of every batch size why it was chosen or not, and all comparisons of the race" },
    { .flag = "quiet", .type = &config_type_bool, .group = CONFIG_RUN, AT(quiet), .preset = "false",
      .help = "no progress, only results, warnings and errors" },
    { .flag = "json", .type = &config_type_bool, .group = CONFIG_JSON, AT(json), .preset = "false",
      .help = "print the result as JSON" },
    { .flag = "csv", .type = &config_type_bool, .group = CONFIG_CSV, AT(csv), .preset = "false",
      .help = "print the result as CSV" },
};

const char *objective_name(enum objective objective)
{
    return objectives[objective];
}

const struct config_row *config_rows(size_t *count)
{
    *count = LEN(rows);
    return rows;
}
