#include "kernels/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Texts of others (a worker, a file) end up in sentences: no line break, and nothing
 * that steers a terminal. */
static void make_plain(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++)
        if (*c < ' ' || *c == 127 || (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)) {
            if (*c == 0xc2)
                c[1] = ' '; /* the second byte of a control character in UTF-8 */
            *c = ' ';
        }
}

enum status err_set(struct err *err, enum status st, const char *format, ...)
{
    if (!err)
        return st;
    char text[ERR_TEXT_MAX]; /* own buffer: the arguments may point into err->text */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    make_plain(text);
    *err = (struct err){ .status = st };
    memcpy(err->text, text, sizeof text);
    return st;
}

void err_prefix(struct err *err, const char *format, ...)
{
    if (!err)
        return;
    char prefix[ERR_TEXT_MAX / 2], text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    memcpy(text, err->text, sizeof text);
    make_plain(prefix);
    snprintf(err->text, sizeof err->text, "%s: %.*s", prefix, (int)(sizeof text - sizeof prefix - 3), text);
}
