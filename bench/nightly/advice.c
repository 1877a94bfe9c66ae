#include "bench/nightly/advice.h"

#include <stdio.h>
#include <string.h>

#include "bench/nightly/device_table.h"
#include "tuner/moved.h"
#include "tuner/verdict.h"

bool advice_is_moved(const struct night_row *row)
{
    return row->target && strcmp(row->moved, moved_name(MOVED_MOVED)) == 0;
}

static bool is_slow(const struct night_row *row)
{
    return !*row->validity && (strcmp(row->verdict, verdict_name(VERDICT_REGRESSED)) == 0 ||
                               strcmp(row->verdict, verdict_name(VERDICT_SUSPECT)) == 0);
}

bool advice_is_slower(const struct night_row *row, const struct night_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool same = night_row_is_machine(&rows[i]) ? strcmp(rows[i].device, row->device) == 0 &&
                                                         strcmp(rows[i].group_name, row->group_name) == 0
                                                   : rows[i].target == row->target;
        if (same && is_slow(&rows[i]))
            return true;
    }
    return false;
}

void advice_of(char out[RECORD_TEXT], const struct night_row *rows, size_t count)
{
    const struct night_row *first = NULL, *slow = NULL;
    size_t moved = 0;
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        if (!advice_is_moved(&rows[i]))
            continue;
        if (advice_is_slower(&rows[i], rows, count))
            slow = slow ? slow : &rows[i];
        else
            first = first ? first : &rows[i];
        moved++;
    }
    if (moved == 0)
        return;
    size_t used = (size_t)snprintf(out, RECORD_TEXT, "another batch size is right: %.160s", (first ? first : slow)->name);
    if (moved > 1)
        used += (size_t)snprintf(out + used, RECORD_TEXT - used, " and %zu more", moved - 1);
    if (first)
        used += (size_t)snprintf(out + used, RECORD_TEXT - used,
                                 ": bench tune, or bench nightly --retune, races again");
    if (slow)
        snprintf(out + used, RECORD_TEXT - used, "; %.160s is slower too: repair that first", slow->name);
}
