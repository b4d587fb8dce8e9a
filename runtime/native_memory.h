/* Blocks for large outputs and for arenas. Part of native.c.
 *
 * Fresh pages cost more than arithmetic (about 2 us each), so a block goes to a cache when its
 * array dies and comes out again for the next array of the same size class. Eight classes per power
 * of two: at most 1/8 of a block is waste, and untouched waste has no pages. The cache is bounded;
 * the block that was freed first goes first.
 *
 * A block: one page with the header at its end, then the data, at a 2 MiB border (with huge pages)
 * from 2 MiB on, at a page border below.
 */
#define PAGE 4096
#define HUGE (2 << 20)
#define FIRST_OCTAVE 12
#define BINS ((48 - FIRST_OCTAVE) * 8)

typedef struct Block Block;
struct Block { /* lies in the 64 bytes before the data */
    i64 data_bytes, bin;
    Block *younger, *older; /* by the time of freeing, over all bins */
    Block *above, *below;   /* in the stack of its bin */
    void *start;            /* of the mapping */
    i64 mapped_bytes;
};
_Static_assert(sizeof(Block) == 64, "the header keeps the data 64-byte aligned");

static struct {
    u32 lock __attribute__((aligned(64)));
    Block *bin[BINS];
    Block *youngest, *oldest;
    i64 cached_bytes, live_bytes, limit_bytes, taken, reused, peak_live_bytes;
} memory = {.limit_bytes = 1LL << 30};

static void lock_memory(void) {
    while (__atomic_exchange_n(&memory.lock, 1, __ATOMIC_ACQUIRE))
        while (GET(&memory.lock))
            sched_yield(); /* held for tens of nanoseconds, unless its holder lost the core */
}
static void unlock_memory(void) { PUT(&memory.lock, 0); }
void gc_memory_before_fork(void) { lock_memory(); }
void gc_memory_after_fork(void) { unlock_memory(); }

/* The class of a size: bytes is rounded up to a multiple of an eighth of its power of two. -1: too
 * large. */
static i64 size_class(i64 bytes, i64 *rounded) {
    if (bytes < PAGE) bytes = PAGE;
    i64 octave = 63 - __builtin_clzll((u64)bytes), step = 1LL << (octave - 3);
    if (octave >= 47) return -1;
    i64 eighths = (bytes - (1LL << octave) + step - 1) >> (octave - 3);
    *rounded = (1LL << octave) + eighths * step;
    return (octave - FIRST_OCTAVE) * 8 +
           eighths; /* eight eighths are the first class of the next octave */
}

static void unlink_block(Block *b) {
    if (b->above) b->above->below = b->below;
    else memory.bin[b->bin] = b->below;
    if (b->below) b->below->above = b->above;
    if (b->younger) b->younger->older = b->older;
    else memory.youngest = b->older;
    if (b->older) b->older->younger = b->younger;
    else memory.oldest = b->younger;
    memory.cached_bytes -= b->data_bytes;
}

/* Unmaps cached blocks, oldest first, until at most `keep` bytes are cached. */
static void trim_to(i64 keep) {
    for (;;) {
        lock_memory();
        Block *b = memory.cached_bytes > keep ? memory.oldest : NULL;
        if (b) unlink_block(b);
        unlock_memory();
        if (!b) return;
        munmap(b->start, b->mapped_bytes);
    }
}

static Block *map_block(i64 data_bytes) {
    i64 border = data_bytes >= HUGE ? HUGE : PAGE, body = (data_bytes + PAGE - 1) & -PAGE;
    i64 asked = body + PAGE + (border > PAGE ? border : 0);
    char *start = mmap(NULL, asked, 3 /* read, write */, 0x22 /* private, anonymous */, -1, 0);
    if (start == (char *)-1) return NULL;
    char *data = (char *)(((u64)start + PAGE + border - 1) & -(u64)border);
    char *first = data - PAGE, *last = data + body;
    if (first > start) munmap(start, first - start);
    if (start + asked > last) munmap(last, start + asked - last);
    if (border == HUGE) madvise(data, body, 14 /* MADV_HUGEPAGE */);
    Block *b = (Block *)data - 1;
    b->start = first, b->mapped_bytes = body + PAGE;
    return b;
}

/* A block of at least `bytes` bytes, its content undefined; NULL when the system has no memory. */
EXPORT void *gc_block_take(i64 bytes) {
    i64 rounded, bin = size_class(bytes, &rounded);
    if (bin < 0) return NULL;
    lock_memory();
    Block *b = memory.bin[bin];
    memory.taken++;
    if (b) unlink_block(b), memory.reused++;
    memory.live_bytes += rounded;
    if (memory.live_bytes > memory.peak_live_bytes) memory.peak_live_bytes = memory.live_bytes;
    unlock_memory();
    if (b) return b + 1;
    b = map_block(rounded);
    if (!b) { /* what the cache holds may be what is missing */
        trim_to(0);
        b = map_block(rounded);
    }
    if (b) {
        b->data_bytes = rounded, b->bin = bin;
        return b + 1;
    }
    lock_memory();
    memory.live_bytes -= rounded;
    unlock_memory();
    return NULL;
}

EXPORT void gc_block_give(void *data) {
    Block *b = (Block *)data - 1;
    lock_memory();
    memory.live_bytes -= b->data_bytes;
    b->above = NULL, b->below = memory.bin[b->bin];
    if (b->below) b->below->above = b;
    memory.bin[b->bin] = b;
    b->younger = NULL, b->older = memory.youngest;
    if (b->older) b->older->younger = b;
    else memory.oldest = b;
    memory.youngest = b;
    memory.cached_bytes += b->data_bytes;
    i64 limit = memory.limit_bytes, over = memory.cached_bytes > limit;
    unlock_memory();
    if (over) trim_to(limit);
}

/* ---------------------------------------- NumPy's allocation handler (NEP 49), version 1 */
static void *handler_malloc(void *ctx, size_t bytes) { return gc_block_take((i64)bytes); }
static void *handler_calloc(void *ctx, size_t count, size_t each) {
    i64 bytes;
    if (__builtin_mul_overflow((i64)count, (i64)each, &bytes)) return NULL;
    void *data = gc_block_take(bytes);
    return data ? memset(data, 0, bytes) : NULL;
}
static void handler_free(void *ctx, void *data, size_t bytes) {
    if (data) gc_block_give(data);
}
static void *handler_realloc(void *ctx, void *data, size_t bytes) {
    if (!data) return gc_block_take((i64)bytes);
    i64 had = ((Block *)data - 1)->data_bytes;
    if ((i64)bytes <= had) return data;
    void *larger = gc_block_take((i64)bytes);
    if (!larger) return NULL;
    memcpy(larger, data, had);
    gc_block_give(data);
    return larger;
}

EXPORT struct {
    char name[127];
    u8 version;
    void *ctx, *take, *clear, *resize, *give;
} gc_handler = {"graphc", 1, NULL, handler_malloc, handler_calloc, handler_realloc, handler_free};

/* cached, live, limit, peak live (bytes); blocks taken, of these reused */
EXPORT void gc_pool_statistics(i64 *out) {
    lock_memory();
    out[0] = memory.cached_bytes, out[1] = memory.live_bytes, out[2] = memory.limit_bytes;
    out[3] = memory.peak_live_bytes, out[4] = memory.taken, out[5] = memory.reused;
    unlock_memory();
}
EXPORT void gc_pool_limit(i64 bytes) {
    lock_memory();
    memory.limit_bytes = bytes < 0 ? 0 : bytes;
    unlock_memory();
    trim_to(memory.limit_bytes);
}
EXPORT void gc_pool_trim(i64 keep_bytes) { trim_to(keep_bytes); }
