#!/usr/bin/env python3
"""What the store gives away and takes in: the files of a campaign again, its rows as lines of JSON, old blocks of
nights in an archive. A row that comes in is the row that went out, or nothing comes in at all.
"""
import glob
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from bench_runner import (BENCH, bench, check, environment, run_tests, scripted, snapshot,  # noqa: E402
                          tune_arguments, write)

made = {}                            # folders that several tests copy


def out_of(folder):
    return os.path.join(folder, "out")


def run(folder, *words, code=0, out=None, **how):
    done = bench(*words, "--out", out or out_of(folder), cwd=folder, **how)
    check(done.returncode == code, "%s: exit %d: %s%s" % (" ".join(words), done.returncode, done.stdout, done.stderr))
    return done


def copy_of(name, folder, make):
    """A folder that was made once: a campaign, or nights."""
    if name not in made:
        made[name] = "%s-%s" % (folder, name)
        os.mkdir(made[name])
        make(made[name])
    shutil.copytree(out_of(made[name]), out_of(folder))
    return folder


def make_campaign(folder):
    engine = scripted(folder)
    done = bench(*tune_arguments(folder, engine, "--batches", "1,2,4,8", "--seed", "3", "--quiet"), cwd=folder)
    check(done.returncode == 0, done.stderr)


def make_nights(folder):
    """A campaign and three nights, of 500, 450 and 1 days ago; a series of the second one was flagged."""
    make_campaign(folder)
    for _ in range(3):
        run(folder, "nightly", "--quiet")
    store = sqlite3.connect(os.path.join(out_of(folder), "bench.sqlite"))
    store.execute("DROP TRIGGER run_no_UPDATE")
    for number, days in enumerate((500, 450, 1)):
        store.execute("UPDATE run SET start_unix_s = start_unix_s - ? WHERE id = (SELECT id FROM run WHERE kind = "
                      "'night' ORDER BY id LIMIT 1 OFFSET ?)", (days * 86400, number))
    store.execute("CREATE TRIGGER run_no_UPDATE BEFORE UPDATE ON run BEGIN SELECT RAISE(ABORT, 'run holds what was "
                  "measured: it is never changed'); END")
    store.execute("UPDATE night SET flagged = 1 WHERE run = (SELECT id FROM run WHERE kind = 'night' ORDER BY id "
                  "LIMIT 1 OFFSET 1) AND batch = 8")
    store.commit()
    store.close()


def campaign(folder):
    return copy_of("campaign", folder, make_campaign)


def nights(folder):
    return copy_of("nights", folder, make_nights)


def lines(folder, *words, out=None):
    return run(folder, "export", *words, "--format", "jsonl", out=out).stdout


def count(folder, text):
    store = sqlite3.connect(os.path.join(out_of(folder), "bench.sqlite"))
    value = store.execute(text).fetchone()[0]
    store.close()
    return value


def read(path):
    with open(path, "rb") as f:
        return f.read()


# --- the two files ----------------------------------------------------------------------------------------------------

def the_two_files_again(folder):
    """`bench export` writes the bytes that tune wrote; a second time it touches nothing"""
    campaign(folder)
    names = [os.path.join(out_of(folder), name) for name in ("batch_sizes.json", "production_batch_config.json")]
    before = [read(name) for name in names]
    for name in names:
        os.unlink(name)
    run(folder, "export", "--allow-scripted")
    check([read(name) for name in names] == before, "other bytes than those of tune")
    done = run(folder, "export", "--allow-scripted")
    check(done.stderr.count("unchanged") == 2, done.stderr)
    done = run(folder, "export", "20990101-000000-0000", "--allow-scripted", code=2)
    check("campaign" in done.stderr and done.stderr.count("\n") == 1, done.stderr)
    done = run(folder, "export", code=2)  # numbers of the scripted engine are for tests only
    check("--allow-scripted" in done.stderr, done.stderr)


# --- lines ------------------------------------------------------------------------------------------------------------

def out_in_and_out_again(folder):
    """Export, import into an empty store, export: the same bytes; replay of what came in is bit-equal"""
    nights(folder)
    text = lines(folder)
    rows = [json.loads(line) for line in text.splitlines()]
    check(rows[0] == {"store": "bench", "schema": 5} and rows[-1] == {"end": True, "rows": len(rows) - 2}, text[-200:])
    samples = [row for row in rows if row.get("table") == "samples"]
    check(len(samples) == count(folder, "SELECT count(*) FROM samples"), "%d samples" % len(samples))
    check(all(isinstance(ns, int) for row in samples for ns in row["iteration_ns"]), "no integers")
    path = write(os.path.join(folder, "all.jsonl"), text)
    other = os.path.join(folder, "other")
    done = run(folder, "import", path, out=other)
    check(done.stdout == "%d rows are new, 0 were there already\n" % (len(rows) - 2), done.stdout)
    check(lines(folder, out=other) == text, "other bytes after the way through an empty store")
    done = run(folder, "import", path, out=other)
    check(done.stdout == "0 rows are new, %d were there already\n" % (len(rows) - 2), done.stdout)
    check(lines(folder, out=other) == text, "the second import changed something")
    done = run(folder, "replay", out=other)
    check("bit-equal" in done.stdout, done.stdout)
    check(run(folder, "history", out=other).stdout == run(folder, "history").stdout, "another history")


def a_store_that_has_rows_of_its_own(folder):
    """A campaign comes into a store with another one: new numbers, the same decisions, both replay; a second import
    adds nothing"""
    campaign(folder)
    mine = os.path.join(folder, "mine")
    words = tune_arguments(folder, scripted(folder, name="other"), "--batches", "1,2,4", "--seed", "9", "--quiet")
    words[words.index("--out") + 1] = mine
    done = bench(*words, cwd=folder)
    check(done.returncode == 0, done.stderr)
    name = count(folder, "SELECT name FROM run")
    path = write(os.path.join(folder, "one.jsonl"), lines(folder, name))
    done = run(folder, "import", path, out=mine)
    check(done.stdout.endswith(" rows are new, 1 were there already\n"), done.stdout)  # the form of the telemetry
    check(run(folder, "show", name, out=mine).stdout == run(folder, "show", name).stdout, "shown otherwise")
    run(folder, "replay", name, out=mine)
    before = lines(folder, out=mine)
    done = run(folder, "import", path, out=mine)
    check(done.stdout.startswith("0 rows are new, "), done.stdout)
    check(lines(folder, out=mine) == before, "the second import changed something")
    back = write(os.path.join(folder, "back.jsonl"), lines(folder, name, out=mine))  # with the other numbers
    done = run(folder, "import", back)
    check(done.stdout.startswith("0 rows are new, "), done.stdout)


def altered(text, table, change, number=0):
    """The text with one row of a table changed; and the number of its line."""
    rows = text.splitlines()
    at = [i for i, line in enumerate(rows) if json.loads(line).get("table") == table][number]
    row = json.loads(rows[at])
    change(row)
    rows[at] = json.dumps(row, separators=(",", ":"))
    return "\n".join(rows) + "\n", at + 1


def broken_lines_are_refused(folder):
    """Each mistake: exit 2, one sentence with file, line and column, and the store is as it was"""
    campaign(folder)
    text = lines(folder)
    other = os.path.join(folder, "other")
    write(os.path.join(folder, "none.jsonl"), "")
    whole = text.splitlines(keepends=True)

    def change(table, key, value):
        return altered(text, table, lambda row: row.update({key: value}))

    cases = [("cut off", ("".join(whole[:40]), 40), "was cut off"),
             ("half a line", ("".join(whole[:40]) + whole[40][:30], 41), ""),
             ("no number", change("block", "batch", "8"), '"batch" of block must be an integer, got "8"'),
             ("no kind", change("block", "kind", "raze"), '"kind" of block must be a kind of block'),
             ("no such table", change("look", "table", "lock"), 'there is no table "lock"'),
             ("an orphan", change("block", "execution", 4711), "refers to execution 4711, which no line above is"),
             ("changed samples", change("samples", "iteration_ns", [1, 2, 3]), "do not match their digest"),
             ("a new column", change("decision", "colour", "red"), "are known"),
             ("one row less", ("".join(whole[:-2] + whole[-1:]), len(whole) - 1), "rows were written"),
             ("a newer schema", (text.replace('"schema":5', '"schema":6', 1), 1), "schema 6, this program knows 5"),
             ("another file", ('{"batch_configurations":{}}\n', 1), "the first line must be")]
    run(folder, "import", write(os.path.join(folder, "all.jsonl"), text), out=other)
    before = lines(folder, out=other)
    for name, (bad, line), words in cases:
        path = write(os.path.join(folder, "bad.jsonl"), bad)
        for out in (other, os.path.join(folder, "empty")):
            done = run(folder, "import", path, code=2, out=out)
            check(done.stderr.startswith("bench: %s:%d:" % (path, line)), "%s: %s" % (name, done.stderr))
            check(words in done.stderr and done.stderr.count("\n") == 1, "%s: %s" % (name, done.stderr))
    check(lines(folder, out=other) == before, "something of a refused file came in")
    conflict, line = altered(text, "decision", lambda row: row.update(batch=2))
    done = run(folder, "import", write(os.path.join(folder, "bad.jsonl"), conflict), code=2, out=other)
    check(":%d:" % line in done.stderr and '"batch" of this row of decision is another' in done.stderr, done.stderr)
    conflict, line = altered(text, "run", lambda row: row.update(seed=4))
    done = run(folder, "import", write(os.path.join(folder, "bad.jsonl"), conflict), code=2, out=other)
    check(":%d:" % line in done.stderr and '"seed" of this row of run is another than in' in done.stderr, done.stderr)
    check(lines(folder, out=other) == before, "something of a conflicting file came in")
    check(run(folder, "import", os.path.join(folder, "not there.jsonl"), code=2).stderr.count("\n") == 1, "no sentence")


# --- what is made of what ---------------------------------------------------------------------------------------------

RAW = ("block", "samples", "telemetry")


def looking_back_reads_no_block(folder):
    """Verdict, history, backtest, export and plan do without the raw tables, so their time cannot grow with them; the
    wrong twin, replay, does not"""
    nights(folder)
    model = ["--model", "resunet_small", "--input", "64x64", "--engine", os.path.join(made["nights"], "scripted.yaml")]
    asked = [("nightly", "--status"), ("history",), ("backtest", "--quiet"), ("export", "--format", "csv"),
             ("plan", *model)]

    def answers():
        done = [bench(*words, "--out", out_of(folder), cwd=folder) for words in asked]
        return [(one.returncode, one.stdout, one.stderr) for one in done]
    before = answers()
    check([code for code, _, _ in before] == [1, 0, 0, 0, 0], "%s" % before)
    run(folder, "replay")
    store = sqlite3.connect(os.path.join(out_of(folder), "bench.sqlite"))
    for table in RAW:
        store.execute("ALTER TABLE %s RENAME TO %s_gone" % (table, table))
    store.commit()
    store.close()
    for words, was, now in zip(asked, before, answers()):
        check(now == was, "%s without blocks: %s" % (words[0], now))
    check(bench("replay", "--out", out_of(folder), cwd=folder).returncode == 3, "replay needs no block?")


DERIVED = ("estimate", "decision", "why", "look", "verification", "fill")


def what_was_decided_is_made_again(folder):
    """Everything that was derived of a campaign is dropped; --resume makes it again from the blocks, byte for byte, and
    measures nothing"""
    campaign(folder)
    before = lines(folder)
    store = sqlite3.connect(os.path.join(out_of(folder), "bench.sqlite"))
    dropped = {}
    for table in DERIVED:
        dropped[table] = store.execute("SELECT count(*) FROM %s" % table).fetchone()[0]
        store.execute("DELETE FROM %s" % table)
    store.commit()
    check(all(dropped.values()), "nothing to drop: %s" % dropped)
    blocks = store.execute("SELECT count(*) FROM block").fetchone()
    store.execute("INSERT INTO run_state (run, end_unix_s, state, exit_code) VALUES (1, 0, 'running', -1)")
    store.commit()
    run(folder, "tune", "--resume", "--allow-scripted", "--quiet")
    check(store.execute("SELECT count(*) FROM block").fetchone() == blocks, "it measured")
    store.close()

    def derived(text):
        return [line for line in text.splitlines() if any('"table":"%s"' % table in line for table in DERIVED)]
    check(derived(lines(folder)) == derived(before), "other rows than before")


def median(values):
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def values_of_a_night_follow_from_its_blocks(folder):
    """v, executions, blocks, the control's difference: medians over executions of medians of valid blocks, computed
    here from the raw rows alone"""
    nights(folder)
    store = sqlite3.connect(os.path.join(out_of(folder), "bench.sqlite"))
    rows = store.execute("SELECT run, target, batch, v, executions, blocks, control_z FROM night WHERE batch "
                         "> 0").fetchall()
    check(len(rows) == 6, "%d series-nights" % len(rows))  # 4 and its neighbour on three nights
    controls = 0
    for run_id, target, batch, v, executions, blocks, control_z in rows:
        medians = {}
        for label in ("AA-1", "AA-2", "normal"):
            by_execution = {}
            for execution, y in store.execute("SELECT b.execution, b.y FROM block AS b JOIN execution AS e ON e.id = "
                                              "b.execution WHERE e.target = ? AND b.batch = ? AND b.kind = 'night' AND "
                                              "b.valid AND e.label = ? ORDER BY b.id", (target, batch, label)):
                by_execution.setdefault(execution, []).append(y)
            medians[label] = [median(ys) for ys in by_execution.values()]
            if label != "AA-2" and medians[label]:
                check((len(by_execution), sum(map(len, by_execution.values()))) == (executions, blocks),
                      "night %d batch %d: %s" % (run_id, batch, by_execution))
        mine = medians["normal"] or medians["AA-1"]
        check(median(mine) == v, "night %d batch %d: %r, by hand %r" % (run_id, batch, v, median(mine)))
        check(sum(mine) / len(mine) != v, "the mean, the wrong twin, is the same")
        if control_z is not None:
            controls += 1
            check(median(medians["AA-1"]) - median(medians["AA-2"]) == control_z, "control of night %d" % run_id)
    check(controls == 3, "%d controls" % controls)
    store.close()


# --- prune ------------------------------------------------------------------------------------------------------------

def archives(folder):
    return sorted(glob.glob(os.path.join(out_of(folder), "archive-*.jsonl")))


def files_of(folder):
    """What is in the folder, without what SQLite keeps beside an open store."""
    return {name: value for name, value in snapshot(folder).items() if not name.endswith(("-wal", "-shm"))}


NIGHT_BLOCKS = ("SELECT count(*) FROM block AS b JOIN execution AS e ON e.id = b.execution JOIN target AS t ON t.id = "
                "e.target WHERE t.run = (SELECT id FROM run WHERE kind = 'night' ORDER BY id LIMIT 1 OFFSET %d)")


def old_blocks_go_and_come_back(folder):
    """--dry-run changes nothing; then the old night's blocks go, those of the flagged and of the new one stay, what the
    nights said is the same; import of the archive gives the same bytes as before"""
    nights(folder)
    before, seen = lines(folder), files_of(folder)
    history, shown = run(folder, "history").stdout, run(folder, "nightly", "--status", code=1).stdout  # BLIND before it
    blocks = [count(folder, NIGHT_BLOCKS % i) for i in range(3)]
    check(min(blocks) > 0, "%s" % blocks)
    done = run(folder, "prune", code=2)
    check("--keep" in done.stderr, done.stderr)
    done = run(folder, "prune", "--keep", "400d", "--dry-run")
    check(done.stdout.startswith("would take out  1 night, ") and "%d blocks" % blocks[0] in done.stdout, done.stdout)
    check("kept  1 night as old, with a flagged series" in done.stdout, done.stdout)
    check(files_of(folder) == seen, "--dry-run changed something")
    done = run(folder, "prune", "--keep", "400d")
    check(done.stdout.startswith("taken out  1 night, ") and len(archives(folder)) == 1, done.stdout)
    check([count(folder, NIGHT_BLOCKS % i) for i in range(3)] == [0] + blocks[1:], "the wrong blocks are gone")
    for table in ("samples", "telemetry"):
        check(count(folder, "SELECT count(*) FROM %s WHERE block NOT IN (SELECT id FROM block)" % table) == 0, table)
    check(run(folder, "history").stdout == history, "another history")
    check(run(folder, "nightly", "--status", code=1).stdout == shown, "another status")
    store = sqlite3.connect(os.path.join(out_of(folder), "bench.sqlite"))
    for table in ("block", "samples", "telemetry", "mark"):
        try:
            store.execute("DELETE FROM " + table)
            check(table == "mark" and count(folder, "SELECT count(*) FROM mark") == 0, "%s lost its trigger" % table)
        except sqlite3.Error as error:
            check("never changed" in str(error), str(error))
    store.close()
    done = run(folder, "prune", "--keep", "400d")
    check(done.stdout.startswith("nothing to take out") and len(archives(folder)) == 1, done.stdout)
    run(folder, "import", archives(folder)[0])
    check(lines(folder) == before, "the rows that came back are others")


def whole_again(folder, before, archived):
    """After whatever happened: with the archives, the rows are what they were."""
    for path in archives(folder):
        run(folder, "import", path)
        archived += 1
    check(lines(folder) == before, "rows were lost")
    return archived


def a_full_disk_takes_nothing_out(folder):
    """The archive cannot be written, or half of it can: exit 3, one sentence, every row still there, no file left"""
    nights(folder)
    before = lines(folder)
    files = sorted(os.listdir(out_of(folder)))
    for size in (0, 1000, 100000):
        done = run(folder, "prune", "--keep", "400d", code=3,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
        check(done.stderr.count("\n") == 1, done.stderr)
        check(lines(folder) == before, "rows are gone with %d bytes of room" % size)
        left = [name for name in sorted(os.listdir(out_of(folder))) if name not in files and "sqlite" not in name]
        check(not left, "left behind: %s" % left)


CALLS = "write,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat"


def can_trace():
    return shutil.which("strace") and subprocess.run(["strace", "-qq", "-o", os.devnull, "true"],
                                                     stderr=subprocess.DEVNULL).returncode == 0


def prune_under(folder, *rules):
    log = os.path.join(folder, "calls")
    done = subprocess.run(["strace", "-qq", "-o", log, "-e", "trace=" + CALLS, *rules, BENCH, "prune", "--keep", "400d",
                           "--out", out_of(folder)], cwd=folder, env=environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
    calls = read(log).decode(errors="replace").splitlines()
    return [line.split("(")[0] for line in calls if "(" in line], done.returncode


def killed_at_any_moment(folder):
    """kill -9 at moments from the first call that changes a file to the last: store and archive hold every row"""
    if not can_trace():
        print("# strace is missing here, or may not trace: not killed")
        return
    nights(folder)
    before = lines(folder)
    trial = os.path.join(folder, "trial")
    shutil.copytree(out_of(folder), out_of(trial))
    calls, code = prune_under(trial)
    check(code == 0 and len(calls) > 20, "%d calls, exit %d" % (len(calls), code))
    killed = archived = 0
    important = [i for i, name in enumerate(calls) if name.startswith(("rename", "fsync", "fdatasync", "ftruncate"))]
    moments = sorted({0, len(calls) - 1, *important[:6], *(len(calls) * k // 6 for k in range(6))})
    for at in moments:
        shutil.rmtree(trial)
        shutil.copytree(out_of(folder), out_of(trial))
        nth = calls[:at + 1].count(calls[at])
        _, code = prune_under(trial, "-e", "inject=%s:signal=KILL:when=%d" % (calls[at], nth))
        killed += code != 0
        archived = whole_again(trial, before, archived)
    check(2 * killed >= len(moments) and 0 < archived, "%d of %d were killed, %d had an archive" %
          (killed, len(moments), archived))


if __name__ == "__main__":
    status = run_tests([the_two_files_again, out_in_and_out_again, a_store_that_has_rows_of_its_own,
                        broken_lines_are_refused, looking_back_reads_no_block, what_was_decided_is_made_again,
                        values_of_a_night_follow_from_its_blocks, old_blocks_go_and_come_back,
                        a_full_disk_takes_nothing_out, killed_at_any_moment])
    for folder in made.values():
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(status)
