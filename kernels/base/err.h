/* err.h - a status with the sentence that a person reads.
 * The caller owns the struct; nothing here allocates. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

#include "kernels/base/status.h"

#define ERR_TEXT_MAX 1024

struct err {
    enum status status;
    char text[ERR_TEXT_MAX]; /* one sentence: what, where, the value, what is allowed */
    char api[32];            /* library that reported it ("onednn", "cuda"), or "" */
    int  code;               /* its error number, valid if api is set */
    bool from_worker;        /* a worker answered so; false: this program met it itself */
};

/* Writes the sentence (cut at ERR_TEXT_MAX, control characters as spaces) and returns st, so that a caller
 * can `return err_set(...)`. err may be NULL: then only the status is returned. */
enum status err_set(struct err *err, enum status st, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts `prefix: ` before the sentence that is there; status unchanged. err may be NULL. */
void err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
