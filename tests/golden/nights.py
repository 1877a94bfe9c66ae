"""A machine with three networks on scripted workers in virtual time, and its nights: each a real `bench nightly` with
the wall clock set to its date. What the tests of nights share.
"""
import calendar
import json
import math
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from bench_runner import BENCH, at_time, bench, check, environment, fake, write  # noqa: E402

DAY = 86400
FIRST = calendar.timegm((2026, 3, 1, 1, 30, 0))  # the first night's time, UTC; night 17 is that of March 17
UUID = "GPU-11111111-2222-3333-4444-555555555555"
MODELS = ("hrnet", "resunet_advanced", "resunet_small")
RATES = {1: 55, 2: 75, 4: 90, 8: 97, 16: 98}  # 8 is chosen, 16 leads, 4 is the size below: three series of each model

SCRIPT = """time: virtual
seed: %d
curve: {images_per_s: {%s}}
noise: [{kind: normal, sigma: 0.004, per: iteration}]
speed: {%s}
devices: ["%s"]
%s"""


class Night:
    """What one `bench nightly` left: exit code, texts, and its JSON (None: it printed none)."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.told = json.loads(done.stdout) if done.stdout.strip().startswith("{") else None

    @property
    def verdict(self):
        return self.told and self.told["verdict"]

    def series(self, text):
        found = [s for s in self.told["series"] if text in s["series"]]
        check(len(found) == 1, "%d series have \"%s\": %s" % (len(found), text, self.out))
        return found[0]

    def with_verdict(self, word):
        return [s["series"] for s in self.told["series"] if s["verdict"] == word]

    def text(self):
        return "exit %d\n%s%s" % (self.code, self.out, self.err)


class Machine:
    """`own` runs hrnet, `scripted` the two others: nine series on one device. Nights differ by `sigma`: half of the variance
    is of all series, half of each model's own."""

    def __init__(self, folder, device="cpu:0", sigma=0.003, seed=1):
        self.folder, self.device, self.sigma = folder, device, sigma
        self.out = os.path.join(folder, "out")
        self.draw = random.Random(seed)
        self.invented = 0  # nights between day 1 and day 2
        self.nvml = ""  # lines of the fake NVML's script, where the device is a GPU
        for name in ("own", "scripted"):
            write(os.path.join(folder, name + ".yaml"), "name: %s\ncommand: [\"bench-worker-scripted\", \"--script\", \"%s\"]\n"
                  % (name, os.path.join(folder, name + "-script.yaml")))
        self.set()

    def set(self, speed=1.0, models=None, sizes=None, more="", own_more=""):
        """Rates from now on: of all by `speed`, of a model by `models`, of hrnet's sizes by `sizes`; every call draws a
        night's own noise for each model, and one that all have in common."""
        half = self.sigma * math.sqrt(0.5)
        common = self.draw.gauss(0, half)
        factors = {m: speed * (models or {}).get(m, 1) * math.exp(common + self.draw.gauss(0, half)) for m in MODELS}
        device_more = "device_uuid: %s\n" % UUID if self.device.startswith("cuda") else ""
        for name in ("own", "scripted"):
            rates = {b: r * ((sizes or {}).get(b, 1) if name == "own" else 1) for b, r in RATES.items()}
            mine = {m: f * (1 if (m == "hrnet") == (name == "own") else 0.1) for m, f in factors.items()}
            write(os.path.join(self.folder, name + "-script.yaml"),
                  SCRIPT % (self.draw.randrange(1, 1 << 30), ", ".join("%d: %.6g" % p for p in rates.items()),
                            ", ".join("%s: %.6g" % p for p in mine.items()), self.device,
                            device_more + more + (own_more if name == "own" else "")))

    def environment(self, day):
        more = at_time(FIRST + (day - 1 + (self.invented if day > 1 else 0)) * DAY)
        if self.device.startswith("cuda"):
            more.update(BENCH_NVML_LIBRARY=fake("libnvidia-ml.so.1"),
                        BENCH_FAKE_NVML=write(os.path.join(self.folder, "nvml"), self.nvml))
        return environment(**more)

    def bench(self, day, *arguments, **more):
        return bench(*arguments, "--out", self.out, cwd=self.folder, env=self.environment(day), **more)

    def start(self, day, *arguments):
        """A night that goes on by itself, for tests that disturb it."""
        log = open(os.path.join(self.folder, "log"), "w")
        return subprocess.Popen([BENCH, "nightly", "--out", self.out, "--quiet", "--json", *arguments], cwd=self.folder,
                                env=self.environment(day), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True)

    def tune(self):
        engines = ",".join(os.path.join(self.folder, name + ".yaml") for name in ("own", "scripted"))
        done = self.bench(0.5, "tune", "--model", ",".join(MODELS), "--input", "64x64", "--engine", engines, "--device",
                          self.device, "--batches", ",".join(str(b) for b in RATES), "--no-gate", "--allow-scripted",
                          "--quiet")
        check(done.returncode == 0, done.stdout + done.stderr)

    def night(self, day, *arguments, **more):
        return Night(self.bench(day, "nightly", "--quiet", "--json", *arguments, **more))

    def store(self):
        return sqlite3.connect(os.path.join(self.out, "bench.sqlite"))

    def count(self, query):
        store = self.store()
        try:
            return store.execute(query).fetchone()[0]
        finally:
            store.close()

    def invent(self, count):
        """`count` nights after day 1: rows of the one measured night again, with a night's noise. Day 2 comes after them."""
        store = self.store()
        columns = {table: [row[1] for row in store.execute("PRAGMA table_info(%s)" % table)] for table in ("run", "night", "environment")}
        run = dict(zip(columns["run"], store.execute("SELECT * FROM run WHERE kind = 'night'").fetchone()))
        rows = [dict(zip(columns["night"], row)) for row in store.execute("SELECT * FROM night")]
        facts = [dict(zip(columns["environment"], row)) for row in
                 store.execute("SELECT * FROM environment WHERE run = %d AND execution = 0" % run["id"])]

        def insert(table, row):
            store.execute("INSERT INTO %s (%s) VALUES (%s)" % (table, ", ".join('"%s"' % c for c in row),
                                                               ",".join("?" * len(row))), list(row.values()))
        for i in range(1, count + 1):
            start = run["start_unix_s"] + i * DAY
            insert("run", dict(run, id=run["id"] + i, name="copy-%d" % i, start_unix_s=start))
            insert("run_state", dict(run=run["id"] + i, end_unix_s=start + 60, state="done", exit_code=0))
            for fact in facts:
                insert("environment", {k: v for k, v in dict(fact, run=run["id"] + i).items() if k != "id"})
            half, common = self.sigma * math.sqrt(0.5), self.draw.gauss(0, self.sigma * math.sqrt(0.5))
            own = {m: common + self.draw.gauss(0, half) for m in MODELS}
            for row in rows:
                v = row["v"] if row["target"] == 0 else row["v"] + own[row["name"].split()[0]]
                insert("night", dict(row, run=run["id"] + i, v=v))
        store.commit()
        store.close()
        self.invented = count


class Learned:
    """A machine that was tuned, with one measured night and `nights` invented ones behind it, the last of them on the day
    before day 2. Made at the first use, and put back as it was then at every later one."""

    def __init__(self, name, nights, **machine):
        self.name, self.nights, self.options, self.machine = name, nights, machine, None

    def again(self):
        if self.machine is None:
            place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # every block is synced to the disk
            self.machine = m = Machine(tempfile.mkdtemp(prefix="bench-test-%s-" % self.name, dir=place), **self.options)
            m.tune()
            night = m.night(1)
            check((night.code, night.verdict) == (0, "LEARNING"), night.text())
            m.invent(self.nights)
            shutil.copytree(m.out, m.out + "-saved")
        shutil.rmtree(self.machine.out)
        shutil.copytree(self.machine.out + "-saved", self.machine.out)
        return self.machine

    def remove(self):
        if self.machine:
            shutil.rmtree(self.machine.folder, ignore_errors=True)
