/* night_sources.h - which campaigns a night watches: those that batch_sizes.json was made from, each for its
 * models. night_sources_load .. night_sources_free owns all. */
#ifndef VERBS_NIGHT_SOURCES_H
#define VERBS_NIGHT_SOURCES_H

#include "bench/nightly/watch.h"
#include "bench/store/store.h"
#include "bench/verbs/verbs.h"

struct night_sources {
    struct watch_source *list;       /* [count] the newest campaign first */
    struct campaign **tunes;         /* [count] */
    struct config *configs;          /* [count] */
    size_t count;
};
/* The campaign that the command line names, whole; else those of OUT/batch_sizes.json; the newest one where
 * there is no such file or its campaigns are of another store (a note says so). Statuses of the store,
 * config_read and json_read_file. */
enum status night_sources_load(struct night_sources *out, struct store *store, const struct invocation *inv,
                               struct err *err);
void night_sources_free(struct night_sources *s);

#endif
