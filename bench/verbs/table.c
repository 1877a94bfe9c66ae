#include "bench/verbs/verbs.h"

#include "kernels/base/len.h"

static const struct verb verbs[] = {
    { .name = "tune", .summary = "measure, decide, write batch_sizes.json (also without a verb: bench --all-models)",
      .words_text = "", .run = verb_tune,
      .groups = CONFIG_MODELS | CONFIG_TARGETS | CONFIG_BATCHES | CONFIG_DECIDE | CONFIG_SEED | CONFIG_MEMORY |
                CONFIG_FILES | CONFIG_OUT | CONFIG_RESUME | CONFIG_RUN | CONFIG_JSON | CONFIG_SOURCE,
      .about = "Measures every model on every engine, device and precision that was asked for, over batch sizes;\n"
               "chooses the smallest size within --within of the best; writes batch_sizes.json,\n"
               "production_batch_config.json, curves as CSV and JSON, plots and a page into --out.\n"
               "Ctrl-C ends it with what is known so far; --resume goes on where it stopped." },
    { .name = "plan", .summary = "what tune would measure, with predicted memory and time; touches no device",
      .words_text = "", .run = verb_plan,
      .groups = CONFIG_MODELS | CONFIG_TARGETS | CONFIG_BATCHES | CONFIG_DECIDE | CONFIG_MEMORY | CONFIG_OUT |
                CONFIG_JSON | CONFIG_SOURCE,
      .about = "Expands the configuration into targets and points. Predictions come from earlier campaigns in the\n"
               "store of --out; what was never measured is `-`." },
    { .name = "list", .summary = "models, engines, their devices and precisions, and why one is not available",
      .words_text = "", .run = verb_list, .groups = CONFIG_JSON,
      .about = "Reads configs/models and configs/engines and starts each engine's worker to ask what it can do." },
    { .name = "show", .summary = "tables of a stored campaign, or the list of campaigns",
      .words_text = "[CAMPAIGN|campaigns]", .words_max = 1, .run = verb_show,
      .groups = CONFIG_OUT | CONFIG_JSON | CONFIG_CSV | CONFIG_WHY,
      .about = "Without a name the newest campaign is shown; `bench show campaigns` lists all that are stored.\n"
               "--why: for every target what the decision rests on, what became of every size, how the race and\n"
               "the verification went, and what to do next. --json holds all of it; --csv the points, with --why\n"
               "also the fill table, the looks of the race and the verification." },
    { .name = "report", .summary = "plots and one self-contained HTML page of a stored campaign",
      .words_text = "[CAMPAIGN|NIGHT]", .words_max = 1, .run = verb_report, .groups = CONFIG_OUT | CONFIG_REPORT,
      .about = "Makes the curves, plots and the page of a campaign again from the store, into its folder in --out.\n"
               "Without a name: the newest campaign. --nightly: the page of a night, OUT/nightly.html; without a name\n"
               "the newest, else by its name or date." },
    { .name = "nightly", .summary = "measure again what was decided, compare with the nights before, one verdict",
      .words_text = "[CAMPAIGN]", .words_max = 1, .run = verb_nightly,
      .groups = CONFIG_OUT | CONFIG_RUN | CONFIG_SEED | CONFIG_JSON | CONFIG_NIGHTLY | CONFIG_SOURCE,
      .about = "Measures every batch size that stands in OUT/batch_sizes.json (without such a file: those of the newest\n"
               "campaign), with its neighbours, in five fresh processes each, and compares with the nights in the store of\n"
               "--out: slower only counts if fresh processes confirm it the same night, and on two nights unless it is\n"
               "gross. What all series of a device do together is one incident (MACHINE). One series is measured twice: if\n"
               "it differs from itself, the night says nothing. The first 14 nights learn. Whether another batch size would\n"
               "be right is told beside it. Exit 0: OK, LEARNING, NOISE, SUSPECT, IMPROVED; 1: REGRESSED, MACHINE, BLIND (no\n"
               "verdict for three nights); 3: the environment is broken; 4: INCONCLUSIVE, INVALID, THROTTLED." },
    { .name = "history", .summary = "all nights of a series, with what changed on the machine between them",
      .words_text = "[TEXT]", .words_max = 1, .run = verb_history,
      .groups = CONFIG_OUT | CONFIG_JSON | CONFIG_CSV | CONFIG_HISTORY,
      .about = "Prints every night of every series whose name has TEXT in it: rate, change against the nights before,\n"
               "confirmation, verdict, and the events since the night before (kernel, driver, governor, our own build ...):\n"
               "suspects beside a shift." },
    { .name = "accept", .summary = "say that a new level is right: later nights are compared with it",
      .words_text = "", .run = verb_accept,
      .groups = CONFIG_OUT | CONFIG_ACCEPT,
      .about = "bench accept --series TEXT | --device DEVICE --since NIGHT --reason TEXT\n"
               "From that night on the series, or all of the device, begin a new baseline; how much they usually vary is\n"
               "taken over until fourteen nights are there. Nothing else ever resets a baseline." },
    { .name = "backtest", .summary = "how the nightly rule would have done on the stored nights",
      .words_text = "", .run = verb_backtest,
      .groups = CONFIG_OUT | CONFIG_RUN | CONFIG_SEED | CONFIG_JSON,
      .about = "Judges the stored nights again in their order, then 1000 histories made of them in shuffled blocks of five\n"
               "nights: false alarms by each path, with their 95 % bound, and the share of losses of 3, 5, 10 and 15 %,\n"
               "put into one series, that is told by the first, second and fifth night." },
    { .name = "compare", .summary = "two campaigns at the same work: ratio of their rates with its interval, and a word",
      .words_text = "A B", .words_min = 2, .words_max = 2, .run = verb_compare,
      .groups = CONFIG_OUT | CONFIG_COMPARE | CONFIG_JSON | CONFIG_CSV,
      .about = "Pairs the targets of two campaigns that are the same work (model, precision, input, mode, instances) and\n"
               "divides the rates of every batch size that both measured: another build, engine, setting, or, with --with,\n"
               "another machine's folder. Exit 1: at a size that A decided for, B is surely slower." },
    { .name = "export", .summary = "the files of a campaign again; or a night for other programs",
      .words_text = "[CAMPAIGN|NIGHT]", .words_max = 1, .run = verb_export,
      .groups = CONFIG_OUT | CONFIG_EXPORT | CONFIG_FILES,
      .about = "Makes batch_sizes.json and production_batch_config.json again from the store, as the campaign's own tune\n"
               "wrote them; without a name: of the newest campaign. Exit codes are those of that tune.\n"
               "With --format a night is printed for other programs: the newest, or the one of that name or date.\n"
               "--format jsonl prints rows of the store, lossless, a JSON object a line: of that campaign or night, or\n"
               "everything. bench import takes them into another store." },
    { .name = "prune", .summary = "take raw blocks of old nights out of the store, into an archive beside it",
      .words_text = "", .run = verb_prune, .groups = CONFIG_OUT | CONFIG_PRUNE,
      .about = "Blocks, samples and telemetry of nights older than --keep go into OUT/archive-DATE-DIGEST.jsonl; what the\n"
               "nights said stays, and so do the blocks of nights with a flagged series. Nothing is deleted before the\n"
               "archive is on disk and was read back. bench import of the archive brings the rows back." },
    { .name = "import", .summary = "take a batch_sizes.json as the batch sizes in use, or rows of another store",
      .words_text = "FILE", .words_min = 1, .words_max = 1, .run = verb_import, .groups = CONFIG_OUT,
      .about = "Keeps the file in the store of --out and takes its batch sizes as what is in use: bench tune then\n"
               "changes one only if it is proved slower, or if a smaller one is accepted twice running. All other\n"
               "numbers of the file are claims: shown, carried over, never taken for measurements. Those that do\n"
               "not hold are listed. production_batch_config.json is taken too. The same file again changes\n"
               "nothing. Exit 2: it is no such file, or a size in it is no whole number.\n"
               "A FILE.jsonl of bench export --format jsonl or of bench prune: its rows come into the store of --out, all\n"
               "or none; rows that are there already are left, one that differs from what is there is refused." },
    { .name = "queue", .summary = "what requests would wait at a rate, and which queue delay to set",
      .words_text = "[CAMPAIGN]", .words_max = 1, .run = verb_queue,
      .groups = CONFIG_QUEUE | CONFIG_OUT | CONFIG_JSON | CONFIG_CSV,
      .about = "Simulates a service that forms batches: one starts when it is full or its oldest request has waited for\n"
               "the queue delay. Times are the measured ones of every size (the fill table), the largest batch is the\n"
               "decision of each target, or --batches; a response counts from the arrival to the result. Ten delays from\n"
               "0 to 500 ms are compared; the smallest whose p95 is within 5 % of the best, and that keeps the limit of\n"
               "--slo, is recommended. Without --rate or --trace: at 50, 70 and 85 % of what the target can do.\n"
               "Waiting grows as 1/(1 - load): 2 at 50 %, 3.3 at 70 %, 6.7 at 85 %. At 85 % chance decides more (see the\n"
               "range of the p95), and a model that runs 10 % slower for a while works at 94 %: plan for 50 to 70 %.\n"
               "bench tune --open-loop measures what is simulated here.\n"
               "Without a name the newest campaign is taken. Exit 1: a target serves none of its rates." },
    { .name = "replay", .summary = "decide a stored campaign again from its blocks, or decide on a curve",
      .words_text = "[CAMPAIGN]", .words_max = 1, .run = verb_replay,
      .groups = CONFIG_REPLAY | CONFIG_OUT | CONFIG_SEED | CONFIG_JSON,
      .about = "Makes every decision of a campaign again from the blocks in the store and says whether all of it,\n"
               "each interval and each reason, is bit-equal to what was stored. With --within, --alpha, --slo or\n"
               "--objective the same blocks are decided under these parameters too, beside the stored decision.\n"
               "Without a name: the newest campaign.\n"
               "With --curve the rule of tune is applied to every size of a curve: optimal and max_safe batch size,\n"
               "and why not the others; with --noise a whole campaign runs on simulated blocks of that curve:\n"
               "ascent, race, verification (seed 1 unless --seed).\n"
               "Touches no device, writes nothing. Exit 1: no usable size, or not what was stored; 4: undecided." },
    { .name = "profile", .summary = "time of every layer, beside what the machine could do at best",
      .words_text = "", .run = verb_profile,
      .groups = CONFIG_MODELS | CONFIG_TARGETS | CONFIG_BATCHES | CONFIG_OUT | CONFIG_JSON | CONFIG_SOURCE,
      .about = "Profiles each target at each batch size (--batches auto: at 1)." },
    { .name = "verify", .summary = "check a batch_sizes.json as its readers would",
      .words_text = "FILE", .words_min = 1, .words_max = 1, .run = verb_verify, .groups = 0,
      .about = "Checks schema and rules of batch_sizes.json or production_batch_config.json; of the first also\n"
               "whether the second one beside it agrees. Exit 1 if anything is wrong." },
    { .name = "doctor", .summary = "can this machine measure and serve: GPU, driver, libraries, CPU, engines",
      .words_text = "[--compose FILE... | --repetitions [CAMPAIGN|NIGHT]]", .words_max = 8, .run = verb_doctor, .groups = CONFIG_DOCTOR | CONFIG_JSON,
      .about = "One line for each check: ok; note, a fact to know; warn, numbers will suffer; fail, cannot work; skip,\n"
               "it does not apply, or a check that it needs failed; unread, it could not be read. Below it what to do.\n"
               "The last line counts them and repeats the first cause. What can hang (driver, device nodes, engines)\n"
               "is asked in processes of its own, with a limit. Changes nothing; writes only with --record.\n"
               "--compose judges Compose files: how services ask for GPUs, their limits, what their images do at the\n"
               "start. Of variables only those are printed that concern GPUs, threads and numbers.\n"
               "--worker tries the worker protocol on a program (with --model and --input; preset hrnet, 64x64).\n"
               "--repetitions says by a stored campaign or night how to split time into iterations, blocks, executions.\n"
               "Exit 3: a check failed, or the worker does not start; 1: a case of it failed, a rule for Compose files\n"
               "is broken, or --strict." },
    { .name = "check", .summary = "conformance vectors and comparison with the reference, on this machine",
      .words_text = "", .run = verb_check,
      .groups = CONFIG_MODELS | CONFIG_TARGETS | CONFIG_CHECK | CONFIG_OUT | CONFIG_JSON | CONFIG_SOURCE,
      .about = "Runs the networks on known weights and compares every checkpoint with recorded values.\n"
               "Without --model: all served models. Exit 1 if a value is off." },
};

const struct verb *verbs_table(size_t *count)
{
    *count = LEN(verbs);
    return verbs;
}
