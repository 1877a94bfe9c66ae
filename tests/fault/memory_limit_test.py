#!/usr/bin/env python3
"""A worker that may not have the memory of batch 8 (`ulimit -v`): its size is typed, the ceiling is right, and the
campaign goes on with the sizes that fit.

A real engine computes a small relative of a network. What sizes need is found out first, with workers without a
limit; the limit is put half way between the sizes that shall fit and the one that shall not.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from bench_runner import BIN, bench, check, environment, run_tests, write  # noqa: E402

WORKER = os.path.join(BIN, "bench-worker-onednn")
SIDE = 224
MODEL = """name: tiny
architecture: resunet_small
features: [8, 8, 16, 16, 16]
input: [3, %d, %d]
min_side: 64
mask: true
""" % (SIDE, SIDE)


def needed_kib(model, sizes):
    """Largest address space of a fresh worker that prepares and runs these sizes one after the other, in KiB."""
    worker = subprocess.Popen([WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              env=environment(), universal_newlines=True)

    def ask(op, **fields):
        worker.stdin.write(json.dumps(dict(fields, id=1, op=op)) + "\n")
        worker.stdin.flush()
        answer = json.loads(worker.stdout.readline())
        check(answer["ok"], "%s: %s" % (op, answer))

    try:
        ask("hello", protocol=1)
        ask("load", model=model, shape=[3, SIDE, SIDE], precision="f32", device="cpu:0", threads=1, weights="seeded")
        for size in sizes:
            ask("prepare", batch=size)
            ask("run", batch=size, min_ns=0, min_iterations=2, max_iterations=2, unmeasured=0)
            ask("release", batch=size)
        with open("/proc/%d/status" % worker.pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmPeak:"))
    finally:
        worker.kill()
        worker.communicate()


def limited_engine(folder, limit_kib):
    script = write(os.path.join(folder, "limited.sh"), "ulimit -v %d\nexec %s \"$@\"\n" % (limit_kib, WORKER))
    return write(os.path.join(folder, "limited.yaml"), "name: limited\ncommand: [sh, \"%s\"]\n" % script)


def a_worker_without_room_for_eight(folder):
    """a size beyond the worker's memory is typed, the ceiling is the largest that fits, the campaign goes on"""
    model = write(os.path.join(folder, "tiny.yaml"), MODEL)
    fits, too_much = needed_kib(model, [1, 2]), needed_kib(model, [8])
    check(fits * 1.05 < too_much, "1 and 2 need %d KiB, 8 needs %d: no limit lies between" % (fits, too_much))
    engine = limited_engine(folder, (fits + too_much) // 2)
    out = os.path.join(folder, "out")
    done = bench("tune", "--model", model, "--engine", engine, "--precision", "f32", "--threads", "1", "--batches",
                 "1,2,8", "--no-gate", "--seed", "5", "--within", "20%", "--budget", "3m", "--out", out, cwd=folder,
                 timeout=300)
    check(done.returncode in (0, 4), "exit %d: %s" % (done.returncode, done.stderr))
    with open(os.path.join(out, "batch_sizes.json")) as f:
        document = json.load(f)
    memory = document["autotune"]["models"]["tiny"]["memory"]
    optimal = document["batch_configurations"]["tiny"]["optimal_batch_size"]
    curve = {point["batch"]: point for point in document["autotune"]["models"]["tiny"]["curve"]}
    check(memory["ceiling_batch"] == 2 and not memory["ceiling_is_lower_bound"], memory)
    check(memory["first_failed_batch"] == 8 and memory["first_failed_why"] == "out_of_memory", memory)
    check(curve[8]["why"] == "out_of_memory" and curve[8]["images_per_s"] is None, curve[8])
    check(optimal in (1, 2) and curve[optimal]["why"] == "chosen", curve)


def memory_comes_back_with_a_released_size(folder):
    """a worker that tried smaller sizes before needs no more for eight than one that did not"""
    model = write(os.path.join(folder, "tiny.yaml"), MODEL)
    alone, after_others = needed_kib(model, [8]), needed_kib(model, [1, 2, 4, 8])
    check(after_others < alone * 1.1, "8 alone needs %d KiB, after 1, 2, 4 it needs %d" % (alone, after_others))


if __name__ == "__main__":
    if not os.access(WORKER, os.X_OK):
        print("ok 1 - # SKIP there is no oneDNN here\n1..1")
        sys.exit(0)
    sys.exit(run_tests([memory_comes_back_with_a_released_size, a_worker_without_room_for_eight]))
