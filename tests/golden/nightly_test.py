#!/usr/bin/env python3
"""`bench nightly` on the scripted worker in virtual time: what nights say, and with which exit code.

One real night gives the series; the fourteen before it are its rows again, a little off, put into the store. Then the
worker's script changes: slower for good, slower once, too noisy to say, gone.
"""
import csv
import io
import json
import os
import re
import shutil
import sqlite3
import sys
import time
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from bench_runner import bench, check, run_tests, scripted, tune_arguments, write  # noqa: E402

SCRIPT = """
time: virtual
seed: %d
curve: {images_per_s: {1: %g, 2: %g, 4: %g, 8: %g, 16: %g}}
noise: [{kind: normal, sigma: 0.004, per: iteration}]
%s"""
CURVE = (55, 75, 90, 97, 98)
DAY = 86400
learned = None


def script(folder, factor=1.0, seed=1, more="", curve=CURVE):
    rates = tuple(factor * rate for rate in curve)
    scripted(folder, script=SCRIPT % ((seed,) + rates + (more,)))


def nightly(folder, *more):
    done = bench("nightly", "--out", os.path.join(folder, "out"), "--quiet", "--json", *more, cwd=folder)
    return done, json.loads(done.stdout) if done.stdout.strip() else None


def store_of(folder):
    return sqlite3.connect(os.path.join(folder, "out", "bench.sqlite"))


def columns_of(store, table):
    return [row[1] for row in store.execute("PRAGMA table_info(%s)" % table)]


def clone_nights(folder, count):
    """The only night becomes the newest of count + 1: copies one day apart before it, 0.2 % off."""
    store = store_of(folder)
    run_columns, night_columns = columns_of(store, "run"), columns_of(store, "night")
    run = store.execute("SELECT * FROM run WHERE kind = 'night'").fetchone()
    rows = store.execute("SELECT * FROM night").fetchall()
    at = {name: i for i, name in enumerate(run_columns)}
    for i in range(1, count + 1):
        copy = list(run)
        copy[at["id"]] = run[at["id"]] + i
        copy[at["name"]] = "copy-%d" % i
        copy[at["start_unix_s"]] = run[at["start_unix_s"]] - (count + 1 - i) * DAY
        store.execute("INSERT INTO run VALUES (%s)" % ",".join("?" * len(copy)), copy)
        store.execute("INSERT INTO run_state (run, end_unix_s, state, exit_code) VALUES (?, ?, 'done', 0)",
                      (copy[at["id"]], copy[at["start_unix_s"]] + 60))
        for row in rows:
            night = dict(zip(night_columns, row), run=copy[at["id"]])
            if night["v"] is not None:
                night["v"] += 0.002 if i % 2 else 0
            store.execute("INSERT INTO night VALUES (%s)" % ",".join("?" * len(night)), list(night.values()))
    store.commit()
    store.close()


def learn(folder):
    """A folder with fifteen nights behind it; made once, then copied."""
    global learned
    if learned is None:
        learned = folder + "-learned"
        script(learned)
        done = bench(*tune_arguments(learned, os.path.join(learned, "scripted.yaml"), "--batches", "1,2,4,8,16",
                                     "--quiet"), cwd=learned)
        check(done.returncode == 0, done.stderr)
        done, night = nightly(learned)
        check(done.returncode == 0 and night["verdict"] == "LEARNING", done.stdout + done.stderr)
        clone_nights(learned, 14)
        time.sleep(1.1)  # nights that follow begin in a later second: an accept counts from a second on
    for name in os.listdir(learned):
        source = os.path.join(learned, name)
        target = os.path.join(folder, name)
        shutil.copytree(source, target) if os.path.isdir(source) else shutil.copy(source, target)
    # the engine file of the campaign names the script by its path
    return learned


def run_here(folder, **change):
    """A night with the script changed; the stored engine file is that of the learned folder."""
    home = learn(folder)
    script(home, **change)
    try:
        return nightly(folder)
    finally:
        script(home)


def word_of(night, batch):
    return [s["verdict"] for s in night["series"] if s["series"].endswith("batch %d" % batch)][0]


def a_quiet_night_is_ok(folder):
    """Nothing changed: OK, exit 0, every series compared with its nights"""
    done, night = run_here(folder, seed=2)
    check(done.returncode == 0 and night["verdict"] == "OK", done.stdout + done.stderr)
    check(night["nights"] == 16 and all(s["base_nights"] >= 14 for s in night["series"]), done.stdout)
    check(all(abs(s["change_percent"]) < 1 for s in night["series"]), done.stdout)
    shown = bench("history", "MACHINE", "--out", os.path.join(folder, "out"), cwd=folder).stdout
    check(shown.endswith(" without a word: what is common to the series of a device is told from 8 of them on\n") and
          len(shown.splitlines()) == 2, shown)  # rule 7.2; three are watched here


def a_gross_loss_is_told_at_once(folder):
    """15 % slower, confirmed in fresh processes: REGRESSED the same night, path GROSS, exit 1"""
    done, night = run_here(folder, factor=0.85)
    check(done.returncode == 1 and night["verdict"] == "REGRESSED", done.stdout + done.stderr)
    check({s["path"] for s in night["series"]} == {"GROSS"}, done.stdout)
    check(all(abs(s["change_percent"] + 15) < 1 for s in night["series"]), done.stdout)
    check(all(abs(s["again_percent"] + 15) < 1 for s in night["series"]), done.stdout)
    labels = store_of(folder).execute("SELECT label, count(*) FROM execution WHERE label IN ('AA-1', 'AA-2', 'confirm') "
                                      "GROUP BY label").fetchall()
    check(sorted(labels) == [("AA-1", 10), ("AA-2", 10), ("confirm", 5)], "%s" % labels)  # two nights, one confirmation


def a_series_may_have_a_limit_of_its_own(folder):
    """nightly.series: where 8 % count, a loss of 5 % does not; groups have a MACHINE each; a pattern that matches nothing is told"""
    home = learn(folder)
    config = write(os.path.join(folder, "nightly.yaml"),
                   'nightly:\n  series: {"* batch 4": {delta: 8%}, "* batch 16": {group: small}, "unet *": {delta: 4%}}\n')
    script(home, factor=0.95)
    try:
        done = bench("nightly", "--out", os.path.join(folder, "out"), "--config", config, "--json", cwd=folder)
    finally:
        script(home)
    night = json.loads(done.stdout)
    check(done.returncode == 0 and night["verdict"] == "SUSPECT", done.stdout + done.stderr)
    words = {s["series"].split("batch ")[1]: s["verdict"] for s in night["series"]}
    check(words["4"] == "OK" and set(words.values()) == {"OK", "SUSPECT"}, "%s" % words)
    check('no series of tonight matches "unet *"' in done.stderr, done.stderr)
    store = store_of(folder)
    check(store.execute("SELECT DISTINCT delta FROM night WHERE name LIKE '% batch 4' ORDER BY delta").fetchall()
          == [(0,), (0.08,)], "delta is not stored")
    machines = store.execute("SELECT series FROM night WHERE target = 0 AND run = (SELECT max(run) FROM night) ORDER BY series")
    check([m for m, in machines] == ["MACHINE cpu:0", "MACHINE cpu:0 small"], "groups have no MACHINE")
    told = bench("backtest", "--out", os.path.join(folder, "out"), "--quiet", cwd=folder)
    check(told.returncode == 0 and "cpu:0 small: " in told.stdout, told.stdout + told.stderr)


def a_small_loss_needs_two_nights(folder):
    """5 % slower: SUSPECT with exit 0, then REGRESSED with exit 1"""
    done, night = run_here(folder, factor=0.95)
    check(done.returncode == 0 and night["verdict"] == "SUSPECT", done.stdout + done.stderr)
    script(learned, factor=0.95)
    done, night = nightly(folder)
    script(learned)
    check(done.returncode == 1 and {s["path"] for s in night["series"]} == {"TWO-NIGHT"}, done.stdout + done.stderr)


def an_accept_ends_the_red(folder):
    """5 % slower and accepted: the next night is OK; the history shows loss, accept and what follows"""
    out = os.path.join(folder, "out")
    run_here(folder, factor=0.95)
    refused = bench("accept", "--series", "batch", "--since", "last", "--reason", "x", "--out", out, cwd=folder)
    check(refused.returncode == 2 and "name one of them" in refused.stderr, refused.stderr)
    refused = bench("accept", "--series", "batch 8", "--since", "never", "--reason", "x", "--out", out, cwd=folder)
    check(refused.returncode == 2 and "there was no night" in refused.stderr, refused.stderr)
    done = bench("accept", "--device", "cpu:0", "--since", "last", "--reason", "slower on purpose", "--out", out,
                 cwd=folder)
    check(done.returncode == 0, done.stderr)
    script(learned, factor=0.95)
    done, night = nightly(folder)
    script(learned)
    check(done.returncode == 0 and night["verdict"] == "OK", done.stdout + done.stderr)
    check(all(s["base_nights"] == 1 for s in night["series"]), done.stdout)
    shown = bench("history", "batch 8", "--out", out, "--json", cwd=folder)
    series = json.loads(shown.stdout)["series"]
    check(len(series) == 1 and len(series[0]["nights"]) == 17, shown.stdout[:500])
    check([n["verdict"] for n in series[0]["nights"]][-2:] == ["LEARNING", "OK"] or
          [n["verdict"] for n in series[0]["nights"]][-2:] == ["SUSPECT", "OK"], shown.stdout[-900:])
    check(series[0]["nights"][-2]["events"].startswith("accepted"), shown.stdout[-900:])
    text = bench("history", "--out", out, cwd=folder).stdout
    check(text.count("resunet_small scripted") == 3, text[:500])


def history_names_what_changed(folder):
    """Another kernel between two nights stands beside the second one; a history without nights says what to do"""
    learn(folder)
    store = store_of(folder)
    run = store.execute("SELECT max(id) FROM run WHERE kind = 'night'").fetchone()[0]
    night = store.execute("SELECT id FROM run WHERE kind = 'night' AND name NOT LIKE 'copy%'").fetchone()[0]
    store.execute("INSERT INTO environment (run, execution, name, text, is_number, absent, source, class_name) SELECT "
                  "?, execution, name, CASE name WHEN 'kernel' THEN '9.9.9-test' ELSE text END, is_number, absent, "
                  "source, class_name FROM environment WHERE run = ? AND execution = 0", (run, night))
    store.execute("INSERT INTO environment (run, execution, name, text, is_number, absent, source, class_name) SELECT "
                  "?, execution, name, text, is_number, absent, source, class_name FROM environment WHERE run = ? AND "
                  "execution = 0", (run - 1, night))
    store.commit()
    store.close()
    done = bench("history", "batch 8", "--out", os.path.join(folder, "out"), cwd=folder)
    check(done.returncode == 0 and "-> 9.9.9-test" in done.stdout, done.stdout + done.stderr)
    plot = os.path.join(folder, "h.html")
    done = bench("history", "batch 8", "--out", os.path.join(folder, "out"), "--plot", plot, cwd=folder)
    check(done.returncode == 0, done.stderr)
    with open(plot) as f:
        page = f.read()
    check(page.count("<figure") == 1 and page.count('class="event"') == 1 and page.count("<circle") == 15, page[-3000:])
    check("9.9.9-test" in page and not re.search(r"(src|href)=|url\(|@import|<script", page), page[-3000:])
    done = bench("history", "--out", os.path.join(folder, "other"), cwd=folder)
    check(done.returncode == 2, done.stderr)


def the_backtest_counts(folder):
    """Quiet nights give no alarm; with too few nights nothing is shuffled, with enough the losses are found"""
    out = os.path.join(folder, "out")
    learn(folder)
    done = bench("backtest", "--out", out, "--json", "--quiet", cwd=folder)
    device = json.loads(done.stdout)["devices"][0]
    check(done.returncode == 0 and device["nights"] == 15 and device["series"] == 3, done.stdout + done.stderr)
    check(len(device["alarms"]) == 1 and device["alarms"][0]["alarms"] == 0 and device["losses"] == [], done.stdout)
    store = store_of(folder)
    columns = columns_of(store, "night")
    rows = store.execute("SELECT * FROM night WHERE run = (SELECT max(run) FROM night)").fetchall()
    for i in range(30):  # thirty more
        for row in rows:
            night = dict(zip(columns, row), run=1000 + i)
            if night["v"] is not None:
                night["v"] += 0.003 * ((i * 7) % 5 - 2)
            store.execute("INSERT INTO night VALUES (%s)" % ",".join("?" * len(night)), list(night.values()))
    store.commit()
    store.close()
    done = bench("backtest", "--out", out, "--json", "--quiet", cwd=folder)
    device = json.loads(done.stdout)["devices"][0]
    stored, shuffled = device["alarms"]
    check(device["nights"] == 45 and stored["alarms"] == 0, done.stdout)
    check(shuffled["alarms"] / shuffled["series_nights"] <= 1e-3, done.stdout)
    check(shuffled["series_nights"] == 1000 * 3 * (45 - 14), done.stdout)  # no MACHINE with three series
    found = {round(row["loss_percent"]): row for row in device["losses"]}
    check(found[15]["by_night_1_percent"] > 90 and found[10]["by_night_2_percent"] > 90, done.stdout)
    night = nightly(folder, "--status", "--every", "1000h")[1]  # nothing found: the published 2.8e-5, four rows with MACHINE
    check(night["alpha_source"] == "published" and abs(night["n_alpha"] - 4 * 2.8e-5) < 1e-9, "%s" % night)
    store = store_of(folder)
    kept = store.execute("SELECT e.number FROM environment e JOIN run r ON e.run = r.id WHERE r.kind = 'backtest' AND "
                         "e.name = 'alpha'").fetchall()
    check(len(kept) == 1 and kept[0][0] == shuffled["alarms"] / shuffled["series_nights"], "%s" % kept)
    store.execute("INSERT INTO environment (run, execution, name, text, is_number, number, absent, source, class_name) "
                  "SELECT max(id), 0, 'alpha', '', 1, 0.001, '', 'backtest', 'context' FROM run WHERE kind = 'backtest'")
    store.commit()
    store.close()
    night = nightly(folder, "--status", "--every", "1000h")[1]
    check(night["alpha_source"] == "backtest" and abs(night["n_alpha"] - 0.004) < 1e-9, "%s" % night)


def other_programs_read_it(folder):
    """A red night as CSV, Markdown, JUnit XML and OpenMetrics; the page loads nothing and names the verdict"""
    out = os.path.join(folder, "out")
    run_here(folder, factor=0.85)
    got = {}
    for name in ("csv", "markdown", "junit", "openmetrics"):
        done = bench("export", "--format", name, "--out", out, cwd=folder)
        check(done.returncode == 0, done.stderr)
        got[name] = done.stdout
    suite = xml.etree.ElementTree.fromstring(got["junit"])[0]
    check((suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "3", "0"), got["junit"])
    check(len(suite.findall("testcase/failure")) == 3, got["junit"])
    rows = list(csv.DictReader(io.StringIO(got["csv"])))
    check(len(rows) == 3 and all(row["verdict"] == "REGRESSED" for row in rows), got["csv"])
    check(got["markdown"].startswith("**REGRESSED** slower than before: ") and got["markdown"].count("\n| resunet") == 3,
          got["markdown"])
    lines = got["openmetrics"].splitlines()
    check(lines[-1] == "# EOF" and sum(line.startswith("bench_night_regressed{") and line.endswith(" 1") for line in lines)
          == 3, got["openmetrics"])
    names = [line.split("{")[0] for line in lines if not line.startswith("#")]
    check(names == sorted(names, key=names.index) and len(set(names)) == 3, got["openmetrics"])  # families in one piece
    with open(os.path.join(out, "nightly.html")) as f:
        page = f.read()
    check("<b>REGRESSED</b>" in page and page.count("<figure") == 3, page[:300])
    check(not re.search(r"(src|href)=|url\(|@import|<script", page), "the page loads something")
    before = page
    done = bench("report", "--nightly", "--out", out, cwd=folder)
    check(done.returncode == 0 and done.stdout.startswith("page "), done.stdout + done.stderr)
    with open(os.path.join(out, "nightly.html")) as f:
        page = f.read()
    cut = re.compile("<pre>.*</pre>", re.S)  # the command that made it
    check(cut.sub("", page) == cut.sub("", before), "the page made again is another")
    done = bench("report", "--nightly", "copy-3", "--out", out, cwd=folder)
    check(done.returncode == 0, done.stderr)
    done = bench("export", "1999-01-01", "--format", "csv", "--out", out, cwd=folder)
    check(done.returncode == 2 and "no night" in done.stderr, done.stderr)


def the_status_measures_nothing(folder):
    """--status tells the newest night again; when the last one is five days ago it is BLIND with exit 1"""
    out = os.path.join(folder, "out")
    run_here(folder, seed=2)
    executions = store_of(folder).execute("SELECT count(*) FROM execution").fetchone()
    done, night = nightly(folder, "--status")
    check(done.returncode == 0 and night["verdict"] == "OK" and night["nights"] == 16, done.stdout + done.stderr)
    check(store_of(folder).execute("SELECT count(*) FROM execution").fetchone() == executions, "it measured")
    store = store_of(folder)
    store.execute("DELETE FROM night WHERE run IN (SELECT id FROM run WHERE name NOT LIKE 'copy-%')")
    store.execute("DELETE FROM night WHERE run IN (SELECT id FROM run WHERE name IN ('copy-14', 'copy-13', 'copy-12', "
                  "'copy-11'))")
    store.commit()
    store.close()
    done, night = nightly(folder, "--status")
    check(done.returncode == 1 and night["verdict"] == "BLIND", done.stdout + done.stderr)
    done, night = nightly(folder)
    check(done.returncode == 1 and night["verdict"] == "BLIND" and "days ago" in night["gap"], done.stdout + done.stderr)


def a_gain_never_fails(folder):
    """15 % faster: IMPROVED, exit 0"""
    done, night = run_here(folder, factor=1.15)
    check(done.returncode == 0 and night["verdict"] == "IMPROVED", done.stdout + done.stderr)


def what_moved_is_raced_again(folder):
    """4 becomes as good as the 8 in use, nothing is slower: MAYBE_MOVED, then MOVED; --fail-on moved exits 1, --retune races it"""
    curve = (55, 75, 97, 97, 98)  # 4 is within 5 % of the best: 97 >= 0.95 x 98; before it was 90, 8 % below
    done, night = run_here(folder, curve=curve)
    check(done.returncode == 0 and night["advice"] is None, done.stdout + done.stderr)
    check([s["moved"] for s in night["series"]] == [None, "MAYBE_MOVED", None], done.stdout)  # batch 4, 8, 16
    script(learned, curve=curve)
    done, night = nightly(folder, "--fail-on", "moved", "--retune")
    script(learned)
    check(done.returncode == 1 and "batch 8" in night["advice"] and "--retune" in night["advice"], done.stdout + done.stderr)
    check(night["verdict"] in ("OK", "IMPROVED"), done.stdout)  # batch 4 became faster
    store = store_of(folder)
    tunes = store.execute("SELECT id FROM run WHERE kind = 'tune' ORDER BY id").fetchall()
    check(len(tunes) == 2, "%s" % tunes)
    raced = store.execute("SELECT count(*) FROM target WHERE run = ?", tunes[1]).fetchone()[0]
    check(raced == 1, "%d targets" % raced)
    done = bench("show", "--json", "--out", os.path.join(folder, "out"), cwd=folder)
    check(done.returncode in (0, 4), done.stderr)
    why = done.stdout
    check("pending" in why or '"optimal": 4' in why, why[:3000])


def what_moved_and_is_slower_is_repaired_first(folder):
    """8 and 16 lose 17 %: 4 would be chosen, but the loss comes first, and --retune races nothing"""
    curve = (55, 75, 90, 97 * .83, 98 * .83)
    run_here(folder, curve=curve)
    script(learned, curve=curve)
    done, night = nightly(folder, "--retune")
    script(learned)
    check(done.returncode == 1 and night["verdict"] == "REGRESSED", done.stdout + done.stderr)
    check("repair that first" in night["advice"] and "--retune" not in night["advice"], done.stdout)
    check(store_of(folder).execute("SELECT count(*) FROM run WHERE kind = 'tune'").fetchone() == (1,), "it raced")


def every_model_of_the_file_is_watched(folder):
    """Two models tuned one after another stand in batch_sizes.json: a night watches both, a named campaign its own"""
    script(folder)
    engine = os.path.join(folder, "scripted.yaml")
    for model in ("resunet_small", "hrnet"):
        arguments = tune_arguments(folder, engine, "--batches", "1,2,4", "--quiet")
        arguments[arguments.index("resunet_small")] = model
        done = bench(*arguments, cwd=folder)
        check(done.returncode in (0, 4), done.stderr)
    done, night = nightly(folder)
    check(done.returncode == 0, done.stdout + done.stderr)
    check({s["series"].split()[0] for s in night["series"]} == {"hrnet", "resunet_small"}, done.stdout)
    first = store_of(folder).execute("SELECT name FROM run WHERE kind = 'tune' ORDER BY id").fetchone()[0]
    done, night = nightly(folder, first)
    check({s["series"].split()[0] for s in night["series"]} == {"resunet_small"}, done.stdout + done.stderr)


def the_budget_of_the_campaign_is_not_the_night_s(folder):
    """A campaign of 20 s was tuned: the night, which takes longer, is measured to its end"""
    script(folder)
    done = bench(*tune_arguments(folder, os.path.join(folder, "scripted.yaml"), "--batches", "1,2", "--quiet", "--budget",
                                 "20s"), cwd=folder)
    check(done.returncode in (0, 4), done.stderr)
    done, night = nightly(folder)
    check(done.returncode == 0 and night["verdict"] == "LEARNING", done.stdout + done.stderr)
    store = store_of(folder)
    took = store.execute("SELECT (max(b.end_ns) - min(b.start_ns)) / 1e9 FROM block b WHERE b.kind = 'night'").fetchone()[0]
    check(took > 20, "%g s: too short to show anything" % took)


def a_night_may_be_due_every_hour(folder):
    """--every 1h: four hours without a night are BLIND for --status; the page of a night keeps the setting of its run"""
    learn(folder)
    store = store_of(folder)
    store.execute("DELETE FROM night WHERE run IN (SELECT id FROM run WHERE name NOT LIKE 'copy-%')")  # newest: a day ago
    store.commit()
    store.close()
    done, night = nightly(folder, "--status")
    check(done.returncode == 0 and night["verdict"] == "LEARNING", done.stdout + done.stderr)
    done, night = nightly(folder, "--status", "--every", "1h")
    check(done.returncode == 1 and night["verdict"] == "BLIND", done.stdout + done.stderr)
    done, night = nightly(folder, "--every", "7s")
    check(done.returncode == 2 and night is None, done.stdout + done.stderr)
    done, night = nightly(folder, "--every", "8h")  # a day after the newest copy: nights of hour 8 and 16 are missing
    check(done.returncode == 0, done.stdout + done.stderr)
    lines = bench("history", "--out", os.path.join(folder, "out"), "--csv", cwd=folder).stdout.splitlines()
    check("2 nights absent before" in lines[-1], lines[-1])


def a_broken_engine_is_the_environment(folder):
    """No worker answers: ENV_BROKEN, exit 3, and no word about speed"""
    home = learn(folder)
    engine = os.path.join(home, "scripted.yaml")
    with open(engine) as f:
        text = f.read()
    write(engine, 'name: scripted\ncommand: ["bench-worker-scripted-gone"]\n')
    try:
        done, night = nightly(folder)
    finally:
        write(engine, text)
    check(done.returncode == 3, "exit %d: %s" % (done.returncode, done.stderr))
    check(night is None or night["verdict"] == "ENV_BROKEN", done.stdout)


def without_a_campaign_it_says_so(folder):
    """Nothing was ever tuned: exit 2, one sentence"""
    done, night = nightly(folder)
    check(done.returncode == 2 and night is None and done.stderr.count("\n") == 1, done.stderr)


def the_table_is_for_people(folder):
    """Without --json: verdict and sentence first, then a line per series"""
    learn(folder)
    done = bench("nightly", "--out", os.path.join(folder, "out"), "--quiet", cwd=folder)
    lines = done.stdout.splitlines()
    check(done.returncode == 0 and lines[0].startswith("OK  everything is as it was"), done.stdout + done.stderr)
    check(sum("resunet_small" in line for line in lines) == 3, done.stdout)


if __name__ == "__main__":
    status = run_tests([a_quiet_night_is_ok, a_gross_loss_is_told_at_once, a_series_may_have_a_limit_of_its_own,
                        a_small_loss_needs_two_nights,
                        an_accept_ends_the_red, history_names_what_changed, the_backtest_counts, other_programs_read_it,
                        the_status_measures_nothing,
                        a_gain_never_fails, what_moved_is_raced_again, what_moved_and_is_slower_is_repaired_first,
                        every_model_of_the_file_is_watched,
                        the_budget_of_the_campaign_is_not_the_night_s, a_night_may_be_due_every_hour,
                        a_broken_engine_is_the_environment, without_a_campaign_it_says_so,
                        the_table_is_for_people])
    if learned:
        shutil.rmtree(learned, ignore_errors=True)
    sys.exit(status)
