#include "kernels/graph/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"
#include "kernels/graph/append.h"

struct graph *graph_new(const char *model)
{
    struct graph *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->failed.status = ST_OK;
    g->output = GRAPH_NONE;
    if (strlen(model) >= sizeof g->model)
        graph_fail(g, ST_MODEL, "the model name %s is longer than %zu bytes", model, sizeof g->model - 1);
    snprintf(g->model, sizeof g->model, "%s", model);
    return g;
}

void graph_free(struct graph *g)
{
    if (!g)
        return;
    free(g->nodes);
    free(g->params);
    free(g->marks);
    free(g);
}

int graph_fail(struct graph *g, enum status st, const char *format, ...)
{
    if (g->failed.status != ST_OK)
        return GRAPH_NONE;
    va_list args;
    va_start(args, format);
    char text[ERR_TEXT_MAX / 2];
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err_set(&g->failed, st, "%s: %s", g->model, text);
    return GRAPH_NONE;
}

bool graph_has_nodes(struct graph *g, enum graph_op op, const int *src, int count)
{
    for (int i = 0; i < count; i++)
        if (src[i] < 0 || src[i] >= g->node_count) {
            graph_fail(g, ST_INTERNAL, "%s reads node %d, there are %d", graph_op_name(op), src[i],
                       g->node_count);
            return false;
        }
    return true;
}

/* Room for one more item: the arrays have the capacity of the next power of two, so the
 * count alone tells it. */
static void *grown(void *items, int count, size_t item_bytes)
{
    if (count > 0 && (count & (count - 1)) != 0)
        return items;
    return realloc(items, (count == 0 ? 1 : 2 * (size_t)count) * item_bytes);
}

int graph_append(struct graph *g, const struct node *n)
{
    struct node *nodes = grown(g->nodes, g->node_count, sizeof *nodes);
    if (!nodes)
        return graph_fail(g, ST_OUT_OF_MEMORY, "no memory for node %d", g->node_count);
    g->nodes = nodes;
    g->nodes[g->node_count] = *n;
    return g->node_count++;
}

int graph_append_param(struct graph *g, const char *name, const char *suffix, enum param_kind kind, int rank,
                       const int *dims)
{
    struct param *params = grown(g->params, g->param_count, sizeof *params);
    if (!params)
        return graph_fail(g, ST_OUT_OF_MEMORY, "no memory for parameter %d", g->param_count);
    g->params = params;
    struct param p = { .kind = kind, .rank = rank, .count = 1 };
    snprintf(p.name, sizeof p.name, "%s%s%s", name, *suffix ? "." : "", suffix);
    for (int i = 0; i < rank; i++) {
        p.dims[i] = dims[i];
        p.count *= (size_t)dims[i];
    }
    g->params[g->param_count] = p;
    return g->param_count++;
}

void graph_mark(struct graph *g, const char *name, int node)
{
    if (node < 0 || node >= g->node_count) {
        graph_fail(g, ST_INTERNAL, "mark %s names node %d, there are %d", name, node, g->node_count);
        return;
    }
    struct graph_mark *marks = grown(g->marks, g->mark_count, sizeof *marks);
    if (!marks) {
        graph_fail(g, ST_OUT_OF_MEMORY, "no memory for mark %s", name);
        return;
    }
    g->marks = marks;
    struct graph_mark *m = &g->marks[g->mark_count++];
    snprintf(m->name, sizeof m->name, "%s", name);
    m->node = node;
}

enum status graph_finish(struct graph *g, int output, struct err *err)
{
    if (g->failed.status == ST_OK && (output < 0 || output >= g->node_count))
        graph_fail(g, ST_INTERNAL, "the output is node %d, there are %d", output, g->node_count);
    if (g->failed.status != ST_OK)
        return err_set(err, g->failed.status, "%s", g->failed.text);
    g->output = output;
    return ST_OK;
}

static const struct graph_mark *find_mark(const struct graph *g, const char *name)
{
    for (int i = 0; i < g->mark_count; i++)
        if (strcmp(g->marks[i].name, name) == 0)
            return &g->marks[i];
    return NULL;
}

static enum status unknown_mark(const struct graph *g, const char *until, struct err *err)
{
    const char **names = malloc(sizeof *names * (size_t)(g->mark_count > 0 ? g->mark_count : 1));
    if (!names)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %d names of modules", g->mark_count);
    for (int i = 0; i < g->mark_count; i++)
        names[i] = g->marks[i].name;
    const char *near = text_nearest(until, names, (size_t)g->mark_count);
    if (!near && g->mark_count > 0)
        near = names[0];
    enum status st = near ? err_set(err, ST_INVALID,
                                    "%s has no module \"%s\" to end after; there is, for example, "
                                    "\"%s\"",
                                    g->model, until, near)
                          : err_set(err, ST_INVALID, "%s has no modules to end after", g->model);
    free(names);
    return st;
}

/* Moves the wanted nodes to the front and renames every reference; new_index[i] is
 * GRAPH_NONE for dropped ones. */
static void keep_nodes(struct graph *g, const bool *wanted, int *new_index)
{
    int kept = 0;
    for (int i = 0; i < g->node_count; i++) {
        new_index[i] = wanted[i] ? kept : GRAPH_NONE;
        if (!wanted[i])
            continue;
        struct node n = g->nodes[i];
        for (int k = 0; k < n.inputs; k++)
            n.in[k] = new_index[n.in[k]];
        g->nodes[kept++] = n;
    }
    g->node_count = kept;
    int marks = 0;
    for (int i = 0; i < g->mark_count; i++)
        if (wanted[g->marks[i].node]) {
            g->marks[marks] = g->marks[i];
            g->marks[marks].node = new_index[g->marks[i].node];
            marks++;
        }
    g->mark_count = marks;
}

static enum status drop_unread(struct graph *g, struct err *err)
{
    const size_t count = (size_t)g->node_count;
    bool *wanted = calloc(count, sizeof *wanted);
    int *new_index = malloc(count * sizeof *new_index);
    enum status st = ST_OK;
    if (!wanted || !new_index) {
        st = err_set(err, ST_OUT_OF_MEMORY, "no memory to cut %s", g->model);
        goto out;
    }
    wanted[g->output] = true;
    for (int i = g->node_count - 1; i >= 0; i--)
        for (int k = 0; wanted[i] && k < g->nodes[i].inputs; k++)
            wanted[g->nodes[i].in[k]] = true;
    keep_nodes(g, wanted, new_index);
    g->output = new_index[g->output];
out:
    free(new_index);
    free(wanted);
    return st;
}

enum status graph_cut(struct graph *g, const char *until, struct err *err)
{
    const struct graph_mark *mark = find_mark(g, until);
    if (!mark)
        return unknown_mark(g, until, err);
    g->output = mark->node;
    return drop_unread(g, err);
}
