#!/usr/bin/env python3
"""Import of every historic batch_sizes.json: its sizes become the incumbent, its claims are audited.

The files are rebuilt from results/reference/batch_sizes_history.csv with what else is known of them: sections, quirks,
and which claims do not hold. The expected findings follow from those numbers by hand, not from the program.
"""
import csv
import json
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from bench_runner import CURVE, ROOT, bench, check, run_tests, scripted, snapshot, tune_arguments, write  # noqa: E402

STAMP = "2025-08-27 16:39:25"
GPU = {"device_name": "NVIDIA RTX A5000", "total_memory_gb": 23.55780029296875, "driver_version": "12.1"}


# --- the historic files -----------------------------------------------------------------------------------------------

def number(text):
    return float(text) if "." in text else int(text)


def history():
    """{"H1": [row, ...]} in the order of the file."""
    versions = {}
    with open(os.path.join(ROOT, "results", "reference", "batch_sizes_history.csv")) as f:
        for row in csv.DictReader(line for line in f if not line.startswith("#")):
            versions.setdefault(row["version"], []).append(row)
    return versions


def test_row(model, batch, rate, memory):
    return {"model_name": model, "batch_size": batch, "throughput_imgs_per_sec": rate,
            "avg_inference_time_ms": round(1000 / rate, 2), "peak_memory_mb": memory, "memory_usage_mb": -3.5,
            "success": True, "error": None}


def failed_row(model, batch):
    return {"model_name": model, "batch_size": batch, "throughput_imgs_per_sec": 0.0, "avg_inference_time_ms": 0.0,
            "peak_memory_mb": 0.0, "memory_usage_mb": 0.0, "success": False, "error": "CUDA out of memory"}


def details(version):
    """detailed_results: 12/16 for hrnet, 4/8 for Small, 1/1 for Advanced; from H4 on Small's rows bear another name."""
    def result(model, optimal, max_safe, limit, rows):
        return {"optimization_result": {"model_name": model, "optimal_batch_size": optimal, "max_throughput": 17.79,
                                        "max_safe_batch_size": max_safe, "memory_limit_mb": limit,
                                        "test_results": rows}}
    small = "resunet_small" if version <= 3 else "cbam_resunet"
    found = {"hrnet": result("hrnet", 12, 16, 21710.86875, [test_row("hrnet", b, 15.0 + b / 10, 900.5 * b)
                                                            for b in (1, 4, 8, 12)]),
             small: result(small, 4, 8, 21710.86875, [test_row(small, b, 6.0 + b / 10, 1800.25 * b)
                                                      for b in (1, 2, 4)])}
    if version <= 3:
        found["resunet_advanced"] = result("resunet_advanced", 1, 1, 0.0,
                                           [failed_row("resunet_advanced", 1), failed_row("resunet_advanced", 2)])
        for one in found.values():
            one["all_test_results"] = one["optimization_result"]["test_results"]
    return found


def entry(row, version):
    made = {"optimal_batch_size": int(row["optimal_batch_size"]),
            "max_safe_batch_size": int(row["max_safe_batch_size"]),
            "expected_throughput": float(row["expected_throughput"]),
            "memory_limit_mb": number(row["memory_limit_mb"])}
    if row["p95_latency_ms"]:
        made["p95_latency_ms"] = float(row["p95_latency_ms"])
    if row["production_optimized"]:
        made["production_optimized"] = row["production_optimized"] == "true"
    if row["max_concurrent_users"]:
        made["concurrent_processing"] = {
            "max_concurrent_users": int(row["max_concurrent_users"]),
            "memory_per_user_mb": int(row["memory_per_user_mb"]),
            "expected_concurrent_throughput": float(row["expected_concurrent_throughput"])}
    if row["has_note"] == "1":
        made["note"] = "measured by hand – see the log" if version >= 13 else "measured by hand"
    return made


def historic(name, rows):
    """The bytes of version H1 to H19."""
    version = int(name[1:])
    document = {"optimization_timestamp": STAMP, "gpu_info": GPU,
                "batch_configurations": {row["model"]: entry(row, version) for row in rows}}
    if version >= 5:
        document["dynamic_batching"] = {"enabled": True, "max_queue_delay_ms": 5, "timeout_ms": 50}
        document["memory_reserve_percent"] = 15
    if version >= 7:
        users = 4 if version <= 9 else 2 if version == 10 else 1
        document["parallel_processing"] = {
            "enabled": version <= 10, "max_concurrent_users": users, "cuda_streams": users,
            "memory_pressure_threshold": 0.9, "emergency_cleanup_threshold": 0.95,
            "total_memory_budget_gb": 20.0 if version == 7 else 22.0, "memory_safety_margin_gb": 2.0}
    document["detailed_results"] = details(version)
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return (text if version <= 8 else text + "\n").encode()


PRODUCTION = {"hrnet": (8, 12, 464.3, 17.3), "cbam_resunet": (2, 4, 396.9, 5.1), "unet_spherohq": (4, 6, 302.0, 13.2)}


def production(name):
    """The bytes of P1 to P3: with the bare Infinity that its writer let through."""
    models = list(PRODUCTION)[:2 if name == "P1" else 3]
    document = {"production_batch_sizes": {m: dict(zip(("optimal", "max_safe", "p95_latency_ms", "throughput_img_s"),
                                                       PRODUCTION[m])) for m in models},
                "dynamic_batching": {"enabled": True, "max_queue_delay_ms": 5, "timeout_ms": 50},
                "detailed_benchmarks": {"hrnet": {"benchmarks": [{"batch_size": 16, "p50_ms": float("inf"),
                                                                  "p95_ms": float("inf"), "stable": False}]}}}
    text = json.dumps(document, indent=2)
    assert "Infinity" in text
    return (text + ("\n" if name == "P3" else "")).encode()


# --- what must be found -----------------------------------------------------------------------------------------------

def between(first, last):
    return ["H%d" % n for n in range(first, last + 1)]


# finding -> {model: versions}
FINDINGS = {
    "impossible": {"unet_spherohq": ["H6"], "wound": ["H13"], "segformer": between(16, 19)},
    "multiplied": {"hrnet": between(7, 19), "cbam_resunet": between(7, 19), "unet_spherohq": between(7, 19),
                   "sperm": between(11, 19), "segformer": between(16, 19)},
}
CONTRADICTING = between(1, 3) + between(5, 19)


def findings_of(stdout):
    """[(finding, model or "")] below the table."""
    lines = stdout.split("claims that do not hold:\n", 1)[1:]
    found = []
    for line in (lines[0].split("\n\n", 1)[0].splitlines() if lines else []):
        words = line.split(":", 1)[0].split()
        found.append((words[0], words[1] if len(words) > 1 else ""))
    return found


def take(folder, name, data, out="out"):
    path = write(os.path.join(folder, name + ".json"), data)
    return bench("import", path, "--out", os.path.join(folder, out), cwd=folder)


def rows_of(folder, text, out="out"):
    store = sqlite3.connect(os.path.join(folder, out, "bench.sqlite"))
    try:
        return store.execute(text).fetchall()
    finally:
        store.close()


def sizes_of(folder, out="out"):
    """{model: (optimal, max_safe)} of the newest import."""
    return {m: (o, s) for m, o, s in rows_of(folder, "SELECT model, optimal, max_safe FROM import_model WHERE import = "
                                                     "(SELECT max(id) FROM import)", out)}


# --- tests ------------------------------------------------------------------------------------------------------------

def every_historic_file_is_taken(folder):
    """All 19 versions: sizes, and exactly the findings that their numbers bear"""
    seen = {kind: {} for kind in FINDINGS}
    contradicting = []
    for name, rows in history().items():
        done = take(folder, name, historic(name, rows), out=name)
        check(done.returncode == 0, "%s: exit %d: %s" % (name, done.returncode, done.stderr))
        wanted = {r["model"]: (int(r["optimal_batch_size"]), int(r["max_safe_batch_size"])) for r in rows}
        check(sizes_of(folder, name) == wanted, "%s: %s, not %s" % (name, sizes_of(folder, name), wanted))
        found = findings_of(done.stdout)
        check(("cuda_as_driver", "") in found, "%s: %s" % (name, found))
        contradicting += [name] if any(kind == "contradicts" for kind, _ in found) else []
        for kind in FINDINGS:
            for model in (m for k, m in found if k == kind):
                seen[kind].setdefault(model, []).append(name)
        unfinished = "does not end with a newline" in done.stderr
        check(unfinished == (int(name[1:]) <= 8), "%s: %s" % (name, done.stderr))
        check(("beyond ASCII" in done.stderr) == (int(name[1:]) >= 13), "%s: %s" % (name, done.stderr))
        check("does not know" not in done.stderr, done.stderr)
    check(len(history()) == 19, "%d versions" % len(history()))
    check(seen == FINDINGS, "%s" % seen)
    check(contradicting == CONTRADICTING, "contradicts: %s" % contradicting)


def the_second_file_is_taken(folder):
    """P1 to P3: bare Infinity is read as null and said"""
    for name in ("P1", "P2", "P3"):
        done = take(folder, name, production(name))
        check(done.returncode == 0, done.stderr)
        wanted = {m: PRODUCTION[m][:2] for m in list(PRODUCTION)[:2 if name == "P1" else 3]}
        check(sizes_of(folder) == wanted, "%s: %s" % (name, sizes_of(folder)))
        check("NaN or Infinity is no JSON" in done.stderr, done.stderr)
    kept = rows_of(folder, "SELECT bytes FROM import ORDER BY id")
    check([k[0].encode() for k in kept] == [production(n) for n in ("P1", "P2", "P3")], "other bytes")


def imports_are_compared(folder):
    """One timestamp for all versions, and Small's rows under another name, are noticed after an earlier import"""
    versions = history()
    first = take(folder, "H1", historic("H1", versions["H1"]))
    check(not {"same_time", "same_rows"} & {k for k, _ in findings_of(first.stdout)}, first.stdout)
    found = findings_of(take(folder, "H4", historic("H4", versions["H4"])).stdout)
    check(("same_rows", "cbam_resunet") in found and ("same_time", "") in found, "%s" % found)
    check(("same_rows", "hrnet") not in found, "%s" % found)


def the_same_bytes_change_nothing(folder):
    """The same file again: nothing is stored, exit 0; the newest import is the one that counts"""
    data = historic("H9", history()["H9"])
    check("bench tune begins with these sizes" in take(folder, "H9", data).stdout, "the first time")
    before = rows_of(folder, "SELECT * FROM import"), rows_of(folder, "SELECT * FROM import_model")
    again = take(folder, "H9", data)
    check(again.returncode == 0 and "nothing has changed" in again.stdout, again.stdout)
    check((rows_of(folder, "SELECT * FROM import"), rows_of(folder, "SELECT * FROM import_model")) == before, "changed")
    claims = json.loads(rows_of(folder, "SELECT claims FROM import_model WHERE model = 'hrnet'")[0][0])
    check(claims["expected_throughput"] == 17.3 and claims["p95_latency_ms"] == 464.3, "%s" % claims)
    check("optimal_batch_size" not in claims, "a size is no claim")


def our_own_files_are_taken(folder):
    """Both files that bench wrote itself, without a finding"""
    engine = scripted(folder, script=CURVE)
    done = bench(*tune_arguments(folder, engine, "--batches", "1,2,4", "--quiet"), cwd=folder)
    check(done.returncode in (0, 4), done.stderr)
    out = os.path.join(folder, "out")
    with open(os.path.join(out, "batch_sizes.json")) as f:
        wanted = {m: (e["optimal_batch_size"], e["max_safe_batch_size"])
                  for m, e in json.load(f)["batch_configurations"].items()}
    before = snapshot(os.path.join(out, "campaigns"))
    for name in ("batch_sizes.json", "production_batch_config.json"):
        taken = bench("import", os.path.join(out, name), "--out", out, cwd=folder)
        check(taken.returncode == 0 and taken.stderr == "", taken.stderr)
        check(findings_of(taken.stdout) == [], taken.stdout)
        if name == "batch_sizes.json":
            check(wanted and sizes_of(folder) == wanted, "%s" % sizes_of(folder))
    check(snapshot(os.path.join(out, "campaigns")) == before, "files of a campaign were touched")


def a_tune_carries_over_and_challenges(folder):
    """Without a file in place the last import is the base: its models are carried over and its size is in use"""
    versions = history()
    take(folder, "H9", historic("H9", versions["H9"]))
    own = {"batch_configurations": dict(json.loads(historic("H9", versions["H9"]))["batch_configurations"],
                                        resunet_small={"optimal_batch_size": 2, "max_safe_batch_size": 4,
                                                       "expected_throughput": 6.5, "memory_limit_mb": 9000})}
    take(folder, "own", json.dumps(own, indent=2) + "\n")
    take(folder, "P1", production("P1"))  # the second file names no resunet_small and cannot be a base
    done = bench(*tune_arguments(folder, scripted(folder, script=CURVE), "--batches", "1,2,4"), cwd=folder)
    check(done.returncode in (0, 4), done.stderr)
    check("the import of 2" in done.stderr, done.stderr)
    with open(os.path.join(folder, "out", "batch_sizes.json")) as f:
        written = json.load(f)
    for model, entry_ in own["batch_configurations"].items():
        if model != "resunet_small":
            check(written["batch_configurations"][model] == entry_, "%s: %s" % (model, written["batch_configurations"]))
            copied = written["autotune"]["copied"]
            check("batch_configurations." + model in copied, "%s" % copied)
    incumbent = written["autotune"]["models"]["resunet_small"]["decision"]["incumbent"]
    check((incumbent["batch"], incumbent["source"]) == (2, "import"), "%s" % incumbent)
    check(rows_of(folder, "SELECT incumbent, incumbent_source FROM target_state ORDER BY id DESC LIMIT 1") ==
          [(2, "import")], "the store's incumbent")


SIZES = '{"batch_configurations": {\n"a": {"optimal_batch_size": %s,\n"max_safe_batch_size": %s}}}\n'
ODD = [  # name, text, sizes, what is said
    ("optimal above max_safe", SIZES % (9, 6), {"a": (9, 6)}, "optimal 9 is above max_safe 6: 6 is taken"),
    ("unknown key", SIZES.replace("{\n", '{\n"b": {"optimal_batch_size": 1, "max_safe_batch_size": 1, "cats": 2},', 1)
     % (1, 2), {"a": (1, 2), "b": (1, 1)}, "batch_configurations.b.cats is a key that bench does not know"),
    ("NaN in an entry", SIZES.replace("%s}}", '%s, "p95_latency_ms": NaN}}') % (1, 2), {"a": (1, 2)},
     ":3: NaN or Infinity is no JSON"),
    ("NaN within a text stays", SIZES.replace("%s}}", '%s, "note": "\\"NaN\\" \\\\"}}') % (1, 2), {"a": (1, 2)}, ""),
    ("no model", '{"batch_configurations": {}}\n', {}, ""),
]
BAD = [  # name, bytes, what the sentence has
    ("garbage", b"\x00\xff\x17", ["bad.json", "NUL"]), ("empty", b"", ["bad.json:1:"]),
    ("not JSON", b"batch: 8\n", ["bad.json:1:", "batch"]),
    ("cut off", (SIZES % (8, 12)).encode()[:40], ["bad.json:2:"]),
    ("BOM", b"\xef\xbb\xbf" + (SIZES % (8, 12)).encode(), ["bad.json:1:", "byte order mark"]),
    ("duplicate key", (SIZES % (8, '12, "optimal_batch_size": 4')).encode(),
     ["bad.json:3:", "duplicate", "optimal_batch_size"]),
    ("8.0", (SIZES % ("8.0", 12)).encode(), ["bad.json:2:", "optimal_batch_size", "8.0"]),
    ("0", (SIZES % (8, 0)).encode(), ["bad.json:3:", "max_safe_batch_size", "got 0"]),
    ("negative", (SIZES % (-8, 12)).encode(), ["bad.json:2:", "got -8"]),
    ("a text", (SIZES % ('"8"', 12)).encode(), ["bad.json:2:", 'got "8"']),
    ("true", (SIZES % ("true", 12)).encode(), ["bad.json:2:", "got true"]),
    ("null", (SIZES % ("null", 12)).encode(), ["bad.json:2:", "got null"]),
    ("NaN as a size", (SIZES % ("NaN", 12)).encode(), ["bad.json:2:", "got null"]),
    ("too large", (SIZES % (8, 4097)).encode(), ["bad.json:3:", "got 4097"]),
    ("huge", (SIZES % (8, "99999999999999999999")).encode(), ["bad.json:3:"]),
    ("no size", b'{"batch_configurations": {"a": {"optimal_batch_size": 8}}}', ["max_safe_batch_size", "got nothing"]),
    ("entry is a number", b'{"batch_configurations": {"a": 8}}', ["batch_configurations.a", "got 8"]),
    ("entries are a list", b'{"batch_configurations": [8]}', ["batch_configurations", "got [8]"]),
    ("another document", b'{"models": {}}\n',
     ["bad.json:1:", "neither batch_configurations nor production_batch_sizes"]),
    ("a list", b"[1]\n", ["neither"]),
    ("newer schema", b'{"batch_configurations": {},\n"autotune": {"schema": 2}}',
     ["bad.json:2:", "autotune.schema", "got 2"]),
    ("schema is a text", b'{"batch_configurations": {},\n"autotune": {"schema": "1"}}', ["bad.json:2:", 'got "1"']),
]


def odd_files_are_taken(folder):
    """What a consumer can live with is taken, and said"""
    for name, text, sizes, said in ODD:
        done = take(folder, "odd", text)
        check(done.returncode == 0, "%s: %s" % (name, done.stderr))
        check(sizes_of(folder) == sizes, "%s: %s" % (name, sizes_of(folder)))
        check(said in done.stderr and bool(said) == bool(done.stderr), "%s: %s" % (name, done.stderr))


def bad_files_are_refused(folder):
    """What no consumer can serve is refused with exit 2, line and value, and leaves no trace"""
    for name, data, parts in BAD:
        done = take(folder, "bad", data)
        check(done.returncode == 2, "%s: exit %d" % (name, done.returncode))
        check(done.stdout == "" and len(done.stderr.splitlines()) == 1, "%s: %s" % (name, done.stderr))
        for part in parts:
            check(part in done.stderr, "%s: %r is not in %s" % (name, part, done.stderr))
        check(not os.path.exists(os.path.join(folder, "out")), "%s: something was written" % name)
    for path in (os.path.join(folder, "nothing.json"), folder, "/dev/zero"):
        done = bench("import", path, "--out", os.path.join(folder, "out"), cwd=folder)
        check(done.returncode == 2 and path in done.stderr, "%s: %d %s" % (path, done.returncode, done.stderr))


if __name__ == "__main__":
    sys.exit(run_tests([every_historic_file_is_taken, the_second_file_is_taken, imports_are_compared,
                        the_same_bytes_change_nothing, our_own_files_are_taken,
                        a_tune_carries_over_and_challenges, odd_files_are_taken,
                        bad_files_are_refused]))
