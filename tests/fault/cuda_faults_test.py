#!/usr/bin/env python3
"""The CUDA worker on a fake CUDA runtime, cuDNN, cuBLASLt and NVML that fail on request: every error has its
type, the worker goes on where it may, with the same output as ever, and ends where it must, and nothing stays
allocated (the fake runtime ends a program that leaks with 97)."""
import json
import os
import select
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from tap import tell  # noqa: E402

BIN = os.environ["BENCH_BIN"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FAKE = os.path.join(os.path.dirname(os.path.abspath(BIN)), "fake")
WORKER = os.path.join(FAKE, "bench-worker-cuda")
LIMIT_S = 120   # of one answer; on a busy machine a prepare takes seconds
LOAD = dict(op="load", model="resunet_advanced_20", shape=[3, 32, 32], precision="f16", device="cuda:0",
            weights="seeded", seed=1, max_batch=2, options={"tune": "off", "launch": "graph"})
PREPARE = dict(op="prepare", batch=1)
RUN = dict(op="run", batch=1, min_ns=0, min_iterations=1, max_iterations=1)


class Worker:
    def __init__(self, script="", **more):
        env = dict(os.environ, BENCH_HOME=ROOT, BENCH_FAKE_CUDA=script, BENCH_CUDA_LIBRARY_PATH=FAKE,
                   BENCH_NVML_LIBRARY=os.path.join(FAKE, "libnvidia-ml.so.1"), OMP_NUM_THREADS="1", **more)
        self.process = subprocess.Popen([WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=env)

    def ask(self, request):
        """The answer; None when the worker has ended."""
        try:
            self.process.stdin.write((json.dumps(dict(request, id=1)) + "\n").encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        if not select.select([self.process.stdout], [], [], LIMIT_S)[0]:
            self.process.kill()
            raise RuntimeError("no answer in %d s to %s" % (LIMIT_S, request))
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def end(self):
        """Exit code and what it said on stderr."""
        alive = self.process.poll() is None
        _, said = self.process.communicate(b'{"id":9,"op":"quit"}\n' if alive else None, 60)
        return self.process.returncode, said.decode(errors="replace")

    def output(self):
        """The bytes of the output of one image."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "output.npy")
            answer = self.ask(dict(op="output", batch=1, images=[1], path=path))
            if not answer or not answer["ok"]:
                return answer
            with open(path, "rb") as file:
                return file.read()


def outcome(answer):
    """"ok", or (kind, api, code) of an error."""
    if answer is None:
        return "ended"
    if answer.get("ok"):
        return "ok"
    error = answer["error"]
    return error["kind"], error.get("api"), error.get("code")


def ladder():
    """What stands between the worker and a device: said by `load`, and the worker lives on."""
    rows = [
        ("no driver library", "driver=0", {}, ("environment", "cuda", 35), ["libcuda.so.1"]),
        ("the toolkit's stub", "count=34", {}, ("environment", "cuda", 34), ["stub"]),
        ("module and libraries differ", "count=803", {}, ("environment", "cuda", 803), ["kernel module"]),
        ("driver too old", "driver=12040", {}, ("environment", "cuda", 35), ["12.4", "13."]),
        ("no device", "devices=0", {}, ("environment", "cuda", 100), ["no device"]),
        ("device in use", "open=46", {}, ("environment", "cuda", 46), ["exclusive"]),
        ("fabric manager not running", "count=802", {}, ("environment", "cuda", 802), ["fabric manager"]),
        ("forward compatibility", "count=804", {}, ("environment", "cuda", 804), ["compat"]),
        ("MPS not reachable", "count=805", {}, ("environment", "cuda", 805), ["MPS"]),
        ("no code for this device", "open=209", {}, ("environment", "cuda", 209), ["209"]),
        ("PTX newer than the driver", "open=222", {}, ("environment", "cuda", 222), ["222"]),
        ("no memory for a context", "open=2", {}, ("out_of_memory", "cuda", 2), ["memory"]),
        ("unknown error without a context", "open=999", {}, ("environment", "cuda", 999), ["999"]),
        ("cuDNN too old", "", {"BENCH_FAKE_CUDNN_VERSION": "90700"}, ("environment", "cudnn", None),
         ["9.7", "9.8"]),
        ("cuDNN of mixed parts", "fail=cudnnCreate:1:1002", {}, ("environment", "cudnn", 1002), ["1002"]),
    ]
    for name, script, more, expected, words in rows:
        worker = Worker(script, **more)
        answer = worker.ask(LOAD)
        kind, api, code = outcome(answer)
        message = answer["error"]["message"] if not answer["ok"] else ""
        again = outcome(worker.ask(PREPARE))
        ended, said = worker.end()
        same = (kind, api) == expected[:2] and (expected[2] is None or code == expected[2])
        told = all(word in message for word in words)
        tell(same and told and again[0] == "invalid" and (ended, said) == (0, ""),
             "%s: %s (%s %s), worker ends with 0" % (name, kind, api, code), (message, again, ended, said))


def good_output():
    """Twice the same: 32 x 32 numbers."""
    worker = Worker()
    answers = [outcome(worker.ask(request)) for request in (LOAD, PREPARE)]
    first, second = worker.output(), worker.output()
    ended, said = worker.end()
    tell(answers == ["ok"] * 2 and len(first) > 4096 and first == second and (ended, said) == (0, ""),
         "without a fault the output repeats bit for bit", (answers, first, ended, said))
    return first


def out_of_memory(function, code, step, expected_min, good):
    """The n-th allocation fails, n = 1, 2, 3 ... until none is left to fail. The same request then succeeds,
    and the output is `good`."""
    n = 0
    failed = []
    while True:
        n += step
        worker = Worker("fail=%s:%d:%d" % (function, n, code))
        wrong = None
        first = outcome(worker.ask(LOAD))
        at = "load" if first != "ok" else ""
        if at:
            second = outcome(worker.ask(LOAD))
        else:
            first = outcome(worker.ask(PREPARE))
            at = "prepare" if first != "ok" else ""
            second = outcome(worker.ask(PREPARE)) if at else "ok"
        if second != "ok" or (at and first[0] != "out_of_memory"):
            wrong = (first, second)
        if at == "load":
            second = outcome(worker.ask(PREPARE)) if second == "ok" else second
        run = worker.ask(RUN)
        same = worker.output() == good
        ended, said = worker.end()
        if outcome(run) != "ok" or run["outputs"] != 1 or not same or (ended, said) != (0, ""):
            wrong = wrong or (first, second, run, same, ended, said)
        if not at or wrong:
            break
        failed.append(at)
    tell(not wrong and len(failed) >= expected_min,
         "%s fails with %d at each of %d places (%d in load, %d in prepare): out_of_memory, then the output "
         "as ever, no leak" % (function, code, len(failed), failed.count("load"), failed.count("prepare")),
         (n, wrong))


def recovers():
    """A call fails once with something that is not sticky: the request says so, the next try runs."""
    rows = [("cudaStreamBeginCapture", 1, 1, "cuda", "f16"), ("cudaStreamEndCapture", 1, 901, "cuda", "f16"),
            ("cudaGraphUpload", 1, 1, "cuda", "f16"), ("cudaEventCreateWithFlags", 1, 1, "cuda", "f16"),
            ("cudaLaunchKernel", 5, 1, "cuda", "f16"), ("cudaLaunchKernel", 200, 1, "cuda", "f16"),
            ("cudnnBackendExecute", 7, 5000, "cudnn", "f16"), ("cublasLtMatmul", 2, 13, "cublaslt", "f32")]
    for function, n, code, api, precision in rows:
        worker = Worker("fail=%s:%d:%d" % (function, n, code))
        seen = []
        for request in (dict(LOAD, precision=precision), PREPARE, RUN):
            answer = outcome(worker.ask(request))
            if answer != "ok":
                seen.append(answer)
                answer = outcome(worker.ask(request))
            seen.append(answer)
        ended, said = worker.end()
        bad = [s for s in seen if s != "ok"]
        tell(bad == [("internal", api, code)] and len(seen) == 4 and (ended, said) == (0, ""),
             "%s number %d gives %d: internal (%s %d), the second try runs, no leak"
             % (function, n, code, api, code), (seen, ended, said))


def lost_device():
    """Sticky errors: the answer, then exit code 3, soon and without anything more."""
    rows = [("while weights are copied", "lost=copy:1:%d", code, LOAD) for code in (700, 719, 999)]
    rows += [("in the first run", "lost=kernel:3:%d", 716, PREPARE),
             ("in a plan of cuDNN", "lost=library:5:%d", 702, PREPARE),
             ("at a launch", "fail=cudaGraphLaunch:1:%d", 714, PREPARE)]
    for name, script, code, request in rows:
        worker = Worker(script % code)
        answer = worker.ask(LOAD)
        if request is not LOAD:
            answer = worker.ask(request) if answer["ok"] else answer
        after = worker.ask(RUN)
        ended, said = worker.end()
        tell(outcome(answer) == ("device_lost", "cuda", code) and after is None and ended == 3,
             "device lost %s: device_lost (cuda %d), worker ends with 3" % (name, code),
             (answer, after, ended, said))


def lost_in_a_run():
    """The kernel that fails is of the second run: the operations before it are counted first."""
    trace = os.path.join(os.environ.get("TMPDIR", "/tmp"), "cuda_faults_%d.txt" % os.getpid())
    worker = Worker("trace=" + trace)
    ready = outcome(worker.ask(LOAD)) == "ok" and outcome(worker.ask(PREPARE)) == "ok"
    good = worker.ask(RUN)
    worker.end()
    with open(trace) as file:
        kernels = sum(line == "run kernel\n" for line in file)
    os.unlink(trace)
    worker = Worker("lost=kernel:%d:719" % (kernels - 1))
    worker.ask(LOAD)
    worker.ask(PREPARE)
    answer = worker.ask(RUN)
    after = worker.ask(RUN)
    ended, said = worker.end()
    lost = outcome(answer) == ("device_lost", "cuda", 719)
    tell(ready and good["ok"] and lost and after is None and ended == 3,
         "device lost in the middle of a run (kernel %d): device_lost, worker ends with 3" % (kernels - 1),
         (good, answer, after, ended, said))


def fails_on_request():
    """The option fail_at: prepare runs iteration 1, the first run 2; the one after it is named"""
    worker = Worker()
    ready = outcome(worker.ask(dict(LOAD, options=dict(LOAD["options"], fail_at=3)))) == "ok"
    ready = ready and outcome(worker.ask(PREPARE)) == "ok"
    good, answer, after = worker.ask(RUN), worker.ask(RUN), worker.ask(RUN)
    ended, said = worker.end()
    tell(ready and outcome(good) == "ok" and outcome(answer) == ("device_lost", "cuda", 700) and after is None and
         ended == 3, "fail_at 3: the third iteration finds the device lost (cuda 700), worker ends with 3",
         (good, answer, after, ended, said))


def hangs():
    """A kernel that never ends: no answer, and SIGTERM is enough."""
    worker = Worker("hang=kernel:5")
    loaded = outcome(worker.ask(LOAD))
    worker.process.stdin.write((json.dumps(dict(PREPARE, id=1)) + "\n").encode())
    worker.process.stdin.flush()
    answered = select.select([worker.process.stdout], [], [], 4)[0]
    worker.process.terminate()
    try:
        code = worker.process.wait(10)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        code = None
    worker.process.communicate()
    tell(loaded == "ok" and not answered and code is not None,
         "a kernel that never ends: no answer, SIGTERM ends the worker", (loaded, answered, code))


def goes_on_without_cublaslt():
    worker = Worker("", BENCH_FAKE_CUBLASLT_VERSION="120400")
    hello = worker.ask(dict(op="hello", protocol=1))
    answers = [outcome(worker.ask(request)) for request in (LOAD, PREPARE, RUN)]
    ended, said = worker.end()
    tell(hello["ok"] and "cuBLASLt" in (hello.get("warning") or "") and answers == ["ok"] * 3 and ended == 0,
         "cuBLASLt of another CUDA: a warning, and the worker runs without it", (hello, answers, ended, said))


def refused_by_prediction():
    """What does not fit is refused before it is tried: no call of cudaMalloc more."""
    worker = Worker("memory=600MiB foreign=300MiB")
    loaded = outcome(worker.ask(LOAD))
    answer = worker.ask(PREPARE)
    ended, said = worker.end()
    error = answer.get("error", {})
    predicted = error.get("kind") == "out_of_memory" and "api" not in error
    tell(loaded == "ok" and predicted and (ended, said) == (0, ""),
         "too little memory beside another process: out_of_memory by prediction",
         (loaded, answer, ended, said))


def memory_is_told():
    """By NVML per process, else by what is free on the device; both within 5 % of what was planned."""
    rows = [("NVML knows processes", "", "nvml_process", False),
            ("NVML does not", "processes code 3\n", "device_delta", False),
            ("another process is there", "process 1 1048576\n", "nvml_process", True)]
    for name, script, source, foreign in rows:
        with tempfile.NamedTemporaryFile("w", suffix=".nvml") as file:
            file.write(script + "device GPU-11111111-2222-3333-4444-555555555555\n")
            file.flush()
            worker = Worker("", BENCH_FAKE_NVML=file.name)
            ready = outcome(worker.ask(LOAD))
            planned = worker.ask(PREPARE).get("planned", {})
            answer = worker.ask(dict(op="memory"))
            ended, said = worker.end()
        total = sum(planned.values())
        tell(ready == "ok" and (answer.get("source"), answer.get("foreign")) == (source, foreign)
             and abs(answer["current"] - total) < 0.05 * total and (ended, said) == (0, ""),
             "memory, %s: %s, %s; planned %d" % (name, source, answer.get("current"), total),
             (planned, answer, said))


def main():
    if not os.access(WORKER, os.X_OK):
        print("ok 1 - the CUDA worker on fakes is not built here # SKIP")
        return
    ladder()
    good = good_output()
    out_of_memory("cudaMalloc", 2, 1, 3, good)
    out_of_memory("cudaHostAlloc", 2, 1, 1, good)
    out_of_memory("cudaGraphInstantiate", 2, 1, 1, good)
    out_of_memory("cudnnBackendFinalize", 4004, 250, 1, good)
    recovers()
    lost_device()
    lost_in_a_run()
    fails_on_request()
    hangs()
    goes_on_without_cublaslt()
    refused_by_prediction()
    memory_is_told()


if __name__ == "__main__":
    main()
