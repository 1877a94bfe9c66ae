#!/usr/bin/env python3
"""bench doctor --compose: one file for each rule, what Compose does with several files, and secrets that stay secret.

usage: doctor_compose_test.py [--table]     --table: which outcome was seen in which file, instead of the tests
"""
import json
import os
import re
import sys

from bench_runner import ROOT, bench, check, run_silently, run_tests, snapshot, write
from doctor_trees import UUIDS, changed, host, no_gpu, of_device, write_tree

CLEAN = """\
services:
  ml:
    image: segmentation
    environment:
      ML_MEMORY_LIMIT_GB: "6"
      OMP_NUM_THREADS: 4
      NVIDIA_DRIVER_CAPABILITIES: compute,utility
    volumes:
      - ./config:/app/config:ro
    deploy:
      resources:
        limits: {memory: 8g, cpus: "4"}
        reservations:
          devices:
            - driver: nvidia
              count: 1
              capabilities: [gpu]
"""
RESERVE = """\
    deploy:
      resources:
        reservations:
          devices:
            - %s
"""


def service(*lines, more=""):
    """A service with a config volume, so that only what is tried is told."""
    return "services:\n  ml:\n    volumes: [./config:/app/config]\n" + "".join(
        "    %s\n" % line for line in lines) + more


def reserved(request, *lines):
    return service(*lines, more=RESERVE % request)


GPU = "{driver: nvidia, count: 1, capabilities: [gpu]}"
PLAN = {"points": [
    {"device": "cpu:0", "precision": "f32", "threads": 2, "instances": 3, "predicted_memory": 4 << 30},
    {"device": "cuda:0", "precision": "f32", "threads": 99, "instances": 1, "predicted_memory": 40 << 30}]}
FIRST_USE = {"batch_configurations": {"a": {"optimal_batch_size": 4}, "b": {"optimal_batch_size": 1}},
             "autotune": {"models": {"a": {"curve": [{"batch": 1, "first_use_ms": 9e6},
                                                     {"batch": 4, "first_use_ms": 80000.0}]},
                                     "b": {"curve": [{"batch": 1, "first_use_ms": 45500.0}]}}}}
ENTRY = "#!/bin/sh\n# CUDA_VISIBLE_DEVICES=all\nexport CUDA_VISIBLE_DEVICES=${NVIDIA_VISIBLE_DEVICES:-all}\nexec \"$@\"\n"

# name, {file: text}, arguments, exit code, {"level outcome": "FILE:LINE:COLUMN" of it, or None}, outcomes that must not be there
ROWS = [
    ("clean", {"compose.yml": CLEAN}, [], 0, {"note reservation": "compose.yml:15:13"}, []),
    ("clean, strict", {"compose.yml": CLEAN}, ["--strict", "--require-gpu"], 0, {}, []),
    ("no GPU", {"compose.yml": service("image: x")}, [], 0, {"note none": "compose.yml:2:3"}, []),
    ("no GPU, one is required", {"compose.yml": service("image: x")}, ["--require-gpu"], 1, {"fail none": None}, []),
    ("runtime", {"compose.yml": service("runtime: nvidia", "environment: [NVIDIA_VISIBLE_DEVICES=all]")}, [], 0,
     {"note runtime": "compose.yml:4:14"}, ["runtime_without_env", "several_forms"]),
    ("gpus: all", {"compose.yml": service("gpus: all")}, [], 0, {"note gpus": "compose.yml:4:11"}, ["count_and_ids"]),
    ("gpus: list", {"compose.yml": service("gpus:", "  - {driver: nvidia, count: 3}")}, [], 1,
     {"note gpus": None, "fail too_many": "compose.yml:5:33"}, []),
    ("device_requests", {"compose.yml": service("device_requests:", "  - {driver: nvidia, count: 2, capabilities: [[gpu]]}")},
     [], 1, {"fail unknown_form": "compose.yml:5:7"}, ["none"]),
    ("DeviceRequests below deploy", {"compose.yml": service("deploy: {DeviceRequests: [{Count: -1}]}")}, [], 1,
     {"fail unknown_form": None}, []),

    # the consumer's forms
    ("reservation with count all", {"compose.yml": reserved("{driver: nvidia, count: all, capabilities: [gpu]}")}, [], 0,
     {"note reservation": None}, ["several_forms", "too_many"]),
    ("runtime and count 1", {"compose.yml": reserved(GPU, "runtime: nvidia", "environment: [NVIDIA_VISIBLE_DEVICES=all]")},
     [], 1, {"note reservation": None, "note runtime": None, "fail several_forms": None}, []),
    ("device_requests and reservation", {"compose.yml": reserved(GPU, "device_requests: [{count: 1}]")}, [], 1,
     {"fail unknown_form": None, "note reservation": None}, ["several_forms"]),

    ("several forms that agree", {"compose.yml": reserved(
        "{driver: nvidia, count: all, capabilities: [gpu]}", "gpus: all")}, [], 0, {"warn several_forms": None}, []),
    ("runtime that asks for nothing known", {"compose.yml": reserved(GPU, "runtime: nvidia")}, [], 0,
     {"warn several_forms": None, "warn runtime_without_env": "compose.yml:4:14"}, []),
    ("the same ids in two forms", {"compose.yml": reserved(
        '{driver: nvidia, device_ids: ["0","1"], capabilities: [gpu]}', "runtime: nvidia",
        "environment: {NVIDIA_VISIBLE_DEVICES: '0, 1'}")}, [], 0, {"warn several_forms": None}, []),
    ("other ids in two forms", {"compose.yml": reserved(
        '{driver: nvidia, device_ids: ["0"], capabilities: [gpu]}', "runtime: nvidia",
        "environment: {NVIDIA_VISIBLE_DEVICES: '1'}")}, [], 1, {"fail several_forms": None}, []),
    ("no capabilities", {"compose.yml": reserved("{driver: nvidia, count: 1}")}, [], 1,
     {"fail no_capability": "compose.yml:8:15"}, []),
    ("capabilities without gpu", {"compose.yml": reserved("{driver: nvidia, count: 1, capabilities: [utility]}")}, [], 1,
     {"fail no_capability": "compose.yml:8:56"}, []),
    ("count and ids", {"compose.yml": reserved('{driver: nvidia, count: 1, device_ids: ["0"], capabilities: [gpu]}')},
     [], 1, {"fail count_and_ids": "compose.yml:8:39"}, []),
    ("neither count nor ids", {"compose.yml": reserved("{driver: nvidia, capabilities: [gpu]}")}, [], 0,
     {"note count_and_ids": "compose.yml:8:15"}, []),
    ("three of two", {"compose.yml": reserved("{driver: nvidia, count: 3, capabilities: [gpu]}")}, [], 1,
     {"fail too_many": "compose.yml:8:39"}, []),
    ("an id that is not here", {"compose.yml": reserved(
        '{driver: nvidia, device_ids: ["%s", GPU-ffff], capabilities: [gpu]}' % UUIDS[1])}, [], 1,
     {"fail too_many": None}, []),
    ("how many there are is not known", {"compose.yml": reserved(GPU)}, ["--root", "bare"], 0,
     {"unread unread": "compose.yml:8:39"}, ["too_many"]),
    ("how many there are is not known, strict", {"compose.yml": reserved(GPU)}, ["--root", "bare", "--strict"], 1, {}, []),
    ("all of a machine where others work", {"compose.yml": reserved("{driver: nvidia, count: all, capabilities: [gpu]}")},
     ["--root", "shared"], 0, {"note too_many": None}, []),
    ("no driver", {"compose.yml": reserved("{count: 1, capabilities: [gpu]}")}, [], 0,
     {"warn driver": "compose.yml:8:15"}, []),
    ("another driver", {"compose.yml": reserved("{driver: nvida, count: 1, capabilities: [gpu]}")}, [], 0,
     {"warn driver": "compose.yml:8:24"}, []),
    ("runtime without a variable", {"compose.yml": service("runtime: nvidia", "image: debian")}, [], 0,
     {"warn runtime_without_env": None}, []),
    ("runtime and an image that sets it", {"compose.yml": service("runtime: nvidia", "image: nvidia/cuda:12.4.1-base")}, [],
     0, {"note runtime": None}, ["runtime_without_env"]),
    ("runtime and a base that sets it", {"compose.yml": service("runtime: nvidia", "build: ml"),
                                         "ml/Dockerfile": "FROM pytorch/pytorch:2.3.1 AS x\n"}, [], 0, {},
     ["runtime_without_env"]),

    # CUDA_VISIBLE_DEVICES
    *[("CUDA_VISIBLE_DEVICES " + word, {"compose.yml": reserved(GPU, "environment: [CUDA_VISIBLE_DEVICES=%s]" % word)}, [],
       1, {"fail not_a_list": "compose.yml:4:19"}, []) for word in ("all", "none", "void")],
    ("CUDA_VISIBLE_DEVICES 0", {"compose.yml": reserved(GPU, "environment: {CUDA_VISIBLE_DEVICES: 0}")}, [], 0, {},
     ["not_a_list", "renumbered"]),
    ("CUDA_VISIBLE_DEVICES by its default", {"compose.yml": reserved(
        GPU, "environment: {CUDA_VISIBLE_DEVICES: '${GPUS:-all}'}")}, [], 1, {"fail not_a_list": "compose.yml:4:19"}, []),
    ("CUDA_VISIBLE_DEVICES by .env", {"compose.yml": reserved(GPU, "environment: {CUDA_VISIBLE_DEVICES: $GPUS}"),
                                      ".env": "# x\nGPUS='none' # y\n"}, [], 1, {"fail not_a_list": None}, []),
    ("CUDA_VISIBLE_DEVICES by an env_file", {"compose.yml": reserved(GPU, "env_file: [ml.env]"),
                                             "ml.env": "export CUDA_VISIBLE_DEVICES=all\n"}, [], 1,
     {"fail not_a_list": None}, []),
    ("a variable without a value", {"compose.yml": reserved(GPU, "environment: {CUDA_VISIBLE_DEVICES: '${GPUS}'}")}, [], 0,
     {"unread unread": "compose.yml:4:19"}, ["not_a_list"]),
    ("a variable of the shell", {"compose.yml": reserved(GPU, "environment: [CUDA_VISIBLE_DEVICES]")}, [], 0,
     {"unread unread": "compose.yml:4:19"}, []),
    ("a Dockerfile that sets all", {"compose.yml": reserved(GPU, "build: {context: ml, dockerfile: gpu.Dockerfile}"),
                                    "ml/gpu.Dockerfile": "FROM debian\nENV A=b CUDA_VISIBLE_DEVICES=all\n"}, [], 1,
     {"fail not_a_list": "./ml/gpu.Dockerfile:2: "}, []),
    ("an entry point that copies", {"compose.yml": reserved(GPU, "build: ml"), "ml/docker/start.sh": ENTRY,
                                    "ml/Dockerfile": "FROM debian\nCOPY docker/start.sh /entry.sh\n"
                                                     'ENTRYPOINT ["/entry.sh"]\n'}, [], 1,
     {"fail not_a_list": "./ml/docker/start.sh:3: "}, []),
    ("an entry point of the service that copies", {"compose.yml": reserved(
        GPU, "build: .", "entrypoint: ['/bin/sh', '-c', 'CUDA_VISIBLE_DEVICES=$$NVIDIA_VISIBLE_DEVICES serve']"),
        "Dockerfile": "FROM debian\n"}, [], 1, {"fail not_a_list": "compose.yml:5:35"}, []),
    ("an entry point in Python", {"compose.yml": reserved(GPU, "build: ml", "command: python3 run.py"),
                                  "ml/run.py": 'import os\nos.environ["CUDA_VISIBLE_DEVICES"] = "all"\n',
                                  "ml/Dockerfile": "FROM debian\n"}, [], 1, {"fail not_a_list": "./ml/run.py:2: "}, []),
    ("an entry point that copies a list", {"compose.yml": reserved(
        GPU, "build: ml", "environment: {NVIDIA_VISIBLE_DEVICES: '0'}"), "ml/entry.sh": ENTRY,
        "ml/Dockerfile": 'FROM debian\nENTRYPOINT ["./entry.sh"]\n'}, [], 0, {}, ["not_a_list"]),
    ("an entry point that only compares", {"compose.yml": reserved(GPU, "build: ml"),
                                           "ml/e.sh": 'if [ "$CUDA_VISIBLE_DEVICES" = all ]; then unset CUDA_VISIBLE_DEVICES; fi\n',
                                           "ml/Dockerfile": "FROM debian\nENTRYPOINT /app/e.sh\n"}, [], 0, {}, ["not_a_list"]),
    ("renumbered", {"compose.yml": reserved('{driver: nvidia, device_ids: ["1"], capabilities: [gpu]}',
                                            "environment: {CUDA_VISIBLE_DEVICES: '1'}")}, [], 1,
     {"fail renumbered": "compose.yml:4:19"}, []),
    ("renumbered, of all", {"compose.yml": reserved('{driver: nvidia, count: all, capabilities: [gpu]}',
                                                    "environment: {CUDA_VISIBLE_DEVICES: '0,2'}")}, [], 1,
     {"fail renumbered": None}, []),
    ("no compute", {"compose.yml": reserved(GPU, "environment: [NVIDIA_DRIVER_CAPABILITIES=utility]")}, [], 1,
     {"fail driver_capabilities": None}, []),
    ("no utility", {"compose.yml": reserved(GPU, "environment: ['NVIDIA_DRIVER_CAPABILITIES=compute,video']")}, [], 0,
     {"warn driver_capabilities": None}, []),
    ("all capabilities", {"compose.yml": reserved(GPU, "environment: [NVIDIA_DRIVER_CAPABILITIES=all]")}, [], 0, {},
     ["driver_capabilities"]),

    # limits; the plan: 6 threads and 4 GiB on the CPU
    ("memory below the plan", {"compose.yml": reserved(GPU, "mem_limit: 3g")}, ["--plan", "plan.json"], 1,
     {"fail memory": "compose.yml:4:16"}, []),
    ("memory near the plan", {"compose.yml": reserved(GPU, "mem_limit: 4800m")}, ["--plan", "plan.json"], 0,
     {"warn memory": None}, []),  # 4800 MiB < 1.2 x 4096 MiB
    ("memory above the plan", {"compose.yml": reserved(GPU, "mem_limit: 4916mb")}, ["--plan", "plan.json"], 0, {},
     ["memory"]),  # 1.2 x 4096 MiB = 4915.2 MiB
    ("memory of the service above that of the container", {"compose.yml": reserved(
        GPU, "mem_limit: 4g", "environment: {ML_MEMORY_LIMIT_GB: 8}")}, [], 0, {"warn memory": "compose.yml:5:19"}, []),
    ("cpus below the plan", {"compose.yml": reserved(GPU, "cpus: 5.5")}, ["--plan", "plan.json"], 0,
     {"warn cpus": "compose.yml:4:11"}, []),
    ("cpus below OMP_NUM_THREADS", {"compose.yml": reserved(GPU, "cpus: 2", "environment: [OMP_NUM_THREADS=4]")}, [], 0,
     {"warn cpus": None}, []),
    ("cpus enough", {"compose.yml": reserved(GPU, "cpus: 6")}, ["--plan", "plan.json"], 0, {}, ["cpus"]),

    # the file of sizes
    ("config baked", {"compose.yml": CLEAN.replace("./config:/app/config:ro", "data:/app/data")}, [], 0,
     {"note config_baked": "compose.yml:2:3"}, []),
    ("config covered from above", {"compose.yml": CLEAN.replace("./config:/app/config:ro", ".:/app/")}, [], 0, {},
     ["config_baked", "config_file_mount"]),
    ("config of another name", {"compose.yml": CLEAN.replace("./config:/app/config:ro", ".:/app/config-old")}, [], 0,
     {"note config_baked": None}, []),
    ("config as a single file", {"compose.yml": CLEAN.replace(
        "./config:/app/config:ro", "./sizes.json:/app/config/batch_sizes.json"), "sizes.json": "{}"}, [], 0,
     {"warn config_file_mount": "compose.yml:9:9"}, []),
    ("config as a single file in the long form", {"compose.yml": CLEAN.replace(
        "./config:/app/config:ro", "{type: bind, source: ./s.json, target: /app/config/batch_sizes.json}")}, [], 0,
     {"warn config_file_mount": "compose.yml:9:9"}, []),
    # 80 + 45.5 = 125.5 s of first use; 30 s and 3 x 30 s are allowed
    ("start period too short", {"compose.yml": reserved(GPU, "healthcheck: {test: x, start_period: 30s}"),
                                "config/batch_sizes.json": json.dumps(FIRST_USE)}, [], 0,
     {"warn start_period": "compose.yml:4:18"}, []),
    ("start period long enough", {"compose.yml": reserved(GPU, "healthcheck: {test: x, start_period: 1m, interval: 22s}"),
                                  "config/batch_sizes.json": json.dumps(FIRST_USE)}, [], 0, {}, ["start_period"]),
    ("start period of a file in the image", {"compose.yml": reserved(GPU, "build: ml", "healthcheck: {interval: 10s}").replace(
        "./config:/app/config", "x:/y"), "ml/config/batch_sizes.json": json.dumps(FIRST_USE)}, [], 0,
     {"warn start_period": None}, []),
    ("a Dockerfile that nobody builds", {"compose.yml": reserved(GPU, "build: ml"), "ml/Dockerfile": "FROM debian\n",
                                         "ml/Dockerfile.gpu": "", "ml/Dockerfile.dockerignore": ""}, [], 0,
     {"note dockerfile_unused": "./ml/Dockerfile: "}, []),
    ("a Dockerfile that another service builds", {"compose.yml": reserved(GPU, "build: ml") +
                                                  "  b: {build: {context: ml, dockerfile: Dockerfile.gpu}}\n",
                                                  "ml/Dockerfile": "", "ml/Dockerfile.gpu": ""}, [], 0, {},
     ["dockerfile_unused"]),

    # how files are read
    ("anchors and merge keys", {"compose.yml": "x-gpu: &gpu\n  runtime: nvidia\n  environment: &env\n"
                                               "    CUDA_VISIBLE_DEVICES: all\n"
                                               "services:\n  ml:\n    <<: *gpu\n    environment:\n      <<: [*env]\n"}, [], 1,
     {"fail not_a_list": "compose.yml:4:5", "note runtime": "compose.yml:2:12"}, []),
    ("what stands in the map wins over a merge key", {"compose.yml": "x: &e {CUDA_VISIBLE_DEVICES: all}\n"
                                                      "services: {ml: {environment: {<<: *e, CUDA_VISIBLE_DEVICES: 0}}}\n"},
     [], 0, {}, ["not_a_list"]),
    ("extends", {"compose.yml": "services:\n  base:\n    gpus: all\n    environment: [CUDA_VISIBLE_DEVICES=all]\n  ml:\n"
                                "    extends: {service: base}\n    environment: {CUDA_VISIBLE_DEVICES: 0}\n"},
     ["--service", "ml"], 0, {"note gpus": "compose.yml:3:11"}, ["not_a_list"]),
    ("extends of a service that extends", {"compose.yml": "services:\n  c: {extends: b}\n  b: {extends: {file: compose.yml, "
                                           "service: a}}\n  a: {gpus: all}\n"}, ["--service", "c"], 0, {"note gpus": None}, []),
    ("extends of another file", {"compose.yml": "services: {ml: {gpus: all, extends: {file: other.yml, service: x}}}\n"}, [],
     0, {"unread elsewhere": "compose.yml:1:37"}, []),
    ("two files", {"compose.yml": reserved(GPU, "environment: [CUDA_VISIBLE_DEVICES=all]"),
                   "more.yml": "services: {ml: {environment: {CUDA_VISIBLE_DEVICES: 0}}}\n"}, ["more.yml"], 0, {},
     ["not_a_list"]),
    ("two files append devices", {"compose.yml": reserved(GPU), "more.yml": reserved(GPU).replace("count: 1", "count: 3")},
     ["more.yml"], 1, {"fail too_many": "more.yml:8:39"}, []),
    ("two files append volumes", {"compose.yml": CLEAN, "more.yml": "services: {ml: {volumes: [a:/b]}}\n"}, ["more.yml"], 0,
     {}, ["config_baked"]),
    ("a tag replaces a list", {"compose.yml": CLEAN, "more.yml": "services: {ml: {volumes: !override [a:/b]}}\n"},
     ["more.yml"], 0, {"note config_baked": None}, []),
    ("a tag takes a key out", {"compose.yml": CLEAN, "more.yml": "services: {ml: {volumes: !reset null}}\n"},
     ["more.yml"], 0, {"note config_baked": None}, []),
    ("only services of GPUs", {"compose.yml": reserved(GPU) + "  db: {image: postgres}\n"}, [], 0, {}, ["none"]),
]

SECRETS = ("hunter2", "s3cr3t", "tok-12345", "pa55word", "c0mment")
SECRET_FILES = {
    "compose.yml": CLEAN.replace("environment:\n", "environment:\n      DB_PASSWORD: hunter2\n      API_TOKEN: ${TOKEN}\n"
                                 "      CUDA_VISIBLE_DEVICES: ${TOKEN}\n      NVIDIA_VISIBLE_DEVICES: s3cr3t\n", 1)
                        .replace("count: 1", "count: ${TOKEN}").replace("driver: nvidia", "driver: ${TOKEN}")
                        .replace("image: segmentation", "image: registry/${TOKEN}\n    runtime: nvidia\n    env_file: more.env\n"
                                 "    build: {context: ., args: {KEY: pa55word}}\n    device_requests: [{count: s3cr3t}]\n"
                                 "    command: serve --password pa55word"),
    ".env": "TOKEN=tok-12345\n", "more.env": "PASSWORD=hunter2\nML_MEMORY_LIMIT_GB=s3cr3t\n",
    "Dockerfile": "FROM debian\nENV KEY=pa55word NVIDIA_VISIBLE_DEVICES=s3cr3t\n# c0mment\n",
}


def prepare(folder, files):
    for name, text in files.items():
        write(os.path.join(folder, name), text)
    write(os.path.join(folder, "plan.json"), json.dumps(PLAN))
    write_tree(os.path.join(folder, "two"), host(gpus=2))
    write_tree(os.path.join(folder, "bare"), changed(no_gpu(), facts={"nvml": {"dlopen_error": "no"}}))
    write_tree(os.path.join(folder, "shared"), of_device(host(gpus=2), memory_used=9 << 30,
                                                         processes=[{"pid": 4242, "bytes": 9 << 30}]))


def doctor(folder, *arguments):
    root = [] if "--root" in arguments else ["--root", "two"]
    return bench("doctor", "--compose", "compose.yml", *arguments, *root, cwd=folder)


SEEN = {}


def run_row(name, files, arguments, code, expected, absent):
    def test(folder):
        prepare(folder, files)
        before = snapshot(folder)
        done = doctor(folder, *arguments, "--json")
        check(done.stderr == "", done.stderr)
        answer = json.loads(done.stdout)
        found = {}
        for one in answer["checks"]:
            found.setdefault("%s %s" % (one["level"], one["outcome"]), []).append(one["sentence"])
            SEEN.setdefault((one["outcome"], one["level"]), set()).add(name)
        for want, place in expected.items():
            check(want in found, "want %s, got %s" % (want, done.stdout))
            check(place is None or any(sentence.startswith(place) for sentence in found[want]),
                  "want it at %s: %s" % (place, found[want]))
        for outcome in absent:
            check(not any(want.split()[1] == outcome for want in found), "%s must not be said: %s" % (outcome, found))
        check(done.returncode == answer["exit_code"] == code, "exit %d, want %d:\n%s" % (done.returncode, code, done.stdout))
        plain = doctor(folder, *arguments)
        check(plain.returncode == code and not re.search(r"<[a-z_]+>", plain.stdout), plain.stdout)
        check(snapshot(folder) == before, "doctor wrote something")
    test.__doc__ = name
    return test


def outcomes_of_the_source():
    with open(os.path.join(ROOT, "bench", "doctor", "compose_rules.c"), encoding="utf-8") as f:
        table = re.search(r"struct outcome rules\[\] = \{(.*?)\n\};", f.read(), re.S).group(1)
    return [(name, level.lower()) for name, level in re.findall(r'\.name = "(\w+)", LEVEL_(\w+)', table)]


def every_rule_is_seen_in_a_file(folder):
    """every rule of the table is seen in a file"""
    rules = outcomes_of_the_source()
    check(len(rules) >= 25, "rules found in the source: %d" % len(rules))
    missing = [rule for rule in rules if rule not in SEEN]
    check(not missing, "never seen: %s" % missing)
    check(("no_such_rule", "fail") not in SEEN, "the set of seen rules holds anything")


def secrets_stay_secret(folder):
    """a file with secrets: none of them is printed"""
    prepare(folder, SECRET_FILES)
    for arguments in ([], ["--json"], ["--plan", "plan.json"]):
        done = doctor(folder, *arguments)
        check("fail" in done.stdout and "CUDA" not in done.stderr, done.stdout + done.stderr)
        for secret in SECRETS:
            check(secret not in done.stdout + done.stderr, "%s is printed:\n%s" % (secret, done.stdout))
    # the same secrets in files that cannot be read
    for broken in ("services:\n  ml: {a: 'hunter2\n", "services: {ml: {x: *hunter2}}\n", "services: hunter2\n",
                   "services: {ml: {hunter2: 1, hunter2: 2}}\n", "hunter2\n", "services: {ml: hunter2}\n",
                   "services: {ml: {extends: hunter2}}\n"):
        write(os.path.join(folder, "compose.yml"), broken)
        done = doctor(folder)
        check(done.returncode == 2 and "hunter2" not in done.stderr + done.stdout and "compose.yml:" in done.stderr,
              "%s: %d %s" % (broken, done.returncode, done.stderr))


def the_reservation_can_be_pasted(folder):
    """what the remedy says to write is accepted when it is written"""
    prepare(folder, {"compose.yml": service("device_requests: [{count: 2}]")})
    answer = json.loads(doctor(folder, "--json").stdout)
    remedy = next(one["remedy"] for one in answer["checks"] if one["outcome"] == "unknown_form")
    write(os.path.join(folder, "compose.yml"), service(remedy[len("write "):]))
    done = doctor(folder, "--strict")
    check(done.returncode == 0 and "count: 2" in remedy and "note    compose.ml" in done.stdout, done.stdout)


def mistakes_are_told(folder):
    """mistakes of the user are told, with the place"""
    prepare(folder, {"compose.yml": CLEAN, "loop.yml": "services: {a: {extends: b}, b: {extends: a}}\n",
                     "bomb.yml": "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
                         "%s: &%s [%s]\n" % (b, b, ",".join(["*" + a] * 10)) for a, b in zip("abcdef", "bcdefg"))
                     + "services: {}\n", "plan-bad.json": '{"points": [{"device": 1}]}'})
    for arguments, word in ((["no-such.yml"], "no-such.yml"), (["--service", "mll"], 'did you mean "ml"'),
                            (["loop.yml"], "loop.yml:1:42: extends leads back"), (["bomb.yml"], "more than 100000 values"),
                            (["plan.json"], "no map \"services\""), (["--plan", "gone.json"], "gone.json"),
                            (["--plan", "plan-bad.json"], "points[0]"), (["--plan", "compose.yml"], "compose.yml:1")):
        done = doctor(folder, *arguments)
        check(done.returncode == 2 and word in done.stderr and done.stdout == "", "%s: %d %s" % (
            arguments, done.returncode, done.stderr))
    for arguments, word in ((["--service", "ml"], "--compose"), (["word"], "word")):
        done = bench("doctor", *arguments, cwd=folder)
        check(done.returncode == 2 and word in done.stderr, done.stderr)


def print_table():
    width = max(len(name) for name, level in SEEN)
    for (outcome, level), names in sorted(SEEN.items()):
        print("%-6s  %-*s  %s%s" % (level, width, outcome, sorted(names)[0],
                                    " (and %d more)" % (len(names) - 1) if len(names) > 1 else ""))
    rules = outcomes_of_the_source()
    print("\n%d of %d rules seen" % (sum(rule in SEEN for rule in rules), len(rules)))


def main():
    tests = [run_row(*row) for row in ROWS]
    if sys.argv[1:] == ["--table"]:
        failed = run_silently(tests)
        print_table()
        return failed
    return run_tests(tests + [every_rule_is_seen_in_a_file, secrets_stay_secret, the_reservation_can_be_pasted,
                              mistakes_are_told])


if __name__ == "__main__":
    sys.exit(main())
