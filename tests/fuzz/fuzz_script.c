/* Scripts of the scripted engine: any text is read or refused with a sentence, and what was read can be used. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/worker/scripted_pace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script *s = malloc(sizeof *s);
    struct err err = { 0 };
    if (!s)
        return 0;
    enum status st = script_read_text(s, "fuzz", (const char *)data, size, &err);
    if (st != ST_OK && !err.text[0])
        abort();
    if (st == ST_OK) {
        struct pace p;
        pace_open(&p, s, 1, 0);
        for (int batch = 1; batch < 6; batch++) {
            pace_block(&p, batch, true);
            pace_iteration_ns(&p, batch, 0);
        }
    }
    free(s);
    return 0;
}
