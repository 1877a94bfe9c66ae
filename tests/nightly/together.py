#!/usr/bin/env python3
"""A/A nights put together from stored executions of real nights (check 29 of the measurement rules), judged by `bench backtest`.

usage: together.py OUT [NIGHTS [SEED]]      OUT: a folder of --out with real nights; it is only read

Every execution of a series that came to its end is one draw: the value of a night is the median of five drawn ones (each
the median of its valid blocks), its confirmation that of five others, its control the difference of two such fives. The
machine did not change between them, so whatever is REGRESSED is a false alarm. Exit 1 if there is any.
"""
import json
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile

EXECUTIONS, LEAST_BLOCKS = 5, 7  # rule 7.1
DAY = 86400


def values_of(store):
    """Series -> medians of its executions; series -> the newest row of it."""
    rows = {row["series"]: dict(row) for row in store.execute("SELECT * FROM night WHERE target > 0 ORDER BY run")}
    blocks = {}
    for series, execution, y in store.execute(
            "SELECT n.series, b.execution, b.y FROM night n JOIN execution e ON e.target = n.target JOIN block b ON "
            "b.execution = e.id AND b.batch = n.batch WHERE n.target > 0 AND b.kind = 'night' AND b.valid = 1"):
        blocks.setdefault(series, {}).setdefault(execution, []).append(y)
    return rows, {series: [statistics.median(ys) for ys in found.values() if len(ys) >= LEAST_BLOCKS]
                  for series, found in blocks.items()}


def draw(chance, values):
    return statistics.median(chance.sample(values, EXECUTIONS))


def put(store, chance, rows, values, nights):
    """Replaces the nights of the store. One series of each device is the control, as on real nights."""
    runs = [dict(row) for row in store.execute("SELECT * FROM run WHERE kind = 'night' ORDER BY id")]
    machines = [dict(row) for row in store.execute("SELECT * FROM night WHERE target = 0 GROUP BY series")]
    store.execute("DELETE FROM night")
    last = store.execute("SELECT max(id) FROM run").fetchone()[0]
    for n in range(nights):
        run = dict(runs[-1], id=last + 1 + n, name="together-%d" % n, start_unix_s=runs[-1]["start_unix_s"] + (n + 1) * DAY)
        store.execute("INSERT INTO run VALUES (%s)" % ",".join("?" * len(run)), list(run.values()))
        controls = {}
        for series, row in rows.items():
            mine = values[series]
            night = dict(row, run=run["id"], v=draw(chance, mine), again=draw(chance, mine), validity="", panel=1,
                         error=1.2533 * statistics.stdev(mine) / EXECUTIONS ** .5, control_z=None, verdict="", path="")
            if controls.setdefault(row["device"], series) == series:
                night["control_z"] = draw(chance, mine) - draw(chance, mine)
            store.execute("INSERT INTO night VALUES (%s)" % ",".join("?" * len(night)), list(night.values()))
        for machine in machines:
            night = dict(machine, run=run["id"], verdict="", path="")
            store.execute("INSERT INTO night VALUES (%s)" % ",".join("?" * len(night)), list(night.values()))
    store.commit()


def main():
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    source, nights, seed = sys.argv[1:] + ["130", "1"][len(sys.argv) - 2:]
    nights, seed = int(nights), int(seed)
    bench = os.path.join(os.environ.get("BENCH_BIN", "build/release-gcc/bin"), "bench")
    folder = tempfile.mkdtemp(prefix="bench-together-")
    try:
        copy = sqlite3.connect(os.path.join(folder, "bench.sqlite"))
        with sqlite3.connect("file:%s?mode=ro" % os.path.join(source, "bench.sqlite"), uri=True) as real:
            real.backup(copy)
        copy.row_factory = sqlite3.Row
        rows, values = values_of(copy)
        values = {series: found for series, found in values.items() if len(found) >= 2 * EXECUTIONS}
        rows = {series: row for series, row in rows.items() if series in values}
        real_nights = copy.execute("SELECT count(DISTINCT run) FROM night").fetchone()[0]
        put(copy, random.Random(seed), rows, values, nights)
        copy.close()
        done = subprocess.run([bench, "backtest", "--json", "--quiet", "--out", folder], stdout=subprocess.PIPE, check=True)
        devices = json.loads(done.stdout)["devices"]
    finally:
        shutil.rmtree(folder)
    print("%d executions of %d series on %d real nights, put together to %d nights (seed %d)" % (
        sum(map(len, values.values())), len(values), real_nights, nights, seed))
    for series, row in sorted(rows.items(), key=lambda item: item[1]["name"]):
        print("  %-42s %3d executions, sd %.1f %%" % (row["name"], len(values[series]), 100 * statistics.stdev(values[series])))
    alarms = 0  # on the nights as they were put together; shuffled ones are the same nights over and over
    for device in devices:
        for row in device["alarms"]:
            print("%s, %s: %d judged series-nights, %d REGRESSED" % (device["device"], row["nights"], row["series_nights"],
                                                                    row["alarms"]))
            alarms += row["alarms"] if row["nights"] == "as stored" else 0
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main())
