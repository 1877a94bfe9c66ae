#include "bench/verbs/verbs.h"

#include <stdio.h>

#include "bench/verbs/files.h"

enum status verb_report(const struct invocation *inv, struct err *err)
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
