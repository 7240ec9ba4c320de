"""The modules that few networks need: imported when the first of them is used."""

from typing import TYPE_CHECKING

from cygrad.nn.modules.channel_dropout import *
from cygrad.nn.modules.data_parallel import *
from cygrad.nn.modules.distance import *
from cygrad.nn.modules.group_norm import *
from cygrad.nn.modules.lazy import *
from cygrad.nn.modules.lazy_conv import *
from cygrad.nn.modules.margin import *
from cygrad.nn.modules.parameter_dict import *
from cygrad.nn.modules.patches import *
from cygrad.nn.modules.rectifier import *
from cygrad.nn.modules.resizing import *
from cygrad.nn.modules.sync_batch_norm import *

if not TYPE_CHECKING:  # checkers take all names
    __all__ = [n for n, v in globals().items() if n[0] != "_" and isinstance(v, type)]
