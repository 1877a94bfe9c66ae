#!/usr/bin/env python3
"""What a GPU tells of itself is an incident at any speed: MACHINE by telemetry alone, if it is confirmed the same night.

The device is the fake NVML; fifteen nights lie behind each test, on which it was healthy. Rates never change.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from bench_runner import check, run_tests  # noqa: E402
from nights import Learned, Machine  # noqa: E402

learned = Learned("signs", 14, device="cuda:0")


def night(m, day, nvml):
    m.set()
    m.nvml = nvml
    return m.night(day)


def tells(night, code, word, verdict, path):
    machine_row = night.series("MACHINE")
    check((night.code, night.verdict, machine_row["verdict"], machine_row["path"]) == (code, word, verdict, path), night.text())


def a_healthy_device_tells_nothing(folder):
    """The wrong twin of all others: nothing is odd"""
    tells(night(learned.again(), 2, ""), 0, "OK", "OK", None)


def rows_that_cannot_be_remapped(folder):
    """Row-remap failure: MACHINE the same night and the next ones, until it is accepted"""
    m = learned.again()
    for day in (2, 3):
        tells(night(m, day, "field.145 1\n"), 1, "MACHINE", "REGRESSED", "ROW-REMAP")
    done = m.bench(3.5, "accept", "--device", "cuda:0", "--since", "last", "--reason", "to be replaced in May")
    check(done.returncode == 0, done.stderr)
    told = night(m, 4, "field.145 1\n")
    check(told.code == 0 and told.verdict == "OK", told.text())


def a_slower_link(folder):
    """PCIe of a lower generation under load: MACHINE; its sentence names the device and the reason"""
    told = night(learned.again(), 2, "pcie_generation 3\n")
    tells(told, 1, "MACHINE", "REGRESSED", "PCIE-GEN")
    check(told.told["sentence"] == "cuda:0: its PCIe link is of a lower generation under load than before", told.out)
    check({s["verdict"] for s in told.told["series"] if not s["series"].startswith("MACHINE")} == {"OK"}, told.out)


def a_link_that_rests_is_no_slower_link(folder):
    """A lower generation at some readings only: the executions saw the whole link too"""
    tells(night(learned.again(), 2, "pcie_generation 1 from 1 to 20\n"), 0, "OK", "OK", None)


def what_is_gone_when_it_is_looked_at_again(folder):
    """A narrow link that is whole again in the confirmation: NOISE, exit 0"""
    # a reading when the device is met, then two for each of the twenty executions
    tells(night(learned.again(), 2, "pcie_width 8 from 1 to 41\n"), 0, "NOISE", "NOISE", None)


def throttling_that_goes_on(folder):
    """A device that throttles in the confirmation too, as on no night before: MACHINE, not THROTTLED"""
    told = night(learned.again(), 2, "field.269 step 20000000\n")
    tells(told, 1, "MACHINE", "REGRESSED", "THROTTLED")
    check({s["verdict"] for s in told.told["series"] if not s["series"].startswith("MACHINE")} == {"THROTTLED"}, told.out)


def while_it_learns(folder):
    """Two nights are no base yet: the change is named, nothing is red"""
    m = Machine(folder, device="cuda:0")
    m.tune()
    for day, nvml in ((1, ""), (2, "pcie_width 8\n")):
        told = night(m, day, nvml)
        check((told.code, told.verdict) == (0, "LEARNING"), told.text())
    check("pcie_width" in [c["name"] for c in told.told["changes"]], told.out)


if __name__ == "__main__":
    status = run_tests([a_healthy_device_tells_nothing, rows_that_cannot_be_remapped, a_slower_link,
                        a_link_that_rests_is_no_slower_link, what_is_gone_when_it_is_looked_at_again,
                        throttling_that_goes_on, while_it_learns])
    learned.remove()
    sys.exit(status)
