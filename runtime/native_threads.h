/* The fork-join pool. Part of native.c.
 *
 * Every worker has a mailbox of its own: the caller writes a part into it and moves `posted` on. A
 * worker watches its mailbox for spin_ns, then sleeps in a futex, so an idle process burns nothing.
 * Whoever moves `claimed` after `posted` runs the part: the worker, or the caller, when it is done
 * with its own part and the worker has not begun (asleep, or without a core). So a loop never waits
 * for a thread to wake: at worst it takes as long as without threads. A second caller, and a call
 * from inside a part, run their whole loop inline: that is always correct, because a worker's
 * number names scratch of the CALL, never of the thread.
 */
#define GC_MAX_WORKERS 1024
#define GC_WAKE_ARITY                                                                              \
    8 /* each woken worker wakes so many others, so that many sleepers cost no long queue */
#ifdef GC_LIBRARY
#define GC_OWN /* hidden, as everything is by default */
#else
#define GC_OWN EXPORT
#endif
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129

typedef struct {
    u32 posted;   /* counts the parts given; the futex of the worker */
    u32 sleeping; /* the worker is in, or on its way into, the futex */
    u32 claimed;  /* counts the parts begun */
    GcBody fn;
    void *ctx;
    i64 begin, end, workers;
    char pad[8];
} __attribute__((aligned(64))) Mailbox;

static Mailbox mailbox[GC_MAX_WORKERS];
static struct {
    u32 busy __attribute__((aligned(64)));
    u32 pending __attribute__((aligned(64))); /* parts not done; the futex of the caller */
    u32 waiting;
    i32 started; /* threads that exist; written under `busy` */
} pool;
#ifdef GC_LIBRARY
i32 gc_workers; /* 0: found at the first call */
#else
i32 gc_workers = 1; /* the number wanted, caller included */
#endif
#ifndef GC_LIBRARY
static i32 gc_fork_registered;
#endif

static long futex(u32 *word, int op, u32 value) {
    return syscall(gc_config.futex_number, word, (long)op, (long)value, NULL, NULL, 0L);
}

static void wake_from(i64 self, i64 workers) {
    i64 first = self * GC_WAKE_ARITY + 1;
    for (i64 w = first; w < first + GC_WAKE_ARITY && w < workers; w++)
        if (__atomic_load_n(&mailbox[w].sleeping, __ATOMIC_SEQ_CST))
            futex(&mailbox[w].posted, FUTEX_WAKE_PRIVATE, 1);
}

/* Whether the part of this number is for who asks. The parts of a mailbox are read only after this.
 */
static int claim(Mailbox *box, u32 number) {
    u32 before = number - 1;
    return __atomic_compare_exchange_n(&box->claimed, &before, number, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

static void *worker_main(void *argument) {
    i64 self = (i64)argument;
    Mailbox *box = &mailbox[self];
    u32 seen = 0;
    i64 patience = 1;
    for (;;) {
        i64 until = 0;
        while (GET(&box->posted) == seen) {
            i64 now = gc_now_ns();
            if (until == 0) until = now + gc_config.spin_ns * patience;
            if (now < until) continue;
            /* announce sleep, look again, sleep: the poster moves `posted`, then looks at
             * `sleeping` */
            __atomic_store_n(&box->sleeping, 1, __ATOMIC_SEQ_CST);
            if (__atomic_load_n(&box->posted, __ATOMIC_SEQ_CST) == seen)
                futex(&box->posted, FUTEX_WAIT_PRIVATE, seen);
            __atomic_store_n(&box->sleeping, 0, __ATOMIC_SEQ_CST);
            if (GET(&box->posted) == seen)
                until = 1; /* a stray wake: back to sleep without spinning */
        }
        seen = GET(&box->posted);
        /* a part that was taken meanwhile: work comes, and waking is too slow for it, so watch
         * longer */
        patience = claim(box, seen) ? 1 : 6;
        if (patience > 1) continue;
        wake_from(self, box->workers);
        box->fn(box->ctx, box->begin, box->end, self);
        if (__atomic_sub_fetch(&pool.pending, 1, __ATOMIC_SEQ_CST) == 0 &&
            __atomic_load_n(&pool.waiting, __ATOMIC_SEQ_CST))
            futex(&pool.pending, FUTEX_WAKE_PRIVATE, 1);
    }
    return NULL;
}

/* Starts threads until `wanted` workers exist, the caller being one; gives how many there are.
 * Holds `busy`. */
static i64 start_workers(i64 wanted) {
    if (LIKELY(pool.started + 1 >= wanted)) return wanted;
    u64 all[16], old[16]; /* a signal set of 1024 signals, as Linux' C libraries have it */
    memset(all, 0xff, sizeof all);
    pthread_sigmask(2 /* SIG_SETMASK */, all, old); /* signals are for the threads of the user */
    while (pool.started + 1 < wanted) {
        unsigned long thread;
        i64 self = pool.started + 1;
        mailbox[self].posted = mailbox[self].sleeping = mailbox[self].claimed = 0;
        if (pthread_create(&thread, NULL, worker_main, (void *)self))
            break; /* fewer workers, same values */
        pthread_detach(thread);
        pool.started++;
    }
    pthread_sigmask(2, old, NULL);
    return pool.started + 1 < wanted ? pool.started + 1 : wanted;
}

static void join_workers(i64 workers) {
    i64 until = 0;
    u32 left;
    for (i64 w = workers - 1; w > 0; w--) { /* the last is the last to be woken */
        Mailbox *box = &mailbox[w];
        if (!claim(box, box->posted)) continue;
        box->fn(box->ctx, box->begin, box->end, w);
        __atomic_sub_fetch(&pool.pending, 1, __ATOMIC_SEQ_CST);
    }
    while ((left = __atomic_load_n(&pool.pending, __ATOMIC_SEQ_CST))) {
        i64 now = gc_now_ns();
        if (until == 0) until = now + gc_config.spin_ns;
        if (now < until) continue;
        /* long parts, or a machine that others use: the core may be needed by the very worker
         * waited for */
        __atomic_store_n(&pool.waiting, 1, __ATOMIC_SEQ_CST);
        left = __atomic_load_n(&pool.pending, __ATOMIC_SEQ_CST);
        if (left) futex(&pool.pending, FUTEX_WAIT_PRIVATE, left);
        __atomic_store_n(&pool.waiting, 0, __ATOMIC_SEQ_CST);
    }
}

GC_OWN void gc_parallel_for(GcBody fn, void *ctx, i64 n, i64 grain, i64 max_workers) {
    i64 workers = GET(&gc_workers), parts = grain > 1 ? n / grain : n;
    if (n <= 0) return;
    if (workers > max_workers) workers = max_workers;
    if (workers > parts) workers = parts;
    if (workers <= 1 || __atomic_exchange_n(&pool.busy, 1, __ATOMIC_ACQUIRE)) {
        fn(ctx, 0, n, 0);
        return;
    }
    workers = start_workers(workers);
    i64 each = n / workers, rest = n % workers, begin = each + (rest > 0);
    PUT(&pool.pending, (u32)(workers - 1));
    for (i64 w = 1; w < workers; w++) {
        Mailbox *box = &mailbox[w];
        i64 end = begin + each + (w < rest);
        box->fn = fn, box->ctx = ctx, box->begin = begin, box->end = end, box->workers = workers;
        __atomic_store_n(&box->posted, box->posted + 1, __ATOMIC_SEQ_CST);
        begin = end;
    }
    wake_from(0, workers);
    fn(ctx, 0, each + (rest > 0), 0);
    join_workers(workers);
    PUT(&pool.busy, 0);
}

#ifndef GC_LIBRARY
static void runtime_parallel_for(GcRuntime *runtime, GcBody fn, void *ctx, i64 n, i64 grain) {
    gc_parallel_for(fn, ctx, n, grain, runtime->workers);
}

/* After fork() the child has one thread: the pool begins anew there, at the next loop. */
EXPORT void gc_reset_after_fork(void) {
    memset(&pool, 0, sizeof pool);
    gc_memory_after_fork();
}

EXPORT i64 gc_register_fork(void) {
    if (gc_fork_registered || !gc_config.can_register_fork) return gc_fork_registered;
    gc_fork_registered =
        !gc_register_atfork(gc_memory_before_fork, gc_memory_after_fork, gc_reset_after_fork, NULL);
    return gc_fork_registered;
}

#endif

/* Takes effect at the next parallel loop; threads that are then too many sleep on. */
GC_OWN i64 gc_set_threads(i64 workers) {
    workers = workers < 1 ? 1 : workers > GC_MAX_WORKERS ? GC_MAX_WORKERS : workers;
    PUT(&gc_workers, (i32)workers);
    return workers;
}
#ifndef GC_LIBRARY
EXPORT i64 gc_get_threads(void) { return GET(&gc_workers); }
EXPORT i64 gc_started_threads(void) { return pool.started; }
EXPORT void gc_set_spin(i64 ns) { PUT(&gc_config.spin_ns, ns); }
#endif
