/* exp, log, tanh, erfc, sine and related functions of one number, without branches or tables, so that the compiler vectorizes
 * the loops that call them. Relative error: a few units in the last place, and less than 1e-6
 * (float32) or 1e-14 (float64) for erfc. NaN stays NaN; overflow gives infinity, underflow subnormals, then zero. */

#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif
#define R(x) ((real)(x))

#if CG_REAL_BITS == 32
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define ROUND_MAGIC 12582912.0f /* 1.5·2^23: adding it leaves the nearest integer in the low bits */
#define LN2_HIGH 0.693145751953125f
#define LN2_LOW 1.428606820309417e-6f
#define EXP_MIN (-105.0f)
#define EXP_LOWEST (-87.0f)
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
#define EXP_LOWEST (-708.0)
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

INLINE real NAME(abs)(real x) {
#if CG_REAL_BITS == 32
    return __builtin_fabsf(x);
#else
    return __builtin_fabs(x);
#endif
}

/* |x| with the sign of y */
INLINE real NAME(copysign)(real x, real y) {
#if CG_REAL_BITS == 32
    return __builtin_copysignf(x, y);
#else
    return __builtin_copysign(x, y);
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

/* One of two computed values: a blend. With computations in it, ?: could become a branch. */
INLINE real NAME(select)(int condition, real yes, real no) { return condition ? yes : no; }

/* 2^n if that is a normal number. Arithmetic on the bits of NaN is unsigned, because it may wrap around. */
INLINE real NAME(power_of_two)(bits n) { return NAME(from_bits)((bits)(((ubits)n + EXPONENT_BIAS) << MANTISSA_BITS)); }

/* x = n·ln 2 + r with |r| ≤ ln 2/2, approximately; returns n */
INLINE bits NAME(exp_split)(real x, real *r) {
    real shifted = x * R(1.44269504088896340736) + ROUND_MAGIC, whole = shifted - ROUND_MAGIC;
    *r = x - whole * LN2_HIGH - whole * LN2_LOW;
    return (bits)((ubits)NAME(bits_of)(shifted) - (ubits)NAME(bits_of)(ROUND_MAGIC));
}

/* eʳ − 1 = r + r²·s(r) for such an r, s a Chebyshev fit of relative error 8e-9 (float32) or 2e-17 (float64) in eʳ */
INLINE real NAME(exp_tail)(real r) {
    real s;
#if CG_REAL_BITS == 32
    s = 0.001393373322f;
    s = s * r + 0.008363235385f;
    s = s * r + 0.04166646417f;
    s = s * r + 0.1666657664f;
    s = s * r + 0.5f;
#else
    s = 2.5105313423078522597e-8;
    s = s * r + 2.7620202631315898907e-7;
    s = s * r + 2.7557255168123061037e-6;
    s = s * r + 0.000024801521055364205099;
    s = s * r + 0.00019841269875003973789;
    s = s * r + 0.0013888888917368964054;
    s = s * r + 0.0083333333333260825535;
    s = s * r + 0.041666666666623815998;
    s = s * r + 0.1666666666666667103;
    s = s * r + 0.50000000000000010315;
#endif
    return s * r * r + r;
}

/* eˣ */
static CG_ELEMENTARY real NAME(exp)(real x) {
    real r, y = x < EXP_MIN ? EXP_MIN : x;
    y = y > EXP_MAX ? EXP_MAX : y;
    bits n = NAME(exp_split)(y, &r), half = n >> 1;
    return (NAME(exp_tail)(r) + 1) * NAME(power_of_two)(half) * NAME(power_of_two)(n - half);
}

/* eˣ for x ≤ 0, with 0 for subnormal results, for which the computation is not valid. */
static CG_ELEMENTARY real NAME(exp_negative)(real x) {
    real r;
    bits n = NAME(exp_split)(x, &r);
    real e = (NAME(exp_tail)(r) + 1) * NAME(power_of_two)(n);
    return x < EXP_LOWEST ? 0 : e;
}

/* e^(x + low) for x ≤ 0 and |low| far smaller than |x|; likewise. */
static CG_ELEMENTARY real NAME(exp_negative_sum)(real x, real low) {
    real r;
    bits n = NAME(exp_split)(x, &r);
    real e = (NAME(exp_tail)(r + low) + 1) * NAME(power_of_two)(n);
    return x < EXP_LOWEST ? 0 : e;
}

/* 2ˣ for x ≤ 0, and 0 for NaN: fast, for products in which an error of the smallest normal number does not matter. Adding
 * to the exponent multiplies by 2ⁿ; the sum is 0 for x ≤ −EXPONENT_BIAS. */
static CG_ELEMENTARY real NAME(exp2_negative)(real x) {
    const real y = x > -EXPONENT_BIAS ? x : -EXPONENT_BIAS, shifted = y + ROUND_MAGIC, whole = shifted - ROUND_MAGIC;
    const real e = NAME(exp_tail)((y - whole) * R(0.69314718055994530942)) + 1;
    return NAME(from_bits)((bits)((ubits)NAME(bits_of)(e) + ((ubits)NAME(bits_of)(shifted) << MANTISSA_BITS)));
}

/* eˣ − 1 */
static CG_ELEMENTARY real NAME(expm1)(real x) {
    real r, y = x < -60 ? -60 : x;
    y = y > EXP_MAX ? EXP_MAX : y;
    bits n = NAME(exp_split)(y, &r), half = n >> 1;
    real tail = NAME(exp_tail)(r);
    real low = NAME(power_of_two)(half), high = NAME(power_of_two)(n - half);
    /* 2ⁿ·tail + (2ⁿ − 1); where 2ⁿ would overflow, the −1 is negligible */
    real scale = low * high;
    return n > EXPONENT_BIAS ? (tail + 1) * low * high : tail * scale + (scale - 1);
}

/* log x = e·ln 2 + 2·artanh(s), s = (m − 1)/(m + 1), x = m·2ᵉ with √½ ≤ m < √2 */
static CG_ELEMENTARY real NAME(log)(real x) {
    int small = x < SMALLEST_NORMAL;
    real scaled = small ? x * (real)((bits)1 << (MANTISSA_BITS + 1)) : x;
    bits b = (bits)((ubits)NAME(bits_of)(scaled) - SQRT_HALF_BITS);
    bits e = b >> MANTISSA_BITS;
    real m = NAME(from_bits)((b & (((bits)1 << MANTISSA_BITS) - 1)) + SQRT_HALF_BITS);
    /* e as a real, from the bits of 1.5·2^MANTISSA_BITS: no level needs a conversion instruction */
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

/* log(1 + x), with the rounding error of 1 + x corrected to first order. */
static CG_ELEMENTARY real NAME(log1p)(real x) {
    real u = 1 + x, lost = x - (u - 1), l = NAME(log)(u);
    return NAME(select)((u == 0) | (u > REAL_MAX), l, l + lost / u);
}

/* log(1 + e^−|x|) */
static CG_ELEMENTARY real NAME(softplus_tail)(real x) {
    real e = NAME(exp)(x < 0 ? x : -x), u = 1 + e;
    return NAME(log)(u) + (e - (u - 1)) / u;
}

/* log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|) */
static CG_ELEMENTARY real NAME(softplus)(real x) {
    return (x < 0 ? 0 : x) + NAME(softplus_tail)(x);
}

static CG_ELEMENTARY real NAME(sigmoid)(real x) {
    real e = NAME(exp)(x < 0 ? x : -x), d = 1 + e;
    return NAME(select)(x < 0, e, 1) / d;
}

/* ±(z + z³·P(z²)), a Chebyshev fit of relative error 2e-8 (float32) or 5e-17 (float64), for z = |x| < 0.625; else
 * ±(1 − 2e/(1 + e)), e = e^(−2z) */
static CG_ELEMENTARY real NAME(tanh)(real x) {
    const real z = NAME(abs)(x), square = x * x;
#if CG_REAL_BITS == 32
    real p = -0.006094652439f;
    p = p * square + 0.02099658635f;
    p = p * square - 0.0538510176f;
    p = p * square + 0.1333277261f;
    p = p * square - 0.3333332901f;
#else
    real p = -0.000017203912472500021496;
    p = p * square + 0.000079525625614385120439;
    p = p * square - 0.00023071986670656657523;
    p = p * square + 0.00058741376194254361675;
    p = p * square - 0.0014553034212083979334;
    p = p * square + 0.0035920580811912963294;
    p = p * square - 0.0088632297491434952467;
    p = p * square + 0.0218694882563719866;
    p = p * square - 0.053968253961290229627;
    p = p * square + 0.13333333333326559931;
    p = p * square - 0.33333333333333322427;
#endif
    /* the rounding error of 1 + e is subtracted from the quotient q: 1/(1 + e) = 1 − q */
    const real e = NAME(exp_negative)(-2 * z), d = 1 + e, q = e / d, lost = e - (d - 1);
    const real far = 1 - 2 * (q - q * (lost * (1 - q)));
    return NAME(copysign)(z < R(0.625) ? z * square * p + z : far, x);
}

/* e^(z²)·erfc z for z ≥ 0: P(z)/Q(z), the minimax fit of relative error 6e-9 (float32) or 5e-17 (float64) up to the z
 * at which e^(−z²) becomes 0. All coefficients are positive, so that nothing cancels; the first of Q is 1. */
static CG_ELEMENTARY real NAME(erfcx)(real z) {
#if CG_REAL_BITS == 32
    const float x = z > 10 ? 10 : z;
    static const float p[] = {0.5641965246f, 3.946541377f, 12.60402766f, 21.34620848f, 17.24822918f};
    static const float q[] = {6.995524942f, 22.83254367f, 41.40339536f, 40.80876066f, 17.24822908f};
#else
    const double x = z > 27.5 ? 27.5 : z;
    static const double p[] = {
        0.56418958354606394303, 10.726758500427579574, 99.85945589674758115, 588.84089042969515677,
        2405.4285433453064842, 7035.215399024835501, 14733.268464563556835, 21391.293720703751047,
        19731.649719906357336, 9003.7195835020549699,
    };
    static const double q[] = {
        19.012684411377793387, 177.49627718243094043, 1053.1996448722849345, 4351.5092541027533882,
        12981.934336433651108, 28158.554650247201184, 43651.696210665686182, 46116.248436996904733,
        29891.259324299833836, 9003.7195835020554293,
    };
#endif
    real above = p[0], below = x + q[0];
#pragma GCC unroll 16
    for (unsigned i = 1; i < sizeof p / sizeof *p; i++) above = above * x + p[i], below = below * x + q[i];
    return above / below;
}

/* erfc z for z ≥ 0. z² is split into two parts, the first of them exact. */
static CG_ELEMENTARY real NAME(erfc_positive)(real z) {
    const bits low_half = ((bits)1 << (MANTISSA_BITS + 2) / 2) - 1;
    real head = NAME(from_bits)(NAME(bits_of)(z) & ~low_half);
    real y = NAME(exp_negative_sum)(-head * head, -(z - head) * (z + head)) * NAME(erfcx)(z);
    return z > 30 ? 0 : y;
}

/* 2/√π·Σ (−1)ᵏ x²ᵏ⁺¹/(k!·(2k + 1)) for |x| < ½, else 1 − erfc x */
static CG_ELEMENTARY real NAME(erf)(real x) {
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

/* The sine of an angle of n quarter turns and r, |r| ≤ π/4, with n in the lowest bits: r + r³·S(r²) or 1 − r²/2 + r⁴·C(r²),
 * minimax fits of relative error 4e-9 (float32) or 4e-18 (float64), and its sign. */
INLINE real NAME(sine_of_rest)(bits n, real r) {
    const real z = r * r;
#if CG_REAL_BITS == 32
    real s = -0.0001951145833f, c = 0.00002442878635f;
    s = s * z + 0.008332132978f, c = c * z - 0.001388727855f;
    s = s * z - 0.1666665418f, c = c * z + 0.04166664492f;
#else
    real s = 1.5894318999688278556e-10, c = -1.1357208718298806855e-11;
    s = s * z - 2.5050715568472787218e-8, c = c * z + 2.0875675637915072066e-9;
    s = s * z + 2.755731342111375717e-6, c = c * z - 2.7557313997321311864e-7;
    s = s * z - 0.00019841269829028964987, c = c * z + 0.000024801587288234505507;
    s = s * z + 0.0083333333333214411171, c = c * z - 0.0013888888888872089931;
    s = s * z - 0.16666666666666628106, c = c * z + 0.041666666666666587477;
#endif
    s = NAME(copysign)(s * z * r + r, r); /* also where r is −0 */
    c = c * z * z + (1 - R(0.5) * z);
    const real y = NAME(select)(n & 1, c, s);
    return NAME(from_bits)((bits)((ubits)NAME(bits_of)(y) ^ ((ubits)n & 2) << (CG_REAL_BITS - 2)));
}

/* sin(x + quarters·π/2) for |x| ≤ SINE_LIMIT, NaN for NaN and infinities. With π/2 in parts, the first of them of 33 bits,
 * the products with the number of quarter turns in x are exact, and so is what is left of x near its zeros. */
#define SINE_LIMIT R(32768)
static CG_ELEMENTARY real NAME(sine)(real x, real quarters) {
    const real shifted = x * R(0.63661977236758134308) + ROUND_MAGIC;
    const double whole = shifted - ROUND_MAGIC;
    double r = x - whole * 1.5707963267341256;
#if CG_REAL_BITS == 32
    r -= whole * 6.077100506506192e-11;
#else
    r -= whole * 6.077100506303966e-11;
    r -= whole * 2.0222662487959506e-21;
#endif
    return NAME(sine_of_rest)(NAME(bits_of)(shifted + quarters), (real)r);
}

/* sin(x + quarters·π/2) for any other finite x. */
static inline real NAME(sine_far)(real x, real quarters) {
    double r;
    const uint64_t n = cg_quarter_turns(x, &r) + (uint64_t)NAME(bits_of)(ROUND_MAGIC + quarters);
    return NAME(sine_of_rest)((bits)n, (real)r);
}

#undef MANTISSA_BITS
#undef EXPONENT_BIAS
#undef ROUND_MAGIC
#undef LN2_HIGH
#undef LN2_LOW
#undef EXP_MIN
#undef EXP_LOWEST
#undef EXP_MAX
#undef SQRT_HALF_BITS
#undef SMALLEST_NORMAL
