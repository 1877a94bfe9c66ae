/* Every name of cuda.h as a call that is not supported (801). The list, X(cuInit) and so on, is made from
 * that header when this is built; null_driver.c has the few that answer otherwise, and wins over these. */
#define X(name) \
    int name(void); \
    __attribute__((weak)) int name(void) \
    { \
        return 801; \
    }
#include NULL_DRIVER_NAMES
