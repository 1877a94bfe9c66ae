#!/usr/bin/env python3
"""What `make dist` wrote: its size, its files, what its programs need from a machine. Skipped where there is none.

$BENCH_DIST names the tarball. Every rule is tried on a wrong twin first.
"""
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import tap

LIMIT_BYTES = 40 << 20
OLDEST_GLIBC = (2, 36)  # Debian 12's, the oldest system that is supported
# The C library and the loader: everything else is in the programs or in lib/.
FROM_THE_MACHINE = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "ld-linux-x86-64.so.2"}
PROGRAMS = {"bench", "bench-worker-reference", "bench-worker-scripted", "bench-worker-onednn", "bench-worker-cuda",
            "gpu-kernel-tests", "gpu-pattern-tests", "gpu-kernel-speed"}
OF_THE_GPU = {"bench-worker-cuda", "gpu-kernel-tests", "gpu-pattern-tests", "gpu-kernel-speed"}
FILES = ["VERSION", "LICENSE", "README.md", "configs/models/hrnet.yaml", "configs/engines/cuda.yaml", "plots/style.gp",
         "tests/gpu/check-gpu", "tests/gpu/torch_networks.py", "tests/gpu/torch_baseline.py"]


def output(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
                          timeout=120, **more)


def surplus(needed, bundled):
    """Libraries that are neither the C library's nor in lib/."""
    return sorted(set(needed) - FROM_THE_MACHINE - set(bundled))


def newest_glibc(symbols):
    """(2, 35) of the text of readelf -V."""
    versions = re.findall(r"\bGLIBC_(\d+)\.(\d+)", symbols)
    return max((int(a), int(b)) for a, b in versions)


def dynamic(path):
    text = output("readelf", "-d", path).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", text), re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", text)


def try_twins():
    tap.tell(surplus(["libc.so.6", "libyaml-0.so.2"], ["libdnnl.so.2"]) == ["libyaml-0.so.2"],
             "a library that is not bundled is refused")
    tap.tell(surplus(["libm.so.6", "libdnnl.so.2"], ["libdnnl.so.2"]) == [], "a bundled one is taken")
    tap.tell(newest_glibc("GLIBC_2.4 GLIBC_2.38 GLIBC_2.9") == (2, 38), "2.38 is newer than 2.9")


def check_program(path, bundled):
    name = os.path.basename(path)
    needed, run_path = dynamic(path)
    tap.tell(needed and not surplus(needed, bundled), "%s needs the C library and lib/ only" % name,
             "needs %s" % surplus(needed, bundled))
    own = [library for library in needed if library in bundled]
    tap.tell(run_path == (["$ORIGIN/../lib"] if own else []), "%s: run path" % name, "%s for %s" % (run_path, own))
    found = newest_glibc(output("readelf", "-V", path).stdout)
    tap.tell(found <= OLDEST_GLIBC, "%s: symbols up to GLIBC_%d.%d" % (name, *found), "allowed: %s" % (OLDEST_GLIBC,))


def check_tree(home):
    bundled = os.listdir(os.path.join(home, "lib"))
    programs = set(os.listdir(os.path.join(home, "bin")))
    with open(os.path.join(home, "VERSION"), encoding="utf-8") as f:
        version = f.read()
    expected = PROGRAMS - (OF_THE_GPU if "no CUDA worker" in version else set())
    tap.tell(programs == expected, "the programs", "%s, not %s" % (sorted(programs), sorted(expected)))
    tap.tell(re.match(r"bench \d+\.\d+\.\d+\ncommit \S+\ncompiler .+\ntoolkit .+\ncudnn_headers .+\narchs .+\nonednn "
                      r"\d+\.\d+\.\d+\n$", version), "VERSION names what was built from what", version)
    for name in FILES:
        tap.tell(os.path.exists(os.path.join(home, name)), name)
    for name in sorted(programs):
        check_program(os.path.join(home, "bin", name), bundled)
    for name in sorted(bundled):
        path = os.path.join(home, "lib", name)
        tap.tell(not surplus(dynamic(path)[0], bundled), "lib/%s needs lib/ only" % name, surplus(dynamic(path)[0], bundled))
        found = newest_glibc(output("readelf", "-V", path).stdout)
        tap.tell(found <= OLDEST_GLIBC, "lib/%s: symbols up to GLIBC_%d.%d" % (name, *found))


def check_run(home):
    """From the tree alone: no BENCH_HOME, no library path."""
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    done = output(os.path.join(home, "bin", "bench"), "list", cwd="/", env=env)
    tap.tell(done.returncode == 0 and re.search(r"^onednn +yes", done.stdout, re.M), "bench list finds its engines",
             done.stdout)
    done = output(os.path.join(home, "bin", "bench"), "doctor", "--only", "engine", cwd="/", env=env)
    tap.tell(done.returncode == 0 and "ok      engine.onednn" in done.stdout, "bench doctor asks them", done.stdout)
    done = output("sh", "-n", os.path.join(home, "tests", "gpu", "check-gpu"))
    tap.tell(done.returncode == 0, "check-gpu is a shell script", done.stdout)
    done = output(os.path.join(home, "tests", "gpu", "check-gpu"), "--only", "x")
    tap.tell(done.returncode == 2 and "--only takes numbers" in done.stdout, "check-gpu refuses a wrong stage", done.stdout)


def main():
    try_twins()
    tarball = os.environ.get("BENCH_DIST")
    if not tarball or not shutil.which("readelf"):
        tap.tell(True, "the tarball # SKIP %s" % ("readelf is missing" if tarball else "not built: make dist"))
        return
    size = os.path.getsize(tarball)
    tap.tell(size < LIMIT_BYTES, "%.1f MiB, under 40" % (size / (1 << 20)))
    folder = tempfile.mkdtemp(prefix="bench-dist-")
    try:
        with tarfile.open(tarball) as tar:
            roots = {name.split("/")[0] for name in tar.getnames()}
            tap.tell(len(roots) == 1 and "%s.tar.gz" % list(roots)[0] == os.path.basename(tarball), "one folder inside",
                     sorted(roots))
            tar.extractall(folder)
        home = os.path.join(folder, roots.pop())
        check_tree(home)
        check_run(home)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
