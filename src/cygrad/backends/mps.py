"""``torch.backends.mps``: there is no such device."""

from cygrad.accelerator import is_available as is_available
from cygrad.accelerator import is_built as is_built
