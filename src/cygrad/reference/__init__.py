"""The meaning of every kernel in NumPy: the specification, and the oracle of the tests.

One file a family, under the names of the wrappers in ``cygrad._kernels``: same arguments, same results. Nothing
here is written for speed. Sums run in float64 and are rounded once.
"""

from cygrad.reference.activation import *  # noqa: F403
from cygrad.reference.augment import *  # noqa: F403
from cygrad.reference.batch_norm import *  # noqa: F403
from cygrad.reference.dropout import *  # noqa: F403
from cygrad.reference.elementwise import *  # noqa: F403
from cygrad.reference.embedding import *  # noqa: F403
from cygrad.reference.gemm import *  # noqa: F403
from cygrad.reference.grad_norm import *  # noqa: F403
from cygrad.reference.layer_norm import *  # noqa: F403
from cygrad.reference.loss import *  # noqa: F403
from cygrad.reference.optim import *  # noqa: F403
from cygrad.reference.reduce import *  # noqa: F403
from cygrad.reference.softmax import *  # noqa: F403
from cygrad.reference.tokens import *  # noqa: F403
from cygrad.reference.warp import *  # noqa: F403
