#!/usr/bin/env python3
"""Instructions of every fused CPU kernel, counted by callgrind: a change of a kernel shows without a clock.

usage: instructions.py PROGRAM [FILE.csv]    PROGRAM is tests/bench/cpu_fused_speed as built
Prints kernel, instruction set, type and instructions of one call on 1x64x64x96 with one thread. With FILE.csv, a table that
was recorded before, it prints the change beside it. Only plain C and AVX2: valgrind knows no AVX-512.
"""
import csv
import os
import re
import subprocess
import sys
import tempfile


def count(program, isa, kind):
    """{kernel: instructions} of one call each."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, "--collect-atstart=no",
                        "--toggle-collect=run_*", program, "once", isa, kind], check=True, stderr=subprocess.DEVNULL,
                       env=dict(os.environ, OMP_NUM_THREADS="1"))
        text = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", out], check=True,
                              stdout=subprocess.PIPE).stdout.decode()
    found = {}
    for instructions, name in re.findall(r"^\s*([\d,]+) .*?:run_(\w+)", text, re.M):
        if name != "all_once":
            found[name] = int(instructions.replace(",", ""))
    return found


def recorded(path):
    if not path:
        return {}
    with open(path) as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {(row["kernel"], row["isa"], row["type"]): int(row["instructions"]) for row in rows}


def main():
    program, before = sys.argv[1], recorded(sys.argv[2] if len(sys.argv) > 2 else None)
    print("kernel,isa,type,instructions" + (",change_percent" if before else ""))
    for isa in ("plain", "avx2"):
        for kind in ("f32", "bf16"):
            for name, instructions in sorted(count(program, isa, kind).items()):
                old = before.get((name, isa, kind))
                change = ",%+.2f" % (100 * (instructions / old - 1)) if old else "," if before else ""
                print("%s,%s,%s,%d%s" % (name, isa, kind, instructions, change))


if __name__ == "__main__":
    main()
