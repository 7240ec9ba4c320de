"""``torch.backends.cuda``: not used; what is set here has no effect."""

from types import SimpleNamespace

from cygrad.accelerator import is_built as is_built

matmul = SimpleNamespace(allow_tf32=False, allow_fp16_reduced_precision_reduction=False)
