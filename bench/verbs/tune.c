#include "bench/verbs/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure/campaign.h"
#include "bench/measure/plan.h"
#include "bench/output/batch_sizes_write.h"
#include "bench/store/store.h"
#include "bench/verbs/files.h"
#include "bench/verbs/settings.h"
#include "bench/verbs/tune_run.h"

/* --- before anything is measured ------------------------------------------------------------------------ */

/* Finds what is wrong with the settings or with the files in place before anything is made or measured. */
static enum status check_first(const struct config *config, struct err *err)
{
    struct plan plan;
    struct batch_sizes_base base = { 0 };
    enum status st = plan_make(&plan, config, NULL, err);
    if (st != ST_OK)
        return st;
    plan_free(&plan);
    st = batch_sizes_base_read(&base, config, config->out, err);
    batch_sizes_base_free(&base);
    return st;
}

/* What --resume finds in the store. */
struct found {
    bool continues;                  /* a campaign that did not end: it goes on */
    bool unwritten;                  /* the newest one ended, but its files were not written */
    char name[32];                   /* of the unwritten one */
    char *config_text;               /* of either; owned */
};

/* The page is the last file that is written: without it something is missing. */
static bool was_written(const struct config *config, const char *name)
{
    struct files files;
    files_name(&files, config->out, name);
    return access(files.report, F_OK) == 0;
}

static enum status find_stored(struct found *out, const struct config *config, struct store *store,
                               struct err *err)
{
    struct run_row *runs = NULL;
    size_t count = 0;
    *out = (struct found){ 0 };
    enum status st = campaign_find_config(&out->config_text, store, err);
    out->continues = out->config_text != NULL;
    if (st != ST_OK || out->continues)
        return st;
    st = store_load_runs(&runs, &count, store, "tune", err);
    if (st == ST_OK && count && !was_written(config, runs[0].name) && runs[0].config_text) {
        out->unwritten = true;
        out->config_text = strdup(runs[0].config_text);
        memcpy(out->name, runs[0].name, sizeof out->name);
    }
    store_free_runs(runs, count);
    return st;
}

/* --- resuming ------------------------------------------------------------------------------------------- */

/* The campaign ended, the program did not: what is missing is made from the store. */
static enum status write_unwritten(const struct invocation *inv, const struct config *config,
                                   const struct found *found, struct store *store, struct err *err)
{
    struct plan plan;
    enum status st = plan_make(&plan, config, store, err);
    if (st != ST_OK)
        return st;
    const struct tune_ask ask = { .inv = inv, .config = config, .store = store };
    fprintf(stderr, "note: campaign %s was measured to its end: only its files are written\n", found->name);
    st = tune_write_results(&ask, &plan, found->name, err);
    plan_free(&plan);
    return st;
}

static enum status resume(const struct invocation *inv, struct err *err)
{
    struct config stored = { 0 };
    struct store *store = NULL;
    struct found found = { 0 };
    enum status st = files_open_store(&store, inv->config->out, STORE_WRITE, err);
    if (st == ST_OK)
        st = find_stored(&found, inv->config, store, err);
    if (st == ST_OK && found.config_text)
        st = settings_of_campaign(&stored, found.config_text, inv, err);
    const struct config *config = found.config_text ? &stored : inv->config;
    if (st == ST_OK && !found.config_text)
        fprintf(stderr, "note: no unfinished campaign is stored in %s: a new one starts\n", inv->config->out);
    if (st == ST_OK)
        st = check_first(config, err);
    if (st == ST_OK)
        st = found.unwritten ? write_unwritten(inv, config, &found, store, err)
                             : tune_run(&(struct tune_ask){ .inv = inv, .config = config, .store = store }, err);
    config_free(&stored);
    free(found.config_text);
    store_close(store);
    return st;
}

enum status verb_tune(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    if (inv->config->resume)
        return resume(inv, err);
    enum status st = check_first(inv->config, err);
    if (st == ST_OK)
        st = files_open_store(&store, inv->config->out, STORE_WRITE, err);
    if (st == ST_OK)
        st = tune_run(&(struct tune_ask){ .inv = inv, .config = inv->config, .store = store }, err);
    store_close(store);
    return st;
}
