#!/usr/bin/env python3
"""What the harness itself costs: a scripted worker of 1 ms iterations in real time, measured by a whole `bench tune`.

Prints the share of the blocks' wall time that their iteration times add up to (at least 99.5 %), bench's own share of
one core while it measured (at most 2 %) and its peak resident set (at most 60 MB). Finds programs in $BENCH_BIN.
"""
import json
import os
import pathlib
import sqlite3
import struct
import sys
import tempfile
import time

BIN = pathlib.Path(os.environ["BENCH_BIN"])
SCRIPT = "time: real\ncurve: {fixed: 0ms, per_image: 1ms}\nload: 5ms\nprepare: 1ms\n"


def measure(folder):
    (folder / "script.yaml").write_text(SCRIPT)
    command = json.dumps([str(BIN / "bench-worker-scripted"), "--script", str(folder / "script.yaml")])
    (folder / "steady.yaml").write_text("name: steady\ncommand: %s\n" % command)
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.execv(BIN / "bench", ["bench", "tune", "--model", "hrnet", "--engine", str(folder / "steady.yaml"), "--batches",
                                 "1", "--input", "64x64", "--budget", "40s", "--out", str(folder / "out")])
    usage = {}
    while True:  # the process's own counters: those of wait4 would hold its children too
        done, _ = os.waitpid(pid, os.WNOHANG)
        if done:
            return usage, time.monotonic() - start
        try:
            fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
            status = pathlib.Path("/proc/%d/status" % pid).read_text()
        except OSError:
            continue
        usage["cpu_s"] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                usage["peak_mb"] = int(line.split()[1]) * 1024 / 1e6
        time.sleep(0.05)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        usage, seconds = measure(folder)
        rows = sqlite3.connect(folder / "out" / "bench.sqlite").execute(
            "SELECT b.start_ns, b.end_ns, b.worker_start_ns, b.worker_end_ns, b.unmeasured, s.iteration_ns "
            "FROM block AS b JOIN samples AS s ON s.block = b.id").fetchall()
    seen = worker = times = blocks = 0
    for start, end, worker_start, worker_end, unmeasured, packed in rows:
        if unmeasured:
            continue
        blocks += 1
        seen, worker = seen + end - start, worker + worker_end - worker_start
        times += sum(struct.unpack("<%dq" % (len(packed) // 8), packed))
    share, own = 100 * times / seen, 100 * usage["cpu_s"] / seconds
    print("iteration times of %d blocks      %8.3f %% of the blocks' wall time as bench saw it  (at least 99.5)" % (blocks, share))
    print("                                  %8.3f %% of the wall time as the worker saw it" % (100 * times / worker))
    print("bench's own time                  %8.3f %% of one core over %.0f s                  (at most 2)" % (own, seconds))
    print("bench's peak resident set         %8.1f MB                                        (at most 60)" % usage["peak_mb"])
    return 0 if share >= 99.5 and own <= 2 and usage["peak_mb"] <= 60 else 1


if __name__ == "__main__":
    sys.exit(main())
