/* Augmentations of pixel values: color, noise, erasing, pasting, mixing. x is [n, …]; each sample has its own parameters. */

#if CG_REAL_BITS == 32
enum { COLOR_CHUNK = 256 };
enum { NOISE_NUMBERS = 8 * PHILOX_GROUP }; /* drawn together */
#endif

INLINE real NAME(clamp)(real v, real low, real high) {
    v = NAME(select)(v < low, low, v);
    return NAME(select)(v > high, high, v);
}

/* The weight of a channel in the gray value of a pixel: ITU-R BT.601 for red, green and blue, else equal weights. */
static real NAME(grey_weight)(int64_t channel, int64_t channels) {
    static const double rgb[] = {0.2989, 0.587, 0.114};
    return channels == 3 ? R(rgb[channel]) : R(1.0 / (double)channels);
}

/* Σ clamp(b·x), in lanes for a chunk, in double for all chunks */
static double NAME(bright_sum)(const real *restrict x, int64_t n, real b, real low, real high) {
    double total = 0;
    for (int64_t j = 0; j < n; j += COLOR_CHUNK) {
        const int64_t end = cg_min(j + COLOR_CHUNK, n);
        real sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t q = j; q < end; q++) sum += NAME(clamp)(b * x[q], low, high);
        total += (double)sum;
    }
    return total;
}

/* y = clamp(c·clamp(b·x) + shift) */
static void NAME(brighten)(real *restrict y, const real *restrict x, int64_t n, real b, real c, real shift, real low, real high) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) y[j] = NAME(clamp)(c * NAME(clamp)(b * x[j], low, high) + shift, low, high);
}

/* v = clamp(s·v + (1 − s)·gray of the pixel) for n pixels */
static void NAME(saturate)(real *restrict v, int64_t n, int64_t channels, int64_t pixels, real s, real low, real high) {
    real grey[COLOR_CHUNK];
    for (int64_t j = 0; j < n; j++) grey[j] = 0;
    for (int64_t k = 0; k < channels; k++) {
        const real weight = NAME(grey_weight)(k, channels);
        for (int64_t j = 0; j < n; j++) grey[j] += weight * v[k * pixels + j];
    }
    for (int64_t k = 0; k < channels; k++)
#pragma omp simd
        for (int64_t j = 0; j < n; j++)
            v[k * pixels + j] = NAME(clamp)(s * v[k * pixels + j] + (1 - s) * grey[j], low, high);
}

/* Brightness, contrast, saturation (b, c, s) = factors[i], each followed by a clamp to [low, high]: v = b·x;
 * v ← c·v + (1 − c)·mean of the gray of v; y = s·v + (1 − s)·gray of the pixel. */
KERNEL_BODY(color) {
    const int64_t channels = a->channels, pixels = a->pixels;
    const real low = R(a->low), high = R(a->high);
    cg_range r = cg_part(a->n, 1, share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *factors = (const real *)a->factors + 3 * i, b = factors[0], c = factors[1], s = factors[2];
        const real *x = (const real *)a->x + i * channels * pixels;
        real *y = (real *)a->y + i * channels * pixels;
        double mean = 0;
        for (int64_t k = 0; k < channels && c != 1; k++)
            mean += (double)NAME(grey_weight)(k, channels) * NAME(bright_sum)(x + k * pixels, pixels, b, low, high) / (double)pixels;
        const real shift = c != 1 ? R((1 - (double)c) * mean) : 0;
        if (s == 1) {
            NAME(brighten)(y, x, channels * pixels, b, c, shift, low, high);
            continue;
        }
        for (int64_t j = 0; j < pixels; j += COLOR_CHUNK) {
            const int64_t n = cg_min(COLOR_CHUNK, pixels - j);
            for (int64_t k = 0; k < channels; k++)
                NAME(brighten)(y + k * pixels + j, x + k * pixels + j, n, b, c, shift, low, high);
            NAME(saturate)(y + j, n, channels, pixels, s, low, high);
        }
    }
}

/* cos and sin of an angle between −π/4 and π/4, by Taylor's series. */
INLINE real NAME(cos_small)(real x) {
    const real z = x * x;
    real p = 1;
#if CG_REAL_BITS == 64
    p = 1 - z / (17 * 18), p = 1 - z / (15 * 16) * p, p = 1 - z / (13 * 14) * p, p = 1 - z / (11 * 12) * p;
#endif
    p = 1 - z * R(1.0 / (9 * 10)) * p, p = 1 - z * R(1.0 / (7 * 8)) * p, p = 1 - z * R(1.0 / (5 * 6)) * p;
    return 1 - z * R(0.5) * (1 - z * R(1.0 / (3 * 4)) * p);
}
INLINE real NAME(sin_small)(real x) {
    const real z = x * x;
    real p = 1;
#if CG_REAL_BITS == 64
    p = 1 - z / (16 * 17), p = 1 - z / (14 * 15) * p, p = 1 - z / (12 * 13) * p, p = 1 - z / (10 * 11) * p;
#endif
    p = 1 - z * R(1.0 / (8 * 9)) * p, p = 1 - z * R(1.0 / (6 * 7)) * p, p = 1 - z * R(1.0 / (4 * 5)) * p;
    return x * (1 - z * R(1.0 / (2 * 3)) * p);
}

/* n samples of N(0, 1), in whole groups, from words: in each group of 32 the first 16 give lengths and the others angles;
 * cosines come before sines. Words p and q give √(−2 ln((p + ½)/2³²)) times the cosine and the sine of 2π·q/2³², rotated by
 * quarter turns according to the two high bits of q. G. E. P. Box, M. E. Muller (1958). Several groups at once hide the
 * latency of the chain of operations. */
INLINE void NAME(normal_groups)(real *restrict z, const uint32_t *restrict words, int64_t n) {
    enum { HALF = PHILOX_GROUP / 2 };
    for (int64_t g = 0; g < n; g += PHILOX_GROUP)
        for (int64_t j = g; j < g + HALF; j++) {
            const real u = ((real)(int32_t)(words[j] >> 1) + R(0.25)) * R(1.0 / 2147483648.0);
            z[j] = NAME(sqrt)(-2 * NAME(log)(u)); /* u rounds to 1 at most */
        }
    for (int64_t g = 0; g < n; g += PHILOX_GROUP)
        for (int64_t j = g; j < g + HALF; j++) {
            const uint32_t q = words[j + HALF];
            const real angle = ((real)(int32_t)(q & 0x3fffffff) - R(536870912.0)) * R(1.4629180792671596e-9); /* π/2³¹ */
            const real c = z[j] * NAME(cos_small)(angle), s = z[j] * NAME(sin_small)(angle);
            const int turned = (q >> 30 & 1) != 0, flipped = (q >> 31) != 0;
            const real first = NAME(select)(turned, -s, c), second = NAME(select)(turned, c, s);
            z[j] = NAME(select)(flipped, -first, first);
            z[j + HALF] = NAME(select)(flipped, -second, second);
        }
}

/* y = clamp(x + mean + sigmas[i]·z), z from N(0, 1): element j of sample i is a function of (seed, offset, i, j). A sample
 * uses one counter for four elements, in whole groups of 8. */
KERNEL_BODY(gaussian_noise) {
    const int64_t size = a->size;
    const real mean = R(a->mean), low = R(a->low), high = R(a->high);
    const uint64_t draws = (uint64_t)cg_ceil_div(size, PHILOX_GROUP) * PHILOX_WIDTH;
    cg_range r = cg_part(a->n, 1, share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real *restrict x = (const real *)a->x + i * size, sigma = ((const real *)a->sigmas)[i];
        real *restrict y = (real *)a->y + i * size;
        for (int64_t j = 0; j < size; j += NOISE_NUMBERS) {
            const int64_t n = cg_min(NOISE_NUMBERS, size - j), drawn = cg_ceil_div(n, PHILOX_GROUP) * PHILOX_GROUP;
            uint32_t words[NOISE_NUMBERS];
            real z[NOISE_NUMBERS];
            for (int64_t g = 0; g < drawn; g += PHILOX_GROUP)
                cg_philox(words + g, a->seed, a->offset + (uint64_t)i * draws + (uint64_t)((j + g) / 4));
            NAME(normal_groups)(z, words, drawn);
#pragma omp simd
            for (int64_t q = 0; q < n; q++) y[j + q] = NAME(clamp)(x[j + q] + (mean + sigma * z[q]), low, high);
        }
    }
}

/* y[i] = x[i], but `from(i, channel, place)` in the box (top, left, height, width) = boxes[i], which lies in the image */
#undef BOXES
#define BOXES(from)                                                                                        \
    const int64_t w = a->width, plane = a->height * w;                                                     \
    cg_range r = cg_part(a->n * a->channels, cg_max(1, CG_BLOCK / cg_max(1, plane)), share);               \
    for (int64_t p = r.begin; p < r.end; p++) {                                                            \
        const int64_t i = p / a->channels, *box = a->boxes + 4 * i;                                        \
        real *restrict to = (real *)a->y + p * plane;                                                      \
        memcpy(to, (const real *)a->x + p * plane, plane * sizeof(real));                                  \
        for (int64_t v = box[0]; v < box[0] + box[2]; v++)                                                 \
            for (int64_t u = box[1]; u < box[1] + box[3]; u++) to[v * w + u] = from;                       \
    }

/* Cutout: values[channel]. T. DeVries, G. W. Taylor (2017), "Improved regularization of convolutional neural networks
 * with cutout". */
KERNEL_BODY(erase) { BOXES(((const real *)a->values)[p % a->channels]) }

/* CutMix: the same box of other[index[i]]. S. Yun et al. (2019), "CutMix: regularization strategy to train strong
 * classifiers with localizable features". */
KERNEL_BODY(paste) {
    BOXES(((const real *)a->other)[(a->index[i] * a->channels + p % a->channels) * plane + v * w + u])
}

/* Mixup: y[i] = w·x[i] + (1 − w)·x[index[i]], w = weights[i]. H. Zhang et al. (2018), "mixup: beyond empirical risk
 * minimization". */
KERNEL_BODY(mix) {
    const int64_t size = a->size;
    cg_range r = cg_part(a->n, cg_max(1, CG_BLOCK / cg_max(1, size)), share);
    for (int64_t i = r.begin; i < r.end; i++) {
        const real w = ((const real *)a->weights)[i];
        const real *restrict x = (const real *)a->x + i * size, *restrict other = (const real *)a->x + a->index[i] * size;
        real *restrict y = (real *)a->y + i * size;
        for (int64_t j = 0; j < size; j++) y[j] = w * x[j] + (1 - w) * other[j];
    }
}
