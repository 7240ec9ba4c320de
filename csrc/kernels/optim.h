/* Optimizer steps, one launch for all parameters of a group. Formulas and defaults are those of PyTorch's
 * documentation of torch.optim. sign is −1 to maximize, else 1. */

/* weight_decay·p, and 0 without weight decay, where 0·∞ would be NaN; a mask, since a condition would double the loops */
INLINE real NAME(decayed)(real decay, real p) {
    return decay * NAME(from_bits)(NAME(bits_of)(p) & -(bits)(decay != 0));
}

/* d = sign·g + weight_decay·p; with momentum b ← momentum·b + (1 − dampening)·d (b ← d in step 1), d = d + momentum·b
 * (Nesterov) or b; p ← p − lr·d. momentum = 0 has no b. */
KERNEL_BODY(sgd) {
    const real lr = R(a->lr), momentum = R(a->momentum), rest = R(1 - a->dampening), decay = R(a->weight_decay);
    const real sign = R(a->sign);
    CG_EACH_SPAN(span, a, share) {
        const real *restrict g = a->g[span.tensor];
        real *restrict p = a->p[span.tensor], *restrict b = a->momentum != 0 ? a->b[span.tensor] : 0;
        if (!b)
            for (int64_t i = span.begin; i < span.end; i++) p[i] -= lr * (sign * g[i] + NAME(decayed)(decay, p[i]));
        else
            for (int64_t i = span.begin; i < span.end; i++) {
                const real d = sign * g[i] + NAME(decayed)(decay, p[i]), mean = a->step == 1 ? d : momentum * b[i] + rest * d;
                p[i] -= lr * (a->nesterov ? d + momentum * mean : mean);
                b[i] = mean;
            }
    }
}

/* m ← β₁·m + (1 − β₁)·d, v ← β₂·v + (1 − β₂)·d², p ← p − step_size·m/(√v·root_scale + eps), where
 * step_size = lr/(1 − β₁ᵗ) and root_scale = 1/√(1 − β₂ᵗ), t = step. d = sign·g, plus weight_decay·p unless the decay is
 * decoupled: then p ← p·(1 − lr·weight_decay) first. AMSGrad takes the largest v so far. D. P. Kingma, J. Ba (2015),
 * "Adam"; I. Loshchilov, F. Hutter (2019), "Decoupled weight decay regularization". */
INLINE void NAME(adam_span)(const cg_adam_args *a, cg_span span, int amsgrad) {
    const real beta1 = R(a->beta1), rest1 = R(1 - a->beta1), beta2 = R(a->beta2), rest2 = R(1 - a->beta2);
    const real eps = R(a->eps), sign = R(a->sign), step_size = R(a->lr / (1 - cg_power(a->beta1, a->step)));
    const real root_scale = R(1 / sqrt(1 - cg_power(a->beta2, a->step)));
    const real coupled = a->decoupled ? 0 : R(a->weight_decay);
    const real keep = a->decoupled ? R(1 - a->lr * a->weight_decay) : 1;
    const real *restrict g = a->g[span.tensor];
    real *restrict p = a->p[span.tensor], *restrict m = a->m[span.tensor], *restrict v = a->v[span.tensor];
    real *restrict largest = amsgrad ? a->largest[span.tensor] : 0;
    for (int64_t i = span.begin; i < span.end; i++) {
        const real d = sign * g[i] + NAME(decayed)(coupled, p[i]), mean = beta1 * m[i] + rest1 * d;
        const real square = beta2 * v[i] + rest2 * d * d, u = amsgrad && largest[i] > square ? largest[i] : square;
        p[i] = p[i] * keep - step_size * mean / (NAME(sqrt)(u) * root_scale + eps);
        m[i] = mean, v[i] = square;
        if (amsgrad) largest[i] = u;
    }
}

KERNEL_BODY(adam) {
    CG_EACH_SPAN(span, a, share) {
        if (a->amsgrad) NAME(adam_span)(a, span, 1);
        else NAME(adam_span)(a, span, 0);
    }
}

/* s ← α·s + (1 − α)·d², root = √s + eps, or with `centered` c ← α·c + (1 − α)·d, root = √(s − c²) + eps;
 * p ← p − lr·d/root, or with momentum b ← momentum·b + d/root, p ← p − lr·b. T. Tieleman, G. Hinton (2012), lecture
 * 6e; A. Graves (2013), "Generating sequences with recurrent neural networks". */
KERNEL_BODY(rmsprop) {
    const real lr = R(a->lr), alpha = R(a->alpha), rest = R(1 - a->alpha), eps = R(a->eps);
    const real momentum = R(a->momentum), decay = R(a->weight_decay), sign = R(a->sign);
    CG_EACH_SPAN(span, a, share) {
        const real *restrict g = a->g[span.tensor];
        real *restrict p = a->p[span.tensor], *restrict s = a->s[span.tensor];
        real *restrict c = a->centered ? a->c[span.tensor] : 0, *restrict b = a->momentum != 0 ? a->b[span.tensor] : 0;
        for (int64_t i = span.begin; i < span.end; i++) {
            const real d = sign * g[i] + NAME(decayed)(decay, p[i]);
            real square = s[i] = alpha * s[i] + rest * d * d;
            if (c) {
                c[i] = alpha * c[i] + rest * d;
                square -= c[i] * c[i];
            }
            const real step = d / (NAME(sqrt)(square) + eps);
            if (b) b[i] = momentum * b[i] + step;
            p[i] -= lr * (b ? b[i] : step);
        }
    }
}

/* s ← s + d², p ← p − lr·d/((1 + (step − 1)·lr_decay)·(√s + eps)). J. Duchi, E. Hazan, Y. Singer (2011), "Adaptive
 * subgradient methods". */
KERNEL_BODY(adagrad) {
    const real lr = R(a->lr / (1 + (double)(a->step - 1) * a->lr_decay)), eps = R(a->eps);
    const real decay = R(a->weight_decay), sign = R(a->sign);
    CG_EACH_SPAN(span, a, share) {
        const real *restrict g = a->g[span.tensor];
        real *restrict p = a->p[span.tensor], *restrict s = a->s[span.tensor];
        for (int64_t i = span.begin; i < span.end; i++) {
            const real d = sign * g[i] + NAME(decayed)(decay, p[i]);
            s[i] += d * d;
            p[i] -= lr * d / (NAME(sqrt)(s[i]) + eps);
        }
    }
}
