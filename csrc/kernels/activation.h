/* Activations, elementwise; forward and backward together. */

/* A parameter of the function. */
#define PARAMETER(name) const real name = R(a->name);

/* y = expression of v = x */
#define ACTIVATION(name, parameters, expression)                      \
    KERNEL_BODY(name) {                                               \
        const real *restrict x = a->x;                                \
        real *restrict y = a->y;                                      \
        parameters                                                    \
        cg_range r = cg_part(a->n, CG_BLOCK, share);                  \
        _Pragma("omp simd") for (int64_t i = r.begin; i < r.end; i++) { \
            const real v = x[i];                                      \
            y[i] = expression;                                        \
        }                                                             \
    }

/* dx = expression of g = dy and v, which is the saved `input` or `output` */
#define ACTIVATION_BACKWARD(name, saved, parameters, expression)      \
    KERNEL_BODY(name##_backward) {                                    \
        const real *restrict dy = a->dy, *restrict values = a->saved; \
        real *restrict dx = a->dx;                                    \
        parameters                                                    \
        cg_range r = cg_part(a->n, CG_BLOCK, share);                  \
        _Pragma("omp simd") for (int64_t i = r.begin; i < r.end; i++) { \
            const real g = dy[i], v = values[i];                      \
            dx[i] = expression;                                       \
        }                                                             \
    }

/* max(x, 0); the gradient passes where y is NaN */
ACTIVATION(relu, , v < 0 ? 0 : v)
ACTIVATION_BACKWARD(relu, output, , v <= 0 ? 0 : g)

/* The same with a mask of one bit for each element, set unless x ≤ 0: for large arrays, whose y would have left the cache
 * by the time of backward. A group of elements has WORDS words, and bit k of word w belongs to element k·WORDS + w of the
 * group, so that whole vectors are tested at once. The mask has whole groups. */
#define WORDS (64 / (int64_t)sizeof(real))
#define GROUP CG_MASK_GROUP
_Static_assert(GROUP == WORDS * CG_REAL_BITS, "a group has a bit for each element");

INLINE void NAME(relu_group)(real *restrict y, ubits *restrict mask, const real *restrict x) {
    ubits word[WORDS] = {0};
#pragma GCC unroll 64
    for (int64_t k = 0; k < CG_REAL_BITS; k++)
#pragma omp simd
        for (int64_t w = 0; w < WORDS; w++) {
            const real v = x[k * WORDS + w];
            y[k * WORDS + w] = v < 0 ? 0 : v;
            word[w] |= v <= 0 ? 0 : (ubits)1 << k;
        }
    memcpy(mask, word, sizeof word);
}

KERNEL_BODY(relu_masked) {
    cg_range r = cg_part(a->n, CG_BLOCK, share);
    for (int64_t i = r.begin; i < r.end; i += GROUP) {
        const real *x = (const real *)a->x + i;
        real *y = (real *)a->y + i;
        ubits *mask = (ubits *)a->mask + i / GROUP * WORDS;
        const int64_t n = cg_min(GROUP, r.end - i);
        if (n == GROUP) {
            NAME(relu_group)(y, mask, x);
        } else {
            real in[GROUP] = {0}, out[GROUP];
            memcpy(in, x, n * sizeof(real));
            NAME(relu_group)(out, mask, in);
            memcpy(y, out, n * sizeof(real));
        }
    }
}

INLINE void NAME(relu_group_backward)(real *restrict dx, const real *restrict dy, const ubits *restrict mask) {
#pragma GCC unroll 64
    for (int64_t k = 0; k < CG_REAL_BITS; k++)
#pragma omp simd
        for (int64_t w = 0; w < WORDS; w++) dx[k * WORDS + w] = mask[w] & (ubits)1 << k ? dy[k * WORDS + w] : 0;
}

KERNEL_BODY(relu_masked_backward) {
    cg_range r = cg_part(a->n, CG_BLOCK, share);
    for (int64_t i = r.begin; i < r.end; i += GROUP) {
        const real *dy = (const real *)a->dy + i;
        real *dx = (real *)a->dx + i;
        const ubits *mask = (const ubits *)a->mask + i / GROUP * WORDS;
        const int64_t n = cg_min(GROUP, r.end - i);
        if (n == GROUP) {
            NAME(relu_group_backward)(dx, dy, mask);
        } else {
            for (int64_t k = 0; k < n; k++) dx[k] = mask[k % WORDS] >> k / WORDS & 1 ? dy[k] : 0;
        }
    }
}

#undef WORDS
#undef GROUP

/* x where x > 0, else slope·x */
ACTIVATION(leaky_relu, PARAMETER(slope), v > 0 ? v : slope * v)
ACTIVATION_BACKWARD(leaky_relu, input, PARAMETER(slope), v > 0 ? g : slope * g)

/* scale·(x where x ≥ 0, which keeps the sign of zero, else alpha·(eˣ − 1)) */
ACTIVATION(elu, PARAMETER(alpha) PARAMETER(scale), NAME(select)(v >= 0, scale * v, scale * alpha * NAME(expm1)(v)))
ACTIVATION_BACKWARD(elu, input, PARAMETER(alpha) PARAMETER(scale),
                    NAME(select)(v <= 0, scale * alpha * NAME(exp)(v) * g, scale * g))

/* y = f(x) and its slope f′(x), unless that is NULL, where the two share most of the work. dx = dy·slope. */
#define SLOPED(name)                                                  \
    KERNEL_BODY(name) {                                               \
        const real *restrict x = a->x;                                \
        real *restrict y = a->y, *restrict slope = a->slope;          \
        cg_range r = cg_part(a->n, CG_BLOCK, share);                  \
        if (slope)                                                    \
            _Pragma("omp simd") for (int64_t i = r.begin; i < r.end; i++) { \
                real d;                                               \
                y[i] = NAME(name##_of)(x[i], &d);                     \
                slope[i] = d;                                         \
            }                                                         \
        else                                                          \
            _Pragma("omp simd") for (int64_t i = r.begin; i < r.end; i++) { \
                real d;                                               \
                y[i] = NAME(name##_of)(x[i], &d);                     \
            }                                                         \
    }

/* x·Φ(x), slope Φ(x) + x·φ(x); Φ(−|x|) = ½·erfc(|x|/√2), φ(x) = e^(−x²/2)/√(2π) */
INLINE real NAME(gelu_of)(real v, real *slope) {
    const real half = NAME(exp2_negative)(R(-0.72134752044448170368) * (v * v) - 1); /* ½·e^(−x²/2) */
    const real tail = half * NAME(erfcx)((v < 0 ? -v : v) * R(0.70710678118654752440)), cdf = v < 0 ? tail : 1 - tail;
    *slope = cdf + v * half * R(0.79788456080286535588);
    return v * cdf;
}
SLOPED(gelu)

/* ½x·(1 + t), slope ½(1 + t) + ½x·(1 − t²)·u′, t = tanh u, u = √(2/π)·(x + 0.044715·x³). x² is at most 256, where t
 * is ±1 already, so that it does not overflow. D. Hendrycks, K. Gimpel (2016), "Gaussian error linear units" */
INLINE real NAME(gelu_tanh_of)(real v, real *slope) {
    const real square = v * v > 256 ? 256 : v * v, root = R(0.79788456080286535588);
    const real t = NAME(tanh)(root * v * (1 + R(0.044715) * square)), half = R(0.5) * (1 + t);
    *slope = half + R(0.5) * v * (1 - t * t) * root * (1 + R(0.134145) * square);
    return v * half;
}
SLOPED(gelu_tanh)

/* x·σ(x), slope σ(x)·(1 + x·(1 − σ(x))) */
INLINE real NAME(silu_of)(real v, real *slope) {
    const real s = NAME(sigmoid)(v);
    *slope = s * (1 + v * (1 - s));
    return v * s;
}
SLOPED(silu)

/* x·t, slope t + x·(1 − t²)·σ(x), t = tanh(log(1 + eˣ)). With e = e^−|x|, t = n/(n + d): n = 1 + 2e and d = 2e², for
 * x < 0 n = e² + 2e and d = 2; and 1 − t² = d·(2n + d)/(n + d)². D. Misra (2019), "Mish" */
INLINE real NAME(mish_of)(real v, real *slope) {
    const real e = NAME(exp)(v < 0 ? v : -v), two = R(2) * e, square = e * e;
    const real n = NAME(select)(v < 0, square, 1) + two, d = NAME(select)(v < 0, 2, square + square);
    const real whole = n + d, t = n / whole, numerator = NAME(select)(v < 0, e, 1) * d * (n + whole);
    *slope = t + v * numerator / ((1 + e) * whole * whole);
    return v * t;
}
SLOPED(mish)

/* σ(x) = 1/(1 + e⁻ˣ) */
ACTIVATION(sigmoid, , NAME(sigmoid)(v))
ACTIVATION_BACKWARD(sigmoid, output, , g * v * (1 - v))

/* tanh x */
ACTIVATION(tanh, , NAME(tanh)(v))
ACTIVATION_BACKWARD(tanh, output, , g * (1 - v * v))

/* log(1 + e^(beta·x))/beta, and x where beta·x > threshold */
ACTIVATION(softplus, PARAMETER(beta) PARAMETER(threshold),
           NAME(select)(beta * v > threshold, v, NAME(softplus)(beta * v) / beta))
ACTIVATION_BACKWARD(softplus, input, PARAMETER(beta) PARAMETER(threshold),
                    NAME(select)(beta * v > threshold, g, g * NAME(sigmoid)(beta * v)))

/* eˣ */
ACTIVATION(exp, , NAME(exp)(v))
ACTIVATION_BACKWARD(exp, output, , g * v)

/* log x */
ACTIVATION(log, , NAME(log)(v))
ACTIVATION_BACKWARD(log, input, , g / v)

/* erf x, with slope 2/√π·e^(−x²) */
ACTIVATION(erf, , NAME(erf)(v))
ACTIVATION_BACKWARD(erf, input, , g * R(1.12837916709551257390) * NAME(exp)(-v * v))

/* y = factor·sin(x + (quarters + turns)·π/2) of v = x[i]. Numbers far from 0, which are rare, are computed one by one. */
#define SINE(y, x, factor, turns)                                      \
    const real *restrict x = a->x;                                    \
    real *restrict y = a->y;                                          \
    const real quarters = R(a->quarters + turns);                     \
    cg_range r = cg_part(a->n, CG_BLOCK, share);                      \
    bits far = 0;                                                     \
    _Pragma("omp simd reduction(|:far)") for (int64_t i = r.begin; i < r.end; i++) { \
        y[i] = factor NAME(sine)(x[i], quarters);                     \
        far |= NAME(abs)(x[i]) > SINE_LIMIT;                          \
    }                                                                 \
    for (int64_t i = r.begin; far && i < r.end; i++)                  \
        if (NAME(abs)(x[i]) > SINE_LIMIT && NAME(abs)(x[i]) <= REAL_MAX) y[i] = factor NAME(sine_far)(x[i], quarters);

/* sin(x + quarters·π/2), so that one quarter makes it the cosine, with slope sin(x + (quarters + 1)·π/2) */
KERNEL_BODY(sine) { SINE(y, x, , 0) }
KERNEL_BODY(sine_backward) {
    const real *restrict dy = a->dy;
    SINE(dx, input, dy[i] *, 1)
}

#undef SINE
#undef SINE_LIMIT
#undef PARAMETER
#undef ACTIVATION
#undef ACTIVATION_BACKWARD
#undef SLOPED
