/* cudart_memory.c - device memory of the fake runtime: pages of its own, so that freed memory faults for
 * ever, with guard bytes close around what the caller has, and closed to the host while no operation runs. */
#include "tests/gpu/fake/cudart_state.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WINDOW_MAX ((size_t)256 << 30) /* of addresses; none is given out twice */
#define WINDOW_MIN ((size_t)4 << 30)
#define PAGE   ((size_t)4096)
#define GUARD  0xA5
#define ALIGN  ((size_t)256)

static struct {
    unsigned char *start;
    size_t size, used;
    int open;                       /* operations that run, one inside the other */
} window;

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

/* --- who touches what ----------------------------------------------------------------------------------- */

bool fake_address_is_device(const void *pointer)
{
    const unsigned char *p = pointer;
    return window.start && p >= window.start && p < window.start + window.size;
}

const struct fake_block *fake_block_find(const struct fake_blocks *blocks, const void *pointer, size_t bytes)
{
    const unsigned char *p = pointer;
    for (size_t i = 0; i < blocks->count; i++) {
        const struct fake_block *b = &blocks->at[i];
        if (p >= b->data && p <= b->data + b->bytes && bytes <= (size_t)(b->data + b->bytes - p))
            return b;
    }
    return NULL;
}

int fake_is_device(const void *pointer, size_t bytes)
{
    return fake_block_find(&fake.device, pointer, bytes) != NULL;
}

/* Says what the bad address is, then lets the fault happen again, unhandled. */
static void explain_fault(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    if (fake_address_is_device(info->si_addr)) {
        const struct fake_block *block = fake_block_find(&fake.device, info->si_addr, 1);
        fprintf(stderr, "fake cudart: %p is device memory %s\n", info->si_addr,
                !block ? "that is freed, or was never given out"
                       : window.open ? "but not for this access" : "and was touched by the host");
    }
    signal(signal_number, SIG_DFL);
}

void fake_memory_watch(void)
{
    struct sigaction action = { .sa_sigaction = explain_fault, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, NULL);
}

/* Less under valgrind, which has not so many addresses. */
static void make_window(void)
{
    for (window.size = WINDOW_MAX; window.size >= WINDOW_MIN; window.size /= 2) {
        void *start = mmap(NULL, window.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (start != MAP_FAILED) {
            window.start = start;
            return;
        }
    }
    fprintf(stderr, "fake cudart: no window of addresses\n");
    exit(98);
}

static void set_access(int access)
{
    for (size_t i = 0; fake.script.protect && i < fake.device.count; i++)
        mprotect(fake.device.at[i].map, fake.device.at[i].map_bytes, access);
}

void fake_device_open(void)
{
    if (window.open++ == 0)
        set_access(PROT_READ | PROT_WRITE);
}

void fake_device_close(void)
{
    if (--window.open == 0)
        set_access(PROT_NONE);
}

/* --- blocks --------------------------------------------------------------------------------------------- */

static void add_block(struct fake_blocks *blocks, struct fake_block block)
{
    if (blocks->count == blocks->room) {
        blocks->room = blocks->room ? 2 * blocks->room : 16;
        blocks->at = realloc(blocks->at, blocks->room * sizeof *blocks->at);
        if (!blocks->at)
            abort();
    }
    blocks->at[blocks->count++] = block;
}

/* Index of the block that begins there; count if none does. */
static size_t block_index(const struct fake_blocks *blocks, const void *data)
{
    size_t i = 0;
    while (i < blocks->count && blocks->at[i].data != data)
        i++;
    return i;
}

static void check_guards(const struct fake_block *block, const char *when)
{
    for (size_t i = 0; i < block->map_bytes; i++) {
        const unsigned char *p = block->map + i;
        if (p == block->data) {
            i += block->bytes - 1;
            continue;
        }
        if (*p == GUARD)
            continue;
        long offset = p < block->data ? (long)(p - block->data) : (long)(p - (block->data + block->bytes));
        fprintf(stderr, "fake cudart: a byte %ld %s a block of %zu bytes was written (found at %s)\n",
                offset < 0 ? -offset : offset + 1, offset < 0 ? "before" : "behind the end of", block->bytes,
                when);
        abort();
    }
}

cudaError_t cudaMalloc(void **pointer, size_t bytes)
{
    ENTER(NEED_CONTEXT);
    if (!pointer)
        return fake_leave(cudaErrorInvalidValue);
    if (fake_capturing())
        return fake_leave(fake_capture_break());
    *pointer = NULL;
    if (bytes == 0)
        return cudaSuccess;
    size_t taken = round_up(bytes, 512), held = fake.used + fake.script.context_bytes + fake.script.foreign;
    if (held > fake.script.memory || taken > fake.script.memory - held)
        return fake_leave(cudaErrorMemoryAllocation);
    if (!window.start)
        make_window();
    size_t map_bytes = round_up(round_up(bytes, ALIGN), PAGE) + PAGE, step = map_bytes + 2 * PAGE;
    if (step > window.size - window.used)
        return fake_leave(cudaErrorMemoryAllocation);
    struct fake_block block = { .bytes = bytes,
                                .map = window.start + window.used + PAGE,
                                .map_bytes = map_bytes };
    window.used += step;
    if (mprotect(block.map, map_bytes, PROT_READ | PROT_WRITE) != 0)
        return fake_leave(cudaErrorMemoryAllocation);
    block.data = block.map + map_bytes - round_up(bytes, ALIGN);
    memset(block.map, GUARD, (size_t)(block.data - block.map));
    memset(block.data, fake.script.fill, bytes);
    memset(block.data + bytes, GUARD, (size_t)(block.map + map_bytes - block.data) - bytes);
    if (fake.script.protect && !window.open)
        mprotect(block.map, map_bytes, PROT_NONE);
    add_block(&fake.device, block);
    fake.used += taken;
    fake.peak = fake.used > fake.peak ? fake.used : fake.peak;
    *pointer = block.data;
    return cudaSuccess;
}

cudaError_t cudaFree(void *pointer)
{
    ENTER(NEED_CONTEXT);
    if (fake_capturing())
        return fake_leave(fake_capture_break());
    fake_run_all();
    if (fake.sticky)
        return fake_leave((cudaError_t)fake.sticky);
    if (!pointer)
        return cudaSuccess;
    size_t i = block_index(&fake.device, pointer);
    if (i == fake.device.count)
        return fake_leave(cudaErrorInvalidValue);
    struct fake_block block = fake.device.at[i];
    mprotect(block.map, block.map_bytes, PROT_READ | PROT_WRITE);
    check_guards(&block, "cudaFree");
    /* the pages go back, the addresses stay forbidden */
    mmap(block.map, block.map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
         0);
    fake.used -= round_up(block.bytes, 512);
    fake.device.at[i] = fake.device.at[--fake.device.count];
    return cudaSuccess;
}

static cudaError_t allocate_pinned(const char *call, void **pointer, size_t bytes)
{
    cudaError_t error = fake_enter(call, NEED_CONTEXT);
    if (error)
        return fake_leave(error);
    if (!pointer)
        return fake_leave(cudaErrorInvalidValue);
    if (fake_capturing())
        return fake_leave(fake_capture_break());
    *pointer = NULL;
    if (bytes == 0)
        return cudaSuccess;
    struct fake_block block = { .data = aligned_alloc(PAGE, round_up(bytes, PAGE) + PAGE), .bytes = bytes };
    if (!block.data)
        return fake_leave(cudaErrorMemoryAllocation);
    memset(block.data, fake.script.fill, bytes);
    memset(block.data + bytes, GUARD, round_up(bytes, PAGE) + PAGE - bytes);
    add_block(&fake.pinned, block);
    *pointer = block.data;
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **pointer, size_t bytes)
{
    return allocate_pinned(__func__, pointer, bytes);
}

cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned flags)
{
    (void)flags;
    return allocate_pinned(__func__, pointer, bytes);
}

cudaError_t cudaFreeHost(void *pointer)
{
    ENTER(NEED_CONTEXT);
    if (fake_capturing())
        return fake_leave(fake_capture_break());
    fake_run_all();
    if (!pointer)
        return cudaSuccess;
    size_t i = block_index(&fake.pinned, pointer);
    if (i == fake.pinned.count)
        return fake_leave(cudaErrorInvalidValue);
    struct fake_block block = fake.pinned.at[i];
    block.map = block.data;
    block.map_bytes = round_up(block.bytes, PAGE) + PAGE;
    check_guards(&block, "cudaFreeHost");
    fake.pinned.at[i] = fake.pinned.at[--fake.pinned.count];
    free(block.data);
    return fake_leave((cudaError_t)fake.sticky);
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
    ENTER(NEED_CONTEXT);
    size_t held = fake.used + fake.script.context_bytes + fake.script.foreign;
    *total = fake.script.memory;
    *free_bytes = held < *total ? *total - held : 0;
    return cudaSuccess;
}

size_t fake_cudart_allocated(void)
{
    return fake.used;
}

size_t fake_own_bytes(void)
{
    return fake.context ? fake.used + fake.script.context_bytes : 0;
}

size_t fake_cudart_peak(void)
{
    return fake.peak;
}

void fake_memory_forget(void)
{
    for (size_t i = 0; i < fake.device.count; i++) {
        mprotect(fake.device.at[i].map, fake.device.at[i].map_bytes, PROT_READ | PROT_WRITE);
        check_guards(&fake.device.at[i], "the end");
        mmap(fake.device.at[i].map, fake.device.at[i].map_bytes, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    }
    for (size_t i = 0; i < fake.pinned.count; i++)
        free(fake.pinned.at[i].data);
    free(fake.device.at);
    free(fake.pinned.at);
    fake.device = fake.pinned = (struct fake_blocks){ 0 };
    fake.used = fake.peak = 0;
}
