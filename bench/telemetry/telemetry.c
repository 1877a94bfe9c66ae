#include "bench/telemetry/telemetry.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/telemetry/probe.h"
#include "kernels/base/procfs.h"

enum merge { SUM, MOST, MEAN };
static const struct {
    const char *name, *source;
    enum merge merge;
} fields[TELEMETRY_COUNT] = {
#define X(id, field_name, field_source, merged) [TELEMETRY_##id] = { field_name, field_source, merged },
    TELEMETRY_LIST(X)
#undef X
};

struct telemetry {
    char *root;
    struct probe probe;
    struct snapshot before, after;
    char perf_absent[PROCFS_REASON];
};

const char *telemetry_name(enum telemetry_field field)
{
    return fields[field].name;
}

static void open_perf(struct telemetry *t)
{
    int error = ENOENT; /* a tree of files has no processor to count */
    if (!*t->root)
        t->probe.perf = perf_open(t->probe.pid, &error);
    if (!t->probe.perf)
        procfs_reason(t->perf_absent, error);
}

enum status telemetry_open(struct telemetry **out, const char *root, pid_t pid, struct err *err)
{
    *out = NULL;
    struct telemetry *t = calloc(1, sizeof *t);
    if (!t || !(t->root = strdup(root ? root : ""))) {
        free(t);
        return err_set(err, ST_OUT_OF_MEMORY, "telemetry of process %ld: out of memory", (long)pid);
    }
    if (!probe_open(&t->probe, t->root, pid)) {
        telemetry_close(t);
        return err_set(err, ST_OUT_OF_MEMORY, "telemetry of process %ld: out of memory", (long)pid);
    }
    open_perf(t);
    probe_read(&t->before, &t->probe); /* the first use of an instrument is not in a block */
    *out = t;
    return ST_OK;
}

void telemetry_close(struct telemetry *t)
{
    if (!t)
        return;
    probe_close(&t->probe);
    free(t->root);
    free(t);
}

void telemetry_begin(struct telemetry *t)
{
    probe_read(&t->before, &t->probe);
}

/* --- a block -------------------------------------------------------------------------------------------- */

static bool is_value_at_end(enum telemetry_field field)
{
    return field == TELEMETRY_RSS_BYTES || field == TELEMETRY_PEAK_RSS_BYTES ||
           field == TELEMETRY_CLOCK_KHZ || field == TELEMETRY_WORKER_THREADS;
}

static void fill_field(struct telemetry_block *out, enum telemetry_field field, const struct snapshot *before,
                       const struct snapshot *after)
{
    const struct reading *a = &before->field[field], *b = &after->field[field];
    const bool at_end = is_value_at_end(field);
    snprintf(out->field[field].source, sizeof out->field[field].source, "%s", fields[field].source);
    if (!b->known || (!at_end && !a->known)) {
        snprintf(out->field[field].absent, sizeof out->field[field].absent, "%s",
                 b->known ? a->absent : b->absent);
        return;
    }
    out->field[field].known = true;
    /* a thread that ended takes its counts with it */
    out->field[field].number = at_end ? b->number : fmax(0, b->number - a->number);
}

/* Names the level that was throttled most: whose quota it is. */
static void name_level(struct telemetry_block *out, const struct telemetry *t)
{
    int most = -1;
    uint64_t usec = 0;
    for (int i = 0; i < t->probe.level_count; i++)
        if (t->after.level_usec[i] > t->before.level_usec[i] &&
            t->after.level_usec[i] - t->before.level_usec[i] > usec) {
            usec = t->after.level_usec[i] - t->before.level_usec[i];
            most = i;
        }
    if (most < 0)
        return;
    const char *path = t->probe.levels[most].path;
    for (int i = TELEMETRY_NR_THROTTLED; i <= TELEMETRY_THROTTLED_USEC; i++)
        snprintf(out->field[i].source, sizeof out->field[i].source, "cgroup cpu.stat of %.100s",
                 *path ? path : "/");
}

static void fill_perf(struct telemetry_block *out, const struct telemetry *t)
{
    const struct perf_count *a = &t->before.perf, *b = &t->after.perf;
    const bool known = t->probe.perf && a->known && b->known && b->reference > a->reference &&
                       b->enabled_ns > a->enabled_ns;
    const double values[2] = { known ? (b->cycles - a->cycles) / (b->reference - a->reference) : 0,
                               known ? (b->running_ns - a->running_ns) / (b->enabled_ns - a->enabled_ns)
                                     : 0 };
    const char *absent = !t->probe.perf            ? t->perf_absent
                         : !b->known && *b->absent ? b->absent
                                                   : "not_supported";
    for (int i = 0; i < 2; i++) {
        const enum telemetry_field field = i ? TELEMETRY_PERF_SHARE : TELEMETRY_CYCLES_PER_REF;
        out->field[field].known = known;
        out->field[field].number = values[i];
        snprintf(out->field[field].absent, sizeof out->field[field].absent, "%s", known ? "" : absent);
    }
}

/* Its counters wrap each for itself. */
static void fill_energy(struct telemetry_block *out, const struct telemetry *t)
{
    const struct reading *a = &t->before.field[TELEMETRY_ENERGY_UJ], *b = &t->after.field[TELEMETRY_ENERGY_UJ];
    if (a->known && b->known)
        out->field[TELEMETRY_ENERGY_UJ].number =
            energy_between_uj(&t->probe.energy, t->before.energy_uj, t->after.energy_uj);
}

void telemetry_end(struct telemetry *t, struct telemetry_block *out)
{
    probe_read(&t->after, &t->probe);
    memset(out, 0, sizeof *out);
    for (int i = 0; i < TELEMETRY_COUNT; i++)
        fill_field(out, (enum telemetry_field)i, &t->before, &t->after);
    name_level(out, t);
    fill_perf(out, t);
    fill_energy(out, t);
    out->cpus = t->probe.cpu_count;
}

void telemetry_of_answer(struct telemetry_block *out, const json_t *object)
{
    memset(out, 0, sizeof *out);
    out->cpus = 1;
    for (int i = 0; i < TELEMETRY_COUNT; i++) {
        const json_t *value = json_object_get(object, fields[i].name);
        out->field[i].known = json_is_number(value);
        out->field[i].number = json_is_number(value) ? json_number_value(value) : 0;
        snprintf(out->field[i].absent, sizeof out->field[i].absent, "%s",
                 out->field[i].known ? "" : "not_found");
        snprintf(out->field[i].source, sizeof out->field[i].source, "worker");
    }
}

static void merge_field(struct telemetry_block *out, enum telemetry_field field,
                        const struct telemetry_block *more, size_t count)
{
    double a = out->field[field].number, b = more->field[field].number;
    if (!out->field[field].known)
        return;
    if (!more->field[field].known)
        out->field[field] = more->field[field];
    else if (fields[field].merge == MOST)
        out->field[field].number = fmax(a, b);
    else
        out->field[field].number = a + (fields[field].merge == MEAN ? b / (double)count : b);
}

void telemetry_merge(struct telemetry_block *out, const struct telemetry_block *blocks, size_t count)
{
    *out = blocks[0];
    for (int i = 0; i < TELEMETRY_COUNT && count > 1; i++) {
        if (fields[i].merge == MEAN)
            out->field[i].number /= (double)count;
        for (size_t k = 1; k < count; k++)
            merge_field(out, (enum telemetry_field)i, &blocks[k], count);
    }
    for (size_t k = 1; k < count; k++)
        out->cpus += blocks[k].cpus;
}

bool telemetry_has_energy(char *why_not, size_t size, const char *root)
{
    struct energy energy;
    uint64_t uj[ENERGY_DOMAINS_MAX];
    char reason[PROCFS_REASON];
    energy_open(&energy, root ? root : "");
    bool has = energy_read(uj, &energy);
    procfs_reason(reason, energy.error ? energy.error : EOPNOTSUPP);
    energy_close(&energy);
    if (!has && size)
        snprintf(why_not, size, "this machine tells no energy (RAPL counters in /sys/class/powercap: %s)", reason);
    return has;
}

bool telemetry_get(double *out, const struct telemetry_block *block, enum telemetry_field field)
{
    if (block->field[field].known)
        *out = block->field[field].number;
    return block->field[field].known;
}

void telemetry_rows(struct field_row rows[TELEMETRY_COUNT], const struct telemetry_block *block)
{
    for (int i = 0; i < TELEMETRY_COUNT; i++) {
        struct field_row *row = &rows[i];
        memset(row, 0, sizeof *row);
        snprintf(row->name, sizeof row->name, "%s", fields[i].name);
        snprintf(row->source, sizeof row->source, "%s", block->field[i].source);
        snprintf(row->absent, sizeof row->absent, "%s", block->field[i].absent);
        row->is_number = block->field[i].known;
        row->number = block->field[i].known ? block->field[i].number : NAN;
    }
}
