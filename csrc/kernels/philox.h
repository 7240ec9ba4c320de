/* Random words as a function of (seed, offset, position): Philox 4×32-10. J. K. Salmon et al. (2011),
 * "Parallel random numbers: as easy as 1, 2, 3". They do not depend on which thread draws them, or when. */
#ifndef CYGRAD_PHILOX_H
#define CYGRAD_PHILOX_H

/* A group is the four words of eight counters: words 0 and 1 of each counter, then words 2 and 3 of each. */
enum { PHILOX_WIDTH = 8, PHILOX_GROUP = 4 * PHILOX_WIDTH };

typedef uint64_t cg_words __attribute__((vector_size(CG_VECTOR_BYTES), aligned(4), may_alias));

/* The 64-bit products of the low halves of x and m: an instruction for which C has no operator. */
#if defined(__AVX512F__) || defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

static inline __attribute__((always_inline)) cg_words cg_multiply_low(cg_words x, uint32_t m) {
#if defined(__AVX512F__)
    return (cg_words)_mm512_mul_epu32((__m512i)x, _mm512_set1_epi64(m));
#elif defined(__AVX2__)
    return (cg_words)_mm256_mul_epu32((__m256i)x, _mm256_set1_epi64x(m));
#elif defined(__SSE2__)
    return (cg_words)_mm_mul_epu32((__m128i)x, _mm_set1_epi64x(m));
#elif defined(__aarch64__)
    return (cg_words)vmull_n_u32(vmovn_u64((uint64x2_t)x), m);
#else
    return (x & 0xffffffffu) * (uint64_t)m;
#endif
}

/* words[0..PHILOX_GROUP) of the group whose first counter is `counter`. Each word is the low half of a lane; the high
 * half never affects a product. */
static CG_ELEMENTARY void cg_philox(uint32_t *words, uint64_t seed, uint64_t counter) {
    enum { WIDTH = CG_VECTOR_BYTES / 8, VECTORS = PHILOX_WIDTH / WIDTH };
    static const uint64_t steps[PHILOX_WIDTH] = {0, 1, 2, 3, 4, 5, 6, 7};
    cg_words x[VECTORS][4];
    for (int v = 0; v < VECTORS; v++) {
        x[v][0] = *(const cg_words *)(steps + v * WIDTH) + counter;
        x[v][1] = x[v][0] >> 32;
        x[v][2] = x[v][3] = (cg_words){0};
    }
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            const cg_words p = cg_multiply_low(x[v][0], 0xd2511f53u), q = cg_multiply_low(x[v][2], 0xcd9e8d57u);
            x[v][0] = (q >> 32) ^ x[v][1] ^ k0;
            x[v][1] = q;
            x[v][2] = (p >> 32) ^ x[v][3] ^ k1;
            x[v][3] = p;
        }
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    for (int v = 0; v < VECTORS; v++)
        for (int pair = 0; pair < 2; pair++)
            *(cg_words *)(words + 2 * PHILOX_WIDTH * pair + 2 * WIDTH * v) =
                (x[v][2 * pair] & 0xffffffffu) | x[v][2 * pair + 1] << 32;
}

#endif
