"""``torch.backends`` for programs that ask: none of these libraries is used. What is set here has no effect."""

from types import SimpleNamespace

from cygrad.backends import cuda as cuda
from cygrad.backends import cudnn as cudnn
from cygrad.backends import mps as mps


def unused(**settings: object) -> SimpleNamespace:
    """Settings of a library that is not used."""
    return SimpleNamespace(is_available=lambda: False, **settings)


mkl, mkldnn, openmp, opt_einsum = unused(), unused(enabled=False), unused(), unused(enabled=False)
