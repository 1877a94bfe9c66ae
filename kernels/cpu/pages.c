#include "kernels/cpu/pages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "kernels/base/host.h"
#include "kernels/base/text.h"

#define HUGE_PAGE ((size_t)2 << 20)
#define SMALL_PAGE 4096

static void touch(char *data, size_t bytes)
{
    ptrdiff_t count = (ptrdiff_t)((bytes + HUGE_PAGE - 1) / HUGE_PAGE);
#pragma omp parallel for schedule(static)
    for (ptrdiff_t i = 0; i < count; i++) {
        size_t from = (size_t)i * HUGE_PAGE, to = from + HUGE_PAGE < bytes ? from + HUGE_PAGE : bytes;
        for (size_t at = from; at < to; at += SMALL_PAGE)
            ((volatile char *)data)[at] = 0;
    }
}

enum status pages_new(struct pages *out, size_t bytes, const char *what, struct err *err)
{
    *out = (struct pages){ NULL, 0 };
    if (bytes == 0)
        return ST_OK;
    uint64_t available;
    if (host_memory_available(&available, NULL, 0) && bytes > available) {
        char wanted[32], has[32];
        text_of_bytes(wanted, sizeof wanted, bytes);
        text_of_bytes(has, sizeof has, available);
        return err_set(err, ST_OUT_OF_MEMORY,
                       "%s of %s does not fit in %s free: use a smaller batch or input", what, wanted, has);
    }
    size_t whole = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (bytes < HUGE_PAGE)
        whole = (bytes + SMALL_PAGE - 1) / SMALL_PAGE * SMALL_PAGE;
    void *data = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return err_set(err, ST_OUT_OF_MEMORY, "%s of %zu bytes: %s", what, bytes, strerror(errno));
    madvise(data, whole, MADV_HUGEPAGE); /* advice: without it only the page size differs */
    touch(data, whole);
    *out = (struct pages){ data, whole };
    return ST_OK;
}

void pages_free(struct pages *p)
{
    if (p->data)
        munmap(p->data, p->bytes);
    *p = (struct pages){ NULL, 0 };
}
