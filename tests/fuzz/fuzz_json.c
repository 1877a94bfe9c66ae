/* The JSON reader and writer on arbitrary bytes: what was read, written and read again is the same, in ASCII. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(const json_t *value, enum json_layout layout)
{
    struct err err = { .status = ST_OK };
    char *text = json_write_text(value, layout);
    if (!text)
        abort();
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c >= 0x80 || ((unsigned char)*c < 0x20 && *c != '\n'))
            abort();
    json_t *again = json_read_text("again", text, strlen(text), &err);
    if (!again || !json_equal(value, again))
        abort();
    json_decref(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = { .status = ST_OK };
    char *exact = malloc(size ? size : 1); /* a block of just this size, so that one byte too far is seen */
    if (!exact)
        abort();
    if (size)
        memcpy(exact, data, size);
    json_t *value = json_read_text("fuzz", exact, size, &err);
    if (value) {
        write_and_read(value, JSON_LINE);
        write_and_read(value, JSON_INDENTED);
        int64_t number;
        const char *text;
        json_get_int(&number, value, "fuzz", "batch", 1, 4096, &err);
        json_find_text(&text, value, "fuzz", "name", &err);
    } else if (err.status != ST_INVALID || !*err.text) {
        abort();
    }
    json_decref(value);
    free(exact);
    return 0;
}
