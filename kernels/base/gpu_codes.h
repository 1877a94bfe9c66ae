/* gpu_codes.h - the error numbers of NVML and CUDA that have a cause of their own, in one list: what `bench
 * doctor` prints and what the CUDA worker answers come from here. NVML and CUDA number their errors
 * independently: 18 is a mismatch for NVML only.
 *
 * A text may hold names in angle brackets, which gpu_code_text replaces:
 *   <uid> user number   <address> PCI address, or which GPU   <function> the call   <code> its number
 *   <error> the library's own words   <wants> CUDA version of the worker   <offers> of the driver
 *   <driver> driver version   <capability> "8.6"   <kernel> release of the running kernel */
#ifndef BASE_GPU_CODES_H
#define BASE_GPU_CODES_H

#include <stddef.h>

enum gpu_api { GPU_API_NVML, GPU_API_CUDA };

/*    api   code outcome               sentence, then what to do */
#define GPU_CODE_LIST(X) \
    X(NVML, 4, "no_permission", "user <uid> has no permission for the driver", \
      "add the user to the group of the device nodes (gpu.nodes); in a container check its user and devices") \
    X(NVML, 9, "not_loaded", "the driver is not loaded", \
      "modprobe nvidia; if that is refused, read dmesg (Secure Boot, or no module built for kernel <kernel>)") \
    X(NVML, 12, "no_library", "NVML is not installed here", \
      "host: install the driver's user-space package; container: NVIDIA_DRIVER_CAPABILITIES needs utility") \
    X(NVML, 15, "gpu_lost", "GPU <address> has fallen off the bus", \
      "read the kernel log (Xid 79), check power and seating, then a cold start") \
    X(NVML, 16, "reset_required", "GPU <address> must be reset before use", \
      "stop its processes; an administrator resets it (nvidia-smi --gpu-reset) or reboots") \
    X(NVML, 17, "blocked", "the operating system or a device cgroup blocks the GPU", \
      "recreate the container: its device rules are gone") \
    X(NVML, 18, "mismatch", "the loaded kernel module and the libraries differ: see gpu.mismatch", NULL) \
    X(CUDA, 803, "mismatch", "the loaded kernel module and the libraries differ: see gpu.mismatch", NULL) \
    X(CUDA, 35, "driver_too_old", "the worker needs CUDA <wants>, driver <driver> offers <offers>", \
      "install a newer driver, or a worker built for CUDA <offers>") \
    X(CUDA, 100, "no_device", "CUDA sees no device", \
      "see gpu.visibility and gpu.nodes") \
    X(CUDA, 34, "stub", "the linker's stub of libcuda was loaded", \
      "take the folder of stubs out of LD_LIBRARY_PATH") \
    X(CUDA, 804, "compat_unsupported", "the forward-compatibility libcuda does not support this GPU", \
      "take the folder compat out of LD_LIBRARY_PATH") \
    X(CUDA, 46, "busy", "the GPU is in exclusive mode and in use by another process", \
      "end that process, or let an administrator set the compute mode to default") \
    X(CUDA, 2, "no_memory", "no memory is left on the GPU", \
      "end the processes that hold it (nvidia-smi lists them)") \
    X(CUDA, 802, "not_ready", "the system is not ready: the fabric manager does not run", \
      "start the service nvidia-fabricmanager") \
    X(CUDA, 805, "mps", "the MPS daemon cannot be reached", \
      "start nvidia-cuda-mps-control, or unset CUDA_MPS_PIPE_DIRECTORY") \
    X(CUDA, 209, "no_kernel_image", "the worker has no code for compute capability <capability>", \
      "take a worker that was built for it (CUDA_ARCHS of make)") \
    X(CUDA, 222, "ptx_too_new", "the worker's PTX is newer than driver <driver>", \
      "install a newer driver, or a worker that was built for compute capability <capability>")

struct gpu_code {
    enum gpu_api api;
    int code;
    const char *outcome, *sentence;
    const char *remedy;              /* NULL: the sentence says where to look */
};

/* The row of a code other than 0; a code without a row gets the row of "unknown": never NULL. */
const struct gpu_code *gpu_code_find(enum gpu_api api, int code);
const char *gpu_api_name(enum gpu_api api); /* "NVML", "CUDA" */
/* Row i of the list, the one of "unknown" last; NULL behind it. */
const struct gpu_code *gpu_code_row(size_t i);

/* A name and what stands for it; a value of NULL prints as "unknown". */
struct gpu_fill {
    const char *name, *value;
};
/* Writes the text (sentence or remedy) with the names replaced, cut at size; a name without a fill prints as
 * "unknown". */
void gpu_code_text(char *out, size_t size, const char *text, const struct gpu_fill *fills, size_t count);

#endif
