#include "kernels/base/build.h"

#include <string.h>

#ifndef BUILD_VARIANT
#define BUILD_VARIANT "release"
#endif
#ifndef BUILD_COMMIT
#define BUILD_COMMIT ""
#endif
#define VERSION "0.1.0"

const char *build_version(void)
{
    return VERSION;
}

const char *build_commit(void)
{
    return BUILD_COMMIT;
}

const char *build_text(void)
{
    return *BUILD_COMMIT ? VERSION " " BUILD_COMMIT : VERSION;
}

const char *build_variant(void)
{
    return BUILD_VARIANT;
}

bool build_may_measure(void)
{
    return strcmp(build_variant(), "release") == 0;
}
