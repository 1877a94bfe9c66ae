"""The worker process: it dies with its parent, at once on SIGTERM, and nothing that is printed by accident reaches its
standard output. With real processes, no client in between."""
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from tap import tell  # noqa: E402

BIN = os.environ["BENCH_BIN"]
WORKER = os.path.join(BIN, "bench-worker-scripted")


def gone(pid, seconds):
    """True once the process is gone or only waits to be collected."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with open("/proc/%d/stat" % pid) as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def dies_with_its_parent():
    # the pipe to the worker is kept open here, so that only the death of its parent can end it
    reader, writer = os.pipe()
    answers, answers_writer = os.pipe()
    starter = ("import subprocess, sys, time\n"
               "p = subprocess.Popen([%r], stdin=%d, stdout=%d)\n"
               "print(p.pid, flush=True)\ntime.sleep(600)\n" % (WORKER, reader, answers_writer))
    parent = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, pass_fds=[reader, answers_writer])
    pid = int(parent.stdout.readline())
    os.write(writer, b'{"id":1,"op":"hello","protocol":1}\n')
    ready = select.select([answers], [], [], 20)[0]
    answer = os.read(answers, 65536) if ready else b""
    alive = not gone(pid, 0.3)
    parent.kill()
    parent.wait()
    dead = gone(pid, 10)
    for fd in (reader, writer, answers, answers_writer):
        os.close(fd)
    tell(b'"ok":true' in answer and alive and dead, "the worker dies with its parent", (answer, alive, dead))


def start(script, folder):
    path = os.path.join(folder, "s.yaml")
    with open(path, "w") as file:
        file.write(script)
    return subprocess.Popen([WORKER, "--script", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def ask(worker, **request):
    worker.stdin.write((json.dumps(request) + "\n").encode())
    worker.stdin.flush()


def sigterm_ends_a_running_block(folder):
    worker = start("{time: real, load: 1ms, prepare: 1ms, curve: {per_image: 1ms}}", folder)
    ask(worker, id=1, op="load", model="x")
    ask(worker, id=2, op="prepare", batch=1)
    loaded, prepared = worker.stdout.readline(), worker.stdout.readline()
    ask(worker, id=3, op="run", batch=1, min_ns=3600 * 10**9, min_iterations=1, max_iterations=100000)
    time.sleep(0.3)
    running = worker.poll() is None
    began = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    try:
        worker.wait(10)
    except subprocess.TimeoutExpired:
        worker.kill()
    took = time.monotonic() - began
    rest = worker.stdout.read()
    tell(running and took < 2 and rest == b"", "SIGTERM during run: it ends at once and answers nothing",
         (loaded, prepared, running, took, rest))


def blocked_sigterm_is_unblocked(folder):
    """A starter may hand down a blocked or ignored SIGTERM; the worker must obey all the same."""
    def block():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    worker = subprocess.Popen([WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=block)
    ask(worker, id=1, op="hello", protocol=1)
    worker.stdout.readline()
    worker.send_signal(signal.SIGTERM)
    tell(gone(worker.pid, 5), "an inherited blocked SIGTERM ends it all the same")
    worker.kill()
    worker.wait()


def crash_is_visible(folder):
    worker = start("{faults: [{at: load, do: crash, signal: 6}]}", folder)
    ask(worker, id=1, op="load", model="x")
    out = worker.stdout.read()
    tell(worker.wait(10) == -6 and out == b"", "a scripted crash ends by its signal without an answer", out)


def refused_arguments():
    for arguments in (["--unknown"], ["--script"], ["x", "y", "z"]):
        done = subprocess.run([WORKER] + arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=20)
        tell(done.returncode == 2 and done.stdout == b"" and b"allowed are" in done.stderr,
             "arguments %s: exit 2 and a sentence" % arguments, done)


def help_names_every_fault():
    done = subprocess.run([WORKER, "--help"], stdout=subprocess.PIPE, timeout=20)
    words = ["crash", "exit", "kill", "hang", "stubborn", "garbage", "error", "short", "other_batch", "claim_outputs",
             "claim_batch", "claim_count", "claim_time", "nan", "swap", "zero"]
    missing = [w for w in words if w.encode() not in done.stdout]
    tell(done.returncode == 0 and not missing, "--help names every fault", missing)


def main():
    with tempfile.TemporaryDirectory() as folder:
        dies_with_its_parent()
        sigterm_ends_a_running_block(folder)
        blocked_sigterm_is_unblocked(folder)
        crash_is_visible(folder)
        refused_arguments()
        help_names_every_fault()


main()
