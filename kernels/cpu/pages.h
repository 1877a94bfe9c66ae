/* pages.h - large blocks of memory in huge pages where the system gives them.
 * What pages_new gives, pages_free takes back. */
#ifndef CPU_PAGES_H
#define CPU_PAGES_H

#include <stddef.h>

#include "kernels/base/err.h"

struct pages {
    void  *data;  /* zero, at least 4096-byte aligned; NULL if bytes is 0 */
    size_t bytes;
};

/* Asks for transparent huge pages and lets all threads touch their share, so that nothing faults later and
 * each page lies near a thread that uses it. ST_OUT_OF_MEMORY names the bytes (also when more is asked than
 * the system or the control group has free, before anything is touched). */
enum status pages_new(struct pages *out, size_t bytes, const char *what, struct err *err);
void pages_free(struct pages *p);

#endif
