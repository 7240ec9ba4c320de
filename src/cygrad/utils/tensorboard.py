"""TensorBoard's writer under PyTorch's path: ``torch.utils.tensorboard``."""

from cygrad.integrations.tensorboard import SummaryWriter

__all__ = ["SummaryWriter"]
