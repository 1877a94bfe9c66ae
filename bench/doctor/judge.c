#include "bench/doctor/checks.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/grow.h"
#include "kernels/base/len.h"

#define SENTENCE_MAX 4096
#define CHECKS_MAX 64

const char *level_name(enum level level)
{
    static const char *const names[] = {
#define X(name, text) text,
        LEVEL_LIST(X)
#undef X
    };
    return names[level];
}

/* --- the table ------------------------------------------------------------------------------------------ */

static size_t find_check(const char *id)
{
    size_t i = 0;
    while (check_at(i) && strcmp(check_at(i)->id, id) != 0)
        i++;
    assert(check_at(i));
    return i;
}

static bool begins_with(const char *id, const char *prefix)
{
    const size_t size = strlen(id);
    return strncmp(id, prefix, strlen(prefix)) == 0 ||
           (strncmp(prefix, id, size) == 0 && prefix[size] == '.'); /* engine.onednn is of the row engine */
}

/* Marks the check and all that it needs. */
static void want(bool *wanted, size_t i)
{
    const struct check *check = check_at(i);
    wanted[i] = true;
    for (size_t k = 0; k < LEN(check->needs) && check->needs[k]; k++)
        want(wanted, find_check(check->needs[k]));
}

static bool choose(bool wanted[CHECKS_MAX], const struct doctor_ask *ask)
{
    bool any = false;
    for (size_t i = 0; check_at(i); i++)
        if ((!ask->only || begins_with(check_at(i)->id, ask->only)) &&
            (ask->smoke || !(check_at(i)->parts & FACTS_SMOKE))) {
            want(wanted, i);
            any = true;
        }
    return any;
}

bool findings_parts(unsigned *parts, const struct doctor_ask *ask)
{
    bool wanted[CHECKS_MAX] = { false };
    const bool any = choose(wanted, ask);
    *parts = 0;
    for (size_t i = 0; check_at(i); i++)
        *parts |= wanted[i] ? check_at(i)->parts : 0;
    return any;
}

/* --- one finding ---------------------------------------------------------------------------------------- */

const char *judge_text(struct judge *j, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (!grow((void **)&j->texts, j->text_count, &j->text_room, sizeof *j->texts) ||
        vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    if (!text) {
        j->no_memory = true;
        return "";
    }
    return j->texts[j->text_count++] = text;
}

enum status judge_end(struct judge *j, struct err *err)
{
    for (int i = 0; i < j->text_count; i++)
        free(j->texts[i]);
    free(j->texts);
    j->texts = NULL;
    j->text_count = j->text_room = 0;
    return j->no_memory ? err_set(err, ST_INTERNAL, "not enough memory for the findings") : ST_OK;
}

static struct finding *append(struct judge *j, enum level level, const char *outcome)
{
    struct finding *list = realloc(j->out->list, (j->out->count + 1) * sizeof *list);
    if (!list) {
        j->no_memory = true;
        return NULL;
    }
    j->out->list = list;
    struct finding *f = &list[j->out->count++];
    *f = (struct finding){ .level = level, .read = json_object() };
    snprintf(f->id, sizeof f->id, "%s%s%s", j->check->id, j->name ? "." : "", j->name ? j->name : "");
    snprintf(f->outcome, sizeof f->outcome, "%s", outcome);
    j->out->of_level[level]++;
    return f;
}

static char *filled(struct judge *j, const char *text, const struct gpu_fill *fills, size_t count)
{
    char out[SENTENCE_MAX];
    gpu_code_text(out, sizeof out, text, fills, count);
    char *copy = strdup(out);
    j->no_memory |= !copy;
    return copy;
}

/* The same, with the place in front. */
static char *sentence_of(struct judge *j, const char *text, const struct gpu_fill *fills, size_t count)
{
    char *bare = filled(j, text, fills, count), *whole = NULL;
    if (!j->where || !bare)
        return bare;
    if (asprintf(&whole, "%s%s", j->where, bare) < 0) {
        whole = NULL;
        j->no_memory = true;
    }
    free(bare);
    return whole;
}

static void keep(struct finding *f, const struct gpu_fill *fills, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_object_set_new(f->read, fills[i].name,
                            fills[i].value ? json_string(fills[i].value) : json_null());
}

static const char *key_of(const struct outcome *o)
{
    return o->key ? o->key : o->name;
}

void judge_say(struct judge *j, const char *outcome, const struct gpu_fill *fills, size_t count)
{
    const struct outcome *o = NULL;
    for (size_t i = 0; i < j->check->outcome_count && !o; i++)
        if (strcmp(key_of(&j->check->outcomes[i]), outcome) == 0)
            o = &j->check->outcomes[i];
    assert(o);
    const enum level level = o->required && j->required ? LEVEL_FAIL : o->level;
    struct finding *f = append(j, level, o->name);
    if (!f)
        return;
    f->sentence = sentence_of(j, o->sentence, fills, count);
    f->remedy = o->remedy ? filled(j, o->remedy, fills, count) : NULL;
    keep(f, fills, count);
    j->blocked |= o->stops || (level == LEVEL_FAIL && !o->open);
}

void judge_code(struct judge *j, enum gpu_api api, int code, const char *said, const struct gpu_fill *fills,
                size_t count)
{
    const struct gpu_code *row = gpu_code_find(api, code);
    struct finding *f = append(j, LEVEL_FAIL, row->outcome);
    if (!f)
        return;
    char *sentence = filled(j, said ? said : row->sentence, fills, count);
    if (asprintf(&f->sentence, "%s (%s %d)", sentence ? sentence : "", gpu_api_name(api), code) < 0) {
        f->sentence = NULL;
        j->no_memory = true;
    }
    free(sentence);
    f->remedy = row->remedy ? filled(j, row->remedy, fills, count) : NULL;
    keep(f, fills, count);
    json_object_set_new(f->read, "api", json_string(gpu_api_name(api)));
    json_object_set_new(f->read, "code", json_integer(code));
    j->blocked = true;
}

void judge_unread(struct judge *j, const char *what, const char *reason)
{
    const struct gpu_fill fills[] = { { "what", what }, { "reason", reason } };
    struct finding *f = append(j, LEVEL_UNREAD, "unread");
    if (!f)
        return;
    f->sentence = sentence_of(j, "<what>: <reason>", fills, LEN(fills));
    keep(f, fills, LEN(fills));
}

void judge_skip(struct judge *j, const char *sentence)
{
    struct finding *f = append(j, LEVEL_SKIP, "skip");
    if (f)
        f->sentence = strdup(sentence);
    j->no_memory |= !f || !f->sentence;
    j->blocked = true;
}

/* --- all ------------------------------------------------------------------------------------------------ */

/* What became of a check, for those that need it. */
struct past {
    bool blocked;
    const char *cause;               /* the check that began it */
    const char *outcome;             /* and what it found */
};

static void name_past(struct past *past, struct judge *j, size_t first)
{
    past->blocked = j->blocked;
    past->cause = j->check->id;
    past->outcome = "";
    for (size_t i = first; i < j->out->count; i++)
        if (j->out->list[i].level == LEVEL_FAIL || !*past->outcome)
            past->outcome = judge_text(j, "%s", j->out->list[i].outcome);
}

static void judge_one(struct judge *j, struct past *pasts, size_t i)
{
    const struct check *check = j->check;
    const size_t first = j->out->count;
    j->name = NULL;
    j->blocked = false;
    j->required = j->ask->require_gpu;
    for (size_t k = 0; k < LEN(check->needs) && check->needs[k]; k++) {
        const struct past *need = &pasts[find_check(check->needs[k])];
        if (!need->blocked)
            continue;
        judge_skip(j, judge_text(j, "does not apply after %s: %s", need->cause, need->outcome));
        pasts[i] = *need;
        return;
    }
    check->look(j);
    name_past(&pasts[i], j, first);
}

static bool shown(const struct check *check, const struct finding *f, const char *only)
{
    return !only || strncmp(f->id, only, strlen(only)) == 0 || strncmp(check->id, only, strlen(only)) == 0;
}

static void drop_from(struct findings *f, size_t first)
{
    while (f->count > first) {
        struct finding *last = &f->list[--f->count];
        f->of_level[last->level]--;
        free(last->sentence);
        free(last->remedy);
        json_decref(last->read);
    }
}

/* Takes out what --only did not ask for: a check that another one needs stays if it is what went wrong. */
static void drop_unasked(struct findings *f, size_t first, const struct check *check, const char *only)
{
    size_t kept = first;
    for (size_t i = first; i < f->count; i++) {
        const bool keep_it = shown(check, &f->list[i], only) || f->list[i].level == LEVEL_FAIL;
        if (!keep_it)
            continue;
        const struct finding other = f->list[kept];
        f->list[kept++] = f->list[i];
        f->list[i] = other;
    }
    drop_from(f, kept);
}

enum status findings_make(struct findings *out, const struct facts *facts, const struct doctor_ask *ask,
                          struct err *err)
{
    bool wanted[CHECKS_MAX] = { false };
    struct past pasts[CHECKS_MAX] = { { false, NULL, NULL } };
    struct judge j = { .facts = facts, .ask = ask, .out = out };
    *out = (struct findings){ 0 };
    choose(wanted, ask);
    for (size_t i = 0; (j.check = check_at(i)); i++) {
        if (!wanted[i])
            continue;
        const size_t first = out->count;
        judge_one(&j, pasts, i);
        drop_unasked(out, first, j.check, ask->only);
    }
    return judge_end(&j, err);
}

void findings_free(struct findings *f)
{
    drop_from(f, 0);
    free(f->list);
    *f = (struct findings){ 0 };
}

const struct finding *findings_first_cause(const struct findings *f)
{
    static const enum level worst_first[] = { LEVEL_FAIL, LEVEL_WARN, LEVEL_UNREAD };
    for (size_t k = 0; k < LEN(worst_first); k++)
        for (size_t i = 0; i < f->count; i++)
            if (f->list[i].level == worst_first[k])
                return &f->list[i];
    return NULL;
}
