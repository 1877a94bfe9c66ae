#!/usr/bin/env python3
"""The CUDA worker as a worker: the conformance script on the build with a fake CUDA, and the real one on a machine without
a GPU, where it starts, says what is missing and ends with 0."""
import json
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import tell  # noqa: E402

BIN = os.path.abspath(os.environ["BENCH_BIN"])
FAKE = os.path.join(os.path.dirname(BIN), "fake")
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TINY = """name: tiny
architecture: resunet_small
description: "a small relative of resunet_small"
features: [8, 16]
input: [3, 8, 8]
multiple: 1
min_side: 4
served: false
mask: true
"""
# A tuner with a minute to spend is no part of the protocol.
OPTIONS = json.dumps({"tune": "off", "workspace_cap_bytes": 4 << 20})


def conformance():
    """Every case of the conformance script, f16, graphs"""
    worker = os.path.join(FAKE, "bench-worker-cuda")
    if not os.path.exists(worker):
        tell(True, "conformance on a fake CUDA # SKIP no CUDA toolkit here: there is no worker on the fakes")
        return
    env = dict(os.environ, BENCH_HOME=ROOT, BENCH_CUDA_LIBRARY_PATH=FAKE, BENCH_CUDA_OPTIONS=OPTIONS, OMP_NUM_THREADS="1",
               BENCH_NVML_LIBRARY=os.path.join(FAKE, "libnvidia-ml.so.1"), BENCH_FAKE_CUDA="")
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "tiny.yaml")
        with open(model, "w") as f:
            f.write(TINY)
        done = subprocess.run([os.path.join(HERE, "worker-conformance"), "--model", model, "--precision", "f16", worker],
                              env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    tell(done.returncode == 0 and last.endswith(" 0 failed"), "conformance on a fake CUDA: " + last, done.stdout)


def without_a_gpu():
    """hello and load say why not, with the error's number; quit ends with 0"""
    worker = os.path.join(BIN, "bench-worker-cuda")
    if not os.path.exists(worker):
        tell(True, "the worker without a GPU # SKIP no CUDA toolkit here: there is no CUDA worker")
        return
    lines = ['{"id":1,"op":"hello","protocol":1}', '{"id":2,"op":"load","model":"resunet_small"}', '{"id":3,"op":"quit"}']
    done = subprocess.run([worker], input="\n".join(lines) + "\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, env=dict(os.environ, BENCH_HOME=ROOT), timeout=60)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if answers and answers[0]["ok"]:
        tell(True, "the worker without a GPU # SKIP this machine has a GPU")
        return
    said = [(a.get("error", {}).get("kind"), "api" in a.get("error", {})) for a in answers]
    tell(said == [("environment", True), ("environment", True), (None, False)] and answers[2]["ok"],
         "without a GPU: " + (answers[0]["error"]["message"] if answers else ""), done.stdout)
    tell(done.returncode == 0 and done.stderr == "", "and it ends with 0 on quit", (done.returncode, done.stderr))


def session(folder, script, tune):
    """(answer of prepare, bytes of the output of one image) of a worker on a fake device with this script"""
    worker, model = os.path.join(FAKE, "bench-worker-cuda"), os.path.join(folder, "tiny.yaml")
    output = os.path.join(folder, "output.npy")
    options = {"tune": tune, "workspace_cap_bytes": 4 << 20, "cache_dir": os.path.join(folder, "cache")}
    requests = [dict(op="hello", protocol=1),
                dict(op="load", model=model, shape=[3, 32, 32], precision="f32", device="cuda:0", weights="seeded", seed=1,
                     max_batch=1, options=options),
                dict(op="prepare", batch=1), dict(op="output", batch=1, images=[1], path=output), dict(op="quit")]
    env = dict(os.environ, BENCH_HOME=ROOT, BENCH_CUDA_LIBRARY_PATH=FAKE, OMP_NUM_THREADS="1", BENCH_FAKE_CUDA=script,
               BENCH_NVML_LIBRARY=os.path.join(FAKE, "libnvidia-ml.so.1"))
    with open(model, "w") as f:
        f.write(TINY)
    done = subprocess.run([worker], input="".join(json.dumps(dict(r, id=i)) + "\n" for i, r in enumerate(requests)),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, env=env, timeout=300)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(requests) or not all(a["ok"] for a in answers) or done.returncode:
        return done.stdout + done.stderr, b""
    with open(output, "rb") as f:
        return answers[2]["tune"], f.read()


def values_of(npy):
    return [v for (v,) in struct.iter_unpack("<f", npy[128:])]


def apart(a, b):
    """The largest difference over the largest value."""
    return max(abs(x - y) for x, y in zip(a, b)) / max(map(abs, b))


def shapes_in(folder):
    """{kernel: the shapes that winners in the cache have}"""
    found = {}
    cache = os.path.join(folder, "cache")
    for name in (n for n in os.listdir(cache) if n.endswith(".jsonl")):
        with open(os.path.join(cache, name)) as f:
            for line in f:
                for kernel, shape in json.loads(line)["winner"]["shapes"].items():
                    found.setdefault(kernel, set()).add(shape)
    return found


def block_shapes():
    """A device on which blocks of more than 128 threads are slow: small ones are chosen, and compute the same"""
    if not os.path.exists(os.path.join(FAKE, "bench-worker-cuda")):
        tell(True, "block shapes on a fake CUDA # SKIP no CUDA toolkit here: there is no worker on the fakes")
        return
    with tempfile.TemporaryDirectory() as folder:
        off, plain = session(folder, "", "off")
        tuned, first = session(folder, "wide=1500", "auto")
        cached, second = session(folder, "", "cache")
        shapes = shapes_in(folder) if first else {}
    tell(first and second and "small" in shapes["stats"] and "small" in shapes["apply"],
         "blocks of 128 threads are chosen where wider ones are slow", (tuned, cached, shapes))
    tell(first == second and tuned["plan_hash"] == cached["plan_hash"] != off["plan_hash"] and tuned["rejected"] == 0,
         "what the cache keeps runs the same, and its hash says so", (tuned, cached, off))
    tell(plain and first and apart(values_of(first), values_of(plain)) < 1e-4, "and computes what the default does")


without_a_gpu()
conformance()
block_shapes()
