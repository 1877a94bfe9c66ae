#include "bench/output/paint.h"

struct paint paint_of(bool colour)
{
    return colour ? (struct paint){ "\033[1m", "\033[2m", "\033[1;32m", "\033[1;33m", "\033[0m" }
                  : (struct paint){ "", "", "", "", "" };
}

void paint_plain(FILE *file, const char *text)
{
    for (; *text; text++)
        fputc((unsigned char)*text < 32 || *text == 127 ? '?' : *text, file);
}
