#!/usr/bin/env python3
"""Queues from outside: bench queue on a scripted campaign, tune with an open loop and with limits on responses."""
import atexit
import csv
import io
import json
import os
import random
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_runner import CURVE, bench, check, run_tests, scripted, tune_arguments, write  # noqa: E402


def tuned(folder, *more, script=CURVE):
    engine = scripted(folder, script=script)
    return bench(*tune_arguments(folder, engine, "--seed", "1", *more), cwd=folder)


FINISHED = tempfile.mkdtemp(prefix="bench-test-")
atexit.register(shutil.rmtree, FINISHED, True)


def given(folder):
    """A campaign that was tuned with nothing special; one for all tests, as none of them writes."""
    if not os.listdir(FINISHED):
        check(tuned(FINISHED).returncode == 0, "tune failed")
    shutil.copytree(os.path.join(FINISHED, "out"), os.path.join(folder, "out"))


def queue(folder, *arguments):
    return bench("queue", "--out", "out", *arguments, cwd=folder)


def as_json(done):
    check(done.returncode in (0, 1), done.stderr)
    return json.loads(done.stdout)


def trace(folder, rate, count):
    """Arrivals at random times, written down."""
    numbers, now, lines = random.Random(11), 0.0, []
    for _ in range(count):
        now += numbers.expovariate(rate)
        lines.append("%.6f" % now)
    return write(os.path.join(folder, "trace.txt"), "# offsets in s\n" + "\n".join(lines) + "\n")


def three_rates_without_asking(folder):
    given(folder)
    done = queue(folder)
    check(done.returncode == 0 and done.stderr == "", done.stderr)
    check("(the decision)" in done.stdout and "1/(1 - load)" in done.stdout, done.stdout)
    target, = as_json(queue(folder, "--json"))["targets"]
    check(target["batch"] == 8 and target["chosen"], "batch %s" % target["batch"])
    capacity = target["capacity_images_per_s"]  # 8 images in 8/97 s, noise of 0.4 %
    check(abs(capacity / 97 - 1) < 0.01, "capacity %g" % capacity)
    loads = [rate["load"] for rate in target["rates"]]
    check(all(abs(got - want) < 1e-3 for got, want in zip(loads, (0.5, 0.7, 0.85))) and len(loads) == 3, str(loads))
    p95 = [rate["recommended"]["response_p95_ms"] for rate in target["rates"]]
    check(p95[0] < p95[1] < p95[2], "p95 %s" % p95)
    for rate in target["rates"]:
        delays = [delay["queue_delay_ms"] for delay in rate["delays"]]
        check(delays == [0, 1, 2, 5, 10, 20, 50, 100, 200, 500], str(delays))
        best = min(delay["response_p95_ms"] for delay in rate["delays"])
        fit = [d for d in rate["delays"] if d["response_p95_ms"] <= 1.05 * best]
        check(fit[0]["recommended"] and sum(d["recommended"] for d in rate["delays"]) == 1,
              "not the smallest delay within 5 % of the best")
        check(rate["recommended"]["queue_delay_ms"] == fit[0]["queue_delay_ms"], str(rate["recommended"]))


def limits_of_responses(folder):
    given(folder)
    free = as_json(queue(folder, "--rate", "60/s", "--json"))["targets"][0]["rates"][0]
    limit = round(free["delays"][0]["response_p99_ms"]) + 5
    kept = queue(folder, "--rate", "60/s", "--slo", "p99=%dms" % limit)
    check(kept.returncode == 0 and "recommended at 60 images/s" in kept.stdout and "<- recommended" in kept.stdout,
          kept.stdout + kept.stderr)
    over = queue(folder, "--rate", "60/s", "--slo", "response:p99=60ms", "--json")
    check(over.returncode == 1 and "no queue delay keeps the limit at 60 images/s" in over.stderr, over.stderr)
    rate = json.loads(over.stdout)["targets"][0]["rates"][0]
    check(rate["recommended"] is None and 0.6 <= rate["rate_that_fits"] < 60, str(rate["rate_that_fits"]))
    fits = queue(folder, "--rate", "%g/s" % (0.99 * rate["rate_that_fits"]), "--slo", "p99=60ms")
    check(fits.returncode == 0, fits.stdout + fits.stderr)


def overload_is_saturated(folder):
    given(folder)
    done = queue(folder, "--rate", "100/s")
    check(done.returncode == 1 and "saturated" in done.stdout and "would fit" in done.stdout, done.stdout)
    rate = as_json(queue(folder, "--rate", "100/s", "--json"))["targets"][0]["rates"][0]
    check(all(d["saturated"] and d["response_p95_ms"] is None for d in rate["delays"]), "percentiles of an overload")
    check(0.9 * 97 < rate["rate_that_fits"] < 97.5, str(rate["rate_that_fits"]))


def other_batches_delays_and_medians(folder):
    given(folder)
    one = as_json(queue(folder, "--batches", "1,8", "--rate", "50/s", "--delay", "7ms", "--median", "--json"))
    check([t["batch"] for t in one["targets"]] == [1, 8], str([t["batch"] for t in one["targets"]]))
    check(one["arrivals"]["median_times"] is True, "not by medians")
    check(all([d["queue_delay_ms"] for d in t["rates"][0]["delays"]] == [7.0] for t in one["targets"]), "delays")
    # single images are served 55 times a second: at 50/s they wait long, in batches of up to 8 they do not
    waits = [t["rates"][0]["delays"][0]["response_p95_ms"] for t in one["targets"]]
    check(waits[0] > 2 * waits[1], str(waits))
    missing = queue(folder, "--batches", "200")
    check(missing.returncode == 2 and "batch 200 was not measured" in missing.stderr and " 8 " in missing.stderr,
          missing.stderr)
    rows = list(csv.DictReader(io.StringIO(queue(folder, "--rate", "50/s", "--csv").stdout)))
    check(len(rows) == 10 and rows[0]["model"] == "resunet_small" and rows[9]["queue_delay_ms"] == "500", str(rows[:1]))


def recorded_arrivals(folder):
    given(folder)
    path = trace(folder, 50, 3000)
    found = as_json(queue(folder, "--trace", path, "--json"))
    check(found["arrivals"]["kind"] == "trace" and found["arrivals"]["requests"] == 3000, str(found["arrivals"]))
    by_trace = found["targets"][0]["rates"][0]
    check(46 < by_trace["rate_images_per_s"] < 54, str(by_trace["rate_images_per_s"]))
    by_rate = as_json(queue(folder, "--rate", "50/s", "--json"))["targets"][0]["rates"][0]
    ratio = by_trace["delays"][0]["response_p95_ms"] / by_rate["delays"][0]["response_p95_ms"]
    check(0.85 < ratio < 1.15, "p95 by the trace is %.2f of that by the rate" % ratio)
    bad = write(os.path.join(folder, "bad.txt"), "0\n1\nsoon\n")
    done = queue(folder, "--trace", bad)
    check(done.returncode == 2 and "bad.txt:3:" in done.stderr and '"soon"' in done.stderr, done.stderr)
    done = queue(folder, "--trace", os.path.join(folder, "missing.txt"))
    check(done.returncode == 3 and "missing.txt" in done.stderr, done.stderr)


def refusals(folder):
    given(folder)
    for arguments, status, says in ((["--rate", "0/s"], 2, "--rate"), (["--rate", "20"], 2, "--rate"),
                                    (["--slo", "p95"], 2, "--slo"), (["--json", "--csv"], 2, "exclude each other"),
                                    (["--model", "nothing"], 2, "nothing"), (["19990101-000000-0000"], 2, "campaign")):
        done = queue(folder, *arguments)
        check(done.returncode == status and says in done.stderr, "%s: %d %s" % (arguments, done.returncode, done.stderr))
    done = queue(folder, "--model", "hrnet")
    check(done.returncode == 4 and "no decision" in done.stderr, done.stderr)
    done = tuned(folder, "--slo", "response:p95=300ms")
    check(done.returncode == 2 and "--open-loop" in done.stderr, done.stderr)


def tune_measures_the_open_loop(folder):
    done = tuned(folder, "--open-loop", "poisson:60/s", "--slo", "response:p95=300ms")
    check(done.returncode == 0, done.stderr)
    found = as_json(queue(folder, "--rate", "60/s", "--json"))["targets"][0]
    loop = found["open_loop"]
    check(loop["outcome"] == "pass" and loop["late"] == 0 and loop["responses"] >= 1000, str(loop))
    check(abs(loop["simulated_response_p95_ms"] / loop["response_p95_ms"] - 1) < 0.10, str(loop))
    with open(os.path.join(folder, "out", "batch_sizes.json")) as f:
        batching = json.load(f)["dynamic_batching"]
    check(batching == {"enabled": True, "max_queue_delay_ms": round(loop["queue_delay_ms"]), "timeout_ms": 300},
          str(batching))
    done = bench("replay", "--out", "out", cwd=folder)
    check(done.returncode == 0 and "bit-equal" in done.stdout, done.stdout + done.stderr)


def a_worker_that_dies_in_the_open_loop(folder):
    marker = os.path.join(folder, "died")
    script = CURVE + "faults: [{at: run, call: 400, do: crash, once: %s}]\n" % marker
    done = tuned(folder, "--open-loop", "60/s", script=script)
    check(done.returncode == 0 and os.path.exists(marker), done.stderr)
    check("open loop: " in done.stderr and "open loop: 1113 requests" in done.stderr, done.stderr)
    loop = as_json(queue(folder, "--rate", "60/s", "--json"))["targets"][0]["open_loop"]
    check(loop and loop["outcome"] == "pass", str(loop))


TESTS = [three_rates_without_asking, limits_of_responses, overload_is_saturated, other_batches_delays_and_medians,
         recorded_arrivals, refusals, tune_measures_the_open_loop, a_worker_that_dies_in_the_open_loop]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
