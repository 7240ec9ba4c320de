"""What PyTorch keeps in ``torch.utils``: data, TensorBoard's writer, checkpoints of activations, trees."""

from cygrad.utils import _pytree as _pytree
from cygrad.utils import checkpoint as checkpoint
from cygrad.utils import data as data
