# Losses. Elementwise losses take an input and a target of one shape and dtype; all their argument blocks have the layout
# of mse_loss's.

cdef enum Reduction:
    NONE
    MEAN
    SUM


cdef ndarray scalar(int type_number):
    return empty(0, NULL, type_number)


cdef int add_up(ndarray total, ndarray values, double scale) except -1:
    """total = scale·Σ values"""
    cdef cg_sum_partials_args args = cg_sum_partials_args(
        y=data(total), partial=data(values), n=size(values), scale=scale)
    return launch(CG_sum_partials, dtype_of(total), &args)


cdef ndarray pointwise(int kernel, str op, object x, object t, int reduction, double p):
    cdef ndarray u = real(op, "input", x), v = like(op, "target", t, "input", u), y
    cdef cg_mse_loss_args args = cg_mse_loss_args(y=NULL, partial=NULL, x=data(u), t=data(v), n=size(u), p=p)
    cdef cnp.npy_intp blocks = (args.n + CG_BLOCK - 1) // CG_BLOCK
    if reduction == NONE:
        y = empty_like(u)
        args.y = data(y)
        launch(kernel, dtype_of(u), &args)
        return y
    y = scalar(cnp.PyArray_TYPE(u))
    cdef ndarray partial = empty(1, &blocks, cnp.PyArray_TYPE(u))
    args.partial = data(partial)
    launch(kernel, dtype_of(u), &args)
    add_up(y, partial, 1.0 / args.n if reduction == MEAN else 1.0)
    return y


cdef tuple pointwise_backward(int kernel, str op, object dy, object x, object t, int reduction, bint want_x, bint want_t,
                              double p):
    cdef ndarray u = real(op, "input", x), v = like(op, "target", t, "input", u), g = real(op, "gradient", dy)
    cdef ndarray dx = empty_like(u) if want_x else None, dt = empty_like(u) if want_t else None
    check_same_dtype(op, "gradient", g, "input", u)
    if size(g) != (size(u) if reduction == NONE else 1):
        raise ValueError(f"{op}: gradient has shape {shape_of(g)}, but input has {shape_of(u)}")
    cdef cg_mse_loss_backward_args args = cg_mse_loss_backward_args(
        dx=optional(dx), dt=optional(dt), dy=data(g), x=data(u), t=data(v), n=size(u),
        dy_step=reduction == NONE, scale=1.0 / size(u) if reduction == MEAN else 1.0, p=p)
    launch(kernel, dtype_of(u), &args)
    return dx, dt


def mse_loss(x, t, int reduction):
    """(x − t)²"""
    return pointwise(CG_mse_loss, "mse_loss", x, t, reduction, 0)


def mse_loss_backward(dy, x, t, int reduction, bint want_x, bint want_t):
    """(dx, dt) of mse_loss; None for those not wanted."""
    return pointwise_backward(CG_mse_loss_backward, "mse_loss", dy, x, t, reduction, want_x, want_t, 0)


def l1_loss(x, t, int reduction):
    """|x − t|"""
    return pointwise(CG_l1_loss, "l1_loss", x, t, reduction, 0)


def l1_loss_backward(dy, x, t, int reduction, bint want_x, bint want_t):
    """(dx, dt) of l1_loss; None for those not wanted."""
    return pointwise_backward(CG_l1_loss_backward, "l1_loss", dy, x, t, reduction, want_x, want_t, 0)


def smooth_l1_loss(x, t, int reduction, double beta):
    """½(x − t)²/beta where |x − t| < beta, else |x − t| − ½beta"""
    return pointwise(CG_smooth_l1_loss, "smooth_l1_loss", x, t, reduction, beta)


def smooth_l1_loss_backward(dy, x, t, int reduction, bint want_x, bint want_t, double beta):
    """(dx, dt) of smooth_l1_loss; None for those not wanted."""
    return pointwise_backward(CG_smooth_l1_loss_backward, "smooth_l1_loss", dy, x, t, reduction, want_x, want_t, beta)


def huber_loss(x, t, int reduction, double delta):
    """½(x − t)² where |x − t| ≤ delta, else delta·(|x − t| − ½delta)"""
    return pointwise(CG_huber_loss, "huber_loss", x, t, reduction, delta)


def huber_loss_backward(dy, x, t, int reduction, bint want_x, bint want_t, double delta):
    """(dx, dt) of huber_loss; None for those not wanted."""
    return pointwise_backward(CG_huber_loss_backward, "huber_loss", dy, x, t, reduction, want_x, want_t, delta)


def bce_loss(x, t, int reduction):
    """−t·log x − (1 − t)·log(1 − x), logarithms at least −100"""
    return pointwise(CG_bce_loss, "bce_loss", x, t, reduction, 0)


def bce_loss_backward(dy, x, t, int reduction, bint want_x, bint want_t):
    """(dx, dt) of bce_loss; None for those not wanted."""
    return pointwise_backward(CG_bce_loss_backward, "bce_loss", dy, x, t, reduction, want_x, want_t, 0)


def bce_logits_loss(x, t, int reduction):
    """−t·log σ(x) − (1 − t)·log(1 − σ(x))"""
    return pointwise(CG_bce_logits_loss, "bce_logits_loss", x, t, reduction, 0)


def bce_logits_loss_backward(dy, x, t, int reduction, bint want_x, bint want_t):
    """(dx, dt) of bce_logits_loss; None for those not wanted."""
    return pointwise_backward(CG_bce_logits_loss_backward, "bce_logits_loss", dy, x, t, reduction, want_x, want_t, 0)


def kl_div(x, t, int reduction):
    """t·(log t − x)"""
    return pointwise(CG_kl_div, "kl_div", x, t, reduction, 0)


def kl_div_backward(dy, x, t, int reduction, bint want_x, bint want_t):
    """(dx, dt) of kl_div; None for those not wanted."""
    return pointwise_backward(CG_kl_div_backward, "kl_div", dy, x, t, reduction, want_x, want_t, 0)


def kl_div_log(x, t, int reduction):
    """eᵗ·(t − x)"""
    return pointwise(CG_kl_div_log, "kl_div_log", x, t, reduction, 0)


def kl_div_log_backward(dy, x, t, int reduction, bint want_x, bint want_t):
    """(dx, dt) of kl_div_log; None for those not wanted."""
    return pointwise_backward(CG_kl_div_log_backward, "kl_div_log", dy, x, t, reduction, want_x, want_t, 0)


# Classes: x[rows, classes]

cdef ndarray class_scores(str op, object x):
    cdef ndarray scores = real(op, "input", x)
    if cnp.PyArray_NDIM(scores) != 2:
        raise ValueError(f"{op}: input must have shape (rows, classes), got {shape_of(scores)}")
    return scores


cdef ndarray class_weight(str op, object weight, ndarray scores):
    """The weight of each class, or None for ones."""
    if weight is None:
        return None
    cdef ndarray w = real(op, "weight", weight)
    check_same_dtype(op, "weight", w, "input", scores)
    if cnp.PyArray_NDIM(w) != 1 or w.shape[0] != scores.shape[1]:
        raise ValueError(f"{op}: weight has shape {shape_of(w)}, but there are {scores.shape[1]} classes")
    return w


cdef ndarray checked_indices(str op, str name, ndarray t, int64_t limit, bint ignores, int64_t ignored, ndarray weight,
                             ndarray total):
    """A copy of t, integers, checked to lie in 0..limit − 1. If `ignores` is set, `ignored` becomes −1. `total` receives the sum
    of their weights unless it is None."""
    cdef ndarray target = t, y = empty(cnp.PyArray_NDIM(t), cnp.PyArray_DIMS(t), cnp.NPY_INT64)
    cdef ndarray fault = empty(0, NULL, cnp.NPY_INT64)
    if cnp.PyArray_TYPE(t) != cnp.NPY_INT64 or not cnp.PyArray_ISCARRAY_RO(t):
        if t.dtype.kind == "u" and size(t) and t.max() >= 1 << 63:  # would become negative
            raise index_error(op, name, t, limit, t.argmax())
        target = cnp.PyArray_FROMANY(t, cnp.NPY_INT64, 0, 0, cnp.NPY_ARRAY_CARRAY_RO | cnp.NPY_ARRAY_FORCECAST)
    cdef cg_classes_args args = cg_classes_args(
        y=data(y), fault=data(fault), total=optional(total), target=<int64_t *>data(target), weight=optional(weight),
        n=size(y), limit=limit, ignores=ignores, ignored=ignored)
    launch(CG_classes, CG_FLOAT32 if total is None else dtype_of(total), &args)
    if tape is not None:
        tape.watch(<const int64_t *>data(fault), (op, name, target, limit))
    cdef int64_t row = (<int64_t *>data(fault))[0]
    if row >= 0:
        raise index_error(op, name, target, limit, row)
    return y


def index_error(op, name, target, limit, row):
    """The error for element `row` of a target, which is not in 0..limit − 1."""
    what = f"target {target.flat[row]} at row {row}" if name == "target" else f"{name} {target.flat[row]}"
    return IndexError(f"{op}: {what} is not one of the {limit} {'classes' if name == 'target' else 'rows'}")


cdef ndarray classes(str op, object target, ndarray scores, int64_t ignore_index, ndarray weight, ndarray total):
    """A copy of the target with −1 for ignored rows and every class checked; `total` receives the sum of the weights."""
    if not isinstance(target, cnp.ndarray) or (<ndarray>target).dtype.kind not in "iu":
        raise TypeError(f"{op}: target must be an array of integers, got {getattr(target, 'dtype', type(target).__name__)}")
    if cnp.PyArray_NDIM(<ndarray>target) != 1 or (<ndarray>target).shape[0] != scores.shape[0]:
        raise ValueError(f"{op}: target has shape {shape_of(target)}, but there are {scores.shape[0]} rows of scores")
    return checked_indices(op, "target", target, scores.shape[1], True, ignore_index, weight, total)


cdef ndarray rows_like(ndarray scores):
    cdef cnp.npy_intp rows = scores.shape[0]
    return empty(1, &rows, cnp.PyArray_TYPE(scores))


cdef ndarray row_stats(ndarray scores):
    """For each row, room for two numbers."""
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = scores.shape[0], 2
    return empty(2, shape, cnp.PyArray_TYPE(scores))


cdef ndarray checked_stats(str op, object x, ndarray scores):
    """The two numbers of each row that the forward pass computed."""
    cdef ndarray array = real(op, "stats", x)
    check_same_dtype(op, "stats", array, "input", scores)
    if size(array) != 2 * scores.shape[0]:
        raise ValueError(f"{op}: stats has shape {shape_of(array)}, but there are {scores.shape[0]} rows of scores")
    return array


cdef ndarray checked_classes(str op, object x, ndarray scores):
    """The classes that the forward pass checked."""
    cdef ndarray array = <ndarray?>x
    if cnp.PyArray_TYPE(array) != cnp.NPY_INT64 or not cnp.PyArray_ISCARRAY_RO(array) or size(array) != scores.shape[0]:
        raise ValueError(f"{op}: classes must be {scores.shape[0]} int64 numbers, got {array.dtype} of shape {shape_of(array)}")
    return array


cdef ndarray checked_total(str op, object x, ndarray scores):
    """The sum of the weights, one element, or None."""
    if x is None:
        return None
    cdef ndarray array = real(op, "total", x)
    check_same_dtype(op, "total", array, "input", scores)
    if size(array) != 1:
        raise ValueError(f"{op}: total must have one element, got shape {shape_of(array)}")
    return array


cdef ndarray divisor_of(ndarray scores, int reduction):
    """An array for the sum of the weights, None unless the reduction divides by it."""
    return scalar(cnp.PyArray_TYPE(scores)) if reduction == MEAN else None


cdef ndarray reduced(ndarray losses, int reduction, ndarray total):
    """The losses, their sum, or their sum divided by `total`."""
    if reduction == NONE:
        return losses
    cdef ndarray y = scalar(cnp.PyArray_TYPE(losses))
    add_up(y, losses, 1.0)
    cdef cg_divide_args args = cg_divide_args(y=data(y), total=optional(total))
    if total is not None:
        launch(CG_divide, dtype_of(y), &args)
    return y


cdef int check_upstream(str op, ndarray dy, ndarray scores, int reduction) except -1:
    check_same_dtype(op, "gradient", dy, "input", scores)
    if size(dy) != (scores.shape[0] if reduction == NONE else 1):
        raise ValueError(f"{op}: gradient has shape {shape_of(dy)}, but there are {scores.shape[0]} rows of scores")
    return 0


def cross_entropy(x, target, weight, int64_t ignore_index, double smoothing, int reduction):
    """(loss, stats, classes, total): the loss, and what cross_entropy_backward needs in addition to x. total is the sum of the
    weights, a 0-d array, for a mean; else None."""
    cdef ndarray scores = class_scores("cross_entropy", x), w = class_weight("cross_entropy", weight, scores)
    cdef ndarray total = divisor_of(scores, reduction)
    cdef ndarray t = classes("cross_entropy", target, scores, ignore_index, w, total)
    cdef ndarray losses = rows_like(scores), stats = row_stats(scores)
    cdef cg_cross_entropy_args args = cg_cross_entropy_args(
        loss=data(losses), stats=data(stats), x=data(scores), target=<int64_t *>data(t), weight=optional(w),
        rows=scores.shape[0], cols=scores.shape[1], smoothing=smoothing)
    launch(CG_cross_entropy, dtype_of(scores), &args)
    return reduced(losses, reduction, total), stats, t, total


def cross_entropy_backward(dy, x, classes, weight, stats, total, double smoothing, int reduction):
    """dx of cross_entropy."""
    cdef ndarray scores = class_scores("cross_entropy", x), w = class_weight("cross_entropy", weight, scores)
    cdef ndarray g = real("cross_entropy", "gradient", dy), t = checked_classes("cross_entropy", classes, scores)
    cdef ndarray l = checked_stats("cross_entropy", stats, scores), sums = checked_total("cross_entropy", total, scores)
    cdef ndarray dx = empty_like(scores)
    check_upstream("cross_entropy", g, scores, reduction)
    cdef cg_cross_entropy_backward_args args = cg_cross_entropy_backward_args(
        dx=data(dx), dy=data(g), x=data(scores), target=<int64_t *>data(t), weight=optional(w), stats=data(l),
        total=optional(sums), rows=scores.shape[0], cols=scores.shape[1], dy_step=reduction == NONE, smoothing=smoothing)
    launch(CG_cross_entropy_backward, dtype_of(scores), &args)
    return dx


def soft_cross_entropy(x, target, weight, double smoothing, int reduction):
    """(loss, stats) for a distribution over the classes, target[rows, classes]."""
    cdef ndarray scores = class_scores("cross_entropy", x), w = class_weight("cross_entropy", weight, scores)
    cdef ndarray t = like("cross_entropy", "target", target, "input", scores)
    cdef ndarray losses = rows_like(scores), stats = row_stats(scores)
    cdef cg_soft_cross_entropy_args args = cg_soft_cross_entropy_args(
        loss=data(losses), stats=data(stats), x=data(scores), target=data(t), weight=optional(w),
        rows=scores.shape[0], cols=scores.shape[1], smoothing=smoothing)
    launch(CG_soft_cross_entropy, dtype_of(scores), &args)
    cdef ndarray rows = number_of(scores.shape[0], cnp.PyArray_TYPE(scores)) if reduction == MEAN else None
    return reduced(losses, reduction, rows), stats


def soft_cross_entropy_backward(dy, x, target, weight, stats, double smoothing, int reduction, bint want_x, bint want_t):
    """(dx, dt) of soft_cross_entropy; None for those not wanted."""
    cdef ndarray scores = class_scores("cross_entropy", x), w = class_weight("cross_entropy", weight, scores)
    cdef ndarray t = like("cross_entropy", "target", target, "input", scores), g = real("cross_entropy", "gradient", dy)
    cdef ndarray dx = empty_like(scores) if want_x else None, dt = empty_like(scores) if want_t else None
    cdef ndarray l = checked_stats("cross_entropy", stats, scores)
    check_upstream("cross_entropy", g, scores, reduction)
    cdef cg_soft_cross_entropy_backward_args args = cg_soft_cross_entropy_backward_args(
        dx=optional(dx), dt=optional(dt), dy=data(g), x=data(scores), target=data(t), weight=optional(w), stats=data(l),
        rows=scores.shape[0], cols=scores.shape[1], dy_step=reduction == NONE,
        scale=1.0 / scores.shape[0] if reduction == MEAN else 1.0, smoothing=smoothing)
    launch(CG_soft_cross_entropy_backward, dtype_of(scores), &args)
    return dx, dt


def nll_loss(x, target, weight, int64_t ignore_index, int reduction):
    """(loss, classes, total) of log-probabilities x[rows, classes]."""
    cdef ndarray scores = class_scores("nll_loss", x), w = class_weight("nll_loss", weight, scores)
    cdef ndarray total = divisor_of(scores, reduction)
    cdef ndarray t = classes("nll_loss", target, scores, ignore_index, w, total), losses = rows_like(scores)
    cdef cg_nll_loss_args args = cg_nll_loss_args(
        loss=data(losses), x=data(scores), target=<int64_t *>data(t), weight=optional(w),
        rows=scores.shape[0], cols=scores.shape[1])
    launch(CG_nll_loss, dtype_of(scores), &args)
    return reduced(losses, reduction, total), t, total


def nll_loss_backward(dy, x, classes, weight, total, int reduction):
    """dx of nll_loss."""
    cdef ndarray scores = class_scores("nll_loss", x), w = class_weight("nll_loss", weight, scores)
    cdef ndarray g = real("nll_loss", "gradient", dy), t = checked_classes("nll_loss", classes, scores)
    cdef ndarray sums = checked_total("nll_loss", total, scores), dx = empty_like(scores)
    check_upstream("nll_loss", g, scores, reduction)
    cdef cg_nll_loss_backward_args args = cg_nll_loss_backward_args(
        dx=data(dx), dy=data(g), target=<int64_t *>data(t), weight=optional(w), total=optional(sums),
        rows=scores.shape[0], cols=scores.shape[1], dy_step=reduction == NONE)
    launch(CG_nll_loss_backward, dtype_of(scores), &args)
    return dx
