#!/usr/bin/env python3
"""`bench compare`: the same work in two campaigns, of one store and of two."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_runner import bench, check, run_tests, scripted, tune_arguments  # noqa: E402

SCRIPT = """
time: virtual
seed: %d
curve: {images_per_s: {1: %g, 2: %g, 4: %g}}
noise: [{kind: normal, sigma: 0.004, per: iteration}]
"""


def tuned(folder, out, factor, seed, *more):
    engine = scripted(folder, script=SCRIPT % ((seed,) + tuple(factor * rate for rate in (55, 75, 90))))
    arguments = tune_arguments(folder, engine, "--batches", "1,2,4", "--quiet", *more)
    arguments[arguments.index("--out") + 1] = os.path.join(folder, out)
    done = bench(*arguments, cwd=folder)
    check(done.returncode == 0, done.stderr)
    shown = bench("show", "campaigns", "--out", os.path.join(folder, out), "--json", cwd=folder)
    names = [c["campaign"] for c in json.loads(shown.stdout)]
    return sorted(names)[-1] if len(names) == 1 else names


def rows_of(done):
    return {row["batch"]: row for row in json.loads(done.stdout)["rows"]}


def another_machine(folder):
    """Two folders: 10 % slower is slower, exit 1 with the size; the other way round it is faster, exit 0; itself is alike"""
    a, b = tuned(folder, "a", 1, 1), tuned(folder, "b", 0.9, 2)
    one, two = os.path.join(folder, "a"), os.path.join(folder, "b")
    done = bench("compare", a, b, "--out", one, "--with", two, "--json", cwd=folder)
    check(done.returncode == 1 and "b is slower at batch 4" in done.stderr, done.stdout + done.stderr)
    rows = rows_of(done)
    check(set(rows) == {1, 2, 4} and rows[4]["verdict"] == "slower", done.stdout)
    check(rows[4]["low"] < 0.9 < rows[4]["high"] and abs(rows[4]["ratio"] - 0.9) < 0.01, done.stdout)
    done = bench("compare", b, a, "--out", two, "--with", one, "--json", cwd=folder)
    check(done.returncode == 0 and rows_of(done)[4]["verdict"] == "faster", done.stdout + done.stderr)
    done = bench("compare", a, a, "--out", one, cwd=folder)
    check(done.returncode == 0 and done.stdout.count("alike") >= 1 and "1.000" in done.stdout, done.stdout)


def nothing_in_common(folder):
    """Other work cannot be divided: exit 2 and a sentence; a name that is not there too"""
    a, b = tuned(folder, "a", 1, 1), tuned(folder, "b", 1, 2, "--precision", "bf16")
    one, two = os.path.join(folder, "a"), os.path.join(folder, "b")
    done = bench("compare", a, b, "--out", one, "--with", two, cwd=folder)
    check(done.returncode == 2 and "no batch size of the same work" in done.stderr, done.stderr)
    done = bench("compare", a, "no-such", "--out", one, cwd=folder)
    check(done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr)


if __name__ == "__main__":
    sys.exit(run_tests([another_machine, nothing_in_common]))
