#include "kernels/base/line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_ROOM ((size_t)64 << 10)

int line_open(struct line_buffer *b, size_t limit)
{
    *b = (struct line_buffer){ .limit = limit, .room = FIRST_ROOM };
    b->bytes = malloc(b->room);
    return b->bytes ? 0 : -1;
}

void line_close(struct line_buffer *b)
{
    free(b->bytes);
    *b = (struct line_buffer){ 0 };
}

/* Drops what is here of a line that is too long: up to its newline, or all. */
static void skip(struct line_buffer *b, const char *newline)
{
    b->start = newline ? (size_t)(newline - b->bytes) + 1 : b->used;
    b->scanned = b->start;
    b->skipping = !newline;
}

enum line_event line_next(struct line_buffer *b, char **text, size_t *size)
{
    char *newline = b->used > b->scanned ? memchr(b->bytes + b->scanned, '\n', b->used - b->scanned) : NULL;
    if (b->skipping) {
        skip(b, newline);
        return newline ? line_next(b, text, size) : LINE_MORE;
    }
    size_t length = (newline ? (size_t)(newline - b->bytes) : b->used) - b->start;
    if (length > b->limit) {
        skip(b, newline);
        return LINE_TOO_LONG;
    }
    b->scanned = b->used;
    if (!newline)
        return LINE_MORE;
    *newline = '\0';
    *text = b->bytes + b->start;
    *size = length;
    b->start = b->scanned = (size_t)(newline - b->bytes) + 1;
    return LINE_READY;
}

/* Room for at least one more byte: first by moving what is unread to the front, then by growing. */
static int make_room(struct line_buffer *b)
{
    if (b->start > 0) {
        memmove(b->bytes, b->bytes + b->start, b->used - b->start);
        b->used -= b->start;
        b->scanned -= b->start;
        b->start = 0;
    }
    if (b->used < b->room)
        return 0;
    char *grown = realloc(b->bytes, 2 * b->room);
    if (!grown)
        return -1;
    b->bytes = grown;
    b->room *= 2;
    return 0;
}

long line_fill(struct line_buffer *b, int fd)
{
    if (make_room(b) != 0) {
        errno = ENOMEM;
        return -1;
    }
    ssize_t got = read(fd, b->bytes + b->used, b->room - b->used);
    if (got > 0)
        b->used += (size_t)got;
    return (long)got;
}

void line_rest(const struct line_buffer *b, const char **text, size_t *size)
{
    *text = b->bytes + b->start;
    *size = b->skipping ? 0 : b->used - b->start;
}
