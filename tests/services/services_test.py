#!/usr/bin/env python3
"""configs/deploy as far as one machine can try it: systemd reads the units, the timer names a time, the workflow has the
shape GitHub wants, the crontab line and its shell run, and a one-node Slurm, started here and stopped again, runs the
array. What is not installed is skipped, with its name (make test-services installs it)."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPLOY = os.path.join(ROOT, "configs", "deploy")
sys.path.insert(0, os.path.join(ROOT, "tests", "cli"))
from tap import tell  # noqa: E402

BIN = os.environ["BENCH_BIN"]
skipped = 0


def skip(name, why):
    global skipped
    skipped += 1
    tell(True, "%s # SKIP %s" % (name, why))


def run(*command, **more):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=more.pop("timeout", 60), **more)


def deployed(name):
    return os.path.join(DEPLOY, name)


# --- systemd ---------------------------------------------------------------------------------------------------------------

def units_in(folder):
    """The units as they would lie in /etc/systemd/system, with a bench that is there."""
    bench = os.path.join(BIN, "bench")
    for name in ("bench-nightly.service", "bench-nightly.timer"):
        with open(deployed(name)) as f:
            text = f.read().replace("/usr/local/bin/bench", bench)
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    return [os.path.join(folder, name) for name in ("bench-nightly.service", "bench-nightly.timer")]


def systemd():
    if not shutil.which("systemd-analyze"):
        skip("systemd reads the units", "systemd-analyze is not installed (package systemd)")
        return
    with tempfile.TemporaryDirectory() as folder:
        units = units_in(folder)
        done = run("systemd-analyze", "verify", "--man=no", *units)
        about_us = [line for line in done.stdout.splitlines() if "bench-nightly" in line]
        tell(done.returncode == 0 and not about_us, "systemd reads the units without a complaint", done.stdout)
        with open(units[0]) as f:
            broken = f.read().replace("Type=oneshot", "Type=oneshoot")
        with open(units[0], "w") as f:
            f.write(broken)
        done = run("systemd-analyze", "verify", "--man=no", *units)
        tell("oneshoot" in done.stdout, "and would say if a word were wrong", done.stdout)
    calendar = re.search(r"^OnCalendar=(.*)$", open(deployed("bench-nightly.timer")).read(), re.M)[1]
    done = run("systemd-analyze", "calendar", calendar)
    tell(done.returncode == 0 and "03:10:00" in done.stdout, "the timer names a time", done.stdout)


# --- cron ------------------------------------------------------------------------------------------------------------------

def line_of_cron():
    lines = [line for line in open(deployed("crontab")) if line.strip() and not line.startswith("#")]
    return lines[0].rstrip("\n").split(None, 5)


def cron():
    minute, hour, day, month, weekday, command = line_of_cron()
    tell((minute, hour, day, month, weekday) == ("10", "3", "*", "*", "*") and "%" not in command,
         "the crontab has one line at 3:10, without a % (cron takes it for a newline)", line_of_cron())
    for code, says in ((0, ""), (4, ""), (1, "red\n")):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "bench"), "w") as f:
                f.write("#!/bin/sh\necho red\nexit %d\n" % code)
            os.chmod(os.path.join(folder, "bench"), 0o755)
            done = run("/bin/sh", "-c", command.replace("/var/lib/bench", folder),
                       env=dict(os.environ, PATH=folder + ":" + os.environ["PATH"]))
            tell(done.stdout == says, "cron's shell: exit %d of a night mails %s" % (code, repr(says)), done.stdout)


# --- GitHub ----------------------------------------------------------------------------------------------------------------

def workflow():
    try:
        import yaml
    except ImportError:
        skip("the workflow has the shape that GitHub wants", "python3-yaml is not installed")
        return
    with open(deployed("github-nightly.yml")) as f:
        text = f.read()
    document = yaml.safe_load(text)
    on = document.get("on", document.get(True))  # YAML 1.1 reads the key `on` as true
    job = document["jobs"]["nightly"]
    keys = {"name", "runs-on", "timeout-minutes", "steps", "env", "if", "needs", "strategy", "permissions"}
    steps = {"name", "shell", "run", "uses", "with", "if", "env", "id"}
    good = set(on) == {"schedule", "workflow_dispatch"} and len(on["schedule"][0]["cron"].split()) == 5
    good = good and set(job) <= keys and "self-hosted" in job["runs-on"]
    good = good and all(set(s) <= steps and ("run" in s) != ("uses" in s) for s in job["steps"])
    tell(good, "the workflow has the shape that GitHub wants", document)
    script = job["steps"][0]["run"]
    for code, wanted in ((0, 0), (1, 1), (3, 3), (4, 0)):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "bench"), "w") as f:
                f.write("#!/bin/sh\n[ $1 = history ] || exit %d\n" % code)
            os.chmod(os.path.join(folder, "bench"), 0o755)
            done = run("bash", "-e", "-o", "pipefail", "-c", script, cwd=folder,
                       env=dict(os.environ, PATH=folder + ":" + os.environ["PATH"]))
            tell(done.returncode == wanted, "the workflow's step ends with %d for a night that ends with %d" % (wanted, code),
                 done.stdout)


# --- Slurm -----------------------------------------------------------------------------------------------------------------

CONF = """ClusterName=bench
SlurmctldHost=localhost
AuthType=auth/munge
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
ReturnToService=2
SelectType=select/cons_tres
NodeName=localhost CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def script_of_slurm():
    """The array without Slurm: what a task does with bench's exit codes, and that it passes SIGINT on."""
    for code, wanted in ((0, 0), (4, 0), (2, 2)):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "bench"), "w") as f:
                f.write("#!/bin/sh\necho \"$@\" > %s/asked\nexit %d\n" % (folder, code))
            os.chmod(os.path.join(folder, "bench"), 0o755)
            done = run("bash", deployed("slurm-array.sh"), cwd=folder,
                       env=dict(os.environ, PATH=folder + ":" + os.environ["PATH"], SLURM_ARRAY_TASK_ID="1"))
            asked = open(os.path.join(folder, "asked")).read()
            tell(done.returncode == wanted and "--model resunet_small" in asked and "--resume" in asked,
                 "a task of the array ends with %d for a campaign that ends with %d" % (wanted, code), done.stdout + asked)


def slurm():
    programs = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
    missing = [p for p in programs if not shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
    if missing or os.geteuid() != 0:
        skip("a one-node Slurm runs the array", "%s (packages slurm-wlm munge, as root)" % (", ".join(missing) or "not root"))
        return
    folder = tempfile.mkdtemp(prefix="bench-slurm-")
    daemons = []
    try:
        slurm_in(folder, daemons)
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
        shutil.rmtree(folder, ignore_errors=True)


def slurm_in(folder, daemons):
    env = dict(os.environ, SLURM_CONF=os.path.join(folder, "slurm.conf"), BENCH_OUT=os.path.join(folder, "out"),
               PATH="%s:%s:/usr/sbin:/sbin" % (folder, os.environ["PATH"]))
    for name in ("state", "spool", "munge"):
        os.makedirs(os.path.join(folder, name))
    with open(env["SLURM_CONF"], "w") as f:
        f.write(CONF.format(folder=folder, cpus=os.cpu_count()))
    with open(os.path.join(folder, "bench"), "w") as f:
        f.write("#!/bin/sh\necho \"$@\" >> %s/asked\n" % folder)
    os.chmod(os.path.join(folder, "bench"), 0o755)
    os.makedirs("/run/munge", exist_ok=True)
    run("sh", "-c", "chown munge /run/munge; id munge")
    munged = subprocess.Popen(["runuser", "-u", "munge", "--", shutil.which("munged", path=env["PATH"]), "--foreground"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    daemons.append(munged)
    time.sleep(1)
    for name in ("slurmctld", "slurmd"):
        more = ["-N", "localhost"] if name == "slurmd" else []
        daemons.append(subprocess.Popen([name, "-D", *more], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        time.sleep(2)
    tried = run("sbatch", "--test-only", deployed("slurm-array.sh"), env=env, cwd=folder)
    tell(tried.returncode == 0, "sbatch --test-only takes the script", tried.stdout + tail(folder))
    sent = run("sbatch", "--parsable", deployed("slurm-array.sh"), env=env, cwd=folder)
    for _ in range(60):
        if not run("squeue", "-h", env=env).stdout.strip():
            break
        time.sleep(1)
    asked = open(os.path.join(folder, "asked")).read() if os.path.exists(os.path.join(folder, "asked")) else ""
    models = {line.split()[2] for line in asked.splitlines() if line.startswith("tune --model")}
    tell(sent.returncode == 0 and models == {"hrnet", "resunet_small", "resunet_advanced"},
         "a one-node Slurm runs the array: one campaign for each network", sent.stdout + asked + tail(folder))


def tail(folder):
    text = ""
    for name in ("slurmctld.log", "slurmd.log"):
        path = os.path.join(folder, name)
        text += open(path).read()[-1500:] if os.path.exists(path) else "no %s\n" % name
    return text


if __name__ == "__main__":
    systemd()
    cron()
    workflow()
    script_of_slurm()
    slurm()
