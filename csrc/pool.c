/* The thread pool, which executes launches.
 *
 * The caller does share 0, worker i does share i. Workers spin briefly after a launch, then sleep. They are started by the
 * first launch whose cost justifies them. One caller at a time owns the workers; a launch from another thread meanwhile
 * runs on that thread alone, with the same bits, and so do all launches of a thread that called cg_use_one_thread(1).
 * After fork the child has no workers, and starts its own when it needs them. */
#include "allocator.h"
#include "kernels.h"

#include <stdint.h>
#include <stdlib.h>

#include "threads.h"

enum { MAX_THREADS = 256, SPINS = 2000, SHARE_BITS = 16 };

/* Nanoseconds below which handing a share to a worker takes longer than the share. */
static const double SHARE_COST = 20000.0;

static struct {
    cg_mutex owner; /* held by the caller whose launch the workers do */
    cg_mutex sleep; /* with `wake`, for workers that have stopped spinning */
    cg_condition wake;
    cg_kernel kernel;
    const void *args;
    uint64_t float_mode; /* of the caller: rounding, and whether subnormal numbers are flushed to zero */
    uint64_t signal; /* launches so far << SHARE_BITS | shares of the last one */
    int64_t done;    /* shares that workers have finished */
    int sleepers, workers, threads;
} pool = {.owner = CG_MUTEX_INIT, .sleep = CG_MUTEX_INIT, .wake = CG_CONDITION_INIT, .threads = 1};

/* The working memory of each thread, freed when the thread ends. */
static _Thread_local struct {
    void *block, *aligned;
} scratch;

#if defined(_WIN32)
static DWORD scratch_key = FLS_OUT_OF_INDEXES;
static void WINAPI free_scratch(void *block) { free(block); }
static void free_scratch_at_exit(void *block) {
    if (scratch_key == FLS_OUT_OF_INDEXES) scratch_key = FlsAlloc(free_scratch);
    FlsSetValue(scratch_key, block);
}
#else
static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static void make_scratch_key(void) { pthread_key_create(&scratch_key, free); }
static void free_scratch_at_exit(void *block) {
    pthread_once(&scratch_once, make_scratch_key);
    pthread_setspecific(scratch_key, block);
}
#endif

/* Whether launches from this thread stay on it. */
static _Thread_local int one_thread;

static void *thread_scratch(void) {
    if (!scratch.aligned) {
        scratch.block = cg_malloc(CG_SCRATCH_BYTES + 64);
        if (!scratch.block) return 0;
        scratch.aligned = (void *)(((uintptr_t)scratch.block + 63) & ~(uintptr_t)63);
        free_scratch_at_exit(scratch.block);
    }
    return scratch.aligned;
}

static uint64_t wait_for_signal(uint64_t seen) {
    for (int spin = 0; spin < SPINS; spin++) {
        uint64_t signal = __atomic_load_n(&pool.signal, __ATOMIC_ACQUIRE);
        if (signal != seen) return signal;
        cg_pause();
    }
    cg_lock(&pool.sleep);
    __atomic_add_fetch(&pool.sleepers, 1, __ATOMIC_SEQ_CST);
    uint64_t signal;
    while ((signal = __atomic_load_n(&pool.signal, __ATOMIC_SEQ_CST)) == seen)
        cg_wait(&pool.wake, &pool.sleep);
    __atomic_sub_fetch(&pool.sleepers, 1, __ATOMIC_SEQ_CST);
    cg_unlock(&pool.sleep);
    return signal;
}

/* A worker reads the launch only if it has a share of it, because then the caller waits and the launch does not change.
 * `done` counts the start of the worker as its first share. */
static CG_THREAD_RESULT worker(void *arg) {
    int64_t index = (intptr_t)arg;
    void *memory = thread_scratch();
    uint64_t seen = __atomic_load_n(&pool.signal, __ATOMIC_ACQUIRE);
    __atomic_add_fetch(&pool.done, memory ? 1 : -MAX_THREADS, __ATOMIC_RELEASE);
    while (memory) {
        seen = wait_for_signal(seen);
        int64_t shares = (int64_t)(seen & ((1 << SHARE_BITS) - 1));
        if (index >= shares) continue;
        cg_set_float_mode(pool.float_mode);
        pool.kernel(pool.args, (cg_share){index, shares, memory});
        __atomic_add_fetch(&pool.done, 1, __ATOMIC_RELEASE);
    }
    return 0;
}

/* Wait until `done` reaches `count`. A negative value means that a worker could not allocate its working memory. */
static int wait_for_done(int64_t count) {
    for (int spin = 0;; spin++) {
        int64_t done = __atomic_load_n(&pool.done, __ATOMIC_ACQUIRE);
        if (done == count || done < 0) return done == count;
        if (spin < SPINS) cg_pause(); else cg_yield();
    }
}

/* After fork no mutex is locked and no worker exists. */
static void forget_workers(void) {
    pool.owner = (cg_mutex)CG_MUTEX_INIT;
    pool.sleep = (cg_mutex)CG_MUTEX_INIT;
    pool.wake = (cg_condition)CG_CONDITION_INIT;
    pool.workers = pool.sleepers = 0;
}

#if !defined(_WIN32)
static void before_fork(void) { cg_lock(&pool.owner); cg_lock(&pool.sleep); }
static void after_fork(void) { cg_unlock(&pool.sleep); cg_unlock(&pool.owner); }
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static void handle_fork(void) { pthread_atfork(before_fork, after_fork, forget_workers); }
#endif

/* Start workers up to `wanted`; fewer if the system refuses more threads. */
static void start_workers(int wanted) {
#if !defined(_WIN32)
    pthread_once(&fork_once, handle_fork);
#else
    (void)forget_workers;
#endif
    while (pool.workers < wanted) {
        __atomic_store_n(&pool.done, 0, __ATOMIC_RELAXED);
        if (!cg_start_thread(worker, (void *)(intptr_t)(pool.workers + 1))) return;
        if (!wait_for_done(1)) return;
        pool.workers++;
    }
}

static void run_on_workers(cg_kernel kernel, const void *args, int64_t shares, void *memory) {
    pool.kernel = kernel;
    pool.args = args;
    pool.float_mode = cg_float_mode();
    __atomic_store_n(&pool.done, 0, __ATOMIC_RELAXED);
    uint64_t launches = (pool.signal >> SHARE_BITS) + 1;
    __atomic_store_n(&pool.signal, launches << SHARE_BITS | (uint64_t)shares, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&pool.sleepers, __ATOMIC_SEQ_CST)) {
        cg_lock(&pool.sleep);
        cg_wake_all(&pool.wake);
        cg_unlock(&pool.sleep);
    }
    kernel(args, (cg_share){0, shares, memory});
    wait_for_done(shares - 1);
}

int64_t cg_shares(double cost, double least, int threads) {
    return cost < 2 * least ? 1 : cost / least < threads ? (int64_t)(cost / least) : threads;
}

int cg_run(cg_kernel kernel, const void *args, double cost) {
    void *memory = thread_scratch();
    if (!memory) return -1;
    int64_t shares = one_thread ? 1 : cg_shares(cost, SHARE_COST, __atomic_load_n(&pool.threads, __ATOMIC_RELAXED));
    if (shares > 1 && cg_try_lock(&pool.owner)) {
        start_workers((int)shares - 1);
        if (shares > pool.workers + 1) shares = pool.workers + 1;
        run_on_workers(kernel, args, shares, memory);
        cg_unlock(&pool.owner);
    } else {
        kernel(args, (cg_share){0, 1, memory});
    }
    return 0;
}

void cg_use_one_thread(int only) { one_thread = only; }
int cg_uses_one_thread(void) { return one_thread; }

int cg_num_threads(void) { return __atomic_load_n(&pool.threads, __ATOMIC_RELAXED); }

void cg_set_num_threads(int threads) {
    threads = threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads;
    __atomic_store_n(&pool.threads, threads, __ATOMIC_RELAXED);
}
