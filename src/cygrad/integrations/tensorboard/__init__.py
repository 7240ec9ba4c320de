"""TensorBoard: a writer of event files, and a callback that uses it. Both need only NumPy;
``pip install 'cygrad[tensorboard]'`` installs TensorBoard itself, which shows the files."""

from cygrad.integrations.tensorboard.callback import TensorBoard
from cygrad.integrations.tensorboard.writer import SummaryWriter

__all__ = ["SummaryWriter", "TensorBoard"]
