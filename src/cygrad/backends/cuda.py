"""``torch.backends.cuda``: not used; what is set here has no effect."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

from cygrad.accelerator import is_built as is_built


def enable_flash_sdp(enabled: bool) -> None:
    """Do nothing, as ``enable_math_sdp`` and ``enable_mem_efficient_sdp``: attention is computed in one way."""


enable_cudnn_sdp = enable_math_sdp = enable_mem_efficient_sdp = enable_flash_sdp


def sdp_kernel(*args: Any, **kwargs: Any) -> nullcontext[None]:
    """A block that changes nothing: attention is computed in one way."""
    return nullcontext()


matmul = SimpleNamespace(allow_tf32=False, allow_fp16_reduced_precision_reduction=False)
