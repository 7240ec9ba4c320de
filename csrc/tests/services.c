/* The services under the kernels: memory, the table at run time, and threads without memory to work in. */
#include "../allocator.h"
#include "../layout.h"
#include "../program.h"
#include "../threads.h"
#include "harness.h"

#include <stdio.h>
#if defined(__linux__)
#include <sys/resource.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static void expect(int holds, const char *what) {
    if (holds) return;
    printf("services: %s\n", what);
    exit(1);
}

/* Blocks are aligned, at most a quarter too large, counted, and used again. */
static void test_blocks(void) {
    static const size_t sizes[] = {0, 1, 64, 65, 80, 81, 4032, 4096, 5000, 1 << 20, 2 << 20, (5 << 20) + 1};
    cg_empty_cache();
    cg_reset_peak();
    const cg_memory_stats before = cg_memory();
    for (int i = 0; i < COUNT(sizes); i++) {
        unsigned char *block = cg_allocate(sizes[i]);
        expect(block && (uintptr_t)block % CG_ALIGNMENT == 0, "a block is not aligned");
        const size_t bytes = cg_block_bytes(block);
        expect(bytes >= sizes[i] && (bytes == 64 || bytes <= sizes[i] + sizes[i] / 4), "a block has a wrong size");
        memset(block, 1, bytes);
        cg_release(block);
        expect(cg_allocate(sizes[i]) == block, "a released block is not used again");
        cg_release(block);
    }
    const cg_memory_stats after = cg_memory();
    expect(after.in_use == before.in_use && after.peak_in_use > before.in_use, "bytes in use are miscounted");
    expect(after.cached > 0 && after.reused - before.reused >= COUNT(sizes), "the cache is miscounted");
    cg_release(NULL);
    const char *zeros = cg_calloc(3, 5);
    expect(zeros && !zeros[0] && !zeros[14], "memory is not zero");
    free((void *)zeros);
}

/* Too large a request, and the bound of the cache. */
static void test_limits(void) {
    expect(!cg_allocate(SIZE_MAX) && !cg_allocate((size_t)1 << 62), "there is no such memory");
    cg_limit_cache((int64_t)1 << 40);
    expect(cg_memory().cached > 0, "a higher limit emptied the cache");
    cg_limit_cache(0);
    cg_release(cg_allocate(100));
    expect(cg_memory().cached == 0, "more is cached than the limit");
    cg_limit_cache((int64_t)1 << 30);
}

/* Every kernel has a layout whose arguments lie in its block, and a cost; no other number has. */
static void test_table(void) {
    static const double block[64];
    for (int kernel = 0; kernel < CG_KERNEL_COUNT; kernel++) {
        const cg_layout *layout = cg_layout_of(kernel);
        expect(layout && layout->bytes <= (int64_t)sizeof block && cg_kernel_names[kernel][0], "a kernel has no layout");
        for (int64_t i = 0; i < layout->count; i++)
            expect(layout->fields[i].offset == 8 * i && layout->fields[i].traits, "an argument lies elsewhere");
        for (int dtype = 0; dtype < CG_DTYPE_COUNT; dtype++)
            expect(cg_cost(kernel, dtype, block) >= 0, "a cost is negative");
    }
    expect(!cg_layout_of(CG_KERNEL_COUNT) && cg_cost(CG_KERNEL_COUNT, 0, block) == 0, "there is no such kernel");
    const int64_t sizes[] = {3, 5}, units[] = {2, 0};
    const cg_grad_norm_blocks_args norm = {.sizes = sizes, .tensors = 2, .p = 2};
    const cg_clip_adaptive_args clip = {.units = units, .unit_sizes = sizes, .tensors = 2};
    expect(cg_cost(CG_grad_norm_blocks, 0, &norm) < 1 && cg_cost(CG_clip_adaptive, 0, &clip) > 1, "a cost is wrong");
}

/* A processor has a level if it has all features of it, and if the system saves its registers. */
static void test_levels(void) {
#if defined(__x86_64__)
    const unsigned leaf1 = bit_FMA | bit_MOVBE | bit_OSXSAVE | bit_AVX | bit_F16C, avx2 = bit_AVX2 | bit_BMI | bit_BMI2;
    const unsigned avx512 = bit_AVX512F | bit_AVX512DQ | bit_AVX512CD | bit_AVX512BW | bit_AVX512VL;
    const cg_features v3 = {leaf1, avx2, bit_LZCNT, 0x06}, v4 = {leaf1, avx2 | avx512, bit_LZCNT, 0xe6};
    expect(cg_psabi_level(v3) == 3 && cg_psabi_level(v4) == 4, "a level is not recognized");
    cg_features less = v4;
    for (unsigned bit = 1; bit; bit <<= 1) {
        less.leaf1 = leaf1 & ~bit, less.extended = bit_LZCNT & ~bit;
        expect(cg_psabi_level(less) == ((leaf1 | bit_LZCNT) & bit ? 1 : 4), "a feature does not count");
        less = v4, less.leaf7 &= ~bit;
        expect(cg_psabi_level(less) == (avx2 & bit ? 1 : avx512 & bit ? 3 : 4), "a feature does not count");
        less = v4, less.saved_state &= ~(uint64_t)bit;
        expect(cg_psabi_level(less) == (bit & 0x06 ? 1 : bit & 0xe0 ? 3 : 4), "registers that are not saved count");
        less = v4;
    }
#endif
}

/* Launches by the cost of their work: one share, some, all threads; back to back, and when the workers sleep. */
static void test_shares(void) {
    expect(cg_shares(39999, 20000, 8) == 1 && cg_shares(60001, 20000, 8) == 3 && cg_shares(1e9, 20000, 8) == 8,
           "a cost has wrong shares");
    int64_t number = 0;
    cg_count_args args = {&number};
    const int threads = cg_num_threads();
    cg_set_num_threads(100000);
    expect(cg_num_threads() == 256, "there are more threads than possible");
    cg_set_num_threads(-1);
    expect(cg_num_threads() == 1, "there are fewer threads than one");
    cg_set_num_threads(2);
    for (int i = 0; i < 20000; i++) cg_run(cg_find(CG_count, CG_FLOAT32), &args, 1e9);
    expect(number == 20000, "launches back to back are lost");
    const cg_step steps[] = {{cg_find(CG_count, CG_FLOAT32), &args, 1e9, 0, NULL},
                             {cg_find(CG_count, CG_FLOAT32), &args, 1, 1, NULL},
                             {cg_find(CG_count, CG_FLOAT32), &args, 1, 1, NULL}};
    expect(cg_run_steps(steps, COUNT(steps)) == COUNT(steps) && number == 20003, "small steps are lost");
    cg_set_num_threads(threads);
}

/* A launch from within a launch, and so while the workers are taken, runs on its thread alone. */
static void inner_launch(const void *args, cg_share share) {
    if (!share.index) *(int64_t *)args = share.count;
}
static void outer_launch(const void *args, cg_share share) {
    if (!share.index) cg_run(inner_launch, args, 1e9);
}
static void test_nested_launch(void) {
    int64_t shares = 0;
    cg_set_num_threads(3);
    expect(cg_run(outer_launch, &shares, 1e9) == 0 && shares == 1, "a launch takes the workers of another");
    expect(cg_run(inner_launch, &shares, 1e9) == 0 && shares == 3, "a launch left the workers taken");
}

/* Workers flush subnormal numbers to zero exactly if the thread that launches does. */
static void test_float_mode(void) {
#if defined(__x86_64__)
    enum { N = 100000 };
    precision = CG_FLOAT32;
    void *const x = malloc(4 * N), *const y = malloc(4 * N);
    for (int64_t i = 0; i < N; i++) put(x, i, 1e-39);
    cg_add_args args = {y, x, x, 1, N, 0, 1, 0, 1};
    const uint64_t mode = cg_float_mode(), flushing = mode | 0x8040; /* FTZ and DAZ of MXCSR */
    for (int flushed = 1; flushed >= 0; flushed--) {
        cg_set_float_mode(flushed ? flushing : mode);
        cg_run(cg_find(CG_add, precision), &args, 1e9);
        cg_set_float_mode(mode);
        for (int64_t i = 0; i < N; i++) expect((get(y, i) == 0) == flushed, "a worker rounds in its own way");
    }
    free(x), free(y);
#endif
}

/* What a new thread finds where the first request of each call fails. */
static int outcomes[3], finished;

static CG_THREAD_RESULT without_memory(void *step) {
    int64_t ended;
    cg_fail_request(1);
    outcomes[0] = cg_run(((const cg_step *)step)->run, ((const cg_step *)step)->args, 1);
    cg_fail_request(1);
    outcomes[1] = (int)cg_run_steps(step, 1);
    cg_fail_request(1);
    outcomes[2] = (int)cg_run_loop(step, 1, 2, NULL, 0, &ended);
    cg_fail_request(0);
    __atomic_store_n(&finished, 1, __ATOMIC_RELEASE);
    return 0;
}

static void test_missing_memory(void) {
    if (cg_fail_request(1) < 0) return; /* not a debug build */
    expect(!cg_malloc(8), "a request did not fail");
    expect(cg_fail_request(1) == 1 && !cg_calloc(1, 8), "a request did not fail");
    cg_empty_cache();
    cg_fail_request(1);
    const int64_t before = cg_memory().in_use;
    expect(!cg_allocate(1 << 20) && cg_memory().in_use == before, "a block without memory is counted");
    cg_fail_request(0);

    int64_t number = 0;
    cg_count_args args = {&number};
    cg_step step = {cg_find(CG_count, CG_FLOAT32), &args, 1, 0, NULL};
    expect(cg_start_thread(without_memory, &step), "no thread was started");
    while (!__atomic_load_n(&finished, __ATOMIC_ACQUIRE)) cg_yield();
    expect(outcomes[0] == -1 && outcomes[1] == -1 && outcomes[2] == -1 && number == 0, "a launch without memory ran");

    /* A worker without memory does not take part. */
    const int threads = cg_num_threads();
    cg_set_num_threads(8);
    cg_fail_request(1);
    expect(cg_run(step.run, &args, 1e9) == 0 && number == 1, "a launch with one worker less is wrong");
    cg_fail_request(0);
    cg_set_num_threads(threads);
}

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which map memory themselves */
static CG_THREAD_RESULT waits(void *released) {
    while (!__atomic_load_n((int *)released, __ATOMIC_ACQUIRE)) cg_yield();
    return 0;
}

/* Where the system refuses more threads, a launch takes those that there are. */
static void test_missing_threads(void) {
    struct rlimit before, none;
    int64_t shares = 0;
    static int released;
    getrlimit(RLIMIT_AS, &before);
    none = before, none.rlim_cur = 0;
    setrlimit(RLIMIT_AS, &none);
    while (cg_start_thread(waits, &released)) continue; /* on the stacks of threads that have ended */
    cg_set_num_threads(64);
    const int failed = cg_run(inner_launch, &shares, 1e9);
    setrlimit(RLIMIT_AS, &before);
    __atomic_store_n(&released, 1, __ATOMIC_RELEASE);
    expect(!failed && shares > 1 && shares < 64, "a launch waits for threads that there are not");
    cg_set_num_threads(3);
}
#else
static void test_missing_threads(void) {}
#endif

void test_services(void) {
    test_shares();
    test_blocks();
    test_limits();
    test_table();
    test_levels();
    test_nested_launch();
    test_float_mode();
    test_missing_memory();
    test_missing_threads();
}
