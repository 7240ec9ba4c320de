"""Every kernel in NumPy: the specification, with which the tests compare. Only activations are elsewhere: each is defined in
its row of tests/op_db/activation.py.

One file for each family, with the names, arguments and results of the wrappers in ``cygrad._kernels``. Nothing here is
written for speed. Sums are computed in float64 and rounded once.
"""

from tests.reference.attention import *  # noqa: F403
from tests.reference.augment import *  # noqa: F403
from tests.reference.batch_norm import *  # noqa: F403
from tests.reference.conv import *  # noqa: F403
from tests.reference.dropout import *  # noqa: F403
from tests.reference.elementwise import *  # noqa: F403
from tests.reference.embedding import *  # noqa: F403
from tests.reference.gemm import *  # noqa: F403
from tests.reference.grad_norm import *  # noqa: F403
from tests.reference.layer_norm import *  # noqa: F403
from tests.reference.loss import *  # noqa: F403
from tests.reference.optim import *  # noqa: F403
from tests.reference.pointwise import *  # noqa: F403
from tests.reference.pooling import *  # noqa: F403
from tests.reference.recurrent import *  # noqa: F403
from tests.reference.reduce import *  # noqa: F403
from tests.reference.softmax import *  # noqa: F403
from tests.reference.tokens import *  # noqa: F403
from tests.reference.warp import *  # noqa: F403
