/* Angles far from 0, one at a time. M. Payne, R. Hanek (1983), "Radian reduction for trigonometric functions". */
#ifndef CYGRAD_ANGLE_H
#define CYGRAD_ANGLE_H

/* The bits of 1/π, behind 64 zeros. */
static const uint64_t cg_inverse_pi[] = {
    0, 0x517cc1b727220a94, 0xfe13abe8fa9a6ee0, 0x6db14acc9e21c820, 0xff28b1d5ef5de2b0, 0xdb92371d2126e970,
    0x0324977504e8c90e, 0x7f0ef58e5894d39f, 0x74411afa975da242, 0x74ce38135a2fbf20, 0x9cc8eb1cc1a99cfa, 0x4e422fc5defc941d,
    0x8ffc4bffef02cc07, 0xf79788c5ad05368f, 0xb69b3f6793e584db, 0xa7a31fb34f2ff516, 0xba93dd63f5f2f8bd, 0x9e839cfbc5294975,
    0x35fdafd88fc6ae84, 0x2b0198237e3db5d5,
};

/* x = n·π/2 + r with |r| ≤ π/4, for 1 ≤ |x| < ∞; returns n modulo 4. With x = m·2ᵉ, m an integer of 53 bits, a window of
 * 192 bits of 1/π gives x/π modulo 2: bits before it contribute multiples of 2, those behind it less than 2⁻¹³⁷. */
static inline uint64_t cg_quarter_turns(double x, double *r) {
    uint64_t b, window[3];
    memcpy(&b, &x, sizeof b);
    const uint64_t m = (b & 0xfffffffffffff) | (uint64_t)1 << 52;
    const int first = (int)(b >> 52 & 2047) - 1012; /* e + 63 */
    const int word = first / 64, bit = first % 64;
    for (int i = 0; i < 3; i++)
        window[i] = cg_inverse_pi[word + i] << bit | cg_inverse_pi[word + i + 1] >> 1 >> (63 - bit);
    const unsigned __int128 low = (unsigned __int128)m * window[2] >> 64, middle = (unsigned __int128)m * window[1] + low;
    unsigned __int128 turns = middle + ((unsigned __int128)(m * window[0]) << 64); /* |x|/π·2¹²⁷ */
    turns = x < 0 ? -turns : turns;
    const unsigned __int128 rest = turns << 2; /* r/(π/2)·2¹²⁸ */
    *r = ((double)(int64_t)(rest >> 64) + (double)(uint64_t)rest * 0x1p-64) * (0x1p-64 * 1.57079632679489661923);
    return (uint64_t)((turns + ((unsigned __int128)1 << 125)) >> 126);
}

#endif
