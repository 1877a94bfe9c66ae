#include <inttypes.h>
#include <stdio.h>

#include "bench/store/prune.h"
#include "bench/verbs/files.h"
#include "bench/verbs/verbs.h"
#include "kernels/base/clock.h"
#include "kernels/base/text.h"

enum { SECOND_NS = 1000000000 };

static void print_what(const struct store_pruned *p, bool only_tell)
{
    char from[CLOCK_STAMP_SIZE], to[CLOCK_STAMP_SIZE];
    clock_stamp(from, p->oldest_unix_s);
    clock_stamp(to, p->newest_unix_s);
    printf("%s  %" PRId64 " night%s, %.10s to %.10s: %" PRId64 " blocks, %" PRId64 " iterations\n",
           only_tell ? "would take out" : "taken out", p->nights, p->nights == 1 ? "" : "s", from, to, p->blocks,
           p->iterations);
}

static void print(const struct store_pruned *p, bool only_tell)
{
    char before[32], after[32], archive[32];
    text_of_bytes(before, sizeof before, (uint64_t)p->bytes_before);
    text_of_bytes(after, sizeof after, (uint64_t)p->bytes_after);
    text_of_bytes(archive, sizeof archive, (uint64_t)p->archive_bytes);
    if (p->blocks)
        print_what(p, only_tell);
    else
        printf("nothing to take out: no night that old has blocks\n");
    if (p->flagged)
        printf("kept  %" PRId64 " night%s as old, with a flagged series\n", p->flagged, p->flagged == 1 ? "" : "s");
    if (!p->blocks || only_tell)
        return;
    printf("archive  %s (%s): bench import brings it back\nstore  %s before, %s now\n", p->archive, archive, before,
           after);
    if (*p->note)
        fprintf(stderr, "note: the file keeps its size, later nights use the room: %s\n", p->note);
}

enum status verb_prune(const struct invocation *inv, struct err *err)
{
    const struct config *config = inv->config;
    struct store *store = NULL;
    struct store_pruned pruned;
    const int64_t before = clock_unix_s() - (int64_t)(config->keep_ns / SECOND_NS);
    if (!config->keep_set)
        return err_set(err, ST_USAGE,
                       "bench prune wants --keep: how long raw blocks of nights stay in the store (400d)");
    enum status st = files_open_store(&store, config->out, config->dry_run ? STORE_READ : STORE_WRITE, err);
    if (st == ST_OK)
        st = store_prune(&pruned, store, before, config->dry_run, err);
    if (st == ST_OK)
        print(&pruned, config->dry_run);
    store_close(store);
    return st;
}
