/* Free blocks are kept in one list for each size class. There are four classes for each power of two, so that a block is at
 * most a quarter larger than requested. */
#include "allocator.h"

#include <stdlib.h>

#include "threads.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

enum { STEPS_LOG2 = 2, SMALLEST_LOG2 = 6, CLASSES = (62 - SMALLEST_LOG2) << STEPS_LOG2 };

/* Blocks that can fill a page of 2 MiB request huge pages. */
static const size_t HUGE_PAGE = 2 << 20;

/* Blocks of at least a page start at staggered offsets in their first page. Otherwise the rows of several matrices, which
 * kernels walk in parallel, would fall into the same few sets of a cache. */
enum { PAGE = 4096, STAGGER = 9 * CG_ALIGNMENT, STAGGERS = 7 };

/* Precedes every block, in one alignment unit. */
typedef struct header {
    struct header *next; /* while it is free */
    void *origin;        /* the address to pass to free() */
    size_t bytes;        /* of the block */
    int size_class;
} header;

static struct {
    cg_mutex lock;
    header *free[CLASSES];
    cg_memory_stats stats;
    int64_t limit;
    size_t large; /* blocks of at least a page allocated so far */
    int fork_handled;
} memory = {.lock = CG_MUTEX_INIT, .limit = (int64_t)1 << 30};

#if defined(CG_DEBUG)
static int64_t requests, failing;
static int refused(void) {
    return __atomic_add_fetch(&requests, 1, __ATOMIC_RELAXED) == __atomic_load_n(&failing, __ATOMIC_RELAXED);
}
int64_t cg_fail_request(int64_t n) {
    __atomic_store_n(&failing, n, __ATOMIC_RELAXED);
    return __atomic_exchange_n(&requests, 0, __ATOMIC_RELAXED);
}
#else
static int refused(void) { return 0; }
int64_t cg_fail_request(int64_t n) { return (void)n, -1; }
#endif

void *cg_malloc(size_t bytes) { return refused() ? 0 : malloc(bytes); }
void *cg_calloc(size_t count, size_t bytes) { return refused() ? 0 : calloc(count, bytes); }

#if defined(_WIN32)
static void handle_fork(void) {}
#else
static void before_fork(void) { cg_lock(&memory.lock); }
static void after_fork(void) { cg_unlock(&memory.lock); }
static void in_child(void) { memory.lock = (cg_mutex)CG_MUTEX_INIT; }
static void handle_fork(void) { pthread_atfork(before_fork, after_fork, in_child); }
#endif

static header *header_of(const void *block) { return (header *)((uintptr_t)block - CG_ALIGNMENT); }

/* The first class whose blocks hold `bytes`; CLASSES where none does. Between two powers of two, 2ᵏ < bytes ≤ 2ᵏ⁺¹, the
 * classes are 2ᵏ + q·2ᵏ⁻² for q = 1 … 4. */
static int class_of(size_t bytes, size_t *class_bytes) {
    const size_t smallest = (size_t)1 << SMALLEST_LOG2;
    if (bytes <= smallest) {
        *class_bytes = smallest;
        return 0;
    }
    const int k = 63 - __builtin_clzll(bytes - 1), steps = 1 << STEPS_LOG2;
    const size_t power = (size_t)1 << k, step = power >> STEPS_LOG2;
    const int q = (int)((bytes - power + step - 1) / step), class = (k - SMALLEST_LOG2) * steps + q;
    *class_bytes = power + (size_t)q * step;
    return class < CLASSES ? class : CLASSES;
}

static header *take_free(int size_class) {
    header *head = memory.free[size_class];
    if (head) {
        memory.free[size_class] = head->next;
        memory.stats.cached -= (int64_t)head->bytes;
    }
    return head;
}

static header *from_system(size_t bytes, int size_class) {
    size_t alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : bytes >= PAGE ? PAGE : CG_ALIGNMENT;
    size_t offset = bytes >= PAGE ? memory.large++ % STAGGERS * STAGGER : 0;
    void *origin = cg_malloc(bytes + CG_ALIGNMENT + alignment + offset);
    if (!origin) return 0;
    uintptr_t start = (((uintptr_t)origin + alignment - 1) & ~(uintptr_t)(alignment - 1)) + offset;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (bytes >= HUGE_PAGE) madvise((void *)(start - offset), bytes & ~(HUGE_PAGE - 1), MADV_HUGEPAGE);
#endif
    header *head = (header *)start;
    *head = (header){.origin = origin, .bytes = bytes, .size_class = size_class};
    return head;
}

static void count_use(int64_t bytes) {
    memory.stats.in_use += bytes;
    if (memory.stats.in_use > memory.stats.peak_in_use) memory.stats.peak_in_use = memory.stats.in_use;
}

void *cg_allocate(size_t bytes) {
    size_t class_bytes;
    int size_class = class_of(bytes, &class_bytes);
    if (size_class == CLASSES) return 0;
    cg_lock(&memory.lock);
    if (!memory.fork_handled) {
        memory.fork_handled = 1;
        handle_fork();
    }
    header *head = take_free(size_class);
    if (head) {
        memory.stats.reused++;
    } else {
        head = from_system(class_bytes, size_class);
        memory.stats.from_system++;
    }
    if (head) count_use((int64_t)class_bytes);
    cg_unlock(&memory.lock);
    return head ? (void *)((uintptr_t)head + CG_ALIGNMENT) : 0;
}

void cg_release(void *block) {
    if (!block) return;
    header *head = header_of(block);
    int64_t bytes = (int64_t)head->bytes;
    cg_lock(&memory.lock);
    memory.stats.in_use -= bytes;
    int keep = memory.stats.cached + bytes <= memory.limit;
    if (keep) {
        head->next = memory.free[head->size_class];
        memory.free[head->size_class] = head;
        memory.stats.cached += bytes;
    }
    cg_unlock(&memory.lock);
    if (!keep) free(head->origin);
}

size_t cg_block_bytes(const void *block) { return header_of(block)->bytes; }

cg_memory_stats cg_memory(void) {
    cg_lock(&memory.lock);
    cg_memory_stats stats = memory.stats;
    cg_unlock(&memory.lock);
    return stats;
}

void cg_reset_peak(void) {
    cg_lock(&memory.lock);
    memory.stats.peak_in_use = memory.stats.in_use;
    cg_unlock(&memory.lock);
}

void cg_empty_cache(void) {
    cg_lock(&memory.lock);
    for (int i = 0; i < CLASSES; i++)
        for (header *head; (head = take_free(i));) free(head->origin);
    cg_unlock(&memory.lock);
}

void cg_limit_cache(int64_t bytes) {
    cg_lock(&memory.lock);
    memory.limit = bytes;
    int over = memory.stats.cached > bytes;
    cg_unlock(&memory.lock);
    if (over) cg_empty_cache();
}
