#include "kernels/cuda/library/device_json.h"

#include <stdio.h>

#include "kernels/base/len.h"

const struct device_card device_cards[] = {
    { .key = "h100", .name = "NVIDIA H100 80GB HBM3", .sm_clock_khz = 1980000, .memory_clock_khz = 2619000,
      .memory_bytes = 85520809984,
      .limits = { .sm = 90, .multiprocessors = 132, .block_threads = 1024, .sm_threads = 2048,
                  .sm_blocks = 32, .shared_bytes = 49152, .shared_optin_bytes = 232448,
                  .l2_bytes = 52428800 } },
    { .key = "a100", .name = "NVIDIA A100-SXM4-80GB", .sm_clock_khz = 1410000, .memory_clock_khz = 1593000,
      .memory_bytes = 85051572224,
      .limits = { .sm = 80, .multiprocessors = 108, .block_threads = 1024, .sm_threads = 2048,
                  .sm_blocks = 32, .shared_bytes = 49152, .shared_optin_bytes = 166912,
                  .l2_bytes = 41943040 } },
    { .key = "a5000", .name = "NVIDIA RTX A5000", .sm_clock_khz = 1695000, .memory_clock_khz = 8001000,
      .memory_bytes = 25294995456,
      .limits = { .sm = 86, .multiprocessors = 64, .block_threads = 1024, .sm_threads = 1536,
                  .sm_blocks = 16, .shared_bytes = 49152, .shared_optin_bytes = 101376,
                  .l2_bytes = 6291456 } },
};
const size_t device_cards_count = LEN(device_cards);

void device_json_write(char *out, const struct device_card *card)
{
    const struct gpu_limits *l = &card->limits;
    snprintf(out, DEVICE_JSON_MAX,
             "{\"deviceName\":\"%s\",\"deviceVer\":%d,\"multiProcessorCount\":%d,"
             "\"maxSharedMemoryPerBlockOptin\":%zu,\"l2CacheSize\":%zu,\"maxCtasPerSM\":%d,"
             "\"maxThreadsPerSM\":%d,\"smClockRateKHz\":%d,\"memClockRateKHz\":%d,\"totalGlobalMem\":%zu,"
             "\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],"
             "\"regsPerBlock\":65536,\"warpSize\":32,\"maxSharedMemoryPerBlock\":%zu,"
             "\"reservedSharedMemoryPerBlock\":1024,"
             "\"maxRegistersPerSM\":65536,\"maxThreadsPerBlock\":%d,\"pciDeviceId\":0,\"isTccDriver\":0,"
             "\"supportCoopLaunch\":1,\"cudaDeviceId\":0,\"driverVer\":13000}",
             card->name, l->sm * 10, l->multiprocessors, l->shared_optin_bytes, l->l2_bytes, l->sm_blocks,
             l->sm_threads, card->sm_clock_khz, card->memory_clock_khz, card->memory_bytes, l->shared_bytes,
             l->block_threads);
}
