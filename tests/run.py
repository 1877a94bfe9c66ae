#!/usr/bin/env python3
"""Runs test programs that print TAP, two at a time, and ends with `N passed, N failed`.

usage: run.py [-j JOBS] [--under 'COMMAND ...'] PROGRAM...
A program may stand behind variables of its environment, in one argument: 'NAME=VALUE ... PROGRAM'.
A program fails as a whole if it exits with a status other than 0 without a `not ok`, if it prints no test at all,
or if it outlives its limit. Exit 0 only if nothing failed and something passed.
"""
import concurrent.futures
import os
import re
import shlex
import subprocess
import sys
import time

LIMIT_S = int(os.environ.get("TEST_LIMIT_S", "600"))


def run(argument, under):
    start = time.monotonic()
    *variables, program = shlex.split(argument)
    command = [sys.executable, program] if program.endswith(".py") else under + [program]
    # passive: programs run side by side, threads that spin while they wait would take the other's processor
    environment = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", OMP_WAIT_POLICY="passive")
    environment.update(variable.split("=", 1) for variable in variables)
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT_S)
        output, code = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as late:
        output, code = (late.stdout or b"").decode(errors="replace") + "\n# ran past %d s" % LIMIT_S, -1
    passed = len(re.findall(r"^ok\b(?!.*# SKIP)", output, re.M))
    # cmocka 1.1 writes a skipped test as "not ok 2 # SKIP name", later versions as "ok 2 # SKIP name"
    skipped = len(re.findall(r"^(?:not )?ok\b.*# SKIP", output, re.M))
    failed = len(re.findall(r"^not ok\b(?!.*# SKIP)", output, re.M))
    if failed == 0 and (code != 0 or passed + skipped == 0):
        failed = 1
        output += "\n# exit status %d, %d tests seen" % (code, passed)
    return " ".join([os.path.relpath(program)] + variables), passed, failed, skipped, output, time.monotonic() - start


def main():
    arguments = sys.argv[1:]
    jobs, under = os.cpu_count() or 1, []
    while arguments and arguments[0] in ("-j", "--under"):
        if arguments[0] == "-j":
            jobs = int(arguments[1])
        else:
            under = shlex.split(arguments[1])
        arguments = arguments[2:]
    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for name, p, f, s, output, seconds in pool.map(lambda argument: run(argument, under), arguments):
            passed, failed, skipped = passed + p, failed + f, skipped + s
            print("%-4s %-58s %4d passed %6.1f s" % ("FAIL" if f else "ok", name, p, seconds))
            if f:
                print("\n".join("     " + line for line in output.splitlines()[-80:]))
            sys.stdout.flush()
    print("%d passed, %d failed%s" % (passed, failed, ", %d skipped" % skipped if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
