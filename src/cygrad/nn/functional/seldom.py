"""The functions that few networks need: imported when the first of them is used."""

from typing import TYPE_CHECKING

from cygrad.nn.functional.distances import *
from cygrad.nn.functional.margins import *
from cygrad.nn.functional.masks import *
from cygrad.nn.functional.norms import *
from cygrad.nn.functional.patches import *
from cygrad.nn.functional.rectifiers import *
from cygrad.nn.functional.resizing import *

if not TYPE_CHECKING:  # checkers take all names
    __all__ = [n for n, v in globals().items() if n[0] != "_" and callable(v)]
