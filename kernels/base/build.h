/* build.h - which build this program is. */
#ifndef BASE_BUILD_H
#define BASE_BUILD_H

#include <stdbool.h>

const char *build_version(void); /* "0.1.0" */
const char *build_commit(void);  /* "2df1102abc", "-dirty" behind it if the tree had changes; "" if unknown */
const char *build_text(void);    /* both: "0.1.0 2df1102abc", or the version alone */
const char *build_variant(void); /* "release", "debug", "san", "fuzz" */
/* True only for release: numbers from any other build are marked and never reach batch_sizes.json. */
bool build_may_measure(void);

#endif
