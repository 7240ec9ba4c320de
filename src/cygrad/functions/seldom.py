"""The functions that few programs need: imported when the first of them is used."""

from typing import TYPE_CHECKING

from cygrad.functions.algebra import *
from cygrad.functions.aliases import *
from cygrad.functions.counting import *
from cygrad.functions.elementwise import *
from cygrad.functions.elimination import *
from cygrad.functions.factors import *
from cygrad.functions.lowrank import *
from cygrad.functions.matrices import *
from cygrad.functions.parts import *
from cygrad.functions.sums import *
from cygrad.functions.writes import *
from cygrad.ops.binary import *
from cygrad.ops.special import *

if not TYPE_CHECKING:  # checkers take all names
    __all__ = [n for n, v in globals().items() if n[0] != "_" and callable(v)]
