"""Run PyTorch scripts on cygrad: in this process, ``import torch`` gives cygrad.

``python -m cygrad.torch script.py`` does it for a script, ``cygrad.torch.install()`` for the program that calls it.
Importing this package alone changes nothing.
"""

from cygrad.torch.install import install

__all__ = ["install"]
