#!/usr/bin/env python3
"""Which plans cuDNN has for every layer of the networks on three GPUs, beside the recorded ones. Needs no GPU.

usage: cudnn_plans_test.py [--all] [--update]
Asks what is cheap: every convolution at batch 1 and the fused patterns in f16, whose kernels come compiled, the small
norms too.
--all asks everything (batches 1, 8, 64, all precisions; minutes, since cuDNN compiles), --update does that and
writes results/reference/cudnn_plans.csv anew: read the difference before you keep it. What is in a cell says
tests/gpu/plan_manifest.c.
"""
import concurrent.futures
import csv
import io
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from tap import tell  # noqa: E402

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BIN = os.path.abspath(os.environ.get("BENCH_BIN", os.path.join(ROOT, "build", "release-gcc", "bin")))
TOOLS = os.path.join(os.path.dirname(BIN), "gpu")
FILE = os.path.join(ROOT, "results", "reference", "cudnn_plans.csv")
DEVICES = ["h100", "a100", "a5000"]
BATCHES = ["1", "8", "64"]
KEYS = ["signature", "pattern", "math"]
CELLS = ["%s_n%s" % (device, n) for device in DEVICES for n in BATCHES]
SKIPPED = 77


class Skip(Exception):
    """Why the library cannot be asked here."""


# --- asking -----------------------------------------------------------------------------------------------
def ask(device, everything):
    """(cuDNN's version, {(signature, pattern, math): {cell: result}}) of one device."""
    program = os.path.join(TOOLS, "plan-manifest")
    if not os.path.exists(program):
        raise Skip("no CUDA toolkit with cuDNN's headers here, so plan-manifest is not built")
    path = os.path.join(TOOLS, "null") + os.pathsep + os.environ.get("LD_LIBRARY_PATH", "")
    what = ["all", ",".join(BATCHES)] if everything else ["quick", "1"]
    done = subprocess.run([program, device, *what], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True,
                          env=dict(os.environ, LD_LIBRARY_PATH=path.rstrip(os.pathsep), BENCH_HOME=ROOT))
    if done.returncode == SKIPPED:
        raise Skip(done.stderr.strip())
    if done.returncode:
        raise RuntimeError("plan-manifest %s: %d: %s" % (device, done.returncode, done.stderr.strip()))
    return parse(device, done.stdout)


def parse(device, text):
    first, *lines = text.splitlines()
    table = {}
    for line in lines:
        signature, pattern, math, n, result = line.split(",")
        table.setdefault((signature, pattern, math), {})["%s_n%s" % (device, n)] = result
    return first.split()[1], table


# --- the committed list -----------------------------------------------------------------------------------
def read():
    with open(FILE) as f:
        lines = f.read().splitlines()
    version = re.match(r"# origin: cuDNN (\d+)", lines[0]).group(1)
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return version, {tuple(row[key] for key in KEYS): {cell: row[cell] for cell in CELLS if row[cell]}
                     for row in rows}


def write(version, table):
    out = io.StringIO()
    out.write("# origin: cuDNN %s: engines, plans built and KiB of workspace for every layer; made by "
              "tests/golden/cudnn_plans_test.py --update, cells as tests/gpu/plan_manifest.c says\n" % version)
    rows = csv.DictWriter(out, KEYS + CELLS, lineterminator="\n")
    rows.writeheader()
    for key, cells in table.items():
        rows.writerow(dict(zip(KEYS, key), **cells))
    with open(FILE + ".new", "w") as f:
        f.write(out.getvalue())
    os.rename(FILE + ".new", FILE)


# --- judging ----------------------------------------------------------------------------------------------
def differences(seen, listed, device):
    """Cells that were asked and are not as listed; questions that only one side has."""
    found = []
    for key, cells in seen.items():
        for cell, result in cells.items():
            want = listed.get(key, {}).get(cell, "not listed")
            if result != want:
                found.append("%s %s: %s, listed is %s" % (" ".join(key), cell, result, want))
    questions = {key[:2] for key, cells in listed.items() if any(map(re.compile(device).match, cells))}
    found += ["%s: listed, but no network asks it" % " ".join(key) for key in
              sorted(questions - {key[:2] for key in seen})]
    return found


def gaps(listed):
    """What the networks need and the list does not have: every plain convolution in every precision at every
    batch, and attention in f16 and bf16. The fused patterns may be missing, strict f32 has none; a norm is asked where
    it is small, and if at all then in f16 and bf16."""
    found = []
    for key, cells in listed.items():
        if key[1] in ("plain", "attention"):
            found += ["%s %s: %s" % (" ".join(key), cell, cells.get(cell, "empty")) for cell in CELLS
                      if cells.get(cell, "none").startswith("none")]
    for signature, pattern in {key[:2] for key in listed}:
        halves = pattern == "attention" or signature.startswith("norm ")
        for math in ("f16", "bf16") if halves else ("f32", "tf32", "f16", "bf16"):
            if (signature, pattern, math) not in listed:
                found.append("%s %s %s: no row" % (signature, pattern, math))
    return found


def twins_are_rejected(listed):
    """The judges on lists that are wrong in one place."""
    key = next(key for key in listed if key[1:] == ("plain", "f16"))
    seen = {k: {c: r for c, r in cells.items() if c == "h100_n1"} for k, cells in listed.items()}
    seen = {k: cells for k, cells in seen.items() if cells}
    if differences(seen, listed, "h100") or gaps(listed):
        return False
    other = dict(seen)
    other[key] = {"h100_n1": "99:8:0"}
    fewer = {k: cells for k, cells in seen.items() if k[:2] != key[:2]}
    empty = dict(listed)
    empty[key] = dict(listed[key], a100_n8="none:0:0:0:0")
    lost = {k: cells for k, cells in listed.items() if k != key}
    return (len(differences(other, listed, "h100")) == 1 and len(differences(fewer, listed, "h100")) == 1 and
            len(gaps(empty)) == 1 and len(gaps(lost)) == 1)


def summary(listed):
    """Lines: per device, pattern and precision the questions, how many have a plan, and of what kind."""
    form = "%-6s %-14s %-5s %10s %6s %12s %14s"
    yield form % ("device", "pattern", "math", "signatures", "plans", "run-time", "workspace")
    yield form % ("", "", "", "x batches", "", "compiled", "median-max MiB")
    for device in DEVICES:
        groups = {}
        for (_, pattern, math), cells in listed.items():
            groups.setdefault((pattern, math), []).extend(r for c, r in cells.items() if c.startswith(device))
        for (pattern, math), results in groups.items():
            plans = [r.split(":") for r in results if not r.startswith("none")]
            sizes = sorted(int(p[2].split("x")[0]) / 1024 for p in plans) or [0]
            yield form % (device, pattern, math, len(results), len(plans), sum(p[0].endswith("r") for p in plans),
                          "%.1f-%.1f" % (sizes[len(sizes) // 2], sizes[-1]) if plans else "-")


def merge(tables):
    merged = {}
    for table in tables:
        for key, cells in table.items():
            merged.setdefault(key, {}).update(cells)
    return merged


def main():
    update = "--update" in sys.argv[1:]
    everything = update or "--all" in sys.argv[1:]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(ask, device, everything) for device in DEVICES]
    try:
        answers = [answer.result() for answer in answers]
    except Skip as reason:
        answers = str(reason)
    if update:
        if isinstance(answers, str):
            sys.exit("cannot ask: " + answers)
        write(answers[0][0], merge(table for _, table in answers))
    version, listed = read()
    for device, answer in zip(DEVICES, answers if isinstance(answers, list) else [answers] * 3):
        name = "plans for %s are as listed%s" % (device, "" if everything else " (batch 1; fused ones in f16)")
        if isinstance(answer, str):
            print("ok - # SKIP %s: %s" % (name, answer.replace("\n", " ")))
        elif answer[0] != version:
            print("ok - # SKIP %s: the list is of cuDNN %s, this is %s" % (name, version, answer[0]))
        else:
            found = differences(answer[1], listed, device)
            tell(not found, "%s: %d asked" % (name, sum(map(len, answer[1].values()))), "\n".join(found[:40]))
    missing = gaps(listed)
    tell(not missing, "every layer has a plan on every device at batch 1, 8, 64", "\n".join(missing[:40]))
    tell(twins_are_rejected(listed), "a list that is wrong in one place is noticed")
    for line in summary(listed):
        print("# " + line)


main()
