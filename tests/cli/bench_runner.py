"""What the tests of the command line share: run `bench` in a folder of its own, and print TAP lines.

Programs come from $BENCH_BIN (`make check-cli` sets it); configuration from the tree or $BENCH_HOME.
"""
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("BENCH_BIN") or os.path.join(ROOT, "build", "release-gcc", "bin")
BENCH = os.path.join(BIN, "bench")

if not os.access(BENCH, os.X_OK):
    sys.exit("not ok 1 - %s is not built: run make, or set BENCH_BIN" % BENCH)

# A network's name and size that the scripted engine is asked for: it computes nothing, the size is only a label.
SMALL = ["--model", "resunet_small", "--input", "64x64"]

CURVE = """
time: virtual
seed: 1
curve: {images_per_s: {1: 55, 2: 75, 4: 90, 8: 97, 16: 98, 32: 98.5}}
noise: [{kind: normal, sigma: 0.004, per: iteration}]
"""


class Failed(Exception):
    """A check that did not hold; its text says what was seen."""


class Skipped(Exception):
    """What a test needs is not here; its text says what."""


def check(condition, text):
    if not condition:
        raise Failed(text)


def environment(**more):
    env = dict(os.environ, BENCH_HOME=os.environ.get("BENCH_HOME", ROOT), LC_ALL="C")
    env.pop("NO_COLOR", None)
    env.update(more)
    return env


def bench(*arguments, cwd, timeout=120, env=None, **more):
    """Runs bench to its end; stdout and stderr are texts."""
    return subprocess.run([BENCH, *arguments], cwd=cwd, env=env or environment(), stdin=subprocess.DEVNULL,
                          stdout=more.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE, timeout=timeout,
                          universal_newlines=True, errors="replace", **more)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return path


def fake(name):
    """A library of the tests that stands before or in place of a real one; the Makefile builds it beside the programs."""
    path = os.path.join(os.path.dirname(BIN), "fake", name)
    check(os.path.exists(path), "%s is not built: run make test-build" % path)
    return path


def at_time(unix_s):
    """Environment in which programs believe that it is now unix_s; their clock goes on from there."""
    return {"LD_PRELOAD": fake("libwall.so"), "WALL_AHEAD_S": str(int(unix_s - time.time()))}


def scripted(folder, name="scripted", script=CURVE, command=None):
    """Writes an engine file for the scripted worker with its script; gives the engine file's path."""
    script_path = write(os.path.join(folder, name + "-script.yaml"), script)
    words = command or ["bench-worker-scripted", "--script", script_path]
    lines = "name: scripted\ncommand: [%s]\n" % ", ".join('"%s"' % w for w in words)
    return write(os.path.join(folder, name + ".yaml"), lines)


def tune_arguments(folder, engine, *more):
    return ["tune", *SMALL, "--engine", engine, "--no-gate", "--allow-scripted", "--out",
            os.path.join(folder, "out"), *more]


def snapshot(folder):
    """Path and content hash of every file and folder below."""
    seen = {}
    for base, folders, files in os.walk(folder):
        for name in folders:
            seen[os.path.relpath(os.path.join(base, name), folder)] = "folder"
        for name in files:
            path = os.path.join(base, name)
            if os.path.islink(path):
                seen[os.path.relpath(path, folder)] = "link to " + os.readlink(path)
                continue
            with open(path, "rb") as f:
                seen[os.path.relpath(path, folder)] = hashlib.sha256(f.read()).hexdigest()
    return seen


def run_silently(tests):
    """As run_tests, and prints nothing: for a table of what the tests saw."""
    with open(os.devnull, "w", encoding="utf-8") as null, contextlib.redirect_stdout(null):
        return run_tests(tests)


def run_tests(tests):
    """Each test gets a fresh folder; prints TAP and gives the exit status."""
    failed = 0
    for number, test in enumerate(tests, 1):
        folder = tempfile.mkdtemp(prefix="bench-test-")
        name = (test.__doc__ or test.__name__.replace("_", " ")).strip().splitlines()[0]
        try:
            begin = time.monotonic()
            test(folder)
            print("ok %d - %s # %.1f s" % (number, name, time.monotonic() - begin))
        except Skipped as missing:
            print("ok %d - %s # SKIP %s" % (number, name, missing))
        except Exception as error:  # a broken test is a failed test
            failed += 1
            print("not ok %d - %s" % (number, name))
            text = str(error) if isinstance(error, Failed) else traceback.format_exc()
            print("\n".join("# " + line for line in text.splitlines()))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        sys.stdout.flush()
    print("1..%d" % len(tests))
    return 1 if failed else 0
