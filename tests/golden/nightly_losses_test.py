#!/usr/bin/env python3
"""Delays put into a worker whose nights differ by 1 %: how soon `bench nightly` tells them, through real processes.

Forty-one nights lie behind each test: one that was measured, forty that are its rows with a night's noise (of all series
and of each network, half of the variance each). The seeds are fixed and time is virtual: a test does not flake.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from bench_runner import check, run_tests  # noqa: E402
from nights import RATES, Learned  # noqa: E402

learned = Learned("losses", 40, sigma=0.01, seed=30)


def live(nights, **change):
    m = learned.again()
    told = []
    for day in range(2, 2 + nights):
        m.set(**change)
        told.append(m.night(day))
    return told


def words(nights, text):
    return [n.series(text)["verdict"] for n in nights]


def a_loss_of_5_percent_is_told_by_night_5(folder):
    """5 % in one network: REGRESSED by the fifth night (exit 1), the other networks never"""
    nights = live(5, models={"hrnet": 0.95})
    seen = words(nights, "hrnet own cpu:0 f32 batch 8")
    check("REGRESSED" in seen, "%s" % seen)
    first = seen.index("REGRESSED")
    check(nights[first].code == 1 and nights[first].verdict == "REGRESSED", nights[first].text())
    for n in nights:
        check(not [s for s in n.with_verdict("REGRESSED") if not s.startswith("hrnet")], n.out)


def a_loss_of_15_percent_is_told_by_night_2(folder):
    """15 %: on the first or second night"""
    nights = live(2, models={"hrnet": 0.85})
    check("REGRESSED" in words(nights, "hrnet own cpu:0 f32 batch 8"), nights[0].out + nights[1].out)


def no_loss_is_never_told(folder):
    """Five nights of the same noise without a loss: nothing is red; N alpha is that of nine series and MACHINE"""
    for n in live(5):
        check(n.code == 0 and not n.with_verdict("REGRESSED"), n.text())
        check(abs(n.told["n_alpha"] - 10 * 2.8e-5) < 1e-12, n.out)


def half_a_quota_is_invalid_not_slow(folder):
    """Half of the CPU quota taken away, so twice as slow and throttled by the group: INVALID with exit 4, nothing is red"""
    for n in live(2, speed=0.5, more="telemetry: {throttled_usec: 50000}\n"):
        check((n.code, n.verdict) == (4, "INVALID"), n.text())
        check({s["verdict"] for s in n.told["series"] if not s["series"].startswith("MACHINE")} == {"INVALID"}, n.out)


def half_the_speed_with_the_quota_is_slow(folder):
    """The wrong twin of that: as slow, and no group that throttles: MACHINE"""
    nights = live(1, speed=0.5)
    check((nights[0].code, nights[0].verdict) == (1, "MACHINE"), nights[0].text())


def moved_without_slowness(folder):
    """The next size gains 10 %: MAYBE_MOVED, then MOVED, exit 0; nothing is slower"""
    nights = live(2, sizes={16: 1.1})
    chosen = "hrnet own cpu:0 f32 batch 8"
    check([n.series(chosen)["moved"] for n in nights] == ["MAYBE_MOVED", "MOVED"], nights[0].out + nights[1].out)
    for n in nights:
        check(n.code == 0 and not n.with_verdict("REGRESSED") and not n.with_verdict("SUSPECT"), n.text())


def slowness_without_moving(folder):
    """All sizes 15 % slower alike: REGRESSED, and the optimum stays"""
    nights = live(2, sizes={b: 0.85 for b in RATES})
    check("REGRESSED" in words(nights, "hrnet own cpu:0 f32 batch 8"), nights[1].out)
    for n in nights:
        check({s["moved"] for s in n.told["series"]} <= {"", None}, n.out)


if __name__ == "__main__":
    status = run_tests([a_loss_of_5_percent_is_told_by_night_5, a_loss_of_15_percent_is_told_by_night_2,
                        no_loss_is_never_told, half_a_quota_is_invalid_not_slow, half_the_speed_with_the_quota_is_slow,
                        moved_without_slowness, slowness_without_moving])
    learned.remove()
    sys.exit(status)
