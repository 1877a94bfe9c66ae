"""worker-conformance on the scripted worker, which must pass, and on twins that break one rule each: the case that
watches this rule must come out red, or the cases prove nothing."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from tap import tell  # noqa: E402

BIN = os.environ["BENCH_BIN"]
CONFORMANCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli", "worker-conformance")

# A worker in Python that keeps the rules it is tried for, with a place for one lie.
TWIN = r'''
import json, os, signal, sys, time
lie = sys.argv[1]
signal.signal(signal.SIGTERM, signal.SIG_IGN if lie == "ignore-sigterm" else signal.SIG_DFL)
def say(answer):
    sys.stdout.write(json.dumps(answer) + "\n"); sys.stdout.flush()
def fail(ident, kind, message="no"):
    say({"id": ident, "ok": False, "error": {"kind": kind, "message": message}})
loaded, prepared = False, set()
if lie == "banner":
    print("welcome", flush=True)
for line in sys.stdin.buffer:
    if len(line) > 1 << 20 and lie != "long-lines":
        fail(None, "invalid"); continue
    try:
        r = json.loads(line.decode("utf-8", "replace" if lie == "latin" else "strict"))
        ident, op = r["id"], r.get("op")
    except Exception:
        fail(None, "invalid"); continue
    if op == "hello" and r.get("protocol") == 1:
        say({"id": ident, "ok": True, "protocol": 1, "engine": "twin", "versions": {}, "precisions": ["f32"], "can": [],
             "devices": [{"id": "cpu:0", "name": "n", "memory_bytes": 1}]})
    elif op == "load" and (not loaded or lie == "loads-twice"):
        loaded = True
        say({"id": ident, "ok": True, "parameters": 1, "weight_bytes": 4, "macs_per_image": 1, "model_sha256": "",
             "load_ns": 1, "output_shape": [1, 4, 4]})
    elif op == "prepare" and loaded and isinstance(r.get("batch"), int) and 0 < r["batch"] < 4097:
        prepared.add(r["batch"])
        say({"id": ident, "ok": True, "prepare_ns": 1, "first_run_ns": 1,
             "planned": {"weights": 0, "activations": 0, "workspace": 0}})
    elif op == "run" and r.get("batch") in prepared and all(
            isinstance(r.get(k), int) and r[k] >= 0 for k in ("min_ns", "min_iterations", "max_iterations")):
        start = end = time.monotonic_ns()
        times = []
        while len(times) < r["max_iterations"] and (len(times) < r["min_iterations"] or end - start < r["min_ns"]):
            time.sleep(0.001)
            if lie == "gaps":
                end = time.monotonic_ns()
                time.sleep(0.0005)
            now = time.monotonic_ns()
            times.append(now - end)
            end = now
        count = len(times) * r["batch"] - (lie == "one-short")
        say({"id": ident, "ok": True, "batch": r["batch"], "iterations": len(times), "iteration_ns": times,
             "start_ns": start, "end_ns": end, "outputs": count})
    elif op == "release" and r.get("batch") in prepared:
        if lie != "keeps":
            prepared.remove(r["batch"])
        say({"id": ident, "ok": True})
    elif op == "quit":
        say({"id": ident, "ok": True})
        sys.exit(1 if lie == "bad-exit" else 0)
    elif op in ("hello", "load", "prepare", "run", "release", "memory", "output", "profile") or not isinstance(op, str):
        fail(ident, "invalid")
    else:
        fail(ident, "invalid" if lie == "unknown-is-invalid" else "unsupported")
if lie == "outlives-input":
    time.sleep(600)
'''

# lie, prefix of the cases to run, whether they may pass
LIES = [
    ("none", "hello", True), ("none", "run", True), ("none", "prepare", True), ("none", "SIGTERM", True), ("none", "two requests", True),
    ("none", "limits", True), ("none", "invalid UTF-8", True), ("none", "end of input", True),
    ("banner", "hello again", False), ("latin", "invalid UTF-8", False),
    ("loads-twice", "second load", False), ("keeps", "run after release", False), ("one-short", "limits", False),
    ("ignore-sigterm", "SIGTERM", False), ("bad-exit", "quit", False), ("outlives-input", "end of input when", False),
    ("unknown-is-invalid", "unknown operation", False), ("gaps", "100 blocks", False),
    ("long-lines", "a line of 2 MB", False),
]

SCRIPTS = [  # script, prefix, whether it may pass
    ("time: real\nload: 1ms\nprepare: 1ms\ncurve: {fixed: 0.6ms, per_image: 0.2ms}\nstages: {h2d: 5%, d2h: 5%}\n"
     "layers: [{name: a, share: 100%}]\n", "", True),
    ("load: 1ms\n", "", True),
    ("{time: real, load: 1ms, curve: {per_image: 1ms}, clock_skew: 1.05}", "100 blocks", False),
    ("faults: [{at: run, call: 2, do: claim_outputs}]", "limits", False),
    ("faults: [{at: run, call: 1, do: claim_batch}]", "limits", False),
    ("faults: [{at: run, call: 1, do: claim_time}]", "limits", False),
    ("faults: [{at: run, call: 1, do: garbage}]", "limits", False),
    ("faults: [{at: run, call: 1, do: crash}]", "limits", False),
    ("faults: [{at: output, call: 1, do: nan}]", "output", False),
]


def run(options, command):
    done = subprocess.run([CONFORMANCE] + options + command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300)
    return done.returncode, done.stdout.decode(errors="replace")


def main():
    with tempfile.TemporaryDirectory() as folder:
        twin, script = os.path.join(folder, "twin.py"), os.path.join(folder, "s.yaml")
        with open(twin, "w") as file:
            file.write(TWIN)
        for lie, only, good in LIES:
            code, text = run(["--only", only], [sys.executable, twin, lie])
            right = code == 0 and " 0 failed" in text if good else code in (1, 3)
            tell(right, "python worker, lie %s: cases '%s' %s" % (lie, only, "pass" if good else "fail"), text)
        for body, only, good in SCRIPTS:
            with open(script, "w") as file:
                file.write(body)
            code, text = run(["--only", only] if only else [], ["bench-worker-scripted", "--script", script])
            right = code == 0 and " 0 failed" in text if good else code == 1 and "FAILED " + only in text
            tell(right, "scripted worker %s: cases '%s' %s" % (body.split("\n")[0], only, "pass" if good else "fail"), text)
        code, text = run([], [os.path.join(folder, "missing")])
        tell(code == 3, "a command that does not exist: exit 3", text)
        code, text = run(["--input", "0x4"], ["bench-worker-scripted"])
        tell(code == 2, "a wrong input size: exit 2", text)


main()
