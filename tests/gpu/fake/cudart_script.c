/* cudart_script.c - reads BENCH_FAKE_CUDA (cudart.h lists its words). */
#include "tests/gpu/fake/cudart_state.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/len.h"

static _Noreturn void wrong(const char *word, const char *why)
{
    fprintf(stderr, "BENCH_FAKE_CUDA: \"%s\": %s\n", word, why);
    exit(98);
}

static size_t read_bytes(const char *word, const char *text)
{
    static const struct {
        const char *suffix;
        unsigned shift;
    } units[] = { { "", 0 }, { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 } };
    char *end;
    unsigned long long number = strtoull(text, &end, 0);
    for (size_t i = 0; i < LEN(units); i++)
        if (end != text && strcmp(end, units[i].suffix) == 0)
            return (size_t)number << units[i].shift;
    wrong(word, "a number of bytes is needed, as 4096 or 4GiB");
}

static int read_int(const char *word, const char *text)
{
    char *end;
    long number = strtol(text, &end, 0);
    if (end == text || *end || number < 0)
        wrong(word, "a number is needed");
    return (int)number;
}

/* NAME:N[:CODE] */
static void read_rule(struct fake_script *script, enum fake_rule_kind what, const char *word,
                      const char *text)
{
    if (script->rule_count == FAKE_RULES_MAX)
        wrong(word, "too many rules");
    struct fake_rule *rule = &script->rules[script->rule_count++];
    *rule = (struct fake_rule){ .what = what, .code = 1 };
    int read = sscanf(text, "%47[^:]:%zu:%d", rule->name, &rule->nth, &rule->code);
    if (read < (what == FAKE_HANG ? 2 : 3) || rule->nth == 0)
        wrong(word, "NAME:N:CODE is needed (NAME:N for hang), N from 1");
}

static bool read_number(struct fake_script *s, const char *key, const char *word, const char *text)
{
    const struct { const char *key; int *into; } rows[] = {
        { "devices", &s->devices }, { "sm", &s->sm }, { "driver", &s->driver }, { "count", &s->count_code },
        { "open", &s->open_code }, { "fill", &s->fill },
    };
    for (size_t i = 0; i < LEN(rows); i++)
        if (strcmp(rows[i].key, key) == 0) {
            *rows[i].into = read_int(word, text);
            return true;
        }
    return false;
}

static bool read_size(struct fake_script *s, const char *key, const char *word, const char *text)
{
    const struct { const char *key; size_t *into; } rows[] = {
        { "memory", &s->memory }, { "context", &s->context_bytes }, { "foreign", &s->foreign },
    };
    for (size_t i = 0; i < LEN(rows); i++)
        if (strcmp(rows[i].key, key) == 0) {
            *rows[i].into = read_bytes(word, text);
            return true;
        }
    return false;
}

static void read_word(struct fake_script *script, const char *word)
{
    static const char *const rules[] = { [FAKE_FAIL] = "fail", [FAKE_LOST] = "lost", [FAKE_HANG] = "hang" };
    char key[32];
    size_t length = strcspn(word, "=");
    if (word[length] != '=' || length >= sizeof key)
        wrong(word, "key=value is needed");
    memcpy(key, word, length);
    key[length] = '\0';
    const char *text = word + length + 1;
    if (read_number(script, key, word, text) || read_size(script, key, word, text))
        return;
    for (size_t i = 0; i < LEN(rules); i++)
        if (strcmp(rules[i], key) == 0) {
            read_rule(script, (enum fake_rule_kind)i, word, text);
            return;
        }
    if (strcmp(key, "slow") == 0)
        script->slow_us = (unsigned)read_int(word, text);
    else if (strcmp(key, "wide") == 0)
        script->wide_us = (unsigned)read_int(word, text);
    else if (strcmp(key, "protect") == 0)
        script->protect = read_int(word, text);
    else if (strcmp(key, "leaks") == 0)
        script->leaks = read_int(word, text);
    else if (strcmp(key, "trace") == 0)
        snprintf(script->trace, sizeof script->trace, "%s", text);
    else
        wrong(word, "no such key");
}

void fake_script_read(struct fake_script *script, const char *text)
{
    *script = (struct fake_script){ .memory = (size_t)4 << 30, .context_bytes = (size_t)256 << 20,
                                    .devices = 1, .sm = 90, .driver = CUDART_VERSION, .fill = 0xCD,
                                    .protect = true, .leaks = true };
    char *copy = strdup(text ? text : ""), *rest = copy;
    for (char *word; copy && (word = strsep(&rest, " \t\n"));)
        if (*word)
            read_word(script, word);
    free(copy);
}

int fake_script_meet(struct fake_script *script, enum fake_rule_kind what, const char *name)
{
    int code = 0;
    for (size_t i = 0; i < script->rule_count; i++) {
        struct fake_rule *rule = &script->rules[i];
        bool any = strcmp(rule->name, "*") == 0 || strcmp(rule->name, "any") == 0;
        if (rule->what == what && (any || strcmp(rule->name, name) == 0) && ++rule->seen == rule->nth)
            code = rule->code;
    }
    return code;
}
