#!/usr/bin/env python3
"""The store under bench: in use by another, damaged, newer, in a read-only folder, on a full disk."""
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from bench_runner import BENCH, bench, check, environment, run_tests, scripted, tune_arguments, write  # noqa: E402

SLOW = """
time: real
curve: {fixed: 20ms, per_image: 1ms}
"""


def store_of(folder):
    return os.path.join(folder, "out", "bench.sqlite")


def tune(folder, *more, **how):
    return bench(*tune_arguments(folder, scripted(folder), "--batches", "1,2", "--seed", "5", *more), cwd=folder, **how)


def content(path):
    with open(path, "rb") as f:
        return f.read()


def second_bench_exits_3_with_the_pid_of_the_first(folder):
    engine = scripted(folder, script=SLOW)
    first = subprocess.Popen([BENCH, *tune_arguments(folder, engine, "--batches", "1", "--quiet")], cwd=folder,
                             env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        lock = store_of(folder) + ".lock"
        until = time.monotonic() + 20
        while time.monotonic() < until and not (os.path.exists(lock) and content(lock)):
            time.sleep(0.02)
        second = tune(folder)
        check(first.poll() is None, "the first one ended before the second was tried")
        check(second.returncode == 3, "exit %d: %s" % (second.returncode, second.stderr))
        check("process %d" % first.pid in second.stderr, "the first one's pid is not in: %s" % second.stderr)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    third = tune(folder)
    check(third.returncode in (0, 4), "after the first was killed: exit %d: %s" % (third.returncode, third.stderr))


def a_damaged_store_is_refused_and_not_touched(folder):
    write(store_of(folder), b"SQLite format 3\0" + bytes(range(256)) * 40)
    before = content(store_of(folder))
    for verb in (tune(folder), bench("show", "--out", os.path.join(folder, "out"), cwd=folder)):
        check(verb.returncode == 3, "exit %d: %s" % (verb.returncode, verb.stderr))
        check("bench.sqlite" in verb.stderr and len(verb.stderr.strip().splitlines()) == 1, verb.stderr)
    check(content(store_of(folder)) == before, "the file was changed")


def a_newer_store_is_refused_with_both_numbers(folder):
    check(tune(folder).returncode in (0, 4), "the campaign before it failed")
    db = sqlite3.connect(store_of(folder))
    db.execute("PRAGMA user_version = 9")
    db.close()
    for verb in (tune(folder), bench("show", "--out", os.path.join(folder, "out"), cwd=folder)):
        check(verb.returncode == 2, "exit %d: %s" % (verb.returncode, verb.stderr))
        check("schema 9" in verb.stderr and "knows 5" in verb.stderr, verb.stderr)


def a_folder_that_may_not_be_written(folder):
    """A folder that may not be written: tune exits 3 in one sentence (root may write everywhere: a file is in its place)."""
    if os.geteuid() == 0:
        write(os.path.join(folder, "out"), b"a file, no folder")
    else:
        os.mkdir(os.path.join(folder, "out"), 0o555)
    done = tune(folder)
    check(done.returncode == 3, "exit %d: %s" % (done.returncode, done.stderr))
    check(len([line for line in done.stderr.splitlines() if line.startswith("bench:")]) == 1, done.stderr)


def limited(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def a_full_disk_loses_nothing_and_resume_goes_on(folder):
    """A full disk (files may not grow further): exit 3, one sentence, what was stored stays, --resume goes on."""
    done = tune(folder, preexec_fn=limited(500000))
    check(done.returncode == 3, "exit %d: %s" % (done.returncode, done.stderr))
    check("bench.sqlite" in done.stderr, done.stderr)
    db = sqlite3.connect(store_of(folder))
    check(db.execute("PRAGMA integrity_check").fetchone()[0] == "ok", "the store is damaged")
    before = db.execute("SELECT count(*) FROM block").fetchone()[0]
    check(before > 0, "no block was stored before the disk was full")
    orphans = db.execute("SELECT count(*) FROM block WHERE id NOT IN (SELECT block FROM samples)").fetchone()[0]
    check(orphans == 0, "%d blocks have no samples" % orphans)
    db.close()
    again = tune(folder, "--resume")
    check(again.returncode in (0, 4), "resume: exit %d: %s" % (again.returncode, again.stderr))
    db = sqlite3.connect(store_of(folder))
    check(db.execute("SELECT count(*) FROM block").fetchone()[0] > before, "nothing was added")
    check(db.execute("SELECT count(*) FROM run").fetchone()[0] == 1, "it began again instead of going on")
    db.close()


def raw_rows_cannot_be_changed(folder):
    check(tune(folder).returncode in (0, 4), "the campaign failed")
    db = sqlite3.connect(store_of(folder))
    for statement in ("UPDATE block SET y = 0", "DELETE FROM samples", "UPDATE run SET seed = 1", "DELETE FROM telemetry"):
        try:
            db.execute(statement)
            check(False, "%s was allowed" % statement)
        except sqlite3.Error as error:
            check("never changed" in str(error), str(error))
    db.close()


if __name__ == "__main__":
    sys.exit(run_tests([second_bench_exits_3_with_the_pid_of_the_first, a_damaged_store_is_refused_and_not_touched,
                        a_newer_store_is_refused_with_both_numbers, a_folder_that_may_not_be_written,
                        a_full_disk_loses_nothing_and_resume_goes_on, raw_rows_cannot_be_changed]))
