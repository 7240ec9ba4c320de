/* exp, log, tanh, erfc and their kin, one number at a time and without a branch or a table, so that the compiler
 * makes vectors of the loops that call them. Relative error: a few units in the last place, and less than 1e-6
 * (float32) or 1e-14 (float64) for erfc. NaN stays NaN; overflow gives infinity, underflow subnormals, then zero. */

#define INLINE static inline __attribute__((always_inline))
#define R(x) ((real)(x))

#if CG_REAL_BITS == 32
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define ROUND_MAGIC 12582912.0f /* 1.5·2^23: adding it leaves the nearest integer in the low bits */
#define LN2_HIGH 0.693145751953125f
#define LN2_LOW 1.428606820309417e-6f
#define EXP_MIN (-105.0f)
#define EXP_MAX 89.0f
#define SQRT_HALF_BITS 0x3f3504f3
#define SMALLEST_NORMAL FLT_MIN
#else
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define ROUND_MAGIC 6755399441055744.0 /* 1.5·2^52 */
#define LN2_HIGH 0.693147180369123816490
#define LN2_LOW 1.90821492927058770002e-10
#define EXP_MIN (-746.0)
#define EXP_MAX 710.0
#define SQRT_HALF_BITS 0x3fe6a09e667f3bcd
#define SMALLEST_NORMAL DBL_MIN
#endif

INLINE real NAME(sqrt)(real x) {
#if CG_REAL_BITS == 32
    return sqrtf(x);
#else
    return sqrt(x);
#endif
}

INLINE bits NAME(bits_of)(real x) {
    bits b;
    memcpy(&b, &x, sizeof b);
    return b;
}

INLINE real NAME(from_bits)(bits b) {
    real x;
    memcpy(&x, &b, sizeof x);
    return x;
}

/* yes or no, both already computed: a blend, where ?: with a computation in it could become a branch. */
INLINE real NAME(select)(int condition, real yes, real no) { return condition ? yes : no; }

/* 2^n for an n that gives a normal number. What depends on the bits of NaN is unsigned, which may wrap around. */
INLINE real NAME(power_of_two)(bits n) { return NAME(from_bits)((bits)(((ubits)n + EXPONENT_BIAS) << MANTISSA_BITS)); }

/* x = n·ln 2 + r with |r| ≤ ln 2/2; returns r, and eʳ − 1 by its Taylor series in `tail`. */
INLINE bits NAME(exp_split)(real x, real *tail) {
    real shifted = x * R(1.44269504088896340736) + ROUND_MAGIC;
    bits n = (bits)((ubits)NAME(bits_of)(shifted) - (ubits)NAME(bits_of)(ROUND_MAGIC));
    real whole = shifted - ROUND_MAGIC;
    real r = x - whole * LN2_HIGH - whole * LN2_LOW;
    real s;
#if CG_REAL_BITS == 32
    s = R(1.0 / 5040);
#else
    s = 1.0 / 6227020800.0;
    s = s * r + 1.0 / 479001600;
    s = s * r + 1.0 / 39916800;
    s = s * r + 1.0 / 3628800;
    s = s * r + 1.0 / 362880;
    s = s * r + 1.0 / 40320;
    s = s * r + 1.0 / 5040;
#endif
    s = s * r + R(1.0 / 720);
    s = s * r + R(1.0 / 120);
    s = s * r + R(1.0 / 24);
    s = s * r + R(1.0 / 6);
    s = s * r + R(0.5);
    *tail = s * r * r + r;
    return n;
}

/* eˣ */
INLINE real NAME(exp)(real x) {
    real tail, y = x < EXP_MIN ? EXP_MIN : x;
    y = y > EXP_MAX ? EXP_MAX : y;
    bits n = NAME(exp_split)(y, &tail), half = n >> 1;
    return (tail + 1) * NAME(power_of_two)(half) * NAME(power_of_two)(n - half);
}

/* eˣ − 1 */
INLINE real NAME(expm1)(real x) {
    real tail, y = x < -60 ? -60 : x;
    y = y > EXP_MAX ? EXP_MAX : y;
    bits n = NAME(exp_split)(y, &tail), half = n >> 1;
    real low = NAME(power_of_two)(half), high = NAME(power_of_two)(n - half);
    /* 2ⁿ·tail + (2ⁿ − 1); where 2ⁿ itself would overflow, the −1 no longer counts */
    real scale = low * high;
    return n > EXPONENT_BIAS ? (tail + 1) * low * high : tail * scale + (scale - 1);
}

/* log x = e·ln 2 + 2·artanh(s), s = (m − 1)/(m + 1), x = m·2ᵉ with √½ ≤ m < √2 */
INLINE real NAME(log)(real x) {
    int small = x < SMALLEST_NORMAL;
    real scaled = small ? x * (real)((bits)1 << (MANTISSA_BITS + 1)) : x;
    bits b = (bits)((ubits)NAME(bits_of)(scaled) - SQRT_HALF_BITS);
    bits e = b >> MANTISSA_BITS;
    real m = NAME(from_bits)((b & (((bits)1 << MANTISSA_BITS) - 1)) + SQRT_HALF_BITS);
    /* e as a number, by way of the bits of 1.5·2^MANTISSA_BITS: no level needs a conversion instruction */
    real exponent = NAME(from_bits)(NAME(bits_of)(ROUND_MAGIC) + e) - ROUND_MAGIC;
    exponent -= small ? MANTISSA_BITS + 1 : 0;
    real f = m - 1, s = f / (2 + f), z = s * s, p;
#if CG_REAL_BITS == 32
    p = R(2.0 / 9);
#else
    p = 2.0 / 21;
    p = p * z + 2.0 / 19;
    p = p * z + 2.0 / 17;
    p = p * z + 2.0 / 15;
    p = p * z + 2.0 / 13;
    p = p * z + 2.0 / 11;
    p = p * z + 2.0 / 9;
#endif
    p = p * z + R(2.0 / 7);
    p = p * z + R(2.0 / 5);
    p = p * z + R(2.0 / 3);
    /* 2s = f − s·f */
    real y = exponent * LN2_HIGH + (f - s * (f - z * p) + exponent * LN2_LOW);
    y = x == 0 ? -INFINITY : y;
    y = x < 0 ? NAN : y;
    return !(x <= REAL_MAX) ? x : y; /* +∞ and NaN */
}

/* log(1 + x): the rounding of 1 + x is made good to first order. */
INLINE real NAME(log1p)(real x) {
    real u = 1 + x, lost = x - (u - 1), l = NAME(log)(u);
    return NAME(select)((u == 0) | (u > REAL_MAX), l, l + lost / u);
}

/* log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|) */
INLINE real NAME(softplus)(real x) {
    real e = NAME(exp)(x < 0 ? x : -x), u = 1 + e;
    return (x < 0 ? 0 : x) + (NAME(log)(u) + (e - (u - 1)) / u);
}

INLINE real NAME(sigmoid)(real x) {
    real e = NAME(exp)(x < 0 ? x : -x), d = 1 + e;
    return x < 0 ? e / d : 1 / d;
}

/* (e²ˣ − 1)/(e²ˣ + 1) of |x|; beyond 22 it is 1 in either precision. */
INLINE real NAME(tanh)(real x) {
    real z = x < 0 ? -x : x;
    z = z > 22 ? 22 : z;
    real e = NAME(expm1)(2 * z), y = e / (e + 2);
    return x < 0 ? -y : x == 0 ? x : y;
}

/* erfc z for z ≥ 0: (1 + 2z)·e^(z²)·erfc z is a Chebyshev series in t = (z − a)/(z + a), and e^(−z²) is taken of z
 * in two parts. M. M. Shepherd, J. G. Laframboise (1981), "Chebyshev approximation of (1 + 2x)exp(x²)erfc x in
 * 0 ≤ x < ∞", Math. Comp. 36; these coefficients were fitted anew. */
INLINE real NAME(erfc_positive)(real z) {
#if CG_REAL_BITS == 32
    static const float c[] = {
        -2.01089312e-05f, 6.31001855e-05f, 0.000221105452f, -0.000357177892f, -0.00146351167f, 0.0012166655f,
        0.00872429454f, -0.00801863569f, -0.0542201861f, 0.164049395f, -0.166030391f, -0.0927637598f,
        1.27697838f,
    };
    const real a = 2;
    real head = NAME(from_bits)(NAME(bits_of)(z) & ~(bits)0xfff);
#else
    static const double c[] = {
        -2.7293921314235865737e-9, -1.9527882767302856328e-9, 3.2564981104796904739e-8,
        1.8778491985272789349e-8, -2.4996536023940191091e-7, -5.0816892839617925149e-8,
        1.7438577180063218684e-6, -9.7929755089392159821e-7, -0.000011439615243921874793,
        0.000022387592740569031664, 0.000051647371231658466596, -0.00029015536564612355689,
        0.00029371408777419191318, 0.0017556261692294766064, -0.0097465796208153991012,
        0.028362277371369754608, -0.058693398584491820659, 0.092304321164356185346, -0.10880393014193914807,
        0.082276738489991588963, 0.0035854154854663069211, -0.14024059858554520882, 1.2375126308378275819,
    };
    const real a = 3.75;
    real head = NAME(from_bits)(NAME(bits_of)(z) & ~(bits)0x7ffffff);
#endif
    real t = (z - a) / (z + a), p = c[0];
#pragma GCC unroll 32
    for (unsigned i = 1; i < sizeof c / sizeof *c; i++) p = p * t + c[i];
    real e = NAME(exp)(-head * head) * NAME(exp)(-(z - head) * (z + head));
    real y = e * p / (1 + 2 * z);
    return z > 30 ? 0 : y;
}

INLINE real NAME(erfc)(real x) {
    real y = NAME(erfc_positive)(x < 0 ? -x : x);
    return x < 0 ? 2 - y : y;
}

/* 2/√π·Σ (−1)ᵏ x²ᵏ⁺¹/(k!·(2k + 1)) for |x| < ½, else 1 − erfc x */
INLINE real NAME(erf)(real x) {
    const real z = x * x;
    real s = 0;
    static const double c[] = {1.0, -1.0 / 3, 1.0 / 10, -1.0 / 42, 1.0 / 216, -1.0 / 1320, 1.0 / 9360, -1.0 / 75600,
                               1.0 / 685440, -1.0 / 6894720, 1.0 / 76204800, -1.0 / 918086400, 1.0 / 11975040000.0};
#pragma GCC unroll 16
    for (int k = CG_REAL_BITS == 32 ? 6 : 12; k >= 0; k--) s = s * z + R(c[k]);
    real inner = R(1.12837916709551257390) * x * s, outer = 1 - NAME(erfc_positive)(x < 0 ? -x : x);
    outer = x < 0 ? -outer : outer;
    return z < R(0.25) ? inner : outer;
}

#undef MANTISSA_BITS
#undef EXPONENT_BIAS
#undef ROUND_MAGIC
#undef LN2_HIGH
#undef LN2_LOW
#undef EXP_MIN
#undef EXP_MAX
#undef SQRT_HALF_BITS
#undef SMALLEST_NORMAL
