/* Activations, elementwise: forward and backward stand together. p and q are the parameters of the function, and the
 * blocks of all of them have one layout. */

/* y = expression of v = x */
#define ACTIVATION(name, expression)                                  \
    KERNEL_BODY(name) {                                               \
        const real *restrict x = a->x;                                \
        real *restrict y = a->y;                                      \
        const real p = R(a->p), q = R(a->q);                          \
        (void)p, (void)q;                                             \
        cg_range r = cg_part(a->n, CG_BLOCK, share);                  \
        _Pragma("omp simd") for (int64_t i = r.begin; i < r.end; i++) { \
            const real v = x[i];                                      \
            y[i] = expression;                                        \
        }                                                             \
    }

/* dx = expression of g = dy and v, the saved input or output */
#define ACTIVATION_BACKWARD(name, expression)                         \
    KERNEL_BODY(name##_backward) {                                    \
        const real *restrict dy = a->dy, *restrict saved = a->saved;  \
        real *restrict dx = a->dx;                                    \
        const real p = R(a->p), q = R(a->q);                          \
        (void)p, (void)q;                                             \
        cg_range r = cg_part(a->n, CG_BLOCK, share);                  \
        _Pragma("omp simd") for (int64_t i = r.begin; i < r.end; i++) { \
            const real g = dy[i], v = saved[i];                       \
            dx[i] = expression;                                       \
        }                                                             \
    }

/* max(x, 0); v is the output */
ACTIVATION(relu, v < 0 ? 0 : v)
ACTIVATION_BACKWARD(relu, v > 0 ? g : 0)

/* The same with a mask, one bit a number, set where x > 0: for large arrays, of which backward had else to fetch y from
 * afar. A group of numbers has a line of words, and bit k of word w is that of number k·WORDS + w: a bit for whole
 * vectors, as they lie. The mask has whole groups. */
#define WORDS (64 / (int64_t)sizeof(real))
#define GROUP (WORDS * CG_REAL_BITS)

INLINE void NAME(relu_group)(real *restrict y, ubits *restrict mask, const real *restrict x) {
    ubits word[WORDS] = {0};
#pragma GCC unroll 64
    for (int64_t k = 0; k < CG_REAL_BITS; k++)
#pragma omp simd
        for (int64_t w = 0; w < WORDS; w++) {
            const real v = x[k * WORDS + w];
            y[k * WORDS + w] = v < 0 ? 0 : v;
            word[w] |= v > 0 ? (ubits)1 << k : 0;
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

/* x where x > 0, else p·x; v is the input */
ACTIVATION(leaky_relu, v > 0 ? v : p * v)
ACTIVATION_BACKWARD(leaky_relu, v > 0 ? g : p * g)

/* q·(x where x > 0, else p·(eˣ − 1)); v is the input */
ACTIVATION(elu, NAME(select)(v > 0, q * v, q * p * NAME(expm1)(v)))
ACTIVATION_BACKWARD(elu, NAME(select)(v > 0, q * g, q * p * NAME(exp)(v) * g))

/* y = f(x), and its slope f′(x) unless that is NULL: where most of the work is in what both share. dx = dy·slope. */
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

/* ½x·(1 + t), slope ½(1 + t) + ½x·(1 − t²)·u′, t = tanh u, u = √(2/π)·(x + 0.044715·x³).
 * D. Hendrycks, K. Gimpel (2016), "Gaussian error linear units" */
INLINE real NAME(gelu_tanh_of)(real v, real *slope) {
    const real root = R(0.79788456080286535588), t = NAME(tanh)(root * (v + R(0.044715) * v * v * v));
    const real half = R(0.5) * (1 + t);
    *slope = half + R(0.5) * v * (1 - t * t) * root * (1 + R(0.134145) * v * v);
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

/* σ(x) = 1/(1 + e⁻ˣ); v is the output */
ACTIVATION(sigmoid, NAME(sigmoid)(v))
ACTIVATION_BACKWARD(sigmoid, g * v * (1 - v))

/* tanh x; v is the output */
ACTIVATION(tanh, NAME(tanh)(v))
ACTIVATION_BACKWARD(tanh, g * (1 - v * v))

/* log(1 + e^(p·x))/p, and x where p·x > q; v is the input */
ACTIVATION(softplus, NAME(select)(p * v > q, v, NAME(softplus)(p * v) / p))
ACTIVATION_BACKWARD(softplus, NAME(select)(p * v > q, g, g * NAME(sigmoid)(p * v)))

/* eˣ; v is the output */
ACTIVATION(exp, NAME(exp)(v))
ACTIVATION_BACKWARD(exp, g * v)

/* log x; v is the input */
ACTIVATION(log, NAME(log)(v))
ACTIVATION_BACKWARD(log, g / v)

/* erf x, with slope 2/√π·e^(−x²); v is the input */
ACTIVATION(erf, NAME(erf)(v))
ACTIVATION_BACKWARD(erf, g * R(1.12837916709551257390) * NAME(exp)(-v * v))

#undef ACTIVATION
#undef ACTIVATION_BACKWARD
#undef SLOPED
