#!/usr/bin/env python3
"""The files of a whole scripted campaign: valid, against the schemas too, carried entries, the page, verify."""
import json
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_runner import ROOT, bench, check, environment, scripted, tune_arguments, write  # noqa: E402

try:
    import jsonschema
    VALIDATOR = jsonschema.Draft202012Validator
except (ImportError, AttributeError):
    VALIDATOR = None

# As files looked before bench wrote them: raw UTF-8, no autotune, an entry without p95. Values are made up.
HISTORIC = """{"optimization_timestamp": "2025-08-27 16:39:25",
 "gpu_info": {"device_name": "NVIDIA RTX A5000", "total_memory_gb": 23.55780029296875, "driver_version": "12.1"},
 "batch_configurations": {
  "sperm": {"optimal_batch_size": 1, "max_safe_batch_size": 2, "expected_throughput": 3.3, "memory_limit_mb": 2000,
            "p95_latency_ms": 450.0, "production_optimized": true, "note": "m\u011b\u0159eno"},
  "hrnet": {"optimal_batch_size": 8, "max_safe_batch_size": 16, "expected_throughput": 7.89, "memory_limit_mb": 6362}},
 "detailed_results": {"hrnet": {"optimization_result": {"memory_limit_mb": 21710.86875, "optimal_batch_size": 12}}}}"""


def load(folder, name):
    with open(os.path.join(folder, name), encoding="ascii") as f:
        return json.load(f)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def schema(name):
    path = os.path.join(os.environ.get("BENCH_HOME", ROOT), "bench", "output", "reader", name + ".schema.json")
    with open(path, encoding="ascii") as f:
        return json.load(f)


class Campaign:
    """One campaign for all tests: an old file in place, a model measured by the scripted engine."""

    def __init__(self, folder):
        self.folder = folder
        self.out = os.path.join(folder, "out")
        write(os.path.join(self.out, "batch_sizes.json"), HISTORIC)
        self.engine = scripted(folder)
        self.run = bench(*tune_arguments(folder, self.engine, "--batches", "1,2,4,8", "--seed", "7"), cwd=folder)


def written(c):
    check(c.run.returncode == 0, "bench tune: exit %d: %s" % (c.run.returncode, c.run.stderr))
    sizes = load(c.out, "batch_sizes.json")
    check(list(sizes["batch_configurations"]) == ["sperm", "hrnet", "resunet_small"], "order of the models")
    check(sizes["batch_configurations"]["resunet_small"]["note"] == "SCRIPTED, not a measurement", "the mark")
    check(sizes["autotune"]["models"]["resunet_small"]["measured"] is True, "measured")
    old = json.loads(HISTORIC)
    for model in old["batch_configurations"]:
        check(sizes["batch_configurations"][model] == old["batch_configurations"][model], "%s is carried" % model)
        check(sizes["autotune"]["models"][model]["copied_from"], "%s is marked" % model)
    check(sizes["detailed_results"]["hrnet"] == old["detailed_results"]["hrnet"], "details are carried")
    check(read(os.path.join(c.out, "batch_sizes.json.bak")).decode() == HISTORIC, "the old file is the backup")
    left = [n for n in os.listdir(c.out) if re.search(r"\.\d+$", n)]
    check(not left, "temporaries are left: %s" % left)


def verified(c):
    path = os.path.join(c.out, "batch_sizes.json")
    good = bench("verify", path, cwd=c.folder)
    check(good.returncode == 0, good.stdout + good.stderr)
    text = read(path).decode()
    bad = os.path.join(c.folder, "bad.json")
    for found, there, rule in (('"optimal_batch_size": 1,', '"optimal_batch_size": 1.0,', "E1"),
                               ('"max_safe_batch_size": 2', '"max_safe_batch_size": 0', "E1"),
                               ('"schema": 1', '"schema": 99', "E13"), ("\n}\n", "\n}", "E7")):
        check(found in text, "no %s" % found)
        write(bad, text.replace(found, there, 1))
        run = bench("verify", bad, cwd=c.folder)
        check(run.returncode == 1 and "(rule %s)" % rule in run.stdout,
              "%s: exit %d, %s" % (rule, run.returncode, run.stdout))
        check(re.search(r"bad\.json(:\d+)?: ", run.stdout), "no place in %s" % run.stdout)


def schemas(c):
    if VALIDATOR is None:
        return "jsonschema is not installed (pip install jsonschema)"
    for name in ("batch_sizes", "production_batch_config"):
        VALIDATOR.check_schema(schema(name))
        errors = list(VALIDATOR(schema(name)).iter_errors(load(c.out, name + ".json")))
        check(not errors, "%s: %s" % (name, errors[:2]))
    good = VALIDATOR(schema("batch_sizes"))
    check(good.is_valid(json.loads(HISTORIC)), "a historic file is valid")
    for path, value in ((("batch_configurations", "hrnet", "optimal_batch_size"), 0),
                        (("batch_configurations", "hrnet", "optimal_batch_size"), "8"),
                        (("batch_configurations", "hrnet", "memory_limit_mb"), None),
                        (("batch_configurations", "hrnet", "expected_throughput"), 0.0),
                        (("autotune", "schema"), 2),
                        (("autotune", "models", "resunet_small", "measured"), "yes"),
                        (("autotune", "models", "resunet_small", "target_rule"), "first")):
        twin = load(c.out, "batch_sizes.json")
        place = twin
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        check(not good.is_valid(twin), "the schema takes %s = %r" % (".".join(path), value))
    return None


def page(c):
    found = [os.path.join(base, n) for base, _, names in os.walk(c.out) for n in names if n.endswith(".html")]
    check(len(found) == 1, "pages: %s" % found)
    text = read(found[0]).decode("utf-8")
    for never in ("http:", "https:", "<script", "src=", "url(", "{{"):
        check(never not in text, "the page holds %s" % never)
    check("No measurement to rely on: scripted engine" in text, "the page does not say that it is scripted")
    if shutil.which("gnuplot"):
        check(text.count("<svg") >= 4, "%d pictures" % text.count("<svg"))
        pngs = [n for _, _, names in os.walk(c.out) for n in names if n.endswith(".png")]
        check(len(pngs) == text.count("<svg"), "pngs: %s" % pngs)


def curves(c):
    found = [os.path.join(base, n) for base, _, names in os.walk(c.out) for n in names if n == "curves.csv"]
    lines = read(found[0]).decode().splitlines()
    head = lines[0].split(",")
    check(len(lines) == 5, "%d lines of four points" % len(lines))
    check([line.split(",")[head.index("batch")] for line in lines[1:]] == ["1", "2", "4", "8"], "batches")
    data = json.loads(read(found[0].replace(".csv", ".json")))
    check([p["batch"] for p in data["targets"][0]["curve"]] == [1, 2, 4, 8], "the same points in JSON")


def why(c):
    text = bench("show", "--why", "--out", c.out, cwd=c.folder).stdout
    sizes = load(c.out, "batch_sizes.json")
    batch = sizes["batch_configurations"]["resunet_small"]["optimal_batch_size"]
    check("Use batch %d: it is the smallest size within 5 %% of the best throughput" % batch in text, text)
    for part in ("over 3 fresh executions", "how the race went", "verification in fresh executions", "max_safe",
                 "throughput against latency"):
        check(part in text, "no %s in %s" % (part, text))
    table = re.findall(r"^ +(\d+) +[\d.]+ .* (slower\w*|chosen|within_zone_but_larger) ", text, re.M)
    check([int(b) for b, _ in table] == [1, 2, 4, 8], "%s of %s" % (table, text))
    check([int(b) for b, reason in table if reason == "chosen"] == [batch], str(table))


def everything_as_data(c):
    """The same looks, verification and fill table in JSON, in the files of the campaign and in show --csv --why."""
    target = json.loads(bench("show", "--json", "--out", c.out, cwd=c.folder).stdout)["targets"][0]
    sections = bench("show", "--csv", "--why", "--out", c.out, cwd=c.folder).stdout.split("\n\n")
    check(len(sections) == 4, "%d tables" % len(sections))
    for number, name in enumerate(("curve", "fill", "looks", "verification")):
        lines = sections[number].strip().splitlines()
        check(len(lines) == 1 + len(target[name]) > 1, "%s: %d lines, %d rows" % (name, len(lines), len(target[name])))
    entry = load(c.out, "batch_sizes.json")["autotune"]["models"]["resunet_small"]
    fill = [row for row in target["fill"] if row["failed"] is None]
    check([row["images"] for row in fill][:len(entry["fill"])] == [row["images"] for row in entry["fill"]], "fill")
    batch = entry["decision"]["batch"]
    ours = sorted(row["images_per_s"] for row in target["verification"] if row["batch"] == batch)
    rate = entry["images_per_s"]
    check([rate["low"], rate["estimate"], rate["high"]] == ours, "%s is not the range of %s" % (rate, ours))


def without_gnuplot(c):
    tools = os.path.join(c.folder, "tools")
    os.makedirs(tools)
    for name in ("sh",):
        os.symlink(shutil.which(name), os.path.join(tools, name))
    folder = os.path.join(c.folder, "second")
    engine = scripted(folder)
    run = bench(*tune_arguments(folder, engine, "--batches", "1,2"), cwd=folder, env=environment(PATH=tools))
    check(run.returncode == 0, "exit %d: %s" % (run.returncode, run.stderr))
    check("gnuplot-nox" in run.stderr, "no word of what to install: %s" % run.stderr)
    check(os.path.exists(os.path.join(folder, "out", "batch_sizes.json")), "no file")


def main():
    failed = 0
    tests = (written, verified, schemas, page, curves, why, everything_as_data, without_gnuplot)
    print("1..%d" % len(tests))
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(folder)
        for number, test in enumerate(tests, 1):
            try:
                skipped = test(campaign)
                print("ok %d - %s%s" % (number, test.__name__, " # SKIP " + skipped if skipped else ""))
            except Exception as error:  # a test that breaks has failed, the others still run
                failed += 1
                print("not ok %d - %s\n# %s" % (number, test.__name__, str(error).replace("\n", "\n# ")))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
