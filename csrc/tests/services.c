/* The services under the kernels: memory, the table at run time, and threads without memory to work in. */
#include "../allocator.h"
#include "../layout.h"
#include "../program.h"
#include "../threads.h"
#include "harness.h"

#include <stdio.h>

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
    cg_set_num_threads(threads + 1);
    cg_fail_request(1);
    expect(cg_run(step.run, &args, 1e9) == 0 && number == 1, "a launch with one worker less is wrong");
    cg_fail_request(0);
    cg_set_num_threads(threads);
}

void test_services(void) {
    test_blocks();
    test_limits();
    test_table();
    test_missing_memory();
}
