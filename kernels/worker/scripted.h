/* scripted.h - the engine whose times, memory, errors and output come from a YAML script, in real or virtual
 * time. It computes nothing and measures nothing: it is what everything above an engine is tested with.
 *
 * The script is the file of `--script` or of load's option `script`. Every key may be left out. Durations
 * carry their unit (`2ms`), sizes too (`64MiB`), shares are `0.05` or `5%`. Unknown keys, wrong types and
 * values out of range are refused with file:line:column.
 *
 *   seed: 1                    of noise and spikes. The same script, seed and calls give the same virtual times
 *   time: virtual              or real: iterations then really last as long. In virtual time nothing waits. Or
 *                              busy: they take so much of a processor's time, longer where somebody takes it away
 *   load: 50ms                 time of `load`
 *   prepare: 5ms               time of `prepare` before the first iteration
 *   first: 1                   the first iteration of a size takes so many times its time
 *   curve:                     speed over batch size: one of
 *     images_per_s: {1: 100, 8: 400}   a map, straight lines between its sizes, level outside; or a list for 1, 2, 3 ...
 *     fixed: 2ms                       or fixed + batch x per_image
 *     per_image: 3ms
 *   speed: {bf16: 2.0, hrnet: 0.5}     factors on the speed where precision, model or device has that name
 *   stages: {h2d: 5%, d2h: 5%}         shares of an iteration; the rest computes. Left out: no stages are reported
 *   noise:                     list; added to ln(speed)
 *     - {kind: normal, sigma: 0.01, per: iteration}
 *     - {kind: ar1, sigma: 0.012, rho: 0.97, per: block}   sigma is the stationary one
 *   drift:                     list; added to ln(speed); t counts iterations, blocks or seconds of this process from 0
 *     - {kind: settle, size: -0.06, over: 60, per: block}  size (1 - exp(-t / over))
 *     - {kind: line, size: -0.06, over: 60, per: second}   size t / over
 *   spikes:                    list; with this probability ln(speed) loses size + spread U, U uniform in (0,1)
 *     - {probability: 4%, size: 0.05, spread: 0.15, per: block}
 *   throttle:                  list; `run` requests from..to (counted from 1; to 0: for ever), of these every n-th
 *     - {from: 10, to: 20, every: 1, factor: 0.7, telemetry: {throttled_usec: 5000}}
 *     - {batch: 4, after: 90s, factor: 0.8}   of one size; only in processes that load at this virtual time or later
 *   telemetry: {steal: 0}      members of `telemetry` in every `run` answer; throttle's replace them. Left out: none
 *   memory:
 *     fixed: 100MiB            after load
 *     per_image: 10MiB         held per prepared image
 *     peak_factor: 1.0         what is really needed of it, against what `prepare` plans
 *     limit: 0                 a `prepare` that would need more is refused; 0: no limit
 *     fails: [16]              sizes that are refused whatever they need
 *     on_limit: error          out_of_memory; or kill: as the kernel's out-of-memory killer does
 *     hold: 0                  bytes really touched before that kill
 *   can: [output, memory]      abilities; left out: output, memory, stages (if any) and profile (if layers are given)
 *   precisions: [f32, bf16]
 *   devices: [cpu:0]
 *   device_memory: 16GiB
 *   device_uuid: GPU-...       of the first device; left out: it has none
 *   clock_skew: 1.0            the clock of iterations runs so many times as fast as time
 *   output:
 *     channels: 1              of the result; each pixel is a function of the same pixel of the input
 *     error: {bf16: 0.02}      relative L2 error per precision against f32
 *   layers:                    list; what `profile` reports, shares of an iteration
 *     - {name: conv1, op: conv, share: 60%, flops: 1000000, bytes: 4000, implementation: scripted}
 *   faults:                    list; see below
 *     - {at: run, call: 3, do: crash}
 *
 * A fault: `at` load, prepare, run, iteration, memory, output or profile; at the `call`-th such call of this
 * process (from 1; of size `batch` alone if that is given), for `times` calls (0: for ever, default 1), `do`:
 *   crash   raise `signal` (11)                       exit    exit with `code` (1)
 *   kill    SIGKILL, after `hold` bytes were touched  hang    wait for ever; virtual time: for `lasts` (1h)
 *   garbage write `text` on the protocol's output     error   answer with the error `kind` (internal) and `message`
 *   stubborn like hang, SIGTERM ignored
 * and at run or iteration: short (one image too few comes out of the engine), other_batch (another batch is
 * executed); at run: claim_outputs, claim_batch, claim_count, claim_time (the answer says another number of
 * images, batch, number of iterations, or times longer than its block); at output: nan, swap (the first two
 * images change places), zero. With `once: PATH` a fault happens only while PATH does not exist, and makes
 * it: a fresh process does not repeat it. With `after: 90s` it happens only in processes that load at this virtual
 * time or later. */
#ifndef WORKER_SCRIPTED_H
#define WORKER_SCRIPTED_H

#include "kernels/worker/engine.h"

/* struct engine.context of a scripted engine. */
struct scripted_context {
    const char *script_path; /* NULL: load's option `script` must name it */
    int answer_fd;           /* where garbage goes; -1: nowhere */
};

/* The engine; a worker copies it and sets context. Its statuses for a broken script: ST_CONFIG, ST_IO. */
extern const struct engine scripted_engine;

#endif
