#!/usr/bin/env python3
"""`bench nightly` disturbed: killed at any moment, a full disk, a clock that is set back, two at once, a damaged store,
workers that hang or die. Each time the right exit code and sentence, nothing committed is lost, and the next night is
compared with whole nights only. The folder is prepared once (fifteen nights) and put back before every test.
"""
import os
import random
import resource
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
sys.path.insert(0, os.path.join(HERE, "..", "golden"))
from bench_runner import check, run_tests, write  # noqa: E402
from nights import Learned  # noqa: E402

SEED = int(os.environ.get("KILL_SEED", "0")) or int(time.time())
KILLS = 8
learned = Learned("nights", 14)


def machine():
    m = learned.again()
    m.set()
    return m


def store_is_whole(m):
    store = m.store()
    check(store.execute("PRAGMA integrity_check").fetchone()[0] == "ok", "the store is damaged")
    check(store.execute("SELECT count(*) FROM block WHERE id NOT IN (SELECT block FROM samples)").fetchone()[0] == 0,
          "blocks without samples")
    halves = store.execute("SELECT run, count(*) FROM night GROUP BY run HAVING count(*) <> 10").fetchall()
    check(not halves, "half nights: %s" % halves)  # nine series and MACHINE
    store.close()


def nights_of(m):
    return m.count("SELECT count(DISTINCT run) FROM night")


def is_a_right_night(m, night):
    """OK, and compared with every whole night."""
    check((night.code, night.verdict) == (0, "OK"), night.text())
    check({s["base_nights"] for s in night.told["series"]} == {nights_of(m) - 1}, night.out)
    check(night.told["gap"] is None, night.out)


def one_sentence(text):
    lines = text.strip().splitlines()
    return len(lines) == 1 and lines[0].startswith("bench: ")


def killed_at_any_moment(folder):
    """kill -9 of bench at eight moments of a night: no half night, no block lost, the next night is right"""
    m, draw = machine(), random.Random(SEED)
    begin = time.monotonic()
    is_a_right_night(m, m.night(2))
    lasts, hit, day = time.monotonic() - begin, 0, 3
    for k in range(KILLS):
        process = m.start(day)
        time.sleep(lasts * (k + draw.random()) / KILLS)
        hit += process.poll() is None
        process.kill()
        process.wait()
        blocks = m.count("SELECT count(*) FROM block")
        store_is_whole(m)
        if k in (0, KILLS - 1):
            m.set()
            is_a_right_night(m, m.night(day + 0.1))
            check(m.count("SELECT count(*) FROM block") > blocks, "blocks are lost")
            day += 1
    check(hit >= KILLS / 2, "only %d of %d were killed in time (KILL_SEED=%d, a night lasts %.1f s)" % (hit, KILLS, SEED, lasts))
    done = m.bench(day, "history", "--json")
    check(done.returncode == 0, done.stderr)


def interrupted_by_a_signal(folder):
    """SIGTERM: exit 4, one sentence, that night judges nothing and enters no base"""
    m = machine()
    before = nights_of(m)
    m.set(more="load: 50ms\n")
    process = m.start(2)
    until = time.monotonic() + 30
    while time.monotonic() < until and m.count("SELECT count(*) FROM run WHERE kind = 'night'") <= before:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    code = process.wait(timeout=60)
    with open(os.path.join(m.folder, "log")) as f:
        log = f.read()
    check(code == 4 and one_sentence(log) and "judges nothing" in log, "exit %d: %s" % (code, log))
    check(nights_of(m) == before, "an interrupted night is a night")
    store_is_whole(m)
    is_a_right_night(m, m.night(2.1))


def a_full_disk(folder):
    """Files may not grow further: exit 3, one sentence, no half night; with room again the next one is right"""
    m = machine()
    before = nights_of(m)
    size = os.path.getsize(os.path.join(m.out, "bench.sqlite"))
    night = m.night(2, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size + 300000, size + 300000)))
    check(night.code == 3 and one_sentence(night.err) and "bench.sqlite" in night.err, night.text())
    check(not night.out, night.out)
    check("--resume" not in night.err or "bench tune" in night.err, night.err)
    store_is_whole(m)
    check(nights_of(m) == before, "a night that could not be stored is a night")
    is_a_right_night(m, m.night(3))


def the_clock_is_set_back(folder):
    """A day back between two nights: no gap, no BLIND, the order stays that of measuring, an accept goes on holding"""
    m = machine()
    is_a_right_night(m, m.night(3))
    m.set()
    night = m.night(2)
    is_a_right_night(m, night)
    status = m.bench(1.7, "nightly", "--status", "--json")
    check(status.returncode == 0 and '"verdict": "OK"' in status.stdout, status.stdout + status.stderr)
    store = m.store()
    names = [row[0] for row in store.execute("SELECT name FROM run WHERE kind = 'night' ORDER BY id")]
    store.close()
    history = m.bench(2, "history", "hrnet own cpu:0 f32 batch 8", "--csv")
    lines = history.stdout.splitlines()[1:]
    check([line.split(",")[1] for line in lines] == names, history.stdout)
    m.set(models={"hrnet": 0.9})
    m.night(4)
    done = m.bench(4, "accept", "--device", "cpu:0", "--since", "last", "--reason", "slower on purpose")
    check(done.returncode == 0, done.stderr)
    m.set(models={"hrnet": 0.9})
    night = m.night(3)  # a day before the accept's night, by the clock
    check((night.code, night.verdict) == (0, "OK"), night.text())
    check({s["base_nights"] for s in night.told["series"]} == {1}, night.out)
    m.set(models={"hrnet": 0.9})
    night = m.night(6)
    check((night.code, night.verdict) == (0, "OK"), night.text())
    shown = m.bench(6, "history", "hrnet own cpu:0 f32 batch 8").stdout
    check(shown.count("accepted") == 1, shown)


def two_at_once(folder):
    """While one runs a second one exits 3, names the first's pid, and leaves nothing"""
    m = machine()
    m.set(more="load: 1s\n")
    for name in ("own", "scripted"):
        path = os.path.join(m.folder, name + "-script.yaml")
        with open(path) as f:
            text = f.read()
        write(path, text.replace("time: virtual", "time: real"))
    first = m.start(2)
    try:
        lock = os.path.join(m.out, "bench.sqlite.lock")
        until = time.monotonic() + 30
        while time.monotonic() < until and m.count("SELECT count(*) FROM run WHERE kind = 'night'") < 16:
            time.sleep(0.05)
        check(os.path.exists(lock), "no lock")
        second = m.night(2)
        check(first.poll() is None, "the first one ended before the second was tried")
        check(second.code == 3 and one_sentence(second.err), second.text())
        check("process %d" % first.pid in second.err, second.err)
        looked = m.bench(2, "nightly", "--status", "--json")  # reading is allowed
        check(looked.returncode == 0, looked.stdout + looked.stderr)
        check(m.count("SELECT count(*) FROM run WHERE kind = 'night'") == 16, "the second one began a night")
    finally:
        first.kill()
        first.wait()
    m.set()
    is_a_right_night(m, m.night(3))


def a_damaged_store(folder):
    """Every verb that looks at nights: exit 3, one sentence, and the file is left as it is"""
    m = machine()
    path = os.path.join(m.out, "bench.sqlite")
    with open(path, "r+b") as f:
        f.seek(100)
        f.write(bytes(range(256)) * 64)
    with open(path, "rb") as f:
        before = f.read()
    for words in (["nightly", "--quiet"], ["nightly", "--status"], ["history"], ["backtest", "--quiet"], ["report", "--nightly"],
                  ["export"], ["accept", "--device", "cpu:0", "--since", "last", "--reason", "x"]):
        done = m.bench(2, *words)
        check(done.returncode == 3 and one_sentence(done.stderr) and "bench.sqlite" in done.stderr,
              "%s: exit %d: %s%s" % (words, done.returncode, done.stdout, done.stderr))
    with open(path, "rb") as f:
        check(f.read() == before, "the file was changed")


def lost(m, code, word, own_more, executions, verdict):
    """A night with faults in hrnet's worker: what it says, and how many executions its series still have (hrnet is the
    control: an execution that is lost may be the second one of its pair)."""
    m.set(own_more="faults:\n  - {%s}\n" % own_more)
    night = m.night(2)
    check((night.code, night.verdict) == (code, word), night.text())
    own = [s for s in night.told["series"] if s["series"].startswith("hrnet")]
    rest = [s for s in night.told["series"] if not s["series"].startswith("hrnet")]
    check({s["executions"] in executions and s["verdict"] == verdict for s in own} == {True}, night.text())
    check({s["verdict"] for s in rest} == {"OK"}, night.text())
    return night


def a_worker_that_hangs_once(folder):
    """One execution is lost, typed on stderr, and the night goes on: OK of four"""
    m = machine()
    night = lost(m, 0, "OK", "at: run, call: 20, do: hang, once: %s" % os.path.join(folder, "once"), (4, 5), "OK")
    check("an execution is lost" in night.err and "hrnet" in night.err, night.err)


def a_worker_that_dies_twice(folder):
    """Killed twice: three executions and more are left, which is enough"""
    m = machine()
    night = lost(m, 0, "OK", "at: run, call: 15, do: crash, once: %s}\n  - {at: run, call: 25, do: kill, once: %s"
                 % (os.path.join(folder, "a"), os.path.join(folder, "b")), (3, 4, 5), "OK")
    check(night.err.count("an execution is lost") == 2, night.err)


def one_network_always_hangs(folder):
    """All executions of one network hang: its series are INVALID (exit 4), the others are judged"""
    m = machine()
    lost(m, 4, "INVALID", "at: run, call: 3, do: hang, times: 0", (0,), "INVALID")
    store_is_whole(m)
    m.set()
    night = m.night(3)
    check((night.code, night.verdict) == (0, "OK"), night.text())
    check(night.series("hrnet own cpu:0 f32 batch 8")["base_nights"] == 15, night.out)
    check(night.series("resunet_small scripted cpu:0 f32 batch 8")["base_nights"] == 16, night.out)


def everything_hangs(folder):
    """Every worker hangs: INVALID, exit 4, no word about speed; three such nights are BLIND, exit 1"""
    m = machine()
    for day, want in ((2, (4, "INVALID")), (3, (4, "INVALID")), (4, (1, "BLIND")), (5, (1, "BLIND"))):
        m.set(more="faults:\n  - {at: run, call: 3, do: hang, times: 0}\n")
        night = m.night(day)
        check((night.code, night.verdict) == want, "%d: %s" % (day, night.text()))
        check(not night.with_verdict("REGRESSED"), night.out)
    m.set()
    night = m.night(6)
    check((night.code, night.verdict) == (0, "OK"), night.text())
    check({s["base_nights"] for s in night.told["series"]} == {15}, night.out)


def a_wrong_flag_is_refused(folder):
    """`--resume` goes on with a tune and is no flag of a night"""
    m = machine()
    night = m.night(2, "--resume")
    check(night.code == 2 and one_sentence(night.err), night.text())


if __name__ == "__main__":
    status = run_tests([killed_at_any_moment, interrupted_by_a_signal, a_full_disk, the_clock_is_set_back, two_at_once,
                        a_damaged_store, a_worker_that_hangs_once, a_worker_that_dies_twice, one_network_always_hangs,
                        everything_hangs, a_wrong_flag_is_refused])
    learned.remove()
    sys.exit(status)
