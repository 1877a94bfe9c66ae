/* The YAML reader on arbitrary bytes, as a file of ours and as one of others: a tree within its limits whose places lie in the text, or a sentence. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct yaml *y, int depth)
{
    if (depth > YAML_MAX_DEPTH || y->line < 1 || y->column < 1)
        abort();
    if ((y->kind == YAML_SCALAR) != (y->text != NULL) || (y->kind == YAML_MAP) != (y->keys != NULL))
        if (y->kind == YAML_SCALAR || y->count > 0)
            abort();
    for (size_t i = 0; i < y->count; i++) {
        walk(y->items[i], depth + 1);
        if (!y->keys)
            continue;
        if (y->keys[i]->kind != YAML_SCALAR || yaml_get(y, y->keys[i]->text) != y->items[i])
            abort(); /* keys are scalars, and no two alike */
    }
}

static void read_as(enum status (*read)(struct yaml **, const char *, const char *, size_t, struct err *),
                    const char *text, size_t size)
{
    struct yaml *y = NULL;
    struct err err = { .status = ST_OK };
    if (read(&y, "fuzz", text, size, &err) == ST_OK)
        walk(y, 0);
    else if (y || !*err.text)
        abort();
    yaml_free(y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *exact = malloc(size ? size : 1); /* a block of just this size, so that one byte too far is seen */
    if (!exact)
        abort();
    if (size)
        memcpy(exact, data, size);
    read_as(yaml_read_text, exact, size);
    read_as(yaml_read_foreign_text, exact, size);
    free(exact);
    return 0;
}
