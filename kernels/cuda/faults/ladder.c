#include "kernels/cuda/faults/ladder.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "kernels/base/gpu_codes.h"
#include "kernels/base/len.h"
#include "kernels/cuda/faults/errors.h"

/* "13.0" of 13000. */
struct version_text {
    char text[16];
};

static struct version_text cuda_version(int version)
{
    struct version_text v;
    snprintf(v.text, sizeof v.text, "%d.%d", version / 1000 % 1000, version % 1000 / 10);
    return v;
}

static const char *known(const char *text)
{
    return text && *text ? text : "of unknown version";
}

/* The sentence with its number at the end; the status is the classifier's. */
static enum status say(struct err *err, enum fault_api api, int code, bool context, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static enum status say(struct err *err, enum fault_api api, int code, bool context, const char *format, ...)
{
    char sentence[ERR_TEXT_MAX - 32];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    enum status st = gpu_fault_of(api, code, context).status;
    if (!err)
        return st;
    err_set(err, st, "%s (%s %d)", sentence, api == FAULT_NVML ? "NVML" : "CUDA", code);
    snprintf(err->api, sizeof err->api, "%s", fault_api_name(api));
    err->code = code;
    return st;
}

/* The first CUDA call that failed; 0: none did. */
static int first_cuda_code(const struct gpu_probes *p)
{
    return p->driver_code ? p->driver_code : p->count_code ? p->count_code : p->context_code;
}

static const char *first_cuda_call(const struct gpu_probes *p)
{
    if (p->driver_code)
        return "cudaDriverGetVersion";
    if (p->count_code)
        return "cudaGetDeviceCount";
    return p->context_call ? p->context_call : "the first call that needs a context";
}

static enum status no_driver(const struct gpu_probes *p, struct err *err)
{
    int code = first_cuda_code(p);
    if (code == 34)
        return say(err, FAULT_CUDA, 34, false,
                   "libcuda.so.1 is the toolkit's stub, not the driver's library: take the directory of "
                   "stubs out of LD_LIBRARY_PATH");
    if (p->driver_version == 0 && (code == 0 || code == 35 || code == 100))
        return say(err, FAULT_CUDA, code ? code : 35, false,
                   "no driver library: libcuda.so.1 was not found, and this build needs a driver for CUDA %s "
                   "or newer",
                   cuda_version(p->runtime_version).text);
    return ST_OK;
}

static enum status mismatch(const struct gpu_probes *p, struct err *err)
{
    bool of_nvml = p->nvml_found && p->nvml_code == 18;
    if (!of_nvml && first_cuda_code(p) != 803)
        return ST_OK;
    return say(err, of_nvml ? FAULT_NVML : FAULT_CUDA, of_nvml ? 18 : 803, false,
               "the loaded kernel module is %s, the driver's libraries are %s", known(p->module_version),
               known(p->library_version));
}

/* The sentence that `bench doctor` has for this number. */
static enum status say_known(struct err *err, const struct gpu_probes *p, enum fault_api api, int code)
{
    char user[16], number[16];
    struct version_text wants = cuda_version(p->runtime_version), offers = cuda_version(p->driver_version);
    snprintf(user, sizeof user, "%u", (unsigned)getuid());
    snprintf(number, sizeof number, "%d", code);
    const struct gpu_fill fills[] = {
        { "uid", user }, { "address", "0" }, { "function", first_cuda_call(p) }, { "code", number },
        { "error", gpu_fault_of(api, code, false).name }, { "wants", wants.text }, { "offers", offers.text },
        { "driver", p->library_version && *p->library_version ? p->library_version : NULL },
    };
    char sentence[ERR_TEXT_MAX / 2];
    const struct gpu_code *row = gpu_code_find(api == FAULT_NVML ? GPU_API_NVML : GPU_API_CUDA, code);
    gpu_code_text(sentence, sizeof sentence, row->sentence, fills, LEN(fills));
    return say(err, api, code, false, "%s", sentence);
}

static enum status driver_too_old(const struct gpu_probes *p, struct err *err)
{
    return first_cuda_code(p) == 35 ? say_known(err, p, FAULT_CUDA, 35) : ST_OK;
}

/* NVML is never required, but where CUDA failed it may know better why. */
static enum status told_by_nvml(const struct gpu_probes *p, struct err *err)
{
    static const int codes[] = { 4, 9, 15, 16, 17 };
    if (!p->nvml_found || first_cuda_code(p) == 0)
        return ST_OK;
    for (size_t i = 0; i < LEN(codes); i++)
        if (codes[i] == p->nvml_code)
            return say_known(err, p, FAULT_NVML, p->nvml_code);
    return ST_OK;
}

static enum status not_usable(const struct gpu_probes *p, struct err *err)
{
    static const int codes[] = { 2, 46, 100, 802, 804, 805 };
    int code = first_cuda_code(p);
    if (code == 0 && p->devices == 0)
        code = 100;
    for (size_t i = 0; i < LEN(codes); i++)
        if (codes[i] == code)
            return say_known(err, p, FAULT_CUDA, code);
    return ST_OK;
}

static enum status no_code(const struct gpu_probes *p, struct err *err)
{
    int code = first_cuda_code(p);
    const char *archs = p->archs && *p->archs ? p->archs : "unknown";
    if (code == 209)
        return say(err, FAULT_CUDA, 209, false,
                   "the worker is built for compute capabilities (times ten) %s, the device has %d",
                   archs, p->sm);
    if (code == 222)
        return say(err, FAULT_CUDA, 222, false,
                   "the worker's PTX (CUDA %s) is newer than the driver (CUDA %s), and "
                   "it is built for compute capabilities (times ten) %s, the device has %d",
                   cuda_version(p->runtime_version).text, cuda_version(p->driver_version).text, archs, p->sm);
    return ST_OK;
}

static enum status anything_else(const struct gpu_probes *p, struct err *err)
{
    int code = first_cuda_code(p);
    return code ? say_known(err, p, FAULT_CUDA, code) : ST_OK;
}

enum status gpu_ladder(const struct gpu_probes *probes, struct err *err)
{
    static enum status (*const rungs[])(const struct gpu_probes *, struct err *) = {
        no_driver, mismatch, driver_too_old, told_by_nvml, not_usable, no_code, anything_else,
    };
    for (size_t i = 0; i < LEN(rungs); i++) {
        enum status st = rungs[i](probes, err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

/* --- the libraries opened at run time ------------------------------------------------------------------- */

static enum status library_error(struct err *err, enum fault_api api, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static enum status library_error(struct err *err, enum fault_api api, int code, const char *format, ...)
{
    char sentence[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    err_set(err, ST_ENVIRONMENT, "%s", sentence);
    if (err) {
        snprintf(err->api, sizeof err->api, "%s", fault_api_name(api));
        err->code = code;
    }
    return ST_ENVIRONMENT;
}

/* "9.19.0" of 91900: both libraries count so since their versions 9 and 12. */
static struct version_text library_version(long version)
{
    struct version_text v;
    snprintf(v.text, sizeof v.text, "%d.%d.%d", (int)(version / 10000 % 1000), (int)(version / 100 % 100),
             (int)(version % 100));
    return v;
}

enum status gpu_ladder_cudnn(const struct gpu_library_probe *cudnn, struct err *err)
{
    const char *tried = cudnn->tried && *cudnn->tried ? cudnn->tried : "nothing";
    struct version_text needed = library_version(GPU_CUDNN_NEEDED), found = library_version(cudnn->version);
    if (!cudnn->found)
        return library_error(err, FAULT_CUDNN, cudnn->code,
                             "cuDNN was not found: version 9, at least %s, is needed; tried %s; "
                             "set library_path in configs/engines/cuda.yaml",
                             needed.text, tried);
    if (cudnn->version / 10000 != GPU_CUDNN_NEEDED / 10000 || cudnn->version < GPU_CUDNN_NEEDED)
        return library_error(err, FAULT_CUDNN, cudnn->code,
                             "cuDNN %s was found (%s): version 9, at least %s, is needed",
                             found.text, tried, needed.text);
    if (cudnn->code == 1002 || cudnn->code == 1008)
        return library_error(err, FAULT_CUDNN, cudnn->code,
                             "the parts of cuDNN %s do not fit together (%s, cuDNN %d): "
                             "a second installation is found first, look at LD_LIBRARY_PATH",
                             found.text, tried, cudnn->code);
    return gpu_error_set(err, FAULT_CUDNN, cudnn->code, true, "cudnnCreate", tried);
}

enum status gpu_ladder_cublaslt(const struct gpu_library_probe *cublaslt, int runtime_version,
                                struct err *err)
{
    const char *tried = cublaslt->tried && *cublaslt->tried ? cublaslt->tried : "nothing";
    if (!cublaslt->found)
        return library_error(err, FAULT_CUBLASLT, cublaslt->code,
                             "cuBLASLt was not found: 1x1 and transposed convolutions have cuDNN only; "
                             "tried %s",
                             tried);
    if (cublaslt->version / 10000 != runtime_version / 1000)
        return library_error(err, FAULT_CUBLASLT, cublaslt->code,
                             "cuBLASLt %s was found (%s): this build needs one of CUDA %d",
                             library_version(cublaslt->version).text, tried, runtime_version / 1000);
    return gpu_error_set(err, FAULT_CUBLASLT, cublaslt->code, true, "cublasLtCreate", tried);
}
