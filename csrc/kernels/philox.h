/* Random numbers that are a function of (seed, offset, position): Philox 4×32-10. J. K. Salmon et al. (2011),
 * "Parallel random numbers: as easy as 1, 2, 3". Which thread draws them, and when, makes no difference. */
#ifndef CYGRAD_PHILOX_H
#define CYGRAD_PHILOX_H

/* Counters drawn together, four words each: PHILOX_GROUP words. Word w of counter c is number w·PHILOX_WIDTH + c of
 * its group, so that no level has to shuffle. */
enum { PHILOX_WIDTH = 16, PHILOX_GROUP = 4 * PHILOX_WIDTH };

/* words[0..PHILOX_GROUP) of the group whose first counter is `counter` */
static inline __attribute__((always_inline)) void cg_philox(uint32_t *words, uint64_t seed, uint64_t counter) {
    uint32_t x0[PHILOX_WIDTH], x1[PHILOX_WIDTH], x2[PHILOX_WIDTH], x3[PHILOX_WIDTH];
    for (int i = 0; i < PHILOX_WIDTH; i++) {
        x0[i] = (uint32_t)(counter + i);
        x1[i] = (uint32_t)((counter + i) >> 32);
        x2[i] = x3[i] = 0;
    }
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < PHILOX_WIDTH; i++) {
            const uint64_t p = (uint64_t)x0[i] * 0xd2511f53u, q = (uint64_t)x2[i] * 0xcd9e8d57u;
            x0[i] = (uint32_t)(q >> 32) ^ x1[i] ^ k0;
            x1[i] = (uint32_t)q;
            x2[i] = (uint32_t)(p >> 32) ^ x3[i] ^ k1;
            x3[i] = (uint32_t)p;
        }
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    for (int i = 0; i < PHILOX_WIDTH; i++) {
        words[i] = x0[i];
        words[PHILOX_WIDTH + i] = x1[i];
        words[2 * PHILOX_WIDTH + i] = x2[i];
        words[3 * PHILOX_WIDTH + i] = x3[i];
    }
}

#endif
