#!/usr/bin/env python3
"""A network in our engine and in PyTorch on one GPU: outputs, times in blocks that take turns, peak memory.

Both have the same weights and images. Outputs are held against PyTorch's own in strict f32, by the limits of the accuracy
gate. An iteration is the same work for both: images from pinned memory, forward pass, logits back, wait. A ratio is
PyTorch's time over ours, round by round, so that a drift of the clocks meets both.

Prints lines "OUTCOME<tab>NAME<tab>DETAIL"; outcomes are note, pass, FAIL, skip. Exit code: 0 it ran to its end (a FAIL is
a line), 77 torch or its device is missing, 1 something broke; the last line of standard error says what.
"""
import argparse
import contextlib
import copy
import ctypes
import json
import os
import signal
import statistics
import subprocess
import sys
import time

# How PyTorch is run; `wanted`: the ratio that we are after.
VARIANTS = {
    "eager": {"label": "PyTorch eager", "wanted": 3.0},
    "amp": {"label": "PyTorch eager AMP channels_last", "autocast": True, "channels_last": True, "wanted": 3.0},
    "amp_nchw": {"label": "PyTorch eager AMP NCHW", "autocast": True},
    "compile": {"label": "torch.compile AMP channels_last", "autocast": True, "channels_last": True,
                "compile": "default"},
    "max_autotune": {"label": "torch.compile max-autotune AMP channels_last", "autocast": True,
                     "channels_last": True, "compile": "max-autotune", "wanted": 1.2},
}
MEMORY_WANTED = 3.0
# Of relative L2 and of the share of values on the other side of 0: as check-gpu has them.
LIMITS = {"f32": (1e-4, 0.001), "tf32": (0.03, 0.01), "f16": (0.03, 0.01), "bf16": (0.15, 0.05)}


def tell(outcome, name, detail):
    print("%s\t%s\t%s" % (outcome, name, " ".join(str(detail).split())), flush=True)


# --- our engine -----------------------------------------------------------------------------------------------------------


class Broken(Exception):
    """The worker's own sentence."""


class Ours:
    """A worker of ours that answers one request at a time."""

    def __init__(self, command):
        self.process = subprocess.Popen([command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        universal_newlines=True)
        self.id = 0

    def ask(self, op, **more):
        self.id += 1
        self.process.stdin.write(json.dumps(dict(more, id=self.id, op=op)) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Broken("%s: no answer, the worker ended with %s" % (op, self.process.wait()))
        answer = json.loads(line)
        if not answer["ok"]:
            raise Broken("%s: %s" % (op, answer["error"]["message"]))
        return answer

    def close(self):
        with contextlib.suppress(Broken, OSError):
            self.ask("quit")
        self.process.stdin.close()
        self.process.wait()


def open_ours(args):
    """(worker with its batch prepared, the answer to prepare)"""
    ours = Ours(args.worker)
    device = "cuda:0" if args.device == "cuda" else args.worker_device
    ours.ask("load", model=args.model, shape=args.shape, precision=args.precision, device=device,
             max_batch=args.batch, weights="seeded", seed=1, options=json.loads(args.options))
    return ours, ours.ask("prepare", batch=args.batch)


def bytes_of_ours(prepared):
    """Weights, arena, workspace and device copies of images and logits; the context apart, as PyTorch counts."""
    return sum(prepared["planned"].get(key) or 0 for key in ("weights", "activations", "workspace", "io"))


# --- files of f32 -----------------------------------------------------------------------------------------------------------


def write_npy(path, tensor):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }" % "".join("%d, " % n for n in tensor.shape)
    header += " " * (-(len(header) + 11) % 64) + "\n"
    tensor = tensor.detach().float().cpu().contiguous()
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        f.write(ctypes.string_at(tensor.data_ptr(), 4 * tensor.numel()))


def read_npy(torch, path, shape):
    with open(path, "rb") as f:
        data = bytearray(f.read())
    start = 10 + int.from_bytes(data[8:10], "little")
    return torch.frombuffer(data, dtype=torch.float32, offset=start).reshape(shape)


def deviation(torch, got, want):
    """(relative L2, share of values on the other side of 0), in double; infinite where anything is no number."""
    got, want = got.double().cpu(), want.double().cpu()
    if not torch.isfinite(got).all():
        return float("inf"), 1.0
    other = ((got > 0) != (want > 0)).double().mean().item()
    return ((got - want).norm() / want.norm()).item(), other


def judge(name, found, precision):
    limit = LIMITS[precision]
    good = found[0] <= limit[0] and found[1] <= limit[1]
    tell("pass" if good else "FAIL", name + " against PyTorch in strict f32",
         "relative L2 %.2e (limit %g), mask %.2e (limit %g)" % (found[0], limit[0], found[1], limit[1]))
    return good


# --- PyTorch's way ----------------------------------------------------------------------------------------------------------


class Theirs:
    """One way to run the network; call it with images on the device."""

    def __init__(self, torch, net, name, args):
        self.torch, self.args, self.how = torch, args, VARIANTS[name]
        self.name, self.label = name, self.how["label"]
        if not self.how.get("autocast"):
            self.label += {"tf32": " f32, TF32 in convolutions", "f32": " f32, no TF32"}.get(args.precision, " f32, TF32")
        self.format = torch.channels_last if self.how.get("channels_last") else torch.contiguous_format
        self.net = copy.deepcopy(net).to(memory_format=self.format)
        if self.how.get("compile"):
            self.net = torch.compile(self.net, mode=self.how["compile"])

    def __call__(self, x):
        torch, how = self.torch, self.how
        torch.backends.cudnn.allow_tf32 = self.args.precision != "f32"
        torch.backends.cuda.matmul.allow_tf32 = False
        half = torch.bfloat16 if self.args.precision == "bf16" else torch.float16
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.no_grad() if how.get("compile") else torch.inference_mode())
            if how.get("autocast"):
                stack.enter_context(torch.autocast(self.args.device, dtype=half))
            return self.net(x.contiguous(memory_format=self.format))


def synchronise(torch, args):
    if args.device == "cuda":
        torch.cuda.synchronize()


def peak_bytes(torch, run, x, weights):
    """Of one forward pass, with its weights and images."""
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    y = run(x)
    torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() - before + weights + x.numel() * x.element_size()
    del y
    return peak


class Block:
    """Iterations of PyTorch: images in, forward pass, logits out, wait."""

    def __init__(self, torch, args, x, like):
        pinned = args.device == "cuda"
        self.torch, self.args, self.x = torch, args, torch.empty_like(x)
        self.source = x.cpu().pin_memory() if pinned else x
        self.result = torch.empty(like.shape, pin_memory=pinned)
        self.events = [torch.cuda.Event(enable_timing=True) for _ in range(2)] if pinned else None

    def once(self, run):
        """(ns of all, ns of the forward pass on the device)"""
        start = time.perf_counter_ns()
        self.x.copy_(self.source, non_blocking=True)
        if self.events:
            self.events[0].record()
        y = run(self.x)
        if self.events:
            self.events[1].record()
        self.result.copy_(y, non_blocking=True)
        synchronise(self.torch, self.args)
        took = time.perf_counter_ns() - start
        return took, int(self.events[0].elapsed_time(self.events[1]) * 1e6) if self.events else took

    def run(self, run):
        samples, end = [], time.monotonic() + self.args.block_ms / 1e3
        while len(samples) < 3 or time.monotonic() < end:
            samples.append(self.once(run))
        return [s[0] for s in samples], [s[1] for s in samples]


def block_of_ours(ours, args):
    answer = ours.ask("run", batch=args.batch, min_ns=args.block_ms * 1000000, min_iterations=3, max_iterations=100000,
                      unmeasured=1)
    return answer["iteration_ns"], answer["stages"]["compute_ns"]


# --- side by side -----------------------------------------------------------------------------------------------------------


def in_turns(ours, variants, block, args):
    """{name: [(median ns of all, of the forward pass) of each round]}; "ours" is one of the names."""
    rounds = {name: [] for name in ["ours", *(v.name for v in variants)]}
    for _ in range(args.rounds):
        for name, samples in [("ours", lambda: block_of_ours(ours, args))] + [
                (v.name, lambda v=v: block.run(v)) for v in variants]:
            all_ns, compute_ns = samples()
            rounds[name].append((statistics.median(all_ns), statistics.median(compute_ns)))
    return rounds


def ratio_text(theirs, ours, which, wanted):
    ratios = sorted(t[which] / o[which] for t, o in zip(theirs, ours))
    middle = statistics.median(ratios)
    text = "%.2f x (%.2f .. %.2f)" % (middle, ratios[0], ratios[-1])
    return middle, text + (", %.1f wanted: %s" % (wanted, "reached" if middle >= wanted else "missed") if wanted else "")


def tell_times(rounds, variants, args, found):
    def text(name):
        return "%.3f ms, forward pass %.3f ms" % tuple(statistics.median(r[i] for r in rounds[name]) / 1e6 for i in (0, 1))
    what = "%s %s %dx%d batch %d" % (args.model, args.precision, *args.shape[1:], args.batch)
    tell("note", "%s: ours" % what, text("ours"))
    for v in variants:
        whole, whole_text = ratio_text(rounds[v.name], rounds["ours"], 0, v.how.get("wanted"))
        forward, forward_text = ratio_text(rounds[v.name], rounds["ours"], 1, None)
        tell("note", "%s: %s" % (what, v.label), "%s; ours is faster by %s; forward pass alone %s"
             % (text(v.name), whole_text, forward_text))
        found["ratios"][v.label] = {"all": whole, "forward": forward}
    for name, values in rounds.items():
        found["rounds"].setdefault(name, []).extend(values)


def tell_memory(torch, v, x, weights, ours_bytes, args, found):
    if args.device != "cuda":
        tell("skip", "%s: memory" % v.label, "PyTorch counts it on a GPU only")
        return
    peak = peak_bytes(torch, v, x, weights)
    ratio = peak / ours_bytes
    verdict = ", %.0f wanted: %s" % (MEMORY_WANTED, "reached" if ratio >= MEMORY_WANTED else "missed")
    tell("note", "%s %s batch %d: memory beside %s" % (args.model, args.precision, args.batch, v.label),
         "ours %.0f MB, theirs at its peak %.0f MB: %.2f x less%s" % (ours_bytes / 1e6, peak / 1e6, ratio, verdict))
    found["memory"][v.label] = {"ours_bytes": ours_bytes, "peak_bytes": peak}


class OutOfTime(Exception):
    pass


def give_up(signum, frame):
    raise OutOfTime


def compiled(torch, net, name, x, args):
    """The variant after its first run; None: it was given up, which is said."""
    v = Theirs(torch, net, name, args)
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(args.compile_limit)
    start = time.monotonic()
    try:
        for _ in range(3):
            v(x)
            synchronise(torch, args)
    except BaseException as e:  # pylint: disable=broad-except  # whatever a compiler throws
        if isinstance(e, KeyboardInterrupt):
            raise
        late = time.monotonic() - start >= args.compile_limit
        why = "given up after %d s" % args.compile_limit if late else "%s: %.300s" % (type(e).__name__, e)
        tell("skip", v.label, why)
        return None
    finally:
        signal.alarm(0)
    tell("note", v.label, "compiled in %.1f s" % (time.monotonic() - start))
    return v


def compare(torch, args, found):
    import torch_networks as networks
    config = networks.read_config(os.path.join(args.home, "configs", "models", args.model + ".yaml"))
    net, total = networks.network(config, args.device)
    weights = sum(p.numel() * p.element_size() for p in net.parameters())
    tell("note", "PyTorch's %s" % args.model, "%d parameters, their sum %.6f" % (weights // 4, total))
    images = [networks.image("input/%d" % i, args.shape, args.device) for i in range(args.batch)]
    paths = [os.path.join(args.out, "torch-image-%d.npy" % i) for i in range(args.batch)]
    for path, picture in zip(paths, images):
        write_npy(path, picture)
    x = torch.stack(images)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    with torch.inference_mode():
        want = net(x).float().cpu()
    torch.backends.cudnn.benchmark = True
    ours, prepared = open_ours(args)
    try:
        logits = os.path.join(args.out, "torch-logits.npy")
        ours.ask("output", batch=args.batch, images=paths, path=logits)
        found["deviation"] = deviation(torch, read_npy(torch, logits, want.shape), want)
        judge("%s %s %dx%d batch %d" % (args.model, args.precision, *args.shape[1:], args.batch), found["deviation"],
              args.precision)
        side_by_side(torch, net, x, want, ours, prepared, weights, args, found)
    finally:
        ours.close()
        for path in [*paths, os.path.join(args.out, "torch-logits.npy")]:
            with contextlib.suppress(OSError):
                os.remove(path)


def side_by_side(torch, net, x, want, ours, prepared, weights, args, found):
    block = Block(torch, args, x, want)
    eager = [Theirs(torch, net, name, args) for name in args.variants if not VARIANTS[name].get("compile")]
    for v in eager:
        for _ in range(3):
            y = v(x)
        tell("note", "%s against PyTorch in strict f32" % v.label, "relative L2 %.2e, mask %.2e"
             % deviation(torch, y.float(), want))
        del y
        tell_memory(torch, v, x, weights, bytes_of_ours(prepared), args, found)
    if eager:
        tell_times(in_turns(ours, eager, block, args), eager, args, found)
    for name in args.variants:  # last: it may have to be given up
        v = compiled(torch, net, name, x, args) if VARIANTS[name].get("compile") else None
        if v:
            tell("note", "%s against PyTorch in strict f32" % v.label, "relative L2 %.2e, mask %.2e"
                 % deviation(torch, v(x).float(), want))
            tell_times(in_turns(ours, [v], block, args), [v], args, found)


def names(text):
    chosen = text.split(",")
    for name in chosen:
        if name not in VARIANTS:
            raise argparse.ArgumentTypeError("%s is none of %s" % (name, ", ".join(VARIANTS)))
    return chosen


def arguments():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--home", default=os.path.dirname(os.path.dirname(here)), help="folder with configs/")
    p.add_argument("--worker", required=True, help="bench-worker-cuda")
    p.add_argument("--model", required=True, help="name of a file in configs/models")
    p.add_argument("--precision", default="f16", choices=sorted(LIMITS), help="of ours; AMP takes bf16 for bf16, else f16")
    p.add_argument("--side", type=int, default=1024, help="of the images, in pixels")
    p.add_argument("--batch", type=int, default=1, help="images at a time")
    p.add_argument("--variants", type=names, default=["amp"], help="of PyTorch: " + ", ".join(VARIANTS))
    p.add_argument("--options", default="{}", help="of our engine, as JSON")
    p.add_argument("--block-ms", type=int, default=300, help="length of one block")
    p.add_argument("--rounds", type=int, default=6, help="blocks of each")
    p.add_argument("--compile-limit", type=int, default=45, help="seconds for torch.compile")
    p.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="of PyTorch; cpu tries this program only")
    p.add_argument("--worker-device", default="cuda:0", help="of ours where PyTorch's is cpu")
    p.add_argument("--out", default=".", help="folder for the numbers as JSON and for files on the way")
    args = p.parse_args()
    args.shape = [3, args.side, args.side]
    return args


def main():
    args = arguments()
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    try:
        import torch
    except ImportError as e:
        print("torch cannot be imported: %s" % e, file=sys.stderr)
        return 77
    if args.device == "cuda" and not torch.cuda.is_available():
        print("this torch (%s) has no GPU to run on" % torch.__version__, file=sys.stderr)
        return 77
    card = torch.cuda.get_device_name(0) if args.device == "cuda" else "the processor"
    found = {"model": args.model, "precision": args.precision, "side": args.side, "batch": args.batch,
             "torch": torch.__version__, "card": card, "ratios": {}, "memory": {}, "rounds": {}}
    tell("note", "PyTorch", "%s, cuDNN %s, on %s" % (torch.__version__, torch.backends.cudnn.version(), card))
    try:
        compare(torch, args, found)
    except (Broken, RuntimeError) as e:  # of ours; of PyTorch, out of memory too
        print(" ".join(str(e).split()), file=sys.stderr)
        return 1
    finally:
        with open(os.path.join(args.out, "torch-%s-%s-%d.json" % (args.model, args.precision, args.batch)), "w",
                  encoding="utf-8") as f:
            json.dump(found, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
