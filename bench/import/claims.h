/* claims.h - what an imported file says: the two sizes of every model, which become the incumbent, and all
 * the rest, which is claimed and never taken for a measurement. */
#ifndef IMPORT_CLAIMS_H
#define IMPORT_CLAIMS_H

#include "bench/import/document.h"
#include "bench/output/notes.h"
#include "bench/store/record.h"

struct claims {
    struct import_model_row *models; /* [count], in the order of the file; claims owned */
    size_t count;
};
/* ST_CONFIG: an entry is no object, a name is longer than a store can hold, or a size is no integer
 * 1..BATCH_MAX: FILE:LINE, member and value. Notes get what was accepted though it is not as it should be: an
 * optimal size above max_safe. */
enum status claims_read(struct claims *out, const struct import_document *d, const char *name,
                        struct notes *notes, struct err *err);
void claims_free(struct claims *c);
/* Notes about the file as a whole: words that are no JSON, no newline at its end, text beyond ASCII, keys
 * that nobody knows. */
void claims_note_form(struct notes *notes, const struct import_document *d, const char *name);

#endif
