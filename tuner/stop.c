#include "tuner/stop.h"

#include "tuner/stats.h"

#define NS_PER_S UINT64_C(1000000000)

const size_t stop_looks[STOP_LOOKS] = { 6, 9, 13, 19, 28, 40 };

static const double half_width_gpu = 0.005, half_width_cpu = 0.01;
static const uint64_t least_ns = 3 * NS_PER_S;
static const uint64_t cap_ns = 30 * NS_PER_S;
enum { CAP_BLOCKS = 6, DOUBLINGS_MOST = 2, CORRELATION_LOOK = 13 };

static const struct {
    const char *name, *text;
} rows[STOP_COUNT] = {
#define X(id, word, sentence) [STOP_##id] = { .name = word, .text = sentence },
    STOP_LIST(X)
#undef X
};

const char *stop_name(enum stop stop)
{
    return rows[stop].name;
}

const char *stop_text(enum stop stop)
{
    return rows[stop].text;
}

static uint64_t sum_ns(const uint64_t *ns, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ns[i];
    return sum;
}

static bool precise_at(const struct stop_ask *ask, size_t look)
{
    if (sum_ns(ask->measured_ns, look) < least_ns)
        return false;
    struct interval i = stats_interval(ask->y, look, INTERVAL_SEQUENTIAL);
    return i.reason == STATS_FINE && i.half_width <= (ask->gpu ? half_width_gpu : half_width_cpu);
}

enum stop stop_check(const struct stop_ask *ask)
{
    for (size_t i = 0; i < STOP_LOOKS && stop_looks[i] <= ask->n; i++)
        if (precise_at(ask, stop_looks[i]))
            return STOP_PRECISION;
    return ask->n >= CAP_BLOCKS && sum_ns(ask->measured_ns, ask->n) >= cap_ns ? STOP_CAP : STOP_GO_ON;
}

int stop_doublings(const double *y, size_t n)
{
    int doublings = 0;
    for (size_t i = 0; i < STOP_LOOKS && stop_looks[i] <= n; i++)
        if (stop_looks[i] >= CORRELATION_LOOK &&
            stats_interval(y, stop_looks[i], INTERVAL_SEQUENTIAL).correlated)
            doublings++;
    return doublings < DOUBLINGS_MOST ? doublings : DOUBLINGS_MOST;
}
