#!/usr/bin/env python3
"""tests/gpu/torch_baseline.py and its networks: with torch, on the processor and the fakes of CUDA's libraries; without
torch, what they say then."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import tell  # noqa: E402

BIN = os.path.abspath(os.environ["BENCH_BIN"])
FAKE = os.path.join(os.path.dirname(BIN), "fake")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GPU = os.path.join(ROOT, "tests", "gpu")
# Sums of all parameters and logits at 128x128 in double, as published with the networks: kernels/base/vectors.c.
PUBLISHED = {
    "hrnet": {False: (42870.027434, {(0, 0): 1.42692053, (42, 25): -0.50397422}),
              True: (19630.813057471, {(0, 0): -0.291104937, (42, 25): 0.178026814})},
    "resunet_small": {False: (10228.364332, {(0, 0): -0.337451012, (42, 25): 0.0550990301}),
                      True: (6177.770691366, {(0, 0): -0.23310829, (42, 25): -0.311109966})},
    "resunet_advanced": {False: (24492.554071, {(0, 0): 1.16104529, (42, 25): 0.941242732}),
                         True: (12519.093493319, {(0, 0): 0.72083536, (42, 25): -0.190222094})},
}
LIMITS = {"hrnet": 1e-3, "resunet_small": 1e-3, "resunet_advanced": 5e-3}
TINY = """name: resunet_small
architecture: resunet_small
description: "a small relative"
features: [8]
input: [3, 64, 64]
multiple: 1
min_side: 4
served: true
mask: true
"""


def networks_are_the_published_ones(torch):
    sys.path.insert(0, GPU)
    import torch_networks as networks
    torch.set_num_threads(1)
    for name, sets in PUBLISHED.items():
        config = networks.read_config(os.path.join(ROOT, "configs", "models", name + ".yaml"))
        for damped, (total, points) in sets.items():
            net, found = networks.network(config, damped=damped)
            with torch.inference_mode():
                logits = net(networks.image("input", [3, 128, 128])[None])[0, 0]
            worst = max(abs(logits[at].item() - value) for at, value in points.items())
            what = "%s, %s set" % (name, "damped" if damped else "undamped")
            tell(abs(found - total) < 1e-6, "%s: the published weights" % what, (found, total))
            tell(worst < LIMITS[name], "%s: the published logits (%.1e)" % (what, worst), worst)


def make_home(folder):
    models = os.path.join(folder, "configs", "models")
    os.makedirs(models)
    with open(os.path.join(models, "resunet_small.yaml"), "w", encoding="utf-8") as f:
        f.write(TINY)


def baseline(folder, *more, **environment):
    env = dict(os.environ, BENCH_HOME=folder, BENCH_CUDA_LIBRARY_PATH=FAKE, OMP_NUM_THREADS="1",
               BENCH_NVML_LIBRARY=os.path.join(FAKE, "libnvidia-ml.so.1"),
               **dict({"BENCH_FAKE_CUDA": "protect=0"}, **environment))
    return subprocess.run([sys.executable, os.path.join(GPU, "torch_baseline.py"), "--home", folder, "--out", folder,
                           "--worker", os.path.join(FAKE, "bench-worker-cuda"), "--model", "resunet_small", "--side", "48",
                           "--options", '{"tune":"off"}', "--rounds", "2", "--block-ms", "5", *more], env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=300)


def side_by_side(folder):
    done = baseline(folder, "--device", "cpu", "--precision", "f32", "--variants", "eager", "--batch", "2")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    tell(done.returncode == 0 and all(len(line) == 3 for line in lines), "it ends well", (done.stdout, done.stderr))
    tell([line[0] for line in lines].count("pass") == 1, "our output is PyTorch's", done.stdout)
    with open(os.path.join(folder, "torch-resunet_small-f32-2.json"), encoding="utf-8") as f:
        found = json.load(f)
    tell(len(found["rounds"]["ours"]) == len(found["rounds"]["eager"]) == 2 and found["deviation"][0] < 1e-4,
         "and the numbers are kept", found)
    left = [name for name in os.listdir(folder) if name.endswith(".npy")]
    tell(not left, "no images are left", left)
    done = baseline(folder, "--device", "cpu", "--precision", "f32", "--variants", "eager", BENCH_FAKE_CUDA="driver=0")
    tell(done.returncode == 1 and "load: " in done.stderr, "a worker that cannot load is told", done.stderr)


def without_torch(folder):
    """A torch that cannot be imported, whatever this machine has."""
    with open(os.path.join(folder, "torch.py"), "w", encoding="utf-8") as f:
        f.write("raise ImportError('of this test')\n")
    done = baseline(folder, PYTHONPATH=folder)
    tell(done.returncode == 77 and "torch cannot be imported: of this test" in done.stderr, "without torch: 77",
         (done.returncode, done.stderr))
    done = baseline(folder, "--variants", "fast")
    tell(done.returncode == 2 and "fast is none of eager, amp" in done.stderr, "an unknown variant is refused", done.stderr)


def main():
    with tempfile.TemporaryDirectory(prefix="torch-baseline-") as folder:
        make_home(folder)
        without_torch(folder)
        os.remove(os.path.join(folder, "torch.py"))
        try:
            import torch
        except ImportError:
            tell(True, "the networks in PyTorch # SKIP torch is not installed")
            return
        networks_are_the_published_ones(torch)
        if os.path.exists(os.path.join(FAKE, "bench-worker-cuda")):
            side_by_side(folder)
        else:
            tell(True, "side by side # SKIP no CUDA toolkit here: there is no worker on the fakes")


main()
