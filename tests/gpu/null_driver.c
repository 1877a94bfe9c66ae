/* A libcuda.so.1 without a GPU behind it, for building plans where there is none: engines of cuDNN that are
 * compiled at run time load their kernel into the driver when the plan is built. Loading succeeds here and
 * nothing can run. Used by the plan manifest alone. What a call does not need here, null_driver_rest.c
 * answers. */
#include <stddef.h>

enum { SUCCESS = 0, NO_DEVICE = 100 };

#define GIVES(name, type, value) \
    int name(type *out); \
    int name(type *out) \
    { \
        *out = value; \
        return SUCCESS; \
    }

static char thing; /* every handle points to it */

int cuInit(unsigned flags);
int cuInit(unsigned flags)
{
    (void)flags;
    return NO_DEVICE;
}
GIVES(cuDriverGetVersion, int, 13000)
GIVES(cuDeviceGetCount, int, 0)

int cuGetErrorName(int code, const char **text);
int cuGetErrorName(int code, const char **text)
{
    (void)code;
    *text = "NULL_DRIVER";
    return SUCCESS;
}
int cuGetErrorString(int code, const char **text);
int cuGetErrorString(int code, const char **text)
{
    (void)code;
    *text = "this driver stands for none";
    return SUCCESS;
}

/* Functions whose first argument is where a handle goes; the others do not matter here. */
GIVES(cuModuleLoadData, void *, &thing)
GIVES(cuModuleLoadDataEx, void *, &thing)
GIVES(cuModuleGetFunction, void *, &thing)
GIVES(cuLibraryLoadData, void *, &thing)
GIVES(cuLibraryGetKernel, void *, &thing)
GIVES(cuKernelGetFunction, void *, &thing)
/* and where a number goes */
GIVES(cuFuncGetAttribute, int, 128)
GIVES(cuKernelGetAttribute, int, 128)
GIVES(cuOccupancyMaxActiveBlocksPerMultiprocessor, int, 1)
GIVES(cuOccupancyMaxActiveClusters, int, 8)
