#include <stdio.h>
#include <string.h>

#include "bench/nightly/page.h"
#include "bench/output/batch_sizes_write.h"
#include "bench/output/night_formats.h"
#include "bench/store/lines.h"
#include "bench/verbs/files.h"
#include "bench/verbs/settings.h"
#include "bench/verbs/verbs.h"

/* --- a night -------------------------------------------------------------------------------------------- */

static const struct night_format {
    const char *name;
    void (*write)(FILE *file, const struct night_view *night);
} night_formats[] = {
#define X(name, text) { #name, night_format_##name },
    NIGHT_FORMATS(X)
#undef X
};

static enum status export_night(struct store *store, const struct invocation *inv, const char *name,
                                struct err *err)
{
    size_t i = 0;
    while (strcmp(night_formats[i].name, inv->config->format) != 0) /* config_read let no other word in */
        i++;
    return night_format_of_store(stdout, store, name, night_formats[i].write, err);
}

/* --- the two files of a campaign ------------------------------------------------------------------------ */

static enum status export_files(struct store *store, const struct invocation *inv, const char *name,
                                struct err *err)
{
    struct campaign *campaign = NULL;
    struct config config = { 0 };
    struct notes notes = { 0 };
    enum status st = store_load_campaign(&campaign, store, name, err);
    if (st == ST_OK)
        st = settings_of_campaign(&config, campaign->run.config_text, inv, err);
    if (st == ST_OK) {
        st = batch_sizes_write(campaign, &config, config.out, &notes, err);
        files_print_notes(&notes);
    }
    config_free(&config);
    campaign_free(campaign);
    return st;
}

enum status verb_export(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    const char *name = inv->word_count ? inv->words[0] : NULL, *format = inv->config->format;
    enum status st = files_open_store(&store, inv->config->out, STORE_READ, err);
    if (st == ST_OK)
        st = !format                         ? export_files(store, inv, name, err)
             : strcmp(format, "jsonl") == 0 ? store_write_lines(stdout, store, name, err)
                                            : export_night(store, inv, name, err);
    store_close(store);
    return st;
}
