/* status.h - every outcome that a function of ours can have, in one list.
 * The list makes the enum, the protocol's `kind` strings, the texts for people and the
 * exit code of `bench`. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

/*        name           kind (protocol, store)  exit  text */
#define STATUS_LIST(X) \
    X(OK,            "ok",             0, "done") \
    X(UNSUPPORTED,   "unsupported",    3, "this engine cannot do it") \
    X(OUT_OF_MEMORY, "out_of_memory",  3, "not enough memory") \
    X(INVALID,       "invalid",        2, "the request is wrong") \
    X(MODEL,         "model",          2, "the model or its weights are wrong") \
    X(WRONG_OUTPUT,  "wrong_output",   1, "the engine gave another output than asked") \
    X(DEVICE_LOST,   "device_lost",    3, "the device is lost") \
    X(ENVIRONMENT,   "environment",    3, "the environment is broken") \
    X(INTERNAL,      "internal",       3, "an error of the program itself") \
    X(CRASHED,       "crashed",        3, "the worker ended without an answer") \
    X(HUNG,          "hung",           3, "the worker did not answer in time") \
    X(CONFIG,        "config",         2, "the configuration is wrong") \
    X(USAGE,         "usage",          2, "the command line is wrong") \
    X(IO,            "io",             3, "reading or writing failed") \
    X(BUSY,          "busy",           3, "another process holds it") \
    X(INTERRUPTED,   "interrupted",    4, "interrupted") \
    X(BAD_NEWS,      "bad_news",       1, "the answer is bad news") \
    X(UNDECIDED,     "undecided",      4, "inconclusive")

enum status {
#define X(name, kind, exit_code, text) ST_##name,
    STATUS_LIST(X)
#undef X
    ST_COUNT
};

/* The protocol's word for a status ("out_of_memory"); never NULL. */
const char *status_kind(enum status st);
/* One sentence part for people; never NULL. */
const char *status_text(enum status st);
/* Exit code of `bench` for a status (0..4, see README "Exit codes"). */
int status_exit(enum status st);
/* Which of several failures of one run it ends with: the largest wins, by exit code 2, 1,
 * 3, 4, 0 in this order. */
int status_rank(enum status st);
/* The status of a kind string; ST_INTERNAL for a word that is not in the list or NULL. */
enum status status_of_kind(const char *kind);

#endif
