#!/usr/bin/env python3
"""What each GPU kernel takes on each architecture, as the assembler said, against cuda_registers.csv.

usage: cuda_registers_test.py [--print | --refresh]
  --print    the whole table
  --refresh  writes cuda_registers.csv anew

No kernel may spill registers or use a stack, and none may take over 8 registers more or less than the table
says, or more static shared memory. The table is of one toolkit: with another one, only spills are looked at.
Builds nothing: reads the .ptxas files beside the objects of the last build (BENCH_BIN/../../nvcc, else
build/nvcc).
"""
import csv
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cuda_registers.csv")
CHANGE = 8          # registers
SHARED_MOST = 48 << 10
ENTRY = re.compile(
    r"Compiling entry function '(?P<name>[^']+)' for 'sm_(?P<arch>\d+)a?'.*?"
    r"(?P<stack>\d+) bytes stack frame, "
    r"(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?"
    r"Used (?P<registers>\d+) registers(?P<rest>[^\n]*)", re.S)


def built_folder():
    if os.environ.get("BENCH_BIN"):
        return os.path.normpath(os.path.join(os.environ["BENCH_BIN"], "..", "..", "nvcc"))
    return os.path.join(ROOT, os.environ.get("BUILD", "build"), "nvcc")


def demangled(names):
    """{mangled: short name}; names stay as they are where there is no c++filt."""
    try:
        done = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {name: name for name in names}
    shorts = [re.sub(r"\(\w+\)(?=\d)|^void |\([^()]*\)$", "", line) for line in done.stdout.splitlines()]
    return dict(zip(names, shorts))


def usage_of(text):
    """{(mangled, arch): (registers, static shared bytes, bytes of stack and spills)}"""
    found = {}
    for m in ENTRY.finditer(text):
        shared = re.search(r"(\d+) bytes smem", m["rest"])
        waste = int(m["stack"]) + int(m["stores"]) + int(m["loads"])
        found[m["name"], int(m["arch"])] = (int(m["registers"]), int(shared[1]) if shared else 0, waste)
    return found


def read_built(folder):
    """The toolkit's version and {(file, kernel, arch): usage}; files not there or older than their source."""
    versions, usage, missing = set(), {}, []
    for source in sorted(glob.glob(os.path.join(ROOT, "kernels", "cuda", "passes", "*.cu"))):
        file = os.path.basename(source)[:-3]
        path = os.path.join(folder, "kernels", "cuda", "passes", file + ".ptxas")
        if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(source):
            missing.append(file)
            continue
        with open(path) as stream:
            text = stream.read()
        versions.update(re.findall(r"^nvcc (\S+)", text, re.M))
        found = usage_of(text)
        names = demangled(sorted({name for name, _ in found}))
        for (name, arch), what in found.items():
            usage[file, names[name], arch] = what
    return " ".join(sorted(versions)), usage, missing


def read_table():
    with open(TABLE, newline="") as stream:
        version = stream.readline().split()[-1]
        rows = list(csv.DictReader(stream))
    table = {}
    for row in rows:
        for key, value in row.items():
            if key.startswith("sm_") and value:
                table[row["file"], row["kernel"], int(key[3:])] = (int(value), int(row["shared"]))
    return version, table


def rows_of(usage):
    archs = sorted({arch for _, _, arch in usage})
    for file, kernel in sorted({key[:2] for key in usage}):
        here = {arch: usage[file, kernel, arch] for arch in archs if (file, kernel, arch) in usage}
        shared = max(what[1] for what in here.values())
        yield [file, kernel, shared] + [here[arch][0] if arch in here else "" for arch in archs]


def header_of(usage):
    return ["file", "kernel", "shared"] + ["sm_%d" % arch for arch in sorted({arch for _, _, arch in usage})]


def write_table(version, usage):
    with open(TABLE, "w", newline="") as stream:
        stream.write("# registers per thread, and bytes of static shared memory; nvcc %s\n" % version)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header_of(usage))
        writer.writerows(rows_of(usage))


def print_table(usage):
    rows = [header_of(usage)] + list(rows_of(usage))
    for row in rows:
        print("# %-13s %-68s %6s" % tuple(row[:3]) + "".join("%8s" % cell for cell in row[3:]))


def wasteful(usage):
    return ["%s, %s on sm_%d: %d bytes of stack and spills" % (*key, what[2])
            for key, what in sorted(usage.items()) if what[2]]


def differing(usage, table):
    """Against the table, for the architectures that were built; both ways."""
    archs, said = {arch for _, _, arch in usage}, []
    for key in sorted(set(usage) | {key for key in table if key[2] in archs}):
        name = "%s, %s on sm_%d" % key
        if key not in table or key not in usage:
            said.append("%s: only in %s" % (name, "the build" if key in usage else "the table"))
            continue
        (registers, shared, _), (want, want_shared) = usage[key], table[key]
        if abs(registers - want) > CHANGE:
            said.append("%s: %d registers, the table says %d" % (name, registers, want))
        if shared > min(want_shared, SHARED_MOST):
            said.append("%s: %d bytes of shared memory, the table says %d" % (name, shared, want_shared))
    return said


def twins_are_caught(usage, table):
    """One not in the table, one with 9 registers more, one with more shared memory, one that spills."""
    key = sorted(key for key in usage if key in table)[0]
    registers, shared, _ = usage[key]
    twins = [differing(usage, {k: v for k, v in table.items() if k != key}),
             differing({**usage, key: (table[key][0] + CHANGE + 1, shared, 0)}, table),
             differing({**usage, key: (registers, table[key][1] + 4, 0)}, table),
             wasteful({**usage, key: (registers, shared, 4)})]
    return all(any(key[1] in line for line in said) for said in twins)


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def say(self, passed, name, lines=(), skip=None):
        self.count += 1
        self.failed += not passed
        verdict = "ok" if passed else "not ok"
        print("%s %d - %s%s" % (verdict, self.count, name, " # SKIP " + skip if skip else ""))
        for line in lines:
            print("#   " + line)


def main(arguments):
    tap, folder = Tap(), built_folder()
    if not glob.glob(os.path.join(folder, "kernels", "cuda", "passes", "*.ptxas")):
        tap.say(True, "registers of the GPU kernels", skip="no kernels in %s: built where nvcc is" % folder)
        return 0
    version, usage, missing = read_built(folder)
    if "--refresh" in arguments and not missing:
        write_table(version, usage)
    if "--print" in arguments or "--refresh" in arguments:
        print_table(usage)
    table_version, table = read_table()
    spills = wasteful(usage)
    tap.say(not missing, "every .cu file was built since it changed", missing)
    tap.say(not spills, "no spills, no stack: %d kernels on %d architectures" %
            (len({key[:2] for key in usage}), len({key[2] for key in usage})), spills)
    if version == table_version:
        differences = differing(usage, {key: what for key, what in table.items() if key[0] not in missing})
        tap.say(not differences, "registers and shared memory as in the table", differences +
                (["--refresh writes the table anew"] if differences else []))
        tap.say(twins_are_caught(usage, table), "wrong kernels would be caught")
    else:
        tap.say(True, "registers and shared memory as in the table",
                skip="the table is of nvcc %s, the kernels of %s" % (table_version, version))
    return 1 if tap.failed else 0


sys.exit(main(sys.argv[1:]))
