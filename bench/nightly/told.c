#include "bench/nightly/told.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/nightly/advice.h"
#include "kernels/base/clock.h"
#include "kernels/base/len.h"
#include "tuner/sign.h"
#include "tuner/verdict.h"

/* From mild to grave: the last one that some row has is the night's. */
static const struct word {
    const char *word;
    enum status status;
    const char *text;                /* of a night whose worst word it is; %s: the series */
} words[] = {
    { "OK", ST_OK, "everything is as it was" },
    { "LEARNING", ST_OK, "too few nights yet to judge by" },
    { "NOISE", ST_OK, "one odd value, not confirmed in fresh processes: %s" },
    { "IMPROVED", ST_OK, "faster than before: %s" },
    { "SUSPECT", ST_OK, "slower, confirmed tonight; one more such night is a regression: %s" },
    { "THROTTLED", ST_UNDECIDED, "the device throttled, so nothing is said of %s" },
    { "INVALID", ST_UNDECIDED, "too few valid blocks for %s" },
    { "INCONCLUSIVE", ST_UNDECIDED, "the control differed from itself tonight, so nothing is said" },
    { "BLIND", ST_BAD_NEWS, "no valid verdict for three nights or more: %s" },
    { "REGRESSED", ST_BAD_NEWS, "slower than before: %s" },
    { "MACHINE", ST_BAD_NEWS, "all series of the device are slower together: %s" },
};

static size_t rank_of(const char *word)
{
    size_t i = LEN(words);
    while (i-- > 1)
        if (strcmp(words[i].word, word) == 0)
            return i;
    return 0;
}

static bool is_machine(const struct night_row *row)
{
    return strncmp(row->series, JUDGE_MACHINE, strlen(JUDGE_MACHINE)) == 0;
}

const char *told_word(const struct night_row *row, int blind)
{
    bool machine = is_machine(row);
    if (blind >= JUDGE_BLIND)
        return "BLIND";
    if (*row->validity)
        return row->validity;
    if (machine && strcmp(row->verdict, verdict_name(VERDICT_REGRESSED)) == 0)
        return "MACHINE";
    return *row->verdict ? row->verdict : machine ? "OK" : "INVALID";
}

/* Nothing at all was measured, and it was the environment's fault. */
static const struct night_target *broken(const struct night_target *targets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (targets[i].counts[NIGHT_NORMAL] > 0)
            return NULL;
    for (size_t i = 0; i < count; i++)
        if (targets[i].failed == ST_ENVIRONMENT || targets[i].failed == ST_UNSUPPORTED)
            return &targets[i];
    return NULL;
}

enum status told_status(const char *word)
{
    return words[rank_of(word)].status;
}

/* Since when nothing was said: the newest night with a verdict, or a newer one that was BLIND and said so. */
static int64_t silent_since(const struct judge_ask *ask)
{
    int64_t told = 0, newest = 0;
    int nights = 0;
    for (size_t i = 0; i < ask->earlier_count; i++) {
        const struct night_row *row = &ask->earlier[i];
        if (is_machine(row))
            continue;
        nights = judge_has_verdict(row) ? 0 : nights + (row->run != newest && row->run != told);
        told = judge_has_verdict(row) ? row->run : told;
        newest = row->run;
    }
    const int64_t last = judge_start_of(ask, newest), verdict = judge_start_of(ask, told);
    bool blind = nights >= JUDGE_BLIND || judge_nights_between(verdict, last, ask->every_s) >= JUDGE_BLIND;
    return told && !blind ? verdict : last;
}

bool told_is_gap(double *days, const struct judge_ask *ask)
{
    const int64_t since_unix_s = silent_since(ask);
    *days = (double)(ask->start_unix_s - since_unix_s) / CLOCK_DAY_S;
    return since_unix_s && judge_nights_between(since_unix_s, ask->start_unix_s, ask->every_s) > JUDGE_BLIND;
}

static void tell_gap(struct night_report *out, const struct judge_ask *ask)
{
    double days;
    if (told_is_gap(&days, ask))
        snprintf(out->gap, sizeof out->gap,
                 "BLIND until tonight: the last verdict was %.1f days ago; look at what starts a night", days);
}

static size_t count_nights(const struct judge_ask *ask)
{
    size_t n = 1;
    int64_t run = 0;
    for (size_t i = 0; i < ask->earlier_count; i++) {
        n += ask->earlier[i].run != run;
        run = ask->earlier[i].run;
    }
    return n;
}

/* The gravest rows: the first of them and how many there are. */
struct worst {
    size_t rank, count;
    const struct night_row *row;     /* NULL: there are no rows */
};

static struct worst find_worst(const struct night_report *r, const struct judge_ask *ask)
{
    struct worst w = { 0, 0, NULL };
    for (size_t i = 0; i < r->count; i++) {
        size_t rank = rank_of(told_word(&r->rows[i], judge_blind_nights(&r->rows[i], ask)));
        if (!w.row || rank > w.rank)
            w = (struct worst){ rank, 0, &r->rows[i] };
        w.count += rank == w.rank;
    }
    return w;
}

static void say(struct night_report *out, const struct worst *w)
{
    char who[RECORD_TEXT + 32] = "";
    const char *name = !w->row ? "" : is_machine(w->row) ? w->row->name + strlen(JUDGE_MACHINE) : w->row->name;
    if (w->count > 1)
        snprintf(who, sizeof who, "%s and %zu more", name, w->count - 1);
    else
        snprintf(who, sizeof who, "%s", name);
    const char *sign = w->row ? sign_text(w->row->path) : NULL; /* MACHINE by telemetry alone */
    if (sign)
        snprintf(out->sentence, sizeof out->sentence, "%.300s: %s", who, sign);
    else
        snprintf(out->sentence, sizeof out->sentence, words[w->rank].text, who);
}

void told_rows(struct night_report *out, const struct judge_ask *ask)
{
    struct worst w = find_worst(out, ask);
    out->nights = count_nights(ask);
    out->alpha = ask->alpha;
    out->alpha_budget = (double)out->count * ask->alpha;
    tell_gap(out, ask);
    advice_of(out->advice, out->rows, out->count);
    bool gap = *out->gap && rank_of("BLIND") > w.rank;
    if (gap)
        w.rank = rank_of("BLIND");
    out->verdict = words[w.rank].word;
    if (gap)
        snprintf(out->sentence, sizeof out->sentence, "%s", out->gap);
    else
        say(out, &w);
}

enum status told_of(struct night_report *out, const struct judge_ask *ask, const struct night_target *targets,
                    size_t target_count, struct err *err)
{
    const struct night_target *bad = broken(targets, target_count);
    told_rows(out, ask);
    if (bad) {
        out->verdict = "ENV_BROKEN";
        snprintf(out->sentence, sizeof out->sentence, "%.500s", bad->why);
        return err_set(err, ST_ENVIRONMENT, "%s", bad->why);
    }
    enum status st = told_status(out->verdict);
    return st == ST_OK ? ST_OK : err_set(err, st, "%s: %s", out->verdict, out->sentence);
}
