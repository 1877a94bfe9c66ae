/* child.h - questions that may never come back (a hung driver, a device node that blocks), each asked in a
 * child process with a time limit. A child says what it learns as it goes, one JSON object a line; the lines
 * are merged, so that what was said before a hang is kept. */
#ifndef DOCTOR_CHILD_H
#define DOCTOR_CHILD_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernels/base/line.h"

#define CHILD_S UINT64_C(1000000000)
#define CHILDREN_MAX 80

struct child {
    /* of the caller */
    void (*work)(int fd, const void *context); /* runs in the child; says what it finds with child_say */
    const void *context;
    uint64_t limit_ns;
    /* of children_run */
    json_t *answer;                  /* object, merged from all lines; owned, json_decref */
    bool    late;                    /* killed after limit_ns; answer has what was said until then */
    bool    crashed;                 /* ended by a signal of its own, or said no JSON */
    pid_t   pid;
    int     fd;
    struct line_buffer lines;
};

/* In the child: one line for the parent. Takes the object over; NULL is left out. */
void child_say(int fd, json_t *object);

/* Runs all at once and waits until each has ended, was killed after its limit, or *interrupt is set (NULL:
 * never); a child that cannot even be killed is left behind. false: no process could be made for at least
 * one, which is `crashed`. */
bool children_run(struct child *children, size_t count, const volatile sig_atomic_t *interrupt);

#endif
