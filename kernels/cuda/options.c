#include "kernels/cuda/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/json.h"

#define WHERE "load.options"
#define MS UINT64_C(1000000)

/* One of two words; absent: as it was. */
static enum status read_word(bool *second, const json_t *options, const char *key, const char *first_word,
                             const char *second_word, struct err *err)
{
    const char *word = *second ? second_word : first_word;
    enum status st = json_find_text(&word, options, WHERE, key, err);
    if (st != ST_OK)
        return st;
    *second = strcmp(word, second_word) == 0;
    if (!*second && strcmp(word, first_word) != 0)
        return err_set(err, ST_INVALID, WHERE ".%s must be %s or %s, got \"%.40s\"", key, first_word, second_word,
                       word);
    return ST_OK;
}

static enum status read_level(int *level, const json_t *options, struct err *err)
{
    static const char *const names[TUNE_LEVELS] = { "f0", "f1", "f2", "f3" };
    const char *word = NULL;
    enum status st = json_find_text(&word, options, WHERE, "level", err);
    if (st != ST_OK || !word)
        return st;
    for (int i = 0; i < TUNE_LEVELS; i++)
        if (strcmp(word, names[i]) == 0) {
            *level = i;
            return ST_OK;
        }
    return err_set(err, ST_INVALID, WHERE ".level must be f0, f1, f2 or f3, got \"%.40s\"", word);
}

static enum status read_branches(struct gpu_options *o, const json_t *options, struct err *err)
{
    static const char *const words[] = { [BRANCHES_OFF] = "off", [BRANCHES_MEASURE] = "measure", [BRANCHES_ON] = "on" };
    const char *word = NULL;
    enum status st = json_find_text(&word, options, WHERE, "branches", err);
    if (st != ST_OK || !word)
        return st;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0) {
            o->branches = (enum gpu_branches)i;
            return ST_OK;
        }
    return err_set(err, ST_INVALID, WHERE ".branches must be off, measure or on, got \"%.40s\"", word);
}

static enum status read_cache_dir(struct gpu_options *o, const json_t *options, struct err *err)
{
    const char *folder = NULL;
    enum status st = json_find_text(&folder, options, WHERE, "cache_dir", err);
    if (st != ST_OK || !folder)
        return st;
    if (strlen(folder) >= sizeof o->cache_dir)
        return err_set(err, ST_INVALID, WHERE ".cache_dir has at most %zu bytes, got %zu", sizeof o->cache_dir - 1,
                       strlen(folder));
    snprintf(o->cache_dir, sizeof o->cache_dir, "%s", folder);
    return ST_OK;
}

static enum status read_tune(struct gpu_options *o, const json_t *options, struct err *err)
{
    const char *mode = NULL;
    int64_t budget_ms = (int64_t)(o->tune_budget_ns / MS);
    enum status st = json_find_text(&mode, options, WHERE, "tune", err);
    if (st == ST_OK && mode)
        st = tune_mode_of(&o->tune, mode, err);
    if (st == ST_OK)
        st = json_find_int(&budget_ms, options, WHERE, "tune_budget_ms", 0, 86400000, err);
    o->tune_budget_ns = (uint64_t)budget_ms * MS;
    return st == ST_OK ? read_cache_dir(o, options, err) : st;
}

static enum status read_memory_and_faults(struct gpu_options *o, const json_t *options, struct err *err)
{
    int64_t cap = (int64_t)o->workspace_cap, leave = (int64_t)o->leave_bytes, fail_at = (int64_t)o->fail_at;
    const json_t *predict = json_object_get(options, "predict");
    enum status st = json_find_int(&cap, options, WHERE, "workspace_cap_bytes", 0, INT64_MAX, err);
    if (st == ST_OK)
        st = json_find_int(&leave, options, WHERE, "leave_bytes", 0, INT64_MAX, err);
    if (st == ST_OK)
        st = json_find_int(&fail_at, options, WHERE, "fail_at", 0, INT64_MAX, err);
    if (st == ST_OK && predict && !json_is_boolean(predict))
        st = err_set(err, ST_INVALID, WHERE ".predict must be true or false");
    o->workspace_cap = (size_t)cap;
    o->leave_bytes = (uint64_t)leave;
    o->fail_at = (uint64_t)fail_at;
    if (predict)
        o->predict = json_is_true(predict);
    return st;
}

static enum status read_all(struct gpu_options *o, const json_t *options, struct err *err)
{
    enum status st = read_word(&o->stream, options, "launch", "graph", "stream", err);
    if (st == ST_OK)
        st = read_word(&o->events_outside, options, "events", "graph", "stream", err);
    if (st == ST_OK)
        st = read_level(&o->level, options, err);
    if (st == ST_OK)
        st = read_branches(o, options, err);
    if (st == ST_OK)
        st = read_tune(o, options, err);
    return st == ST_OK ? read_memory_and_faults(o, options, err) : st;
}

static enum status read_environment(struct gpu_options *o, struct err *err)
{
    const char *text = getenv(GPU_OPTIONS_VARIABLE);
    if (!text || !*text)
        return ST_OK;
    json_t *options = json_read_text(GPU_OPTIONS_VARIABLE, text, strlen(text), err);
    if (!options)
        return ST_INVALID;
    enum status st = json_is_object(options) ? read_all(o, options, err)
                                             : err_set(err, ST_INVALID, GPU_OPTIONS_VARIABLE " must be an object");
    json_decref(options);
    return st;
}

enum status gpu_options_read(struct gpu_options *out, const json_t *options, struct err *err)
{
    *out = (struct gpu_options){ .tune = TUNE_AUTO, .tune_budget_ns = 60000 * MS, .workspace_cap = (size_t)256 << 20,
                                 .level = OPTIONS_LEVEL_TUNED, .predict = true };
    enum status st = read_environment(out, err);
    return st == ST_OK && options ? read_all(out, options, err) : st;
}
