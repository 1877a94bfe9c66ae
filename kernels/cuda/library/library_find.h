/* library_find.h - where cuDNN and cuBLASLt lie. First hit wins: the folders given, the loader's own path,
 * the site-packages of a Python, which alone is asked by starting a program, and only then. */
#ifndef CUDA_LIBRARY_FIND_H
#define CUDA_LIBRARY_FIND_H

#include <stdbool.h>
#include <stddef.h>

#define LIBRARY_PATH_MAX 4096

enum library { LIBRARY_CUDNN, LIBRARY_CUBLASLT };

struct library_search {
    const char *folders;    /* "a:b", each a folder of libraries or the root of Python packages; NULL: none */
    bool        loader;     /* by bare name: LD_LIBRARY_PATH, run path, /etc/ld.so.cache */
    const char *python;     /* program to ask for its site-packages, by path or name in $PATH; NULL: nobody */
    int         python_ms;  /* how long it may take */
};

/* Folders from $BENCH_CUDA_LIBRARY_PATH, the loader, `python3` for 5 s. */
struct library_search library_search_usual(void);

struct library_found {
    void  *handle;                  /* of dlopen; NULL: not found */
    char   path[LIBRARY_PATH_MAX];  /* of the file, as the loader has it */
    char  *tried;                   /* what was tried and why not, "PATH (reason); ..."; to be freed */
    size_t tried_size;
};

/* File name without folder: "libcudnn_graph.so.9", "libcublasLt.so.13" (the CUDA major that this was built
 * for). */
const char *library_file(enum library which);

/* Never fails: found->handle says it. A file that is there and does not load is noted and passed over. */
void library_find(struct library_found *found, enum library which, const struct library_search *search);
/* Frees the text; a second time does nothing. The library itself stays loaded until the process ends: these
 * libraries start threads and keep memory that they do not give back when they are unloaded. */
void library_found_close(struct library_found *found);

/* The site-packages folders of a Python, "a:b": what it prints within limit_ms with its stdin from /dev/null.
 * NULL: it does not start, fails, or was too slow (then it is killed). The caller frees. */
char *library_python_folders(const char *python, int limit_ms);

#endif
