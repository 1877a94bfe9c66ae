/* line.h - lines from a file descriptor, with a limit: for both ends of the worker protocol.
 * What line_open gives, line_close takes back; a line is borrowed until the next call. */
#ifndef BASE_LINE_H
#define BASE_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct line_buffer {
    char  *bytes;
    size_t room, used, start, scanned; /* [start, used) is unread; up to scanned there is no newline */
    size_t limit;                      /* longest line, newline left out */
    bool   skipping;                   /* inside a line that was too long */
};

enum line_event {
    LINE_READY,    /* *text is a line of *size bytes; text[size] is 0 (was the newline) */
    LINE_MORE,     /* no whole line is here: line_fill */
    LINE_TOO_LONG, /* a line over the limit was met; it is told once and skipped to its end */
};

/* 0, or -1 if memory is out. */
int line_open(struct line_buffer *b, size_t limit);
void line_close(struct line_buffer *b);
enum line_event line_next(struct line_buffer *b, char **text, size_t *size);
/* One read(2). Its result: > 0 read, 0 end of input, -1 errno (EAGAIN, EINTR as they come; ENOMEM too). What
 * is in the buffer after the end of input is a line without its newline. */
long line_fill(struct line_buffer *b, int fd);
/* The unread rest, a line without newline; empty if there is none. */
void line_rest(const struct line_buffer *b, const char **text, size_t *size);

#endif
