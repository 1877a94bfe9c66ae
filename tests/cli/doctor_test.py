#!/usr/bin/env python3
"""bench doctor on one tree per outcome, and on this machine.

usage: doctor_test.py [--update | --table]     --table: which outcome was seen in which tree, instead of the tests
What each tree must give stands beside it: outcomes with their level, and the exit code. The text of the answers stands
in doctor.golden as well, of the first trees whole, of the others what differs from them; --update writes that file anew
(read the difference before you keep it).
"""
import json
import os
import re
import shutil
import sys
import time

from bench_runner import (BENCH, ROOT, bench, check, environment, run_silently, run_tests, scripted, snapshot,
                          tune_arguments, write)
from doctor_trees import (DRIVER, FACTS, LIBRARIES, UUIDS, Link, changed, container, cuda_fails, device, host, no_gpu,
                          nvml_fails, of_device, smoked, worker_fails, write_tree)

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "doctor.golden")
NVRM = "NVRM version: NVIDIA UNIX %s  Mon Feb 10 00:00:00 UTC 2025\nGCC version:  gcc version 12.2.0\n"
CPU = "sys/devices/system/cpu/"
GROUP = "sys/fs/cgroup/system.slice/night.service/"


def no_driver_files(tree):
    return changed(tree, "dev/nvidia", LIBRARIES, facts={"nodes": {}, "nvml": {"dlopen_error": "not there"},
                                                          "cuda": {"dlopen_error": "not there"}})


def two_models():
    """CUDA puts the faster one first."""
    tree = of_device(host(gpus=2), gpu=1, name="NVIDIA H100 PCIe")
    return changed(tree, facts={"cuda|devices": [dict(tree[FACTS]["cuda"]["devices"][i]) for i in (1, 0)]})


def visible(list_, **more):
    return changed(host(gpus=2), facts={"env": dict({"CUDA_VISIBLE_DEVICES": list_}, **more)})


def node_error(tree, node, error, mode="0660", group=44):
    return changed(tree, facts={"nodes|" + node: {"errno": error, "mode": mode, "group": group}})


def smoke_with(image, value, number, factor=1.0):
    """One stored value of an image is another number, or all of it is off by a factor."""
    tree = smoked(host())
    values = [v * factor for v in tree[FACTS]["smoke"]["cuda"]["cuda:0"]["images"][image]["values"]]
    if number is not None:
        values[value] = number
    return changed(tree, facts={"smoke|cuda|cuda:0|images|%d|values" % image: values})


def planned(tree, memory=4 << 30, precision="f32"):
    points = [{"device": "cpu:0", "precision": precision, "threads": 4, "instances": 2, "predicted_memory": memory}]
    return changed(tree, files={"plan.json": json.dumps({"points": points})})


XIDS = ("6,1,2,-;NVRM: loading\n4,9,3,-;NVRM: Xid (PCI:0000:01:00): 31, pid=77, name=python\n"
        "4,10,4,-;NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.\n"
        "4,11,5,-;NVRM: Xid (PCI:0000:01:00): 31, pid=78\n4,12,6,-;NVRM: GPU at PCI:0000:01:00: GPU-1\n")


# --- one tree for each outcome: name, tree, arguments, exit code, {id: "level outcome"} -----------------------------
# The levels and exit codes are those of the manual of the checks: 3 for any fail, 1 for --strict with a warning.

TREES = [
    ("no GPU", no_gpu(), [], 0, {"gpu.pci": "note none", "gpu.module": "skip skip", "gpu.container": "ok host",
                                 "engine.onednn": "ok found", "cpu.governor": "ok performance", "cpu.quota": "ok none",
                                 "cpu.affinity": "ok all", "cpu.numa": "ok one", "cpu.isa": "note isa",
                                 "cpu.load": "ok quiet", "mem.limit": "ok limit", "host.clock": "ok fast",
                                 "host.perf": "ok counters", "env.results": "ok none", "cpu.turbo": "note on",
                                 "cpu.smt": "note smt"}),
    ("healthy host", host(), [], 0, {
        "gpu.pci": "ok found", "gpu.module": "ok loaded", "gpu.container": "ok host", "gpu.nodes": "ok ok",
        "gpu.libraries": "ok found", "gpu.nvml": "ok ok", "gpu.mismatch": "ok equal", "gpu.cuda": "ok ok",
        "gpu.count": "ok equal", "gpu.visibility": "ok all", "gpu.toolkit": "ok runtime",
        "gpu.persistence": "ok on", "gpu.ecc": "note mode", "gpu.mig": "ok off", "gpu.power": "ok full",
        "gpu.throttle": "ok free", "gpu.pcie": "ok full", "gpu.mode": "note clocks", "gpu.memory": "ok free",
        "engine.cuda": "ok found"}),
    ("no GPU, one is required", no_gpu(), ["--require-gpu"], 3, {"gpu.pci": "fail none"}),
    ("healthy host, strict", host(), ["--strict", "--require-gpu", "--require-engine", "cuda,onednn"], 0, {}),
    ("healthy container", container(), [], 0, {"gpu.container": "ok with_gpu", "gpu.toolkit": "skip skip",
                                               "gpu.cuda": "ok ok"}),
    ("container without a GPU", no_driver_files(container()), [], 0,
     {"gpu.container": "note not_requested", "gpu.nodes": "skip skip", "gpu.nvml": "skip skip"}),
    ("container without a GPU, one is required", no_driver_files(container()), ["--require-gpu"], 3,
     {"gpu.container": "fail not_requested"}),
    ("container on a host without a driver", changed(no_gpu(), files={"run/.containerenv": ""}), [], 0,
     {"gpu.container": "ok container"}),
    ("container by its environment", changed(no_gpu(), files={"proc/1/environ": "container=lxc\0HOME=/\0"}), [], 0,
     {"gpu.container": "ok container"}),
    ("container by its control group", changed(no_gpu(), files={"proc/1/cgroup": "0::/kubepods/pod1\n"}), [], 0,
     {"gpu.container": "ok container"}),
    ("container with half the driver", changed(container(), LIBRARIES, facts={
        "nvml": {"dlopen_error": "no"}, "cuda": {"dlopen_error": "no"}}), [], 3,
     {"gpu.container": "fail half_mounted", "gpu.libraries": "skip skip"}),
    ("container whose rules are lost", node_error(container(), "/dev/nvidiactl", 1, "0666", 0), [], 3,
     {"gpu.container": "fail rules_lost", "gpu.nodes": "skip skip", "gpu.nvml": "skip skip"}),
    ("container, NVML 999", nvml_fails(container(), 999), [], 3, {"gpu.container": "fail rules_lost"}),
    ("container, 18", nvml_fails(container(module="570.133.20", library="570.86.15"), 18), [], 3,
     {"gpu.container": "fail outdated", "gpu.mismatch": "fail mismatch", "gpu.nvml": "fail mismatch"}),
    ("WSL", changed(host(), "sys/bus/pci/devices/0000:01", "sys/module", "dev/nvidia", LIBRARIES, files={
        "dev/dxg": "", "usr/lib/wsl/lib/libcuda.so.1": "", "usr/lib/wsl/lib/libnvidia-ml.so.1": ""}), [], 0,
     {"gpu.pci": "note wsl", "gpu.module": "skip skip", "gpu.nodes": "skip skip", "gpu.libraries": "ok found",
      "gpu.nvml": "ok ok", "gpu.cuda": "ok ok"}),
    ("nodes, but nothing on the bus", changed(host(), "sys/bus/pci/devices/0000:01"), [], 0,
     {"gpu.pci": "note unlisted", "gpu.cuda": "ok ok"}),
    ("no bus", changed(no_gpu(), "sys/bus"), [], 0, {"gpu.pci": "unread no_trace", "gpu.module": "skip skip"}),
    ("no bus, strict", changed(no_gpu(), "sys/bus"), ["--strict"], 1, {"gpu.pci": "unread no_trace"}),
    ("no bus, a GPU is required", changed(no_gpu(), "sys/bus"), ["--require-gpu"], 3, {"gpu.pci": "fail no_trace"}),
    ("no bus, but a module", changed(host(), "sys/bus", "dev/nvidiactl"), [], 3,
     {"gpu.pci": "unread unread", "gpu.module": "ok loaded", "gpu.nodes": "fail missing"}),

    # module
    ("module by the older NVRM line", changed(host(module="535.183.01", library="535.183.01"), "sys/module", files={
        "proc/driver/nvidia/version": NVRM % "x86_64 Kernel Module  535.183.01"}), [], 0,
     {"gpu.module": "ok loaded", "gpu.mismatch": "ok equal"}),
    ("module by the NVRM line of the open module", changed(host(library="580.65.06"), "sys/module", files={
        "proc/driver/nvidia/version": NVRM % "Open Kernel Module for x86_64  580.65.06"}), [], 0,
     {"gpu.module": "ok loaded", "gpu.mismatch": "ok equal"}),
    ("module without a version", changed(host(), "sys/module", files={"proc/driver/nvidia/version": "NVRM: what\n"}),
     [], 0, {"gpu.module": "warn unparsable", "gpu.mismatch": "unread unread"}),
    ("module not loaded", changed(host(), "sys/module"), [], 3, {"gpu.module": "fail not_loaded",
                                                                 "gpu.nodes": "skip skip", "gpu.cuda": "skip skip"}),
    ("nouveau", changed(host(), "sys/module", files={"sys/module/nouveau/refcnt": "1\n"}), [], 3,
     {"gpu.module": "fail nouveau"}),

    # nodes
    ("no nvidia-uvm", changed(host(), "dev/nvidia-uvm"), [], 3, {"gpu.nodes": "fail missing",
                                                                 "gpu.nvml": "skip skip"}),
    ("node without access", node_error(host(), "/dev/nvidia0", 13), [], 3, {"gpu.nodes": "fail no_access"}),
    ("node that is broken", node_error(host(), "/dev/nvidia0", 5), [], 3, {"gpu.nodes": "fail broken"}),
    ("node that hangs", changed(host(), facts={"nodes": {"hang": True, "calling": "/dev/nvidia0"}}), [], 3,
     {"gpu.nodes": "fail hang"}),
    ("nodes not tried", changed(host(), facts={"nodes": None}), [], 0, {"gpu.nodes": "unread unread"}),

    # libraries
    ("no NVML", changed(host(), LIBRARIES + "/libnvidia-ml", facts={"nvml": {"dlopen_error": "no"}}), [], 3,
     {"gpu.libraries": "fail missing", "gpu.nvml": "skip skip", "gpu.mismatch": "skip skip"}),
    ("no libcuda", changed(host(), LIBRARIES + "/libcuda", facts={"cuda": {"dlopen_error": "no"}}), [], 3,
     {"gpu.libraries": "fail missing"}),
    ("absolute link", changed(host(), LIBRARIES + "/libcuda.so.1", files={
        LIBRARIES + "/libcuda.so.1": Link("/%s/libcuda.so.%s" % (LIBRARIES, DRIVER))}), [], 0,
     {"gpu.libraries": "ok found"}),
    ("stub", changed(host(), facts={"cuda|dlopen": "/usr/local/cuda/lib64/stubs/libcuda.so.1"}), [], 3,
     {"gpu.libraries": "fail stub"}),
    ("two versions", changed(host(), LIBRARIES + "/libcuda", files={
        LIBRARIES + "/libcuda.so.1": Link("libcuda.so.550.54.14"), LIBRARIES + "/libcuda.so.550.54.14": ""}), [], 3,
     {"gpu.libraries": "fail two_versions"}),
    ("forward compatibility", changed(host(), files={
        "usr/local/cuda/compat/libcuda.so.1": Link("libcuda.so.575.57.08"),
        "usr/local/cuda/compat/libcuda.so.575.57.08": ""},
        facts={"cuda|dlopen": "/usr/local/cuda/compat/libcuda.so.1"}), [], 0, {"gpu.libraries": "note compat"}),
    ("loader not asked", changed(host(), LIBRARIES, files={}, facts={
        "nvml": {"dlopen_error": ""}, "cuda": {"dlopen_error": ""}}), [], 0, {"gpu.libraries": "unread unread"}),

    # the mismatch
    ("18, libraries newer", nvml_fails(host(module="570.86.15", library="570.133.20"), 18), [], 3,
     {"gpu.nvml": "fail mismatch", "gpu.mismatch": "fail mismatch", "gpu.cuda": "skip skip"}),
    ("18, libraries older", nvml_fails(host(module="570.133.20", library="570.86.15"), 18), [], 3,
     {"gpu.mismatch": "fail mismatch"}),
    ("18, equal files", nvml_fails(host(), 18), [], 3, {"gpu.mismatch": "fail mismatch_hidden"}),
    ("803 only", cuda_fails(host(module="570.86.15"), 803), [], 3,
     {"gpu.nvml": "ok ok", "gpu.mismatch": "fail mismatch", "gpu.cuda": "skip skip"}),
    ("803 from the worker", worker_fails(host(module="570.86.15"), 803, "the driver is another one"), [], 3,
     {"gpu.mismatch": "fail mismatch"}),
    ("18, module unknown", changed(nvml_fails(host(), 18), "sys/module", files={
        "proc/driver/nvidia/version": "NVRM: what\n"}), [], 3, {"gpu.mismatch": "fail mismatch_half"}),
    ("different and yet at work", host(module="570.86.15"), [], 0, {"gpu.mismatch": "warn tolerated"}),
    ("different and yet at work, strict", host(module="570.86.15"), ["--strict"], 1, {"gpu.mismatch": "warn tolerated"}),

    # numbers
    *[("NVML %d" % code, nvml_fails(host(), code), [], 3, {"gpu.nvml": "fail " + outcome, "gpu.cuda": "skip skip"})
      for code, outcome in ((4, "no_permission"), (9, "not_loaded"), (12, "no_library"), (15, "gpu_lost"),
                            (16, "reset_required"), (17, "blocked"), (999, "unknown"), (77, "unknown"))],
    ("NVML 15 at a device", changed(host(gpus=2), facts={"nvml|devices|1": {"code": 15}}), [], 3,
     {"gpu.nvml": "fail gpu_lost"}),
    ("NVML hangs", changed(host(), facts={"nvml": {"hang": True, "calling": "nvmlInit_v2"}}), [], 3,
     {"gpu.nvml": "fail hang", "gpu.cuda": "skip skip"}),
    ("NVML crashes", changed(host(), facts={"nvml": {"crashed": True, "calling": "nvmlInit_v2"}}), [], 3,
     {"gpu.nvml": "fail crashed"}),
    ("NVML was not asked", changed(host(), facts={"nvml": None}), [], 0,
     {"gpu.nvml": "unread unread", "gpu.count": "unread unread"}),
    *[("CUDA %d" % code, cuda_fails(host(), code), [], 3, {"gpu.cuda": "fail " + outcome, "gpu.nvml": "ok ok"})
      for code, outcome in ((100, "no_device"), (34, "stub"), (804, "compat_unsupported"), (46, "busy"),
                            (2, "no_memory"), (802, "not_ready"), (805, "mps"), (999, "unknown"), (1, "unknown"))],
    ("CUDA sees none", changed(host(), facts={"cuda|count": 0, "cuda|devices": []}), [], 3,
     {"gpu.cuda": "fail no_device"}),
    ("CUDA hangs", changed(host(), facts={"cuda": {"hang": True, "calling": "cuInit", "driver_version": 12080}}), [], 3,
     {"gpu.cuda": "fail hang"}),
    ("CUDA crashes", changed(host(), facts={"cuda": {"crashed": True, "calling": "cuInit"}}), [], 3,
     {"gpu.cuda": "fail crashed"}),
    ("CUDA 35 from the worker", worker_fails(host(), 35, "this build needs CUDA 13.0, driver 570.133.20 offers 12.8"),
     [], 3, {"gpu.cuda": "fail driver_too_old", "engine.cuda": "warn environment"}),
    ("CUDA 209 from the worker", worker_fails(host(), 209, "built for sm_90, cuda:0 is sm_86"), [], 3,
     {"gpu.cuda": "fail no_kernel_image"}),
    ("CUDA 222 from the worker", worker_fails(host(), 222, "PTX of CUDA 13.0"), [], 3, {"gpu.cuda": "fail ptx_too_new"}),
    ("no CUDA worker", changed(host(), facts={"engines|cuda": None}), [], 0, {"gpu.cuda": "ok driver_only"}),

    # numbers of GPUs
    ("lost", changed(host(gpus=2), facts={"nvml|devices": [device(0)], "nvml|count": 1, "cuda|count": 1,
                                          "cuda|devices": [{"uuid": UUIDS[0]}]}), [], 3, {"gpu.count": "fail lost"}),
    ("a container with one of two", changed(container(gpus=2), "dev/nvidia1", facts={
        "nvml|devices": [device(0)], "nvml|count": 1, "cuda|count": 1, "cuda|devices": [{"uuid": UUIDS[0]}]}), [], 0,
     {"gpu.count": "note fewer"}),
    ("hidden", changed(visible("1"), facts={"cuda|count": 1, "cuda|devices": [{"uuid": UUIDS[1]}]}), [], 0,
     {"gpu.count": "note hidden", "gpu.visibility": "note list"}),

    # visibility
    ("CUDA_VISIBLE_DEVICES all", visible("all", NVIDIA_VISIBLE_DEVICES="all"), [], 3,
     {"gpu.visibility": "fail not_a_list"}),
    ("CUDA_VISIBLE_DEVICES none", visible("none"), [], 3, {"gpu.visibility": "fail not_a_list"}),
    ("CUDA_VISIBLE_DEVICES void", visible("void"), [], 3, {"gpu.visibility": "fail not_a_list"}),
    ("CUDA_VISIBLE_DEVICES empty", visible(""), [], 0, {"gpu.visibility": "note empty"}),
    ("CUDA_VISIBLE_DEVICES -1, one is required", visible("-1"), ["--require-gpu"], 3, {"gpu.visibility": "fail empty"}),
    ("CUDA_VISIBLE_DEVICES 0,3", visible("0,3"), [], 3, {"gpu.visibility": "fail beyond"}),
    ("CUDA_VISIBLE_DEVICES of a uuid", visible(UUIDS[1][:12]), [], 0, {"gpu.visibility": "note list"}),
    ("CUDA_VISIBLE_DEVICES of another uuid", visible("GPU-ffff"), [], 3, {"gpu.visibility": "fail beyond"}),
    ("two models", two_models(), [], 0, {"gpu.visibility": "warn order"}),
    ("two models in the order of the bus", changed(two_models(), facts={"env|CUDA_DEVICE_ORDER": "PCI_BUS_ID"}), [], 0,
     {"gpu.visibility": "ok all"}),
    ("environment not told", changed(host(), facts={"env": None}), [], 0,
     {"gpu.visibility": "unread unread", "env.results": "unread unread"}),
    ("toolkit by CDI", changed(host(), "etc/docker", files={"etc/cdi/nvidia.yaml": "cdiVersion: 0.6.0\n"}), [], 0,
     {"gpu.toolkit": "ok cdi"}),
    ("toolkit not set up", changed(host(), "etc/docker"), [], 0, {"gpu.toolkit": "note not_set_up"}),
    ("no toolkit", changed(host(), "etc/docker", "usr/bin"), [], 0, {"gpu.toolkit": "note absent"}),
    ("variables", changed(no_gpu(), facts={"env": {
        "OMP_NUM_THREADS": "4", "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True", "SECRET": "hunter2"}}), [], 0,
     {"env.results": "note recorded"}),
    ("serial", changed(no_gpu(), facts={"env": {"CUDA_LAUNCH_BLOCKING": "1"}}), [], 0, {"env.results": "warn serial"}),
    ("tf32", changed(no_gpu(), facts={"env": {"NVIDIA_TF32_OVERRIDE": "0"}}), [], 0, {"env.results": "warn tf32"}),
    ("isa", changed(no_gpu(), facts={"env": {"ONEDNN_MAX_CPU_ISA": "AVX2"}}), [], 0, {"env.results": "warn isa"}),
    ("isa that the processor has", changed(no_gpu(), facts={"env": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}}), [], 0,
     {"env.results": "note recorded"}),

    # state of a GPU
    ("persistence off", of_device(host(), persistence=0), [], 0, {"gpu.persistence": "warn cold"}),
    ("memory errors", of_device(host(), ecc_mode=1, ecc_pending=1, ecc_uncorrected=2), [], 3, {"gpu.ecc": "fail ecc"}),
    ("remap failed", of_device(host(), remap_failed=1), [], 3, {"gpu.ecc": "fail remap_failed"}),
    ("remap pending", of_device(host(), remap_pending=1), [], 0, {"gpu.ecc": "warn pending"}),
    ("ECC about to change", of_device(host(), ecc_pending=1), [], 0, {"gpu.ecc": "warn pending"}),
    ("no ECC", of_device(host(), ecc_mode="not_supported"), [], 0, {"gpu.ecc": "unread unread"}),
    ("MIG without instance", of_device(host(), mig_mode=1, mig_instances=0), [], 3, {"gpu.mig": "fail mig_empty"}),
    ("MIG", of_device(host(), mig_mode=1, mig_instances=2), [], 0, {"gpu.mig": "note mig"}),
    ("power cap", of_device(host(), power_limit_mw=180000), [], 0, {"gpu.power": "warn capped"}),
    ("power cap at work", of_device(host(), reasons=4, reasons__1=4), [], 0,
     {"gpu.power": "note capping", "gpu.throttle": "ok free"}),
    ("throttled", of_device(host(), reasons=0x48, reasons__1=0x40), [], 0, {"gpu.throttle": "warn throttled"}),
    ("throttled once only", of_device(host(), reasons=0x40, reasons__1=1), [], 0, {"gpu.throttle": "ok free"}),
    ("hot", of_device(host(), celsius=94), [], 0, {"gpu.throttle": "warn throttled"}),
    ("x8 link", of_device(host(), link_width=8), [], 0, {"gpu.pcie": "warn narrow"}),
    ("exclusive", of_device(host(), compute_mode=3), [], 0, {"gpu.mode": "note exclusive"}),
    ("prohibited", of_device(host(), compute_mode=2), [], 3, {"gpu.mode": "fail prohibited"}),
    ("shared memory", of_device(host(), memory_used=9 << 30, memory_free=15 << 30,
                                processes=[{"pid": 4242, "bytes": 9 << 30}]), [], 0, {"gpu.memory": "warn shared"}),

    ("Xid lines", changed(host(), files={"dev/kmsg": XIDS}), [], 0, {"gpu.kernel_log": "warn xid"}),
    ("no kernel log", changed(host(), "dev/kmsg"), [], 0, {"gpu.kernel_log": "unread unread"}),

    # results
    ("results cannot be written", changed(no_gpu(), facts={"store|errno": 13}), [], 3, {"store.dir": "fail not_writable"}),
    ("results without room", changed(no_gpu(), facts={"store|free_bytes": (256 << 20) - 1}), [], 3,
     {"store.dir": "fail full"}),
    ("results with just enough room", changed(no_gpu(), facts={"store|free_bytes": 256 << 20}), [], 0,
     {"store.dir": "ok ready"}),
    ("results damaged", changed(no_gpu(), facts={"store|damage": "results/bench.sqlite is damaged"}), [], 3,
     {"store.dir": "fail damaged"}),
    ("results on a network", changed(no_gpu(), facts={"store|network": "NFS"}), [], 0, {"store.dir": "warn network"}),
    ("results that hang", changed(no_gpu(), facts={"store": {"dir": "results", "calling": "statfs", "hang": True}}), [], 3,
     {"store.dir": "fail hang"}),

    # processors
    ("governor", changed(no_gpu(), files={CPU + "cpu3/cpufreq/scaling_governor": "powersave\n"}), [], 0,
     {"cpu.governor": "warn governor"}),
    ("clock capped", changed(no_gpu(), files={CPU + "cpu1/cpufreq/scaling_max_freq": "2400000\n"}), [], 0,
     {"cpu.governor": "warn capped"}),
    ("no cpufreq, no turbo", changed(no_gpu(), *[CPU + "cpu%d/cpufreq" % i for i in range(8)], CPU + "intel_pstate"), [],
     0, {"cpu.governor": "note none", "cpu.turbo": "unread unread"}),
    ("turbo off", changed(no_gpu(), files={CPU + "intel_pstate/no_turbo": "1\n"}), [], 0, {"cpu.turbo": "note off"}),
    ("quota 3.5", changed(no_gpu(), files={GROUP + "cpu.max": "350000 100000\n"}), [], 0, {"cpu.quota": "note quota"}),
    ("quota in a parent", changed(no_gpu(), files={"sys/fs/cgroup/system.slice/cpu.max": "200000 100000\n",
                                                    GROUP + "cpu.max": "350000 100000\n"}), [], 0,
     {"cpu.quota": "note quota"}),
    ("too many threads", changed(no_gpu(), files={GROUP + "cpu.max": "350000 100000\n"},
                                 facts={"env": {"OMP_NUM_THREADS": "8"}}), [], 0, {"cpu.quota": "warn oversubscribed"}),
    ("throttled by the quota", changed(no_gpu(), files={
        GROUP + "cpu.max": "350000 100000\n", GROUP + "cpu.stat@1": "nr_throttled 9\nthrottled_usec 500\n"}), [], 0,
     {"cpu.quota": "warn throttled"}),
    ("fewer processors", changed(no_gpu(), files={"proc/self/status": "Cpus_allowed_list:\t0-3\n"}), [], 0,
     {"cpu.affinity": "note fewer"}),
    ("two nodes", changed(no_gpu(), files={"sys/devices/system/node/node0/cpulist": "0-3\n",
                                           "sys/devices/system/node/node1/cpulist": "4-7\n"}), [], 0,
     {"cpu.numa": "warn spread"}),
    ("GPU at another node", changed(host(), files={
        "sys/devices/system/node/node1/cpulist": "8-15\n",
        "sys/bus/pci/devices/0000:01:00.0/numa_node": "1\n"}), [], 0, {"cpu.numa": "warn far_gpu"}),
    ("old processor", changed(no_gpu(), files={"proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu sse4_1\n"}), [], 0,
     {"cpu.isa": "note none"}),
    ("busy", changed(no_gpu(), files={"proc/stat@1": "cpu  1300 0 500 90500 0 0 0 0 0 0\n",
                                      "proc/pressure/cpu@1": "some avg10=2.00 avg60=0.10 avg300=0.05 total=251000\n"}),
     [], 0, {"cpu.load": "warn busy"}),  # 300 of 800 ticks; 250000 us of a second
    ("no pressure told", changed(no_gpu(), "proc/pressure"), [], 0, {"cpu.load": "ok quiet"}),
    ("steal", changed(no_gpu(), files={"proc/stat@1": "cpu  1000 0 500 90790 0 0 0 10 0 0\n"}), [], 0,
     {"cpu.load": "warn steal"}),  # 10 of 800 ticks
    ("hot processor", changed(no_gpu(), files={CPU + "cpu0/thermal_throttle/core_throttle_count@1": "6\n"}), [], 0,
     {"cpu.load": "warn hot"}),
    ("nothing of the processors", changed(no_gpu(), "proc/", "sys/devices"), [], 0,
     {"cpu.smt": "unread unread", "cpu.affinity": "unread unread", "cpu.numa": "unread unread",
      "cpu.isa": "unread unread", "cpu.load": "unread unread", "mem.limit": "unread unread",
      "host.clock": "unread unread", "host.perf": "unread unread"}),
    ("killed", changed(no_gpu(), files={GROUP + "memory.events": "oom 2\noom_kill 2\n"}), [], 0,
     {"mem.limit": "warn killed"}),
    ("swap", changed(no_gpu(), files={"proc/meminfo": "MemTotal: 33554432 kB\nMemAvailable: 25165824 kB\n"
                                                      "SwapTotal: 1048576 kB\nSwapFree: 524288 kB\n"}), [], 0,
     {"mem.limit": "warn swap"}),
    ("address space", changed(no_gpu(), files={"proc/self/limits": "Max address space   4294967296   unlimited  bytes\n"}),
     [], 0, {"mem.limit": "warn address_space"}),
    ("slow clock", changed(no_gpu(), files={
        "sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n"}), [], 0,
     {"host.clock": "warn slow_clock"}),
    ("no counters", changed(no_gpu(), files={"proc/sys/kernel/perf_event_paranoid": "4\n"}), [], 0,
     {"host.perf": "note no_counters"}),

    # engines
    *[("engine: %s%s" % (kind, ", required" if required else ""), changed(no_gpu(), facts={"engines|mine": {
        "error": {"kind": kind, "message": "mine: what happened"}, "command": "mine-worker"}}),
       ["--require-engine", "mine"] if required else [], 3 if required else 0,
       {"engine.mine": "%s %s" % ("fail" if required else level, outcome)})
      for required in (False, True)
      for kind, level, outcome in (("not_built", "note", "not_built"), ("no_command", "note", "no_command"),
                                   ("no_answer", "warn", "no_answer"), ("bad_protocol", "warn", "bad_protocol"),
                                   ("environment", "warn", "environment"), ("internal", "warn", "environment"))],
    ("engine without a device", changed(no_gpu(), facts={"engines|onednn|devices": []}), [], 0,
     {"engine.onednn": "note no_device"}),
    ("CUDA engine without a GPU", changed(no_gpu(), facts={"engines|cuda": {"error": {
        "kind": "environment", "message": "no driver library", "api": "cuda", "code": 35}}}), [], 0,
     {"engine.cuda": "note no_device"}),
    ("engine that is not there", no_gpu(), ["--require-engine", "none-such"], 3,
     {"engine.none-such": "fail unknown_engine"}),
    # the tiny network
    ("smoke", smoked(host()), ["--smoke"], 0, {"smoke.cuda.cuda:0": "ok correct", "gpu.pcie": "ok full"}),
    ("smoke on a processor", smoked(no_gpu(), "onednn", "cpu:0"), ["--smoke", "--only", "smoke"], 0,
     {"smoke.onednn.cpu:0": "ok correct"}),
    ("smoke with a wrong value", smoke_with(1, 16, 0.8125), ["--smoke"], 3, {"smoke.cuda.cuda:0": "fail wrong"}),
    ("smoke within the limit", smoke_with(0, 0, None, 1.00002), ["--smoke"], 0, {"smoke.cuda.cuda:0": "ok correct"}),
    ("smoke outside the limit", smoke_with(0, 0, None, 1.01), ["--smoke"], 3, {"smoke.cuda.cuda:0": "fail wrong"}),
    ("smoke outside that limit, within that of bf16", changed(smoke_with(0, 0, None, 1.01), facts={
        "smoke|cuda|cuda:0|precision": "bf16"}), ["--smoke"], 0, {"smoke.cuda.cuda:0": "ok correct"}),
    ("smoke with a NaN", changed(smoked(host()), facts={"smoke|cuda|cuda:0|images|2": {
        "finite": False, "values": [None] * 48}}), ["--smoke"], 3, {"smoke.cuda.cuda:0": "fail wrong"}),
    ("smoke without an output", changed(smoked(host()), facts={"smoke|cuda|cuda:0|images": []}), ["--smoke"], 3,
     {"smoke.cuda.cuda:0": "fail wrong"}),
    ("smoke, a batch differs", changed(smoked(host()), facts={"smoke|cuda|cuda:0|batch|1|rel_l2": 0.001}), ["--smoke"], 3,
     {"smoke.cuda.cuda:0": "fail batch_differs"}),
    ("smoke, a batch has a NaN", changed(smoked(host()), facts={"smoke|cuda|cuda:0|batch|0": {
        "finite": False, "rel_l2": None}}), ["--smoke"], 3, {"smoke.cuda.cuda:0": "fail batch_differs"}),
    ("smoke on the CPU in secret", smoked(host(), memory_during=(300 << 20) + 1), ["--smoke"], 3,
     {"smoke.cuda.cuda:0": "fail on_cpu"}),
    ("smoke with 49 MiB on the GPU", smoked(host(), memory_during=349 << 20), ["--smoke"], 3,
     {"smoke.cuda.cuda:0": "fail on_cpu"}),
    ("smoke with 50 MiB on the GPU", smoked(host(), memory_during=350 << 20), ["--smoke"], 0,
     {"smoke.cuda.cuda:0": "ok correct"}),
    ("smoke, memory not told", smoked(host(), memory_during="not_supported"), ["--smoke"], 0,
     {"smoke.cuda.cuda:0": "unread unread"}),
    ("smoke failed", changed(host(), facts={"smoke": {"cuda": {"cuda:0": {"precision": "f32", "error": {
        "kind": "crashed", "message": "the worker ended", "stage": "prepare"}}}}}), ["--smoke"], 3,
     {"smoke.cuda.cuda:0": "fail failed"}),
    ("smoke of an engine that does not know the model", changed(host(), facts={"smoke": {"cuda": {"cuda:0": {
        "precision": "f32", "error": {"kind": "model", "message": "no model smoke", "stage": "load"}}}}}), ["--smoke"], 0,
     {"smoke.cuda.cuda:0": "skip unsupported"}),
    ("smoke was not asked", host(), ["--smoke"], 0, {"smoke": "unread unread"}),
    ("smoke, slow link", smoked(host(), under_load=dict(device(0), link_generation=3)), ["--smoke"], 0,
     {"gpu.pcie": "warn slow_link"}),
    ("smoke, replays", smoked(host(), under_load=dict(device(0), link_generation=4, replays=7)), ["--smoke"], 0,
     {"gpu.pcie": "warn replays"}),

    # a plan: 8 threads and 4 GiB unless said otherwise
    ("plan that fits", planned(no_gpu()), ["--plan", "tree/plan.json"], 0, {"mem.limit": "ok limit", "cpu.quota": "ok none"}),
    ("plan above the quota", planned(changed(no_gpu(), files={GROUP + "cpu.max": "350000 100000\n"})),
     ["--plan", "tree/plan.json"], 0, {"cpu.quota": "warn oversubscribed"}),
    ("plan on threads of one core", planned(changed(no_gpu(), files={"proc/cpuinfo": "".join(
        "processor\t: %d\nphysical id\t: 0\ncore id\t\t: %d\nflags\t\t: fpu avx2\n\n" % (i, i // 2) for i in range(8))})),
     ["--plan", "tree/plan.json"], 0, {"cpu.smt": "warn smt_shared"}),
    ("plan of bf16 without it", planned(changed(no_gpu(), files={"proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu avx2\n"}),
                                        precision="bf16"), ["--plan", "tree/plan.json"], 0, {"cpu.isa": "warn emulated"}),
    ("plan of bf16 with it", planned(no_gpu(), precision="bf16"), ["--plan", "tree/plan.json"], 0,
     {"cpu.isa": "note isa"}),
    ("plan above the memory", planned(no_gpu(), memory=25 << 30), ["--plan", "tree/plan.json"], 3,
     {"mem.limit": "fail too_small"}),  # 24 GiB are available
    ("plan near the memory", planned(no_gpu(), memory=22 << 30), ["--plan", "tree/plan.json"], 0,
     {"mem.limit": "warn tight"}),  # 22 > 0.9 x 24
    ("plan above the address space", planned(changed(no_gpu(), files={
        "proc/self/limits": "Max address space   4294967295   unlimited  bytes\n"})), ["--plan", "tree/plan.json"], 3,
     {"mem.limit": "fail too_small"}),
    ("facts not told", changed(host(), FACTS), [], 0, {"engine": "unread unread", "gpu.nvml": "unread unread"}),
]


# --- running them ---------------------------------------------------------------------------------------------------

def doctor(folder, *arguments, **more):
    return bench("doctor", *arguments, cwd=folder, **more)


def seen(answer):
    """{id: {"level outcome", ..}} of a JSON answer."""
    out = {}
    for one in answer["checks"]:
        out.setdefault(one["id"], set()).add("%s %s" % (one["level"], one["outcome"]))
    return out


def differing(text):
    """Lines that neither of the plain machines gives, one skipped check for all; the whole text of those machines."""
    if len(PLAIN) < 2:
        PLAIN.append(set(text.splitlines()))
        return text
    lines, skips = [], 0
    for line in text.splitlines():
        skips += line.startswith("skip ")
        if not any(line in plain for plain in PLAIN) and not (line.startswith("skip ") and skips > 1):
            lines.append(line + "\n")
    return "".join(lines)


def text_of(folder, name, arguments):
    done = doctor(folder, "--root", os.path.join(folder, "tree"), *arguments)
    return "=== %s\n%sexit %d\n\n" % (name, differing(done.stdout), done.returncode), done


def run_tree(name, tree, arguments, code, expected, golden):
    def test(folder):
        root = write_tree(os.path.join(folder, "tree"), tree)
        before = snapshot(root)
        done = doctor(folder, "--root", root, "--json", *arguments)
        check(done.stderr == "", done.stderr)
        answer = json.loads(done.stdout)
        found = seen(answer)
        for identity, want in expected.items():
            check(want in found.get(identity, ()), "%s: want %s, got %s\n%s" % (
                identity, want, found.get(identity), done.stdout))
        check(done.returncode == answer["exit_code"] == code, "exit %d, want %d" % (done.returncode, code))
        text, plain = text_of(folder, name, arguments)
        check(plain.returncode == code and plain.stderr == "", plain.stderr)
        check(not re.search(r"<[a-z_]+>", text), "a name was not filled in:\n" + text)
        check(snapshot(root) == before and os.listdir(folder) == ["tree"], "doctor wrote something")
        GIVEN.append(text)
        for identity, outcomes in found.items():
            for level_outcome in outcomes:
                level, outcome = level_outcome.split()
                key = (re.sub(r"^(engine|smoke)\..*", r"\1", identity), outcome)
                SEEN.setdefault(key, {}).setdefault(level, name)
        if golden is not None:
            check(text == golden.get(name), "the answer differs from doctor.golden:\n%s" % text)
    test.__doc__ = name
    return test


GIVEN, SEEN, PLAIN = [], {}, []


def read_golden():
    with open(GOLDEN, encoding="utf-8") as f:
        blocks = re.split(r"^(?==== )", f.read(), flags=re.M)
    return {block.split("\n", 1)[0][4:]: block for block in blocks if block}


# --- more than one tree ---------------------------------------------------------------------------------------------

def outcomes_of_sources():
    """(id, outcome) of the tables in bench/doctor and of the list of codes."""
    pairs = set()
    folder = os.path.join(ROOT, "bench", "doctor")
    for name in sorted(os.listdir(folder)):
        if not re.match(r"checks_\w+\.c$", name):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            text = f.read()
        shared = dict(re.findall(r'#define (HANG|CRASHED) \{ \.name = "(\w+)"', text))
        lists = {}
        for table, body in re.findall(r"struct outcome (\w+)\[\] = \{(.*?)\n\};", text, re.S):
            lists[table] = re.findall(r'\.name = "(\w+)"', body) + [shared[w] for w in shared if w + "," in body]
        rows = re.findall(r'\.id = "([\w.]+)".*?OUTCOMES\((\w+)\)', text, re.S)
        rows += [("gpu." + row, table) for row, table in re.findall(r"STATE\((\w+), (\w+_outcomes)\)", text)]
        pairs |= {(identity, outcome) for identity, table in rows for outcome in lists[table]}
    with open(os.path.join(ROOT, "kernels", "base", "gpu_codes.h"), encoding="utf-8") as f:
        codes = re.findall(r'X\((NVML|CUDA), (\d+), "(\w+)"', f.read())
    pairs |= {("gpu.nvml" if api == "NVML" else "gpu.cuda", outcome) for api, code, outcome in codes
              if code != "803"}  # 803 is said by gpu.mismatch, before gpu.cuda is looked at
    return pairs


def every_outcome_of_the_tables_occurs_in_a_tree(folder):
    pairs = outcomes_of_sources()
    check(len(pairs) > 100, "outcomes found in the sources: %d" % len(pairs))
    missing = pairs - set(SEEN)
    check(not missing, "never seen: %s" % sorted(missing))
    check(("gpu.pci", "no_such_outcome") not in SEEN, "the set of seen outcomes holds anything")


def values_of_other_variables_are_not_printed(folder):
    check(all("hunter2" not in text for text in GIVEN), "a secret was printed")
    check(any("PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True" in text for text in GIVEN), "nothing was printed")


def one_fault_has_one_cause(folder):
    """Every skipped check names the one that began it."""
    root = write_tree(os.path.join(folder, "tree"), changed(host(), "sys/module"))
    answer = json.loads(doctor(folder, "--root", root, "--only", "gpu", "--json").stdout)
    fails = [one["id"] for one in answer["checks"] if one["level"] == "fail"]
    skips = [one["sentence"] for one in answer["checks"] if one["level"] == "skip"]
    check(fails == ["gpu.module"], str(fails))
    check(len(skips) > 8 and all("gpu.module: not_loaded" in sentence for sentence in skips), str(skips))


def both_versions_are_always_named(folder):
    for name, text in read_golden().items():
        for line in re.findall(r"^\w+ +gpu\.mismatch +(.*)$", text, re.M):
            if "mismatch" in name or line.startswith(("does not apply", "kernel module and libraries are both")):
                continue
            check(re.search(r"module is \S+.* libnvidia-ml\.so\.1 is \S+|version of the", line), "%s: %s" % (name, line))


def only_shows_what_was_asked_for(folder):
    root = write_tree(os.path.join(folder, "tree"), host())
    answer = json.loads(doctor(folder, "--root", root, "--only", "cpu", "--json").stdout)
    check({one["id"].split(".")[0] for one in answer["checks"]} == {"cpu"}, str(answer))
    answer = json.loads(doctor(folder, "--root", root, "--only", "engine.onednn", "--json").stdout)
    check([one["id"] for one in answer["checks"]] == ["engine.onednn"], str(answer))
    broken = write_tree(os.path.join(folder, "broken"), changed(host(), "dev/nvidia-uvm"))
    done = doctor(folder, "--root", broken, "--only", "gpu.power")
    check(done.returncode == 3 and "fail    gpu.nodes" in done.stdout and "skip    gpu.power" in done.stdout, done.stdout)


def the_last_line_counts(folder):
    root = write_tree(os.path.join(folder, "tree"), changed(host(), "dev/nvidia-uvm"))
    lines = doctor(folder, "--root", root).stdout.splitlines()
    levels = ["ok", "note", "warn", "fail", "skip", "unread"]
    counts = [sum(line.startswith(level + " ") for line in lines) for level in levels]
    want = ", ".join("%d %s" % pair for pair in zip(counts, levels)) + "; first cause: gpu.nodes: /dev/nvidia-uvm is missing"
    check(lines[-1].startswith(want), "%s\nwant %s" % (lines[-1], want))


def json_has_the_agreed_keys(folder):
    root = write_tree(os.path.join(folder, "tree"), host())
    answer = json.loads(doctor(folder, "--root", root, "--json").stdout)
    check(list(answer) == ["schema", "bench_version", "at", "exit_code", "checks"] and answer["schema"] == 1, str(answer))
    for one in answer["checks"]:
        check(list(one) == ["id", "level", "outcome", "sentence", "remedy", "read"], str(one))
        check(isinstance(one["read"], dict) and one["sentence"], str(one))


def a_link_does_not_leave_the_tree(folder):
    """An absolute link is followed inside the tree: /etc/hostname of this machine is never looked at."""
    outside = write(os.path.join(folder, "outside", "version"), "999.99\n")
    tree = changed(host(), "sys/module", files={"sys/module/nvidia": Link(os.path.dirname(outside))})
    root = write_tree(os.path.join(folder, "tree"), changed(tree, LIBRARIES + "/libcuda.so.1", files={
        LIBRARIES + "/libcuda.so.1": Link("../../../../../../../../%s/libcuda.so.%s" % (LIBRARIES, DRIVER))}))
    done = doctor(folder, "--root", root, "--only", "gpu.libraries")
    check("libcuda " + DRIVER in done.stdout, done.stdout)


def mistakes_are_told(folder):
    tree = write_tree(os.path.join(folder, "tree"), {FACTS: {"engines": {}}})
    write(os.path.join(folder, "broken", FACTS), "{,}")
    write(os.path.join(folder, "list", FACTS), "[]")
    for arguments, code, word in (
            (["--root", "no-such"], 2, "no-such"), (["--root", os.path.join(tree, FACTS)], 2, "no folder"),
            (["--root", "/"], 2, "this machine"), (["--root", "broken"], 2, "facts.json:1"),
            (["--root", "list"], 2, "JSON object"), (["--only", "gpu.moduel"], 2, 'did you mean "gpu.module"'),
            (["--only", "nothing-at-all"], 2, "no check begins"),
            (["--only", "engine.none-such", "--root", tree], 2, "no check begins"), (["--require-engine", ""], 2, "require-engine"),
            (["word"], 2, "word"), (["--compose", "a", "--worker", "b"], 2, "one of them"),
            (["--record", "a", "--repetitions"], 2, "one of them"), (["--compose", "x.yaml"], 2, "x.yaml")):
        done = doctor(folder, *arguments)
        check(done.returncode == code and word in done.stderr and done.stdout == "", "%s: %d %s" % (
            arguments, done.returncode, done.stderr))


# --- this machine ---------------------------------------------------------------------------------------------------

def engines_home(folder):
    """Engines of every kind of failure, real processes."""
    home = os.path.join(folder, "home", "configs", "engines")
    for name, command in (("gone", "[no-such-program]"), ("unbuilt", "[bench-worker-none-such]"),
                          ("mute", '["true"]'), ("talks", '["sh", "-c", "read x; echo hello; sleep 5"]'),
                          ("good", "[bench-worker-scripted]"),
                          ("sick", '["sh", "-c", %s]' % json.dumps(
                              'read x; echo \'{"id":1,"ok":false,"error":{"kind":"environment","message":"sick",'
                              '"api":"cudnn","code":1002}}\''))):
        write(os.path.join(home, name + ".yaml"), "name: %s\ncommand: %s\n" % (name, command))
    return environment(BENCH_HOME=os.path.join(folder, "home"))


def engines_are_asked(folder):
    done = doctor(folder, "--only", "engine", "--json", env=engines_home(folder))
    found = {identity: outcomes.pop() for identity, outcomes in seen(json.loads(done.stdout)).items()}
    want = {"engine.gone": "note no_command", "engine.unbuilt": "note not_built", "engine.mute": "warn no_answer",
            "engine.talks": "warn bad_protocol", "engine.good": "ok found", "engine.sick": "warn environment"}
    for name in want:
        check(found.get(name) == want[name], "%s: want %s, got %s\n%s" % (name, want[name], found.get(name), done.stdout))
    check(done.returncode == 0, str(done.returncode))


# A worker between doctor and the reference worker: in `output` it takes the images of ARGV[1] in another order.
PROXY = """
import json, subprocess, sys
p = subprocess.Popen([sys.argv[2]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)
for line in sys.stdin:
    ask = json.loads(line)
    images = ask.get("images")
    if images and len(images) == int(sys.argv[1]):
        ask["images"] = [images[0].replace("image-1-", "image-2-")] if len(images) == 1 else images[::-1]
    p.stdin.write(json.dumps(ask) + "\\n")
    p.stdin.flush()
    sys.stdout.write(p.stdout.readline())
    sys.stdout.flush()
p.stdin.close()
"""


def smoke_finds_wrong_workers(folder):
    """the tiny network runs on this machine, and a worker that swaps images is found"""
    proxy = write(os.path.join(folder, "proxy.py"), PROXY)
    home = os.path.join(folder, "home", "configs", "engines")
    reference = os.path.join(os.path.dirname(BENCH), "bench-worker-reference")
    for name, batch in (("right", "2"), ("wrong", "1"), ("batch", "3")):
        write(os.path.join(home, name + ".yaml"), "name: %s\ncommand: %s\n" % (
            name, json.dumps([sys.executable, proxy, batch, reference])))
    write(os.path.join(home, "scripted.yaml"), "name: scripted\ncommand: [bench-worker-scripted]\n")
    shutil.copytree(os.path.join(ROOT, "configs", "models"), os.path.join(folder, "home", "configs", "models"))
    done = doctor(folder, "--smoke", "--only", "smoke", "--json",
                  env=environment(BENCH_HOME=os.path.join(folder, "home")))
    found = seen(json.loads(done.stdout))
    want = {"smoke.right.cpu:0": {"ok correct"}, "smoke.wrong.cpu:0": {"fail wrong"},
            "smoke.batch.cpu:0": {"fail batch_differs"}, "smoke.scripted.cpu:0": {"skip unsupported"}}
    check(found == want and done.returncode == 3, done.stdout + done.stderr)


def a_worker_is_tried(folder):
    """--worker tries the protocol: exit 0 all passed, 1 a case failed, 3 it did not start"""
    scripted = os.path.join(os.path.dirname(BENCH), "bench-worker-scripted")
    script = write(os.path.join(folder, "s.yaml"), "faults: [{at: run, call: 1, do: claim_outputs}]\n")
    for command, code, word in ((scripted, 0, " passed, 0 failed"), ("%s --script %s" % (scripted, script), 1, "FAILED limits"),
                                ("true", 3, "does not greet"), ("no-such-worker", 3, "no such program"), (" ", 2, "empty")):
        done = doctor(folder, "--worker", command)
        check(done.returncode == code and word in done.stdout + done.stderr, "%s: %d %s%s" % (
            command, done.returncode, done.stdout[-300:], done.stderr))
    done = doctor(folder, "--worker", scripted, "--only", "hello", "--model", "smoke", "--input", "32x32")
    check(done.returncode == 0 and "ok     hello" in done.stdout and "ok     run" not in done.stdout, done.stdout)
    check(doctor(folder, "--worker", scripted, "--json").returncode == 2, "--json is taken")


def the_folder_of_results_is_checked(folder):
    """store.dir on this machine: not there yet, whole, damaged; nothing is written"""
    def outcome(out):
        before = snapshot(folder)
        done = doctor(folder, "--only", "store", "--out", out, "--json")
        check(snapshot(folder) == before, "doctor wrote something")
        return next(iter(seen(json.loads(done.stdout))["store.dir"])), done
    check(outcome("results/deep")[0] == "ok ready", "a folder that is not there yet")
    done = bench(*tune_arguments(folder, scripted(folder)), cwd=folder)
    check(os.path.exists(os.path.join(folder, "out", "bench.sqlite")), done.stderr)
    check(outcome("out")[0] == "ok ready", "a store that is whole")
    path = os.path.join(folder, "out", "bench.sqlite")
    with open(path, "r+b") as f:
        f.seek(4096)
        f.write(b"\xff" * 3 * 4096)
    found, done = outcome("out")
    check(found == "fail damaged" and "bench.sqlite" in done.stdout and done.returncode == 3, done.stdout)
    if os.geteuid() != 0:
        os.chmod(os.path.join(folder, "out"), 0o500)
        check(outcome("out")[0] == "fail not_writable", "a folder that cannot be written")
        os.chmod(os.path.join(folder, "out"), 0o700)


def repetitions_are_told(folder):
    """--repetitions: the split of a campaign whose spread is known, 0.4 % between iterations and none above"""
    engine = scripted(folder)
    done = bench(*tune_arguments(folder, engine), cwd=folder)
    out = os.path.join(folder, "out")
    check(os.path.exists(os.path.join(out, "bench.sqlite")), done.stderr)  # other builds than release do not publish
    before = snapshot(out)
    done = doctor(folder, "--repetitions", "--out", out, "--json")
    check(done.returncode == 0 and done.stderr == "", done.stderr)
    answer = json.loads(done.stdout)
    check(answer["points"], done.stdout)
    for point in answer["points"]:
        check(0.3 < point["iteration_sd"] < 0.5 and point["executions"] >= 2, str(point))
        check(point["block_sd"] < 0.3 and point["execution_sd"] < 0.3, str(point))
    text = doctor(folder, "--repetitions", answer["run"], "--out", out)
    check(text.returncode == 0 and answer["run"] in text.stdout and "best_blocks" in text.stdout, text.stdout)
    after = snapshot(out)
    wrote = [name for name in after if after[name] != before.get(name) and not name.endswith(("-shm", "-wal"))]
    check(not wrote, "doctor wrote %s" % wrote)  # the two are SQLite's, and come with reading
    for arguments, word in ((["no-such-run"], "no-such-run"), (["a", "b"], "takes one"), (["--out", "nowhere"], "nowhere")):
        done = doctor(folder, "--repetitions", *arguments, *([] if "--out" in arguments else ["--out", out]))
        check(done.returncode == 2 and word in done.stderr, "%s: %d %s" % (arguments, done.returncode, done.stderr))


def texts_below(folder):
    for base, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(base, name)
            yield path, "" if os.path.islink(path) else open(path, encoding="utf-8", errors="replace").read()


def a_record_gives_the_same_lines(folder):
    """--record writes a tree of this machine that gives the same lines, and nothing that names the machine"""
    tree = os.path.join(folder, "record")
    home = os.path.join(folder, "alice")
    env = environment(HOME=home, LD_LIBRARY_PATH=home + "/lib", OMP_NUM_THREADS="3", API_TOKEN="hunter2",
                      CUDA_VISIBLE_DEVICES="GPU-2f1c0a9e-1111-2222-3333-444444444444")
    done = doctor(folder, "--record", tree, env=env)
    check(done.stderr == "" and done.returncode in (0, 3), done.stderr)
    check(doctor(folder, "--root", tree).stdout == done.stdout, "the tree gives other lines:\n" + done.stdout)
    check("OMP_NUM_THREADS=3" in done.stdout and "LD_LIBRARY_PATH=/home/user/lib" in done.stdout, done.stdout)
    machine = seen(json.loads(doctor(folder, "--json", env=env).stdout))
    recorded = seen(json.loads(doctor(folder, "--root", tree, "--json").stdout))
    for identity in machine:  # what others do meanwhile may change
        if identity not in ("cpu.load", "cpu.quota", "mem.limit"):
            check(machine[identity] == recorded.get(identity), "%s: %s, recorded %s" % (
                identity, machine[identity], recorded.get(identity)))
    for path, text in texts_below(tree):
        for secret in ("hunter2", "alice", "2f1c0a9e", "API_TOKEN"):
            check(secret not in text and secret not in path, "%s is in %s" % (secret, path))
    for arguments, word in ((["--record", tree], "not there yet"), (["--record", "x", "--root", tree], "one of them"),
                            (["--record", "no/such/folder"], "No such file")):
        done = doctor(folder, *arguments)
        check(done.returncode == 2 and word in done.stderr, "%s: %d %s" % (arguments, done.returncode, done.stderr))


def this_machine_is_read(folder):
    begin = time.monotonic()
    done = doctor(folder, "--json")
    check(done.stderr == "" and done.returncode in (0, 3), done.stderr)
    found = seen(json.loads(done.stdout))
    check("gpu.pci" in found and "ok found" in found.get("engine.scripted", ()), done.stdout)
    check(time.monotonic() - begin < 60, "it took %.0f s" % (time.monotonic() - begin))


def print_table():
    """One line for each outcome of the checks' tables: id, level, outcome, the first tree that shows it."""
    pairs = sorted(outcomes_of_sources() | set(SEEN))
    for identity, outcome in pairs:
        for level, name in sorted(SEEN.get((identity, outcome), {"-": "never seen"}).items()):
            print("%-16s %-6s  %-18s  %s" % (identity, level, outcome, name))
    print("\n%d outcomes of the tables, %d of them seen in %d trees" % (
        len(outcomes_of_sources()), len(outcomes_of_sources() & set(SEEN)), len(TREES)))


def main():
    update = sys.argv[1:] == ["--update"]
    golden = None if update else read_golden()
    tests = [run_tree(*row, golden) for row in TREES]
    if sys.argv[1:] == ["--table"]:
        failed = run_silently(tests)
        print_table()
        return failed
    tests += [every_outcome_of_the_tables_occurs_in_a_tree, values_of_other_variables_are_not_printed,
              one_fault_has_one_cause, only_shows_what_was_asked_for, the_last_line_counts, json_has_the_agreed_keys,
              a_link_does_not_leave_the_tree, mistakes_are_told, engines_are_asked, smoke_finds_wrong_workers, a_worker_is_tried,
              the_folder_of_results_is_checked, repetitions_are_told, a_record_gives_the_same_lines,
              this_machine_is_read]
    tests += [] if update else [both_versions_are_always_named]
    failed = run_tests(tests)
    if update and not failed:
        with open(GOLDEN, "w", encoding="utf-8") as f:
            f.write("".join(GIVEN))
    return failed


if __name__ == "__main__":
    sys.exit(main())
