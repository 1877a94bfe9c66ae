#include "bench/measure/conformance.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure/conformance_cases.h"
#include "kernels/base/json.h"

/* hello: what the other cases need to know, and that it is complete. */
static enum status read_hello(struct probe_facts *facts, const json_t *answer, const char *precision,
                              struct err *err)
{
    const json_t *precisions = json_object_get(answer, "precisions"), *can = json_object_get(answer, "can");
    const char *first = json_string_value(json_array_get(precisions, 0));
    const char *device = json_string_value(
        json_object_get(json_array_get(json_object_get(answer, "devices"), 0), "id"));
    if (json_integer_value(json_object_get(answer, "protocol")) != 1 ||
        !json_is_string(json_object_get(answer, "engine")) ||
        !json_is_object(json_object_get(answer, "versions")))
        return err_set(err, ST_BAD_NEWS, "hello must answer protocol 1, engine and versions");
    if (!first || !device || !json_is_array(can))
        return err_set(err, ST_BAD_NEWS, "hello must answer precisions, devices with their id, and can");
    snprintf(facts->precision, sizeof facts->precision, "%s", precision ? precision : first);
    snprintf(facts->device, sizeof facts->device, "%s", device);
    for (size_t i = 0; i < json_array_size(can); i++) {
        const char *word = json_string_value(json_array_get(can, i));
        facts->can_output = facts->can_output || (word && strcmp(word, "output") == 0);
        facts->can_memory = facts->can_memory || (word && strcmp(word, "memory") == 0);
        facts->can_profile = facts->can_profile || (word && strcmp(word, "profile") == 0);
        facts->can_virtual = facts->can_virtual || (word && strcmp(word, "virtual") == 0);
    }
    return ST_OK;
}

static enum status greet(struct probe *p, struct err *err)
{
    json_t *answer = NULL;
    enum status st = probe_begin(p, PROBE_NEW, err);
    if (st == ST_OK)
        st = probe_ask(p, "{\"id\":1,\"op\":\"hello\",\"protocol\":1}", &answer, WORKER_HELLO_NS, err);
    if (st == ST_OK)
        st = probe_expect_ok(answer, 1, err);
    if (st == ST_OK)
        st = read_hello(p->facts, answer, p->ask->precision, err);
    json_decref(answer);
    probe_end(p);
    return st;
}

static void report(struct conformance_result *r, const struct probe *p, const char *name, enum status st,
                   const struct err *err)
{
    FILE *out = p->ask->out;
    if (st == ST_OK) {
        r->passed++;
        fprintf(out, "ok     %s%s%s\n", name, p->note[0] ? ": " : "", p->note);
    } else {
        r->failed++;
        fprintf(out, "FAILED %s: %s\n", name, err->text[0] ? err->text : status_text(st));
    }
    fflush(out);
}

static bool is_chosen(const struct conformance_ask *ask, const char *name)
{
    return !ask->only || strncmp(name, ask->only, strlen(ask->only)) == 0;
}

/* One request of the table against a worker that may already have answered others in the same state. */
static enum status run_request(struct probe *p, enum probe_state *now, const struct conformance_request *row,
                               struct err *err)
{
    json_t *answer = NULL;
    enum status st = ST_OK;
    if (!p->is_open || *now != row->state) {
        probe_end(p);
        *now = row->state;
        st = probe_begin(p, row->state, err);
        if (st != ST_OK)
            probe_end(p); /* not in this state: an answer would prove nothing */
    }
    if (st == ST_OK)
        st = probe_ask(p, row->line, &answer, PROBE_ANSWER_NS, err);
    if (st == ST_OK)
        st = row->kinds ? probe_expect_error(answer, row->id, row->kinds, err)
                        : probe_expect_ok(answer, row->id, err);
    json_decref(answer);
    if (st != ST_OK && st != ST_BAD_NEWS)
        probe_end(p); /* it hangs or is gone: the next row gets a fresh one */
    return st;
}

static void run_requests(struct conformance_result *r, struct probe *p)
{
    size_t count;
    enum probe_state now = PROBE_NEW;
    const struct conformance_request *rows = conformance_requests(&count);
    for (size_t i = 0; i < count; i++) {
        struct err err = { 0 };
        if (is_chosen(p->ask, rows[i].name))
            report(r, p, rows[i].name, run_request(p, &now, &rows[i], &err), &err);
    }
    probe_end(p);
}

static void run_cases(struct conformance_result *r, struct probe *p)
{
    size_t count;
    const struct conformance_case *cases = conformance_cases(&count);
    for (size_t i = 0; i < count; i++) {
        struct err err = { 0 };
        if (!is_chosen(p->ask, cases[i].name) || (cases[i].applies && !cases[i].applies(p->facts)))
            continue;
        p->note[0] = '\0';
        enum status st = probe_begin(p, cases[i].state, &err);
        if (st == ST_OK)
            st = cases[i].run(p, &err);
        report(r, p, cases[i].name, st, &err);
        probe_end(p);
    }
}

void conformance_split(char **words, char *text)
{
    size_t count = 0;
    for (char *word = strtok(text, " "); word && count < CONFORMANCE_WORDS; word = strtok(NULL, " "))
        words[count++] = word;
    words[count] = NULL;
}

enum status conformance_run(struct conformance_result *out, const struct conformance_ask *ask,
                            struct err *err)
{
    struct probe_facts facts = { 0 };
    struct probe p = { .ask = ask, .facts = &facts, .folder = "/tmp/bench-conformance-XXXXXX" };
    *out = (struct conformance_result){ 0 };
    memcpy(facts.input_shape, ask->shape, sizeof facts.input_shape);
    enum status st = greet(&p, err);
    if (st != ST_OK)
        return err_set(err, ST_ENVIRONMENT, "%s does not greet as a worker: %s", ask->command[0], err->text);
    if (!mkdtemp(p.folder))
        return err_set(err, ST_IO, "%s: no folder for the output of the worker can be made", p.folder);
    run_requests(out, &p);
    run_cases(out, &p);
    rmdir(p.folder);
    fprintf(ask->out, "%zu passed, %zu failed\n", out->passed, out->failed);
    return out->failed ? err_set(err, ST_BAD_NEWS, "%zu of %zu cases of the worker protocol failed",
                                 out->failed, out->passed + out->failed)
                       : ST_OK;
}
