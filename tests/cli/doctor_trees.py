"""Trees that stand for machines: what `bench doctor --root` reads. One healthy machine of each kind, and changes to it.

A tree is a dictionary: path -> text of the file, or Link(target); FACTS -> the answers of facts.json, a dictionary.
"""
import copy
import json
import os

FACTS = "facts.json"
DRIVER = "570.133.20"
LIBRARIES = "usr/lib/x86_64-linux-gnu"
UUIDS = ["GPU-00000001-0000-0000-0000-000000000000", "GPU-00000002-0000-0000-0000-000000000000"]


class Link(str):
    """Target of a symbolic link, absolute ones from the tree's root."""


def write_tree(folder, tree):
    for path, content in tree.items():
        full = os.path.join(folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if isinstance(content, Link):
            os.symlink(str(content), full)
        else:
            with open(full, "w", encoding="utf-8") as f:
                f.write(json.dumps(content) if path == FACTS else content)
    return folder


def changed(tree, *removed, files=None, facts=None):
    """A copy without the paths that begin with `removed`, with `files` (path: text), and with
    facts set by their path: {"nvml|init": 18}; a value of None takes the key out."""
    out = {path: copy.deepcopy(content) for path, content in tree.items()
           if not any(path.startswith(beginning) for beginning in removed)}
    out.update(files or {})
    for path, value in (facts or {}).items():
        *parents, last = path.split("|")
        at = out[FACTS]
        for name in parents:
            at = at[int(name)] if isinstance(at, list) else at[name]
        last = int(last) if isinstance(at, list) else last
        if value is None:
            del at[last]
        else:
            at[last] = value
    return out


# --- a machine without a GPU ----------------------------------------------------------------------------------------

CPUINFO = "".join("processor\t: %d\nmodel name\t: Test CPU\nphysical id\t: 0\ncore id\t\t: %d\n"
                  "flags\t\t: fpu sse4_1 avx avx2 avx512f avx512_bf16\n\n" % (i, i) for i in range(8))
ENGINES = {
    "onednn": {"engine": "onednn", "versions": {"onednn": "3.6.2", "bench": "0.1.0"}, "precisions": ["f32", "bf16"],
               "devices": [{"id": "cpu:0", "name": "Test CPU"}]},
}


def no_gpu():
    tree = {
        "proc/cpuinfo": CPUINFO,
        "proc/meminfo": "MemTotal: 33554432 kB\nMemAvailable: 25165824 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
        "proc/stat": "cpu  1000 0 500 90000 0 0 0 0 0 0\n",
        "proc/pressure/cpu": "some avg10=0.00 avg60=0.10 avg300=0.05 total=1000\n"
                             "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
        "proc/loadavg": "0.10 0.20 0.30 1/100 1234\n",
        "proc/sys/kernel/osrelease": "6.1.0-13-amd64\n",
        "proc/sys/kernel/perf_event_paranoid": "2\n",
        "proc/self/status": "Name:\tbench\nCpus_allowed_list:\t0-7\n",
        "proc/self/cgroup": "0::/system.slice/night.service\n",
        "proc/self/mountinfo": "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "proc/self/limits": "Limit                     Soft Limit           Hard Limit           Units\n"
                            "Max address space         unlimited            unlimited            bytes\n",
        "proc/1/cgroup": "0::/init.scope\n",
        "sys/fs/cgroup/system.slice/night.service/cpu.max": "max 100000\n",
        "sys/fs/cgroup/system.slice/night.service/cpu.stat": "usage_usec 5\nnr_throttled 3\nthrottled_usec 100\n",
        "sys/fs/cgroup/system.slice/night.service/memory.max": "max\n",
        "sys/fs/cgroup/system.slice/night.service/memory.events": "oom 0\noom_kill 0\n",
        "sys/devices/system/cpu/online": "0-7\n",
        "sys/devices/system/cpu/intel_pstate/no_turbo": "0\n",
        "sys/devices/system/cpu/smt/control": "on\n",
        "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "4\n",
        "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
        "sys/devices/system/node/node0/cpulist": "0-7\n",
        "sys/bus/pci/devices/0000:00:1f.0/vendor": "0x8086\n",
        "sys/bus/pci/devices/0000:00:1f.0/class": "0x060100\n",
        FACTS: {"env": {}, "uid": 1000, "engines": copy.deepcopy(ENGINES),
                "store": {"dir": "results", "errno": 0, "free_bytes": 100 << 30, "network": None}},
    }
    for i in range(8):
        cpufreq = "sys/devices/system/cpu/cpu%d/cpufreq/" % i
        tree.update({cpufreq + "scaling_governor": "performance\n", cpufreq + "scaling_driver": "intel_pstate\n",
                     cpufreq + "scaling_max_freq": "3600000\n", cpufreq + "cpuinfo_max_freq": "3600000\n"})
    return tree


# --- a machine with one GPU, or two ---------------------------------------------------------------------------------

def device(i, name="NVIDIA RTX A5000"):
    """What NVML tells of a healthy GPU."""
    return {"code": 0, "uuid": UUIDS[i], "name": name, "address": "00000000:%02X:00.0" % (i + 1),
            "persistence": 1, "link_width": 16, "link_width_max": 16, "link_generation": 1, "link_generation_max": 4,
            "replays": 0, "compute_mode": 0, "sm_mhz": 210,
            "sm_max_mhz": 2100, "ecc_mode": 0, "ecc_pending": 0, "ecc_uncorrected": 0, "remap_pending": 0,
            "remap_failed": 0, "mig_mode": 0, "power_limit_mw": 230000, "power_default_mw": 230000, "celsius": 40,
            "slowdown_celsius": 98, "reasons": 1, "reasons@1": 1, "memory_total": 24 << 30, "memory_used": 300 << 20,
            "memory_free": (24 << 30) - (300 << 20), "processes": []}


def host(gpus=1, module=DRIVER, library=DRIVER):
    """A healthy host: driver, nodes, libraries behind links, answers."""
    tree = no_gpu()
    for i in range(gpus):
        pci = "sys/bus/pci/devices/0000:%02x:00.0/" % (i + 1)
        tree.update({pci + "vendor": "0x10de\n", pci + "class": "0x030200\n", pci + "numa_node": "0\n",
                     "dev/nvidia%d" % i: ""})
    tree.update({
        "sys/module/nvidia/version": module + "\n", "dev/nvidiactl": "", "dev/nvidia-uvm": "",
        "etc/docker/daemon.json": '{"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}\n',
        "usr/bin/nvidia-ctk": "", "dev/kmsg": "6,1,2,-;NVRM: loading NVIDIA UNIX x86_64 Kernel Module\n",
    })
    for name in ("libcuda.so", "libnvidia-ml.so"):
        tree["%s/%s.%s" % (LIBRARIES, name, library)] = ""
        tree["%s/%s.1" % (LIBRARIES, name)] = Link("%s.%s" % (name, library))
    nodes = ["/dev/nvidiactl", "/dev/nvidia-uvm"] + ["/dev/nvidia%d" % i for i in range(gpus)]
    tree[FACTS].update({
        "nodes": {node: {"errno": 0, "mode": "0666", "group": 0} for node in nodes},
        "nvml": {"init": 0, "error_string": "done", "driver_version": library, "version": "12." + library,
                 "count": gpus, "devices": [device(i) for i in range(gpus)]},
        "cuda": {"init": 0, "error_string": "done", "driver_version": 12080, "count": gpus,
                 "devices": [{"uuid": UUIDS[i], "name": "NVIDIA RTX A5000", "capability": "8.6",
                              "address": "0000:%02x:00.0" % (i + 1)} for i in range(gpus)]},
    })
    tree[FACTS]["engines"]["cuda"] = {
        "engine": "cuda", "versions": {"cudart": "12.4", "cudnn": "9.8.0"}, "precisions": ["f32", "tf32", "f16", "bf16"],
        "devices": [{"id": "cuda:%d" % i, "name": "NVIDIA RTX A5000"} for i in range(gpus)]}
    return tree


def smoke_expected():
    """What the network of the smoke test must give: three lists of 48."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "configs", "models", "smoke.yaml")
    with open(path, encoding="utf-8") as f:
        return [json.loads("[%s]" % part.replace("]", "")) for part in f.read().split("expected:")[1].split("- [")[1:]]


def smoked(tree, engine="cuda", device_id="cuda:0", **more):
    """An engine that gives on its device what it must."""
    answer = {"precision": "f32", "first_use_ms": 12.5, "image_ms": 0.25,
              "images": [{"finite": True, "values": values} for values in smoke_expected()],
              "batch": [{"finite": True, "rel_l2": 1e-7, "mask": 0.0} for _ in range(3)]}
    if device_id.startswith("cuda"):
        answer.update(memory_before=300 << 20, memory_during=800 << 20,
                      under_load=dict(device(0), sm_mhz=2010, link_generation=4, link_generation_max=4, replays=0))
    answer.update(more)
    return changed(tree, facts={"smoke": {engine: {device_id: answer}}})


def container(**more):
    """The same inside a container."""
    tree = changed(host(**more), "etc/docker", "usr/bin/nvidia-ctk", files={".dockerenv": ""})
    return tree


def nvml_fails(tree, code, text="as the library says", **more):
    """NVML's first call fails, and CUDA's then too."""
    return changed(tree, facts={"nvml|init": code, "nvml|error_string": text, "nvml|calling": "nvmlInit_v2",
                                "nvml|devices": [], "nvml|count": None, "cuda|devices": [], "cuda|init": 999,
                                "cuda|count": None, **more})


def cuda_fails(tree, code, text="as the library says"):
    return changed(tree, facts={"cuda|init": code, "cuda|error_string": text, "cuda|calling": "cuInit",
                                "cuda|devices": [], "cuda|count": None})


def worker_fails(tree, code, message, api="cuda", kind="environment"):
    return changed(tree, facts={"engines|cuda": {"error": {"kind": kind, "message": message, "api": api,
                                                           "code": code}}})


def of_device(tree, gpu=0, **fields):
    return changed(tree, facts={"nvml|devices|%d|%s" % (gpu, name.replace("__", "@")): value
                                for name, value in fields.items()})
