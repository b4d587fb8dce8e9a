// Runs CUDA C kernels on the CPU, for tests: the vocabulary of CUDA in terms of C++.
//
// Each CUDA thread of a block is a fiber (a stack of its own, switched by hand); blocks run one
// after another on the calling thread. A fiber runs until it meets a barrier or a warp operation,
// so a missing __syncthreads() shows as a wrong value, above all when the same kernel is run with
// the threads in ascending and in descending order (cuda_cpu::options). Threads that wait for
// each other for ever are reported, not waited for. Shared memory is filled with 0xff (NaN, -1)
// before each block, so that reading what nobody wrote shows too.
//
// Included before the kernels by graphc/codegen/cuda_cpu.py; one translation unit, no threads.
// Not a model of the machine: no weak memory, no banks, no warp divergence but at warp operations.

#pragma once
#define CUDA_CPU 1

#include <sys/mman.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

// ------------------------------------------------------------------------------------ vocabulary

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
// One section holds the shared variables of all kernels: it can be filled before a block runs.
#define __shared__ static __attribute__((section("cuda_shared")))

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

extern "C" char __start_cuda_shared[] __attribute__((weak, visibility("hidden")));
extern "C" char __stop_cuda_shared[] __attribute__((weak, visibility("hidden")));

namespace cuda_cpu {

// ---------------------------------------------------------------------------------- fiber switch

#if defined(__x86_64__) || defined(__aarch64__)
// Saves the callee-saved registers and the stack pointer in *save, and continues at `load`.
extern "C" void cuda_cpu_switch(void** save, void* load);
#if defined(__x86_64__)
asm(R"(
  .text
  .local cuda_cpu_switch
  .type cuda_cpu_switch, @function
cuda_cpu_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
)");
#else
asm(R"(
  .text
  .local cuda_cpu_switch
  .type cuda_cpu_switch, @function
cuda_cpu_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
)");
#endif

struct Context {
  void* stack_pointer;
  void start(char* stack, size_t size, void (*entry)()) {
    void** top = (void**)(stack + size);
#if defined(__x86_64__)
    *--top = nullptr;  // keeps the stack aligned as after a call
    *--top = (void*)entry;
    for (int k = 0; k < 6; ++k) *--top = nullptr;
#else
    top -= 20;
    memset(top, 0, 160);
    top[11] = (void*)entry;  // x30, the return address
#endif
    stack_pointer = top;
  }
  void switch_to(Context& other) { cuda_cpu_switch(&stack_pointer, other.stack_pointer); }
};
#else
struct Context {
  ucontext_t state;
  void start(char* stack, size_t size, void (*entry)()) {
    getcontext(&state);
    state.uc_stack.ss_sp = stack;
    state.uc_stack.ss_size = size;
    state.uc_link = nullptr;
    makecontext(&state, entry, 0);
  }
  void switch_to(Context& other) { swapcontext(&state, &other.state); }
};
#endif

// -------------------------------------------------------------------------------------- a block

enum State : uint8_t { READY, AT_BARRIER, AT_WARP, DONE };
const unsigned MAX_THREADS = 1024;
const size_t STACK_BYTES = 256 * 1024;

// Shared memory that products of four warps read. They see it by another way than the threads do
// (PTX: the asynchronous proxy): here, in a copy that gets what a thread has written when the
// thread fences. What is written and not fenced yet is NaN there.
const size_t TILES_BYTES = 256 * 1024;
const unsigned TILES_START = 1024;  // where they begin in the addresses of shared memory
static unsigned char* tiles;
static size_t tiles_bytes;
static unsigned char tiles_seen[TILES_BYTES];
static void open_tiles(unsigned char* place, size_t nbytes) {
  if (tiles == place) return;
  tiles = place;
  tiles_bytes = nbytes;
  memset(tiles_seen, 0xff, nbytes);
}

struct Copy {  // an asynchronous copy; without a target, the end of a group
  void* to;
  const void* from;  // null: zeros
  size_t nbytes;
  inline void done() const;
};
struct Product {  // of four warps: a thread's part of it; without `add`, the end of a group
  void (*add)(float* d, uint64_t a, uint64_t b);
  float* d;
  uint64_t a, b;
};
struct Thread {
  Context context;
  uint3 index;
  State state;
  unsigned parity;  // which of the warp's two sets of slots the next exchange uses
  std::deque<Copy> copies;
  std::deque<Copy> unfenced;  // what is copied to tiles, and not fenced
  std::deque<Product> products;
  bool fenced;  // are the registers ready for products?
};
struct Warp {
  uint64_t slots[2][32];
  uint32_t waiting;
};
struct Options {
  bool reverse;  // threads and blocks in descending order
};

typedef void (*Body)(void** arguments);
static Thread threads[MAX_THREADS];
static Warp warps[MAX_THREADS / 32];
static Context host;
static Options options;
static unsigned count, current, at_barrier, done;
static uint3 thread_index, block_index;
static dim3 block_extent, grid_extent;
static Body body;
static void** arguments;
static bool deadlocked;
static char report[256];

inline void Copy::done() const {
  if (!to) return;
  if (from) memcpy(to, from, nbytes);
  else memset(to, 0, nbytes);
  const size_t offset = (size_t)((unsigned char*)to - tiles);
  if (!tiles || offset >= tiles_bytes) return;
  memset(tiles_seen + offset, 0xff, nbytes);
  threads[current].unfenced.push_back(*this);
}

static void go_to(unsigned next) {
  unsigned before = current;
  if (next == before) return;
  current = next;
  thread_index = threads[next].index;
  threads[before].context.switch_to(threads[next].context);
}

static bool run_next() {
  for (unsigned k = 1; k <= count; ++k) {
    unsigned next = options.reverse ? (current + count - k) % count : (current + k) % count;
    if (threads[next].state == READY) {
      go_to(next);
      return true;
    }
  }
  return false;
}

// Called by a thread that cannot go on: runs another, or goes back to the host when none can.
static void yield() {
  if (run_next()) return;
  if (done != count) {
    deadlocked = true;
    snprintf(report, sizeof report,
             "block (%u, %u, %u): of %u threads %u wait at __syncthreads(), "
             "%u in a warp operation, "
             "%u have ended",
             block_index.x, block_index.y, block_index.z, count, at_barrier,
             count - done - at_barrier, done);
  }
  threads[current].context.switch_to(host);
}

static void thread_main() {
  for (;;) {  // a thread that is resumed after its end belongs to the next block
    body(arguments);
    threads[current].state = DONE;
    ++done;
    yield();
  }
}

static __attribute__((noinline)) void barrier() {
  if (++at_barrier < count) {
    threads[current].state = AT_BARRIER;
    yield();
    return;
  }
  at_barrier = 0;
  for (unsigned i = 0; i < count; ++i)
    if (threads[i].state == AT_BARRIER) threads[i].state = READY;
}

// Waits until all lanes of `mask` are here.
static __attribute__((noinline)) void warp_barrier(uint32_t mask) {
  const unsigned first = current & ~31u, lane = current & 31u;
  Warp& warp = warps[first / 32];
  warp.waiting |= 1u << lane;
  if ((warp.waiting & mask) != mask) {
    threads[current].state = AT_WARP;
    yield();
    return;
  }
  warp.waiting &= ~mask;
  for (unsigned i = 0; i < 32 && first + i < count; ++i)
    if ((mask >> i & 1) && threads[first + i].state == AT_WARP) threads[first + i].state = READY;
}

// Shows the value to the warp and answers what every lane has shown.
static uint64_t* exchange(uint32_t mask, uint64_t value) {
  Thread& thread = threads[current];
  thread.parity ^= 1;
  uint64_t* slots = warps[current / 32].slots[thread.parity];
  slots[current & 31u] = value;
  warp_barrier(mask);
  return slots;
}

// --------------------------------------------------------------------------------------- a launch

static void run_block(bool fibers) {
  tiles = nullptr;
  if (__start_cuda_shared)
    memset(__start_cuda_shared, 0xff, (size_t)(__stop_cuda_shared - __start_cuda_shared));
  unsigned i = 0;
  for (unsigned z = 0; z < block_extent.z; ++z)
    for (unsigned y = 0; y < block_extent.y; ++y)
      for (unsigned x = 0; x < block_extent.x; ++x, ++i) {
        threads[i].index = {x, y, z};
        threads[i].state = READY;
        threads[i].parity = 0;
        threads[i].copies.clear();
        threads[i].unfenced.clear();
        threads[i].products.clear();
        threads[i].fenced = false;
      }
  for (unsigned w = 0; w * 32 < count; ++w) warps[w].waiting = 0;
  at_barrier = done = 0;
  if (fibers) {
    current = options.reverse ? count - 1 : 0;
    thread_index = threads[current].index;
    host.switch_to(threads[current].context);
    return;
  }
  for (unsigned k = 0; k < count; ++k) {
    current = options.reverse ? count - 1 - k : k;
    thread_index = threads[current].index;
    body(arguments);
  }
}

// Runs a kernel over the grid; false when it hangs (`report` says how). `fibers` may be false for
// a kernel without barriers and warp operations.
static bool launch(Body kernel, void** kernel_arguments, dim3 grid, dim3 block, bool fibers) {
  static char* stacks = nullptr;
  body = kernel;
  arguments = kernel_arguments;
  grid_extent = grid;
  block_extent = block;
  count = block.x * block.y * block.z;
  deadlocked = false;
  if (count == 0 || count > MAX_THREADS) {
    deadlocked = true;
    snprintf(report, sizeof report, "a block of %u threads cannot be launched", count);
    return false;
  }
  if (fibers) {
    if (!stacks)
      stacks = (char*)mmap(nullptr, MAX_THREADS * STACK_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (unsigned i = 0; i < count; ++i)
      threads[i].context.start(stacks + i * STACK_BYTES, STACK_BYTES, thread_main);
  }
  const unsigned blocks = grid.x * grid.y * grid.z;
  for (unsigned k = 0; k < blocks && !deadlocked; ++k) {
    const unsigned b = options.reverse ? blocks - 1 - k : k;
    block_index = {b % grid.x, b / grid.x % grid.y, b / (grid.x * grid.y)};
    run_block(fibers);
  }
  return !deadlocked;
}

template <class T> inline uint64_t to_slot(T value) {
  static_assert(sizeof(T) <= 8, "a warp operation moves at most 64 bits");
  uint64_t slot = 0;
  memcpy(&slot, &value, sizeof(T));
  return slot;
}
template <class T> inline T from_slot(uint64_t slot) {
  T value;
  memcpy(&value, &slot, sizeof(T));
  return value;
}

}  // namespace cuda_cpu

#define threadIdx (::cuda_cpu::thread_index)
#define blockIdx (::cuda_cpu::block_index)
#define blockDim (::cuda_cpu::block_extent)
#define gridDim (::cuda_cpu::grid_extent)

// ------------------------------------------------------------------ barriers and warp operations

static inline void __syncthreads() { cuda_cpu::barrier(); }
static inline void __syncwarp(unsigned mask = 0xffffffffu) { cuda_cpu::warp_barrier(mask); }
static inline void __threadfence() {}
static inline void __threadfence_block() {}

template <class T> inline T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  const unsigned lane = cuda_cpu::current & 31u;
  const unsigned from = (lane & ~(unsigned)(width - 1)) | (source & (width - 1));
  return cuda_cpu::from_slot<T>(cuda_cpu::exchange(mask, cuda_cpu::to_slot(value))[from]);
}
template <class T> inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int = 32) {
  const unsigned lane = cuda_cpu::current & 31u;
  return cuda_cpu::from_slot<T>(cuda_cpu::exchange(mask, cuda_cpu::to_slot(value))[lane ^ lanes]);
}
template <class T> inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const unsigned lane = cuda_cpu::current & 31u;
  const unsigned from = (lane & (width - 1)) + by < (unsigned)width ? lane + by : lane;
  return cuda_cpu::from_slot<T>(cuda_cpu::exchange(mask, cuda_cpu::to_slot(value))[from]);
}
template <class T> inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const unsigned lane = cuda_cpu::current & 31u;
  const unsigned from = (lane & (width - 1)) >= by ? lane - by : lane;
  return cuda_cpu::from_slot<T>(cuda_cpu::exchange(mask, cuda_cpu::to_slot(value))[from]);
}
static inline unsigned __ballot_sync(unsigned mask, int holds) {
  uint64_t* slots = cuda_cpu::exchange(mask, holds != 0);
  unsigned bits = 0;
  for (int i = 0; i < 32; ++i)
    if ((mask >> i & 1) && slots[i]) bits |= 1u << i;
  return bits;
}

// ---------------------------------------------------------------------------------------- atomics
// Plain: fibers are not interrupted.

template <class T> inline T atomicAdd(T* place, T value) {
  T before = *place;
  *place = before + value;
  return before;
}
template <class T> inline T atomicMin(T* place, T value) {
  T before = *place;
  *place = value < before ? value : before;
  return before;
}
template <class T> inline T atomicMax(T* place, T value) {
  T before = *place;
  *place = before < value ? value : before;
  return before;
}
template <class T> inline T atomicExch(T* place, T value) {
  T before = *place;
  *place = value;
  return before;
}
template <class T> inline T atomicCAS(T* place, T expected, T value) {
  T before = *place;
  if (before == expected) *place = value;
  return before;
}

// ----------------------------------------------------------------------------- bits and small math

template <class T> inline T __ldg(const T* place) { return *place; }
template <class T> inline void __stcs(T* place, T value) { *place = value; }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline float __int_as_float(int x) { return cuda_cpu::from_slot<float>((uint32_t)x); }
static inline int __float_as_int(float x) { return (int)cuda_cpu::to_slot(x); }
static inline double __longlong_as_double(long long x) {
  return cuda_cpu::from_slot<double>((uint64_t)x);
}
static inline long long __double_as_longlong(double x) { return (long long)cuda_cpu::to_slot(x); }
static inline float gc_tf32(float x) {
  const uint32_t bits = (uint32_t)cuda_cpu::to_slot(x);
  return cuda_cpu::from_slot<float>((bits + (std::isfinite(x) ? 0x1000u : 0)) & 0xffffe000u);
}
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }

// ---------------------------------------------------------------------------------- 16-bit floats

struct __half {
  _Float16 value;
  __half() = default;
  explicit __half(float x) : value((_Float16)x) {}
  explicit __half(double x) : value((_Float16)x) {}
  explicit operator float() const { return (float)value; }
};
static inline unsigned short __half_as_ushort(__half x) {
  return (unsigned short)cuda_cpu::to_slot(x);
}
static inline __half __ushort_as_half(unsigned short x) { return cuda_cpu::from_slot<__half>(x); }

struct __nv_bfloat16 {
  uint16_t bits;
  __nv_bfloat16() = default;
  explicit __nv_bfloat16(float x) {  // to the nearest, ties to even; NaN stays NaN
    uint32_t wide = (uint32_t)cuda_cpu::to_slot(x);
    bits = x != x ? 0x7fff : (uint16_t)((wide + 0x7fffu + (wide >> 16 & 1)) >> 16);
  }
  explicit operator float() const { return cuda_cpu::from_slot<float>((uint32_t)bits << 16); }
};
static inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 x) { return x.bits; }
static inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short x) {
  return cuda_cpu::from_slot<__nv_bfloat16>(x);
}

// ----------------------------------------------------------------------------------- tensor cores

namespace cuda_cpu {
// What one lane brings to an mma.m16n8k16: two numbers to a word, the first in the low half.
struct Fragment {
  float a[8], b[4];
};

// mma.sync.aligned.m16n8k16.row.col.f32.H.H.f32 in scalars. As PTX has it, with q = lane / 4 and
// t = lane % 4: a[2 * (2c + h) + e] is A(q + 8h, 8c + 2t + e), b[2c + e] is B(8c + 2t + e, q), and
// d[2h + e] is D(q + 8h, 2t + e). The sum runs along the terms in order.
static void mma(float* d, const Fragment& own) {
  const unsigned lane = current & 31u, q = lane / 4, t = lane % 4;
  const uint64_t* slots = exchange(0xffffffffu, (uint64_t)(uintptr_t)&own);
  const Fragment* lanes[32];
  for (unsigned i = 0; i < 32; ++i) lanes[i] = (const Fragment*)(uintptr_t)slots[i];
  for (unsigned k = 0; k < 16; ++k) {
    const unsigned c = k / 8, holder = k % 8 / 2, e = k % 2;
    for (unsigned h = 0; h < 2; ++h)
      for (unsigned j = 0; j < 2; ++j)
        d[2 * h + j] += lanes[4 * q + holder]->a[2 * (2 * c + h) + e] *
                        lanes[4 * (2 * t + j) + holder]->b[2 * c + e];
  }
  warp_barrier(0xffffffffu);  // the others may still be reading `own`
}
// The same of signed bytes (m16n8k32), four to a word: element e of a word is number 4t + e.
struct Bytes {
  unsigned a[4], b[2];
};
static void mma_bytes(int* d, const unsigned* a, const unsigned* b) {
  const Bytes own = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const unsigned lane = current & 31u, q = lane / 4, t = lane % 4;
  const uint64_t* slots = exchange(0xffffffffu, (uint64_t)(uintptr_t)&own);
  const Bytes* lanes[32];
  for (unsigned i = 0; i < 32; ++i) lanes[i] = (const Bytes*)(uintptr_t)slots[i];
  for (unsigned k = 0; k < 32; ++k) {
    const unsigned c = k / 16, holder = k % 16 / 4, shift = 8 * (k % 4);
    for (unsigned h = 0; h < 2; ++h)
      for (unsigned j = 0; j < 2; ++j) {
        const int x = (signed char)(lanes[4 * q + holder]->a[2 * c + h] >> shift);
        const int y = (signed char)(lanes[4 * (2 * t + j) + holder]->b[c] >> shift);
        d[2 * h + j] = (int)((unsigned)d[2 * h + j] + (unsigned)(x * y));
      }
  }
  warp_barrier(0xffffffffu);
}
// The same of floats and doubles (m16n8k8), one to a word: in order, and of floats tensor cores read
// 10 bits after the point. Doubles are rounded once for each term.
static float read_of(float x) {
  return from_slot<float>((uint32_t)to_slot(x) & 0xffffe000u);
}
static double read_of(double x) { return x; }
static float added(float d, float x, float y) { return d + x * y; }
static double added(double d, double x, double y) { return fma(x, y, d); }
template <class T> struct Numbers {
  T a[4], b[2];
};
template <class T> inline void mma_numbers(T* d, const T* a, const T* b) {
  const Numbers<T> own = {{read_of(a[0]), read_of(a[1]), read_of(a[2]), read_of(a[3])},
                          {read_of(b[0]), read_of(b[1])}};
  const unsigned lane = current & 31u, q = lane / 4, t = lane % 4;
  const uint64_t* slots = exchange(0xffffffffu, (uint64_t)(uintptr_t)&own);
  const Numbers<T>* lanes[32];
  for (unsigned i = 0; i < 32; ++i) lanes[i] = (const Numbers<T>*)(uintptr_t)slots[i];
  for (unsigned k = 0; k < 8; ++k) {
    const unsigned c = k / 4, holder = k % 4;
    for (unsigned h = 0; h < 2; ++h)
      for (unsigned j = 0; j < 2; ++j)
        d[2 * h + j] = added(d[2 * h + j], lanes[4 * q + holder]->a[2 * c + h],
                             lanes[4 * (2 * t + j) + holder]->b[c]);
  }
  warp_barrier(0xffffffffu);
}
template <class H> inline void mma_of(float* d, const unsigned* a, const unsigned* b) {
  Fragment own;
  for (int k = 0; k < 8; ++k) own.a[k] = (float)from_slot<H>(a[k / 2] >> 16 * (k % 2) & 0xffffu);
  for (int k = 0; k < 4; ++k) own.b[k] = (float)from_slot<H>(b[k / 2] >> 16 * (k % 2) & 0xffffu);
  mma(d, own);
}
}  // namespace cuda_cpu

namespace cuda_cpu {
// ldmatrix: lane 8m + i names row i of matrix m; word m of a lane is two neighbours of it.
static void fragments(unsigned* d, const void* row, bool transposed) {
  const unsigned lane = current & 31u, q = lane / 4, t = lane % 4;
  const uint64_t* slots = exchange(0xffffffffu, (uint64_t)(uintptr_t)row);
  for (unsigned m = 0; m < 4; ++m) {
    unsigned parts[2];
    for (unsigned e = 0; e < 2; ++e) {
      const unsigned r = transposed ? 2 * t + e : q, c = transposed ? q : 2 * t + e;
      parts[e] = ((const uint16_t*)(uintptr_t)slots[8 * m + r])[c];
    }
    d[m] = parts[0] | parts[1] << 16;
  }
}
static void fragments(float* d, const void* row) {
  const unsigned lane = current & 31u, q = lane / 4, t = lane % 4;
  const uint64_t* slots = exchange(0xffffffffu, (uint64_t)(uintptr_t)row);
  for (unsigned m = 0; m < 4; ++m) d[m] = ((const float*)(uintptr_t)slots[8 * m + q])[t];
}
}  // namespace cuda_cpu

#define GC_DYNAMIC_SHARED(N) __shared__ __align__(16) unsigned char gc_dynamic[N]
static inline void gc_fragments(unsigned* d, const void* row) {
  cuda_cpu::fragments(d, row, false);
}
static inline void gc_fragments(float* d, const void* row) { cuda_cpu::fragments(d, row); }
static inline void gc_fragments_transposed(unsigned* d, const void* row) {
  cuda_cpu::fragments(d, row, true);
}
// Copies are done at once in one order of the threads, and as late as may be in the other: who
// reads too early, or writes over what others still read, differs in one of them.
template <int N> inline void gc_copy_async(void* to, const void* from, bool inside) {
  const cuda_cpu::Copy copy = {to, inside ? from : nullptr, N};
  if ((uintptr_t)to % N || (inside && (uintptr_t)from % N)) abort();  // as the device would
  if (!cuda_cpu::options.reverse) return copy.done();
  cuda_cpu::threads[cuda_cpu::current].copies.push_back(copy);
}
static inline void gc_copy_commit() {
  cuda_cpu::threads[cuda_cpu::current].copies.push_back({nullptr, nullptr, 0});
}
template <int P> inline void gc_copy_wait() {
  auto& copies = cuda_cpu::threads[cuda_cpu::current].copies;
  int groups = 0;
  for (const auto& copy : copies) groups += !copy.to;
  while (groups > P) {
    copies.front().done();
    groups -= !copies.front().to;
    copies.pop_front();
  }
}

static inline void gc_mma_i8(int* d, const unsigned* a, const unsigned* b) {
  cuda_cpu::mma_bytes(d, a, b);
}
static inline void gc_mma_tf32(float* d, const float* a, const float* b) {
  cuda_cpu::mma_numbers(d, a, b);
}
static inline void gc_mma_f64(double* d, const double* a, const double* b) {
  cuda_cpu::mma_numbers(d, a, b);
}
static inline void gc_mma_f16(float* d, const unsigned* a, const unsigned* b) {
  cuda_cpu::mma_of<__half>(d, a, b);
}
static inline void gc_mma_bf16(float* d, const unsigned* a, const unsigned* b) {
  cuda_cpu::mma_of<__nv_bfloat16>(d, a, b);
}

// ------------------------------------------------------------------------- products of four warps

#define GC_GROUP_SHARED(N)                                           \
  __shared__ __align__(1024) unsigned char gc_dynamic[N];            \
  cuda_cpu::open_tiles(gc_dynamic, N)

static inline size_t __cvta_generic_to_shared(const void* place) {
  return (size_t)((const unsigned char*)place - cuda_cpu::tiles) + cuda_cpu::TILES_START;
}
template <int N> inline void gc_copy_swizzled(void* to, const void* from, bool inside) {
  const size_t offset = (size_t)((unsigned char*)to - cuda_cpu::tiles);
  gc_copy_async<N>(cuda_cpu::tiles + (offset ^ (offset >> 3 & 0x70)), from, inside);
}
static inline void gc_fence_proxies() {
  auto& unfenced = cuda_cpu::threads[cuda_cpu::current].unfenced;
  for (const auto& copy : unfenced) {
    const size_t offset = (size_t)((unsigned char*)copy.to - cuda_cpu::tiles);
    memcpy(cuda_cpu::tiles_seen + offset, copy.to, copy.nbytes);
  }
  unfenced.clear();
}

namespace cuda_cpu {
// The number at (i, k) of a tile, i along its rows or columns, k along the terms, as the matrix
// descriptor of PTX says. Without swizzle a core matrix is 8 rows of 16 bytes beside each other,
// along the terms, or along i where FLAT; the leading byte offset lies between the halves of 16
// terms, the stride byte offset between 8 i and the next 8. With a swizzle of 128 bytes lines of so
// many bytes lie beside each other: of 64 terms, 8 i to the stride offset; or FLAT, of 64 i, 8
// terms to the stride offset, the next 64 i at the leading one. NaN outside of the tiles.
template <class H, bool FLAT> inline float tile_at(uint64_t tile, unsigned i, unsigned k) {
  const unsigned start = (tile & 0x3fff) << 4, leading = (tile >> 16 & 0x3fff) << 4,
                 stride = (tile >> 32 & 0x3fff) << 4;
  size_t place = start;
  if (tile >> 46 == 0) {
    place += k / 8 * leading + i / 8 * stride;
    place += FLAT ? k % 8 * 16 + i % 8 * 2 : i % 8 * 16 + k % 8 * 2;
  } else if (tile >> 46 == 1 << 16) {
    place += FLAT ? k / 8 * stride + i / 64 * leading + k % 8 * 128 + i % 64 * 2
                  : i / 8 * stride + i % 8 * 128 + k * 2;
    place ^= place >> 3 & 0x70;
  } else {
    return NAN;
  }
  place -= TILES_START;
  if (place + 2 > tiles_bytes) return NAN;
  uint16_t bits;
  memcpy(&bits, tiles_seen + place, 2);
  return (float)from_slot<H>(bits);
}
// A thread's part: rows 16w + q + 8h, columns 8j + 2t + e, with w, q, t = warp of the four,
// lane / 4, lane % 4, at d[4j + 2h + e]. The sums run along the terms in order.
template <class H, int COLUMNS, bool A, bool B> void group_add(float* d, uint64_t a, uint64_t b) {
  const unsigned lane = current & 127u, row = lane / 32 * 16 + lane % 32 / 4, t = lane % 4;
  float left[2][16];
  for (unsigned h = 0; h < 2; ++h)
    for (unsigned k = 0; k < 16; ++k) left[h][k] = tile_at<H, A>(a, row + 8 * h, k);
  for (unsigned j = 0; j < COLUMNS / 8; ++j)
    for (unsigned e = 0; e < 2; ++e)
      for (unsigned k = 0; k < 16; ++k) {
        const float right = tile_at<H, B>(b, 8 * j + 2 * t + e, k);
        for (unsigned h = 0; h < 2; ++h) d[4 * j + 2 * h + e] += left[h][k] * right;
      }
}
}  // namespace cuda_cpu

// Products are done as late as may be where copies are done at once, and at once where these are
// late: who reads sums too early, or writes over tiles too early, differs in one of them.
template <class H, int COLUMNS> struct gc_group_mma {
  template <int A, int B> static void add(float* d, uint64_t a, uint64_t b) {
    auto& thread = cuda_cpu::threads[cuda_cpu::current];
    if (!thread.fenced) d[0] = NAN;
    const cuda_cpu::Product one = {cuda_cpu::group_add<H, COLUMNS, A, B>, d, a, b};
    if (cuda_cpu::options.reverse) return one.add(d, a, b);
    thread.products.push_back(one);
  }
};
static inline void gc_group_fence() { cuda_cpu::threads[cuda_cpu::current].fenced = true; }
static inline void gc_group_commit() {
  cuda_cpu::threads[cuda_cpu::current].products.push_back({nullptr, nullptr, 0, 0});
}
template <int P> inline void gc_group_wait() {
  auto& thread = cuda_cpu::threads[cuda_cpu::current];
  int groups = 0;
  for (const auto& one : thread.products) groups += !one.add;
  for (; groups > P; thread.products.pop_front()) {
    const auto& one = thread.products.front();
    if (one.add) one.add(one.d, one.a, one.b);
    groups -= !one.add;
  }
}
template <int N> inline void gc_group_settled(float*) {
  cuda_cpu::threads[cuda_cpu::current].fenced = false;
}
