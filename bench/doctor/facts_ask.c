/* The answers of this machine: environment, user, and one child process for each question that may block. */
#include "bench/doctor/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/config/config.h"
#include "bench/doctor/ask.h"
#include "bench/doctor/child.h"
#include "bench/doctor/smoke.h"

extern char **environ;

static json_t *environment_json(void)
{
    json_t *out = json_object();
    for (char **variable = environ; *variable; variable++) {
        char name[256];
        const size_t size = strcspn(*variable, "=");
        if (size >= sizeof name || (*variable)[size] != '=')
            continue;
        snprintf(name, sizeof name, "%.*s", (int)size, *variable);
        json_object_set_new(out, name, json_string(*variable + size + 1)); /* NULL if no UTF-8: left out */
    }
    return out;
}

/* All questions of one run, and what each is about. */
struct questions {
    struct child children[CHILDREN_MAX];
    size_t count;
    const char *part[CHILDREN_MAX];  /* "nvml" */
    const char *engine[CHILDREN_MAX]; /* name; NULL: none */
    const char *paths[FACTS_NODES + 1];
    struct ask_nodes nodes;
    struct engine_config *engines;
    size_t engine_count;
};

static void add(struct questions *q, const char *part, void (*work)(int fd, const void *context),
                const void *context, unsigned limit_s)
{
    if (q->count == CHILDREN_MAX)
        return;
    q->part[q->count] = part;
    q->children[q->count++] =
        (struct child){ .work = work, .context = context, .limit_ns = limit_s * CHILD_S };
}

static enum status add_engines(struct questions *q, struct facts *f, struct err *err)
{
    const enum status st = engine_config_list(&q->engines, &q->engine_count, err);
    if (st != ST_OK) { /* a broken file is a finding, not the end of the doctor */
        json_object_set_new(f->answers, "engines_absent", json_string(err->text));
        return ST_OK;
    }
    for (size_t i = 0; i < q->engine_count; i++) {
        const size_t before = q->count;
        add(q, "engines", ask_engine, &q->engines[i], FACTS_ENGINE_LIMIT_S);
        if (q->count > before)
            q->engine[before] = q->engines[i].name;
    }
    return ST_OK;
}

static void add_nodes(struct questions *q, const struct facts *f)
{
    for (size_t i = 0; i < f->node_count; i++)
        q->paths[i] = f->nodes[i].path;
    q->nodes = (struct ask_nodes){ .paths = q->paths };
    add(q, "nodes", ask_nodes, &q->nodes, FACTS_LIMIT_S);
}

static void mark(const struct child *c)
{
    if (c->late)
        json_object_set_new(c->answer, "hang", json_true());
    else if (c->crashed)
        json_object_set_new(c->answer, "crashed", json_true());
}

/* What an engine's child said; a child that did not come back has no answer to show. */
static json_t *engine_answer(const struct child *c)
{
    json_t *answer = json_object_get(c->answer, "engine");
    if (answer)
        return json_incref(answer);
    return json_pack("{s:{s:s, s:s}}", "error", "kind", "no_answer", "message",
                     c->late ? "the worker neither answered nor could it be ended"
                             : "the worker could not be asked");
}

static void take(struct facts *f, struct questions *q)
{
    json_t *engines = json_object();
    for (size_t i = 0; i < q->count; i++) {
        struct child *c = &q->children[i];
        if (q->engine[i])
            json_object_set_new(engines, q->engine[i], engine_answer(c));
        else {
            mark(c);
            json_object_set(f->answers, q->part[i], c->answer);
        }
        json_decref(c->answer);
    }
    if (q->engine_count)
        json_object_set(f->answers, "engines", engines);
    json_decref(engines);
}

enum status facts_ask(struct facts *f, const char *store_dir, unsigned parts,
                      const volatile sig_atomic_t *interrupt, struct err *err)
{
    struct questions *q = calloc(1, sizeof *q);
    f->answers = json_pack("{s:o, s:I}", "env", environment_json(), "uid", (json_int_t)geteuid());
    if (!q || !f->answers) {
        free(q);
        return err_set(err, ST_INTERNAL, "not enough memory to ask the machine");
    }
    if (parts & FACTS_NODES_OPEN)
        add_nodes(q, f);
    if (parts & FACTS_NVML)
        add(q, "nvml", ask_nvml, NULL, FACTS_LIMIT_S);
    if (parts & FACTS_CUDA)
        add(q, "cuda", ask_cuda, NULL, FACTS_LIMIT_S);
    if (parts & FACTS_STORE && store_dir)
        add(q, "store", ask_store, store_dir, FACTS_LIMIT_S);
    enum status st = parts & FACTS_ENGINES ? add_engines(q, f, err) : ST_OK;
    children_run(q->children, q->count, interrupt);
    take(f, q);
    if (st == ST_OK && parts & FACTS_SMOKE)
        json_object_set_new(f->answers, "smoke", smoke_run(q->engines, q->engine_count,
                                                           json_object_get(f->answers, "engines"), interrupt));
    for (size_t i = 0; i < q->engine_count; i++)
        engine_config_free(&q->engines[i]);
    free(q->engines);
    free(q);
    if (interrupt && *interrupt)
        st = err_set(err, ST_INTERRUPTED, "interrupted while the machine was asked");
    return st;
}
