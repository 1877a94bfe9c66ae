#include "bench/replay/invented.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/len.h"
#include "kernels/base/text.h"

enum { POINTS_MAX = 10 };

static const struct invented {
    const char *name, *what;
    struct { int batch; double images_per_s; } points[POINTS_MAX]; /* ends at batch 0 */
} curves[] = {
    { "flat", "every size is as fast as the others within half a percent",
      { { 1, 99.6 }, { 2, 100 }, { 4, 99.8 }, { 8, 100 }, { 16, 99.7 }, { 32, 99.9 }, { 64, 99.8 } } },
    { "saturating", "gains shrink slowly: 16 lies just below the zone of 5 %, 32 inside it",
      { { 1, 40 }, { 2, 57.1 }, { 4, 72.7 }, { 8, 84.2 }, { 16, 91.4 }, { 32, 95.5 }, { 64, 97.7 } } },
    { "knee", "grows up to 8, flat from there on",
      { { 1, 55 }, { 2, 75 }, { 4, 90 }, { 8, 97 }, { 16, 98 }, { 32, 98.5 }, { 64, 98.5 } } },
    { "hump", "a processor's caches overflow: the best is 4, and 1 lies 4.95 % below it",
      { { 1, 96 }, { 2, 100 }, { 4, 101 }, { 8, 100.5 }, { 16, 99 }, { 32, 94 }, { 64, 88 } } },
    { "cliff", "grows up to 16 and loses 40 % right behind it",
      { { 1, 30 }, { 2, 48 }, { 4, 68 }, { 8, 86 }, { 12, 93 }, { 16, 100 }, { 17, 60 }, { 32, 62 },
        { 64, 63 } } },
    { "sawtooth", "the best is 12, between two powers of two that are 20 % and 16 % slower",
      { { 1, 50 }, { 2, 54.3 }, { 4, 62.9 }, { 8, 80 }, { 12, 100 }, { 16, 84 }, { 32, 86 }, { 64, 88 } } },
    { "dip", "8 is 15 % slower than its neighbours would have it; the best lies behind it",
      { { 1, 40 }, { 2, 57.1 }, { 4, 72.7 }, { 7, 81.5 }, { 8, 71.6 }, { 9, 85 }, { 16, 91.4 }, { 32, 95.5 },
        { 64, 97.7 } } },
    { "margin", "1 lies 5.05 % below the best: outside the zone of 5 % by less than blocks can show",
      { { 1, 94.95 }, { 2, 100 }, { 4, 99 }, { 8, 98 }, { 16, 97 }, { 32, 96 }, { 64, 95.5 } } },
};

static const struct invented *find(const char *name)
{
    for (size_t i = 0; i < LEN(curves); i++)
        if (strcmp(curves[i].name, name) == 0)
            return &curves[i];
    return NULL;
}

bool invented_is(const char *name)
{
    return find(name) != NULL;
}

static enum status refuse(const char *name, struct err *err)
{
    const char *names[LEN(curves)];
    char list[256] = "";
    for (size_t i = 0; i < LEN(curves); i++) {
        size_t used = strlen(list);
        names[i] = curves[i].name;
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", curves[i].name);
    }
    const char *near = text_nearest(name, names, LEN(curves));
    return err_set(err, ST_USAGE,
                   "--curve: no invented curve is called %s%s%s%s: allowed are %s, or the path of a CSV file",
                   name, near ? " (did you mean " : "", near ? near : "", near ? "?)" : "", list);
}

enum status invented_curve(struct recorded_curve *out, const char *name, struct err *err)
{
    const struct invented *from = find(name);
    char origin[192];
    *out = (struct recorded_curve){ 0 };
    if (!from)
        return refuse(name, err);
    snprintf(origin, sizeof origin, "invented: %s: %s", from->name, from->what);
    out->origin = strdup(origin);
    out->points = calloc(POINTS_MAX, sizeof *out->points);
    if (!out->origin || !out->points) {
        curve_free(out);
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the curve %s", name);
    }
    for (; out->count < POINTS_MAX && from->points[out->count].batch; out->count++) {
        double rate = from->points[out->count].images_per_s;
        int batch = from->points[out->count].batch;
        out->points[out->count] = (struct curve_point){ .batch = batch, .images_per_s = rate, .ran = true,
                                                        .p50_ms = 1e3 * batch / rate,
                                                        .p95_ms = 1e3 * batch / rate };
    }
    return ST_OK;
}
