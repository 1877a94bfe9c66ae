#include "bench/queue/arrivals.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/base/rng.h"
#include "kernels/base/text.h"

void arrivals_free(struct arrivals_set *a)
{
    free(a->block);
    *a = (struct arrivals_set){ 0 };
}

/* Room for `ways` different lists of arrivals and one of draws for each seed. */
static enum status make_room(struct arrivals_set *out, size_t count, size_t ways, struct err *err)
{
    *out = (struct arrivals_set){ .count = count };
    out->block = malloc((ways + ARRIVALS_SEEDS) * count * sizeof *out->block);
    if (!out->block)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu arrivals", count);
    for (size_t i = 0; i < ARRIVALS_SEEDS; i++) {
        out->uniform[i] = out->block + i * count;
        out->at[i] = out->block + (ARRIVALS_SEEDS + (i < ways ? i : 0)) * count;
    }
    return ST_OK;
}

enum status arrivals_random(struct arrivals_set *out, size_t count, uint64_t first_seed, struct err *err)
{
    enum status st = make_room(out, count, ARRIVALS_SEEDS, err);
    for (size_t s = 0; s < ARRIVALS_SEEDS && st == ST_OK; s++) {
        struct rng r = rng_seeded(first_seed + s);
        double now = 0;
        for (size_t i = 0; i < count; i++) {
            now -= log(rng_uniform(&r));
            out->at[s][i] = now;
            out->uniform[s][i] = rng_uniform(&r);
        }
    }
    return st;
}

/* --- a recorded trace ----------------------------------------------------------------------------------- */

struct trace {
    const char *path;
    FILE  *file;
    double *offset_s;                /* [count] */
    size_t count, room;
    long   line;
};

static enum status keep(struct trace *t, double offset_s, struct err *err)
{
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 1024;
        double *moved = realloc(t->offset_s, room * sizeof *moved);
        if (!moved)
            return err_set(err, ST_OUT_OF_MEMORY, "%s: not enough memory for %zu arrivals", t->path, room);
        t->offset_s = moved;
        t->room = room;
    }
    t->offset_s[t->count++] = offset_s;
    return ST_OK;
}

static enum status take_line(struct trace *t, char *text, struct err *err)
{
    double offset_s;
    text[strcspn(text, "\r\n")] = 0;
    char *first = text + strspn(text, " \t"), *end = first + strlen(first);
    while (end > first && strchr(" \t", end[-1]))
        *--end = 0;
    if (!*first || *first == '#')
        return ST_OK;
    if (text_real(&offset_s, first) != 0 || offset_s < 0)
        return err_set(err, ST_CONFIG, "%s:%ld: an offset in seconds >= 0 is expected, got \"%.40s\"",
                       t->path, t->line, first);
    if (t->count && offset_s < t->offset_s[t->count - 1])
        return err_set(err, ST_CONFIG, "%s:%ld: offsets must ascend, %.17g comes after %.17g: sort the file",
                       t->path, t->line, offset_s, t->offset_s[t->count - 1]);
    if (t->count == ARRIVALS_TRACE_MAX)
        return err_set(err, ST_CONFIG, "%s:%ld: more than %d arrivals: cut the trace", t->path, t->line,
                       ARRIVALS_TRACE_MAX);
    return keep(t, offset_s, err);
}

static enum status take_lines(struct trace *t, struct err *err)
{
    char text[256];
    enum status st = ST_OK;
    while (st == ST_OK && fgets(text, sizeof text, t->file)) {
        t->line++;
        if (!strchr(text, '\n') && !feof(t->file))
            return err_set(err, ST_CONFIG, "%s:%ld: the line is too long for an offset in seconds", t->path,
                           t->line);
        st = take_line(t, text, err);
    }
    if (st == ST_OK && ferror(t->file))
        return err_set(err, ST_IO, "%s: cannot be read: %s", t->path, strerror(errno));
    return st;
}

static enum status open_trace(struct trace *t, struct err *err)
{
    struct stat info;
    if (stat(t->path, &info) == 0 && !S_ISREG(info.st_mode))
        return err_set(err, ST_IO, "%s: a file with one offset in seconds a line is expected, this is none",
                       t->path);
    t->file = fopen(t->path, "r");
    return t->file ? ST_OK : err_set(err, ST_IO, "%s: cannot be read: %s", t->path, strerror(errno));
}

enum status arrivals_of(struct arrivals_set *out, const double *offset_s, size_t count, uint64_t first_seed,
                        struct err *err)
{
    double span_s = count ? offset_s[count - 1] - offset_s[0] : 0;
    *out = (struct arrivals_set){ 0 };
    if (!(span_s > 0))
        return err_set(err, ST_USAGE, "at least two different offsets are needed, %zu arrival%s", count,
                       count == 1 ? " is given" : "s are given");
    enum status st = make_room(out, count, 1, err);
    if (st != ST_OK)
        return st;
    out->trace_rate = (double)(count - 1) / span_s;
    for (size_t i = 0; i < count; i++)
        out->at[0][i] = (offset_s[i] - offset_s[0]) * out->trace_rate;
    for (size_t s = 0; s < ARRIVALS_SEEDS; s++) {
        struct rng r = rng_seeded(first_seed + s);
        for (size_t i = 0; i < count; i++)
            out->uniform[s][i] = rng_uniform(&r);
    }
    return ST_OK;
}

enum status arrivals_read(struct arrivals_set *out, const char *path, uint64_t first_seed, struct err *err)
{
    struct err own;
    err = err ? err : &own;
    struct trace t = { .path = path };
    *out = (struct arrivals_set){ 0 };
    enum status st = open_trace(&t, err);
    if (st == ST_OK)
        st = take_lines(&t, err);
    if (st == ST_OK)
        st = arrivals_of(out, t.offset_s, t.count, first_seed, err);
    if (st == ST_USAGE) {
        err_prefix(err, "%s", path);
        st = err->status = ST_CONFIG;
    }
    if (t.file)
        fclose(t.file);
    free(t.offset_s);
    return st;
}
