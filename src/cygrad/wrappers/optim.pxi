# Optimizer steps, in place: one launch for all parameters of a group. csrc/kernels/optim.h has the formulas.

def sgd(p, g, b, int64_t step, double lr, double momentum, double dampening, double weight_decay, bint nesterov,
        bint maximize):
    """Step `step`, counted from 1: p −= lr·d. b, the momentum buffers, is None if momentum is 0."""
    cdef Many many = Many("SGD", len(p), 3)
    cdef cg_sgd_args args = cg_sgd_args(
        p=many.take(0, "parameters", p), g=<const void **>many.take(1, "gradients", g, False),
        b=many.take_if(momentum != 0, 2, "momenta", b), sizes=many.sizes, tensors=many.tensors, blocks=many.blocks,
        step=step, nesterov=nesterov, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
        sign=-1.0 if maximize else 1.0)
    launch(CG_sgd, many.dtype(), &args)


def adam(p, g, m, v, largest, int64_t step, double lr, double beta1, double beta2, double eps, double weight_decay,
         bint decoupled, bint maximize):
    """Step `step`, counted from 1, of Adam, or of AdamW if the decay is decoupled. `largest` is None without amsgrad."""
    cdef Many many = Many("AdamW" if decoupled else "Adam", len(p), 5)
    cdef cg_adam_args args = cg_adam_args(
        p=many.take(0, "parameters", p), g=<const void **>many.take(1, "gradients", g, False),
        m=many.take(2, "first moments", m), v=many.take(3, "second moments", v),
        largest=many.take_if(largest is not None, 4, "largest moments", largest),
        sizes=many.sizes, tensors=many.tensors, blocks=many.blocks, step=step, amsgrad=largest is not None,
        decoupled=decoupled, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay,
        sign=-1.0 if maximize else 1.0)
    launch(CG_adam, many.dtype(), &args)


def rmsprop(p, g, s, c, b, double lr, double alpha, double eps, double weight_decay, double momentum, bint maximize):
    """c is None unless centered, b if momentum is 0."""
    cdef Many many = Many("RMSprop", len(p), 5)
    cdef cg_rmsprop_args args = cg_rmsprop_args(
        p=many.take(0, "parameters", p), g=<const void **>many.take(1, "gradients", g, False),
        s=many.take(2, "squares", s), c=many.take_if(c is not None, 3, "averages", c),
        b=many.take_if(momentum != 0, 4, "momenta", b), sizes=many.sizes, tensors=many.tensors, blocks=many.blocks,
        centered=c is not None, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
        sign=-1.0 if maximize else 1.0)
    launch(CG_rmsprop, many.dtype(), &args)


def adagrad(p, g, s, int64_t step, double lr, double lr_decay, double eps, double weight_decay, bint maximize):
    """Step `step`, counted from 1, with the learning rate lr/(1 + (step − 1)·lr_decay)."""
    cdef Many many = Many("Adagrad", len(p), 3)
    cdef cg_adagrad_args args = cg_adagrad_args(
        p=many.take(0, "parameters", p), g=<const void **>many.take(1, "gradients", g, False), s=many.take(2, "sums", s),
        sizes=many.sizes, tensors=many.tensors, blocks=many.blocks, step=step, lr=lr, lr_decay=lr_decay, eps=eps,
        weight_decay=weight_decay, sign=-1.0 if maximize else 1.0)
    launch(CG_adagrad, many.dtype(), &args)
