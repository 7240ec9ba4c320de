"""The meaning of every kernel in NumPy: the specification, and the oracle of the tests.

One file a family, under the names of the wrappers in ``cygrad._kernels``: same arguments, same results. Nothing
here is written for speed. Sums run in float64 and are rounded once.
"""

from tests.reference.activation import *  # noqa: F403
from tests.reference.augment import *  # noqa: F403
from tests.reference.batch_norm import *  # noqa: F403
from tests.reference.dropout import *  # noqa: F403
from tests.reference.elementwise import *  # noqa: F403
from tests.reference.embedding import *  # noqa: F403
from tests.reference.gemm import *  # noqa: F403
from tests.reference.grad_norm import *  # noqa: F403
from tests.reference.layer_norm import *  # noqa: F403
from tests.reference.loss import *  # noqa: F403
from tests.reference.optim import *  # noqa: F403
from tests.reference.reduce import *  # noqa: F403
from tests.reference.softmax import *  # noqa: F403
from tests.reference.tokens import *  # noqa: F403
from tests.reference.warp import *  # noqa: F403
