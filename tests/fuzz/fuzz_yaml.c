/* The YAML reader on arbitrary bytes: a tree within its limits whose places lie in the text, or a sentence. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yaml *y = NULL;
    struct err err = { .status = ST_OK };
    char *exact = malloc(size ? size : 1); /* a block of just this size, so that one byte too far is seen */
    if (!exact)
        abort();
    if (size)
        memcpy(exact, data, size);
    const enum status st = yaml_read_text(&y, "fuzz", exact, size, &err);
    if (st == ST_OK)
        walk(y, 0);
    else if (y || !*err.text)
        abort();
    yaml_free(y);
    free(exact);
    return 0;
}
