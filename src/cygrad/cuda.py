"""``torch.cuda`` for programs that ask: there is no such device."""

from cygrad import amp as amp
from cygrad.accelerator import *  # noqa: F403
from cygrad.accelerator import current_device

Event = Stream = stream = device = current_device  # made on a GPU only


def is_bf16_supported() -> bool:
    """Return False."""
    return False
