#!/usr/bin/env python3
"""kill -9 of bench in the middle of its system calls: random ones, and every one around the replacing of the files.

strace kills the process at the n-th call of those that change files. Afterwards the old batch_sizes.json is there
whole, or the new one is; --resume ends with every block once and the decisions of an undisturbed run.
CALL_KILLS sets how many random moments (8), KILL_SEED which. Skipped where strace is missing or may not trace.
"""
import os
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from bench_runner import BENCH, Failed, bench, check, environment, tune_arguments  # noqa: E402
from campaign_kill_test import complete, decisions, finish, fresh_folder, rounds_of  # noqa: E402

KILLS = int(os.environ.get("CALL_KILLS", "8"))
SEED = int(os.environ.get("KILL_SEED", "0")) or int(time.time())
CALLS = "write,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,link,linkat,unlink,unlinkat"
REPLACING = ("rename", "link", "fsync", "unlink")


def strace(folder, rules, resume=False):
    """Runs the campaign under strace; the log of its calls, and its exit code (137: it was killed)."""
    log = os.path.join(folder, "calls")
    words = ["strace", "-qq", "-o", log, "-e", "trace=" + CALLS, *rules, BENCH]
    words += tune_arguments(folder, os.path.join(folder, "scripted.yaml"), "--precision", "f32,bf16", "--batches",
                            "1,2,4,8", "--seed", "11", "--quiet", *(["--resume"] if resume else []))
    done = subprocess.run(words, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, timeout=120)
    with open(log, errors="replace") as f:
        return f.read().splitlines(), done.returncode


def sizes_file(folder):
    path = os.path.join(folder, "out", "batch_sizes.json")
    if not os.path.exists(path):
        return None
    with open(path, "rb") as f:
        return f.read()


def old_file(folder, source):
    """A batch_sizes.json of another campaign in place, so that this one has something to replace."""
    os.makedirs(os.path.join(folder, "out"), exist_ok=True)
    with open(os.path.join(folder, "out", "batch_sizes.json"), "wb") as f:
        f.write(source)


def kill_at(number, names, source, want):
    """Kills at call `number` of all; strace counts each kind of call by itself."""
    name = names[number - 1]
    nth = names[:number].count(name)
    folder = fresh_folder()
    try:
        old_file(folder, source)
        _, code = strace(folder, ["-e", "inject=%s:signal=KILL:when=%d" % (name, nth)])
        if code == 0:
            return None  # a run makes some calls more or less: this one ended before
        left = sizes_file(folder)
        if left != source:
            done = bench("verify", "out/batch_sizes.json", cwd=folder)
            check(left is not None and done.returncode == 0, "%s %d left a broken file: %s" % (name, nth, done.stdout))
        finish(folder)
        complete(rounds_of(folder), [1, 2, 4, 8])
        got = decisions(folder)
        check(got == want, "%s %d: decided %s, undisturbed %s" % (name, nth, got, want))
        return left != source
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def undisturbed():
    """Decisions, the file that a campaign writes, and the names of its calls in order."""
    folder = fresh_folder()
    try:
        calls, code = strace(folder, [])
        check(code == 0, "the undisturbed campaign ended with %d" % code)
        return decisions(folder), sizes_file(folder), [line.split("(")[0] for line in calls if "(" in line]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def moments(names, draw):
    """Random calls, and the last ones that replace a file."""
    replacing = [i + 1 for i, name in enumerate(names) if name.startswith(REPLACING) and i > len(names) * 0.6]
    chosen = set(draw.sample(range(1, len(names) + 1), min(KILLS, len(names))))
    return sorted(chosen), sorted(set(replacing) - chosen)


def tell(number, where, kept):
    hits = [new for new in kept if new is not None]
    check(2 * len(hits) >= len(kept), "only %d of %d runs were killed %s" % (len(hits), len(kept), where))
    print("ok %d - %d kills %s, the file was new after %d" % (number, len(hits), where, sum(hits)))


def can_trace():
    return shutil.which("strace") and subprocess.run(["strace", "-qq", "-o", os.devnull, "true"],
                                                     stderr=subprocess.DEVNULL).returncode == 0


def main():
    if not can_trace():
        print("ok 1 - killed in system calls # SKIP strace is missing here, or may not trace")
        return 0
    print("# KILL_SEED=%d" % SEED)
    draw = random.Random(SEED)
    try:
        want, source, names = undisturbed()
        print("ok 1 - an undisturbed campaign makes %d calls that change files" % len(names))
        at_random, replacing = moments(names, draw)
        replacing = draw.sample(replacing, min(KILLS, len(replacing)))
        tell(2, "at random calls", [kill_at(number, names, source, want) for number in at_random])
        tell(3, "around the replacing of files", [kill_at(number, names, source, want) for number in sorted(replacing)])
    except Failed as error:
        print("not ok 4 - killed in a system call\n# " + str(error).replace("\n", "\n# "))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
