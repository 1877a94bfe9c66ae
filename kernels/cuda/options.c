#include "kernels/cuda/options.h"

#include <string.h>

#include "kernels/base/json.h"

#define WHERE "load.options"
#define MS UINT64_C(1000000)

/* One of two words; absent: the first. */
static enum status read_word(bool *second, const json_t *options, const char *key, const char *first_word,
                             const char *second_word, struct err *err)
{
    const char *word = first_word;
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
    static const char *const names[TUNE_LEVELS] = { "f0", "f1", "f2" };
    const char *word = NULL;
    enum status st = json_find_text(&word, options, WHERE, "level", err);
    *level = OPTIONS_LEVEL_TUNED;
    if (st != ST_OK || !word)
        return st;
    for (int i = 0; i < TUNE_LEVELS; i++)
        if (strcmp(word, names[i]) == 0)
            *level = i;
    if (*level == OPTIONS_LEVEL_TUNED)
        return err_set(err, ST_INVALID, WHERE ".level must be f0, f1 or f2, got \"%.40s\"", word);
    return ST_OK;
}

static enum status read_tune(struct gpu_options *o, const json_t *options, struct err *err)
{
    const char *mode = "auto";
    int64_t budget_ms = (int64_t)(o->tune_budget_ns / MS);
    enum status st = json_find_text(&mode, options, WHERE, "tune", err);
    if (st == ST_OK)
        st = tune_mode_of(&o->tune, mode, err);
    if (st == ST_OK)
        st = json_find_int(&budget_ms, options, WHERE, "tune_budget_ms", 0, 86400000, err);
    if (st == ST_OK)
        st = json_find_text(&o->cache_dir, options, WHERE, "cache_dir", err);
    o->tune_budget_ns = (uint64_t)budget_ms * MS;
    return st;
}

static enum status read_memory(struct gpu_options *o, const json_t *options, struct err *err)
{
    int64_t cap = (int64_t)o->workspace_cap, leave = 0;
    const json_t *predict = json_object_get(options, "predict");
    enum status st = json_find_int(&cap, options, WHERE, "workspace_cap_bytes", 0, INT64_MAX, err);
    if (st == ST_OK)
        st = json_find_int(&leave, options, WHERE, "leave_bytes", 0, INT64_MAX, err);
    if (st == ST_OK && predict && !json_is_boolean(predict))
        st = err_set(err, ST_INVALID, WHERE ".predict must be true or false");
    o->workspace_cap = (size_t)cap;
    o->leave_bytes = (uint64_t)leave;
    o->predict = !predict || json_is_true(predict);
    return st;
}

enum status gpu_options_read(struct gpu_options *out, const json_t *options, struct err *err)
{
    *out = (struct gpu_options){ .tune = TUNE_AUTO, .tune_budget_ns = 60000 * MS, .cache_dir = "",
                                 .workspace_cap = (size_t)256 << 20, .level = OPTIONS_LEVEL_TUNED, .predict = true };
    if (!options)
        return ST_OK;
    enum status st = read_word(&out->stream, options, "launch", "graph", "stream", err);
    if (st == ST_OK)
        st = read_word(&out->events_outside, options, "events", "graph", "stream", err);
    if (st == ST_OK)
        st = read_level(&out->level, options, err);
    if (st == ST_OK)
        st = read_tune(out, options, err);
    if (st == ST_OK)
        st = read_memory(out, options, err);
    return st;
}
