/* settings.h - the settings of a stored campaign under the flags of now. */
#ifndef VERBS_SETTINGS_H
#define VERBS_SETTINGS_H

#include "bench/verbs/verbs.h"

/* config_text: of the campaign's run, as the store keeps it. The folder is the one named now: it has the
 * store. config_free(out). Statuses of config_read. */
enum status settings_of_campaign(struct config *out, const char *config_text, const struct invocation *inv,
                                 struct err *err);

#endif
