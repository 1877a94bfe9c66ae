#!/usr/bin/env python3
"""CPU and GPU in one campaign, without a GPU: the scripted engine says it has both, the fake NVML what the device does."""
import json
import os
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_runner import BIN, bench, check, environment, run_tests, scripted, tune_arguments, write  # noqa: E402

UUID = "GPU-11111111-2222-3333-4444-555555555555"
FAKE = os.path.join(os.path.dirname(BIN), "fake", "libnvidia-ml.so.1")
BOTH = """
time: virtual
seed: 1
curve: {fixed: 1ms, per_image: 1ms}
noise: [{kind: normal, sigma: 0.003, per: block}]
speed: {"cuda:0": 12}
devices: ["cuda:0", "cpu:0"]
device_uuid: %s
""" % UUID


def measure(folder, nvml, *more):
    """One tune on both devices; its end and its folder of results."""
    engine = scripted(folder, script=BOTH)
    env = environment(BENCH_NVML_LIBRARY=FAKE, BENCH_FAKE_NVML=write(os.path.join(folder, "nvml"), nvml))
    return bench(*tune_arguments(folder, engine, "--device", "cpu:0,cuda:0", "--batches", "1,2,4", "--quiet", *more),
                 cwd=folder, env=env)


def rows(folder, text):
    store = sqlite3.connect(os.path.join(folder, "out", "bench.sqlite"))
    try:
        return store.execute(text).fetchall()
    finally:
        store.close()


def readings(folder, name):
    """[(key of the target, batch, reading)] of one field of every block that has it."""
    found = []
    for key, batch, form, values in rows(folder, "SELECT (SELECT key FROM target_state WHERE target = e.target ORDER BY id DESC "
                                                 "LIMIT 1), b.batch, f.text, t.readings FROM telemetry AS t JOIN "
                                                 "telemetry_form AS f ON f.id = t.form JOIN block AS b ON b.id = t.block JOIN "
                                                 "execution AS e ON e.id = b.execution"):
        names = [field[0] for field in json.loads(form) if not field[3]]
        if name in names:
            found.append((key, batch, json.loads(values)[names.index(name)]))
    return found


def both_are_measured(folder):
    """--device cpu:0,cuda:0 measures both; NVML's readings are stored with the GPU's blocks only"""
    done = measure(folder, "process children 1e9\nfield.74 step 5000\n")
    check(done.returncode == 0, "exit %d: %s" % (done.returncode, done.stderr))
    check("GPU over CPU" in done.stdout, done.stdout)
    shown = json.loads(bench("show", "--json", "--out", os.path.join(folder, "out"), cwd=folder).stdout)
    sides = shown["side_by_side"]
    # nobody checked the output of a script: there is a reason, and no number
    check(len(sides) == 1 and sides[0]["ratio"] is None and "unverified" in sides[0]["note"], str(sides))
    capped = [key.split("|")[2] for key, _, value in readings(folder, "gpu_sw_power_cap_ns") if value == 5000]
    on = {device: capped.count(device) for device in ("cpu:0", "cuda:0")}
    check(on["cpu:0"] == 0 and on["cuda:0"] > 30, str(on))
    uuid = rows(folder, "SELECT DISTINCT text, class_name FROM environment WHERE name = 'device_uuid'")
    check(uuid == [(UUID, "key")], str(uuid))


def a_broken_driver_leaves_the_cpu(folder):
    """NVML 18: exit 3 with both versions in one sentence; the CPU's target is measured all the same"""
    done = measure(folder, "init 18\nnvml 13.580.65.06\n")
    check(done.returncode == 3, "exit %d: %s" % (done.returncode, done.stderr))
    check("cuda:0" in done.stderr and "580.65.06 (NVML 18)" in done.stderr, done.stderr)
    decided = rows(folder, "SELECT batch FROM decision WHERE batch > 0")
    check(decided and {d[0] for d in decided} == {4}, str(decided))


# The scripted worker with what an engine that tunes itself says besides.
TUNING = """
import json, subprocess, sys
worker = subprocess.Popen([sys.argv[1], "--script", sys.argv[2]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "load":
        with open(sys.argv[3], "w") as f:
            json.dump(request.get("options"), f)
    worker.stdin.write(line)
    worker.stdin.flush()
    answer = json.loads(worker.stdout.readline())
    if request["op"] == "prepare" and answer.get("ok"):
        answer["tune"] = {"plan_hash": "hash-of-%d" % request["batch"]}
    if request["op"] == "memory":
        answer["foreign"] = True
    print(json.dumps(answer), flush=True)
    if request["op"] == "quit":
        sys.exit(worker.wait())
"""


def what_an_engine_chose_is_stored(folder):
    """a GPU's engine is told where to keep what it found; its choices stand beside each block, others' memory is marked"""
    script = write(os.path.join(folder, "script.yaml"), BOTH + "can: [memory]\n")
    program = write(os.path.join(folder, "tuning.py"), TUNING)
    seen = os.path.join(folder, "options.json")
    engine = scripted(folder, command=[sys.executable, program, os.path.join(BIN, "bench-worker-scripted"), script, seen])
    done = bench(*tune_arguments(folder, engine, "--device", "cuda:0", "--batches", "1,2", "--quiet"), cwd=folder)
    check(done.returncode == 0, "exit %d: %s" % (done.returncode, done.stderr))
    with open(seen) as f:
        options = json.load(f)
    check(options.get("cache_dir") == os.path.join(folder, "out", "tuned"), str(options))
    hashes = [(value, batch) for _, batch, value in readings(folder, "plan_hash")]
    blocks = rows(folder, "SELECT count(*) FROM block")[0][0]
    check(all(value == "hash-of-%d" % batch for value, batch in hashes), str(hashes[:5]))
    check(len(hashes) == blocks > 20, "%d of %d blocks" % (len(hashes), blocks))
    marks = rows(folder, "SELECT DISTINCT batch FROM mark WHERE subject = 'point' AND reason = 'foreign' ORDER BY 1")
    check(marks == [(1,), (2,)], str(marks))


def a_night_looks_at_the_gpu_first(folder):
    """a GPU was tuned, and none is here any more: ENV_BROKEN, exit 3, what doctor says; nothing is measured, the night counts"""
    engine = scripted(folder, script=BOTH)
    done = bench(*tune_arguments(folder, engine, "--device", "cuda:0", "--batches", "1,2", "--quiet"), cwd=folder)
    check(done.returncode == 0, "exit %d: %s" % (done.returncode, done.stderr))
    executions = rows(folder, "SELECT count(*) FROM execution")
    done = bench("nightly", "--out", os.path.join(folder, "out"), "--quiet", "--json", cwd=folder)
    check(done.returncode == 3, "exit %d: %s" % (done.returncode, done.stderr))
    night = json.loads(done.stdout)
    check(night["verdict"] == "ENV_BROKEN" and night["sentence"].startswith("gpu."), done.stdout)
    doctor = bench("doctor", "--only", "gpu", "--require-gpu", "--json", cwd=folder)
    fails = [c for c in json.loads(doctor.stdout)["checks"] if c["level"] == "fail"]
    check(fails and fails[0]["sentence"] in night["sentence"], "%s, not %s" % (night["sentence"], fails))
    check(rows(folder, "SELECT count(*) FROM execution") == executions, "it measured")
    check(rows(folder, "SELECT DISTINCT validity FROM night WHERE target > 0") == [("INVALID",)], done.stdout)


def a_night_on_the_cpu_asks_for_no_gpu(folder):
    """CPU and GPU were tuned and the CPU is the faster one: it alone is watched, and no GPU is missed"""
    engine = scripted(folder, script=BOTH.replace('"cuda:0": 12', '"cuda:0": 0.5'))
    done = bench(*tune_arguments(folder, engine, "--device", "cpu:0,cuda:0", "--batches", "1,2", "--quiet"), cwd=folder)
    check(done.returncode == 0, "exit %d: %s" % (done.returncode, done.stderr))
    done = bench("nightly", "--out", os.path.join(folder, "out"), "--quiet", "--json", cwd=folder)
    check(done.returncode == 0, "exit %d: %s" % (done.returncode, done.stderr))
    night = json.loads(done.stdout)
    check(night["verdict"] == "LEARNING" and all("cpu:0" in s["series"] for s in night["series"]), done.stdout)


def a_missing_worker_is_one_sentence(folder):
    """a GPU target whose worker does not start is skipped with the reason, exit 3"""
    engine = write(os.path.join(folder, "gone.yaml"), "name: gone\ncommand: [no-such-worker]\ndevices: [cuda]\n")
    cpu = scripted(folder, script=BOTH)
    done = bench(*tune_arguments(folder, engine + "," + cpu, "--device", "cpu:0,cuda:0", "--batches", "1,2", "--quiet"),
                 cwd=folder)
    check(done.returncode == 3, "exit %d: %s" % (done.returncode, done.stderr))
    check("no-such-worker" in done.stderr, done.stderr)
    check(rows(folder, "SELECT count(*) FROM decision WHERE batch > 0")[0][0] >= 1, "the others were not measured")


if __name__ == "__main__":
    tests = [a_missing_worker_is_one_sentence, what_an_engine_chose_is_stored, a_night_on_the_cpu_asks_for_no_gpu]
    if not os.path.exists("/dev/nvidiactl"):
        tests.append(a_night_looks_at_the_gpu_first)
    if os.access(FAKE, os.R_OK):
        tests += [both_are_measured, a_broken_driver_leaves_the_cpu]
    else:
        print("# %s is not built: only what needs no NVML is run" % FAKE)
    sys.exit(run_tests(tests))
