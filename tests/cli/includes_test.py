#!/usr/bin/env python3
"""Includes point one way: tests -> bench -> {kernels/base, kernels/worker/protocol.h, tuner}; tuner and kernels
include nothing of ours outside themselves. SQLite stays in bench/store, which others know by a few headers that do not
name it. The rule is tried on wrong twins first."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
SYSTEM = re.compile(r'^\s*#\s*include\s+<([^>]+)>', re.M)
STORE = {"bench/store/" + name for name in ("store.h", "record.h", "lines.h", "prune.h", "table.h")}


def allowed(source, header):
    """May the file `source` include "header"? Both are paths from the repository's root."""
    top = source.split("/")[0]
    if top == "tests":
        return True
    if top == "tuner":
        return header.startswith("tuner/")
    if top == "kernels":
        if source.startswith("kernels/base/"):
            return header.startswith("kernels/base/")
        return header.startswith("kernels/")
    if top == "bench":
        if header == "sqlite3.h" or (header.startswith("bench/store/") and header not in STORE):
            return source.startswith("bench/store/")
        return header.startswith(("bench/", "kernels/base/", "tuner/")) or header == "kernels/worker/protocol.h"
    return False


TWINS = [
    ("tuner/stats.c", "kernels/base/err.h"), ("kernels/cpu/engine.c", "bench/store/store.h"),
    ("bench/verbs/tune.c", "kernels/graph/graph.h"), ("kernels/base/err.c", "kernels/graph/graph.h"),
    ("bench/nightly/past.c", "sqlite3.h"), ("bench/nightly/judge.c", "bench/store/sql.h"),
    ("bench/measure/worker.c", "kernels/worker/engine.h"), ("tuner/race.c", "bench/store/record.h"),
]


def main():
    number = 0
    for source, header in TWINS:
        number += 1
        print("%s %d - the rule refuses %s in %s" % ("not ok" if allowed(source, header) else "ok", number, header, source))
    wrong, seen = [], 0
    for folder in ("bench", "kernels", "tuner", "tests"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            source = path.relative_to(ROOT).as_posix()
            text = path.read_text()
            if folder == "bench" and "sqlite3.h" in SYSTEM.findall(text) and not allowed(source, "sqlite3.h"):
                wrong.append("%s includes sqlite3.h" % source)
            if source in STORE and set(SYSTEM.findall(text) + INCLUDE.findall(text)) & {"sqlite3.h", "bench/store/sql.h"}:
                wrong.append("%s is for everybody and shows SQLite" % source)
            for header in INCLUDE.findall(text):
                seen += 1
                if not allowed(source, header):
                    wrong.append("%s includes %s" % (source, header))
                elif not (ROOT / header).exists():
                    wrong.append("%s includes %s: write it from the repository's root" % (source, header))
    number += 1
    print("%s %d - %d includes point the right way" % ("ok" if seen > 100 and not wrong else "not ok", number, seen))
    for line in wrong:
        print("# " + line)


main()
