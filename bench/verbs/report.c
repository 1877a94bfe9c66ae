#include "bench/verbs/verbs.h"

#include <stdio.h>

#include "bench/nightly/page.h"
#include "bench/verbs/files.h"

static enum status report_night(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    char path[FILES_PATH_MAX];
    files_night_path(path, inv->config->out);
    enum status st = files_open_store(&store, inv->config->out, STORE_READ, err);
    if (st == ST_OK)
        st = night_page_of_store(path, store, inv->word_count ? inv->words[0] : NULL, inv->argv_text, err);
    if (st == ST_OK)
        printf("page    %s\n", path);
    store_close(store);
    return st;
}

static enum status report_campaign(const struct invocation *inv, struct err *err)
{
    struct campaign *campaign = NULL;
    struct notes notes = { 0 };
    struct files files;
    const char *out = inv->config->out;
    enum status st = files_load_campaign(&campaign, out, inv->word_count ? inv->words[0] : NULL, err);
    if (st == ST_OK)
        st = files_write_campaign(&files, campaign, out, &notes, err);
    if (st == ST_OK) {
        printf("page    %s\ncurves  %s/curves.csv, curves.json\n", files.report, files.campaign);
        if (files.pictures)
            printf("plots   %s (%d, as .svg and .png)\n", files.plots, files.pictures);
    }
    files_print_notes(&notes);
    campaign_free(campaign);
    return st;
}

enum status verb_report(const struct invocation *inv, struct err *err)
{
    return inv->config->nightly ? report_night(inv, err) : report_campaign(inv, err);
}
