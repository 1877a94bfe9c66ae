#!/usr/bin/env python3
"""Recorded curves and their sound answers: optimal and max_safe batch size for every margin and latency limit.

The answers follow from the curves by hand: the smallest size within X of the best of those that keep the limit, and
the largest such size below which no recorded size failed. Rules that were in use before must give others (wrong twins).
"""
import csv
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from bench_runner import ROOT, bench, check, run_tests, write  # noqa: E402

REFERENCE = os.path.join(ROOT, "results", "reference")
NAMES = {"hrnet forward": "a5000_hrnet_forward_1000", "small forward": "a5000_resunet_small_forward_1000",
         "advanced forward": "a5000_resunet_advanced_forward_1000", "hrnet": "a5000_production_hrnet",
         "cbam": "a5000_production_cbam_resunet", "unet": "a5000_production_unet_spherohq"}

# curve, X in percent, limit on p95 in ms (None: no limit), optimal, max_safe; None: no usable size
ANSWERS = [
    ("hrnet forward", 1, None, 8, 13), ("hrnet forward", 2, None, 5, 13), ("hrnet forward", 3, None, 4, 13),
    ("hrnet forward", 5, None, 4, 13), ("hrnet forward", 10, None, 4, 13), ("hrnet forward", 11, None, 3, 13),
    ("hrnet forward", 12.5, None, 1, 14),
    ("small forward", 1, None, 4, 4), ("small forward", 2, None, 4, 4), ("small forward", 3, None, 4, 4),
    ("small forward", 4, None, 4, 4), ("small forward", 5, None, 4, 4), ("small forward", 10, None, 1, 4),
    ("advanced forward", 5, None, None, None),
    ("hrnet", 3, 1000, 4, 12), ("hrnet", 3, 500, 4, 8), ("hrnet", 3, 300, 4, 4), ("hrnet", 3, 200, 1, 2),
    ("hrnet", 3, 100, 1, 1), ("hrnet", 3, 50, None, None), ("hrnet", 1, 1000, 12, 12),
    ("cbam", 3, 1000, 2, 2), ("cbam", 3, 300, 1, 1), ("cbam", 3, 200, None, None),
    ("unet", 3, 1000, 2, 6), ("unet", 3, 200, 2, 2), ("unet", 3, 100, 1, 1),
]


def path_of(name):
    return os.path.join(REFERENCE, NAMES[name] + ".csv")


def replay(folder, name, *more):
    return bench("replay", "--curve", path_of(name), "--json", *more, cwd=folder)


def arguments(x, limit):
    return ["--within", "%g" % x] + (["--slo", "p95=%dms" % limit] if limit else [])


def every_answer(folder):
    for name, x, limit, optimal, max_safe in ANSWERS:
        done = replay(folder, name, *arguments(x, limit))
        where = "%s within %g %%, limit %s: " % (name, x, limit)
        answer = json.loads(done.stdout)
        got = answer["optimal_batch_size"], answer["max_safe_batch_size"]
        check(got == (optimal, max_safe), "%s%s, not %s" % (where, got, (optimal, max_safe)))
        check(done.returncode == (0 if optimal else 1), "%sexit %d" % (where, done.returncode))
        check(answer["decision"]["batch"] == optimal, where + "decision")
        check(answer["decision"]["confidence"] == ("decided" if optimal else "none"), where + "confidence")
        chosen = [row["batch"] for row in answer["curve"] if row["why"] == "chosen"]
        check(chosen == ([optimal] if optimal else []), "%schosen %s" % (where, chosen))
        check(len(answer["curve"]) == len(rows_of(name)), where + "a size has no reason")
        check(all(row["why"] for row in answer["curve"]), where + "a size has no reason")
    check(os.listdir(folder) == [], "replay wrote something")


def rows_of(name):
    with open(path_of(name)) as f:
        lines = [line for line in f if not line.startswith("#")]
    return list(csv.DictReader(lines))


def usable(name, limit):
    rows = [row for row in rows_of(name) if row["status"] == "ok"]
    return {int(row["batch"]): float(row["images_per_s"]) for row in rows
            if not limit or float(row["p95_ms"]) <= limit}


def by_hand(name, x, limit):
    """The rule once more, in Python."""
    rates = usable(name, limit)
    if not rates:
        return None, None
    zone = [b for b in sorted(rates) if rates[b] >= (1 - x / 100) * max(rates.values())]
    failed = [int(row["batch"]) for row in rows_of(name) if row["status"] != "ok"]
    return zone[0], max(b for b in zone if not any(f < b for f in failed))


def argmax(name, x, limit):
    """Wrong twin: the fastest, whatever it costs."""
    rates = usable(name, limit)
    best = max(rates, key=lambda b: rates[b]) if rates else None
    return best, by_hand(name, x, limit)[1]


def next_in_rank(name, x, limit):
    """Wrong twin, once in use: the fastest, or the next in rank if that is within 10 % and smaller."""
    rates = usable(name, limit)
    ranked = sorted(rates, key=lambda b: -rates[b])
    if len(ranked) > 1 and rates[ranked[1]] >= 0.9 * rates[ranked[0]] and ranked[1] < ranked[0]:
        ranked = ranked[1:]
    return (ranked[0] if ranked else None), by_hand(name, x, limit)[1]


def largest_that_ran(name, x, limit):
    """Wrong twin: max_safe is whatever gave a number, stable or not."""
    ran = [int(row["batch"]) for row in rows_of(name) if row["images_per_s"]]
    return by_hand(name, x, limit)[0], (max(ran) if ran else None)


def the_answers_follow_from_the_curves(folder):
    for name, x, limit, optimal, max_safe in ANSWERS:
        found = by_hand(name, x, limit)
        check(found == (optimal, max_safe), "%s %g %s: %s" % (name, x, limit, found))


def wrong_rules_give_other_answers(folder):
    twins = [(argmax, ("hrnet", 3, 1000), (12, 12)), (next_in_rank, ("hrnet", 3, 1000), (8, 12)),
             (largest_that_ran, ("hrnet", 3, 1000), (4, 16))]
    right = {row[:3]: row[3:] for row in ANSWERS}
    for twin, case, wrong in twins:
        check(twin(*case) == wrong, "%s gives %s" % (twin.__name__, twin(*case)))
        check(right[case] != wrong, "%s is not told apart" % twin.__name__)


def latency_alone_means_one(folder):
    for name in NAMES:
        if name != "advanced forward":
            answer = json.loads(replay(folder, name, "--objective", "latency").stdout)
            check(answer["optimal_batch_size"] == 1, "%s: %s" % (name, answer["optimal_batch_size"]))


def a_whole_campaign_repeats_itself(folder):
    """Simulated: same seed, same bytes; another seed, other blocks; the true size is found, and is verified."""
    once = replay(folder, "hrnet forward", "--noise", "typical", "--seed", "7")
    again = replay(folder, "hrnet forward", "--noise", "typical", "--seed", "7")
    other = replay(folder, "hrnet forward", "--noise", "typical", "--seed", "8")
    check(once.stdout == again.stdout and once.returncode == 0, "the same seed gave another answer")
    check(once.stdout != other.stdout, "another seed gave the same blocks")
    answer = json.loads(once.stdout)
    check(answer["decision"]["batch"] == 4 and answer["decision"]["verified"], answer["decision"])
    whys = [row["why"] for row in answer["curve"]]
    check("slower" in whys and "midpoint_no_gain" in whys, whys)
    check(answer["simulated"]["verify_blocks"] in (18, 36, 54), answer["simulated"])


def noise_that_hides_the_answer_is_undecided(folder):
    done = replay(folder, "hrnet forward", "--noise", "block=20%", "--seed", "2")
    answer = json.loads(done.stdout)
    check(done.returncode == 4, "exit %d" % done.returncode)
    check(answer["decision"]["confidence"] == "undecided" and answer["decision"]["cause"], answer["decision"])


# Invented curves: optimal and max_safe within 5 % of the best when every size is measured exactly.
INVENTED = {
    "flat": ([(1, 99.6), (2, 100), (4, 99.8), (8, 100), (16, 99.7), (32, 99.9), (64, 99.8)], 1, 64),
    "saturating": ([(1, 40), (2, 57.1), (4, 72.7), (8, 84.2), (16, 91.4), (32, 95.5), (64, 97.7)], 32, 64),
    "knee": ([(1, 55), (2, 75), (4, 90), (8, 97), (16, 98), (32, 98.5), (64, 98.5)], 8, 64),
    "hump": ([(1, 96), (2, 100), (4, 101), (8, 100.5), (16, 99), (32, 94), (64, 88)], 1, 16),
    "cliff": ([(1, 30), (2, 48), (4, 68), (8, 86), (12, 93), (16, 100), (17, 60), (32, 62), (64, 63)], 16, 16),
    "sawtooth": ([(1, 50), (2, 54.3), (4, 62.9), (8, 80), (12, 100), (16, 84), (32, 86), (64, 88)], 12, 12),
    "dip": ([(1, 40), (2, 57.1), (4, 72.7), (7, 81.5), (8, 71.6), (9, 85), (16, 91.4), (32, 95.5), (64, 97.7)],
            32, 64),
    "margin": ([(1, 94.95), (2, 100), (4, 99), (8, 98), (16, 97), (32, 96), (64, 95.5)], 2, 64),
}
# What a machine may do to the blocks of a campaign.
DISTURBED = ["typical", "drift=20%", "drift=-20%", "spikes=15%", "throttle=20%", "wander=4%", "execution=3%"]


def invented(folder, name, *more):
    done = bench("replay", "--curve", name, "--json", *more, cwd=folder)
    return done, json.loads(done.stdout)


def rate_at(points, batch):
    """Straight lines between the sizes that are given."""
    for (b0, y0), (b1, y1) in zip(points, points[1:]):
        if b0 <= batch <= b1:
            return y0 + (y1 - y0) * (batch - b0) / (b1 - b0)
    return points[0][1] if batch == points[0][0] else None


def invented_curves_have_one_answer(folder):
    for name, (points, optimal, max_safe) in INVENTED.items():
        done, answer = invented(folder, name)
        check((answer["optimal_batch_size"], answer["max_safe_batch_size"]) == (optimal, max_safe),
              "%s: %s" % (name, answer["decision"]))
        check(done.returncode == 0 and answer["decision"]["confidence"] == "decided", name)
        rows = [(row["batch"], row["images_per_s"]) for row in answer["curve"]]
        check(rows == points, "%s: %s" % (name, rows))
        zone = [b for b, rate in points if rate >= .95 * max(rate for _, rate in points)]
        check((zone[0], zone[-1]) == (optimal, max_safe) or name in ("cliff", "sawtooth"), name)
    fastest = {name: max(points, key=lambda p: p[1])[0] for name, (points, _, _) in INVENTED.items()}
    check(sum(fastest[name] != INVENTED[name][1] for name in INVENTED) >= 5, "argmax (a wrong twin) is not told apart")


def disturbed_machines_are_survived(folder):
    """A disturbed campaign finds the answer, or a size in the zone and says so; if it knows nothing it says that."""
    confident, repeated = 0, dict.fromkeys(DISTURBED, 0)
    for name, (points, optimal, _) in INVENTED.items():
        for noise in DISTURBED:
            done, answer = invented(folder, name, "--noise", noise, "--seed", "11")
            decision, where = answer["decision"], "%s with %s: %s" % (name, noise, answer["decision"])
            check(done.returncode == (4 if decision["confidence"] == "undecided" else 0), where)
            rate = rate_at(points, decision["batch"])
            if decision["confidence"] == "decided":
                check(decision["batch"] == optimal or rate >= .98 * rate_at(points, optimal), where)
            if decision["confidence"] != "undecided":
                check(rate >= .949 * max(r for _, r in points), where)
                confident += 1
            repeated[noise] += answer["simulated"]["repeated"]
    check([noise for noise in DISTURBED if repeated[noise]] == ["throttle=20%"], repeated)
    check(confident > .85 * len(INVENTED) * len(DISTURBED), "only %d are confident" % confident)


def a_machine_that_always_throttles_decides_nothing(folder):
    for name in INVENTED:
        done, answer = invented(folder, name, "--noise", "throttle=100%", "--seed", "3")
        check(done.returncode == 4 and answer["decision"]["confidence"] == "undecided",
              "%s: %s" % (name, answer["decision"]))
        check(answer["decision"]["batch"], "%s: no best so far" % name)
    done, answer = invented(folder, "knee", "--noise", "throttle=0", "--seed", "3")  # the wrong twin: it never does
    check(done.returncode == 0 and answer["decision"]["confidence"] == "decided", answer["decision"])


def every_mistake_is_named(folder):
    bad = write(os.path.join(folder, "bad.csv"), "# x\nbatch,images_per_s\n1,10\n2,fast\n")
    down = write(os.path.join(folder, "down.csv"), "batch,images_per_s\n2,10\n1,9\n")
    mute = write(os.path.join(folder, "mute.csv"), "batch,rate\n1,10\n")
    good = path_of("hrnet forward")
    for more, code, text in [
            ([], 2, "bench.sqlite does not exist: measure first"),
            (["--curve", bad], 2, 'bad.csv:4: images_per_s must be a number above 0 or empty, got "fast"'),
            (["--curve", down], 2, "down.csv:3: batch 1 does not ascend"),
            (["--curve", mute], 2, "mute.csv:1: the columns batch and images_per_s must stand"),
            (["--curve", os.path.join(folder, "none.csv")], 3, "No such file"),
            (["--curve", "kneee"], 2, "did you mean knee?"),
            (["--curve", "spoon"], 2, "allowed are flat, saturating, knee, hump, cliff, sawtooth, dip, margin"),
            (["--curve", "knee", "--objective", "energy"], 2, "a curve holds no energy"),
            (["--curve", "knee", "--slo", "p95=9ms"], 1, "no batch size meets 9 ms: the best p95 is 18.1818 ms, at 1"),
            (["--curve", good, "--slo", "p95=1s"], 2, "the curve has no p95_ms at batch 1"),
            (["--curve", good, "--slo", "p99=1s"], 2, "--slo must be p95=TIME or p50=TIME"),
            (["--curve", good, "--slo", "response:p95=1s"], 2, "response times need an arrival rate"),
            (["--curve", good, "--slo", "p95=fast"], 2, 'got "p95=fast"'),
            (["--curve", good, "--noise", "blok=1%"], 2, "did you mean block?"),
            (["--curve", good, "--noise", "block=-1"], 2, "block must be 0..0.9"),
            (["--curve", good, "--noise", "none,drift=-2"], 2, "drift must be -0.9..0.9"),
            (["--curve", good, "--noise", "throttle=20%,none"], 2, "none is no key"),
            (["--curve", good, "--within", "30"], 2, "1%..20%"),
            (["--curve", good, "--objective", "speed"], 2, "throughput, latency")]:
        done = bench("replay", *more, cwd=folder)
        check(done.returncode == code and text in done.stderr, "%s: exit %d, %s" % (more, done.returncode, done.stderr))
        check(done.stdout == "" or code == 1, "%s printed a result" % more)


def the_curves_are_kept(folder):
    """Every recorded curve says where it comes from, and git does not ignore it (a result beside them it does)."""
    names = sorted(name for name in os.listdir(REFERENCE) if name.endswith(".csv"))
    check(len(names) >= 8, names)
    for name in names:
        with open(os.path.join(REFERENCE, name)) as f:
            check(f.readline().startswith("# origin: "), "%s has no origin" % name)
    if not os.path.isdir(os.path.join(ROOT, ".git")):
        return
    def ignored(path):
        return subprocess.run(["git", "-C", ROOT, "check-ignore", "-q", path]).returncode == 0
    check(not any(ignored("results/reference/" + name) for name in names), "git ignores a recorded curve")
    check(ignored("results/batch_sizes.json"), "git would take results")


TESTS = [every_answer, the_answers_follow_from_the_curves, wrong_rules_give_other_answers, latency_alone_means_one,
         invented_curves_have_one_answer, disturbed_machines_are_survived,
         a_machine_that_always_throttles_decides_nothing, a_whole_campaign_repeats_itself,
         noise_that_hides_the_answer_is_undecided, every_mistake_is_named,
         the_curves_are_kept]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
