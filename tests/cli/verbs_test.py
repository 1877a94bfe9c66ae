#!/usr/bin/env python3
"""The verbs from outside: help, list, plan, tune, show, report, verify on the scripted engine in virtual time."""
import csv
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_runner import (BENCH, ROOT, SMALL, bench, check, environment, run_tests, scripted, snapshot,  # noqa: E402
                          tune_arguments, write)

VERBS = ["tune", "plan", "list", "show", "report", "nightly", "history", "accept", "backtest", "compare", "export", "prune", "import", "queue", "replay", "profile", "verify", "doctor", "check"]
ESCAPE = "\x1b"

# Real time, so that a signal meets a campaign that is still running: some 10 s of warm-up and blocks.
# Noise: without it every iteration that the scheduler delays is an outlier, and no warm-up ends early.
SLOW = """
time: real
seed: 1
curve: {images_per_s: {1: 1000, 2: 1400}}
noise: [{kind: normal, sigma: 0.02, per: iteration}]
"""


def tuned(folder, *more, script=None):
    """A finished campaign; gives what it printed."""
    engine = scripted(folder, script=script) if script else scripted(folder)
    return bench(*tune_arguments(folder, engine, "--seed", "1", *more), cwd=folder)


def load(folder, name):
    with open(os.path.join(folder, "out", name)) as f:
        return json.load(f)


# --- help -----------------------------------------------------------------------------------------------------------

def help_names_every_verb(folder):
    done = bench("--help", cwd=folder)
    check(done.returncode == 0 and done.stderr == "", done.stderr)
    for verb in VERBS:
        check(re.search(r"^  %s +\S" % verb, done.stdout, re.M), "%s is not in bench --help" % verb)
    listed = re.findall(r"^  (\w+)  ", done.stdout, re.M)
    check(listed == VERBS, "verbs listed: %s" % listed)


def help_of_every_verb(folder):
    for verb in VERBS:
        done = bench(verb, "--help", cwd=folder)
        check(done.returncode == 0 and done.stderr == "", "%s: %s" % (verb, done.stderr))
        check(done.stdout.startswith("bench %s: " % verb), done.stdout)
        check(done.stdout.count("usage: bench %s" % verb) == 1, done.stdout)
        check(max(map(len, done.stdout.splitlines())) <= 110, "a line of %s --help is too long" % verb)
        check(os.listdir(folder) == [], "help wrote something")


def every_flag_of_the_help_is_taken(folder):
    """A flag that help names is no unknown flag; another one is (the wrong twin)."""
    for verb in VERBS:
        text = bench(verb, "--help", cwd=folder).stdout
        for flag in set(re.findall(r"^  --([a-z-]+)", text, re.M)):
            done = bench(verb, "--%s=" % flag, cwd=folder)
            check("has no flag" not in done.stderr, "%s --%s: %s" % (verb, flag, done.stderr))
            check(done.returncode == 2, "%s --%s= gave %d" % (verb, flag, done.returncode))
        done = bench(verb, "--no-such-flag", cwd=folder)
        check("has no flag" in done.stderr and done.returncode == 2, done.stderr)


def keys_of_help(folder, verb):
    return set(re.findall(r"\[key ([a-z_.]+)", bench(verb, "--help", cwd=folder).stdout))


def keys_of_file(name):
    stack, named = "", set()
    with open(os.path.join(ROOT, "configs", name)) as f:
        for line in f:
            found = re.match(r"^(  )?(?:# |  # )?([a-z_]+):", line)
            if not found:
                continue
            inner = line.startswith("  ")
            if not inner and line.rstrip().endswith(":"):
                stack = found.group(2)
                continue
            named.add(stack + "." + found.group(2) if inner else found.group(2))
    return named


def tune_yaml_names_every_key(folder):
    """configs/tune.yaml explains every key of the help, and holds no other."""
    keys, named = keys_of_help(folder, "tune"), keys_of_file("tune.yaml")
    check(len(keys) > 15, "keys seen in the help: %s" % keys)
    check(keys <= named, "not in tune.yaml: %s" % sorted(keys - named))
    check(named <= keys, "only in tune.yaml: %s" % sorted(named - keys))


def nightly_yaml_names_every_key_of_its_own(folder):
    """configs/nightly.yaml explains every nightly key of the help, and is read."""
    keys = {key for key in keys_of_help(folder, "nightly") if key.startswith("nightly.")}
    named = keys_of_file("nightly.yaml")
    check(len(keys) >= 3 and named == keys | {"output.dir"}, "%s, not %s" % (sorted(named), sorted(keys)))
    done = bench("nightly", "--config", os.path.join(ROOT, "configs", "nightly.yaml"), "--out", os.path.join(folder, "out"),
                 cwd=folder)
    check(done.returncode == 2 and "campaign" in done.stderr and "yaml" not in done.stderr, done.stderr)


def the_committed_configurations_are_good(folder):
    for name in ("quick.yaml", "tune.yaml"):
        done = bench("plan", "--config", os.path.join(ROOT, "configs", name), cwd=folder)
        check(done.returncode == 0, done.stderr)
        check(len(re.findall(r"^ *hrnet ", done.stdout, re.M)) >= 6, done.stdout)  # two precisions, three sizes


def version_is_one_line(folder):
    done = bench("--version", cwd=folder)
    check(done.returncode == 0 and re.match(r"^bench \d+\.\d+\.\d+ .*\((release|debug|san|fuzz)\)\n$", done.stdout),
          done.stdout)


# --- list and plan --------------------------------------------------------------------------------------------------

def list_tells_models_and_engines(folder):
    done = bench("list", cwd=folder)
    check(done.returncode == 0, done.stderr)
    for word in ("hrnet", "resunet_small", "resunet_advanced", "scripted", "3x1024x1024", "cpu:0"):
        check(word in done.stdout, "%s is not listed:\n%s" % (word, done.stdout))
    listed = json.loads(bench("list", "--json", cwd=folder).stdout)
    served = sorted(m["model"] for m in listed["models"] if m["served"] == "yes")
    check(served == ["hrnet", "resunet_advanced", "resunet_small"], str(served))


def list_says_why_an_engine_is_not_available(folder):
    for name in ("models", "engines"):
        os.makedirs(os.path.join(folder, "home", "configs", name))
    write(os.path.join(folder, "home/configs/models/m.yaml"),
          "name: m\narchitecture: hrnet\nfeatures: [1, 1, 1, 1]\ninput: [3, 64, 64]\n")
    write(os.path.join(folder, "home/configs/engines/gone.yaml"), "name: gone\ncommand: [no-such-program-anywhere]\n")
    write(os.path.join(folder, "home/configs/engines/mute.yaml"), "name: mute\ncommand: [\"true\"]\n")
    env = environment(BENCH_HOME=os.path.join(folder, "home"))
    done = bench("list", "--json", cwd=folder, env=env)
    check(done.returncode == 0, done.stderr)
    engines = {e["engine"]: e for e in json.loads(done.stdout)["engines"]}
    check(sorted(engines) == ["gone", "mute"], done.stdout)
    check(all(e["available"] == "no" for e in engines.values()), done.stdout)
    check("no-such-program-anywhere" in engines["gone"]["about"], done.stdout)
    check("exit" in engines["mute"]["about"] or "end" in engines["mute"]["about"], done.stdout)


def plan_expands_everything(folder):
    """2 models x 2 precisions x 3 sizes are 12 points, without a device and without writing anything."""
    engine = scripted(folder)
    before = snapshot(folder)
    done = bench("plan", "--model", "hrnet,resunet_small", "--precision", "f32,bf16", "--batches", "1,2,4", "--input",
                 "64x64", "--engine", engine, "--json", cwd=folder)
    check(done.returncode == 0, done.stderr)
    plan = json.loads(done.stdout)
    check(plan["targets"] == 4 and len(plan["points"]) == 12, done.stdout)
    check(plan["budget_s"] == 4 * 900, "4 targets of 15 min, got %s" % plan["budget_s"])
    check(plan["predicted_s"] is None, "nothing was measured before, got %s" % plan["predicted_s"])
    check(snapshot(folder) == before, "plan wrote something")


def plan_predicts_from_the_store(folder):
    tuned(folder, "--batches", "1,2")
    done = bench("plan", *SMALL, "--engine", "scripted.yaml", "--batches", "1,2,4", "--out", "out", "--json", cwd=folder)
    check(done.returncode == 0, done.stderr)
    points = {p["batch"]: p for p in json.loads(done.stdout)["points"]}
    # the script says 55 images/s at size 1 and 75 at 2; size 4 was never measured
    check(abs(points[1]["images_per_s"] / 55 - 1) < 0.02, done.stdout)
    check(abs(points[2]["images_per_s"] / 75 - 1) < 0.02, done.stdout)
    check(points[4]["images_per_s"] is None, done.stdout)
    store = sqlite3.connect(os.path.join(folder, "out", "bench.sqlite"))
    spent = store.execute("SELECT sum(s.end_unix_s - e.start_unix_s) FROM execution AS e JOIN execution_state AS s ON "
                          "s.id = (SELECT max(id) FROM execution_state WHERE execution = e.id)").fetchone()[0]
    store.close()
    check(json.loads(done.stdout)["predicted_s"] == spent, "as long as the last one: %s, %s" % (spent, done.stdout))


# --- tune -----------------------------------------------------------------------------------------------------------

def tune_decides_what_the_script_implies(folder):
    """55 75 90 97 images/s at 1 2 4 8: 4 reaches 92.8 % of the best, so within 5 % it is 8, within 10 % it is 4."""
    done = tuned(folder, "--batches", "1,2,4,8")
    check(done.returncode == 0, done.stderr)
    sizes = load(folder, "batch_sizes.json")["batch_configurations"]["resunet_small"]
    check(sizes["optimal_batch_size"] == 8, str(sizes))
    check(abs(sizes["expected_throughput"] / 97 - 1) < 0.02, str(sizes))
    done = tuned(folder, "--batches", "1,2,4,8", "--within", "10%", "--fresh")  # else 8 stays in use
    check(done.returncode == 0, done.stderr)
    sizes = load(folder, "batch_sizes.json")["batch_configurations"]["resunet_small"]
    check(sizes["optimal_batch_size"] == 4, str(sizes))


def tune_without_a_verb_is_tune(folder):
    engine = scripted(folder)
    done = bench(*tune_arguments(folder, engine, "--batches", "1,2")[1:], cwd=folder)
    check(done.returncode == 0, done.stderr)
    check(os.path.exists(os.path.join(folder, "out", "batch_sizes.json")), "no batch_sizes.json")


def tune_tells_where_everything_is(folder):
    done = tuned(folder, "--batches", "1,2")
    out = os.path.join(folder, "out")
    for path in re.findall(r"%s/[^\s,()]+" % re.escape(out), done.stdout):
        check(os.path.exists(path), "%s is named and not there" % path)
    names = os.listdir(os.path.join(out, "campaigns"))
    check(len(names) == 1, str(names))
    for path in ("batch_sizes.json", "production_batch_config.json", "bench.sqlite", "report.html", "curves.csv"):
        check(path in done.stdout, "%s is not named" % path)
    for path in ("curves.csv", "curves.json", "report.html"):
        check(os.path.getsize(os.path.join(out, "campaigns", names[0], path)) > 0, path)
    check("The same at production size" in done.stdout, done.stdout)
    check("--model resunet_small" in done.stdout.split("production size")[-1], done.stdout)


def what_a_file_made_small_is_named_without_it(folder):
    engine = scripted(folder)
    config = write(os.path.join(folder, "small.yaml"), "models: [resunet_small]\nengines: [%s]\nprecisions: [f32, bf16]\n"
                   "input: 64x64\nbatches: [1, 2]\n" % engine)
    done = bench("--config", config, "--no-gate", "--allow-scripted", "--out", "out", cwd=folder)
    command = done.stdout.split("The same at production size:\n")[-1].splitlines()[0]
    check("--config" not in command and "--input" not in command, command)
    for words in ("--model resunet_small", "--precision f32,bf16", "--no-gate", "--out out"):
        check(words in command, "%s is not in: %s" % (words, command))


def tune_writes_what_verify_accepts(folder):
    tuned(folder, "--batches", "1,2,4")
    done = bench("verify", "out/batch_sizes.json", cwd=folder)
    check(done.returncode == 0, done.stdout + done.stderr)
    text = json.dumps(load(folder, "batch_sizes.json")).replace('"optimal_batch_size": ', '"optimal_batch_size": -', 1)
    write(os.path.join(folder, "out", "batch_sizes.json"), text)
    done = bench("verify", "out/batch_sizes.json", cwd=folder)
    check(done.returncode == 1, "a negative size passed: " + done.stdout)


def scripted_numbers_stay_out_of_the_file(folder):
    engine = scripted(folder)
    arguments = [a for a in tune_arguments(folder, engine, "--batches", "1,2") if a != "--allow-scripted"]
    done = bench(*arguments, cwd=folder)
    check(done.returncode == 2, "exit %d: %s" % (done.returncode, done.stderr))
    check("--allow-scripted" in done.stderr, done.stderr)
    check(not os.path.exists(os.path.join(folder, "out", "batch_sizes.json")), "the file was written")


def tune_as_json(folder):
    done = tuned(folder, "--batches", "1,2,4", "--json", "--quiet")
    result = json.loads(done.stdout)
    check(len(result["targets"]) == 1, done.stdout[:500])
    check([p["batch"] for p in result["targets"][0]["curve"]] == [1, 2, 4], done.stdout[:2000])
    check(os.path.exists(result["files"]["batch_sizes"]), str(result["files"]))
    check(done.stderr == "" or "note: " in done.stderr, done.stderr)


def progress_goes_to_stderr_and_quiet_silences_it(folder):
    loud = tuned(folder, "--batches", "1,2")
    check("resunet_small" in loud.stderr, "no progress: " + loud.stderr)
    quiet = tuned(folder, "--batches", "1,2", "--quiet")
    noise = [l for l in quiet.stderr.splitlines() if not l.startswith(("note: ", "warning: "))]
    check(noise == [], str(noise))


def the_same_seed_gives_the_same_file(folder):
    """Byte-stable: writing the same campaign's file again changes nothing."""
    tuned(folder, "--batches", "1,2,4")
    tuned(folder, "--batches", "1,2,4")
    a, b = (json.loads(json.dumps(x)) for x in (load(folder, "batch_sizes.json"), load(folder, "batch_sizes.json.bak")))
    check(a["batch_configurations"]["resunet_small"]["optimal_batch_size"] ==
          b["batch_configurations"]["resunet_small"]["optimal_batch_size"], "another decision")
    check(a["batch_configurations"]["resunet_small"]["expected_throughput"] ==
          b["batch_configurations"]["resunet_small"]["expected_throughput"], "another rate from the same virtual time")


def unmeasured_models_are_carried_over(folder):
    entry = {"optimal_batch_size": 3, "max_safe_batch_size": 5, "expected_throughput": 1.25, "memory_limit_mb": 7,
             "custom": "kept"}
    old = {"optimization_timestamp": "2025-01-01 00:00:00", "batch_configurations": {"other": entry}, "extra": [1]}
    write(os.path.join(folder, "out", "batch_sizes.json"), json.dumps(old))
    done = tuned(folder, "--batches", "1,2")
    check(done.returncode == 0, done.stderr)
    new = load(folder, "batch_sizes.json")
    check(new["batch_configurations"]["other"] == entry, str(new["batch_configurations"]["other"]))
    check(new["extra"] == [1], "an unknown key was lost")
    with open(os.path.join(folder, "out", "batch_sizes.json.bak")) as f:
        check(json.load(f) == old, "the old file was not kept")


def a_size_that_fails_is_named(folder):
    """Size 4 does not fit, the others run: the decision is made of them and 4 has its reason."""
    done = tuned(folder, "--batches", "1,2,4,8", script="time: virtual\ncurve: {images_per_s: {1: 55, 2: 75, 4: 90, 8: 97}}\n"
                 "memory: {fails: [4]}\n")
    check(done.returncode == 0, done.stderr)
    curve = json.loads(bench("show", "--json", "--out", "out", cwd=folder).stdout)["targets"][0]["curve"]
    why = {p["batch"]: p["why"] for p in curve}
    check(why[4] == "out_of_memory" and why[8] == "chosen", str(why))


def no_size_at_all_is_bad_news(folder):
    done = tuned(folder, "--batches", "1,2", script="memory: {fails: [1, 2]}\n")
    check(done.returncode == 1 or done.returncode == 2, "exit %d" % done.returncode)
    check(not os.path.exists(os.path.join(folder, "out", "batch_sizes.json")), "a file without a decision")
    check("bench: " in done.stderr, done.stderr)


def a_short_budget_is_inconclusive(folder):
    """Whatever the budget, an early end is exit 4 and never bad news; what was written is valid."""
    sizes = []
    for budget in ("1ms", "5s", "10s", "20s"):  # of virtual time
        done = tuned(folder, "--batches", "1,2,4,8", "--precision", "f32,bf16", "--budget", budget)
        check(done.returncode == 4, "budget %s: exit %d: %s" % (budget, done.returncode, done.stderr))
        check("budget" in done.stderr.splitlines()[-1], done.stderr)
        path = os.path.join(folder, "out", "batch_sizes.json")
        if os.path.exists(path):
            checked = bench("verify", path, cwd=folder)
            check(checked.returncode == 0, checked.stdout + checked.stderr)
            sizes.append(load(folder, "batch_sizes.json")["batch_configurations"]["resunet_small"]["optimal_batch_size"])
    check(sizes and sizes[-1] > 1, "even 20 s found nothing beyond batch 1: %s" % sizes)


def resume_writes_what_was_measured_but_not_written(folder):
    """bench died after the last block and before the files: --resume makes them, byte for byte, and measures nothing."""
    tuned(folder, "--batches", "1,2,4")
    path = os.path.join(folder, "out", "batch_sizes.json")
    with open(path, "rb") as f:
        before = f.read()
    os.unlink(path)
    name = os.listdir(os.path.join(folder, "out", "campaigns"))[0]
    os.unlink(os.path.join(folder, "out", "campaigns", name, "report.html"))
    done = bench("tune", "--resume", "--allow-scripted", "--out", "out", cwd=folder)
    check(done.returncode == 0, done.stderr)
    with open(path, "rb") as f:
        check(f.read() == before, "another file than before")
    rows = json.loads(bench("show", "campaigns", "--json", "--out", "out", cwd=folder).stdout)
    check(len(rows) == 1, "%d campaigns" % len(rows))


def resume_of_nothing_starts_anew(folder):
    tuned(folder, "--batches", "1,2")
    done = tuned(folder, "--batches", "1,2", "--resume")
    check(done.returncode == 0 and "a new one starts" in done.stderr, done.stderr)
    rows = json.loads(bench("show", "campaigns", "--json", "--out", "out", cwd=folder).stdout)
    check(len(rows) == 2, "%d campaigns" % len(rows))


# --- show, report ---------------------------------------------------------------------------------------------------

def show_prints_tables_with_units(folder):
    tuned(folder, "--batches", "1,2,4")
    done = bench("show", "--out", "out", cwd=folder)
    check(done.returncode == 0, done.stderr)
    for word in ("batch", "images_per_s", "1/s", "chosen", "resunet_small", "scripted"):
        check(word in done.stdout, "%s is missing:\n%s" % (word, done.stdout))
    check(ESCAPE not in done.stdout, "escape codes in a pipe")


def show_as_csv_and_json_agree(folder):
    tuned(folder, "--batches", "1,2,4")
    rows = list(csv.DictReader(io.StringIO(bench("show", "--csv", "--out", "out", cwd=folder).stdout)))
    curve = json.loads(bench("show", "--json", "--out", "out", cwd=folder).stdout)["targets"][0]["curve"]
    check([int(r["batch"]) for r in rows] == [p["batch"] for p in curve] == [1, 2, 4], str(rows))
    for row, point in zip(rows, curve):
        check(float(row["images_per_s"]) == point["images_per_s"] or
              abs(float(row["images_per_s"]) / point["images_per_s"] - 1) < 1e-5, str((row, point)))


def show_finds_campaigns_by_name(folder):
    tuned(folder, "--batches", "1,2")
    tuned(folder, "--batches", "1,2,4")
    rows = json.loads(bench("show", "campaigns", "--json", "--out", "out", cwd=folder).stdout)
    check(len(rows) == 2 and all(r["state"] == "done" and r["exit"] == 0 for r in rows), str(rows))
    old = json.loads(bench("show", rows[1]["campaign"], "--json", "--out", "out", cwd=folder).stdout)
    check([p["batch"] for p in old["targets"][0]["curve"]] == [1, 2], "the older campaign has other sizes")


def report_is_one_page(folder):
    tuned(folder, "--batches", "1,2,4")
    done = bench("report", "--out", "out", cwd=folder)
    check(done.returncode == 0, done.stderr)
    path = re.search(r"^page +(\S+)", done.stdout, re.M).group(1)
    with open(os.path.join(folder, path)) as f:
        page = f.read()
    check("resunet_small" in page and "</html>" in page, page[:500])
    check(not re.search(r"(src|href)=[\"']https?:", page), "the page loads something from elsewhere")


# --- signals and terminals ------------------------------------------------------------------------------------------

def start_slow(folder, stderr=subprocess.DEVNULL, **more):
    engine = scripted(folder, script=SLOW)
    return subprocess.Popen([BENCH, *tune_arguments(folder, engine, "--batches", "1,2", "--seed", "1")], cwd=folder,
                            env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, **more)


def wait_for_blocks(folder, count):
    """Waits until the campaign has stored so many blocks."""
    import sqlite3
    path = os.path.join(folder, "out", "bench.sqlite")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            connection = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
            seen = connection.execute("select count(*) from block where round > 0").fetchone()[0]
            connection.close()
            if seen >= count:
                return
        except sqlite3.Error:
            pass
        time.sleep(0.05)
    check(False, "no %d blocks in 60 s" % count)


def stop_leaves_a_valid_result(folder, number):
    process = start_slow(folder, stderr=subprocess.PIPE,  # nohup, if somebody runs the tests with it, is not meant here
                         preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    wait_for_blocks(folder, 8)
    process.send_signal(number)
    start = time.monotonic()
    said = process.communicate(timeout=30)[1].decode()
    code = process.returncode
    check(said.count("\nbench: ") == 1 and said.count("goes on where this stopped") == 1, said)
    check(time.monotonic() - start < 10, "it took too long to end")
    check(code == 4, "exit %d" % code)
    done = bench("verify", "out/batch_sizes.json", cwd=folder)
    check(done.returncode == 0, done.stdout + done.stderr)
    rows = json.loads(bench("show", "campaigns", "--json", "--out", "out", cwd=folder).stdout)
    check(rows[0]["state"] == "interrupted" and rows[0]["exit"] == 4, str(rows))


def ctrl_c_leaves_a_valid_result(folder):
    stop_leaves_a_valid_result(folder, signal.SIGINT)


def sigterm_leaves_a_valid_result(folder):
    stop_leaves_a_valid_result(folder, signal.SIGTERM)


def a_hang_up_leaves_a_valid_result(folder):
    stop_leaves_a_valid_result(folder, signal.SIGHUP)


def nohup_is_obeyed(folder):
    """A hang-up that is ignored, as nohup makes it, does not end a campaign."""
    process = start_slow(folder, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    wait_for_blocks(folder, 1)
    process.send_signal(signal.SIGHUP)
    wait_for_blocks(folder, 4)
    process.kill()
    process.wait()


def closed_streams_are_no_pipes(folder):
    """With standard input and error closed a worker's pipes are not mistaken for them."""
    def close():
        os.close(0)
        os.close(2)
    done = bench("list", "--json", cwd=folder, preexec_fn=close)
    engines = {e["engine"]: e for e in json.loads(done.stdout)["engines"]}
    check(engines["scripted"]["available"] == "yes", done.stdout)


def resume_goes_on_where_ctrl_c_stopped(folder):
    process = start_slow(folder)
    wait_for_blocks(folder, 8)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    done = bench("tune", "--resume", "--allow-scripted", "--out", "out", cwd=folder)
    check(done.returncode == 0, done.stderr)
    rows = json.loads(bench("show", "campaigns", "--json", "--out", "out", cwd=folder).stdout)
    check(len(rows) == 1 and rows[0]["state"] == "done" and rows[0]["exit"] == 0, str(rows))


def resume_with_another_plan_is_refused(folder):
    process = start_slow(folder)
    wait_for_blocks(folder, 4)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    done = bench("tune", "--resume", "--allow-scripted", "--input", "96x96", "--out", "out", cwd=folder)
    check(done.returncode == 2, "exit %d: %s" % (done.returncode, done.stderr))
    check("input" in done.stderr or "shape" in done.stderr or "96x96" in done.stderr, done.stderr)


def a_second_ctrl_c_kills(folder):
    process = start_slow(folder)
    wait_for_blocks(folder, 1)
    process.send_signal(signal.SIGSTOP)  # both signals arrive before it can end by itself
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    code = process.wait(timeout=30)
    check(code in (-signal.SIGINT, -signal.SIGTERM), "exit %d" % code)


def a_second_bench_names_the_first(folder):
    process = start_slow(folder)
    wait_for_blocks(folder, 1)
    done = tuned(folder, "--batches", "1,2")
    first = process.pid
    process.kill()
    process.wait()
    check(done.returncode == 3 and str(first) in done.stderr, "exit %d: %s" % (done.returncode, done.stderr))


def on_terminal(folder, arguments, env, columns=80):
    """What bench prints when standard output and error are a terminal."""
    primary, secondary = pty.openpty()
    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("4H", 25, columns, 0, 0))
    process = subprocess.Popen([BENCH, *arguments], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=secondary,
                               stderr=secondary)
    os.close(secondary)
    text = b""
    while True:
        ready, _, _ = select.select([primary], [], [], 60)
        try:
            piece = os.read(primary, 65536) if ready else b""
        except OSError:
            piece = b""
        if not piece:
            break
        text += piece
    os.close(primary)
    process.wait(timeout=60)
    return text.decode(errors="replace")


def colours_only_on_a_terminal(folder):
    """A terminal gets colours, one with NO_COLOR or TERM=dumb none, a pipe none."""
    tuned(folder, "--batches", "1,2,4")
    show = ["show", "--out", "out"]
    coloured = re.compile(r"\x1b\[[0-9;]*m")
    check(coloured.search(on_terminal(folder, show, environment(TERM="xterm"))), "no colours on a terminal")
    check(ESCAPE not in on_terminal(folder, show, environment(TERM="xterm", NO_COLOR="1")), "NO_COLOR is not obeyed")
    check(ESCAPE not in on_terminal(folder, show, environment(TERM="dumb")), "colours on a dumb terminal")
    done = bench(*show, cwd=folder, env=environment(TERM="xterm"))
    check(ESCAPE not in done.stdout, "colours in a pipe")


def a_pipe_gets_plain_progress(folder):
    done = tuned(folder, "--batches", "1,2,4")
    check(ESCAPE not in done.stdout + done.stderr and "\r" not in done.stdout + done.stderr, "escape codes in a pipe")


def a_terminal_gets_one_line(folder):
    engine = scripted(folder)
    text = on_terminal(folder, tune_arguments(folder, engine, "--batches", "1,2"), environment(TERM="xterm"))
    check("\r" in text.replace("\r\n", ""), "no line was redrawn")


def a_narrow_terminal_shows_what_happens(folder):
    """Where not all fits into 40 columns the target's name goes, not what is done and how far."""
    engine = scripted(folder)
    text = on_terminal(folder, tune_arguments(folder, engine, "--batches", "1,2"),
                       environment(TERM="xterm", NO_COLOR="1"), columns=40)
    drawn = re.findall(r"\r\x1b\[K([^\r\n]+)(?=\r\x1b)", text)
    check(drawn and max(map(len, drawn)) < 40, "too long for 40 columns: %s" % drawn)
    check(any("race batch" in line for line in drawn), "nothing is told: %s" % drawn)


TESTS = [
    help_names_every_verb, help_of_every_verb, every_flag_of_the_help_is_taken, tune_yaml_names_every_key, nightly_yaml_names_every_key_of_its_own,
    the_committed_configurations_are_good, version_is_one_line,
    list_tells_models_and_engines, list_says_why_an_engine_is_not_available, plan_expands_everything,
    plan_predicts_from_the_store,
    tune_decides_what_the_script_implies, tune_without_a_verb_is_tune, tune_tells_where_everything_is,
    what_a_file_made_small_is_named_without_it,
    tune_writes_what_verify_accepts, scripted_numbers_stay_out_of_the_file, tune_as_json,
    progress_goes_to_stderr_and_quiet_silences_it, the_same_seed_gives_the_same_file,
    unmeasured_models_are_carried_over, a_size_that_fails_is_named, no_size_at_all_is_bad_news,
    a_short_budget_is_inconclusive, resume_writes_what_was_measured_but_not_written, resume_of_nothing_starts_anew,
    show_prints_tables_with_units, show_as_csv_and_json_agree, show_finds_campaigns_by_name, report_is_one_page,
    ctrl_c_leaves_a_valid_result, sigterm_leaves_a_valid_result, a_hang_up_leaves_a_valid_result, nohup_is_obeyed,
    closed_streams_are_no_pipes, resume_goes_on_where_ctrl_c_stopped,
    resume_with_another_plan_is_refused, a_second_ctrl_c_kills, a_second_bench_names_the_first,
    colours_only_on_a_terminal, a_pipe_gets_plain_progress, a_terminal_gets_one_line,
    a_narrow_terminal_shows_what_happens,
]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
