#include "bench/verbs/replay.h"

enum status verb_replay(const struct invocation *inv, struct err *err)
{
    if (!inv->config->curve && inv->config->noise)
        return err_set(err, ST_USAGE,
                       "--noise simulates the blocks of a curve, a campaign has its own: name a --curve");
    if (inv->config->curve && inv->word_count)
        return err_set(err, ST_USAGE, "campaign %s and --curve exclude each other: leave one of them out",
                       inv->words[0]);
    return inv->config->curve ? replay_a_curve(inv, err) : replay_a_campaign(inv, err);
}
