#include "bench/verbs/night_sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/output/batch_sizes_write.h"
#include "bench/verbs/files.h"
#include "bench/verbs/settings.h"
#include "kernels/base/json.h"

enum { FILE_MAX = 16 << 20 };

/* Takes the campaign over. */
static enum status add(struct night_sources *s, struct campaign *tune, const struct invocation *inv,
                       struct err *err)
{
    struct config *config = &s->configs[s->count];
    s->tunes[s->count] = tune;
    s->list[s->count++] = (struct watch_source){ .tune = tune, .config = config };
    return settings_of_campaign(config, tune->run.config_text, inv, err);
}

/* The one that the command line names, or the newest. */
static enum status add_whole(struct night_sources *s, struct store *store, const struct invocation *inv,
                             struct err *err)
{
    struct campaign *tune = NULL;
    enum status st = store_load_campaign(&tune, store, inv->word_count ? inv->words[0] : NULL, err);
    return st == ST_OK ? add(s, tune, inv, err) : st;
}

static struct watch_source *find(struct night_sources *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->list[i].tune->run.name, name) == 0)
            return &s->list[i];
    return NULL;
}

static const char *campaign_of(const json_t *model)
{
    return json_string_value(json_object_get(json_object_get(model, "campaign"), "id"));
}

static enum status add_model(struct night_sources *s, struct store *store, const char *model, const char *campaign,
                             const struct invocation *inv, struct err *err)
{
    struct watch_source *source = find(s, campaign);
    struct campaign *tune = NULL;
    struct err none = { .status = ST_OK };
    if (!source && store_load_campaign(&tune, store, campaign, &none) == ST_CONFIG) {
        fprintf(stderr, "note: %s is not watched: %s names campaign %s, which is not in this store\n", model,
                BATCH_SIZES_FILE, campaign);
        return ST_OK;
    }
    if (!source && !tune)
        return err_set(err, none.status, "%s", none.text);
    enum status st = source ? ST_OK : add(s, tune, inv, err);
    if (st != ST_OK)
        return st;
    source = find(s, campaign);
    if (source->model_count == WATCH_MODELS_MAX)
        return err_set(err, ST_CONFIG, "%s has more than %d models of campaign %s", BATCH_SIZES_FILE,
                       WATCH_MODELS_MAX, campaign);
    snprintf(source->models[source->model_count++], sizeof *source->models, "%s", model);
    return ST_OK;
}

static enum status add_file(struct night_sources *s, struct store *store, const json_t *file,
                            const struct invocation *inv, struct err *err)
{
    json_t *models = json_object_get(json_object_get(file, "autotune"), "models"), *model;
    const char *name;
    enum status st = ST_OK;
    json_object_foreach(models, name, model)
        if (st == ST_OK && campaign_of(model))
            st = add_model(s, store, name, campaign_of(model), inv, err);
    return st;
}

static int newest_first(const void *a, const void *b)
{
    const struct watch_source *x = a, *y = b;
    return x->tune->run.id < y->tune->run.id ? 1 : -1;
}

static enum status make_room(struct night_sources *s, size_t models, struct err *err)
{
    s->list = calloc(models + 1, sizeof *s->list);
    s->tunes = calloc(models + 1, sizeof(struct campaign *));
    s->configs = calloc(models + 1, sizeof *s->configs);
    return s->list && s->tunes && s->configs ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a night");
}

enum status night_sources_load(struct night_sources *out, struct store *store, const struct invocation *inv,
                               struct err *err)
{
    char path[FILES_PATH_MAX];
    json_t *file = NULL;
    enum status st = ST_OK;
    *out = (struct night_sources){ 0 };
    snprintf(path, sizeof path, "%.4000s/%s", inv->config->out, BATCH_SIZES_FILE);
    if (inv->word_count == 0 && access(path, F_OK) == 0 && !(file = json_read_file(path, FILE_MAX, err)))
        st = err->status;
    if (st == ST_OK)
        st = make_room(out, json_object_size(json_object_get(json_object_get(file, "autotune"), "models")), err);
    if (st == ST_OK && file)
        st = add_file(out, store, file, inv, err);
    if (st == ST_OK && out->count == 0)
        st = add_whole(out, store, inv, err);
    json_decref(file);
    if (st != ST_OK)
        night_sources_free(out);
    else
        qsort(out->list, out->count, sizeof *out->list, newest_first);
    return st;
}

void night_sources_free(struct night_sources *s)
{
    for (size_t i = 0; i < s->count; i++) {
        campaign_free(s->tunes[i]);
        config_free(&s->configs[i]);
    }
    free(s->list);
    free(s->tunes);
    free(s->configs);
    *s = (struct night_sources){ 0 };
}
