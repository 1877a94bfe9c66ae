#include "bench/verbs/replay.h"

enum status verb_replay(const struct invocation *inv, struct err *err)
{
    if (!inv->config->curve)
        return err_set(err, ST_USAGE,
                       "nothing to replay: name a curve with --curve: a CSV file, or an invented one");
    return replay_a_curve(inv, err);
}
