"""``torch.mps`` for programs that ask: there is no such device."""

from cygrad.accelerator import *  # noqa: F403
