"""The functions of the Python array API standard (2024.12) on tensors, with gradients, without complex numbers.

``Tensor.__array_namespace__`` returns this namespace, so that libraries written for the standard run on tensors. Names
and arguments are the standard's, https://data-apis.org/array-api; ``cygrad`` itself has PyTorch's. As in PyTorch,
``size`` is a method of tensors, not an attribute.
"""

from cygrad.array_api import linalg as linalg
from cygrad.array_api.creation import *
from cygrad.array_api.elementwise import *
from cygrad.array_api.info import *
from cygrad.array_api.manipulation import *
from cygrad.array_api.reductions import *
from cygrad.array_api.searching import *
from cygrad.dtypes import bool as bool
from cygrad.dtypes import e as e
from cygrad.dtypes import float32 as float32
from cygrad.dtypes import float64 as float64
from cygrad.dtypes import inf as inf
from cygrad.dtypes import int8 as int8
from cygrad.dtypes import int16 as int16
from cygrad.dtypes import int32 as int32
from cygrad.dtypes import int64 as int64
from cygrad.dtypes import nan as nan
from cygrad.dtypes import newaxis as newaxis
from cygrad.dtypes import pi as pi
from cygrad.dtypes import uint8 as uint8

__array_api_version__ = "2024.12"
