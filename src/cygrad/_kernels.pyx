# cython: auto_pickle=False
"""Checks arguments and launches the C kernels of csrc/. No arithmetic is done here.

One file a family stands in wrappers/. Every wrapper takes and returns ndarrays, makes a contiguous copy
of an operand only where its kernel needs one, and raises one sentence that names the op.
"""

include "wrappers/core.pxi"
include "wrappers/memory.pxi"
include "wrappers/activation.pxi"
include "wrappers/elementwise.pxi"
include "wrappers/reduce.pxi"
include "wrappers/gemm.pxi"
include "wrappers/softmax.pxi"
include "wrappers/loss.pxi"
include "wrappers/batch_norm.pxi"
include "wrappers/layer_norm.pxi"
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
