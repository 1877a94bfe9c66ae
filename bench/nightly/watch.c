#include "bench/nightly/watch.h"

#include <stdlib.h>
#include <string.h>

#include "bench/output/batch_sizes_entry.h"

static void add_size(struct watch_target *w, int batch)
{
    size_t i = w->count;
    for (size_t k = 0; k < w->count; k++)
        if (w->batches[k] == batch)
            return;
    if (batch < 1 || w->count == MOVED_POINTS_MAX)
        return;
    for (; i > 0 && w->batches[i - 1] > batch; i--)
        w->batches[i] = w->batches[i - 1];
    w->batches[i] = batch;
    w->count++;
}

/* The nearest size on one side that has a value. */
static int neighbour(const struct target_view *t, int batch, int side)
{
    int found = 0;
    for (size_t i = 0; i < t->point_count; i++) {
        const struct point_view *p = &t->points[i];
        if (!p->has_estimate || (p->batch - batch) * side <= 0)
            continue;
        if (!found || (side < 0 ? p->batch > found : p->batch < found))
            found = p->batch;
    }
    return found;
}

static void watch_sizes(struct watch_target *w, const struct target_view *t)
{
    int chosen = t->decision.optimal;
    *w = (struct watch_target){ .view = t, .within = t->decision.x };
    add_size(w, chosen);
    add_size(w, t->decision.leader);
    add_size(w, neighbour(t, chosen, -1));
    add_size(w, neighbour(t, chosen, 1));
    while (w->batches[w->chosen] != chosen)
        w->chosen++;
}

static bool is_first_of_model(const struct campaign *tune, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(tune->targets[i].row.model, tune->targets[at].row.model) == 0)
            return false;
    return true;
}

bool watch_asks(const struct watch_source *source, const char *model)
{
    for (size_t i = 0; i < source->model_count; i++)
        if (strcmp(source->models[i], model) == 0)
            return true;
    return source->model_count == 0;
}

static enum status add_source(struct watch *out, const struct watch_source *source, struct err *err)
{
    const struct campaign *tune = source->tune;
    struct config any = *source->config;
    any.allow_scripted = true; /* may be watched, whatever may be written */
    enum status st = ST_OK;
    for (size_t i = 0; i < tune->target_count && st == ST_OK; i++) {
        struct notes notes = { 0 };
        struct pick pick;
        if (!is_first_of_model(tune, i) || !watch_asks(source, tune->targets[i].row.model))
            continue;
        st = pick_target(&pick, tune, &any, tune->targets[i].row.model, &notes, err);
        notes_free(&notes);
        if (st != ST_OK || !pick.target || pick.target->decision.optimal <= 0)
            continue;
        watch_sizes(&out->targets[out->count], pick.target);
        out->targets[out->count++].source = source;
    }
    return st;
}

enum status watch_make(struct watch *out, const struct watch_source *sources, size_t source_count,
                       struct err *err)
{
    size_t most = 0;
    for (size_t i = 0; i < source_count; i++)
        most += sources[i].tune->target_count;
    *out = (struct watch){ .targets = calloc(most + 1, sizeof *out->targets) };
    enum status st = out->targets ? ST_OK
                                  : err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the watch set");
    for (size_t i = 0; i < source_count && st == ST_OK; i++)
        st = add_source(out, &sources[i], err);
    if (st == ST_OK && out->count == 0)
        st = err_set(err, ST_CONFIG,
                     "campaign %s decided no batch size that could be watched: run bench tune first",
                     sources[0].tune->run.name);
    if (st != ST_OK)
        watch_free(out);
    return st;
}

void watch_free(struct watch *w)
{
    free(w->targets);
    *w = (struct watch){ 0 };
}
