"""``python -m cygrad.torch``: run a PyTorch script."""

import sys

from cygrad.torch.script import main

main(sys.argv[1:], "python -m cygrad.torch")
