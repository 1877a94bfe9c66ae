#include "kernels/base/status.h"

#include <string.h>

static const struct {
    const char *kind, *text;
    int exit_code;
} rows[ST_COUNT] = {
#define X(name, word, code, sentence) [ST_##name] = { .kind = word, .text = sentence, .exit_code = code },
    STATUS_LIST(X)
#undef X
};

const char *status_kind(enum status st)
{
    return rows[st].kind;
}

const char *status_text(enum status st)
{
    return rows[st].text;
}

int status_exit(enum status st)
{
    return rows[st].exit_code;
}

int status_rank(enum status st)
{
    static const int rank_of_exit[] = { [0] = 0, [4] = 1, [3] = 2, [1] = 3, [2] = 4 };
    return rank_of_exit[status_exit(st)];
}

enum status status_of_kind(const char *kind)
{
    for (int st = 0; kind && st < ST_COUNT; st++)
        if (strcmp(rows[st].kind, kind) == 0)
            return (enum status)st;
    return ST_INTERNAL;
}
