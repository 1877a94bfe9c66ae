/* shim.cpp - runs the blocks of a launch one after another and the threads of a block as fibers: each runs
 * until it waits; when none can run, the warps or the block that waits complete go on. */
#include "kernels/cuda/shim/shim.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#ifndef __x86_64__
#include <ucontext.h>
#endif

shim_index threadIdx, blockIdx, blockDim, gridDim;

namespace {

constexpr size_t stack_bytes = 64 << 10;
constexpr size_t shared_guard = 64;
enum state { READY, AT_BLOCK, AT_WARP, ENDED };

#ifdef __x86_64__
/* Keeps what a called function must keep, on the stack that is left. (ucontext makes two system calls each
 * time.) */
extern "C" void shim_switch(void **from, void *to);
asm(".text\n.globl shim_switch\n.type shim_switch, @function\nshim_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
    ".size shim_switch, . - shim_switch\n.section .note.GNU-stack, \"\", @progbits\n.text\n");
struct context {
    void *stack_pointer;
    static void change(context &from, context &to) { shim_switch(&from.stack_pointer, to.stack_pointer); }
    void start(unsigned char *stack, void (*entry)())
    {
        void **top =
            reinterpret_cast<void **>(stack + stack_bytes) - 2; /* entry sees a 16-byte aligned call */
        *top = reinterpret_cast<void *>(entry);
        stack_pointer = top - 6;                                         /* six registers of any value */
    }
};
#else
struct context {
    ucontext_t at;
    static void change(context &from, context &to) { swapcontext(&from.at, &to.at); }
    void start(unsigned char *stack, void (*entry)())
    {
        getcontext(&at);
        at.uc_stack.ss_sp = stack;
        at.uc_stack.ss_size = stack_bytes;
        at.uc_link = nullptr;
        makecontext(&at, entry, 0);
    }
};
#endif

struct fiber {
    context at;
    state now;
    shim_index index;
    uint32_t given;              /* what this thread brought to a shuffle */
    const char *file;            /* the barrier it waits at */
    int line;
};

struct {
    std::vector<fiber> fibers;
    std::unique_ptr<unsigned char[]> stacks;
    size_t stack_count;
    std::vector<unsigned char> shared;
    context scheduler;
    size_t current, running;
    const shim_call *call;
    bool reverse;
    int (*enqueue)(CUstream_st *stream, const shim_call *call);
} shim;

[[noreturn]] void give_up(const char *what, const fiber &f)
{
    std::fprintf(stderr, "shim: kernel %s, block (%u,%u,%u), thread (%u,%u,%u): %s (%s:%d)\n",
                 shim.call->kernel, blockIdx.x, blockIdx.y, blockIdx.z, f.index.x, f.index.y, f.index.z, what,
                 f.file ? f.file : "no barrier", f.line);
    std::abort();
}

void fiber_main()
{
    shim.call->invoke(shim.call->function, shim.call->argument);
    fiber &f = shim.fibers[shim.current];
    f.now = ENDED;
    context::change(f.at, shim.scheduler);
    std::abort();                /* an ended fiber is never resumed */
}

void wait(state how, const char *file, int line)
{
    fiber &f = shim.fibers[shim.current];
    f.now = how;
    f.file = file;
    f.line = line;
    context::change(f.at, shim.scheduler);
    threadIdx = f.index;
}

void resume(size_t i)
{
    shim.current = i;
    threadIdx = shim.fibers[i].index;
    context::change(shim.scheduler, shim.fibers[i].at);
}

/* Lets fibers first .. end-1 go on if all wait in the state `how` at one barrier; false if not all do. */
bool release(size_t first, size_t end, state how)
{
    for (size_t i = first; i < end; i++)
        if (shim.fibers[i].now != how)
            return false;
    for (size_t i = first; i < end; i++) {
        fiber &f = shim.fibers[i], &one = shim.fibers[first];
        if (f.line != one.line || std::strcmp(f.file, one.file))
            give_up("waits at another barrier than the rest", f);
    }
    for (size_t i = first; i < end; i++)
        shim.fibers[i].now = READY;
    return true;
}

/* Nobody can run: whoever waits for a complete warp or block goes on. */
void release_waiting()
{
    size_t count = shim.fibers.size();
    bool moved = false;
    for (size_t first = 0; first < count; first += 32)
        moved |= release(first, first + 32 < count ? first + 32 : count, AT_WARP);
    if (moved || release(0, count, AT_BLOCK))
        return;
    for (const fiber &f : shim.fibers)
        if (f.now == AT_BLOCK || f.now == AT_WARP)
            give_up("waits for threads that ended or wait elsewhere: divergent barrier", f);
}

void run_block()
{
    size_t count = shim.fibers.size();
    std::memset(shim.shared.data(), 0xCD, shim.shared.size());
    for (size_t i = 0; i < count; i++) {
        unsigned t = static_cast<unsigned>(i);
        shim.fibers[i] = fiber{};
        shim.fibers[i].index = { t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y };
        shim.fibers[i].at.start(shim.stacks.get() + i * stack_bytes, fiber_main);
    }
    for (size_t ended = 0; ended < count;) {
        bool ran = false;
        for (size_t i = 0; i < count; i++) {
            size_t at = shim.reverse ? count - 1 - i : i;
            if (shim.fibers[at].now != READY)
                continue;
            resume(at);
            ran = true;
            ended += shim.fibers[at].now == ENDED;
        }
        if (!ran)
            release_waiting();
    }
    for (size_t i = shim.call->launch.shared_bytes; i < shim.shared.size(); i++)
        if (shim.shared[i] != 0xCD)
            give_up("dynamic shared memory was written past its end", shim.fibers[0]);
}

} // namespace

void *shim_shared() { return shim.shared.data(); }
void shim_wait_block(const char *file, int line) { wait(AT_BLOCK, file, line); }
void shim_wait_warp(const char *file, int line) { wait(AT_WARP, file, line); }

uint32_t shim_exchange(uint32_t bits, unsigned lane, const char *file, int line)
{
    size_t own = shim.current, from = own / 32 * 32 + lane;
    shim.fibers[own].given = bits;
    wait(AT_WARP, file, line);
    uint32_t got = from < shim.fibers.size() ? shim.fibers[from].given : bits;
    wait(AT_WARP, file, line);
    return got;
}

void shim_set_reverse(bool reverse) { shim.reverse = reverse; }
void shim_set_queue(int (*enqueue)(CUstream_st *stream, const shim_call *call)) { shim.enqueue = enqueue; }

int shim_enqueue(CUstream_st *stream, const shim_call *call)
{
    if (shim.enqueue)
        return shim.enqueue(stream, call);
    shim_run(call);
    return 0;
}

void shim_run(const shim_call *call)
{
    const unsigned *grid = call->launch.grid, *block = call->launch.block;
    uint64_t blocks = uint64_t(grid[0]) * grid[1] * grid[2];
    size_t threads = size_t(block[0]) * block[1] * block[2];
    shim.call = call;
    gridDim = { grid[0], grid[1], grid[2] };
    blockDim = { block[0], block[1], block[2] };
    shim.fibers.resize(threads);
    shim.shared.resize(call->launch.shared_bytes + shared_guard);
    if (shim.stack_count < threads) {
        shim.stacks.reset(new unsigned char[threads * stack_bytes]);
        shim.stack_count = threads;
    }
    for (uint64_t i = 0; i < blocks; i++) {
        uint64_t b = shim.reverse ? blocks - 1 - i : i;
        blockIdx = { unsigned(b % grid[0]), unsigned(b / grid[0] % grid[1]),
                     unsigned(b / grid[0] / grid[1]) };
        run_block();
    }
}
