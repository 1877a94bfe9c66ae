/* bench-worker-scripted: times, memory, errors and output from a YAML script; for tests of
 * everything above an engine. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/build.h"
#include "kernels/worker/scripted.h"
#include "kernels/worker/server.h"

static const char help[] =
    "usage: bench-worker-scripted [--script FILE.yaml] [--help] [--version]\n\n"
    "Answers the worker protocol on standard input and output as an engine that computes nothing: times, memory,\n"
    "errors and output come from a YAML script. Without one it takes 10 ms per image of virtual time.\n\n"
    "    seed: 1                          time: virtual | real\n"
    "    load: 50ms                       prepare: 5ms             first: 1 (factor of a first iteration)\n"
    "    curve: {images_per_s: {1: 100, 8: 400}}    or a list, or {fixed: 2ms, per_image: 3ms}\n"
    "    speed: {bf16: 2.0, hrnet: 0.5}   stages: {h2d: 5%, d2h: 5%}\n"
    "    noise: [{kind: normal | ar1, sigma: 0.01, rho: 0.97, per: iteration | block}]\n"
    "    drift: [{kind: settle | line, size: -0.06, over: 60, per: iteration | block | second}]\n"
    "    spikes: [{probability: 4%, size: 0.05, spread: 0.15, per: iteration | block}]\n"
    "    throttle: [{from: 10, to: 20, every: 1, factor: 0.7, telemetry: {throttled_usec: 5000}}]\n"
    "    telemetry: {steal: 0}            clock_skew: 1.0\n"
    "    memory: {fixed: 100MiB, per_image: 10MiB, peak_factor: 1.0, limit: 0, fails: [16],\n"
    "             on_limit: error | kill, hold: 0}\n"
    "    can: [output, memory]            precisions: [f32, bf16]  devices: [cpu:0]  device_memory: 16GiB\n"
    "    output: {channels: 1, error: {bf16: 0.02}}\n"
    "    layers: [{name: conv1, op: conv, share: 60%, flops: 1000000, bytes: 4000, implementation: scripted}]\n"
    "    faults:                          the call-th call (of that batch) and times - 1 more (0: all after it)\n"
    "      - {at: load | prepare | run | iteration | memory | output | profile, call: 1, times: 1, batch: 8,\n"
    "         do: crash | exit | kill | hang | stubborn | garbage | error | short | other_batch | claim_outputs |\n"
    "             claim_batch | claim_count | claim_time | nan | swap | zero,\n"
    "         signal: 11, code: 1, hold: 0, lasts: 1h, kind: internal, message: ..., text: ...,\n"
    "         once: FILE (only while it does not exist; makes it)}\n";

int main(int argc, char **argv)
{
    struct scripted_context context = { 0 };
    struct engine engine = scripted_engine;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("bench-worker-scripted %s\n", build_version());
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--script") == 0) {
        context.script_path = argv[2];
    } else if (argc != 1) {
        fprintf(stderr, "bench-worker-scripted: unknown argument %s, allowed are --script FILE, --help and --version\n",
                argv[1]);
        return 2;
    }
    context.answer_fd = worker_take_stdout();
    if (context.answer_fd < 0) {
        fprintf(stderr, "bench-worker-scripted: standard output cannot be taken: %s\n", strerror(errno));
        return 3;
    }
    engine.context = &context;
    return worker_serve(&engine, context.answer_fd);
}
