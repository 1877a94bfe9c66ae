/* home.h - where the program's own files are: configs/, plots/ and the worker programs. */
#ifndef BASE_HOME_H
#define BASE_HOME_H

#include <stddef.h>

#include "kernels/base/err.h"

#define HOME_PATH_MAX 4096

/* Path of `relative` ("configs/models") under the first that has it: $BENCH_HOME, the folders above this
 * executable (build tree), PREFIX/share/bench next to PREFIX/bin of this executable. ST_ENVIRONMENT names all
 * that were tried. out has HOME_PATH_MAX bytes. */
enum status home_path(char *out, const char *relative, struct err *err);
/* Path of a program: `name` itself if it has a slash, else beside this executable, else in $PATH.
 * ST_ENVIRONMENT if there is none or it may not be executed. */
enum status home_program(char *out, const char *name, struct err *err);

#endif
