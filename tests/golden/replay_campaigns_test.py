#!/usr/bin/env python3
"""Stored campaigns of every kind decide again to the same bits: `bench replay` on what `bench tune` has just stored.

The campaigns are scripted, in virtual time. Each script brings about one way in which a campaign can go, and the test
checks that it did go so; then every derived row (decision, whys, looks, verification, fill table, estimates) must come
out again from the blocks alone. Wrong twins: stores in which one derived value was changed or one row is missing.
"""
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from bench_runner import (BENCH, CURVE, bench, check, environment, run_tests, scripted, snapshot,  # noqa: E402
                          tune_arguments)

SMOOTH = "noise: [{kind: normal, sigma: 0.004, per: iteration}]\n"
HEAD = "time: virtual\nseed: 1\n"
HUMP = HEAD + "curve: {images_per_s: {1: 96, 2: 100, 4: 101, 8: 100.5, 16: 99, 32: 94, 64: 88}}\n"
KNEE = HEAD + "curve: {images_per_s: {1: 55, 2: 75, 4: 90, 8: 97, 16: 98, 32: 98.5}}\n"
NOISY = "noise: [{kind: normal, sigma: 0.01, per: block}, {kind: ar1, sigma: 0.012, rho: 0.97, per: block}]\n"


def tune(folder, script, *more, code=0, name="scripted"):
    engine = scripted(folder, name, script)
    done = bench(*tune_arguments(folder, engine, "--seed", "5", *more), cwd=folder)
    codes = code if isinstance(code, tuple) else (code,)
    check(done.returncode in codes, "tune: exit %d, not %s: %s" % (done.returncode, code, done.stderr[-1000:]))
    return done


def files_of(folder):
    """All but the two files in which SQLite keeps who reads and writes."""
    return {name: what for name, what in snapshot(folder).items() if not name.endswith(("-shm", "-wal"))}


def replay(folder, *more, code=0):
    """bench replay --json; it writes nothing."""
    before = files_of(os.path.join(folder, "out"))
    done = bench("replay", "--out", os.path.join(folder, "out"), "--json", *more, cwd=folder)
    check(done.returncode == code, "replay: exit %d, not %d: %s" % (done.returncode, code, done.stderr))
    check(files_of(os.path.join(folder, "out")) == before, "replay changed something")
    return json.loads(done.stdout) if done.stdout else None


def equal(folder, targets=1):
    """Replays the newest campaign; gives the decision of its first target and the reasons of its sizes."""
    answer = replay(folder)
    check(len(answer["targets"]) == targets, "%d targets" % len(answer["targets"]))
    for target in answer["targets"]:
        check(target["bit_equal"] is True and target["difference"] is None, target["difference"])
        check(target["blocks"] > 0, "no block")
    first = answer["targets"][0]["again"]
    return first["decision"], {row["batch"]: row["why"] for row in first["why"]}


def store_of(folder):
    return os.path.join(folder, "out", "bench.sqlite")


def ask(folder, sql):
    with sqlite3.connect("file:%s?mode=ro" % store_of(folder), uri=True) as store:
        return store.execute(sql).fetchall()


# --- campaigns --------------------------------------------------------------------------------------------------------

def decided(folder):
    tune(folder, CURVE)
    decision, whys = equal(folder)
    check((decision["batch"], decision["confidence"], decision["verified"]) == (8, "decided", True), decision)
    check(whys[4] == "slower" and whys[16] == "within_zone_but_larger", whys)
    for table in ["decision", "why", "look", "verification", "fill", "estimate"]:
        check(ask(folder, "SELECT count(*) FROM " + table)[0][0] > 0, "nothing in " + table)


def within(folder):
    """1 lies 4.95 % below the best: 40 rounds of a noisy machine do not resolve it, 2 is fast enough for sure."""
    tune(folder, HUMP + NOISY)
    decision, whys = equal(folder)
    check((decision["batch"], decision["confidence"]) == (2, "within"), decision)
    check(whys[1] in ("undecided", "unstable"), whys)


def undecided(folder):
    """So much noise that nothing can be told apart."""
    tune(folder, KNEE + "noise: [{kind: normal, sigma: 0.3, per: block}]\n", code=4)
    decision, _ = equal(folder)
    check(decision["confidence"] == "undecided" and decision["cause"], decision)


def cut_by_the_budget(folder):
    for budget in ["8s", "20s", "40s", "60s"]:
        shutil.rmtree(os.path.join(folder, "out"), ignore_errors=True)
        tune(folder, KNEE + NOISY, "--budget", budget, code=4)
        decision, whys = equal(folder)
        check(decision["cause"] == "budget" and (budget != "8s" or "not_tried_budget" in whys.values()), decision)
        check(ask(folder, "SELECT state FROM run_state ORDER BY rowid DESC LIMIT 1")[0][0] == "budget", budget)


def interrupted_and_resumed(folder):
    """Ended by SIGINT in the rounds, then gone on: both are replayed."""
    engine = scripted(folder, "scripted", KNEE + NOISY)
    words = [BENCH, *tune_arguments(folder, engine, "--seed", "5")]
    process = subprocess.Popen(words, cwd=folder, env=environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True)
    for line in process.stderr:
        if "race" in line or "round" in line:
            process.send_signal(signal.SIGINT)
            break
    process.stderr.read()
    process.wait()
    check(process.returncode == 4, "interrupted: exit %d" % process.returncode)
    decision, _ = equal(folder)
    check(not decision["verified"] and decision["cause"] == "interrupted", decision)
    done = bench(*tune_arguments(folder, engine, "--resume"), cwd=folder)
    check(done.returncode == 0, "resume: exit %d: %s" % (done.returncode, done.stderr[-1000:]))
    decision, _ = equal(folder)
    check((decision["batch"], decision["confidence"]) == (8, "decided"), decision)


def killed_and_not_resumed(folder):
    """Blocks may be newer than what was concluded: that is said, and nothing is called different."""
    tune(folder, CURVE)
    with sqlite3.connect(store_of(folder)) as store:
        run, end = store.execute("SELECT run, end_unix_s FROM run_state ORDER BY rowid DESC LIMIT 1").fetchone()
        store.execute("INSERT INTO run_state(run, end_unix_s, state, exit_code) VALUES (?, ?, 'running', -1)",
                      (run, end))
        store.execute("DELETE FROM why")
        store.execute("DELETE FROM decision")
    answer = replay(folder)
    check(answer["targets"][0]["bit_equal"] is None, answer["targets"][0]["difference"])
    check(answer["targets"][0]["again"]["decision"]["batch"] == 8, answer["targets"][0]["again"]["decision"])


def size_lost_by_crashes(folder):
    """The probe ends before the sixth call, the rounds do not; a fresh worker dies at its sixth, too."""
    tune(folder, KNEE + "noise: [{kind: normal, sigma: 0.03, per: block}]\n"
         "faults: [{at: run, batch: 16, call: 6, do: crash, times: 0}]\n", code=(0, 4))
    _, whys = equal(folder)
    check(whys[16] == "crashed", whys)
    check(ask(folder, "SELECT count(*) FROM mark WHERE batch = 16 AND reason = 'died'")[0][0] >= 1, "it never died")


def out_of_memory(folder):
    tune(folder, KNEE + SMOOTH + "memory: {fixed: 100MiB, per_image: 10MiB, fails: [16, 24, 32]}\n")
    decision, whys = equal(folder)
    check(whys[16] == whys[32] == "out_of_memory" and decision["batch"] == 8, (decision, whys))


def over_the_limit(folder):
    tune(folder, KNEE + SMOOTH, "--slo", "p95=60ms")
    decision, whys = equal(folder)
    check(decision["batch"] == 4 and whys[8] == "over_slo", (decision, whys))


def nothing_keeps_the_limit(folder):
    tune(folder, KNEE + SMOOTH, "--slo", "p95=2ms", code=(1, 2))  # 2: nor is there anything to write into the file
    decision, whys = equal(folder)
    check(decision["batch"] is None and whys[1] == "over_slo", (decision, whys))


def the_size_in_use_is_kept_then_goes(folder):
    """32 is in use; 8 turns out as good: pending in one tune, chosen in the next."""
    tune(folder, HEAD + "curve: {images_per_s: {1: 20, 2: 30, 4: 45, 8: 60, 16: 80, 32: 97}}\n" + SMOOTH)
    check(equal(folder)[0]["batch"] == 32, "32 is not in use")
    tune(folder, KNEE + SMOOTH)
    decision, whys = equal(folder)
    check((decision["batch"], decision["pending"]) == (32, 8) and whys[8] == "smaller_pending", (decision, whys))
    tune(folder, KNEE + SMOOTH)
    decision, _ = equal(folder)
    check((decision["batch"], decision["pending"]) == (8, None), decision)
    names = [name for name, in ask(folder, "SELECT name FROM run ORDER BY id")]
    for name, batch in zip(names, [32, 32, 8]):  # each by what was in use and pending then, not by what is now
        answer = replay(folder, name)
        check(answer["targets"][0]["bit_equal"] and answer["targets"][0]["again"]["decision"]["batch"] == batch, name)


def throttled_now_and_then(folder):
    tune(folder, KNEE + SMOOTH + "telemetry: {thermal_count: 0}\n"
         "throttle: [{from: 20, to: 200, every: 7, factor: 0.5, telemetry: {thermal_count: 3}}]\n")
    decision, _ = equal(folder)
    check((decision["batch"], decision["confidence"]) == (8, "decided"), decision)
    check(ask(folder, "SELECT count(*) FROM mark WHERE reason = 'thermal'")[0][0] > 3, "nothing was throttled")


def throttled_always(folder):
    tune(folder, KNEE + SMOOTH + "telemetry: {thermal_count: 3}\n", code=4)
    decision, _ = equal(folder)
    check((decision["confidence"], decision["cause"]) == ("undecided", "throttled"), decision)


def several_targets_and_given_sizes(folder):
    tune(folder, CURVE + "speed: {bf16: 2.0}\n", "--precision", "f32,bf16", "--batches", "8,1,3,16")
    answer = replay(folder)
    for target in answer["targets"]:
        check(target["bit_equal"] and [row["batch"] for row in target["again"]["why"]] == [1, 3, 8, 16], target)


def every_size_between(folder):
    tune(folder, KNEE + SMOOTH, "--refine")
    decision, whys = equal(folder)
    check("midpoint_no_gain" not in whys.values() and decision["confidence"] != "undecided", (decision, whys))


def another_objective(folder):
    tune(folder, KNEE + SMOOTH, "--objective", "latency")
    check(equal(folder)[0]["batch"] == 1, "the shortest time is that of 1")
    tune(folder, KNEE + SMOOTH + "telemetry: {energy_uj: 2000000}\n", "--objective", "energy", "--max-batch", "16",
         name="energy", code=(0, 4))
    check(equal(folder)[0]["batch"], "energy")


def an_engine_that_never_starts(folder):
    tune(folder, KNEE + "faults: [{at: load, call: 1, do: error, kind: model, message: no such layer, times: 0}]\n",
         code=2)
    answer = replay(folder)
    check(all(target["bit_equal"] for target in answer["targets"]), answer)


# --- wrong twins ------------------------------------------------------------------------------------------------------

# One value of each derived table, and what is put in its place.
FORGED = [("decision", "batch", "16"), ("decision", "noise_floor", "noise_floor + 1e-17"),
          ("decision", "reason", "'so'"), ("why", "m", "m * (1 + 1e-15)"), ("why", "reason", "'slower'"),
          ("look", "se", "se * (1 + 1e-15)"),
          ("look", "outcome", "'open'"), ("verification", "q", "q + 1e-9"), ("fill", "service_p50_ms", "7"),
          ("estimate", "y_low", "y_low - 1e-12"), ("estimate", "labels", "'flat'")]
# Tables, and the column whose largest value goes with all its rows.
MISSING = [("decision", "target"), ("why", "batch"), ("look", "look"), ("verification", "execution"),
           ("fill", "images"), ("estimate", "batch")]


def every_forged_value_is_found(folder):
    tune(folder, CURVE)
    equal(folder)
    shutil.copytree(os.path.join(folder, "out"), os.path.join(folder, "true"))
    for table, column, value in FORGED + [(name, None, key) for name, key in MISSING]:
        shutil.rmtree(os.path.join(folder, "out"))
        shutil.copytree(os.path.join(folder, "true"), os.path.join(folder, "out"))
        with sqlite3.connect(store_of(folder)) as store:
            if column:
                store.execute("UPDATE %s SET %s = %s" % (table, column, value))
            else:
                store.execute("DELETE FROM %s WHERE %s = (SELECT max(%s) FROM %s)" % (table, value, value, table))
        store.close()
        answer = replay(folder, code=1)
        difference = answer["targets"][0]["difference"] or ""
        check(difference.startswith(table) and (column or "") in difference,
              "%s.%s: %s" % (table, column or value, difference))


def derived_rows_come_back(folder):
    """Dropped, they are all made again from the blocks: the replay prints what the true store says."""
    tune(folder, KNEE + NOISY)
    before = replay(folder)["targets"][0]["again"]
    shown = {batch: (why, text) for batch, why, text in ask(folder, "SELECT batch, reason, text FROM why")}
    with sqlite3.connect(store_of(folder)) as store:
        for table in ("decision", "why", "look", "verification", "fill", "estimate"):
            store.execute("DELETE FROM " + table)
    store.close()
    again = replay(folder, code=1)["targets"][0]["again"]
    check(again == before, "another decision without the derived rows")
    check({row["batch"]: (row["why"], row["text"]) for row in again["why"]} == shown, "other reasons")


# --- other parameters -------------------------------------------------------------------------------------------------

def other_parameters_stand_beside(folder):
    """The same blocks under another margin, limit and objective; nothing is written."""
    tune(folder, CURVE)
    check("other_rules" not in replay(folder, "--within", "5"), "the parameters of then are no other ones")
    for more, batches, code in [(["--within", "3", "--alpha", "1"], [8, 16], 0), (["--within", "12"], [4], 0),
                                (["--within", "1"], [16, 32], (0, 4)), (["--objective", "latency"], [1], (0, 4)),
                                (["--slo", "p50=60ms"], [4], 0), (["--slo", "p50=1ms"], [None], 1)]:
        done = bench("replay", "--out", os.path.join(folder, "out"), "--json", *more, cwd=folder)
        codes = code if isinstance(code, tuple) else (code,)
        check(done.returncode in codes, "%s: exit %d: %s" % (more, done.returncode, done.stderr))
        target = json.loads(done.stdout)["targets"][0]
        check(target["bit_equal"] and target["again"]["decision"]["batch"] == 8, target["difference"])
        check(target["other"]["decision"]["batch"] in batches, "%s: %s" % (more, target["other"]["decision"]))
    text = bench("replay", "--out", os.path.join(folder, "out"), "--within", "12", cwd=folder).stdout
    for word in ["as stored:   within 5 %", "under these: within 12 %", "as stored:   optimal 8,",
                 "under these: optimal 4,", "bit-equal to what is stored"]:
        check(word in text, "%s is not in\n%s" % (word, text))


def a_store_that_nobody_may_write(folder):
    tune(folder, CURVE)
    out = os.path.join(folder, "out")
    os.chmod(store_of(folder), 0o444)
    os.chmod(out, 0o555)
    try:
        check(replay(folder)["targets"][0]["bit_equal"], "not equal")
    finally:
        os.chmod(out, 0o755)


def mistakes(folder):
    tune(folder, CURVE)
    out = os.path.join(folder, "out")
    for more, code, text in [(["--out", os.path.join(folder, "none")], 2, "does not exist"),
                             (["--out", out, "nightly"], 2, 'no campaign "nightly"'),
                             (["--out", out, "--noise", "typical"], 2, "name a --curve"),
                             (["--out", out, "x", "--curve", "knee"], 2, "exclude each other"),
                             (["--out", out, "--objective", "energy"], 2, "no block of campaign"),
                             (["--out", out, "--slo", "response:p95=1s"], 2, "not measured under arrivals"),
                             (["--out", out, "--within", "0"], 2, "1%..20%")]:
        done = bench("replay", *more, cwd=folder)
        check(done.returncode == code and text in done.stderr, "%s: exit %d, %s" % (more, done.returncode, done.stderr))


TESTS = [decided, within, undecided, cut_by_the_budget, interrupted_and_resumed, killed_and_not_resumed,
         size_lost_by_crashes, out_of_memory, over_the_limit, nothing_keeps_the_limit,
         the_size_in_use_is_kept_then_goes, throttled_now_and_then, throttled_always, several_targets_and_given_sizes,
         every_size_between, another_objective, an_engine_that_never_starts, every_forged_value_is_found,
         derived_rows_come_back, other_parameters_stand_beside, a_store_that_nobody_may_write, mistakes]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
