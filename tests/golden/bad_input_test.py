#!/usr/bin/env python3
"""Every mistake a user can make: one clear sentence, the right exit code, nothing written over, nothing lost.

usage: bad_input_test.py [--update]
The expected standard error and exit code of each case stand in bad_input.golden; --update writes that file anew (read
the difference before you keep it). Text that depends on the machine is replaced by a word in capitals.
"""
import fcntl
import os
import re
import resource
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from bench_runner import (BIN, ROOT, SMALL, Failed, bench, check, scripted, snapshot, tune_arguments,  # noqa: E402
                          write)

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bad_input.golden")


# --- the cases ------------------------------------------------------------------------------------------------------
# A case: name, function(folder) -> arguments (or a dict with "arguments" and what else subprocess.run takes), and what
# must be as before: ALL files of the folder, or the FILES that a service reads and every stored campaign.

ALL, FILES = "all", "files"


def flags(*more):
    """tune on the scripted engine with these flags besides."""
    return lambda w: tune_arguments(w, os.path.join(w, "scripted.yaml"), *more)


def plain(*arguments):
    return lambda w: [*arguments]


def config(text):
    """tune with a configuration file of this text."""
    def arguments(w):
        write(os.path.join(w, "bad.yaml"), text)
        return ["tune", "--config", "bad.yaml", "--out", "out"]
    return arguments


def engine(command):
    """tune on an engine whose command this is."""
    def arguments(w):
        return tune_arguments(w, scripted(w, "broken", command=command))
    return arguments


def program(text, mode=0o755):
    """tune on an engine whose command is a script of this text."""
    def arguments(w):
        path = write(os.path.join(w, "worker.sh"), text)
        os.chmod(path, mode)
        return tune_arguments(w, scripted(w, "broken", command=[path]))
    return arguments


def engine_file(text):
    def arguments(w):
        return tune_arguments(w, write(os.path.join(w, "broken.yaml"), text))
    return arguments


def config_is_folder(w):
    os.mkdir(os.path.join(w, "folder.yaml"))
    return ["tune", "--config", "folder.yaml", "--out", "out"]


def config_is_huge(w):
    with open(os.path.join(w, "huge.yaml"), "wb") as f:
        f.truncate(200 << 20)  # sparse: takes no disk
    return ["tune", "--config", "huge.yaml", "--out", "out"]


def out_is_file(w):
    write(os.path.join(w, "file"), "not a folder\n")
    return tune_arguments(w, os.path.join(w, "scripted.yaml"))[:-1] + ["file"]


def out_below_file(w):
    write(os.path.join(w, "file"), "not a folder\n")
    return tune_arguments(w, os.path.join(w, "scripted.yaml"))[:-1] + ["file/below"]


def out_in_proc(w):
    return tune_arguments(w, os.path.join(w, "scripted.yaml"))[:-1] + ["/proc/bench-out"]


def disk_full_at(size):
    """A limit on the size of files stands for a full disk: no file grows beyond it."""
    def arguments(w):
        fresh = tune_arguments(w, os.path.join(w, "scripted.yaml"))[:-1] + ["fresh"]
        return {"arguments": fresh, "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))}
    return arguments


def stdout_full(w):
    return {"arguments": ["show", "--out", "out"], "stdout": open("/dev/full", "w")}


def store(change, *arguments):
    """The store of a copy of the results, changed."""
    def make(w):
        change(os.path.join(w, "out", "bench.sqlite"))
        return [*arguments, "--out", "out"] if arguments else tune_arguments(w, os.path.join(w, "scripted.yaml"))
    return make


def overwrite(offset, data):
    def change(path):
        for rest in ("-wal", "-shm"):
            if os.path.exists(path + rest):
                os.unlink(path + rest)
        with open(path, "r+b") as f:
            f.seek(offset)
            f.write(data)
    return change


def truncate(path):
    with open(path, "r+b") as f:
        f.truncate(os.path.getsize(path) // 2)


def not_a_store(path):
    write(path, "this is a letter to my aunt and no database at all\n" * 40)


def foreign_database(path):
    os.unlink(path)
    connection = sqlite3.connect(path)
    connection.execute("create table recipe (name text)")
    connection.commit()
    connection.close()


def newer_store(path):
    connection = sqlite3.connect(path)
    connection.execute("pragma user_version = 99")
    connection.close()


def store_is_folder(path):
    os.unlink(path)
    os.mkdir(path)


def locked(w):
    """Another process holds the store; here: this test, by the lock that bench takes."""
    lock = open(os.path.join(w, "out", "bench.sqlite.lock"), "a+")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return {"arguments": tune_arguments(w, os.path.join(w, "scripted.yaml")), "keep": lock}


HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("begin exclusive")
print("held", flush=True)
sys.stdin.read()
"""


def locked_by_sqlite(w):
    """Another program writes into the database and does not let go (a process: closing a file ends its locks)."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, os.path.join(w, "out", "bench.sqlite")],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.readline()
    return {"arguments": tune_arguments(w, os.path.join(w, "scripted.yaml")), "end": holder}


def file_in_place(text):
    def arguments(w):
        write(os.path.join(w, "out", "batch_sizes.json"), text)
        return tune_arguments(w, os.path.join(w, "scripted.yaml"))
    return arguments


def base(text):
    def arguments(w):
        write(os.path.join(w, "base.json"), text)
        return tune_arguments(w, os.path.join(w, "scripted.yaml"), "--base", "base.json")
    return arguments


def weighed(w, path):
    """tune on a worker that reads weights."""
    reference = write(os.path.join(w, "reference.yaml"), "name: reference\ncommand: [bench-worker-reference]\n")
    return tune_arguments(w, reference, "--batches", "1", "--weights", path)


def weights(data):
    def arguments(w):
        return weighed(w, write(os.path.join(w, "weights.safetensors"), data))
    return arguments


def verify(text):
    def arguments(w):
        write(os.path.join(w, "batch_sizes.json"), text)
        return ["verify", "batch_sizes.json"]
    return arguments


def bring(data):
    """import of a file of these bytes."""
    def arguments(w):
        write(os.path.join(w, "in.json"), data)
        return ["import", "in.json", "--out", "out"]
    return arguments


HEADER = b'{"head.weight":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
ENTRY = ('{"optimization_timestamp": "2026-01-01 00:00:00", "gpu_info": {"device_name": "CPU", "total_memory_gb": 0, '
         '"driver_version": null}, "batch_configurations": {"m": {"optimal_batch_size": %s, "max_safe_batch_size": %s, '
         '"expected_throughput": %s, "memory_limit_mb": 10}}%s}\n')
LOOP = "a: &a [*a]\n"

CASES = [
    # the command line
    ("no model at all", plain("tune", "--out", "out"), ALL),
    ("unknown verb", plain("tun", "--all-models"), ALL),
    ("unknown flag", plain("tune", "--bathces", "1"), ALL),
    ("flag of another verb", plain("show", "--resume"), ALL),
    ("flag without a value", plain("tune", "--within"), ALL),
    ("flag twice", plain("tune", "--within", "5", "--within", "6"), ALL),
    ("word too many", plain("tune", "hrnet"), ALL),
    ("all models and a model", plain("--all-models", "--model", "hrnet"), ALL),
    ("unknown model", plain("--model", "resunet_smal", "--out", "out"), ALL),
    ("unknown engine", plain(*SMALL, "--engine", "onednnn", "--out", "out"), ALL),
    ("unknown precision", flags("--precision", "bf61"), ALL),
    ("precision that the device does not have", flags("--precision", "tf32"), ALL),
    ("unknown device", flags("--device", "cpuu:0"), ALL),
    ("device without a number", flags("--device", "cpu"), ALL),
    ("device that is not there", flags("--device", "cpu:7"), FILES),
    ("more threads than CPUs", flags("--threads", "4095"), ALL),
    ("threads 0", flags("--threads", "0"), ALL),
    ("within 0", flags("--within", "0"), ALL),
    ("within 50 percent", flags("--within", "50%"), ALL),
    ("budget without a unit", flags("--budget", "40"), ALL),
    ("negative budget", flags("--budget", "-1m"), ALL),
    ("memory limit 0", flags("--memory-limit", "0"), ALL),
    ("seed below 0", flags("--seed", "-1"), ALL),
    *[("limit " + text, flags("--slo", text), ALL)
      for text in ("p95", "p200=1s", "p95=0ms", "p95=-1s", "p95=300", "p=1s", "95=1s", "p95=1000h", "mean=1s",
                   "p95=1s,p99=2s")],
    ("limit on responses without arrivals", flags("--slo", "response:p95=300ms"), ALL),
    ("objective fast", flags("--objective", "fast"), ALL),
    ("objective energi", flags("--objective", "energi"), ALL),
    *[("alpha " + text, flags("--alpha", text), ALL) for text in ("0", "0.05", "21", "-5", "5ppm")],
    *[("instances " + (text or "empty"), flags("--instances", text), ALL)
      for text in ("0", "-1", "65", "1.5", "1,1", "", "auto")],
    ("more instances than CPUs", flags("--instances", "64", "--threads", "4095"), ALL),
    *[("open loop " + (text or "empty"), flags("--open-loop", text), ALL)
      for text in ("20", "-3/s", "0/s", "poisson:20", "poisson:", "trace:", "1e9/s", "nan/s", "uniform:20/s", "")],
    *[("rate " + text, plain("queue", "--rate", text, "--out", "out"), ALL)
      for text in ("-3/s", "20", "0/s", "poisson:20/s")],
    ("rate and trace", plain("queue", "--rate", "20/s", "--trace", "times", "--out", "out"), ALL),
    ("delay without a unit", plain("queue", "--rate", "20/s", "--delay", "50", "--out", "out"), ALL),
    ("delay of two hours", plain("queue", "--rate", "20/s", "--delay", "2h", "--out", "out"), ALL),
    ("fresh with a value", flags("--fresh=yes"), ALL),
    ("why for a verb that has none", flags("--why"), ALL),
    *[("batches " + (text or "empty"), flags("--batches", text), ALL)
      for text in ("0", "-1", "1e9", "1..", "4..1", "4097", "1,,2", "1,1", "", "one")],
    ("too many batch sizes", flags("--batches", "1..4096"), ALL),
    *[("input " + text, plain("tune", *SMALL[:2], "--input=" + text, "--engine", "scripted.yaml", "--out", "out"), ALL)
      for text in ("0x0", "7x7", "100000x100000", "64", "64x", "x64", "-64x64", "64x64x64")],
    ("input that the network cannot take", plain("tune", "--model", "resunet_advanced", "--input", "250x256", "--engine",
                                                 "scripted.yaml", "--out", "out"), ALL),
    # configuration files
    ("config that is missing", plain("tune", "--config", "missing.yaml"), ALL),
    ("config that is a directory", config_is_folder, ALL),
    ("config that is empty", config(""), ALL),
    ("config of comments only", config("# nothing\n"), ALL),
    ("config that is binary", config(b"\x7fELF\x02\x01\x01\x00\x00\x00\xff\xfe\x00"), ALL),
    ("config with a zero byte", config(b"models: \"a\\0b\"\n"), ALL),
    ("config of 200 MB", config_is_huge, ALL),
    ("config with a duplicate key", config("within: 5%\nseed: 1\nwithin: 6%\n"), ALL),
    ("config with tabs", config("output:\n\tdir: x\n"), ALL),
    ("config with anchors in a loop", config(LOOP), ALL),
    ("config with an anchor", config("models: &m [hrnet]\n"), ALL),
    ("config with a tag", config("seed: !!int 5\n"), ALL),
    ("config that is a list", config("- hrnet\n"), ALL),
    ("config of two documents", config("seed: 1\n---\nseed: 2\n"), ALL),
    ("config nested too deep", config("output: " + "[" * 64 + "]" * 64 + "\n"), ALL),
    ("unknown key", config("all_models: true\nbathces: [1, 2]\n"), ALL),
    ("unknown key in a map", config("all_models: true\noutput:\n  dri: x\n"), ALL),
    ("key of a flag", config("model: hrnet\n"), ALL),
    ("key that is only a flag", config("resume: true\n"), ALL),
    ("batches 0 in a file", config("all_models: true\nbatches: [1, 0]\n"), ALL),
    ("batches 4..1 in a file", config("all_models: true\nbatches: 4..1\n"), ALL),
    ("precision in a file", config("all_models: true\nprecisions: [f32, fp16]\n"), ALL),
    ("unknown engine in a file", config("all_models: true\nengines: [onednn,\n  refernce]\n"), ALL),
    ("unknown model in a file", config("models: [hrnet, hrnett]\n"), ALL),
    ("limit in a file", config("all_models: true\nslo: p95=fast\n"), ALL),
    ("limit on responses in a file", config("all_models: true\nslo: \"response:p95=1s\"\n"), ALL),
    ("instances 0 in a file", config("all_models: true\ninstances: [1, 0]\n"), ALL),
    ("open loop in a file", config("all_models: true\nopen_loop: 20\n"), ALL),
    ("objective in a file", config("all_models: true\nobjective: latencyy\n"), ALL),
    ("output.for with an unknown key", config("all_models: true\noutput:\n  for: {hrnet: {engin: onednn}}\n"), ALL),
    # engines
    ("engine file that is missing", lambda w: tune_arguments(w, "missing.yaml"), ALL),
    ("engine file without a command", engine_file("name: x\n"), ALL),
    ("engine file with an unknown key", engine_file("name: x\ncomand: [true]\n"), ALL),
    ("engine command that does not exist", engine(["no-such-program-anywhere"]), FILES),
    ("engine command that is not executable", program("#!/bin/sh\n", mode=0o644), FILES),
    ("engine command that is a folder", engine(["/tmp/"]), FILES),
    ("engine that prints garbage", program("#!/bin/sh\necho hello world\nread line\n"), FILES),
    ("engine that exits at once", program("#!/bin/sh\necho no licence >&2\nexit 7\n"), FILES),
    ("engine with a broken script", lambda w: tune_arguments(w, scripted(w, "broken", "curve: fast\n")), FILES),
    # the output place
    ("output place that is a file", out_is_file, ALL),
    ("output place below a file", out_below_file, ALL),
    ("output place that cannot be written", out_in_proc, ALL),
    ("disk full at once", disk_full_at(0), FILES),
    ("disk full after the store's start", disk_full_at(40000), FILES),
    ("standard output full", stdout_full, ALL),
    # the store
    ("store that another process writes", locked, ALL),
    ("store that another program locks", locked_by_sqlite, ALL),
    ("store with a damaged head", store(overwrite(0, b"x" * 100)), ALL),
    ("store with a damaged page", store(overwrite(4096, b"\xff" * 4096)), FILES),
    ("store that is cut off", store(truncate), FILES),
    ("store that is a text", store(not_a_store), ALL),
    ("store of another program", store(foreign_database), ALL),
    ("store from a newer version", store(newer_store), ALL),
    ("store from a newer version, shown", store(newer_store, "show"), ALL),
    ("store that is a folder", store(store_is_folder), ALL),
    ("show without a store", plain("show", "--out", "nowhere"), ALL),
    ("show of an unknown campaign", plain("show", "20200101-000000-0000", "--out", "out"), ALL),
    ("show as two things", plain("show", "--json", "--csv", "--out", "out"), ALL),
    ("report of an unknown campaign", plain("report", "yesterday", "--out", "out"), ALL),
    # the files
    ("file in place from a newer version", file_in_place(ENTRY % (1, 1, 1.0, ', "autotune": {"schema": 2}')), ALL),
    ("file in place that is broken", file_in_place('{"batch_configurations": {"m": '), ALL),
    ("file in place with a size 8.0", file_in_place(ENTRY % ("8.0", 8, 1.0, "")), FILES),
    ("base that is missing", flags("--base", "missing.json"), ALL),
    ("base that is broken", base("[1, 2"), ALL),
    ("verify without a file", plain("verify"), ALL),
    ("verify of a missing file", plain("verify", "missing.json"), ALL),
    ("verify of a directory", plain("verify", "out"), ALL),
    ("verify of no JSON", verify("{"), ALL),
    ("verify of a size 0", verify(ENTRY % (0, 1, 1.0, "")), ALL),
    ("verify of optimal above max_safe", verify(ENTRY % (4, 2, 1.0, "")), ALL),
    # imports
    ("import without a file", plain("import", "--out", "out"), ALL),
    ("import of a missing file", plain("import", "missing.json", "--out", "out"), ALL),
    ("import of a directory", plain("import", "out", "--out", "out"), ALL),
    ("import of garbage", bring(b"\x7fELF\x02\x01\x01\x00\xff"), ALL),
    ("import of no JSON", bring("batch: 8\n"), ALL),
    ("import of a file with a BOM", bring(b"\xef\xbb\xbf" + (ENTRY % (1, 1, 1.0, "")).encode()), ALL),
    ("import with a duplicate key", bring(ENTRY % (1, '1, "optimal_batch_size": 2', 1.0, "")), ALL),
    ("import of a size 8.0", bring(ENTRY % ("8.0", 8, 1.0, "")), ALL),
    ("import of a size 0", bring(ENTRY % (8, 0, 1.0, "")), ALL),
    ("import of another document", bring('{"models": []}\n'), ALL),
    ("import from a newer version", bring(ENTRY % (1, 1, 1.0, ', "autotune": {"schema": 2}')), ALL),
    # weights
    ("weights that are missing", lambda w: weighed(w, "missing.safetensors"), FILES),
    ("safetensors file that is cut off in its header", weights(struct.pack("<Q", 1000) + HEADER), FILES),
    ("safetensors file that is cut off in its data", weights(struct.pack("<Q", len(HEADER)) + HEADER + b"\0" * 7), FILES),
    ("safetensors file with a header of 2^60 bytes", weights(struct.pack("<Q", 1 << 60) + HEADER), FILES),
    ("safetensors file that is empty", weights(b""), FILES),
    ("safetensors file of other weights", weights(struct.pack("<Q", len(HEADER)) + HEADER + b"\0" * 16), FILES),
]


# --- running one ----------------------------------------------------------------------------------------------------

def normal(text, folder):
    """The text without what depends on the machine, the run or its folder."""
    for path, word in ((folder, "FOLDER"), (os.path.realpath(folder), "FOLDER"), (BIN, "BIN"),
                       (os.path.realpath(BIN), "BIN"), (ROOT, "HOME")):
        text = text.replace(path, word)
    text = re.sub(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b", lambda m: m.group() if m.group().startswith("2020") else "CAMPAIGN",
                  text)
    text = re.sub(r"\bpid \d+|\bprocess \d+", "pid PID", text)
    text = re.sub(r"may use \d+ CPUs?: use at most \d+", "may use N CPUs: use at most N", text)
    text = re.sub(r"quota of this cgroup is [\d.]+ CPUs?: use at most \d+", "may use N CPUs: use at most N", text)
    return text


def kept(folder, what):
    """What must not change."""
    seen = snapshot(folder)
    if what == ALL:
        return {path: digest for path, digest in seen.items() if not path.endswith((".lock", "-shm", "-wal"))}
    return {path: digest for path, digest in seen.items() if path.endswith(".json")}


def run_case(case, template):
    name, make, what = case
    folder = tempfile.mkdtemp(prefix="bench-bad-")
    try:
        shutil.copytree(template, os.path.join(folder, "w"), symlinks=True)
        w = os.path.join(folder, "w")
        ask = make(w)
        ask = dict(ask) if isinstance(ask, dict) else {"arguments": ask}
        holder, process = ask.pop("keep", None), ask.pop("end", None)
        arguments = [a.replace(template, w) for a in ask.pop("arguments")]
        before = kept(w, what)
        done = bench(*arguments, cwd=w, **ask)
        after = kept(w, what)
        if what == FILES:  # a campaign that ran has files of its own; those that were there must be as before
            after = {path: digest for path, digest in after.items() if path in before}
        if process:
            process.communicate()
        del holder
        errors = [l for l in done.stderr.splitlines() if l.startswith("bench: ")]
        out = normal(done.stdout or "", w) if arguments[0] == "verify" else ""
        text = "".join(line + "\n" for line in out.splitlines()) + "".join(normal(l, w) + "\n" for l in errors)
        return done.returncode, text, before == after, done
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show(name, code, text):
    return "== %s\nexit %d\n%s\n" % (name, code, text)


def read_golden():
    expected = {}
    if os.path.exists(GOLDEN):
        with open(GOLDEN) as f:
            for part in f.read().split("== ")[1:]:
                expected[part.split("\n", 1)[0]] = "== " + part
    return expected


def make_template(folder):
    """Results of an earlier campaign, so that there is something to be lost."""
    w = os.path.join(folder, "template")
    os.makedirs(w)
    engine_path = scripted(w)
    done = bench(*tune_arguments(w, engine_path, "--batches", "1,2", "--seed", "1"), cwd=w)
    if done.returncode != 0:
        raise Failed("the campaign before all cases failed:\n" + done.stdout + done.stderr)
    check(os.path.exists(os.path.join(w, "out", "batch_sizes.json")), "the campaign wrote no batch_sizes.json")
    return w


def judge(case, result, expected):
    """What is wrong with the result, as lines; none if all is well."""
    name, _, _ = case
    code, text, same, done = result
    wrong = []
    if not same:
        wrong.append("something was written over or lost")
    if done.returncode < 0 or "Sanitizer" in done.stderr:
        wrong.append("it died: " + done.stderr[-2000:])
    if code == 0:
        wrong.append("exit code 0 for a mistake")
    if not text.strip():
        wrong.append("no sentence on stderr; all of it: " + done.stderr[-500:])
    if len([l for l in text.splitlines() if l.startswith("bench: ")]) > 1:
        wrong.append("more than one sentence: " + text)
    if expected is not None and show(name, code, text) != expected.get(name):
        wrong.append("got\n%swant\n%s" % (show(name, code, text), expected.get(name)))
    return wrong


def main():
    update = "--update" in sys.argv[1:]
    expected = None if update else read_golden()
    folder = tempfile.mkdtemp(prefix="bench-bad-")
    failed, lines = 0, []
    try:
        template = make_template(folder)
        for number, case in enumerate(CASES, 1):
            result = run_case(case, template)
            wrong = judge(case, result, expected)
            lines.append(show(case[0], result[0], result[1]))
            failed += bool(wrong)
            print("%s %d - %s" % ("not ok" if wrong else "ok", number, case[0]))
            for text in wrong:
                print("\n".join("# " + line for line in text.splitlines()))
            sys.stdout.flush()
        names = {case[0] for case in CASES}
        surplus = sorted(set(expected or ()) - names)
        print("%s %d - every golden message has its case" % ("not ok" if surplus else "ok", len(CASES) + 1))
        failed += bool(surplus)
        if update:
            with open(GOLDEN, "w") as f:
                f.write("".join(lines))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
