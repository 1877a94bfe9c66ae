/* energy.h - the energy counters of the processor packages and of their memory (RAPL, through powercap).
 * They count everything that runs on the machine, and wrap. For bench/telemetry/ only. What energy_open
 * gives, energy_close takes back. */
#ifndef TELEMETRY_ENERGY_H
#define TELEMETRY_ENERGY_H

#include <stdbool.h>
#include <stdint.h>

#define ENERGY_DOMAINS_MAX 32

struct energy {
    int      fd[ENERGY_DOMAINS_MAX]; /* [count] energy_uj */
    uint64_t range_uj[ENERGY_DOMAINS_MAX]; /* a counter goes to this value and on from 0 */
    int      count;
    int      error;                  /* errno if count is 0 */
};

/* Domains called package-N and dram; cores and graphics are parts of a package. */
void energy_open(struct energy *e, const char *root);
void energy_close(struct energy *e);
/* false: there is no counter, or one cannot be read. */
bool energy_read(uint64_t uj[ENERGY_DOMAINS_MAX], const struct energy *e);
/* Of all domains between two readings that lie less than one turn apart. */
double energy_between_uj(const struct energy *e, const uint64_t *before, const uint64_t *after);

#endif
