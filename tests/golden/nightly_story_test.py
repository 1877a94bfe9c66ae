#!/usr/bin/env python3
"""Thirty nights of one machine in 34 days: a GPU that is not there (the fake NVML says what it does), three networks, nine
series, virtual time, the wall clock on every night's date. The story is run once; each test looks at a part of it.

Days 1-14 learn. 16: another driver. 17: the device throttles, but no longer when it is measured again. 19: nobody ran it.
21, 22: a network is 15 % faster, and on 23 as before. 23, 24: one series is 5 % slower, and accepted. 26-28: the timer is
dead. 30, 31: the whole machine is 6 % slower. 33: the PCIe link has half its lanes.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from bench_runner import Skipped, check, run_tests, write  # noqa: E402
from nights import Machine, Night  # noqa: E402

SLOW = {"sizes": {16: 0.95}}  # one of the nine series
THROTTLED = "field.269 step 20000000 from 1 to 3300\n"  # 20 ms in every block of the first 17 executions
NEW_DRIVER = "driver 580.82.07\n"
STEPPED = "hrnet own cuda:0 f32 batch 16"
ABSENT = (19, 26, 27, 28)

# day: what the machine is like, what NVML says besides, the night's word, exit code
DAYS = {day: ({}, "", "LEARNING", 0) for day in range(1, 15)}
DAYS.update({
    15: ({}, "", "OK", 0),
    16: ({}, NEW_DRIVER, "OK", 0),
    17: ({}, NEW_DRIVER + THROTTLED, "THROTTLED", 4),
    18: ({}, NEW_DRIVER, "OK", 0),
    20: ({}, NEW_DRIVER, "OK", 0),
    21: ({"models": {"resunet_small": 1.15}}, NEW_DRIVER, "IMPROVED", 0),
    22: ({"models": {"resunet_small": 1.15}}, NEW_DRIVER, "IMPROVED", 0),
    23: (SLOW, NEW_DRIVER, "SUSPECT", 0),
    24: (SLOW, NEW_DRIVER, "REGRESSED", 1),
    25: (SLOW, NEW_DRIVER, "OK", 0),
    29: (SLOW, NEW_DRIVER, "BLIND", 1),
    30: (dict(SLOW, speed=0.94), NEW_DRIVER, "SUSPECT", 0),
    31: (dict(SLOW, speed=0.94), NEW_DRIVER, "MACHINE", 1),
    32: (SLOW, NEW_DRIVER, "OK", 0),
    33: (SLOW, NEW_DRIVER + "pcie_width 8\n", "MACHINE", 1),
    34: (SLOW, NEW_DRIVER, "OK", 0),
})
assert len(DAYS) == 30 and not set(DAYS) & set(ABSENT)


class Story:
    """The machine after its last night, what each night told, and what was asked by day."""

    def __init__(self, folder):
        self.machine, self.nights, self.status = Machine(folder, device="cuda:0"), {}, {}
        m = self.machine
        m.tune()
        for day, (change, nvml, _, _) in DAYS.items():
            m.set(**change)
            m.nvml = nvml
            self.nights[day] = m.night(day)
            if day == 24:
                done = m.bench(24.4, "accept", "--series", STEPPED, "--since", "2026-03-23", "--reason",
                               "16 is served with another layout now")
                check(done.returncode == 0, done.stdout + done.stderr)
            if day == 25:
                for at in (26.5, 28.7):
                    self.status[at] = Night(m.bench(at, "nightly", "--status", "--json"))

    def history(self, text):
        done = self.machine.bench(35, "history", text)
        check(done.returncode == 0, done.stdout + done.stderr)
        return done.stdout

    def page(self, *night):
        done = self.machine.bench(35, "report", "--nightly", *night)
        check(done.returncode == 0, done.stdout + done.stderr)
        with open(os.path.join(self.machine.out, "nightly.html"), encoding="utf-8") as f:
            return f.read()


told = None


def story():
    global told
    if told is None:
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # every block is synced to the disk
        told = Story(tempfile.mkdtemp(prefix="bench-test-story-", dir=os.environ.get("STORY") or place))
    return told


def every_night_ends_as_it_should(folder):
    """Thirty nights: each one's word and exit code"""
    wrong = ["%d: %s, %s expected: %s" % (day, night.verdict, DAYS[day][2], night.text())
             for day, night in story().nights.items() if (night.verdict, night.code) != DAYS[day][2:]]
    check(not wrong, "\n".join(wrong))
    check(all(len(n.told["series"]) >= 9 for n in story().nights.values()), "fewer than nine series")


def a_driver_change_is_named_and_the_base_survives(folder):
    """Another driver: said once, beside a night that is compared with all nights before it"""
    nights = story().nights
    changes = nights[16].told["changes"]
    check([(c["name"], c["was"], c["is"]) for c in changes if c["name"] == "driver"] ==
          [("driver", "580.65.06", "580.82.07")], nights[16].out)
    check(all(s["base_nights"] == 15 for s in nights[16].told["series"]), nights[16].out)
    named = [day for day, n in nights.items() if any(c["name"] == "driver" for c in n.told["changes"])]
    check(named == [16], "%s" % named)


def a_throttled_night_is_in_no_base(folder):
    """Throttled: no series has a value or a word about speed, and the next night's base lacks that night"""
    nights = story().nights
    series = [s for s in nights[17].told["series"] if not s["series"].startswith("MACHINE")]
    check({s["verdict"] for s in series} == {"THROTTLED"}, nights[17].out)
    check({s["images_per_s"] for s in series} == {None}, nights[17].out)
    check(all(s["base_nights"] == 16 for s in nights[18].told["series"]), nights[18].out)


def a_gain_is_never_red(folder):
    """15 % faster and back: IMPROVED, IMPROVED, OK"""
    words = [{s["verdict"] for s in story().nights[day].told["series"] if s["series"].startswith("resunet_small")}
             for day in (20, 21, 22, 23)]
    check(words == [{"OK"}, {"IMPROVED"}, {"IMPROVED"}, {"OK"}], "%s" % words)


def one_slow_series_is_that_series_only(folder):
    """5 % in one of nine: SUSPECT, then REGRESSED by TWO-NIGHT, then accepted; the others never leave OK"""
    nights = story().nights
    check([nights[day].series(STEPPED)["verdict"] for day in (22, 23, 24, 25)] == ["OK", "SUSPECT", "REGRESSED", "OK"],
          nights[24].out)
    check(nights[24].series(STEPPED)["path"] == "TWO-NIGHT", nights[24].out)
    check(abs(nights[24].series(STEPPED)["change_percent"] + 5) < 1.5, nights[24].out)
    check(abs(nights[24].series(STEPPED)["again_percent"] + 5) < 1.5, nights[24].out)
    check(STEPPED in nights[24].told["sentence"], nights[24].out)
    for day in (23, 24, 25):
        check(len(nights[day].with_verdict("OK")) == 9 if day < 25 else 10, nights[day].out)  # eight others and MACHINE
    check(nights[25].series(STEPPED)["base_nights"] == 2, nights[25].out)  # those of the accept: 23 and 24
    check(nights[25].series(STEPPED)["path"] is None, nights[25].out)  # accepted is not recovered


def a_dead_timer_is_told_once(folder):
    """Three nights missed: --status says so while it lasts, the first night after it says so once"""
    s = story()
    check((s.status[26.5].verdict, s.status[26.5].code) == ("OK", 0), s.status[26.5].text())
    check((s.status[28.7].verdict, s.status[28.7].code) == ("BLIND", 1), s.status[28.7].text())
    check("3.7 days ago" in s.status[28.7].told["sentence"], s.status[28.7].text())
    check([day for day, n in s.nights.items() if n.told["gap"]] == [29], "the gap is told on other nights")
    check("4.0 days ago" in s.nights[29].told["gap"], s.nights[29].out)
    check({x["verdict"] for x in s.nights[29].told["series"]} == {"OK"}, s.nights[29].out)


def a_slow_machine_is_one_incident(folder):
    """All nine 6 % slower: one MACHINE by the second night, and no series is red"""
    nights = story().nights
    check(nights[30].series("MACHINE")["verdict"] == "SUSPECT", nights[30].out)
    machine = nights[31].series("MACHINE")
    check((machine["verdict"], machine["path"]) == ("REGRESSED", "TWO-NIGHT"), nights[31].out)
    check(abs(machine["change_percent"] + 6) < 1, nights[31].out)
    for day in (30, 31):
        words = {s["verdict"] for s in nights[day].told["series"] if not s["series"].startswith("MACHINE")}
        check(words == {"OK"}, nights[day].out)
    check((nights[32].series("MACHINE")["verdict"], nights[32].series("MACHINE")["path"]) == ("OK", "recovered"),
          nights[32].out)


def telemetry_alone_is_an_incident(folder):
    """Half the PCIe lanes under load, at the same speed: MACHINE at once, gone when they are back"""
    nights = story().nights
    machine = nights[33].series("MACHINE")
    check((machine["verdict"], machine["path"]) == ("REGRESSED", "PCIE-WIDTH"), nights[33].out)
    check(("pcie_width", "16", "8") in [(c["name"], c["was"], c["is"]) for c in nights[33].told["changes"]], nights[33].out)
    check({s["verdict"] for s in nights[33].told["series"] if not s["series"].startswith("MACHINE")} == {"OK"},
          nights[33].out)
    check((nights[34].series("MACHINE")["verdict"], nights[34].series("MACHINE")["path"]) == ("OK", "recovered"),
          nights[34].out)


def the_history_tells_the_story(folder):
    """`bench history` of the series that stepped: every night on its date, events and accept beside them"""
    text = story().history(STEPPED)
    rows = {line.split()[0]: line for line in text.splitlines() if re.match(r"2026-0[34]-\d\d ", line)}
    check(len(rows) == 30, text)
    for day in ABSENT:
        check("2026-03-%02d" % day not in rows, text)
    wanted = {16: "driver: 580.65.06 -> 580.82.07", 17: "THROTTLED", 23: "accepted", 24: "REGRESSED",
              33: "pcie_width: 16 -> 8", 3: "LEARNING",
              20: "1 night absent before", 29: "3 nights absent before"}
    for day, words in wanted.items():
        check(words in rows["2026-%02d-%02d" % ((3, day) if day <= 31 else (4, day - 31))], "%d: %s" % (day, text))
    check([row.split()[0] for row in rows.values()] == sorted(rows), text)
    machine = story().history("MACHINE")
    check(re.search(r"2026-03-31 .* REGRESSED +TWO-NIGHT", machine), machine)
    check(re.search(r"2026-04-02 .* REGRESSED +PCIE-WIDTH", machine), machine)


def the_pages_tell_it_too(folder):
    """`bench report --nightly` of the last, the red and the MACHINE night: verdict, pictures, events; nothing is loaded"""
    for night, word in (((), "OK"), (("2026-03-24",), "REGRESSED"), (("2026-03-31",), "MACHINE"),
                        (("2026-03-17",), "THROTTLED"), (("2026-04-02",), "MACHINE")):
        page = story().page(*night)
        check("<b>%s</b>" % word in page and "<title>bench nightly: %s</title>" % word in page, page[:400])
        check(page.count("<figure") == 10, "%d pictures" % page.count("<figure"))
        check(not re.search(r"(src|href)=|url\(|@import|<script", page), "the page loads something")
    page = story().page()
    check("driver: 580.65.06 to 580.82.07" in page, "events are missing in the pictures")
    changes = re.findall(r"<dt>([-0-9]+)</dt><dd>(.*?)</dd>", page)
    check([date for date, _ in changes] == ["2026-04-03", "2026-04-02", "2026-03-23", "2026-03-16"], "%s" % changes)
    check("new level accepted: " + STEPPED in changes[2][1], "%s" % changes)
    check("<span>driver 580.65.06 &rarr; 580.82.07</span>" in changes[3][1], "%s" % changes)


def in_browser(folder, path):
    """What Chromium writes to its console, and the addresses that it asks for, its own services left out."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        raise Skipped("no Chromium")
    log = os.path.join(folder, "net.json")
    try:
        done = subprocess.run([program, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
                               "--user-data-dir=" + os.path.join(folder, "profile"), "--log-net-log=" + log, "--dump-dom",
                               "--host-resolver-rules=MAP * ~NOTFOUND", "file://" + path], cwd=folder, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, errors="replace")
    except subprocess.TimeoutExpired:
        raise Skipped("Chromium does not end")
    if done.returncode != 0 or "</html>" not in done.stdout or not os.path.exists(log):
        raise Skipped("Chromium does not start here")
    with open(log, errors="replace") as f:
        asked = set(re.findall(r'"url":"([a-z]+://[^/"]*)', f.read()))
    own = re.compile(r"https?://([a-z0-9-]+\.)*(google|googleapis|gvt1|gstatic)\.com$")
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line], sorted(a for a in asked if not own.match(a))


def a_browser_loads_nothing(folder):
    """The page in Chromium: no console message, no request; a page that asks for a picture is the wrong twin"""
    page = story().page("2026-03-31")
    console, asked = in_browser(folder, write(os.path.join(folder, "page.html"), page))
    check(not console and not asked, "console: %s; asked for: %s" % (console, asked))
    twin = page.replace("<main>", "<main><img src='http://127.0.0.1:9/a.png'><script>nothing.there()</script>")
    console, asked = in_browser(folder, write(os.path.join(folder, "twin.html"), twin))
    check(console and asked == ["http://127.0.0.1:9"], "the twin is not caught: %s, %s" % (console, asked))


if __name__ == "__main__":
    status = run_tests([every_night_ends_as_it_should, a_driver_change_is_named_and_the_base_survives,
                        a_throttled_night_is_in_no_base, a_gain_is_never_red, one_slow_series_is_that_series_only,
                        a_dead_timer_is_told_once, a_slow_machine_is_one_incident, telemetry_alone_is_an_incident,
                        the_history_tells_the_story, the_pages_tell_it_too, a_browser_loads_nothing])
    if told and not os.environ.get("STORY"):
        shutil.rmtree(told.machine.folder, ignore_errors=True)
    sys.exit(status)
