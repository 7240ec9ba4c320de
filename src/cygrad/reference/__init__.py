"""The meaning of every kernel in NumPy: the specification, and the oracle of the tests.

One file a family, under the names of the wrappers in ``cygrad._kernels``: same arguments, same results. Nothing
here is written for speed. Sums run in float64 and are rounded once.
"""

from cygrad.reference.activation import *  # noqa: F403
