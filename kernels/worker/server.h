/* server.h - the process around a session: everything that a worker program is besides its engine. */
#ifndef WORKER_SERVER_H
#define WORKER_SERVER_H

#include "kernels/worker/engine.h"

/* The main of a worker program: answers requests on standard input until quit or its end, then returns the
 * exit code. Standard output carries answers and nothing else: descriptor 1 is pointed at standard error
 * first, so that a library which prints cannot break the protocol. Dies with the process that started it and
 * at once on SIGTERM. Takes --help and --version; anything else is refused with exit code 2. */
int worker_main(const struct engine *engine, int argc, char **argv);
/* The same after the command line was dealt with: answers go to answer_fd, which is closed at the end. */
int worker_serve(const struct engine *engine, int answer_fd);
/* A copy of standard output that no child inherits; descriptor 1 is standard error afterwards. -1: errno. */
int worker_take_stdout(void);

#endif
