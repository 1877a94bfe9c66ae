#include <stdio.h>
#include <string.h>

#include "bench/nightly/page.h"
#include "bench/output/night_formats.h"
#include "bench/verbs/files.h"
#include "bench/verbs/verbs.h"

static const struct format {
    const char *name;
    void (*write)(FILE *file, const struct night_view *night);
} formats[] = {
#define X(name, text) { #name, night_format_##name },
    NIGHT_FORMATS(X)
#undef X
};

enum status verb_export(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    size_t i = 0;
    while (strcmp(formats[i].name, inv->config->format) != 0) /* config_read let no other word in */
        i++;
    enum status st = files_open_store(&store, inv->config->out, STORE_READ, err);
    if (st == ST_OK)
        st = night_format_of_store(stdout, store, inv->word_count ? inv->words[0] : NULL, formats[i].write, err);
    store_close(store);
    return st;
}
