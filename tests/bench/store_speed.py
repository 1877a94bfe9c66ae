#!/usr/bin/env python3
"""A long history: what it costs to judge one more night, to look back, and to keep it.

One campaign and one night of 60 series (15 invented models, 4 sizes each; 50 blocks of 5 iterations a series) are
measured on the scripted worker in virtual time. That night, with noise of a fixed seed and readings of a real machine's
size, is copied into the store of 400 nights. Times are of whole commands, with the file out of the page cache. A night
measures too, and waits for the disk at every block: what the history costs it is its processor time less that of the
same night after one night only (medians of three); what it reads of the disk is what --status reads.

usage: store_speed.py [NIGHTS]   (BENCH_BIN: the programs)
"""
import os
import random
import resource
import shutil
import sqlite3
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from bench_runner import ROOT, bench, scripted, write  # noqa: E402

MODELS = 15
SCRIPT = """
time: virtual
seed: 1
curve: {images_per_s: {1: 55, 2: 75, 4: 90, 8: 97, 16: 98, 32: 98.5}}
noise: [{kind: normal, sigma: 0.004, per: iteration}]
"""
FORM = ('[["nr_throttled","cgroup cpu.stat","","not_found"],["steal_ns","/proc/stat","",""],["psi_cpu_some_usec",'
        '"/proc/pressure/cpu","",""],["involuntary_switches","/proc/PID/task","",""],["voluntary_switches",'
        '"/proc/PID/task","",""],["minor_faults","/proc/PID/stat","",""],["major_faults","/proc/PID/stat","",""],'
        '["cpu_ns","/proc/PID/stat","",""],["worker_threads","/proc/PID/stat","",""],["rss_bytes","/proc/PID/status","",""],["peak_rss_bytes",'
        '"/proc/PID/status","",""],["clock_khz","scaling_cur_freq","","not_found"]]')
DAY = 86400


# --- the store --------------------------------------------------------------------------------------------------------

def invented_models(folder):
    """Model files that differ by their name: the scripted worker computes nothing."""
    with open(os.path.join(ROOT, "configs", "models", "resunet_small.yaml")) as f:
        text = f.read()
    names = ["model_%02d" % i for i in range(MODELS)]
    return [write(os.path.join(folder, name + ".yaml"), text.replace("resunet_small", name, 1)) for name in names]


def first_night(folder):
    """Campaign and one night; the arguments of another night."""
    out = os.path.join(folder, "out")
    engine = scripted(folder, script=SCRIPT)
    done = bench("tune", "--model", ",".join(invented_models(folder)), "--input", "64x64", "--engine", engine,
                 "--no-gate", "--allow-scripted", "--max-batch", "32", "--out", out, "--quiet", cwd=folder, timeout=3600)
    if done.returncode != 0:
        sys.exit("the campaign failed: " + done.stderr)
    night(folder)
    return out


def processor_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def night(folder):
    """One night; processor seconds of bench and its workers."""
    start = processor_s()
    done = bench("nightly", "--quiet", "--seed", "7", "--out", os.path.join(folder, "out"), cwd=folder, timeout=3600)
    if done.returncode not in (0, 1):
        sys.exit("a night failed: " + done.stderr)
    return processor_s() - start


def columns(store, table):
    return [row[1] for row in store.execute('PRAGMA table_info("%s")' % table)]


def copy_rows(store, table, where, shift, change=None):
    """Rows of the first night once more: numbers moved by `shift` {column: steps}, other columns as `change` says."""
    names = columns(store, table)
    terms = [(change or {}).get(name) or ('"%s" + %d' % (name, shift[name]) if name in shift else '"%s"' % name)
             for name in names]
    store.execute('INSERT INTO "%s" (%s) SELECT %s FROM "%s" WHERE %s' %
                  (table, ",".join('"%s"' % name for name in names), ",".join(terms), table, where))


class Clone:
    """The newest night, to be copied: its rows by number, and how far numbers move from copy to copy."""

    def __init__(self, store):
        self.store, self.draw = store, random.Random(20260301)
        one = lambda text: store.execute(text).fetchone()  # noqa: E731
        self.run, self.start = one("SELECT id, start_unix_s FROM run WHERE kind = 'night'")
        self.targets = one("SELECT min(id), max(id) FROM target WHERE run = %d" % self.run)
        self.executions = one("SELECT min(id), max(id) FROM execution WHERE target BETWEEN %d AND %d" % self.targets)
        self.blocks = one("SELECT min(id), max(id) FROM block WHERE execution BETWEEN %d AND %d" % self.executions)
        self.steps = {"target": self.targets[1] - self.targets[0] + 1,
                      "execution": self.executions[1] - self.executions[0] + 1,
                      "block": self.blocks[1] - self.blocks[0] + 1}
        store.execute("INSERT INTO telemetry_form (text) VALUES (?)", (FORM,))
        self.form = one("SELECT max(id) FROM telemetry_form")[0]

    def readings(self, number):
        draw = self.draw.randrange
        first = self.blocks[0] + number * self.steps["block"]
        for block in range(first, first + self.steps["block"]):
            rss = 250000000 + 4096 * draw(20000)
            yield block, self.form, "[0,%d,%d,%d,%d,0,%d,2,%d,%d]" % (draw(20000), draw(100), draw(2000), draw(1000),
                                                                       10000000 * draw(600), rss, rss)

    def night_rows(self, number, run):
        names = columns(self.store, "night")
        common = self.draw.gauss(0, 0.004)
        for row in self.store.execute("SELECT * FROM night WHERE run = ?", (self.run,)).fetchall():
            values = dict(zip(names, row), run=run)
            values["target"] += number * self.steps["target"] if values["target"] else 0
            if values["v"] is not None:
                values["v"] += common + self.draw.gauss(0, 0.006)
            yield tuple(values[name] for name in names)

    def copy(self, number, count):
        store, run = self.store, self.run + number
        name = "'copy-%04d'" % number
        target, execution, block = (number * self.steps[word] for word in ("target", "execution", "block"))
        of_run = "run = %d" % self.run
        of_targets = "target BETWEEN %d AND %d" % self.targets
        of_executions = "execution BETWEEN %d AND %d" % self.executions
        days = (count - number) * DAY
        copy_rows(store, "run", "id = %d" % self.run, {"id": number, "start_unix_s": -days}, {"name": name})
        copy_rows(store, "run_state", of_run, {"run": number, "end_unix_s": -days}, {"id": "NULL"})
        copy_rows(store, "target", of_run, {"id": target, "run": number})
        copy_rows(store, "target_state", of_targets, {"target": target}, {"id": "NULL"})
        copy_rows(store, "execution", of_targets, {"id": execution, "target": target})
        for table in ("execution_state", "prepared"):
            copy_rows(store, table, of_executions, {"execution": execution}, {"id": "NULL"})
        copy_rows(store, "environment", of_run, {"run": number}, {
            "id": "NULL", "execution": "CASE execution WHEN 0 THEN 0 ELSE execution + %d END" % execution})
        copy_rows(store, "block", of_executions, {"id": block, "execution": execution})
        copy_rows(store, "samples", "block BETWEEN %d AND %d" % self.blocks, {"block": block})
        store.executemany("INSERT INTO telemetry VALUES (?, ?, ?)", self.readings(number))
        marks = ",".join("?" * len(columns(store, "night")))
        store.executemany("INSERT INTO night VALUES (%s)" % marks, list(self.night_rows(number, run)))


def lengthen(out, count):
    """The one night of the store becomes `count` of them, the copies a day apart up to the newest, today's."""
    store = sqlite3.connect(os.path.join(out, "bench.sqlite"))
    store.execute("PRAGMA synchronous = OFF")
    clone = Clone(store)
    for number in range(1, count):
        clone.copy(number, count)
    store.execute("DROP TRIGGER run_no_UPDATE")  # the first one is the oldest now
    store.execute("UPDATE run SET start_unix_s = start_unix_s - ? WHERE id = ?", (count * DAY, clone.run))
    store.execute("CREATE TRIGGER run_no_UPDATE BEFORE UPDATE ON run BEGIN SELECT RAISE(ABORT, 'run holds what was "
                  "measured: it is never changed'); END")
    store.commit()
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


# --- what it costs ----------------------------------------------------------------------------------------------------

def out_of_cache(path):
    with open(path, "rb") as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed(folder, out, *words):
    """Seconds of a command, and of them those of the processor: the rest is the disk, or a busy machine."""
    out_of_cache(os.path.join(out, "bench.sqlite"))
    start, used = time.monotonic(), processor_s()
    done = bench(*words, "--out", out, cwd=folder, timeout=3600)
    seconds, used = time.monotonic() - start, processor_s() - used
    if done.returncode not in (0, 1):
        sys.exit("%s failed: %s" % (words[0], done.stderr))
    return seconds, "%.2f s of processor" % used


def nights_of(folder):
    """Processor seconds of a night: median of three."""
    return sorted(night(folder) for _ in range(3))[1]


def tell(name, value, unit, limit, note=""):
    print("%-46s %8.2f %-3s (at most %g)  %s%s" % (name, value, unit, limit, note, "" if value <= limit else "  <-- over"))
    return value > limit


def tell_time(name, limit, took):
    return tell(name, took[0], "s", limit, took[1])


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    folder = tempfile.mkdtemp(prefix="bench-store-", dir=os.environ.get("TMPDIR"))
    try:
        out = first_night(folder)
        path = os.path.join(out, "bench.sqlite")
        short = os.path.join(folder, "short")
        shutil.copytree(out, os.path.join(short, "out"))
        begin = time.monotonic()
        lengthen(out, count)
        store = sqlite3.connect(path)
        series, nights, blocks, iterations = [store.execute(text).fetchone()[0] for text in (
            "SELECT count(DISTINCT series) FROM night WHERE batch > 0", "SELECT count(DISTINCT run) FROM night",
            "SELECT count(*) FROM block AS b JOIN execution AS e ON e.id = b.execution WHERE e.target IN (SELECT "
            "target FROM night)", "SELECT sum(iterations) FROM block")]
        store.close()
        print("%d nights, %d series, %d blocks, %d iterations, made in %.0f s" % (nights, series, blocks, iterations,
                                                                               time.monotonic() - begin))
        over = tell("size of the store", os.path.getsize(path) / 1e6, "MB", 500)
        over |= tell_time("bench nightly --status", 2, timed(folder, out, "nightly", "--status"))
        over |= tell_time("bench history of one model", 1, timed(folder, out, "history", "model_07"))
        over |= tell_time("bench history of all", 1, timed(folder, out, "history"))
        long, brief = nights_of(folder), nights_of(short)
        over |= tell("one more night: verdict and page, processor", long - brief, "s", 2,
                     "a night %.2f s, the same after one night %.2f s" % (long, brief))
        return 1 if over else 0
    finally:
        if not os.environ.get("BENCH_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print("kept: " + folder)


if __name__ == "__main__":
    sys.exit(main())
