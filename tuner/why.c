#include "tuner/why.h"

#include <string.h>

static const struct {
    const char *name, *text;
} rows[WHY_COUNT] = {
#define X(id, word, sentence) [WHY_##id] = { .name = word, .text = sentence },
    WHY_LIST(X)
#undef X
};

const char *why_name(enum why why)
{
    return rows[why].name;
}

const char *why_text(enum why why)
{
    return rows[why].text;
}

enum why why_of_name(const char *name)
{
    for (int i = 0; i < WHY_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0)
            return (enum why)i;
    return WHY_NONE;
}
