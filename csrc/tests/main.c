#include "harness.h"

#include <stdio.h>

#include "../layout.h"
#include "../program.h"

int precision;

enum { MOST_ARRAYS = 64 };

typedef struct {
    void *data, *first;
    int64_t bytes;
    int is_output;
    enum { REALS, DOUBLES, BYTES } holds;
} array;

static array arrays[MOST_ARRAYS];
static int array_count;
static uint64_t state = 1;

double uniform(double low, double high) { /* xorshift64*: S. Vigna (2016) */
    state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
    return low + (high - low) * ((double)((state * 2685821657736338717u) >> 11) / 9007199254740992.0);
}

void philox(uint64_t seed, uint64_t counter, uint32_t x[4]) {
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    x[0] = (uint32_t)counter, x[1] = (uint32_t)(counter >> 32), x[2] = x[3] = 0;
    for (int round = 0; round < 10; round++, k0 += 0x9e3779b9u, k1 += 0xbb67ae85u) {
        const uint64_t p = (uint64_t)x[0] * 0xd2511f53u, q = (uint64_t)x[2] * 0xcd9e8d57u;
        const uint32_t y[] = {(uint32_t)(q >> 32) ^ x[1] ^ k0, (uint32_t)q, (uint32_t)(p >> 32) ^ x[3] ^ k1, (uint32_t)p};
        memcpy(x, y, sizeof y);
    }
}

static void *new_array(int64_t bytes, int is_output) {
    if (array_count == MOST_ARRAYS) abort();
    void *data = malloc(bytes ? bytes : 1), *first = malloc(bytes ? bytes : 1);
    arrays[array_count++] = (array){data, first, bytes, is_output, REALS};
    return data;
}

static int64_t width(void) { return precision == CG_FLOAT32 ? 4 : 8; }

void *numbers(int64_t n, double low, double high) {
    void *p = new_array(n * width(), 0);
    for (int64_t i = 0; i < n; i++) put(p, i, uniform(low, high));
    return p;
}

void *rare_numbers(int64_t n) {
    static const double rare[] = {NAN, -NAN, INFINITY, -INFINITY, 0, -0.0, 1e-40, -1e-40, 30, -30, 88.5, -103};
    void *p = new_array(n * width(), 0);
    for (int64_t i = 0; i < n; i++) put(p, i, rare[i % COUNT(rare)]);
    return p;
}

void *output_from(int64_t n, double low, double high) {
    void *p = new_array(n * width(), 1);
    for (int64_t i = 0; i < n; i++) put(p, i, uniform(low, high));
    memcpy(arrays[array_count - 1].first, p, n * width());
    return p;
}

void *output(int64_t n) { return output_from(n, 1e3, 2e3); }

void put_first(void *output, int64_t i, double v) {
    for (int k = 0; k < array_count; k++)
        if (arrays[k].data == output) put(arrays[k].first, i, v);
}

void *doubles_output(int64_t n) {
    double *p = new_array(n * 8, 1);
    for (int64_t i = 0; i < n; i++) p[i] = 0;
    memcpy(arrays[array_count - 1].first, p, n * 8);
    arrays[array_count - 1].holds = DOUBLES;
    return p;
}

uint8_t *bytes_output(int64_t n) {
    uint8_t *p = new_array(n, 1);
    memset(p, 7, n);
    memset(arrays[array_count - 1].first, 7, n);
    arrays[array_count - 1].holds = BYTES;
    return p;
}

int64_t *integers_output(int64_t n) { return (int64_t *)bytes_output(8 * n); }

uint8_t *flags(int64_t n) {
    uint8_t *p = new_array(n, 0);
    for (int64_t i = 0; i < n; i++) p[i] = uniform(0, 1) < 0.5;
    return p;
}

int64_t *integers(int64_t n, int64_t low, int64_t limit) {
    int64_t *p = new_array(n * 8, 0);
    for (int64_t i = 0; i < n; i++) p[i] = low + (int64_t)uniform(0, (double)(limit - low));
    return p;
}

int64_t *listed(int64_t n, const int64_t *values) {
    int64_t *p = new_array(n * 8, 0);
    if (n) memcpy(p, values, n * 8);
    return p;
}

void **list(int64_t n, void *const *values) {
    void **p = new_array(n * sizeof(void *), 0);
    if (n) memcpy(p, values, n * sizeof(void *));
    return p;
}

static void reset_outputs(void) {
    for (int i = 0; i < array_count; i++)
        if (arrays[i].is_output) memcpy(arrays[i].data, arrays[i].first, arrays[i].bytes);
}

static void free_arrays(void) {
    for (int i = 0; i < array_count; i++) free(arrays[i].data), free(arrays[i].first);
    array_count = 0;
}

static void fail(const test *t, int variant, const char *what) {
    printf("%s, %s, variant %d at level %s: %s\n", cg_kernel_names[t->kernel],
           precision == CG_FLOAT32 ? "float32" : "float64", variant, cg_level_name(cg_level()), what);
    exit(1);
}

static void run_shares(const test *t, const void *args, int64_t count) {
    void *scratch = aligned_alloc(64, CG_SCRATCH_BYTES);
    reset_outputs();
    for (int64_t i = 0; i < count; i++)
        cg_find(t->kernel, precision)(args, (cg_share){i, count, scratch});
    free(scratch);
}

/* A copy of the outputs. */
static char *outputs(int64_t *bytes) {
    *bytes = 0;
    for (int i = 0; i < array_count; i++) *bytes += arrays[i].is_output ? arrays[i].bytes : 0;
    char *copy = malloc(*bytes + 1), *to = copy;
    for (int i = 0; i < array_count; i++)
        if (arrays[i].is_output) memcpy(to, arrays[i].data, arrays[i].bytes), to += arrays[i].bytes;
    return copy;
}

/* Compare the twin's results, which are in the outputs, with the kernel's. */
static void compare(const test *t, int variant, const char *kernel) {
    const double eps = precision == CG_FLOAT32 ? 1.2e-7 : 2.3e-16 * 64;
    for (int i = 0; i < array_count; i++) {
        if (!arrays[i].is_output) continue;
        if (arrays[i].holds == BYTES) {
            if (memcmp(arrays[i].data, kernel, arrays[i].bytes)) fail(t, variant, "bytes differ from its twin's");
            kernel += arrays[i].bytes;
            continue;
        }
        const int saved = precision;
        if (arrays[i].holds == DOUBLES) precision = CG_FLOAT64;
        const int64_t n = arrays[i].bytes / width();
        double largest = 0;
        for (int64_t j = 0; j < n; j++) {
            double v = fabs(get(arrays[i].data, j));
            if (isfinite(v) && v > largest) largest = v;
        }
        for (int64_t j = 0; j < n; j++) {
            const double want = get(arrays[i].data, j), got = get(kernel, j);
            if (want == got || (want != want && got != got)) continue;
            if (!(fabs(want - got) <= t->tolerance * eps * (largest + 1e-30))) {
                char text[160];
                snprintf(text, sizeof text, "element %lld of output %d is %.9g, its twin says %.9g", (long long)j, i, got, want);
                precision = saved;
                fail(t, variant, text);
            }
        }
        precision = saved;
        kernel += arrays[i].bytes;
    }
}

static int run_variant(const test *t, int variant) {
    char args[512];
    memset(args, 0, sizeof args);
    state = 88172645463325252u + (uint64_t)variant;
    if (!t->build(args, variant)) {
        free_arrays();
        return 0;
    }
    if (!(cg_cost(t->kernel, precision, args) >= 0)) fail(t, variant, "the cost is negative or NaN");
    int64_t bytes;
    run_shares(t, args, 1);
    char *first = outputs(&bytes);
    const int64_t counts[] = {2, 3, 7};
    for (int c = 0; c < COUNT(counts); c++) {
        run_shares(t, args, counts[c]);
        char *other = outputs(&bytes);
        if (memcmp(first, other, bytes)) fail(t, variant, "the bits depend on the number of shares");
        free(other);
    }
    reset_outputs();
    t->twin(args);
    compare(t, variant, first);
    free(first);
    free_arrays();
    return 1;
}

static int tested[CG_KERNEL_COUNT];

static int run_list(const test_list *list) {
    int calls = 0;
    for (int i = 0; i < list->count; i++) {
        tested[list->tests[i].kernel] = 1;
        for (int variant = 0; run_variant(&list->tests[i], variant); variant++) calls++;
    }
    return calls;
}

/* The thread pool: a launch on several threads has the results of one share. */
static void test_runner(void) {
    const int64_t n = 100003;
    precision = CG_FLOAT32;
    cg_relu_args args = {output(n), numbers(n, -1, 1), n};
    for (int threads = 1; threads <= 5; threads++) {
        cg_set_num_threads(threads);
        reset_outputs();
        if (cg_run(cg_find(CG_relu, precision), &args, 1e9)) exit(1);
        for (int64_t i = 0; i < n; i++)
            if (get(args.y, i) != fmax(get(args.x, i), 0)) {
                printf("%d threads: element %lld is wrong\n", threads, (long long)i);
                exit(1);
            }
    }
    free_arrays();
}

/* z = 2·relu(x), or the tests fail. */
static void expect_doubled_relu(const void *z, const void *x, int64_t n, int threads, const char *what) {
    for (int64_t i = 0; i < n; i++)
        if (get(z, i) != 2 * fmax(get(x, i), 0)) {
            printf("%d threads: element %lld of the %s's result is wrong\n", threads, (long long)i, what);
            exit(1);
        }
}

/* A program: y = relu(x) and z = y + y in steps that wait for each other, and a fault that ends it. */
static void test_program(void) {
    const int64_t n = 100003;
    precision = CG_FLOAT32;
    void *x = numbers(n, -1, 1), *y = output(n), *z = output(n);
    int64_t *target = integers(1, 9, 10), *checked = integers_output(1), *fault = integers_output(1);
    cg_relu_args first = {y, x, n};
    cg_add_args second = {z, y, y, 1, n, 0, 1, 0, 1};
    cg_classes_args third = {checked, fault, NULL, target, NULL, 1, 5, 0, 0};
    cg_count_args last = {integers_output(1)};
    const cg_step steps[] = {{cg_find(CG_relu, precision), &first, 1e9, 0, NULL},
                             {cg_find(CG_add, precision), &second, 1e9, 1, NULL},
                             {cg_find(CG_classes, precision), &third, 1, 0, fault},
                             {cg_find(CG_count, precision), &last, 1, 0, NULL}};
    for (int threads = 1; threads <= 5; threads++) {
        cg_set_num_threads(threads);
        reset_outputs();
        const int64_t count = *(int64_t *)last.y;
        if (cg_run_steps(steps, 4) != 2 || *fault != 0 || *(int64_t *)last.y != count) {
            printf("%d threads: the program did not end at its fault\n", threads);
            exit(1);
        }
        expect_doubled_relu(z, x, n, threads, "program");
        *target = 4;
        if (cg_run_steps(steps, 4) != 4 || *(int64_t *)last.y != count + 1) {
            printf("%d threads: the program did not run to its end\n", threads);
            exit(1);
        }
        *target = 9;
    }
    free_arrays();
}

/* A chain: y = relu(x) and z = y + y, block by block, has the bits of the steps one after the other. */
static void test_chain(void) {
    const int64_t n = 50001;
    precision = CG_FLOAT32;
    void *x = numbers(n, -1, 1), *y = output(n), *z = output(n);
    cg_relu_args first = {y, x, n};
    cg_add_args second = {z, y, y, 1, n, 0, 1, 0, 1};
    const cg_step steps[] = {{cg_find(CG_relu, precision), &first, 1e9, 0, NULL},
                             {cg_find(CG_add, precision), &second, 1e9, 0, NULL}};
    const cg_chain chain = {steps, 2, (n + CG_BLOCK - 1) / CG_BLOCK};
    const cg_step whole = {cg_run_chain, &chain, 2e9, 0, NULL};
    for (int threads = 1; threads <= 5; threads++) {
        cg_set_num_threads(threads);
        reset_outputs();
        if (cg_run_steps(&whole, 1) != 1) {
            printf("%d threads: the chain did not run\n", threads);
            exit(1);
        }
        expect_doubled_relu(z, x, n, threads, "chain");
    }
    free_arrays();
}

/* A loop: batches of two rows are gathered and stored one after the other, until a class index is out of range. */
static void test_loop(void) {
    enum { ROWS = 5, COLS = 3001, RUNS = 4 };
    precision = CG_FLOAT32;
    void *x = numbers(ROWS * COLS, -1, 1), *batch = output(2 * COLS), *kept = output(RUNS * 2 * COLS);
    int64_t *index = integers(RUNS * 2, 0, ROWS), *target = integers(RUNS, 0, 3);
    int64_t *checked = integers_output(1), *fault = integers_output(1);
    cg_gather_rows_args gather;
    cg_classes_args classes;
    cg_copy_args copy;
    const cg_step steps[] = {{cg_find(CG_gather_rows, precision), &gather, 1e9, 0, NULL},
                             {cg_find(CG_classes, precision), &classes, 1, 0, fault},
                             {cg_find(CG_copy, precision), &copy, 1e9, 1, NULL}};
    const int64_t bytes = 2 * COLS * sizeof(float);
    const cg_advance words[] = {{&gather.index, 2 * sizeof *index}, {&classes.target, sizeof *target}, {&copy.y, bytes}};
    for (int64_t wrong = 0; wrong <= RUNS; wrong++)
        for (int threads = 1; threads <= 5; threads++) {
            cg_set_num_threads(threads);
            cg_use_one_thread(threads == 4);
            reset_outputs();
            if (wrong < RUNS) target[wrong] = 3;
            gather = (cg_gather_rows_args){batch, x, index, 2, COLS * sizeof(float)};
            classes = (cg_classes_args){checked, fault, NULL, target, NULL, 1, 3, 0, 0};
            copy = (cg_copy_args){kept, batch, bytes};
            int64_t ended = -1;
            if (cg_run_loop(steps, 3, RUNS, words, 3, &ended) != wrong || (ended != (wrong < RUNS ? 1 : 3))) {
                printf("%d threads: the loop did not end at run %lld\n", threads, (long long)wrong);
                exit(1);
            }
            for (int64_t i = 0; i < wrong * 2 * COLS; i++)
                if (get(kept, i) != get(x, index[i / COLS] * COLS + i % COLS)) {
                    printf("%d threads: element %lld of the loop's result is wrong\n", threads, (long long)i);
                    exit(1);
                }
            if (wrong < RUNS) target[wrong] = 0;
        }
    cg_use_one_thread(0);
    free_arrays();
}

/* All levels that the CPU supports, or the one that is named: levels can then be tested side by side. */
int main(int count, char **arguments) {
    const char *only = count > 1 ? arguments[1] : 0;
    const test_list *lists[] = {&elementwise_tests, &matrix_tests, &conv_tests, &row_tests, &norm_tests, &many_tests,
                                &image_tests, &recurrent_tests, &token_tests, &pool_tests, &head_tests};
    int calls = 0, levels = 0;
    for (int level = 0; level < cg_level_count(); level++) {
        if (!cg_level_supported(level) || (only && strcmp(only, cg_level_name(level)))) continue;
        levels++;
        cg_use_level(level);
        for (precision = 0; precision < CG_DTYPE_COUNT; precision++)
            for (int i = 0; i < COUNT(lists); i++) calls += run_list(lists[i]);
    }
    if (!levels) return printf("%s: this CPU has no such level\n", only), 0;
    for (int kernel = 0; kernel < CG_KERNEL_COUNT; kernel++)
        if (!tested[kernel]) {
            printf("%s has no test in csrc/tests\n", cg_kernel_names[kernel]);
            return 1;
        }
    test_services();
    test_runner();
    test_program();
    test_chain();
    test_loop();
    printf("%s: %d kernels, %d calls, %d threads\n", only ? only : "all levels", CG_KERNEL_COUNT, calls, cg_num_threads());
    return 0;
}
