"""TensorBoard: a writer of event files, and the callback that uses it. They need no package but NumPy; TensorBoard
itself, which shows them, is ``pip install 'cygrad[tensorboard]'``."""

from cygrad.integrations.tensorboard.callback import TensorBoard
from cygrad.integrations.tensorboard.writer import SummaryWriter

__all__ = ["SummaryWriter", "TensorBoard"]
