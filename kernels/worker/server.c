#include "kernels/worker/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "kernels/base/build.h"
#include "kernels/base/line.h"
#include "kernels/worker/protocol.h"
#include "kernels/worker/session.h"

#define EXIT_USAGE 2
#define EXIT_BROKEN 3

/* SIGTERM ends the process at once, whatever the starter had set: an answer that nobody wants is not
 * finished. SIGPIPE stays ignored: the write tells. */
static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
}

/* 0, or -1 if the parent was gone before the kernel was asked to watch it. */
static int die_with_parent(void)
{
    pid_t parent = getppid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return 0; /* then the end of input is what ends an orphan */
    return getppid() == parent ? 0 : -1;
}

int worker_take_stdout(void)
{
    fflush(stdout);
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (fd >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

/* Writes text and a newline. text is freed. */
static int put_answer(int fd, char *text)
{
    if (!text)
        return -1;
    size_t size = strlen(text), done = 0;
    text[size] = '\n'; /* in place of the final zero */
    while (done <= size) {
        ssize_t wrote = write(fd, text + done, size + 1 - done);
        if (wrote < 0 && errno != EINTR)
            break;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    free(text);
    return done > size ? 0 : -1;
}

/* Answers what is asked until there is nothing more to answer. */
static int serve(struct session *s, struct line_buffer *in, int answer_fd)
{
    int code = 0;
    while (!session_ended(s, &code)) {
        char *line;
        size_t size;
        enum line_event event = line_next(in, &line, &size);
        if (event == LINE_MORE) {
            long got = line_fill(in, STDIN_FILENO);
            if (got == 0)
                return 0; /* end of input means quit; half a line is no request */
            if (got < 0 && errno != EINTR)
                return EXIT_BROKEN;
            continue;
        }
        if (put_answer(answer_fd,
                       event == LINE_READY ? session_answer(s, line, size) : session_answer_too_long(s)))
            return EXIT_BROKEN; /* nobody reads */
    }
    return code;
}

int worker_serve(const struct engine *engine, int answer_fd)
{
    struct err err = { 0 };
    struct session *s = NULL;
    struct line_buffer in;
    reset_signals();
    if (die_with_parent() != 0)
        return EXIT_BROKEN;
    if (line_open(&in, PROTOCOL_REQUEST_MAX) != 0 || session_open(&s, engine, &err) != ST_OK) {
        fprintf(stderr, "%s: not enough memory to start\n", engine->name);
        return EXIT_BROKEN;
    }
    int code = serve(s, &in, answer_fd);
    if (session_lost(s)) { /* what is left of a lost device may hang whoever touches it, exit handlers too */
        fflush(stderr);
        _exit(code);
    }
    session_close(s);
    line_close(&in);
    close(answer_fd);
    return code;
}

static void print_help(const char *program, const struct engine *engine)
{
    printf("usage: %s [--help] [--version]\n\n"
           "Hosts the engine `%s` for bench: reads one JSON request a line from standard input, writes one JSON\n"
           "answer a line to standard output (protocol %d), and ends at the end of input. bench starts it; by hand:\n\n"
           "    echo '{\"id\":1,\"op\":\"hello\",\"protocol\":%d}' | %s\n",
           program, engine->name, PROTOCOL_VERSION, PROTOCOL_VERSION, program);
}

int worker_main(const struct engine *engine, int argc, char **argv)
{
    const char *program = argc > 0 ? argv[0] : engine->name;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        print_help(program, engine);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("%s %s\n", program, build_version());
        return 0;
    }
    if (argc > 1) {
        fprintf(stderr, "%s: unknown argument %s, allowed are --help and --version\n", program, argv[1]);
        return EXIT_USAGE;
    }
    int answer_fd = worker_take_stdout();
    if (answer_fd < 0) {
        fprintf(stderr, "%s: standard output cannot be taken: %s\n", program, strerror(errno));
        return EXIT_BROKEN;
    }
    return worker_serve(engine, answer_fd);
}
