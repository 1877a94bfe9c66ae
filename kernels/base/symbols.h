/* symbols.h - functions of a library that was opened with dlopen. */
#ifndef BASE_SYMBOLS_H
#define BASE_SYMBOLS_H

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* function: address of a pointer to a function, NULL in it if the library has no such name. Through memory:
 * ISO C has no conversion between pointers to data and to functions, POSIX promises that they are alike. */
static inline bool symbol_find(void *function, void *library, const char *name)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

#endif
