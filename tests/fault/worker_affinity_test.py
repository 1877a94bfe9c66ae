#!/usr/bin/env python3
"""Workers side by side, each on processors of its own: a worker that is started with an affinity mask keeps every one
of its threads inside, whatever OMP_PROC_BIND says, and takes as many threads as the mask has processors if it may
choose."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from tap import tell  # noqa: E402

BIN = os.environ["BENCH_BIN"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORKER = os.path.join(BIN, "bench-worker-onednn")


def cpus_of(text):
    """{0, 1, 2, 5} from "0-2,5"."""
    cpus = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def masks_of(pid):
    """The mask of each thread of a process."""
    masks = []
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, task)) as file:
            masks.append(cpus_of(re.search(r"^Cpus_allowed_list:\s*(\S+)", file.read(), re.M).group(1)))
    return masks


class Worker:
    def __init__(self, cpus, threads, bind):
        env = dict(os.environ, BENCH_HOME=os.environ.get("BENCH_HOME", ROOT))
        for name in ("OMP_PROC_BIND", "OMP_PLACES", "OMP_NUM_THREADS", "GOMP_CPU_AFFINITY"):
            env.pop(name, None)
        if bind:
            env["OMP_PROC_BIND"] = bind
        self.process = subprocess.Popen([WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env,
                                        preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        self.ask(op="load", model="resunet_advanced_20", shape=[3, 32, 32], threads=threads)
        self.ask(op="prepare", batch=1)

    def ask(self, **request):
        self.process.stdin.write((json.dumps(dict(request, id=1)) + "\n").encode())
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if not answer.get("ok"):
            raise RuntimeError(answer)
        return answer

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)


def threads_stay_inside(cpus, threads, expected, bind):
    worker = Worker(cpus, threads, bind)
    answer = worker.ask(op="run", batch=1, min_ns=0, min_iterations=3, max_iterations=3)
    masks = masks_of(worker.process.pid)
    worker.end()
    tell(answer["outputs"] == 3 and len(masks) == expected and all(mask and mask <= cpus for mask in masks),
         "%d processors, threads %s, OMP_PROC_BIND %s: %d threads, all inside the mask"
         % (len(cpus), threads or "auto", bind or "unset", expected), (cpus, masks, answer))


def main():
    if not os.access(WORKER, os.X_OK):
        print("ok 1 - bench-worker-onednn is not built here # SKIP")
        return
    allowed = sorted(os.sched_getaffinity(0))
    # the wrong twin: a thread outside must be seen
    tell(not masks_of(os.getpid())[0] <= {max(allowed) + 1}, "a mask outside is recognised")
    for bind in (None, "close", "spread"):
        threads_stay_inside({allowed[-1]}, 1, 1, bind)
        threads_stay_inside({allowed[-1]}, 0, 1, bind)
        threads_stay_inside({allowed[0]}, 2, 2, bind)
    if len(allowed) > 1:
        both = [Worker({allowed[0]}, 1, None), Worker({allowed[1]}, 1, None)]
        masks = [masks_of(worker.process.pid) for worker in both]
        for worker in both:
            worker.end()
        tell(masks == [[{allowed[0]}], [{allowed[1]}]], "two workers, one processor each", masks)


main()
