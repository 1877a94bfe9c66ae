#include "bench/verbs/settings.h"

#include <stdlib.h>
#include <string.h>

enum status settings_of_campaign(struct config *out, const char *config_text, const struct invocation *inv,
                                 struct err *err)
{
    const char *words[1];
    size_t word_count;
    struct config_ask ask = *inv->ask;
    ask.base_text = config_text;
    enum status st = config_read(out, words, &word_count, &ask, err);
    if (st != ST_OK || strcmp(out->out, inv->config->out) == 0)
        return st;
    free(out->out);
    out->out = strdup(inv->config->out);
    return out->out ? ST_OK : err_set(err, ST_INTERNAL, "not enough memory for the settings");
}
