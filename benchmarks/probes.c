/* What the machine can do at most: prints {"gflops": …, "gbytes": …} for so many threads.
 *
 *   cc -O3 -march=native -ffp-contract=fast -pthread probes.c -o probes && ./probes 2
 *
 * gflops: fused multiply-adds of float32 in registers. gbytes: a[i] = a[i] * c + b[i] over arrays that no cache holds,
 * two read and one written, 12 bytes a number. It writes where it has read, as an optimizer does, so that no line is
 * fetched only to be overwritten. Both are the best of several tries: a limit is what was ever reached.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#if defined(__AVX512F__)
enum { WIDTH = 64, CHAINS = 24 };  /* of 32 registers */
#elif defined(__AVX__)
enum { WIDTH = 32, CHAINS = 12 };  /* of 16 */
#elif defined(__aarch64__)
enum { WIDTH = 16, CHAINS = 24 };  /* of 32 */
#else
enum { WIDTH = 16, CHAINS = 12 };
#endif
enum { LANES = WIDTH / 4, TRIES = 7 };
typedef float vector __attribute__((vector_size(WIDTH)));

static atomic_int arrived;  /* at the beginnings of tries, by all threads */
static int threads;

typedef struct {
    float *a, *b;      /* this thread's share of the arrays */
    int64_t n, steps;  /* its numbers, and the length of the chains */
    double begin[TRIES], end[TRIES];
    float result;
} share;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* Begins a try in all threads at once. */
static void wait_for_others(int try) {
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < (try + 1) * threads) {}
}

/* Independent chains x = x * c + d, enough of them to hide the latency of each. */
static float multiply_add(int64_t steps) {
    vector x[CHAINS], c, d, sum = {0};
    for (int i = 0; i < LANES; i++) c[i] = 0.999f, d[i] = 0.001f;
    for (int j = 0; j < CHAINS; j++) x[j] = c * (float)j;
    __asm__ volatile("" : "+m"(c), "+m"(d));
    for (int64_t s = 0; s < steps; s++)
#pragma GCC unroll 32
        for (int j = 0; j < CHAINS; j++) x[j] = x[j] * c + d;
    for (int j = 0; j < CHAINS; j++) sum += x[j];
    return sum[0];
}

static void stream(float *restrict a, const float *restrict b, int64_t n, float c) {
    for (int64_t i = 0; i < n; i++) a[i] = a[i] * c + b[i];
}

static void *work_products(void *argument) {
    share *s = argument;
    for (int t = 0; t < TRIES; t++) {
        wait_for_others(t);
        s->begin[t] = now();
        s->result += multiply_add(s->steps);
        s->end[t] = now();
    }
    return NULL;
}

static void *work_stream(void *argument) {
    share *s = argument;
    for (int64_t i = 0; i < s->n; i++) s->a[i] = 1.0f, s->b[i] = 0.5f;  /* the pages are there, near this thread */
    for (int t = 0; t < TRIES; t++) {
        wait_for_others(t);
        s->begin[t] = now();
        stream(s->a, s->b, s->n, 0.5f);
        s->end[t] = now();
        s->result += s->a[0];
    }
    return NULL;
}

/* Seconds of the best try, from the first thread's beginning to the last one's end. */
static double run(void *(*work)(void *), share *shares) {
    pthread_t ids[threads];
    atomic_store(&arrived, 0);
    for (int i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, work, &shares[i])) exit(1);
    for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
    double best = 1e30;
    for (int t = 0; t < TRIES; t++) {
        double begin = shares[0].begin[t], end = shares[0].end[t];
        for (int i = 1; i < threads; i++) {
            begin = shares[i].begin[t] < begin ? shares[i].begin[t] : begin;
            end = shares[i].end[t] > end ? shares[i].end[t] : end;
        }
        best = end - begin < best ? end - begin : best;
    }
    return best;
}

static int64_t numbers_beyond_caches(void) {
    int64_t cache = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
    cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
    return (cache > (16 << 20) ? 4 * cache : 64 << 20) / 4;
}

int main(int argc, char **argv) {
    threads = argc > 1 ? atoi(argv[1]) : 1;
    if (threads < 1) return 2;
    int64_t n = numbers_beyond_caches() / threads / LANES * LANES, steps = 1 << 20;
    share *shares = calloc(threads, sizeof(share));
    float *a = aligned_alloc(64, 4 * n * threads), *b = aligned_alloc(64, 4 * n * threads);
    if (!shares || !a || !b) return 1;
    for (int i = 0; i < threads; i++)
        shares[i] = (share){.a = a + i * n, .b = b + i * n, .n = n, .steps = steps};
    double products = run(work_products, shares);
    double streaming = run(work_stream, shares);
    volatile float sink = 0;
    for (int i = 0; i < threads; i++) sink += shares[i].result;
    printf("{\"gflops\": %.4g, \"gbytes\": %.4g}\n", 2e-9 * LANES * CHAINS * steps * threads / products,
           12e-9 * n * threads / streaming);
    return 0;
}
