"""The functions that few programs need: imported when the first of them is used."""

from cygrad.functions.aliases import *

__all__ = [n for n, v in globals().items() if n[0] != "_" and callable(v)]
