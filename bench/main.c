/* bench: argv -> the table of verbs -> one function. Only this file exits. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/config/config.h"
#include "bench/output/again.h"
#include "bench/verbs/verbs.h"
#include "kernels/base/build.h"
#include "kernels/base/text.h"

#define WORDS_MAX 8
#define VERBS_MAX 32

/* The one variable of the program that is not passed: a signal handler has no other way. */
static volatile sig_atomic_t stop;

/* The first signal asks for a good end, the second one is the system's. */
static void on_signal(int number)
{
    if (stop) {
        signal(number, SIG_DFL);
        raise(number);
    }
    stop = number;
}

static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction hangup;
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) /* nohup stays in force */
        sigaction(SIGHUP, &action, NULL);
}

/* A standard stream that was closed would be the next file that is opened: a worker's pipe, a result. In its
 * place stands one on which the use fails, as it should. */
static void hold_standard_streams(void)
{
    static const int unusable[] = { O_WRONLY, O_RDONLY, O_RDONLY };
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", unusable[fd]) != fd)
            return; /* no /dev/null: nothing better is left */
}

static void print_help(void)
{
    size_t count;
    const struct verb *verbs = verbs_table(&count);
    puts("bench: measures neural networks over batch sizes and decides which one a service should use\n\n"
         "usage: bench VERB [FLAGS]        bench --all-models is bench tune --all-models\n");
    for (size_t i = 0; i < count; i++)
        printf("  %-9s %s\n", verbs[i].name, verbs[i].summary);
    puts("\nbench VERB --help   flags of a verb, with keys, ranges and defaults\n"
         "bench --version     version and build\n\n"
         "exit codes: 0 done; 1 the answer is bad news; 2 usage or configuration;\n"
         "            3 the environment is broken; 4 inconclusive");
}

static void print_verb_help(const struct verb *verb)
{
    printf("bench %s: %s\n\nusage: bench %s%s%s%s\n\n%s\n", verb->name, verb->summary, verb->name,
           *verb->words_text ? " " : "", verb->words_text, verb->groups ? " [FLAGS]" : "", verb->about);
    config_print_help(stdout, verb->groups);
}

static void print_version(void)
{
    printf("bench %s (%s)\n", build_text(), build_variant());
}

static enum status unknown_verb(const char *name, struct err *err)
{
    const char *names[VERBS_MAX];
    size_t count, used;
    const struct verb *verbs = verbs_table(&count);
    for (used = 0; used < count && used < VERBS_MAX; used++)
        names[used] = verbs[used].name;
    const char *near = text_nearest(name, names, used);
    return err_set(err, ST_USAGE, "there is no verb \"%.80s\"%s%s%s", name,
                   near ? " (did you mean \"" : "; bench --help lists them", near ? near : "",
                   near ? "\"?)" : "");
}

/* The verb of the command line, tune if its first word is a flag; *args is where its own arguments begin. */
static enum status find_verb(const struct verb **out, int *args, int argc, char **argv, struct err *err)
{
    size_t count;
    const struct verb *verbs = verbs_table(&count);
    bool named = argc > 1 && argv[1][0] != '-';
    const char *name = named ? argv[1] : "tune";
    *args = named ? 2 : 1;
    for (size_t i = 0; i < count; i++)
        if (strcmp(verbs[i].name, name) == 0) {
            *out = &verbs[i];
            return ST_OK;
        }
    return unknown_verb(name, err);
}

/* The arguments in one line; those that a shell would cut are quoted. The caller frees; NULL if memory is
 * out. */
static char *join_argv(int argc, char **argv)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (int i = 0; out && i < argc; i++) {
        const char *arg = i ? argv[i] : "bench";
        fputs(i ? " " : "", out);
        again_quote(out, arg);
    }
    if (out)
        fclose(out);
    return text;
}

static enum status run_verb(const struct verb *verb, const struct config_ask *ask, const char *program,
                            const char *argv_text, struct err *err)
{
    struct config config;
    const char *words[WORDS_MAX];
    size_t word_count;
    enum status st = config_read(&config, words, &word_count, ask, err);
    if (st != ST_OK)
        return st;
    struct invocation inv = { .config = &config,
                              .words = words,
                              .word_count = word_count,
                              .argv_text = argv_text,
                              .program = program,
                              .ask = ask,
                              .stop = &stop };
    if (word_count < verb->words_min)
        st = err_set(err, ST_USAGE, "bench %s wants %s", verb->name, verb->words_text);
    else
        st = verb->run(&inv, err);
    config_free(&config);
    return st;
}

static bool wants_help(int argc, char **argv, int from)
{
    for (int i = from; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static enum status run(int argc, char **argv, struct err *err)
{
    const struct verb *verb = NULL;
    int args = 0;
    if (argc == 2 &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)) {
        print_help();
        return ST_OK;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        print_version();
        return ST_OK;
    }
    enum status st = find_verb(&verb, &args, argc, argv, err);
    if (st != ST_OK)
        return st;
    if (wants_help(argc, argv, args)) {
        print_verb_help(verb);
        return ST_OK;
    }
    char *argv_text = join_argv(argc, argv);
    struct config_ask ask = { .verb = verb->name, .groups = verb->groups, .argv = argv + args,
                              .argc = (size_t)(argc - args), .words_max = verb->words_max,
                              .look_up = true };
    st = argv_text ? run_verb(verb, &ask, argc > 0 ? argv[0] : "bench", argv_text, err)
                   : err_set(err, ST_INTERNAL, "not enough memory for the command line");
    free(argv_text);
    return st;
}

int main(int argc, char **argv)
{
    struct err err = { .status = ST_OK };
    hold_standard_streams();
    catch_signals();
    enum status st = run(argc, argv, &err);
    bool printed = fflush(stdout) == 0 && !ferror(stdout);
    if (!printed && status_exit(st) != 2)
        st = err_set(&err, ST_IO, "standard output cannot be written: is the disk full?");
    if (st != ST_OK && err.text[0])
        fprintf(stderr, "bench: %s\n", err.text);
    return status_exit(st);
}
