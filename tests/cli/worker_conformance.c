/* worker-conformance: does COMMAND keep the worker protocol? The cases are those of bench/measure/conformance*.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/conformance.h"
#include "kernels/base/text.h"

static const char usage[] =
    "usage: worker-conformance [--model NAME] [--input HxW] [--precision NAME] [--only PREFIX] COMMAND [ARGUMENT]...\n"
    "       worker-conformance ... \"COMMAND ARGUMENT...\"     one word with spaces is split at them\n\n"
    "Starts the worker COMMAND many times, tries every rule of the worker protocol, prints a line per case and\n"
    "`N passed, N failed`. Exit 0: all passed, 1: a case failed, 2: wrong usage, 3: the worker does not start.\n";

/* "HxW" with three channels. 0, or -1. */
static int read_input(int shape[3], const char *text)
{
    char first[16];
    int64_t h, w;
    const char *x = strchr(text, 'x');
    if (!x || (size_t)(x - text) >= sizeof first)
        return -1;
    snprintf(first, sizeof first, "%.*s", (int)(x - text), text);
    if (text_int(&h, first) != 0 || text_int(&w, x + 1) != 0 || h < 1 || w < 1 || h > 16384 || w > 16384)
        return -1;
    shape[0] = 3;
    shape[1] = (int)h;
    shape[2] = (int)w;
    return 0;
}

/* Number of arguments taken (2), or 0 if it is no option of ours, or -1 if its value is wrong. */
static int take_option(struct conformance_ask *ask, char **argv)
{
    if (strcmp(argv[0], "--input") == 0)
        return argv[1] && read_input(ask->shape, argv[1]) == 0 ? 2 : -1;
    const struct {
        const char *name;
        const char **to;
    } texts[] = { { "--model", &ask->model }, { "--precision", &ask->precision }, { "--only", &ask->only } };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(argv[0], texts[i].name) == 0) {
            *texts[i].to = argv[1];
            return argv[1] ? 2 : -1;
        }
    return argv[0][0] == '-' ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct conformance_ask ask = { .model = "hrnet", .shape = { 3, 64, 64 }, .out = stdout };
    struct conformance_result result;
    struct err err = { 0 };
    char *words[CONFORMANCE_WORDS + 1];
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    int at = 1, taken = 0;
    while (at < argc && (taken = take_option(&ask, argv + at)) > 0)
        at += taken;
    if (taken < 0 || at >= argc) {
        fprintf(stderr, "worker-conformance: %s%s\n%s", at < argc ? "wrong option " : "no command",
                at < argc ? argv[at] : "", usage);
        return 2;
    }
    ask.command = argv + at;
    if (at == argc - 1 && strchr(argv[at], ' ')) {
        conformance_split(words, argv[at]);
        ask.command = words;
    }
    enum status st = ask.command[0] ? conformance_run(&result, &ask, &err)
                                    : err_set(&err, ST_USAGE, "the command is empty");
    if (st != ST_OK)
        fprintf(stderr, "worker-conformance: %s\n", err.text);
    return status_exit(st);
}
