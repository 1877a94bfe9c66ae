#include "kernels/base/host.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The rest of the first line of a file that begins with `key`, without blanks and the colon before it. 0: found. */
static int find_line(char *out, size_t size, const char *path, const char *key)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    char line[512];
    int found = -1;
    while (found != 0 && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        const char *value = line + strlen(key);
        value += strspn(value, " \t:");
        snprintf(out, size, "%.*s", (int)strcspn(value, "\n"), value);
        found = 0;
    }
    fclose(file);
    return found;
}

void host_cpu_name(char *out, size_t size)
{
    if (find_line(out, size, "/proc/cpuinfo", "model name") != 0 || !*out)
        snprintf(out, size, "unknown CPU");
}

uint64_t host_memory_bytes(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGE_SIZE);
    return pages > 0 && bytes > 0 ? (uint64_t)pages * (uint64_t)bytes : 0;
}

/* A line like "VmRSS:     1234 kB". */
static int find_kilobytes(uint64_t *bytes, const char *key)
{
    char text[64];
    unsigned long long kilobytes;
    if (find_line(text, sizeof text, "/proc/self/status", key) != 0 || sscanf(text, "%llu", &kilobytes) != 1)
        return -1;
    *bytes = kilobytes * 1024;
    return 0;
}

enum status host_resident(uint64_t *current_bytes, uint64_t *peak_bytes, struct err *err)
{
    if (find_kilobytes(current_bytes, "VmRSS") == 0 && find_kilobytes(peak_bytes, "VmHWM") == 0)
        return ST_OK;
    return err_set(err, ST_ENVIRONMENT, "/proc/self/status does not give VmRSS and VmHWM: is /proc mounted?");
}

void host_reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we");
    if (!file)
        return;
    fputs("5", file); /* 5: sets the high-water mark of the resident set back to what is resident now */
    fclose(file);
}
