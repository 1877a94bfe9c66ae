#include "bench/replay/curve.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"

enum { COLUMNS_MAX = 32, LINE_SIZE = 4096, BATCH_LIMIT = 4096 };

enum column { BATCH, IMAGES_PER_S, P50_MS, P95_MS, STATUS, ERROR, KNOWN_COLUMNS };
static const char *const column_names[KNOWN_COLUMNS] = { "batch", "images_per_s", "p50_ms", "p95_ms",
                                                         "status",
                                                         "error" };
struct reader {
    const char *path;
    int line;
    size_t at[KNOWN_COLUMNS]; /* place of the column; COLUMNS_MAX: not in the file */
    size_t columns;
    struct err *err;
};

/* Cuts a line at its commas, in place; the last of `most` takes the rest. */
static size_t cut(char *line, char *cells[], size_t most)
{
    size_t n = 0;
    char *rest = line;
    while (rest && n + 1 < most)
        cells[n++] = strsep(&rest, ",");
    if (rest)
        cells[n++] = rest;
    return n;
}

static enum status read_heading(struct reader *r, char *line)
{
    char *cells[COLUMNS_MAX];
    r->columns = cut(line, cells, COLUMNS_MAX);
    for (size_t k = 0; k < KNOWN_COLUMNS; k++) {
        r->at[k] = COLUMNS_MAX;
        for (size_t i = 0; i < r->columns; i++)
            if (strcmp(cells[i], column_names[k]) == 0)
                r->at[k] = i;
    }
    if (r->at[BATCH] == COLUMNS_MAX || r->at[IMAGES_PER_S] == COLUMNS_MAX)
        return err_set(r->err, ST_CONFIG,
                       "%s:%d: the columns batch and images_per_s must stand in the line of names",
                       r->path, r->line);
    return ST_OK;
}

static const char *cell_of(const struct reader *r, char *const cells[], size_t n, enum column column)
{
    return r->at[column] < n ? cells[r->at[column]] : "";
}

static enum status read_number(const struct reader *r, double *out, char *const cells[], size_t n,
                               enum column column)
{
    const char *text = cell_of(r, cells, n, column);
    *out = NAN;
    if (!*text)
        return ST_OK;
    if (text_real(out, text) || *out <= 0)
        return err_set(r->err, ST_CONFIG, "%s:%d: %s must be a number above 0 or empty, got \"%.60s\"",
                       r->path, r->line,
                       column_names[column], text);
    return ST_OK;
}

static enum status read_status(const struct reader *r, struct curve_point *p, const char *status,
                               const char *error)
{
    p->ran = !*status || strcmp(status, "ok") == 0;
    if (!p->ran && strcmp(status, "unstable") != 0 && strcmp(status, "failed") != 0)
        return err_set(r->err, ST_CONFIG, "%s:%d: status must be ok, unstable or failed, got \"%.60s\"",
                       r->path, r->line,
                       status);
    if (!p->ran)
        snprintf(p->note, sizeof p->note, "%s%s%.100s", status, *error ? ": " : "", error);
    if (p->ran && isnan(p->images_per_s))
        return err_set(r->err, ST_CONFIG, "%s:%d: batch %d is ok but has no images_per_s", r->path, r->line,
                       p->batch);
    return ST_OK;
}

static enum status read_point(const struct reader *r, struct recorded_curve *c, char *line)
{
    char *cells[COLUMNS_MAX];
    size_t n = cut(line, cells, r->columns);
    int64_t batch;
    const char *text = cell_of(r, cells, n, BATCH);
    struct curve_point *p = &c->points[c->count];
    if (c->count == CURVE_POINTS_MAX)
        return err_set(r->err, ST_CONFIG, "%s:%d: more than %d sizes", r->path, r->line, CURVE_POINTS_MAX);
    if (text_int(&batch, text) || batch < 1 || batch > BATCH_LIMIT)
        return err_set(r->err, ST_CONFIG, "%s:%d: batch must be 1..%d, got \"%.60s\"", r->path, r->line,
                       BATCH_LIMIT, text);
    p->batch = (int)batch;
    if (c->count && p->batch <= c->points[c->count - 1].batch)
        return err_set(r->err, ST_CONFIG, "%s:%d: batch %d does not ascend", r->path, r->line, p->batch);
    enum status st = read_number(r, &p->images_per_s, cells, n, IMAGES_PER_S);
    if (st == ST_OK)
        st = read_number(r, &p->p50_ms, cells, n, P50_MS);
    if (st == ST_OK)
        st = read_number(r, &p->p95_ms, cells, n, P95_MS);
    if (st == ST_OK)
        st = read_status(r, p, cell_of(r, cells, n, STATUS), cell_of(r, cells, n, ERROR));
    c->count += st == ST_OK;
    return st;
}

static enum status read_lines(struct reader *r, struct recorded_curve *c, FILE *file)
{
    char line[LINE_SIZE];
    bool named = false;
    enum status st = ST_OK;
    while (st == ST_OK && fgets(line, sizeof line, file)) {
        r->line++;
        if (!strchr(line, '\n') && !feof(file))
            return err_set(r->err, ST_CONFIG, "%s:%d: the line is longer than %d bytes", r->path, r->line,
                           LINE_SIZE - 2);
        line[strcspn(line, "\r\n")] = 0;
        if (line[0] == '#' && r->line == 1) {
            free(c->origin);
            c->origin = strdup(line + 1 + strspn(line + 1, " "));
            st = c->origin ? ST_OK : err_set(r->err, ST_OUT_OF_MEMORY, "not enough memory to read %s",
                                             r->path);
        } else if (line[0] && !named) {
            st = read_heading(r, line);
            named = true;
        } else if (line[0]) {
            st = read_point(r, c, line);
        }
    }
    if (st == ST_OK && ferror(file))
        return err_set(r->err, ST_IO, "%s: reading failed: %s", r->path, strerror(errno));
    if (st == ST_OK && c->count == 0)
        return err_set(r->err, ST_CONFIG, "%s: no batch size stands in it", r->path);
    return st;
}

enum status curve_read(struct recorded_curve *out, const char *path, struct err *err)
{
    struct reader r = { .path = path, .err = err };
    *out = (struct recorded_curve){ .points = calloc(CURVE_POINTS_MAX, sizeof *out->points),
                                    .origin = strdup("") };
    FILE *file = fopen(path, "r");
    enum status st = ST_OK;
    if (!file)
        st = err_set(err, ST_IO, "%s: %s", path, strerror(errno));
    else if (!out->points || !out->origin)
        st = err_set(err, ST_OUT_OF_MEMORY, "not enough memory to read %s", path);
    else
        st = read_lines(&r, out, file);
    if (file)
        fclose(file);
    if (st != ST_OK)
        curve_free(out);
    return st;
}

void curve_free(struct recorded_curve *c)
{
    free(c->origin);
    free(c->points);
    *c = (struct recorded_curve){ 0 };
}

const struct curve_point *curve_find(const struct recorded_curve *c, int batch)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->points[i].batch == batch)
            return &c->points[i];
    return NULL;
}

static double value_of(const struct curve_point *p, enum curve_value value)
{
    return value == CURVE_IMAGES_PER_S ? p->images_per_s : value == CURVE_P50_MS ? p->p50_ms : p->p95_ms;
}

double curve_value(const struct recorded_curve *c, int batch, enum curve_value value)
{
    size_t i = 0;
    while (i < c->count && c->points[i].batch < batch)
        i++;
    if (i == c->count || !c->points[i].ran)
        return NAN;
    const struct curve_point *above = &c->points[i], *below = i > 0 ? above - 1 : NULL;
    if (above->batch == batch)
        return value_of(above, value);
    if (!below || !below->ran)
        return NAN;
    double share = (double)(batch - below->batch) / (double)(above->batch - below->batch);
    return value_of(below, value) + share * (value_of(above, value) - value_of(below, value));
}
