#!/usr/bin/env python3
"""tests/gpu/check-gpu from its first line to its last, on fakes of CUDA's libraries and small relatives of the networks.

What `bench doctor` and `bench check` say of a real GPU is played by scripts, and so are the programs of tests; the worker,
the CPU engine and everything that check-gpu asks them are real. So is every file it leaves.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import tell  # noqa: E402

BIN = os.path.abspath(os.environ["BENCH_BIN"])
FAKE = os.path.join(os.path.dirname(BIN), "fake")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FEATURES = {"hrnet": [8, 8, 8, 8], "resunet_small": [8], "resunet_advanced": [8, 8, 8, 8]}
MODEL = """name: %s
architecture: %s
description: "a small relative"
features: %s
input: [3, 64, 64]
multiple: 1
min_side: 4
served: true
mask: true
"""
# bench with what needs a real GPU played; $DOCTOR and $CHECK are the exit codes.
BENCH = """#!/bin/sh
case $1 in
doctor) echo "the last line of doctor"; exit ${DOCTOR:-0} ;;
check) echo "$*" >> "$CHECK_LOG"; printf '\\n24 passed, 0 failed\\n'; exit ${CHECK:-0} ;;
esac
exec %s "$@"
"""
TESTS = """#!/bin/sh
echo "# device as cuDNN sees it: {\\"deviceName\\":\\"a fake\\"}"
printf 'ok - one\\nok - two\\n'
exit 0
"""


# A python3 whose torch is there if $TORCH is yes, and a side by side that finds one good and one bad thing.
PYTHON = """#!/bin/sh
case $1 in
-c) [ "${TORCH:-no}" = yes ]; exit ;;
*/torch_baseline.py) echo "$*" >> "$CHECK_LOG"; printf 'note\\ta name\\tof it\\npass\\toutput\\tgood\\n'
    printf '%s' "${TORCH_MORE:-}" ;;
esac
"""


def write_program(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o755)


def make_home(folder):
    """What the tarball has, with small networks."""
    os.makedirs(os.path.join(folder, "tests"))
    shutil.copytree(os.path.join(ROOT, "tests", "gpu"), os.path.join(folder, "tests", "gpu"),
                    ignore=shutil.ignore_patterns("fake", "device", "*.c"))
    shutil.copytree(os.path.join(ROOT, "configs", "engines"), os.path.join(folder, "configs", "engines"))
    os.makedirs(os.path.join(folder, "configs", "models"))
    for name, features in FEATURES.items():
        with open(os.path.join(folder, "configs", "models", name + ".yaml"), "w", encoding="utf-8") as f:
            f.write(MODEL % (name, name, features))
    programs = os.path.join(folder, "bin")
    os.makedirs(programs)
    write_program(os.path.join(programs, "bench"), BENCH % os.path.join(BIN, "bench"))
    for name in ("gpu-kernel-tests", "gpu-pattern-tests"):
        write_program(os.path.join(programs, name), TESTS)
    os.symlink(os.path.join(FAKE, "bench-worker-cuda"), os.path.join(programs, "bench-worker-cuda"))
    if os.path.exists(os.path.join(BIN, "bench-worker-onednn")):
        os.symlink(os.path.join(BIN, "bench-worker-onednn"), os.path.join(programs, "bench-worker-onednn"))
    write_program(os.path.join(programs, "python3"), PYTHON)


def environment(home, **more):
    return dict(os.environ, BENCH_CUDA_LIBRARY_PATH=FAKE, OMP_NUM_THREADS="1", TMPDIR=home,
                PATH=os.path.join(home, "bin") + ":/usr/bin:/bin", CHECK_LOG=os.path.join(home, "check.log"),
                BENCH_NVML_LIBRARY=os.path.join(FAKE, "libnvidia-ml.so.1"),
                **dict({"BENCH_FAKE_CUDA": "protect=0"}, **more))


def command(home, *arguments):
    return [os.path.join(home, "tests", "gpu", "check-gpu"), "--out", os.path.join(home, "out"), "--sides", "48,48",
            "--tune-ms", "50", "--run-ms", "1", "--limit", "1500", *arguments]


def run(home, *arguments, **more):
    return subprocess.run(command(home, *arguments), env=environment(home, **more), stdin=subprocess.DEVNULL, cwd="/",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=400)


def results(home):
    with open(os.path.join(home, "out", "check-gpu.json"), encoding="utf-8") as f:
        return json.load(f)


def left_in(home):
    """Files of a run that it should have taken away."""
    return [name for name in os.listdir(home) if name.startswith("check-gpu.")]


def whole_run(home):
    done = run(home, TORCH="yes")
    found = results(home)
    bad = [r for r in found["results"] if r["outcome"] in ("FAIL", "not run")]
    tell(done.returncode == 0 and not bad, "every stage runs and passes", done.stdout)
    by_stage = {}
    for r in found["results"]:
        by_stage.setdefault(r["stage"], []).append(r["outcome"])
    # 4: a model each. 5: 3 models x 4 precisions x 2. 6: a model each. 7: three faults.
    counts = [by_stage.get(stage, []).count("pass") for stage in range(1, 8)]
    tell(counts == [2, 1, 1, 3, 24, 3, 3], "as many checks as there are", counts)
    tell(found["passed"] == sum(counts) + 5 and found["failed"] == 0 and found["not_run"] == 0, "and the sums say so",
         {key: found[key] for key in ("passed", "failed", "skipped", "not_run")})
    tell(done.stdout.rstrip().splitlines()[-2] == "%d passed, 0 failed, 1 skipped" % found["passed"], "so does the last line",
         done.stdout)
    timed = [r for r in found["results"] if r["stage"] == 9 and " ms median of " in r["detail"]]
    tell(len(timed) == 10, "ten sizes have a time", timed)
    lanes = [r["detail"] for r in found["results"] if '"lanes":' in r["detail"]]
    tell(len(lanes) == 4 and not any('"wrong":true' in line for line in lanes), "branches are tried", lanes)
    with open(os.path.join(home, "check.log"), encoding="utf-8") as f:
        asked = f.read().splitlines()
    checks = [line for line in asked if line.startswith("check ")]
    tell(len(checks) == 3 and all("--logits" in line and "--device cuda:0" in line for line in checks),
         "bench check is asked for each network", asked)
    ways = [(line.split("--model ")[1].split()[0], line.split("--variants ")[1].split()[0]) for line in asked
            if "torch_baseline" in line]
    tell(ways == [(model, "amp") for model in FEATURES] + [("resunet_small", "eager"), ("resunet_small", "compile")],
         "PyTorch is asked for each network", ways)
    files = sorted(os.listdir(os.path.join(home, "out")))
    tell(files == ["answers.tar.gz", "check-gpu.json", "check-gpu.txt"] and not left_in(home), "three files, nothing else",
         (files, left_in(home)))
    with open(os.path.join(home, "out", "check-gpu.txt"), encoding="utf-8") as f:
        tell(f.read() == done.stdout, "what was printed is in one of them")
    with tarfile.open(os.path.join(home, "out", "answers.tar.gz")) as tar:
        names = tar.getnames()
    tell("./hello.answers" in names and "./time-hrnet-f16.answers" in names and
         not any(name.endswith(".npy") for name in names), "the workers' answers are in another", names)


def beside_torch(home):
    """What PyTorch's side finds wrong counts; without torch it is skipped."""
    done = run(home, "--only", "9", TORCH="yes", TORCH_MORE="FAIL\toutput\tfar off\n")
    found = [r["outcome"] for r in results(home)["results"] if r["stage"] == 9]
    tell(found.count("FAIL") == 5 and done.returncode == 1, "an output that is far from PyTorch's fails", done.stdout)
    done = run(home, "--only", "9")
    skipped = [r for r in results(home)["results"] if r["outcome"] == "skip"]
    tell(len(skipped) == 1 and "torch cannot be imported" in skipped[0]["detail"], "without torch it is skipped", done.stdout)


def without_a_gpu(home):
    done = run(home, BENCH_FAKE_CUDA="driver=0", DOCTOR="3")
    found = results(home)
    tell(done.returncode == 3, "without a GPU it ends with 3", done.stdout)
    tell([r["outcome"] for r in found["results"]] == ["FAIL", "FAIL"] + 8 * ["not run"], "nothing else is tried",
         done.stdout)


def doctor_may_be_wrong(home):
    """What a machine looks like from outside does not stop a worker that answers."""
    done = run(home, "--only", "1,2", DOCTOR="3")
    outcomes = [(r["stage"], r["outcome"]) for r in results(home)["results"]]
    tell(outcomes[:2] == [(1, "FAIL"), (1, "pass")] and (2, "pass") in outcomes and done.returncode == 1,
         "a doctor that finds a fault fails and stops nothing", done.stdout)


def too_late(home):
    """Stage 2 would take longer than everything may: it is ended, and the rest is not run."""
    programs = os.path.join(home, "bin")
    write_program(os.path.join(programs, "gpu-kernel-tests"), "#!/bin/sh\necho 'ok - one'\nexec sleep 60\n")
    start = time.monotonic()
    done = run(home, "--only", "2,3", "--limit", "3")
    took_s = time.monotonic() - start
    tell(done.returncode == 1 and took_s < 30, "what does not fit is ended (%.0f s)" % took_s, done.stdout)
    late = [r for r in results(home)["results"] if r["stage"] == 2]
    tell([r["outcome"] for r in late] == ["not run"] and "1 ok, 0 not ok" in late[0]["detail"], "and told as not run", late)


def ended_by_a_signal(home):
    """As a lease that runs out does: the results so far are there, nothing is left behind."""
    process = subprocess.Popen(command(home, "--only", "1,2"), env=environment(home), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, universal_newlines=True)
    for line in process.stdout:
        if " 1  devices" in line:
            break
    time.sleep(0.5)  # into stage 2, which sleeps
    process.send_signal(signal.SIGTERM)
    rest = process.stdout.read()
    code = process.wait(timeout=20)
    outcomes = [(r["stage"], r["outcome"]) for r in results(home)["results"]]
    tell(code == 1 and (1, "pass") in outcomes and outcomes[-1] == (2, "not run") and not left_in(home),
         "a signal ends it with its results", (code, rest, outcomes, left_in(home)))


def usage(home):
    for arguments, said in ((["--only", "x"], "--only takes numbers"), (["--sides", "64"], "--sides takes two numbers"),
                            (["--sides", "64,"], "--sides takes two"), (["--limit", "soon"], "take whole numbers"),
                            (["--out"], "--out needs a value"), (["--quick"], "unknown argument")):
        done = run(home, *arguments)
        tell(done.returncode == 2 and said in done.stdout, "refused: %s" % " ".join(arguments), done.stdout)
    helped = run(home, "--help")
    flags = re.findall(r"^\s+(--[a-z-]+)", helped.stdout, re.M)
    named = set(re.findall(r"--[a-z-]+", run(home, "--quick").stdout)) - {"--quick", "--help"}
    tell(helped.returncode == 0 and named and set(flags) == named, "--help has every flag that is allowed", helped.stdout)


def main():
    if not os.path.exists(os.path.join(FAKE, "bench-worker-cuda")):
        tell(True, "check-gpu on a fake CUDA # SKIP no CUDA toolkit here: there is no worker on the fakes")
        return
    if not os.path.exists(os.path.join(BIN, "bench-worker-onednn")):
        tell(True, "check-gpu on a fake CUDA # SKIP oneDNN is missing: nothing to compare large images with")
        return
    with tempfile.TemporaryDirectory(prefix="check-gpu-test-") as home:
        make_home(home)
        usage(home)
        whole_run(home)
        beside_torch(home)
        without_a_gpu(home)
        doctor_may_be_wrong(home)
        too_late(home)
        ended_by_a_signal(home)


main()
