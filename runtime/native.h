/* What the native runtime shares between its three parts, and what the outside may rely on.
 *
 * Freestanding C: no header of the system, of CPython or of NumPy is read, so that the LLVM IR made
 * from it holds no layout of this machine beyond 64-bit pointers in little-endian order. The few
 * foreign functions are declared by hand; offsets of object fields, function pointers of NumPy's C
 * API and numbers of the kernel come in `GcConfig`, which call.py fills and checks against live
 * objects before anything here runs.
 *
 * Units: bytes and nanoseconds, in the names.
 */
#ifndef GRAPHC_NATIVE_H
#define GRAPHC_NATIVE_H

typedef signed char i8;
typedef unsigned char u8;
typedef int i32;
typedef unsigned u32;
typedef long long i64;
typedef unsigned long long u64;
typedef unsigned long size_t;
#define NULL ((void *)0)
#define EXPORT __attribute__((visibility("default")))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define GET(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define PUT(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

/* ---------------------------------------- the ABI of generated code
 *
 * entry: buffers: the inputs in order, static ones left out (array data; scalars point to 8 bytes,
 * complex to 16; a bool is one byte), then the outputs. extents: the values of the symbols, then
 * the element strides of strided inputs, in the order of arguments. arena: 64-byte aligned, as
 * large as asked, not zeroed; NULL where the size is 0. Gives 0, or a code that Python explains.
 *
 * shapes: fills out_dims with the extents of all outputs, one after the other; gives the arena's
 * bytes, or -1 when a relation between extents does not hold (the call is then a miss).
 *
 * runtime: valid during the call only. `parallel_for` splits [0, n) in at most `workers` contiguous
 * parts of at least `grain` iterations; fn(ctx, begin, end, worker) runs once per part, worker <
 * runtime->workers, and no two parts of one parallel_for have the same worker.
 */
typedef struct GcRuntime GcRuntime;
typedef void (*GcBody)(void *ctx, i64 begin, i64 end, i64 worker);
struct GcRuntime {
    void (*parallel_for)(GcRuntime *, GcBody fn, void *ctx, i64 n, i64 grain);
    i64 workers; /* upper bound of the parts of one parallel_for; constant during a call */
    i64 version; /* 1 */
};
typedef i64 (*GcEntry)(void **buffers, i64 *extents, void *arena, GcRuntime *runtime);
typedef i64 (*GcShapes)(i64 *extents, i64 *out_dims);

/* ---------------------------------------- configuration */
typedef struct {
    i64 size_bytes;   /* of this struct, as Python sees it */
    i64 futex_number; /* of the system call; it differs between machines */
    i64 spin_ns;      /* how long an idle worker and a waiting caller watch before they sleep */
    i64 large_bytes;  /* an output of at least so many bytes comes from the pool of blocks */
    void *array_type, *new_from_descr, *set_handler, *array_return; /* NumPy's C API */
    void *handler; /* capsule around gc_handler, set around the allocation of a large output */
    i64 off_type, off_data, off_nd, off_dims, off_strides, off_descr, off_flags; /* of an array */
    i64 off_type_num, off_byteorder;                                             /* of a dtype */
    i64 can_register_fork;
} GcConfig;
extern GcConfig gc_config;

/* ---------------------------------------- C library, POSIX */
extern void *malloc(size_t);
extern void free(void *);
extern void *memcpy(void *, const void *, size_t);
extern void *memset(void *, int, size_t);
extern void *mmap(void *, size_t, int, int, int, long);
extern int munmap(void *, size_t);
extern int madvise(void *, size_t, int);
extern int sched_yield(void);
extern long syscall(long, ...);
extern int clock_gettime(int, void *);
extern int pthread_create(void *, const void *, void *(*)(void *), void *);
extern int pthread_detach(unsigned long);
extern int pthread_sigmask(int, const void *, void *);
/* glibc's __register_atfork or POSIX pthread_atfork, whichever the process has; the fourth argument
 * is glibc's */
extern int gc_register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);

/* ---------------------------------------- between the parts */
void *gc_block_take(i64 bytes);
void gc_block_give(void *data);
void gc_memory_before_fork(void);
void gc_memory_after_fork(void);
void gc_parallel_for(GcBody fn, void *ctx, i64 n, i64 grain, i64 max_workers);
extern i32 gc_workers;

static inline i64 gc_now_ns(void) {
    i64 t[2];
    clock_gettime(1 /* CLOCK_MONOTONIC */, t);
    return t[0] * 1000000000 + t[1];
}
#endif
