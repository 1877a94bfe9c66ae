/* Put before the C library (LD_PRELOAD), it lets a program's wall clock go WALL_AHEAD_S seconds ahead (behind, if
 * negative): for tests of programs whose nights are a day apart. Durations are of another clock and stay. */
#include <stdlib.h>
#include <time.h>

time_t time(time_t *out)
{
    const char *ahead = getenv("WALL_AHEAD_S");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += ahead ? strtol(ahead, NULL, 10) : 0;
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
