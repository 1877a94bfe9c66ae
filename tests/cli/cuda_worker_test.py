#!/usr/bin/env python3
"""The CUDA worker as a worker: the conformance script on the build with a fake CUDA, and the real one on a machine without
a GPU, where it starts, says what is missing and ends with 0."""
import json
import os
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


without_a_gpu()
conformance()
