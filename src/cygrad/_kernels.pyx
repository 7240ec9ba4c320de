# cython: binding=False
"""Checks arguments and launches the C kernels of csrc/, without arithmetic of its own.

Each family has a file in wrappers/. Wrappers take and return ndarrays, copy an operand only if its kernel needs it
contiguous, and raise errors that name the op.
"""

include "wrappers/core.pxi"
include "wrappers/locks.pxi"
include "wrappers/allocation.pxi"
include "_activations.pxi"
include "wrappers/activation.pxi"
include "wrappers/elementwise.pxi"
include "wrappers/strided.pxi"
include "wrappers/reduce.pxi"
include "wrappers/gemm.pxi"
include "wrappers/conv.pxi"
include "wrappers/recurrent.pxi"
include "wrappers/softmax.pxi"
include "wrappers/loss.pxi"
include "wrappers/batch_norm.pxi"
include "wrappers/layer_norm.pxi"
include "wrappers/pooling.pxi"
include "wrappers/dropout.pxi"
include "wrappers/embedding.pxi"
include "wrappers/many.pxi"
include "wrappers/grad_norm.pxi"
include "wrappers/optim.pxi"
include "compiler/record/launch.pxi"
include "compiler/record/tape.pxi"
include "compiler/replay/segment.pxi"
include "wrappers/warp.pxi"
include "wrappers/augment.pxi"
include "wrappers/tokens.pxi"
