/* why.h - the reasons that a batch size can have for being chosen or not: one list makes the enum, the names
 * that are stored and written to files, and the texts for people. The order is the order of precedence: a
 * size that several reasons fit gets the first. */
#ifndef TUNER_WHY_H
#define TUNER_WHY_H

/*        name                     text that follows "batch N: " */
#define WHY_LIST(X) \
    X(NONE,                   "",                       "no reason yet") \
    X(CHOSEN,                 "chosen",                 "chosen") \
    X(UNSUPPORTED,            "unsupported",            "the engine cannot run it") \
    X(CRASHED,                "crashed",                "the worker died on it, twice") \
    X(HUNG,                   "hung",                   "the worker did not answer in time, twice") \
    X(OUT_OF_MEMORY,          "out_of_memory",          "it ran out of memory") \
    X(OVER_MEMORY,            "over_memory",            "it needs more memory than the limit allows") \
    X(WRONG_OUTPUT,           "wrong_output",           "its output is wrong") \
    X(INACCURATE,             "inaccurate",             "the target fails the accuracy gate") \
    X(THROTTLED,              "throttled",              "the device throttled in too many of its blocks") \
    X(INVALID,                "invalid",                "too many of its blocks were invalid") \
    X(OVER_SLO,               "over_slo",               "it is over the latency limit, or not shown to be under it") \
    X(NOT_TRIED_BUDGET,       "not_tried_budget",       "not tried: the time was used up") \
    X(NOT_TRIED_OVER_SLO,     "not_tried_over_slo",     "not tried: two smaller sizes are over the latency limit") \
    X(NOT_TRIED_FAILED,       "not_tried_failed",       "not tried: two smaller sizes failed or did not fit") \
    X(NOT_TRIED_DOMINATED,    "not_tried_dominated",    "not tried: throughput had stopped to grow") \
    X(SLOWER_COARSE,          "slower_coarse",          "clearly slower already while probing") \
    X(MIDPOINT_NO_GAIN,       "midpoint_no_gain",       "a size in between that gains less than 3 %") \
    X(SLOWER,                 "slower",                 "slower than the allowed margin below the best") \
    X(FAILED_VERIFICATION,    "failed_verification",    "it did not hold in fresh executions") \
    X(SMALLER_PENDING,        "smaller_pending",        "fast enough and smaller: chosen if the next tune agrees") \
    X(WITHIN_ZONE_BUT_LARGER, "within_zone_but_larger", "fast enough, but larger than the chosen size") \
    X(UNSTABLE,               "unstable",               "its interval is too wide for the margin") \
    X(UNDECIDED,              "undecided",              "neither shown to be fast enough nor shown to be slower")

enum why {
#define X(name, word, text) WHY_##name,
    WHY_LIST(X)
#undef X
    WHY_COUNT
};

/* The stored word ("slower_coarse") and the text for people; never NULL. */
const char *why_name(enum why why);
const char *why_text(enum why why);
/* The reason of a stored word; WHY_NONE for one that is not in the list. */
enum why why_of_name(const char *name);

#endif
