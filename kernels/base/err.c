#include "kernels/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/text.h"

/* Texts of others (a worker, a file) end up in sentences: no line break, nothing that steers a terminal, and
 * only UTF-8, which a cut may have broken: JSON takes nothing else. */
static void make_plain(char *text)
{
    for (size_t size; *text; text += size ? size : 1) {
        const unsigned char *c = (const unsigned char *)text;
        size = text_utf8_size(text);
        if (size == 0)
            *text = '?';
        else if (*c < ' ' || *c == 127 || (*c == 0xc2 && c[1] < 0xa0)) /* 0xc2: U+0080 to U+009F */
            memset(text, ' ', size);
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
    snprintf(err->text, sizeof err->text, "%s: %.*s", prefix, (int)(sizeof text - sizeof prefix - 3), text);
    make_plain(err->text);
}
