/* The fork-join pool of a library with threads="pool" (graphc/aot): native_threads.h without
 * Python and without the pool of memory.
 *
 * threads.ll is made from this file by make_native.py. Every symbol is hidden, and graphc/aot puts
 * the library's name before it, so that two libraries in a process have a pool each.
 *
 * After fork() a child has one thread. No handler is registered for that, since C libraries differ
 * in how: a word in a page that the kernel hands to a child zeroed says so (Linux 4.14), or where
 * there are no such pages the number of the process.
 */
#include "native.h"

#define GC_LIBRARY 1
extern const i64 gc_futex_number; /* of the system call; graphc/aot knows the machine */
extern int getpid(void);
extern int sched_getaffinity(int, size_t, void *);

GcConfig gc_config = {.spin_ns = 50000};
#include "native_threads.h"

#define MAP_PRIVATE_ANONYMOUS 0x22
#define MADV_WIPEONFORK 18
#define PAGE_BYTES 4096
enum { FORKED, SETTING, READY };

static u32 *alive;      /* in a page that is zeroed in a child */
static u32 alive_plain; /* where there are no such pages */
static i32 owner;       /* the process whose threads these are */

static void begin_here(u32 *word) {
    u32 seen = FORKED;
    if (__atomic_compare_exchange_n(word, &seen, SETTING, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        memset(&pool, 0, sizeof pool);
        PUT(&owner, (i32)getpid());
        PUT(word, READY);
        return;
    }
    while (GET(word) == SETTING) sched_yield();
}

__attribute__((noinline)) static void first_or_forked(u32 *word) {
    if (!word) {
        u32 *page = mmap(NULL, PAGE_BYTES, 3 /* read, write */, MAP_PRIVATE_ANONYMOUS, -1, 0), *none = NULL;
        int plain = page == (void *)-1;
        if (!plain && madvise(page, PAGE_BYTES, MADV_WIPEONFORK)) munmap(page, PAGE_BYTES), plain = 1;
        word = plain ? &alive_plain : page;
        if (!__atomic_compare_exchange_n(&alive, &none, word, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            if (!plain) munmap(page, PAGE_BYTES);
            word = none;
        }
    }
    if (word == &alive_plain && GET(word) == READY && GET(&owner) != (i32)getpid()) {
        u32 seen = READY;
        __atomic_compare_exchange_n(word, &seen, FORKED, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    }
    begin_here(word);
}

/* How many threads loops use: as many as there are processors for this process, unless set. */
i64 gc_library_threads(void) {
    i32 known = GET(&gc_workers);
    if (LIKELY(known > 0)) return known;
    u64 mask[128];
    i64 count = 0;
    memset(mask, 0, sizeof mask);
    if (sched_getaffinity(0, sizeof mask, mask) == 0)
        for (int k = 0; k < 128; k++) count += __builtin_popcountll(mask[k]);
    return gc_set_threads(count > 0 ? count : 1);
}

void gc_library_for(GcBody fn, void *ctx, i64 n, i64 grain, i64 max_workers) {
    u32 *word = GET(&alive);
    if (UNLIKELY(!word || word == &alive_plain || GET(word) != READY)) first_or_forked(word);
    gc_config.futex_number = gc_futex_number;
    gc_parallel_for(fn, ctx, n, grain, max_workers);
}

i64 gc_library_set_threads(i64 workers) { return gc_set_threads(workers); }
